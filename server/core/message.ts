/** An application message on its way through the broker. One object is shared by all its receivers. */
import { copyBytes } from "../lib/bytes.ts";
import { later, type MonoMs, NO_MONO, reached, type WallMs } from "../lib/time.ts";
import type { PublishProperties, QoS } from "../mqtt/types.ts";

const SLAB = 64 * 1024;
/** The object itself and its small fields. */
const MESSAGE_BYTES = 200;
const PAIR_BYTES = 64;

/** Where payloads that outlive the input chunk are copied to, many to one buffer. */
export class Slab {
  #buf: Uint8Array = Buffer.allocUnsafeSlow(SLAB);
  #used = 0;

  /** Copy the payload of `m` out of the chunk it came in, so that the chunk (up to 512 KiB) is not kept alive by it. */
  keep(m: Message): void {
    const n = m.payloadEnd - m.payloadStart;
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
    copyBytes(m.buf, buf, at, m.payloadStart, m.payloadEnd);
    m.buf = buf;
    m.payloadStart = at;
    m.payloadEnd = at + n;
    m.owned = true;
  }
}

export class Message {
  /** Set by the session journal: row id and number of deliveries that still need it. 0 = not stored. */
  storeId = 0;
  storeRefs = 0;
  /** When it expires [MQTT-3.3.2-5]; NO_MONO = never. Set when the message is taken in. */
  deadline = NO_MONO;
  /** Queues and windows of sessions that hold it, see `Held`. */
  holders = 0;
  /** `size` as it was when the first of them took it. */
  heldBytes = 0;
  /** A hook could not keep it as it is meant to: reason code with which a publisher of 5.0 is refused, and then nobody gets it. 0 = none. */
  refusedWith = 0;
  /** Encoded forms shared by receivers, filled on first use (deliver.ts). */
  encoded: (Uint8Array | undefined)[] | null = null;
  /** The bytes that hold the payload, and where it lies in them. */
  buf: Uint8Array;
  payloadStart = 0;
  payloadEnd: number;
  /** False while `buf` is the input chunk: `Slab.keep` before anything keeps the message. */
  owned = true;

  constructor(
    public topic: string,
    payload: Uint8Array,
    public qos: QoS,
    public retain: boolean,
    /** Client id of the publisher; "" for the broker itself. */
    public from: string,
    public username: string | null,
    /** Unix ms. */
    public timestamp: number,
    /** Unix ms; 0 = never. As stored and shown: what judges is `deadline`. */
    public expiresAt: number,
    public properties: PublishProperties | null,
  ) {
    this.buf = payload;
    this.payloadEnd = payload.length;
  }

  /** Take `expiresAt` over into the deadline, if there is none yet. Never more than it had at first: the clock may have been set back. */
  dated(now: WallMs, mono: MonoMs): this {
    const left = Math.min(this.expiresAt - now, this.expiresAt - this.timestamp);
    // A deadline that happens to be 0 is as long past as -1.
    if (this.expiresAt > 0 && this.deadline === NO_MONO) this.deadline = (later(mono, left) || -1) as MonoMs;
    return this;
  }

  get expires(): boolean {
    return this.deadline !== NO_MONO;
  }

  /** Its time is over [MQTT-3.3.2-5]. */
  expired(mono: MonoMs): boolean {
    return this.deadline !== NO_MONO && reached(this.deadline, mono);
  }

  /** Bytes of memory it takes, about. */
  get size(): number {
    const rest = this.properties === null ? 0 : propertiesSize(this.properties);
    return MESSAGE_BYTES + this.topic.length + this.payloadEnd - this.payloadStart + rest;
  }

  get payload(): Uint8Array {
    if (this.payloadStart === 0 && this.payloadEnd === this.buf.length) return this.buf;
    return this.buf.subarray(this.payloadStart, this.payloadEnd);
  }

  /** A copy with some fields replaced; the journal's marks and the encoded forms are not taken along. */
  with(change: { topic?: string; payload?: Uint8Array; qos?: QoS; retain?: boolean }): Message {
    const m = new Message(
      change.topic ?? this.topic,
      change.payload ?? this.payload,
      change.qos ?? this.qos,
      change.retain ?? this.retain,
      this.from,
      this.username,
      this.timestamp,
      this.expiresAt,
      this.properties,
    );
    m.deadline = this.deadline;
    m.refusedWith = this.refusedWith;
    return m;
  }
}

function propertiesSize(p: PublishProperties): number {
  let n = PAIR_BYTES + (p.correlationData?.length ?? 0) + (p.responseTopic?.length ?? 0) + (p.contentType?.length ?? 0);
  for (const [key, value] of p.userProperties ?? []) n += PAIR_BYTES + key.length + value.length;
  return n;
}
