/** Loaded before every test file (bunfig.toml). Slow shared machines: a hang is a failure, a slow answer is not. */
import { setDefaultTimeout } from "bun:test";

setDefaultTimeout(30_000);
