/** What simulated clients read: a strict decoder of everything a server may send, which shares no code with the broker. */
import type { Version } from "./encode.ts";

export interface Props {
  /** By identifier; user properties and subscription identifiers as lists. */
  readonly values: Map<number, number | string | Buffer | boolean>;
  readonly user: [string, string][];
  readonly subIds: number[];
}

interface Base {
  /** Whole length in bytes. */
  size: number;
  props: Props | null;
}
export type Received =
  | ({ type: "connack"; present: boolean; code: number } & Base)
  | ({ type: "publish"; topic: string; qos: number; retain: boolean; dup: boolean; id: number; payload: Buffer } & Base)
  | ({ type: "puback" | "pubrec" | "pubrel" | "pubcomp"; id: number; code: number } & Base)
  | ({ type: "suback" | "unsuback"; id: number; codes: number[] } & Base)
  | ({ type: "pingresp" } & Base)
  | ({ type: "disconnect"; code: number } & Base);

export class DecodeError extends Error {}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class Reader {
  constructor(
    readonly b: Buffer,
    public at: number,
    readonly end: number,
  ) {}
  need(n: number): void {
    if (this.at + n > this.end) throw new DecodeError(`packet ends early at ${this.at}`);
  }
  u8(): number {
    this.need(1);
    return this.b[this.at++] as number;
  }
  u16(): number {
    this.need(2);
    this.at += 2;
    return this.b.readUInt16BE(this.at - 2);
  }
  u32(): number {
    this.need(4);
    this.at += 4;
    return this.b.readUInt32BE(this.at - 4);
  }
  blob(): Buffer {
    const n = this.u16();
    this.need(n);
    this.at += n;
    return this.b.subarray(this.at - n, this.at);
  }
  text(): string {
    try {
      return utf8.decode(this.blob());
    } catch {
      throw new DecodeError("text is not UTF-8");
    }
  }
  varint(): number {
    let v = 0;
    for (let i = 0; i < 4; i++) {
      const byte = this.u8();
      v += (byte & 127) * 128 ** i;
      if (byte < 128) return v;
    }
    throw new DecodeError("variable byte integer of five bytes");
  }
}

type Kind = "u8" | "bool" | "u16" | "u32" | "text" | "blob" | "pair" | "varint";
/** Table 2-4: what a server may send where. */
const PROPERTIES: Record<number, [kind: Kind, where: string]> = {
  1: ["u8", "publish"],
  2: ["u32", "publish"],
  3: ["text", "publish"],
  8: ["text", "publish"],
  9: ["blob", "publish"],
  11: ["varint", "publish"],
  17: ["u32", "connack"],
  18: ["text", "connack"],
  19: ["u16", "connack"],
  21: ["text", "connack"],
  22: ["blob", "connack"],
  26: ["text", "connack"],
  28: ["text", "connack disconnect"],
  31: ["text", "connack puback pubrec pubrel pubcomp suback unsuback disconnect"],
  33: ["u16", "connack"],
  34: ["u16", "connack"],
  35: ["u16", "publish"],
  36: ["bool", "connack"],
  37: ["bool", "connack"],
  38: ["pair", "connack publish puback pubrec pubrel pubcomp suback unsuback disconnect"],
  39: ["u32", "connack"],
  40: ["bool", "connack"],
  41: ["bool", "connack"],
  42: ["bool", "connack"],
};

function readProps(r: Reader, where: string): Props {
  const props: Props = { values: new Map(), user: [], subIds: [] };
  const length = r.varint();
  r.need(length);
  const p = new Reader(r.b, r.at, r.at + length);
  while (p.at < p.end) {
    const id = p.varint();
    const known = PROPERTIES[id];
    if (known === undefined || !known[1].split(" ").includes(where)) throw new DecodeError(`property ${id} in ${where}`);
    if (known[0] === "pair") props.user.push([p.text(), p.text()]);
    else if (id === 11) {
      const v = p.varint();
      if (v === 0) throw new DecodeError("subscription identifier 0");
      props.subIds.push(v);
    } else {
      if (props.values.has(id)) throw new DecodeError(`property ${id} twice`);
      props.values.set(id, value(p, known[0]));
    }
  }
  r.at = p.end;
  return props;
}

function value(p: Reader, kind: Kind): number | string | Buffer | boolean {
  if (kind === "u8") return p.u8();
  if (kind === "u16") return p.u16();
  if (kind === "u32") return p.u32();
  if (kind === "text") return p.text();
  if (kind === "blob") return Buffer.from(p.blob());
  const v = p.u8();
  if (v > 1) throw new DecodeError(`a flag of ${v}`);
  return v === 1;
}

