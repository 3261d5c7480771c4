/** The packets a client sends and receives, MQTT 3.1.1 and 5.0. Small and strict enough for a tool; the broker has its own. */
import { type Props, Reader, readProps, Writer, writeProps } from "./properties.ts";

export type Version = 4 | 5;
export type QoS = 0 | 1 | 2;

export interface Will {
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  retain: boolean;
  props?: Props;
}

export interface Connect {
  version: Version;
  clientId: string;
  username?: string;
  password?: string;
  keepalive: number;
  clean: boolean;
  will?: Will;
  props?: Props;
}

export interface Publish {
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  retain: boolean;
  dup: boolean;
  id: number;
  props?: Props;
}

export interface SubscribeOptions {
  qos: QoS;
  nl: boolean;
  rap: boolean;
  rh: 0 | 1 | 2;
}

export type Incoming =
  | { type: "connack"; sessionPresent: boolean; code: number; props: Props }
  | ({ type: "publish" } & Publish)
  | { type: "puback" | "pubrec" | "pubrel" | "pubcomp"; id: number; code: number; props: Props }
  | { type: "suback" | "unsuback"; id: number; codes: number[]; props: Props }
  | { type: "pingresp" }
  | { type: "disconnect" | "auth"; code: number; props: Props };

const frame = (first: number, body: Uint8Array): Uint8Array => new Writer().byte(first).var(body.length).bytes(body).done();

export function connect(c: Connect): Uint8Array {
  const w = new Writer().text("MQTT").byte(c.version);
  const will = c.will ? 4 | (c.will.qos << 3) | (c.will.retain ? 32 : 0) : 0;
  w.byte((c.clean ? 2 : 0) | will | (c.password === undefined ? 0 : 64) | (c.username === undefined ? 0 : 128)).u16(c.keepalive);
  if (c.version === 5) writeProps(w, c.props);
  w.text(c.clientId);
  if (c.will) {
    if (c.version === 5) writeProps(w, c.will.props);
    w.text(c.will.topic).block(c.will.payload);
  }
  if (c.username !== undefined) w.text(c.username);
  if (c.password !== undefined) w.text(c.password);
  return frame(0x10, w.done());
}

export function publish(p: Publish, version: Version): Uint8Array {
  const w = new Writer().text(p.topic);
  if (p.qos > 0) w.u16(p.id);
  if (version === 5) writeProps(w, p.props);
  return frame(0x30 | (p.dup ? 8 : 0) | (p.qos << 1) | (p.retain ? 1 : 0), w.bytes(p.payload).done());
}

const ACKS = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const;

export const ack = (type: keyof typeof ACKS, id: number): Uint8Array => frame(ACKS[type], new Writer().u16(id).done());

export function subscribe(id: number, filter: string, o: SubscribeOptions, version: Version, props?: Props): Uint8Array {
  const w = new Writer().u16(id);
  if (version === 5) writeProps(w, props);
  w.text(filter).byte(version === 5 ? o.qos | (o.nl ? 4 : 0) | (o.rap ? 8 : 0) | (o.rh << 4) : o.qos);
  return frame(0x82, w.done());
}

export function unsubscribe(id: number, filter: string, version: Version): Uint8Array {
  const w = new Writer().u16(id);
  if (version === 5) writeProps(w, undefined);
  return frame(0xa2, w.text(filter).done());
}

export const pingreq = (): Uint8Array => Uint8Array.of(0xc0, 0);
export const disconnect = (): Uint8Array => Uint8Array.of(0xe0, 0);

/** Takes chunks cut anywhere and hands out whole packets. */
export function createDecoder(version: Version): (chunk: Uint8Array) => Incoming[] {
  let buffer = new Uint8Array(0);
  return (chunk) => {
    const joined = new Uint8Array(buffer.length + chunk.length);
    joined.set(buffer);
    joined.set(chunk, buffer.length);
    buffer = joined;
    const out: Incoming[] = [];
    for (;;) {
      const size = frameSize(buffer);
      if (!size || buffer.length < size.end) return out;
      const packet = decode(buffer[0] ?? 0, new Reader(buffer.slice(size.start, size.end)), version);
      if (packet) out.push(packet);
      buffer = buffer.slice(size.end);
    }
  };
}

/** Where the first packet's body starts and ends; null while its length is incomplete. */
function frameSize(b: Uint8Array): { start: number; end: number } | null {
  let length = 0;
  for (let i = 1; i <= 4; i++) {
    const digit = b[i];
    if (digit === undefined) return null;
    length += (digit & 127) * 128 ** (i - 1);
    if (digit < 128) return { start: i + 1, end: i + 1 + length };
  }
  throw new RangeError("bad remaining length");
}

function decode(first: number, r: Reader, version: Version): Incoming | null {
  const props = (): Props => (version === 5 && r.left > 0 ? readProps(r) : {});
  const acked = (type: "puback" | "pubrec" | "pubrel" | "pubcomp"): Incoming => {
    const id = r.u16();
    const code = r.left > 0 ? r.byte() : 0;
    return { type, id, code, props: props() };
  };
  switch (first >> 4) {
    case 2: {
      const sessionPresent = (r.byte() & 1) === 1;
      const code = r.byte();
      return { type: "connack", sessionPresent, code, props: props() };
    }
    case 3: {
      const qos = ((first >> 1) & 3) as QoS;
      const topic = r.text();
      const id = qos > 0 ? r.u16() : 0;
      const p = version === 5 ? readProps(r) : {};
      return { type: "publish", topic, id, qos, retain: (first & 1) === 1, dup: (first & 8) !== 0, props: p, payload: r.rest() };
    }
    case 4:
      return acked("puback");
    case 5:
      return acked("pubrec");
    case 6:
      return acked("pubrel");
    case 7:
      return acked("pubcomp");
    case 9:
    case 11: {
      const id = r.u16();
      const p = props();
      return { type: first >> 4 === 9 ? "suback" : "unsuback", id, props: p, codes: [...r.rest()] };
    }
    case 13:
      return { type: "pingresp" };
    case 14:
    case 15: {
      const code = r.left > 0 ? r.byte() : 0;
      return { type: first >> 4 === 14 ? "disconnect" : "auth", code, props: props() };
    }
    default:
      return null;
  }
}
