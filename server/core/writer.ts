/**
 * A message as bytes in the output buffer of a receiver.
 *
 * Five ways, cheapest first: the publisher's own bytes where they lie (nobody else gets them), a copy of those (same protocol form, nothing
 * to change; also of one that has waited), encoded where it goes out (nobody else is sent it now), a form encoded once and shared by all
 * receivers that take it, and a form of a receiver's own (topic alias, subscription identifiers, expiry, DUP).
 */
import { copyBytes, NO_BYTES } from "../lib/bytes.ts";
import { between } from "../lib/time.ts";
import { PUBLISH, varIntSize } from "../mqtt/frame.ts";
import {
  encodePublish,
  type OutgoingMessage,
  type PublishHeader,
  publishLength,
  publishPacketIdOffset,
  writePublishHead,
} from "../mqtt/packets/publish.ts";
import type { ProtocolVersion, QoS } from "../mqtt/types.ts";
import type { Channel } from "./channel.ts";
import type { Message } from "./message.ts";
import { unmountTopic } from "./session.ts";
import { plainTerms, type Terms } from "./terms.ts";

/** Room that the staging buffer always has for one piece. */
const PIECE_MAX = 60 * 1024;

/** The frame a message came in, while its chunk is being processed. */
export class Source {
  message: Message | null = null;
  buf: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** Offset of the packet identifier from `start`. */
  idOffset = 0;
  /** 5 or 4: the protocol form of the frame; 0 = there was none yet. */
  form: 0 | 4 | 5 = 0;
  /** Its route has one receiver: the first to get the frame may have it as its own. */
  alone = false;
}

/** See `Writer.#common`. Offsets and length in bytes. */
interface Common {
  /** null = there is nothing of the kind. */
  message: Message | null;
  buf: Uint8Array;
  /** Of the receivers that it is for. */
  terms: Terms;
  form: 0 | 4 | 5;
  start: number;
  length: number;
  /** Of the packet identifier, from `start`. */
  idAt: number;
  first: number;
}

export class Writer {
  /** Filled anew for each packet that is encoded. */
  readonly #header: PublishHeader = {
    qos: 0,
    retain: false,
    dup: false,
    packetId: 0,
    subIds: null,
    messageExpiry: -1,
    alias: 0,
    sendTopic: true,
  };

  /** On its way to all its receivers: a form that is encoded now may serve others. */
  #shared: Message | null = null;
  /** What most of them get, a copy of the frame it came in: worked out once. */
  readonly #common: Common = { message: null, buf: NO_BYTES, terms: plainTerms(0, false), form: 4, start: 0, length: 0, idAt: 0, first: 0 };

  constructor(private readonly source: Source) {}

  /** `m` is on its way now. Returns what was before, for `end`. */
  begin(m: Message): Message | null {
    const outer = this.#shared;
    this.#shared = m;
    const { source: src } = this;
    if (src.message === m && !src.alone && src.end - src.start <= PIECE_MAX) this.#prepare(m, src);
    return outer;
  }

  #prepare(m: Message, src: Source): void {
    const c = this.#common;
    c.message = m;
    c.buf = src.buf;
    c.terms = plainTerms(m.qos, m.retain);
    c.form = src.form;
    c.start = src.start;
    c.length = src.end - src.start;
    c.idAt = src.idOffset;
    c.first = firstByte(m.qos, m.retain);
  }

  /** Its encoded forms have served: whoever keeps it would keep them too. */
  end(m: Message, outer: Message | null): void {
    this.#shared = outer;
    this.#forgetCommon();
    if (m.holders > 0) m.dropEncoded();
  }

  /** Nothing is on its way: what an exception left does not stay. */
  settled(): void {
    this.#shared = null;
    this.#forgetCommon();
  }

  #forgetCommon(): void {
    this.#common.message = null;
    this.#common.buf = NO_BYTES;
  }

  /** For the first time to this receiver. False = larger than it takes, nothing is written. */
  write(ch: Channel, m: Message, terms: Terms, id: number): boolean {
    const c = this.#common;
    if (c.message !== m || c.terms !== terms || c.form !== ch.rawForm) return this.#writeElse(ch, m, terms, id);
    const { out } = ch;
    const at = out.reserve(c.length);
    const st = out.staging;
    copyBytes(c.buf, st, at, c.start, c.start + c.length);
    st[at] = c.first;
    if (id > 0) {
      st[at + c.idAt] = id >> 8;
      st[at + c.idAt + 1] = id & 255;
    }
    return true;
  }

  #writeElse(ch: Channel, m: Message, terms: Terms, id: number): boolean {
    const src = this.source;
    const { qos, retain, subIds } = terms;
    if (src.message === m && ch.rawForm === src.form && qos === m.qos && retain === m.retain && subIds === null) {
      if (src.alone) giveSource(ch, src, qos, retain, id);
      else writeCopy(ch, src.buf, src.start, src.end, src.start + src.idOffset, firstByte(qos, retain), id);
    } else if (m.packet === ch.rawForm && m.packet !== 0 && qos > 0 && m.qos > 0 && subIds === null) {
      writeCopy(ch, m.buf, 0, m.payloadEnd, publishPacketIdOffset(m.buf), firstByte(qos, retain), id);
    } else if (ch.rawForm !== 0 && (m !== this.#shared || (id > 0 && m.holders === 1))) {
      this.#writeAlone(ch, m, terms, id);
    } else if (ch.rawForm !== 0 && subIds === null && (!m.expires || ch.version !== 5)) {
      writePatched(ch, this.#form(m, ch.version === 5, qos, retain), qos, id);
    } else {
      const own = this.encodeOwn(ch, m, terms, false, id);
      if (ch.maxPacket > 0 && own.length > ch.maxPacket) return false;
      ch.out.copy(own, 0, own.length);
    }
    return true;
  }

  /** Nobody else is sent it now: encoded where it goes out, since a form to be shared would be made for one. */
  #writeAlone(ch: Channel, m: Message, terms: Terms, id: number): void {
    const { buf, payloadStart, payloadEnd } = m;
    const h = this.#head(terms, false, id, expiryLeft(ch, m));
    const length = publishLength(ch.version, m, h, payloadEnd - payloadStart);
    if (length > PIECE_MAX) {
      const own = this.encodeOwn(ch, m, terms, false, id);
      ch.out.copy(own, 0, own.length);
      return;
    }
    const at = ch.out.reserve(1 + varIntSize(length) + length);
    const { staging } = ch.out;
    copyBytes(buf, staging, writePublishHead(staging, at, length, ch.version, m, h), payloadStart, payloadEnd);
  }

  /** Encoded once for all receivers that take this form; the packet identifier is theirs to fill in. */
  #form(m: Message, v5: boolean, qos: QoS, retain: boolean): Uint8Array {
    const i = (v5 ? 6 : 0) + qos * 2 + (retain ? 1 : 0);
    const forms = m.encodedForms();
    let e = forms[i];
    if (e === undefined) {
      e = this.#encode(v5 ? 5 : 4, m, plainTerms(qos, retain), false, 0, -1);
      forms[i] = e;
    }
    return e;
  }

  /** In the receiver's own form: topic without mountpoint, alias, time left, subscription identifiers. */
  encodeOwn(ch: Channel, m: Message, terms: Terms, dup: boolean, id: number): Uint8Array {
    const topic = unmountTopic(ch.client?.mountpoint ?? "", m.topic);
    const own = topic === m.topic ? m : { topic, payload: m.payload, properties: m.properties };
    const expiry = expiryLeft(ch, m);
    const { aliases } = ch;
    if (aliases === null) return this.#encode(ch.version, own, terms, dup, id, expiry);
    const known = aliases.get(topic);
    if (known !== undefined) return this.#encode(ch.version, own, terms, dup, id, expiry, known, false);
    const fresh = aliases.free(topic);
    if (fresh === 0) return this.#encode(ch.version, own, terms, dup, id, expiry);
    const bytes = this.#encode(ch.version, own, terms, dup, id, expiry, fresh);
    // The alias itself takes three bytes: too many for this client, perhaps.
    if (ch.maxPacket > 0 && bytes.length > ch.maxPacket) return this.#encode(ch.version, own, terms, dup, id, expiry);
    aliases.taken(topic);
    return bytes;
  }

  #encode(
    version: ProtocolVersion,
    m: OutgoingMessage,
    terms: Terms,
    dup: boolean,
    id: number,
    expiry: number,
    alias = 0,
    sendTopic = true,
  ): Uint8Array {
    const h = this.#head(terms, dup, id, expiry);
    h.alias = alias;
    h.sendTopic = sendTopic;
    return encodePublish(version, m, h);
  }

  #head(terms: Terms, dup: boolean, id: number, expiry: number): PublishHeader {
    const h = this.#header;
    h.qos = terms.qos;
    h.retain = terms.retain;
    h.subIds = terms.subIds;
    h.dup = dup;
    h.packetId = id;
    h.messageExpiry = expiry;
    h.alias = 0;
    h.sendTopic = true;
    return h;
  }
}

