/** Properties of MQTT 5.0 (section 2.2.2): the one table, a strict reader and a writer that follow it. */
import { varIntSize, writeVarInt } from "./frame.ts";
import { Reader } from "./reader.ts";
import { RC } from "./reason_codes.ts";
import type { ProtocolError, UserProperty } from "./types.ts";
import { utf8Length, writeUtf8 } from "./utf8.ts";

/** Where properties stand. "will" is the Will Properties of CONNECT; "ack" is PUBACK, PUBREC, PUBREL and PUBCOMP. */
const PACKET_BITS = {
  connect: 1,
  will: 2,
  connack: 4,
  publish: 8,
  ack: 16,
  subscribe: 32,
  suback: 64,
  unsubscribe: 128,
  unsuback: 256,
  disconnect: 512,
  auth: 1024,
} as const;
export type PropertyPacket = keyof typeof PACKET_BITS;

/** All properties by our names; which of them can be there depends on the packet. */
export interface Properties {
  payloadFormat?: 0 | 1;
  messageExpiry?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  subscriptionIds?: number[];
  sessionExpiry?: number;
  assignedClientId?: string;
  serverKeepalive?: number;
  authMethod?: string;
  authData?: Uint8Array;
  requestProblemInfo?: boolean;
  willDelay?: number;
  requestResponseInfo?: boolean;
  responseInfo?: string;
  serverReference?: string;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumQos?: 0 | 1;
  retainAvailable?: boolean;
  userProperties?: UserProperty[];
  maximumPacketSize?: number;
  wildcardSubscription?: boolean;
  subscriptionIdsAvailable?: boolean;
  sharedSubscription?: boolean;
}

/** "bit" is a byte that can only be 0 or 1; "bool" the same with a boolean as value. */
type PropertyType = "bit" | "bool" | "u16" | "u32" | "varint" | "string" | "binary" | "pair";

export interface PropertySpec {
  readonly id: number;
  readonly name: keyof Properties;
  readonly type: PropertyType;
  readonly packets: readonly PropertyPacket[];
  /** Packets in which it may stand more than once; its value is then an array. */
  readonly repeatable: readonly PropertyPacket[];
  /** Reason code for the value 0, where that is forbidden. */
  readonly zero: number;
}

const ALL = Object.keys(PACKET_BITS) as PropertyPacket[];
const REASON: PropertyPacket[] = ["connack", "ack", "suback", "unsuback", "disconnect", "auth"];

function row(
  id: number,
  name: keyof Properties,
  type: PropertyType,
  packets: PropertyPacket[],
  more: Partial<PropertySpec> = {},
): PropertySpec {
  return { id, name, type, packets, repeatable: [], zero: 0, ...more };
}

/** Table 2-4 of the specification. */
export const PROPERTIES: readonly PropertySpec[] = [
  row(0x01, "payloadFormat", "bit", ["publish", "will"]),
  row(0x02, "messageExpiry", "u32", ["publish", "will"]),
  row(0x03, "contentType", "string", ["publish", "will"]),
  row(0x08, "responseTopic", "string", ["publish", "will"]),
  row(0x09, "correlationData", "binary", ["publish", "will"]),
  // Zero is a Protocol Error (3.8.2.1.2).
  row(0x0b, "subscriptionIds", "varint", ["publish", "subscribe"], { repeatable: ["publish"], zero: RC.PROTOCOL_ERROR }),
  row(0x11, "sessionExpiry", "u32", ["connect", "connack", "disconnect"]),
  row(0x12, "assignedClientId", "string", ["connack"]),
  row(0x13, "serverKeepalive", "u16", ["connack"]),
  row(0x15, "authMethod", "string", ["connect", "connack", "auth"]),
  row(0x16, "authData", "binary", ["connect", "connack", "auth"]),
  row(0x17, "requestProblemInfo", "bool", ["connect"]),
  row(0x18, "willDelay", "u32", ["will"]),
  row(0x19, "requestResponseInfo", "bool", ["connect"]),
  row(0x1a, "responseInfo", "string", ["connack"]),
  row(0x1c, "serverReference", "string", ["connack", "disconnect"]),
  row(0x1f, "reasonString", "string", REASON),
  // Zero is a Protocol Error (3.1.2.11.3).
  row(0x21, "receiveMaximum", "u16", ["connect", "connack"], { zero: RC.PROTOCOL_ERROR }),
  row(0x22, "topicAliasMaximum", "u16", ["connect", "connack"]),
  // A sender must not use alias 0 [MQTT-3.3.2-8].
  row(0x23, "topicAlias", "u16", ["publish"], { zero: RC.TOPIC_ALIAS_INVALID }),
  row(0x24, "maximumQos", "bit", ["connack"]),
  row(0x25, "retainAvailable", "bool", ["connack"]),
  row(0x26, "userProperties", "pair", ALL, { repeatable: ALL }),
  // Zero is a Protocol Error (3.1.2.11.4).
  row(0x27, "maximumPacketSize", "u32", ["connect", "connack"], { zero: RC.PROTOCOL_ERROR }),
  row(0x28, "wildcardSubscription", "bool", ["connack"]),
  row(0x29, "subscriptionIdsAvailable", "bool", ["connack"]),
  row(0x2a, "sharedSubscription", "bool", ["connack"]),
];

interface Entry extends PropertySpec {
  readonly allowed: number;
  readonly repeats: number;
}
const bits = (packets: readonly PropertyPacket[]): number => packets.reduce((mask, p) => mask | PACKET_BITS[p], 0);
const ENTRIES: readonly Entry[] = PROPERTIES.map((p) => ({ ...p, allowed: bits(p.packets), repeats: bits(p.repeatable) }));
const BY_ID: readonly (Entry | undefined)[] = Array.from({ length: 0x2b }, (_, id) => ENTRIES.find((e) => e.id === id));
const BY_NAME: ReadonlyMap<string, Entry> = new Map(ENTRIES.map((e) => [e.name, e]));

