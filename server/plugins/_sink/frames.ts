/**
 * How items, and that they are done, stand in a file. One that a kill has cut short is found by its checksum.
 *
 * | bytes | of a frame, little-endian      |
 * | ----- | ------------------------------ |
 * | 4     | CRC-32 of everything behind    |
 * | 4     | bytes of what stands behind    |
 * | 1     | kind                           |
 * | …     | what it says                   |
 *
 * An item: number (8), Unix ms (8), bytes of its key (2), key, the item. Done: number (8) and count (4) of each range of numbers.
 * A letter: its number (8), Unix ms (8), tries (4), bytes of its reason (2) and of its key (2), reason, key, the item. Letters gone: their numbers (8).
 */

const HEAD = 9;
/** Longer ones are not written: whoever finds a larger number has found no frame. */
export const FRAME_MAX = 64 * 1024 * 1024;
const KEY_MAX = 0xffff;
/** Of an item, beside its key and itself. */
const ITEM_BYTES = 18;

export type Frame =
  | { readonly kind: "item"; readonly seq: number; readonly at: number; readonly key: string; readonly item: Uint8Array }
  | { readonly kind: "done"; readonly ranges: readonly (readonly [from: number, count: number])[] }
  | {
      readonly kind: "letter";
      readonly id: number;
      readonly at: number;
      readonly tries: number;
      readonly why: string;
      readonly key: string;
      readonly item: Uint8Array;
    }
  | { readonly kind: "gone"; readonly ids: readonly number[] };

const ITEM = 1;
const DONE = 2;
const LETTER = 3;
const GONE = 4;

/** It is too long. */
export class FrameTooLong extends Error {
  override readonly name = "FrameTooLong";
}

/** @throws FrameTooLong */
export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.kind) {
    case "item":
      return encodeItem(frame.seq, frame.at, frame.key, frame.item);
    case "done": {
      const buf = framed(DONE, frame.ranges.length * 12);
      frame.ranges.forEach(([from, count], i) => {
        putNumber(buf, HEAD + 12 * i, from);
        buf.writeUInt32LE(count, HEAD + 12 * i + 8);
      });
      return sealed(buf);
    }
    case "letter": {
      const [why, key] = [Buffer.from(frame.why).subarray(0, KEY_MAX), keyBytes(frame.key)];
      const buf = framed(LETTER, 24 + why.length + key.length + frame.item.length);
      putNumber(buf, HEAD, frame.id);
      putNumber(buf, HEAD + 8, frame.at);
      buf.writeUInt32LE(frame.tries, HEAD + 16);
      buf.writeUInt16LE(why.length, HEAD + 20);
      buf.writeUInt16LE(key.length, HEAD + 22);
      buf.set(why, HEAD + 24);
      buf.set(key, HEAD + 24 + why.length);
      buf.set(frame.item, HEAD + 24 + why.length + key.length);
      return sealed(buf);
    }
    case "gone": {
      const buf = framed(GONE, frame.ids.length * 8);
      frame.ids.forEach((id, i) => {
        putNumber(buf, HEAD + 8 * i, id);
      });
      return sealed(buf);
    }
  }
}

function encodeItem(seq: number, at: number, key: string, item: Uint8Array): Uint8Array {
  const name = keyBytes(key);
  const buf = framed(ITEM, ITEM_BYTES + name.length + item.length);
  putNumber(buf, HEAD, seq);
  putNumber(buf, HEAD + 8, at);
  buf.writeUInt16LE(name.length, HEAD + 16);
  buf.set(name, HEAD + 18);
  buf.set(item, HEAD + 18 + name.length);
  return sealed(buf);
}

/** A key only says what belongs together: MQTT's client ids are no longer than this. */
const keyBytes = (key: string): Uint8Array => Buffer.from(key).subarray(0, KEY_MAX);

function checkLength(length: number): void {
  if (length > FRAME_MAX) throw new FrameTooLong(`${length} bytes are more than ${FRAME_MAX}`);
}