/** Seconds left for a receiver of 5.0 [MQTT-3.3.2-6]; -1 = it does not expire, or not for this receiver. */
function expiryLeft(ch: Channel, m: Message): number {
  return ch.version === 5 && m.expires ? Math.max(1, Math.ceil(between(ch.broker.mono, m.deadline) / 1000)) : -1;
}

/** The bytes where they lie, which nobody else will be given: only their head and the packet identifier are the receiver's. */
function giveSource(ch: Channel, src: Source, qos: QoS, retain: boolean, id: number): void {
  const { buf, start, end } = src;
  src.message = null;
  buf[start] = firstByte(qos, retain);
  if (qos > 0) {
    buf[start + src.idOffset] = id >> 8;
    buf[start + src.idOffset + 1] = id & 255;
  }
  ch.out.run(buf, start, end);
}

/** Of a PUBLISH; DUP is the publisher's business [MQTT-3.3.1-3]. */
function firstByte(qos: QoS, retain: boolean): number {
  return (PUBLISH << 4) | (qos << 1) | (retain ? 1 : 0);
}

/** A copy of the PUBLISH in `buf[start, end)` with another first byte and the receiver's packet identifier, which stands at `idAt`. `id` 0 = it has none. */
function writeCopy(ch: Channel, buf: Uint8Array, start: number, end: number, idAt: number, first: number, id: number): void {
  const n = end - start;
  if (n <= PIECE_MAX) {
    const at = ch.out.reserve(n);
    const st = ch.out.staging;
    copyBytes(buf, st, at, start, end);
    st[at] = first;
    if (id === 0) return;
    const to = at + idAt - start;
    st[to] = id >> 8;
    st[to + 1] = id & 255;
    return;
  }
  const copy = Buffer.from(buf.subarray(start, end));
  copy[0] = first;
  if (id > 0) copy.writeUInt16BE(id, idAt - start);
  ch.out.copy(copy, 0, n);
}

/** Copies an encoded packet and puts the receiver's packet identifier in. */
export function writePatched(ch: Channel, bytes: Uint8Array, qos: QoS, id: number): void {
  const n = bytes.length;
  if (qos === 0) ch.out.copy(bytes, 0, n);
  else writeCopy(ch, bytes, 0, n, publishPacketIdOffset(bytes), bytes[0] as number, id);
}