function readValue(r: Reader, e: Entry): unknown {
  switch (e.type) {
    case "bit":
    case "bool": {
      const value = r.u8(e.name);
      if (value > 1) r.fail(RC.PROTOCOL_ERROR, `${e.name} must be 0 or 1`);
      return e.type === "bit" ? value : value === 1;
    }
    case "string":
      return r.string(e.name);
    case "binary":
      return r.binary(e.name);
    case "pair":
      return r.pair(e.name);
    default: {
      const value = e.type === "u16" ? r.u16(e.name) : e.type === "u32" ? r.u32(e.name) : r.varInt(e.name);
      if (value === 0 && e.zero !== 0) r.fail(e.zero, `${e.name} must not be 0`);
      return value;
    }
  }
}

/**
 * The properties at the cursor, length first. Refuses unknown ones and those of other packets (2.2.2.2: Malformed Packet), and
 * single ones that come twice (Protocol Error). Look at `r.error` afterwards. null = there are none.
 * `known`: the length, when it was read already.
 */
export function readProperties(r: Reader, packet: PropertyPacket, known = -1): Properties | null {
  const length = known < 0 ? r.varInt("property length") : known;
  const stop = r.pos + length;
  if (stop > r.end) r.fail(RC.MALFORMED_PACKET, "properties are longer than the packet");
  if (r.error || length === 0) return null;
  const bit = PACKET_BITS[packet];
  const found: Record<string, unknown> = {};
  while (r.pos < stop) {
    // Identifiers are Variable Byte Integers, but none needs a second byte yet.
    const e = BY_ID[r.u8("property identifier")];
    if (e === undefined || (e.allowed & bit) === 0) {
      r.fail(RC.MALFORMED_PACKET, e ? `${e.name} is not a property of this packet` : "unknown property");
      break;
    }
    const before = found[e.name];
    if ((e.repeats & bit) === 0 && before !== undefined) {
      r.fail(RC.PROTOCOL_ERROR, `${e.name} stands more than once`);
      break;
    }
    const value = readValue(r, e);
    if (e.repeatable.length === 0) found[e.name] = value;
    else if (before === undefined) found[e.name] = [value];
    else (before as unknown[]).push(value);
  }
  if (r.pos !== stop) r.fail(RC.MALFORMED_PACKET, "a property runs past the property length");
  return r.error ? null : (found as Properties);
}

/** Are `start`..`end` exactly a valid block of properties, length included? null = yes. */
export function checkProperties(buf: Uint8Array, start: number, end: number, packet: PropertyPacket): ProtocolError | null {
  const r = new Reader(buf, start, end);
  readProperties(r, packet);
  r.finish();
  return r.error;
}

function valueSize(e: Entry, value: unknown): number {
  switch (e.type) {
    case "bit":
    case "bool":
      return 1;
    case "u16":
      return 2;
    case "u32":
      return 4;
    case "varint":
      return varIntSize(value as number);
    case "string":
      return 2 + utf8Length(value as string);
    case "binary":
      return 2 + (value as Uint8Array).length;
    case "pair":
      return pairSize(value as UserProperty);
  }
}

function writeValue(out: Uint8Array, at: number, e: Entry, value: unknown): number {
  switch (e.type) {
    case "bit":
    case "bool":
      out[at] = Number(value);
      return at + 1;
    case "u16":
      return writeU16(out, at, value as number);
    case "u32":
      return writeU32(out, at, value as number);
    case "varint":
      return writeVarInt(out, at, value as number);
    case "string":
      return writeString(out, at, value as string);
    case "binary":
      return writeBinary(out, at, value as Uint8Array);
    case "pair":
      return writePair(out, at, value as UserProperty);
  }
}

/** Calls `visit` for each value to be written, in the order of the object's keys. */
function eachValue(properties: Properties, visit: (e: Entry, value: unknown) => void): void {
  for (const name in properties) {
    const value = properties[name as keyof Properties];
    const e = BY_NAME.get(name);
    if (e === undefined || value === undefined) continue;
    if (e.repeatable.length > 0) for (const one of value as unknown as unknown[]) visit(e, one);
    else visit(e, value);
  }
}

/** Bytes of the properties without their length. */
export function propertiesSize(properties: Properties): number {
  let n = 0;
  eachValue(properties, (e, value) => {
    n += 1 + valueSize(e, value);
  });
  return n;
}

/** Writes the properties without their length. Returns the position behind them. */
export function writeProperties(out: Uint8Array, at: number, properties: Properties): number {
  let i = at;
  eachValue(properties, (e, value) => {
    out[i] = e.id;
    i = writeValue(out, i + 1, e, value);
  });
  return i;
}

export function writeU16(out: Uint8Array, at: number, value: number): number {
  out[at] = value >> 8;
  out[at + 1] = value & 0xff;
  return at + 2;
}

export function writeU32(out: Uint8Array, at: number, value: number): number {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
}

export function writeString(out: Uint8Array, at: number, s: string): number {
  const n = writeUtf8(out, at + 2, s);
  writeU16(out, at, n);
  return at + 2 + n;
}

export function writeBinary(out: Uint8Array, at: number, data: Uint8Array): number {
  writeU16(out, at, data.length);
  out.set(data, at + 2);
  return at + 2 + data.length;
}

export function pairSize(p: UserProperty): number {
  return 4 + utf8Length(p[0]) + utf8Length(p[1]);
}

export function writePair(out: Uint8Array, at: number, p: UserProperty): number {
  return writeString(out, writeString(out, at, p[0]), p[1]);
}
