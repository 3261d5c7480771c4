/** Bytes that wait for the kernel, in order. Pieces are shared by what comes after one another: a slow reader of small packets costs its bytes. */
import { copyBytes } from "../lib/bytes.ts";

const PIECE = 4 * 1024;

export class Backlog {
  bytes = 0;
  /** The first one is read from `#start` on, the last one is filled up to `#end`. */
  readonly #pieces: Uint8Array[] = [];
  #start = 0;
  #end = 0;

  /** Append a copy. */
  push(buf: Uint8Array, start: number, end: number): void {
    let at = start;
    this.bytes += end - start;
    let last = this.#pieces.at(-1);
    while (at < end) {
      if (last === undefined || this.#end === last.length) {
        last = Buffer.allocUnsafeSlow(Math.max(PIECE, end - at));
        this.#pieces.push(last);
        this.#end = 0;
      }
      const n = Math.min(end - at, last.length - this.#end);
      copyBytes(buf, last, this.#end, at, at + n);
      this.#end += n;
      at += n;
    }
  }

  /** The first piece; its bytes are from `start` on, `run` of them. Only while there are bytes. */
  get first(): Uint8Array {
    return this.#pieces[0] as Uint8Array;
  }
  get start(): number {
    return this.#start;
  }
  get run(): number {
    return (this.#pieces.length === 1 ? this.#end : this.first.length) - this.#start;
  }

  /** The first `n` bytes, not more than `run`, are gone. */
  drop(n: number): void {
    this.bytes -= n;
    this.#start += n;
    if (this.run > 0) return;
    this.#pieces.shift();
    this.#start = 0;
  }
}
