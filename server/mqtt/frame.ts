/** The fixed header (section 2.1): packet types, flags, and the length of a packet found in a stream of bytes. */
import type { ProtocolVersion } from "./types.ts";

export const CONNECT = 1;
export const CONNACK = 2;
export const PUBLISH = 3;
export const PUBACK = 4;
export const PUBREC = 5;
export const PUBREL = 6;
export const PUBCOMP = 7;
export const SUBSCRIBE = 8;
export const SUBACK = 9;
export const UNSUBSCRIBE = 10;
export const UNSUBACK = 11;
export const PINGREQ = 12;
export const PINGRESP = 13;
export const DISCONNECT = 14;
export const AUTH = 15;

/**
 * Total bytes of the packet at `pos`, fixed header included; may exceed `end - pos`. 0 = the header is not complete yet,
 * -1 = malformed: a fifth length byte, or more bytes than needed. The latter is a rule of 5.0 only [MQTT-1.5.5-1] (3.x has none,
 * and small clients reserve a fixed number of bytes): pass the version once it is known, 0 before CONNECT.
 */
export function frameLength(buf: Uint8Array, pos: number, end: number, version: ProtocolVersion | 0 = 5): number {
  if (pos + 1 >= end) return 0;
  let byte = buf[pos + 1] as number;
  if (byte < 0x80) return byte + 2;
  let value = byte & 0x7f;
  let shift = 7;
  for (let i = pos + 2; i < end; i++) {
    byte = buf[i] as number;
    value += (byte & 0x7f) << shift;
    if (byte < 0x80) {
      return byte === 0 && version === 5 ? -1 : value + (i - pos) + 1;
    }
    if (shift === 21) return -1;
    shift += 7;
  }
  return 0;
}

/** Where the body of the packet at `pos` begins; only for packets whose `frameLength` was found positive. */
export function bodyStart(buf: Uint8Array, pos: number): number {
  let i = pos + 1;
  while ((buf[i] as number) >= 0x80) i++;
  return i + 1;
}

/** Bytes that a Variable Byte Integer takes. */
export function varIntSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4;
}

/** Writes a Variable Byte Integer in as few bytes as possible [MQTT-1.5.5-1]. Returns the position behind it. */
export function writeVarInt(out: Uint8Array, at: number, value: number): number {
  let rest = value;
  let i = at;
  while (rest >= 0x80) {
    out[i++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[i++] = rest;
  return i;
}

/**
 * Are the flags of the fixed header those the specification wants for this type [MQTT-2.1.3-1], and is it a type at all? PUBLISH
 * always passes (`readPublish` looks at its QoS), type 0 never. MQTT 3.1 "does not use" the flags that later versions reserve, and
 * sends PUBREL, SUBSCRIBE and UNSUBSCRIBE with QoS 1 and perhaps DUP (its section 2.1). `version` 0: CONNECT, whose own version
 * decides, is yet to come.
 */
export function checkFlags(firstByte: number, version: ProtocolVersion | 0): boolean {
  return (GOOD[version] as Uint8Array)[firstByte] === 1;
}

function isGood(firstByte: number, version: ProtocolVersion | 0): boolean {
  const type = firstByte >> 4;
  const flags = firstByte & 0x0f;
  if (version === 0) return type === CONNECT;
  if (type === PUBLISH) return true;
  // 3.x ends with DISCONNECT.
  if (type === 0 || (type === AUTH && version !== 5)) return false;
  const wanted = type === PUBREL || type === SUBSCRIBE || type === UNSUBSCRIBE ? 2 : 0;
  if (version === 3) return wanted === 0 || (flags & 6) === wanted;
  return flags === wanted;
}

/** The answers by version: one look for each packet that comes in. */
const GOOD: Readonly<Record<ProtocolVersion | 0, Uint8Array>> = { 0: goodBytes(0), 3: goodBytes(3), 4: goodBytes(4), 5: goodBytes(5) };

function goodBytes(version: ProtocolVersion | 0): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (isGood(byte, version) ? 1 : 0));
}
