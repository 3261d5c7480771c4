/** The process and its machine, as the admin layer asks for them. */
import { availableParallelism, freemem, loadavg, totalmem } from "node:os";
import type { System } from "../admin/index.ts";
import { WorkQueue } from "../lib/work_queue.ts";
import { openFileLimit } from "./open_files.ts";
import { cpuMeter } from "./readings.ts";

/** OWASP's minimum for argon2id; some 40 ms on one core. */
const ARGON2 = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const;
/** Each takes a core and 19 MB: as many at a time as leave room for everything else, and so many waiting. */
const HASHES_AT_ONCE = Math.max(1, Math.floor(availableParallelism() / 2));
const HASHES_WAITING = 32;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/** Where the limit cannot be read. */
const FDS_FALLBACK = 1024;

function softLimitOfFiles(): number {
  const limit = openFileLimit();
  return Number.isFinite(limit) ? limit : FDS_FALLBACK;
}

/** Bun refuses to hash an empty password; EMQ X allowed one. */
const hashable = (password: string): string => (password === "" ? "\0" : password);

export function createSystem(): System {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const hashing = new WorkQueue(HASHES_AT_ONCE, HASHES_WAITING);
  const machineCpu = cpuMeter();
  // It counts from here.
  machineCpu();
  return {
    runtimeVersion: Bun.version,
    cores: availableParallelism(),
    maxFds: softLimitOfFiles(),
    load() {
      const [one = 0, five = 0, fifteen = 0] = loadavg();
      return [one, five, fifteen];
    },
    memory() {
      const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
      return { rss, heapUsed, heapTotal, external, osTotal: totalmem(), osFree: freemem() };
    },
    cpu() {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    machineCpu,
    secret(n) {
      let out = "";
      while (out.length < n) {
        for (const byte of crypto.getRandomValues(new Uint8Array(n))) {
          // 248 = 4 * 62: every letter is equally likely.
          if (byte < 248 && out.length < n) out += LETTERS[byte % LETTERS.length];
        }
      }
      return out;
    },
    hashPassword: (password) => hashing.run(() => Bun.password.hash(hashable(password), ARGON2)),
    verifyPassword: (password, hash) =>
      hashing.run(async () => {
        try {
          return await Bun.password.verify(hashable(password), hash);
        } catch {
          // A damaged hash lets nobody in.
          return false;
        }
      }),
    digest: (text) => new Bun.CryptoHasher("sha256", key).update(text).digest("base64"),
  };
}
