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
  /** Positions in the ring, bytes. */
  head: 9,
  tail: 10,
  /** Goes up when a call begins and when it ends: odd = one is running. */
  turns: 11,
  /** Calls whose time was kept; the last of them stand in `times`. */
  timed: 12,
  /** Number of the callback that runs, or ran last. */
  current: 13,
  /** Then so many numbers each: calls of each callback, and those of them that failed. */
  calls: 14,
  failed: 14 + CALLBACKS.length,
} as const;

export const ASK = { part: 1, call: 2, more: 3 } as const;
/**
 * What came of a call: the first byte of a reply. Where it is not `returned`, the reply has a line (null = not known) and a message. `spent`: the
 * worker keeps more memory than it may, and is to be replaced.
 */
export const CAME = { returned: 0, failed: 1, time: 2, memory: 3, spent: 4 } as const;

const NUMBERS = 64;
/** Calls whose times are kept. */
export const TIMES = 1024;
/** Bytes of a piece, either way. Memory that nobody writes to is not taken. */
export const PIECE = 1024 * 1024;
/** Bytes of calls that wait to be told: room for so many, and beside them for the largest one. */
const WAITING = 512 * 1024;
/** What is told may be so large, bytes, also where the node takes larger packets: each script may come to take that for good. */
const TOLD_MOST = 16 * 1024 * 1024;
const HEADER = NUMBERS * 4 + TIMES * 4;

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
  const request = Buffer.from(shared, HEADER, PIECE);
  const reply = Buffer.from(shared, HEADER + PIECE, PIECE);
  return { shared, numbers, times, request, reply, ring: new Ring(numbers, Buffer.from(shared, HEADER + 2 * PIECE)) };
}

/** `packet`: bytes of the largest packet that the node takes; what comes with it (names, topic) has room beside it. */
export const ringFor = (packet: number): number => WAITING + ((Math.min(packet, TOLD_MOST) + 3) & ~3);

/** `ring`: bytes, a multiple of 4. */
export const newArea = (ring: number): Area => areaOn(new SharedArrayBuffer(HEADER + 2 * PIECE + ring));

/** One puts in, the other takes out. An entry lies at a multiple of 4 behind its length, and goes on at the beginning where the end comes first. */
class Ring {
  constructor(
    private readonly numbers: Int32Array,
    private readonly bytes: Buffer,
  ) {}

  /** What never fits is larger than so many bytes. */
  get most(): number {
    return this.bytes.length - 8;
  }

  /** False = there is no room for it now. */
  put(entry: Uint8Array): boolean {
    const { bytes, numbers } = this;
    const size = sizeOfEntry(entry.length);
    const head = Atomics.load(numbers, AT.head);
    const used = (head - Atomics.load(numbers, AT.tail) + bytes.length) % bytes.length;
    // Head and tail in the same place mean that it is empty: it is never filled to the last byte.
    if (size >= bytes.length - used) return false;
    bytes.writeUInt32LE(entry.length, head);
    const at = (head + 4) % bytes.length;
    const first = Math.min(entry.length, bytes.length - at);
    bytes.set(first === entry.length ? entry : entry.subarray(0, first), at);
    if (first < entry.length) bytes.set(entry.subarray(first), 0);
    Atomics.store(numbers, AT.head, (head + size) % bytes.length);
    return true;
  }

  /** A copy of the oldest entry; null = there is none. */
  take(): Buffer | null {
    const { bytes, numbers } = this;
    const tail = Atomics.load(numbers, AT.tail);
    if (Atomics.load(numbers, AT.head) === tail) return null;
    const length = bytes.readUInt32LE(tail);
    const at = (tail + 4) % bytes.length;
    const entry = Buffer.allocUnsafeSlow(length);
    const first = bytes.copy(entry, 0, at, Math.min(at + length, bytes.length));
    if (first < length) bytes.copy(entry, first, 0, length - first);
    Atomics.store(numbers, AT.tail, (tail + sizeOfEntry(length)) % bytes.length);
    return entry;
  }
}

const sizeOfEntry = (length: number): number => 4 + ((length + 3) & ~3);
