/** MQTT 5 properties (section 2.2.2.2) by the names the tool shows. */

export interface Props {
  payloadFormat?: number;
  messageExpiry?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  subscriptionIds?: number[];
  sessionExpiry?: number;
  assignedClientId?: string;
  serverKeepAlive?: number;
  responseInfo?: string;
  serverReference?: string;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumQos?: number;
  retainAvailable?: number;
  user?: [string, string][];
  maximumPacketSize?: number;
  wildcardAvailable?: number;
  subscriptionIdAvailable?: number;
  sharedAvailable?: number;
  requestResponseInfo?: number;
  requestProblemInfo?: number;
  willDelay?: number;
  authMethod?: string;
  authData?: Uint8Array;
}

type Kind = "byte" | "u16" | "u32" | "var" | "text" | "bytes" | "pair" | "vars";

/** Identifier, name, form on the wire. */
const TABLE: readonly (readonly [number, keyof Props, Kind])[] = [
  [0x01, "payloadFormat", "byte"],
  [0x02, "messageExpiry", "u32"],
  [0x03, "contentType", "text"],
  [0x08, "responseTopic", "text"],
  [0x09, "correlationData", "bytes"],
  [0x0b, "subscriptionIds", "vars"],
  [0x11, "sessionExpiry", "u32"],
  [0x12, "assignedClientId", "text"],
  [0x13, "serverKeepAlive", "u16"],
  [0x15, "authMethod", "text"],
  [0x16, "authData", "bytes"],
  [0x17, "requestProblemInfo", "byte"],
  [0x18, "willDelay", "u32"],
  [0x19, "requestResponseInfo", "byte"],
  [0x1a, "responseInfo", "text"],
  [0x1c, "serverReference", "text"],
  [0x1f, "reasonString", "text"],
  [0x21, "receiveMaximum", "u16"],
  [0x22, "topicAliasMaximum", "u16"],
  [0x23, "topicAlias", "u16"],
  [0x24, "maximumQos", "byte"],
  [0x25, "retainAvailable", "byte"],
  [0x26, "user", "pair"],
  [0x27, "maximumPacketSize", "u32"],
  [0x28, "wildcardAvailable", "byte"],
  [0x29, "subscriptionIdAvailable", "byte"],
  [0x2a, "sharedAvailable", "byte"],
];

/** Grows as it is written to. */
export class Writer {
  private buffer = new Uint8Array(256);
  private at = 0;

  bytes(b: Uint8Array): this {
    this.room(b.length);
    this.buffer.set(b, this.at);
    this.at += b.length;
    return this;
  }
  byte(n: number): this {
    this.room(1);
    this.buffer[this.at++] = n;
    return this;
  }
  u16(n: number): this {
    return this.byte(n >> 8).byte(n & 255);
  }
  u32(n: number): this {
    return this.u16(n >>> 16).u16(n & 0xffff);
  }
  var(n: number): this {
    let rest = n;
    do {
      const digit = rest % 128;
      rest = Math.floor(rest / 128);
      this.byte(rest > 0 ? digit | 128 : digit);
    } while (rest > 0);
    return this;
  }
  block(b: Uint8Array): this {
    return this.u16(b.length).bytes(b);
  }
  text(s: string): this {
    return this.block(new TextEncoder().encode(s));
  }
  done(): Uint8Array {
    return this.buffer.slice(0, this.at);
  }
  private room(n: number): void {
    if (this.at + n <= this.buffer.length) return;
    const next = new Uint8Array(Math.max(this.buffer.length * 2, this.at + n));
    next.set(this.buffer);
    this.buffer = next;
  }
}

/** Reads one packet's body; throws RangeError past its end. */
export class Reader {
  at = 0;
  constructor(readonly buffer: Uint8Array) {}

  byte(): number {
    const b = this.buffer[this.at++];
    if (b === undefined) throw new RangeError("packet too short");
    return b;
  }
  u16(): number {
    return this.byte() * 256 + this.byte();
  }
  u32(): number {
    return this.u16() * 65_536 + this.u16();
  }
  var(): number {
    let value = 0;
    for (let i = 0; i < 4; i++) {
      const b = this.byte();
      value += (b & 127) * 128 ** i;
      if (b < 128) return value;
    }
    throw new RangeError("bad variable byte integer");
  }
  take(n: number): Uint8Array {
    if (this.at + n > this.buffer.length) throw new RangeError("packet too short");
    const part = this.buffer.slice(this.at, this.at + n);
    this.at += n;
    return part;
  }
  block(): Uint8Array {
    return this.take(this.u16());
  }
  text(): string {
    return new TextDecoder().decode(this.block());
  }
  rest(): Uint8Array {
    return this.take(this.buffer.length - this.at);
  }
  get left(): number {
    return this.buffer.length - this.at;
  }
}

export function writeProps(w: Writer, props: Props | undefined): void {
  const body = new Writer();
  for (const [id, name, kind] of TABLE) {
    const value = props?.[name];
    if (value === undefined) continue;
    if (kind === "pair") for (const [k, v] of value as [string, string][]) body.byte(id).text(k).text(v);
    else if (kind === "vars") for (const n of value as number[]) body.byte(id).var(n);
    else writeOne(body.byte(id), kind, value);
  }
  const b = body.done();
  w.var(b.length).bytes(b);
}

function writeOne(w: Writer, kind: Kind, value: unknown): void {
  if (kind === "text") w.text(value as string);
  else if (kind === "bytes") w.block(value as Uint8Array);
  else if (kind === "byte") w.byte(value as number);
  else if (kind === "u16") w.u16(value as number);
  else if (kind === "u32") w.u32(value as number);
  else w.var(value as number);
}

export function readProps(r: Reader): Props {
  const props: Record<string, unknown> = {};
  const end = r.var() + r.at;
  while (r.at < end) {
    const id = r.byte();
    const entry = TABLE.find(([n]) => n === id);
    if (!entry) throw new RangeError(`unknown property ${id}`);
    const [, name, kind] = entry;
    const known = props[name] as unknown[] | undefined;
    if (kind === "pair") props[name] = [...(known ?? []), [r.text(), r.text()]];
    else if (kind === "vars") props[name] = [...(known ?? []), r.var()];
    else props[name] = readOne(r, kind);
  }
  return props as Props;
}

function readOne(r: Reader, kind: Kind): unknown {
  if (kind === "text") return r.text();
  if (kind === "bytes") return r.block();
  if (kind === "byte") return r.byte();
  if (kind === "u16") return r.u16();
  return kind === "u32" ? r.u32() : r.var();
}
