/**
 * Is the write-ahead log whole? SQLite ends its reading of it without a word at the first frame whose checksum is wrong, and what was
 * committed behind that frame is gone. This reads the log before anything is written to it, and tells.
 *
 * Form: https://www.sqlite.org/fileformat2.html#walformat. Frames of former rounds, which lie behind the present ones, carry other salts.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { codeOf } from "./errors.ts";

const HEADER = 32;
const FRAME_HEADER = 24;
const MAGIC = 0x377f0682;
/** The checksums are of big-endian words when the last bit of the magic number is set. */
const BIG_ENDIAN = 1;
/** Frames read at a time. */
const BATCH = 256;

export interface WalState {
  /**
   * whole: everything in it will be read. unfinished: it ends in a write that is not complete, as a crash in the middle of one leaves it;
   * whoever wrote it had not been told that it was done, unless the disk has damaged just this. damaged: commits will be lost.
   */
  state: "whole" | "unfinished" | "damaged";
  /** Where the first frame begins that is not as it was written, bytes. */
  at: number;
  /** Commits and pages from there on. Some of them may have reached the database before. */
  commits: number;
  pages: number;
}

const WHOLE: WalState = { state: "whole", at: 0, commits: 0, pages: 0 };

export function checkWal(file: string): WalState {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (err) {
    if (codeOf(err) === "ENOENT") return WHOLE;
    throw err;
  }
  try {
    return new Reader(fd).check();
  } finally {
    closeSync(fd);
  }
}

class Reader {
  readonly #fd: number;
  readonly #size: number;
  #sum0 = 0;
  #sum1 = 0;

  constructor(fd: number) {
    this.#fd = fd;
    this.#size = fstatSync(fd).size;
  }

  check(): WalState {
    const head = Buffer.alloc(HEADER);
    if (readSync(this.#fd, head, 0, HEADER, 0) < HEADER) return WHOLE;
    const big = (head.readUInt32BE(0) & BIG_ENDIAN) !== 0;
    this.#add(head, 0, HEADER - 8, big);
    const whole = (head.readUInt32BE(0) & ~BIG_ENDIAN) === MAGIC && this.#is(head.readUInt32BE(24), head.readUInt32BE(28));
    const page = pageSize(head.readUInt32BE(8));
    return this.#frames(whole, page, big, head.readUInt32BE(16), head.readUInt32BE(20));
  }

  /** With a damaged header none of the frames counts; the first one tells what the salts were. */
  #frames(whole: boolean, page: number, big: boolean, salt0: number, salt1: number): WalState {
    const size = FRAME_HEADER + page;
    const count = Math.floor((this.#size - HEADER) / size);
    const buf = Buffer.alloc(size * BATCH);
    let at = whole ? -1 : HEADER;
    let commits = 0;
    let pages = 0;
    let last = -1;
    for (let n = 0; n < count; n++) {
      const offset = (n % BATCH) * size;
      if (offset === 0) readSync(this.#fd, buf, 0, buf.length, HEADER + n * size);
      if (n === 0 && !whole) [salt0, salt1] = [buf.readUInt32BE(8), buf.readUInt32BE(12)];
      const present = buf.readUInt32BE(offset + 8) === salt0 && buf.readUInt32BE(offset + 12) === salt1;
      if (at < 0) {
        if (!present) at = HEADER + n * size;
        else if (this.#frame(buf, offset, page, big)) continue;
        else at = HEADER + n * size;
      }
      if (!present) continue;
      pages++;
      last = HEADER + n * size;
      if (buf.readUInt32BE(offset + 4) !== 0) commits++;
    }
    if (commits === 0) return WHOLE;
    // Its frame's head is written before its page.
    const unfinished = whole && commits === 1 && last === at;
    return { state: unfinished ? "unfinished" : "damaged", at, commits, pages };
  }

  #frame(buf: Buffer, offset: number, page: number, big: boolean): boolean {
    this.#add(buf, offset, 8, big);
    this.#add(buf, offset + FRAME_HEADER, page, big);
    return this.#is(buf.readUInt32BE(offset + 16), buf.readUInt32BE(offset + 20));
  }

  #is(sum0: number, sum1: number): boolean {
    return this.#sum0 >>> 0 === sum0 && this.#sum1 >>> 0 === sum1;
  }

  #add(buf: Buffer, offset: number, length: number, big: boolean): void {
    let s0 = this.#sum0;
    let s1 = this.#sum1;
    const words = new DataView(buf.buffer, buf.byteOffset + offset, length);
    for (let i = 0; i < length; i += 8) {
      s0 = (s0 + words.getUint32(i, !big) + s1) | 0;
      s1 = (s1 + words.getUint32(i + 4, !big) + s0) | 0;
    }
    this.#sum0 = s0;
    this.#sum1 = s1;
  }
}

/** A power of two from 512 to 65536; anything else is a damaged header, and the broker's own files have 4096. */
function pageSize(n: number): number {
  return n >= 512 && n <= 65536 && (n & (n - 1)) === 0 ? n : 4096;
}
