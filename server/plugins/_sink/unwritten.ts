/** What waits to be written to a spool, in order. */
import { frameAt } from "./frames.ts";
import type { Stored } from "./types.ts";

export interface Pending {
  /** Number of the item; 0 = it is none. */
  readonly seq: number;
  readonly bytes: Uint8Array;
  /** It is in memory, too. */
  isLoaded: boolean;
  /** It need not be sent any more. */
  isDone: boolean;
}

export class Unwritten {
  #waiting: Pending[] = [];
  readonly #items = new Map<number, Pending>();
  /** Also of what is being written. */
  bytes = 0;

  /** There is something to write. */
  get any(): boolean {
    return this.#waiting.length > 0;
  }
  /** Items that are not on the disk for sure. */
  get items(): number {
    return this.#items.size;
  }
  /** Of those, which are still to be sent and nowhere else; in order. */
  get wanted(): Stored[] {
    return [...this.#items.values()].flatMap((p) => (p.isDone || p.isLoaded ? [] : storedIn(p.bytes)));
  }

  add(pending: Pending): void {
    this.#waiting.push(pending);
    this.bytes += pending.bytes.length;
    if (pending.seq > 0) this.#items.set(pending.seq, pending);
  }

  /** False = it is none of these. */
  done(seq: number): boolean {
    const pending = this.#items.get(seq);
    if (pending === undefined) return false;
    pending.isDone = true;
    return true;
  }

  /** It is not in memory any more. False = it is none of these. */
  unload(seq: number): boolean {
    const pending = this.#items.get(seq);
    if (pending !== undefined) pending.isLoaded = false;
    return pending !== undefined;
  }

  /** The next ones, up to so many bytes, one at least. What was done before it was written need not be. */
  chunk(most: number): Pending[] {
    const chunk: Pending[] = [];
    let length = 0;
    let n = 0;
    for (const p of this.#waiting) {
      if (length > 0 && length + p.bytes.length > most) break;
      n++;
      if (p.isDone) {
        this.written(p);
        continue;
      }
      chunk.push(p);
      length += p.bytes.length;
    }
    this.#waiting.splice(0, n);
    return chunk;
  }

  written(pending: Pending): void {
    this.bytes -= pending.bytes.length;
    if (pending.seq > 0) this.#items.delete(pending.seq);
  }

  /** It could not be written: before all others. */
  putBack(chunk: readonly Pending[]): void {
    this.#waiting.unshift(...chunk);
  }
}

function storedIn(bytes: Uint8Array): Stored[] {
  const found = frameAt(bytes, 0);
  return found !== null && "frame" in found && found.frame.kind === "item" ? [found.frame] : [];
}
