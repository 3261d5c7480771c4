/** Numbers, strings and bytes as the redo log holds them. Whole numbers are variable-length, seven bits a byte; strings are UTF-8 behind a length. */
import { copyBytes } from "../lib/bytes.ts";

/** In place of a length, which is told as one more: there is nothing. */
const NULL = 0;
/** Beyond so many characters the runtime's own encoder is faster. Their length is one byte. */
const SHORT = 48;

/** A growing buffer that is written from `begin` on. */
export class RedoWriter {
  #buf: Buffer;
  #view: DataView;
  #at: number;

  /** `begin`: bytes kept free for the record's head. */
  constructor(
    private readonly begin: number,
    private readonly size: number,
  ) {
    this.#buf = Buffer.allocUnsafeSlow(size);
    this.#view = new DataView(this.#buf.buffer);
    this.#at = begin;
  }

  /** Bytes written. */
  get length(): number {
    return this.#at - this.begin;
  }

  /** Head and content, to be used before the next write. */
  get record(): Buffer {
    return this.#buf.subarray(0, this.#at);
  }

  /** What a burst needed is not kept. */
  reset(): void {
    this.#at = this.begin;
    if (this.#buf.length <= this.size * 16) return;
    this.#buf = Buffer.allocUnsafeSlow(this.size);
    this.#view = new DataView(this.#buf.buffer);
  }

  u8(n: number): void {
    this.#room(1);
    this.#buf[this.#at++] = n;
  }

  /** A whole number from 0 to 2^53 - 1. */
  uint(n: number): void {
    this.#room(8);
    const buf = this.#buf;
    let at = this.#at;
    while (n > 0x7fffffff) {
      buf[at++] = (n % 128) | 128;
      n = Math.floor(n / 128);
    }
    while (n > 127) {
      buf[at++] = (n & 127) | 128;
      n >>>= 7;
    }
    buf[at++] = n;
    this.#at = at;
  }

  f64(n: number): void {
    this.#room(8);
    this.#view.setFloat64(this.#at, n, true);
    this.#at += 8;
  }

  bytes(b: Uint8Array, start = 0, end = b.length): void {
    this.uint(end - start + 1);
    this.#room(end - start);
    copyBytes(b, this.#buf, this.#at, start, end);
    this.#at += end - start;
  }

  string(s: string): void {
    if (s.length <= SHORT && this.#ascii(s)) return;
    const n = Buffer.byteLength(s);
    this.uint(n + 1);
    this.#room(n);
    this.#at += this.#buf.write(s, this.#at, n, "utf8");
  }

  nullable(s: string | null): void {
    if (s === null) this.u8(NULL);
    else this.string(s);
  }

  /** False = it is not ASCII alone, and nothing is written. */
  #ascii(s: string): boolean {
    const n = s.length;
    this.#room(1 + n);
    const buf = this.#buf;
    const at = this.#at;
    for (let i = 0; i < n; i++) {
      const c = s.charCodeAt(i);
      if (c > 127) return false;
      buf[at + 1 + i] = c;
    }
    buf[at] = n + 1;
    this.#at = at + 1 + n;
    return true;
  }

  #room(n: number): void {
    if (this.#at + n <= this.#buf.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buf.length * 2, this.#at + n));
    larger.set(this.#buf.subarray(0, this.#at));
    this.#buf = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Reads what a `RedoWriter` wrote. @throws RangeError at the end */
export class RedoReader {
  #at = 0;
  readonly #view: DataView;

  constructor(private readonly buf: Buffer) {
    this.#view = new DataView(buf.buffer, buf.byteOffset, buf.length);
  }

  get more(): boolean {
    return this.#at < this.buf.length;
  }

  u8(): number {
    return this.#view.getUint8(this.#at++);
  }

  uint(): number {
    let n = 0;
    for (let scale = 1; ; scale *= 128) {
      const b = this.u8();
      n += (b & 127) * scale;
      if (b < 128) return n;
    }
  }

  f64(): number {
    const n = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return n;
  }

  bytes(): Uint8Array {
    return this.#take(this.uint() - 1);
  }

  string(): string {
    return this.#take(this.uint() - 1).toString();
  }

  nullable(): string | null {
    const n = this.uint();
    return n === NULL ? null : this.#take(n - 1).toString();
  }

  #take(n: number): Buffer {
    if (this.#at + n > this.buf.length) throw new RangeError("the record is too short");
    this.#at += n;
    return this.buf.subarray(this.#at - n, this.#at);
  }
}
