/** An application message on its way through the broker. One object is shared by all its receivers. */
import { copyBytes, LIGHT } from "../lib/bytes.ts";
import { later, type MonoMs, NO_MONO, reached, type WallMs } from "../lib/time.ts";
import { readPublishProperties } from "../mqtt/packets/publish.ts";
import { ProtocolError, type PublishProperties, type QoS } from "../mqtt/types.ts";

const SLAB = 64 * 1024;
/** The object itself and its small fields. */
const MESSAGE_BYTES = 200;
const PAIR_BYTES = 64;

/** Where payloads that outlive the input chunk for a while are copied to, many to one buffer. */
export class Slab {
  #buf: Uint8Array = Buffer.allocUnsafeSlow(SLAB);
  #used = 0;
  /** A chunk of up to so many bytes is held on to by those of its messages that are in flight: a copy of each would cost more. */
  light = LIGHT;

  /** Copy the payload of `m`, and properties before it, out of the chunk it came in, so that the chunk (up to 512 KiB) is not kept alive. */
  keep(m: Message): void {
    const start = m.payloadStart - m.plain;
    const n = m.payloadEnd - start;
    let at = 0;
    let buf: Uint8Array;
    if (n > SLAB / 8) buf = Buffer.allocUnsafeSlow(n);
    else {
      if (this.#used + n > SLAB) {
        this.#buf = Buffer.allocUnsafeSlow(SLAB);
        this.#used = 0;
      }
      buf = this.#buf;
      at = this.#used;
      this.#used += n;
    }
    copyBytes(m.buf, buf, at, start, m.payloadEnd);
    m.buf = buf;
    m.payloadStart = at + m.plain;
    m.payloadEnd = at + n;
    m.owned = true;
  }
}

/**
 * Where a message comes from that was made because of another one, or of an event: whoever makes messages of messages finds loops by it. Goes
 * along with copies of the message, also with those that are kept for later; not to the disk.
 */
export interface Lineage {
  /** Makers in a row, from the first publisher to this message. */
  readonly depth: number;
  /** Shared by everything that comes of one first event. */
  readonly family: {
    /** Messages that were made of made messages. */
    made: number;
  };
}

/** What few messages have. Apart, since every field of a message is paid for by every message. */
class Rare {
  storeId = 0;
  storeRefs = 0;
  deadline = NO_MONO;
  expiresAt = 0 as WallMs;
  refusedWith = 0;
  lineage: Lineage | null = null;
  sys = false;
  encoded: (Uint8Array | undefined)[] | null = null;
}

export class Message {
  /** Queues and windows of sessions that hold it, see `Held`. */
  holders = 0;
  /** `size` as it was when the first of them took it. */
  heldBytes = 0;
  /** The bytes that hold the payload, and where it lies in them. */
  buf: Uint8Array;
  payloadStart = 0;
  payloadEnd: number;
  /** So many bytes before the payload are its properties, which nobody has needed yet (`plainProperties`): most are only passed on. */
  plain = 0;
  /** False while `buf` is the input chunk: `Slab.keep` or `detach` before anything keeps the message, other than a window that of a light one. */
  owned = true;
  /** `buf` is all of the PUBLISH that it came in, of this form: 5, or 4 for 3.x; 0 = it is not. */
  packet: 0 | 4 | 5 = 0;
  /** A private name would cost a quarter of what the object costs. */
  private rare: Rare | null = null;

  constructor(
    public topic: string,
    payload: Uint8Array,
    public qos: QoS,
    public retain: boolean,
    /** Client id of the publisher; "" for the broker itself, and for whoever publishes through the API and names none. */
    public from: string,
    public username: string | null,
    /** Unix ms. */
    public timestamp: number,
    /** Unix ms; 0 = never. */
    expiresAt: number,
    private decoded: PublishProperties | null,
  ) {
    this.buf = payload;
    this.payloadEnd = payload.length;
    if (expiresAt > 0) this.expiresAt = expiresAt;
  }

  /** For whoever keeps it long: the payload in a buffer of its own. A slab of 64 KiB would stay for one small message in it. */
  detach(): void {
    const start = this.payloadStart - this.plain;
    const n = this.payloadEnd - start;
    if (this.packet !== 0 || (this.owned && this.buf.length === n)) return;
    this.moveTo(Buffer.allocUnsafeSlow(n), this.buf, start, this.payloadEnd);
  }

  /** As `detach`, with what is around the payload: receivers of that form get a copy, nothing is encoded for each of them. */
  detachPacket(buf: Uint8Array, start: number, end: number, form: 4 | 5): void {
    if (this.packet !== 0) return;
    this.moveTo(Buffer.allocUnsafeSlow(end - start), buf, start, end);
    this.packet = form;
  }

  /** `to` becomes a copy of what lies there, of which the payload is the end. */
  private moveTo(to: Uint8Array, buf: Uint8Array, start: number, end: number): void {
    const length = this.payloadEnd - this.payloadStart;
    copyBytes(buf, to, 0, start, end);
    this.buf = to;
    this.payloadEnd = to.length;
    this.payloadStart = to.length - length;
    this.owned = true;
  }

  get properties(): PublishProperties | null {
    return this.plain === 0 ? this.decoded : this.decode();
  }

  set properties(p: PublishProperties | null) {
    this.plain = 0;
    this.packet = 0;
    this.decoded = p;
  }

