/** Comparing secrets, and remembering what was compared. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { HashQueue } from "./hash_queue.ts";

/** Equal in a time that does not tell where they differ. */
export function sameSecret(a: string | Uint8Array, b: string | Uint8Array): boolean {
  const hash = (x: string | Uint8Array): Buffer => createHash("sha256").update(x).digest();
  return timingSafeEqual(hash(a), hash(b));
}

const KEPT_MAX = 20_000;

/** Answers of slow checks, kept by a keyed hash of what was asked: a client that reconnects costs microseconds. Wrong ones are not kept. */
export class KnownGood {
  readonly #key = randomBytes(32);
  readonly #good = new Set<string>();

  /** `asked`: all that the answer depends on. null = too many slow checks wait already. */
  check(asked: readonly (string | Uint8Array)[], queue: HashQueue, slow: () => Promise<boolean>): true | Promise<boolean> | null {
    const id = this.#idOf(asked);
    if (this.#good.has(id)) return true;
    return queue.run(async () => {
      const ok = await slow();
      if (ok) this.#add(id);
      return ok;
    });
  }

  #idOf(asked: readonly (string | Uint8Array)[]): string {
    const h = createHmac("sha256", this.#key);
    for (const part of asked) h.update(`${Buffer.byteLength(part)}:`).update(part);
    return h.digest("base64");
  }

  /** The oldest goes first. */
  #add(id: string): void {
    if (this.#good.size >= KEPT_MAX)
      for (const oldest of this.#good) {
        this.#good.delete(oldest);
        break;
      }
    this.#good.add(id);
  }
}
