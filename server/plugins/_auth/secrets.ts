/** Comparing secrets, and remembering what was compared. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Cost, HashQueue } from "./hash_queue.ts";

/** Equal in a time that does not tell where they differ. */
export function sameSecret(a: string | Uint8Array, b: string | Uint8Array): boolean {
  const hash = (x: string | Uint8Array): Buffer => createHash("sha256").update(x).digest();
  return timingSafeEqual(hash(a), hash(b));
}

const KEPT_MAX = 20_000;

/** A slow check. */
export interface Slow {
  readonly cost: Cost;
  /** The address it is made for. */
  readonly from: string;
  /** Asked when its turn has come: false = nobody waits for it any more. */
  wanted?(): boolean;
  run(): Promise<boolean>;
}

/** Answers of slow checks, kept by a keyed hash of what was asked: a client that reconnects costs microseconds. Wrong ones are not kept. */
export class KnownGood {
  readonly #key = randomBytes(32);
  readonly #good = new Set<string>();

  /** `asked`: all that the answer depends on. null = too many slow checks wait already. */
  check(asked: readonly (string | Uint8Array)[], queue: HashQueue, slow: Slow): true | Promise<boolean> | null {
    const id = this.#idOf(asked);
    if (this.#good.has(id)) return true;
    return queue.run(slow.cost, slow.from, async (timed) => {
      const ok = slow.wanted?.() !== false && (await timed(() => slow.run()));
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