  private decode(): PublishProperties | null {
    const p = readPublishProperties(this.buf, this.payloadStart - this.plain, this.payloadStart);
    this.plain = 0;
    // They were found to be valid when they came.
    this.decoded = p instanceof ProtocolError ? null : p;
    return this.decoded;
  }

  private own(): Rare {
    this.rare ??= new Rare();
    return this.rare;
  }

  /** Set by the session journal: row id and number of deliveries that still need it. 0 = not stored. */
  get storeId(): number {
    return this.rare === null ? 0 : this.rare.storeId;
  }
  set storeId(id: number) {
    this.own().storeId = id;
  }
  get storeRefs(): number {
    return this.rare === null ? 0 : this.rare.storeRefs;
  }
  set storeRefs(n: number) {
    this.own().storeRefs = n;
  }

  /** Unix ms; 0 = never. As stored and shown: what judges is `deadline`. */
  get expiresAt(): number {
    return this.rare === null ? 0 : this.rare.expiresAt;
  }
  set expiresAt(at: number) {
    this.own().expiresAt = at as WallMs;
  }
  /** When it expires [MQTT-3.3.2-5]; NO_MONO = never. Set when the message is taken in. */
  get deadline(): MonoMs {
    return this.rare === null ? NO_MONO : this.rare.deadline;
  }
  set deadline(at: MonoMs) {
    this.own().deadline = at;
  }

  /** A hook could not keep it as it is meant to: reason code with which a publisher of 5.0 is refused, and then nobody gets it. 0 = none. */
  get refusedWith(): number {
    return this.rare === null ? 0 : this.rare.refusedWith;
  }
  set refusedWith(code: number) {
    this.own().refusedWith = code;
  }

  /** null = as its publisher sent it. */
  get lineage(): Lineage | null {
    return this.rare === null ? null : this.rare.lineage;
  }
  set lineage(lineage: Lineage | null) {
    this.own().lineage = lineage;
  }

  /** The broker tells this of itself, as EMQ X's flag of that name; of those that are not retained none has it. Topic and sender do not say so: the API may have both. */
  get sys(): boolean {
    return this.rare?.sys === true;
  }
  set sys(is: boolean) {
    this.own().sys = is;
  }

  /** Encoded forms shared by receivers, filled on first use (writer.ts). */
  encodedForms(): (Uint8Array | undefined)[] {
    const rare = this.own();
    rare.encoded ??= new Array<Uint8Array | undefined>(12);
    return rare.encoded;
  }

  /** It is not on its way any more, but stays. */
  dropEncoded(): void {
    if (this.rare !== null) this.rare.encoded = null;
  }

  /** Take `expiresAt` over into the deadline, if there is none yet. Never more than it had at first: the clock may have been set back. */
  dated(now: WallMs, mono: MonoMs): this {
    const rare = this.rare;
    if (rare === null || rare.expiresAt === 0 || rare.deadline !== NO_MONO) return this;
    const left = Math.min(rare.expiresAt - now, rare.expiresAt - this.timestamp);
    // A deadline that happens to be 0 is as long past as -1.
    rare.deadline = (later(mono, left) || -1) as MonoMs;
    return this;
  }

  get expires(): boolean {
    return this.deadline !== NO_MONO;
  }

  /** Its time is over [MQTT-3.3.2-5]. */
  expired(mono: MonoMs): boolean {
    const rare = this.rare;
    return rare !== null && rare.deadline !== NO_MONO && reached(rare.deadline, mono);
  }

  /** Bytes of memory it takes, about. */
  get size(): number {
    const head = this.packet === 0 ? 0 : this.payloadStart - this.plain;
    const rest = this.decoded === null ? this.plain : propertiesSize(this.decoded);
    return MESSAGE_BYTES + this.topic.length + head + this.payloadEnd - this.payloadStart + rest;
  }

  get payload(): Uint8Array {
    if (this.payloadStart === 0 && this.payloadEnd === this.buf.length) return this.buf;
    return this.buf.subarray(this.payloadStart, this.payloadEnd);
  }

  /** A copy with some fields replaced; the journal's marks and the encoded forms are not taken along. */
  with(change: { topic?: string; payload?: Uint8Array; qos?: QoS; retain?: boolean }): Message {
    if (change.payload !== undefined && this.plain > 0) this.decode();
    const m = new Message(
      change.topic ?? this.topic,
      change.payload ?? this.buf,
      change.qos ?? this.qos,
      change.retain ?? this.retain,
      this.from,
      this.username,
      this.timestamp,
      this.expiresAt,
      this.decoded,
    );
    if (change.payload === undefined) {
      m.plain = this.plain;
      m.payloadStart = this.payloadStart;
      m.payloadEnd = this.payloadEnd;
      m.owned = this.owned;
    }
    if (this.expires) m.deadline = this.deadline;
    if (this.refusedWith > 0) m.refusedWith = this.refusedWith;
    if (this.lineage !== null) m.lineage = this.lineage;
    if (this.sys) m.sys = true;
    return m;
  }
}

function propertiesSize(p: PublishProperties): number {
  let n = PAIR_BYTES + (p.correlationData?.length ?? 0) + (p.responseTopic?.length ?? 0) + (p.contentType?.length ?? 0);
  for (const [key, value] of p.userProperties ?? []) n += PAIR_BYTES + key.length + value.length;
  return n;
}
