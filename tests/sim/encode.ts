/** What simulated clients write: an encoder of their own, which shares no code with the broker. It writes bad packets too, when asked. */

export type Version = 3 | 4 | 5;

/** Grows as it is written. */
class Writer {
  #parts: Buffer[] = [];
  length = 0;
  bytes(b: Uint8Array): this {
    this.#parts.push(Buffer.from(b));
    this.length += b.length;
    return this;
  }
  u8(...values: number[]): this {
    return this.bytes(Buffer.from(values));
  }
  u16(v: number): this {
    return this.u8((v >> 8) & 255, v & 255);
  }
  u32(v: number): this {
    return this.u8((v >>> 24) & 255, (v >>> 16) & 255, (v >>> 8) & 255, v & 255);
  }
  text(s: string): this {
    const b = Buffer.from(s);
    return this.u16(b.length).bytes(b);
  }
  blob(b: Uint8Array): this {
    return this.u16(b.length).bytes(b);
  }
  varint(v: number): this {
    let rest = v;
    do {
      const byte = rest % 128;
      rest = Math.floor(rest / 128);
      this.u8(rest > 0 ? byte | 128 : byte);
    } while (rest > 0);
    return this;
  }
  done(): Buffer {
    return Buffer.concat(this.#parts, this.length);
  }
}

function packet(first: number, body: Writer): Buffer {
  return new Writer().u8(first).varint(body.length).bytes(body.done()).done();
}

/** Properties of a client's packets that the simulation uses. */
export interface SentProps {
  payloadFormat?: number | undefined;
  messageExpiry?: number | undefined;
  topicAlias?: number | undefined;
  responseTopic?: string | undefined;
  correlation?: string | undefined;
  user?: [string, string] | undefined;
}

function publishProps(p: SentProps, willDelay?: number): Buffer {
  const w = new Writer();
  if (willDelay !== undefined) w.u8(0x18).u32(willDelay);
  if (p.payloadFormat !== undefined) w.u8(0x01, p.payloadFormat);
  if (p.messageExpiry !== undefined) w.u8(0x02).u32(p.messageExpiry);
  if (p.topicAlias !== undefined) w.u8(0x23).u16(p.topicAlias);
  if (p.responseTopic !== undefined) w.u8(0x08).text(p.responseTopic);
  if (p.correlation !== undefined) w.u8(0x09).text(p.correlation);
  if (p.user !== undefined) w.u8(0x26).text(p.user[0]).text(p.user[1]);
  return w.done();
}

export interface ConnectFields {
  version: Version;
  clientId: string;
  clean: boolean;
  keepalive: number;
  username?: string | undefined;
  password?: string | undefined;
  will?: { topic: string; payload: Uint8Array; qos: number; retain: boolean; delay: number; props: SentProps } | undefined;
  expiry?: number | undefined;
  receiveMaximum?: number | undefined;
  maxPacket?: number | undefined;
  aliasMax?: number | undefined;
  problemInfo?: number | undefined;
  responseInfo?: number | undefined;
  /** Other bits for the flags byte (the reserved one). */
  extraFlags?: number | undefined;
}

export function connect(c: ConnectFields): Buffer {
  const w = new Writer();
  w.text(c.version === 3 ? "MQIsdp" : "MQTT").u8(c.version);
  let flags = (c.clean ? 2 : 0) | (c.extraFlags ?? 0);
  if (c.will !== undefined) flags |= 4 | (c.will.qos << 3) | (c.will.retain ? 32 : 0);
  if (c.username !== undefined) flags |= 128;
  if (c.password !== undefined) flags |= 64;
  w.u8(flags).u16(c.keepalive);
  if (c.version === 5) {
    const p = new Writer();
    if (c.expiry !== undefined) p.u8(0x11).u32(c.expiry);
    if (c.receiveMaximum !== undefined) p.u8(0x21).u16(c.receiveMaximum);
    if (c.maxPacket !== undefined) p.u8(0x27).u32(c.maxPacket);
    if (c.aliasMax !== undefined) p.u8(0x22).u16(c.aliasMax);
    if (c.problemInfo !== undefined) p.u8(0x17, c.problemInfo);
    if (c.responseInfo !== undefined) p.u8(0x19, c.responseInfo);
    w.varint(p.length).bytes(p.done());
  }
  w.text(c.clientId);
  if (c.will !== undefined) {
    if (c.version === 5) {
      const p = publishProps(c.will.props, c.will.delay > 0 ? c.will.delay : undefined);
      w.varint(p.length).bytes(p);
    }
    w.text(c.will.topic).blob(c.will.payload);
  }
  if (c.username !== undefined) w.text(c.username);
  if (c.password !== undefined) w.text(c.password);
  return packet(0x10, w);
}

export interface PublishFields {
  topic: string;
  payload: Uint8Array;
  qos: number;
  retain: boolean;
  dup: boolean;
  id: number;
  props: SentProps;
}

export function publish(version: Version, p: PublishFields): Buffer {
  const w = new Writer().text(p.topic);
  if (p.qos > 0) w.u16(p.id);
  if (version === 5) {
    const props = publishProps(p.props);
    w.varint(props.length).bytes(props);
  }
  w.bytes(p.payload);
  return packet(0x30 | (p.dup ? 8 : 0) | (p.qos << 1) | (p.retain ? 1 : 0), w);
}

/** The four acknowledgements by their packet type: 4, 5, 6, 7. */
export function ack(version: Version, type: number, id: number, code = 0, dup = false): Buffer {
  const w = new Writer().u16(id);
  if (version === 5 && code !== 0) w.u8(code);
  return packet((type << 4) | (type === 6 ? 2 : 0) | (dup ? 8 : 0), w);
}

export interface Request {
  filter: string;
  qos: number;
  nl: boolean;
  rap: boolean;
  rh: number;
}

export function subscribe(version: Version, id: number, requests: readonly Request[], subId: number, dup = false): Buffer {
  const w = new Writer().u16(id);
  if (version === 5) {
    const p = new Writer();
    if (subId > 0) p.u8(0x0b).varint(subId);
    w.varint(p.length).bytes(p.done());
  }
  for (const r of requests) {
    w.text(r.filter).u8(version === 5 ? r.qos | (r.nl ? 4 : 0) | (r.rap ? 8 : 0) | (r.rh << 4) : r.qos);
  }
  return packet(0x82 | (dup ? 8 : 0), w);
}

export function unsubscribe(version: Version, id: number, filters: readonly string[], dup = false): Buffer {
  const w = new Writer().u16(id);
  if (version === 5) w.u8(0);
  for (const f of filters) w.text(f);
  return packet(0xa2 | (dup ? 8 : 0), w);
}

export const PINGREQ = Buffer.from([0xc0, 0]);

export function disconnect(version: Version, code: number, expiry: number | undefined): Buffer {
  const w = new Writer();
  if (version === 5 && (code !== 0 || expiry !== undefined)) {
    w.u8(code);
    const p = new Writer();
    if (expiry !== undefined) p.u8(0x11).u32(expiry);
    w.varint(p.length).bytes(p.done());
  }
  return packet(0xe0, w);
}