/** @throws FrameTooLong as it would be */
export function checkItem(key: string, item: Uint8Array): void {
  checkLength(ITEM_BYTES + keyBytes(key).length + item.length);
}

function framed(kind: number, length: number): Buffer {
  checkLength(length);
  const buf = Buffer.allocUnsafe(HEAD + length);
  buf.writeUInt32LE(length, 4);
  buf[8] = kind;
  return buf;
}

function sealed(buf: Buffer): Uint8Array {
  buf.writeUInt32LE(Bun.hash.crc32(buf.subarray(4)), 0);
  return buf;
}

/** What stands at an offset. `more`: so many bytes from there on are needed to tell; null = it is no frame. */
export type Found = { readonly frame: Frame; readonly end: number } | { readonly more: number } | null;

export function frameAt(bytes: Uint8Array, at: number): Found {
  const buf = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (buf.length - at < HEAD) return { more: HEAD };
  const length = buf.readUInt32LE(at + 4);
  if (length > FRAME_MAX) return null;
  const end = at + HEAD + length;
  if (end > buf.length) return { more: end - at };
  if (Bun.hash.crc32(buf.subarray(at + 4, end)) !== buf.readUInt32LE(at)) return null;
  const frame = decoded(buf, buf[at + 8] as number, at + HEAD, end);
  return frame === null ? null : { frame, end };
}

/** null = it is none of ours, though its checksum is right. */
function decoded(buf: Buffer, kind: number, at: number, end: number): Frame | null {
  switch (kind) {
    case ITEM: {
      if (end - at < 18) return null;
      const keyEnd = at + 18 + buf.readUInt16LE(at + 16);
      if (keyEnd > end) return null;
      const key = buf.toString("utf8", at + 18, keyEnd);
      return { kind: "item", seq: getNumber(buf, at), at: getNumber(buf, at + 8), key, item: buf.subarray(keyEnd, end) };
    }
    case DONE: {
      if ((end - at) % 12 !== 0) return null;
      const ranges = Array.from(
        { length: (end - at) / 12 },
        (_, i) => [getNumber(buf, at + 12 * i), buf.readUInt32LE(at + 12 * i + 8)] as const,
      );
      return { kind: "done", ranges };
    }
    case LETTER: {
      if (end - at < 24) return null;
      const whyEnd = at + 24 + buf.readUInt16LE(at + 20);
      const keyEnd = whyEnd + buf.readUInt16LE(at + 22);
      if (keyEnd > end) return null;
      return {
        kind: "letter",
        id: getNumber(buf, at),
        at: getNumber(buf, at + 8),
        tries: buf.readUInt32LE(at + 16),
        why: buf.toString("utf8", at + 24, whyEnd),
        key: buf.toString("utf8", whyEnd, keyEnd),
        item: buf.subarray(keyEnd, end),
      };
    }
    case GONE:
      if ((end - at) % 8 !== 0) return null;
      return { kind: "gone", ids: Array.from({ length: (end - at) / 8 }, (_, i) => getNumber(buf, at + 8 * i)) };
    default:
      return null;
  }
}

/** Up to 2^53. */
function putNumber(buf: Buffer, at: number, n: number): void {
  buf.writeUInt32LE(n >>> 0, at);
  buf.writeUInt32LE(Math.floor(n / 2 ** 32), at + 4);
}

function getNumber(buf: Buffer, at: number): number {
  return buf.readUInt32LE(at) + buf.readUInt32LE(at + 4) * 2 ** 32;
}

/** Numbers in any order as ranges. */
export function rangesOf(numbers: readonly number[]): [from: number, count: number][] {
  const ranges: [number, number][] = [];
  for (const n of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && n < last[0] + last[1]) continue;
    if (last !== undefined && n === last[0] + last[1]) last[1]++;
    else ranges.push([n, 1]);
  }
  return ranges;
}
