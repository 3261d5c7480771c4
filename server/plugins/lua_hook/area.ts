/**
 * The memory that the broker and the worker of one script share. What decides goes through two places, one each way, while the broker waits; a call
 * that is larger than its place goes in pieces. What is only told goes through a ring. Numbers are found by their index in an Int32Array.
 */
import { CALLBACKS } from "./callbacks.ts";

export const AT = {
  /** Goes up with everything that is put in: what the worker waits on. */
  bell: 0,
  /** 1 = the worker waits, or is about to. */
  asleep: 1,
  /** Goes up with each piece that is asked; the worker has begun with it, and is done with it, when its numbers are the same. */
  asked: 2,
  begun: 3,
  done: 4,
  /** What is asked: see ASK. */
  op: 5,
  /** Bytes of this piece. */
  requestLength: 6,
  replyLength: 7,
  /** 1 = the reply goes on. */
  replyMore: 8,
  /** What came of the call: see CAME. */
  status: 9,
  /** Positions in the ring, bytes. */
  head: 10,
  tail: 11,
  /** Goes up when a call begins and when it ends: odd = one is running. */
  turns: 12,
  /** Calls in a row that took more than they may. */
  overrunsInARow: 13,
  /** Calls whose time was kept; the last of them stand in `times`. */
  timed: 14,
  /** Number of the callback that runs, or ran last. */
  current: 15,
  /** Then so many numbers each: calls of each callback, and those of them that failed. */
  calls: 16,
  failed: 16 + CALLBACKS.length,
} as const;

export const ASK = { part: 1, call: 2, more: 3 } as const;
/** `spent`: the worker keeps more memory than it may, and is to be replaced. */
export const CAME = { returned: 0, failed: 1, overrun: 2, spent: 3 } as const;

const NUMBERS = 64;
/** Calls whose times are kept. */
export const TIMES = 1024;
/** Bytes of a piece, either way. Memory that nobody writes to is not taken. */
export const PIECE = 1024 * 1024;
/** Bytes of calls that wait to be told. */
export const RING = 512 * 1024;
/** Stands for a length: the ring goes on at its beginning. */
const WRAP = 0xffffffff;

export interface Area {
  readonly shared: SharedArrayBuffer;
  readonly numbers: Int32Array;
  /** Ms of the last calls. */
  readonly times: Float32Array;
  readonly request: Buffer;
  readonly reply: Buffer;
  readonly ring: Ring;
}

export function areaOn(shared: SharedArrayBuffer): Area {
  const numbers = new Int32Array(shared, 0, NUMBERS);
  const times = new Float32Array(shared, NUMBERS * 4, TIMES);
  let at = NUMBERS * 4 + TIMES * 4;
  const place = (length: number): Buffer => {
    at += length;
    return Buffer.from(shared, at - length, length);
  };
  return { shared, numbers, times, request: place(PIECE), reply: place(PIECE), ring: new Ring(numbers, place(RING)) };
}

export const newArea = (): Area => areaOn(new SharedArrayBuffer(NUMBERS * 4 + TIMES * 4 + 2 * PIECE + RING));

/** One puts in, the other takes out. An entry lies in one piece, at a multiple of 4, behind its length. */
class Ring {
  constructor(
    private readonly numbers: Int32Array,
    private readonly bytes: Buffer,
  ) {}

  /** False = there is no room for it now. */
  put(entry: Uint8Array): boolean {
    const { bytes, numbers } = this;
    const size = 4 + ((entry.length + 3) & ~3);
    let head = Atomics.load(numbers, AT.head);
    const tail = Atomics.load(numbers, AT.tail);
    // Head and tail in the same place mean that it is empty: it is never filled to the last byte.
    if (head >= tail) {
      if (size > bytes.length - head - (tail === 0 ? 4 : 0)) {
        if (size >= tail) return false;
        if (head < bytes.length) bytes.writeUInt32LE(WRAP, head);
        head = 0;
      }
    } else if (size >= tail - head) return false;
    bytes.writeUInt32LE(entry.length, head);
    bytes.set(entry, head + 4);
    Atomics.store(numbers, AT.head, head + size);
    return true;
  }

  /** A copy of the oldest entry; null = there is none. */
  take(): Buffer | null {
    const { bytes, numbers } = this;
    const head = Atomics.load(numbers, AT.head);
    let tail = Atomics.load(numbers, AT.tail);
    if (head === tail) return null;
    if (tail >= bytes.length || bytes.readUInt32LE(tail) === WRAP) tail = 0;
    const length = bytes.readUInt32LE(tail);
    const entry = Buffer.from(bytes.subarray(tail + 4, tail + 4 + length));
    Atomics.store(numbers, AT.tail, tail + 4 + ((length + 3) & ~3));
    return entry;
  }
}
