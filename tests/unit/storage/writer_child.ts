/**
 * A process that writes to a store until it is killed or the disk fails. Arguments: data directory, sync mode, and "messages" or "settings".
 * Prints a line per event: "<n>" = batch n is committed (messages n/0 … n/9 for one session; with "settings" also key n of namespace "batches",
 * so that each batch goes to the database), "failed <reason>" = a commit threw.
 */
import { writeSync } from "node:fs";
import { openStore, type SyncMode } from "../../../server/storage/sqlite.ts";
import { message, meta } from "./fixtures.ts";

export const PER_BATCH = 10;
const quiet = { error() {}, warn() {}, notice() {}, info() {}, debug() {} };

function main(dir: string, sync: SyncMode, what: string): void {
  const store = openStore({ dir, sync, log: quiet });
  const key = store.sessions.open(0, meta("writer"));
  for (let n = 0; n < 1_000_000; n++) {
    for (let i = 0; i < PER_BATCH; i++) {
      store.sessions.enqueue(key, n * PER_BATCH + i + 1, message(`${n}/${i}`, new Uint8Array(200)), 1, 0, null, false);
    }
    if (what === "settings") store.kv("batches").set(String(n), "committed");
    try {
      store.commit();
    } catch (err) {
      writeSync(1, `failed ${err instanceof Error ? err.message : String(err)}\n`);
      process.kill(process.pid, "SIGKILL");
    }
    writeSync(1, `${n}\n`);
  }
}

if (import.meta.main) main(process.argv[2] as string, process.argv[3] as SyncMode, process.argv[4] as string);