const ACKS = { 4: "puback", 5: "pubrec", 6: "pubrel", 7: "pubcomp" } as const;

function decodeOne(b: Buffer, start: number, body: number, end: number, version: Version): Received {
  const first = b[start] as number;
  const type = first >> 4;
  const flags = first & 15;
  const r = new Reader(b, body, end);
  const size = end - start;
  const v5 = version === 5;
  if (type !== 3 && flags !== (type === 6 ? 2 : 0)) throw new DecodeError(`flags ${flags} of packet type ${type}`);
  const whole = <T extends Received>(p: T): T => {
    if (r.at !== end) throw new DecodeError(`${end - r.at} bytes too many in ${p.type}`);
    return p;
  };
  switch (type) {
    case 2: {
      const ackFlags = r.u8();
      if (ackFlags > 1 || (version === 3 && ackFlags !== 0)) throw new DecodeError(`CONNACK flags ${ackFlags}`);
      const code = r.u8();
      if (ackFlags === 1 && code !== 0) throw new DecodeError("session present in a refusal");
      if (!v5 && code > 5) throw new DecodeError(`CONNACK code ${code}`);
      return whole({ type: "connack", present: ackFlags === 1, code, size, props: v5 ? readProps(r, "connack") : null });
    }
    case 3: {
      const qos = (flags >> 1) & 3;
      if (qos === 3) throw new DecodeError("QoS 3");
      const dup = (flags & 8) !== 0;
      if (dup && qos === 0) throw new DecodeError("DUP with QoS 0");
      const topic = r.text();
      if (/[+#\0]/.test(topic)) throw new DecodeError(`topic name ${topic}`);
      const id = qos > 0 ? r.u16() : 0;
      if (qos > 0 && id === 0) throw new DecodeError("packet identifier 0");
      const props = v5 ? readProps(r, "publish") : null;
      if (topic === "" && props?.values.has(35) !== true) throw new DecodeError("no topic");
      return { type: "publish", topic, qos, retain: (flags & 1) !== 0, dup, id, payload: b.subarray(r.at, end), size, props };
    }
    case 4:
    case 5:
    case 6:
    case 7: {
      const name = ACKS[type];
      const id = r.u16();
      if (id === 0) throw new DecodeError("packet identifier 0");
      let code = 0;
      let props: Props | null = null;
      if (v5 && r.at < end) {
        code = r.u8();
        if (r.at < end) props = readProps(r, name);
      }
      return whole({ type: name, id, code, size, props });
    }
    case 9:
    case 11: {
      const name = type === 9 ? "suback" : "unsuback";
      const id = r.u16();
      const props = v5 ? readProps(r, name) : null;
      const codes = [...b.subarray(r.at, end)];
      r.at = end;
      if (!v5 && type === 9) for (const c of codes) if (c > 2 && c !== 0x80) throw new DecodeError(`SUBACK code ${c}`);
      return whole({ type: name, id, codes, size, props });
    }
    case 13:
      return whole({ type: "pingresp", size, props: null });
    case 14: {
      if (!v5) throw new DecodeError("DISCONNECT from a server of 3.x");
      const code = r.at < end ? r.u8() : 0;
      const props = r.at < end ? readProps(r, "disconnect") : null;
      return whole({ type: "disconnect", code, size, props });
    }
    default:
      throw new DecodeError(`packet type ${type}`);
  }
}

/** Bytes in, packets out. Throws DecodeError. */
export class Decoder {
  version: Version = 4;
  #rest: Buffer = Buffer.alloc(0);

  /** A packet is not whole yet. */
  get partial(): boolean {
    return this.#rest.length > 0;
  }

  feed(chunk: Buffer, each: (p: Received) => void): void {
    const b = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (at + 1 < b.length) {
      let length = 0;
      let i = at + 1;
      for (let k = 0; ; k++) {
        if (k === 4) throw new DecodeError("remaining length of five bytes");
        if (i >= b.length) {
          this.#rest = b.subarray(at);
          return;
        }
        const byte = b[i++] as number;
        length += (byte & 127) * 128 ** k;
        if (byte < 128) break;
      }
      if (i + length > b.length) break;
      each(decodeOne(b, at, i, i + length, this.version));
      at = i + length;
    }
    this.#rest = b.subarray(at);
  }
}
