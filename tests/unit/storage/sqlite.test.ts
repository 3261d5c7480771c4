/** The SQLite store passes the battery. */
import { storeBattery } from "./battery.ts";
import { counts, crash, fail, newDir, openIn, restart } from "./sqlite_harness.ts";

storeBattery("sqlite", { open: () => openIn(newDir()), restart, crash, counts, fail });
