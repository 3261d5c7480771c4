/**
 * From a matched message to the output buffers and queues of its receivers.
 *
 * Three ways out, cheapest first: the publisher's own bytes (same protocol form, nothing to change), a form encoded once and
 * shared by all receivers that take it, and a form of a receiver's own (topic alias, subscription identifiers, expiry).
 */
import { copyBytes } from "../lib/bytes.ts";
import { between, later, type MonoMs, NO_MONO } from "../lib/time.ts";
import { PUBLISH } from "../mqtt/frame.ts";
import { encodePublish, PublishView, publishPacketIdOffset } from "../mqtt/packets/publish.ts";
import type { PublishProperties, QoS } from "../mqtt/types.ts";
import type { Broker } from "./broker.ts";
import type { Channel } from "./channel.ts";
import { planRetry } from "./keepalive.ts";
import { Message } from "./message.ts";
import type { Mqueue, QueueItem } from "./mqueue.ts";
import { combined, type Route } from "./router.ts";
import type { Session } from "./session.ts";
import type { ShareGroup } from "./shared.ts";
import type { Subscription } from "./subscription.ts";
import type { ClientInfo } from "./types.ts";

/** Room that the staging buffer always has for one piece. */
const PIECE_MAX = 60 * 1024;

/** The PUBLISH in hand, and where its parts lie. One object, filled anew for each packet. */
export class Frame extends PublishView {
  buf: Uint8Array = new Uint8Array(0);
  start = 0;
  properties: PublishProperties | null = null;
}

/** The frame a message came in, while its chunk is being processed. */
export class Source {
  message: Message | null = null;
  buf: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** Offset of the packet identifier from `start`. */
  idOffset = 0;
  /** 5 or 4: the protocol form of the frame. */
  form = 0;
}

export class Delivery {
  readonly source = new Source();

  constructor(private readonly broker: Broker) {}

  /** Every receiver of a route. Returns how many sessions took it (queued counts). */
  dispatch(route: Route, m: Message): number {
    let n = 0;
    const subs = route.subs;
    for (let i = 0; i < subs.length; i++) n += this.toSubscription(subs[i] as Subscription, m);
    if (route.shares !== null) n += this.#toGroups(route.shares, m);
    return n;
  }

  /** QoS 0 without retain: the frame itself goes out where it can; only the other receivers need a message object. */
  dispatchFrame(route: Route, ch: Channel, frame: Frame): number {
    const subs = route.subs;
    const form = ch.version === 5 ? 5 : 4;
    const { buf, start, end } = frame;
    const metrics = this.broker.metrics;
    let m: Message | null = null;
    let raw = 0;
    let n = 0;
    for (let i = 0; i < subs.length; i++) {
      const s = subs[i] as Subscription;
      const to = s.session.channel;
      if (to === null || to.rawForm !== form || s.subIds !== null || s.nl) {
        m ??= messageOf(ch, route.topic, frame);
        n += this.toSubscription(s, m);
      } else if (to.out.blocked) {
        metrics.dropSlowReader++;
        s.session.mqueueDropped++;
      } else {
        to.out.run(buf, start, end);
        to.sendMsg++;
        s.session.deliverCount++;
        raw++;
      }
    }
    if (route.sys) metrics.sysSent += raw;
    else metrics.qos0Sent += raw;
    if (route.shares !== null) n += this.#toGroups(route.shares, m ?? messageOf(ch, route.topic, frame));
    return n + raw;
  }

  toSubscription(s: Subscription, m: Message): number {
    const session = s.session;
    if (m.from === session.clientId && (s.nl || s.parts !== null || session.zone.ignoreLoopDeliver)) {
      const own = this.#ownCopy(s);
      if (own === null) {
        this.broker.metrics.dropNoLocal++;
        return 0;
      }
      s = own;
    }
    const qos = session.zone.upgradeQos ? (Math.max(m.qos, s.qos) as QoS) : m.qos < s.qos ? m.qos : s.qos;
    return this.send(session, m, qos, s.rap && m.retain, s.subIds, s.share, s.filter);
  }

  /** What a session gets of its own message: nothing by No Local [MQTT-3.8.3-3], unless another subscription asks for it. */
  #ownCopy(s: Subscription): Subscription | null {
    if (s.session.zone.ignoreLoopDeliver) return null;
    if (s.parts === null) return s.nl ? null : s;
    const parts = s.parts.filter((p) => !p.nl);
    return parts.length === 0 ? null : combined(parts);
  }

  #toGroups(groups: readonly ShareGroup[], m: Message): number {
    const { node, random } = this.broker;
    let n = 0;
    for (const g of groups) {
      const s = g.pick(node.sharedStrategy, m.from, random);
      if (s !== null) n += this.toSubscription(s, m);
    }
    return n;
  }

  /** One message to one session: written, queued or dropped by its limits. 1 = taken. */
  send(session: Session, m: Message, qos: QoS, retain: boolean, subIds: number[] | null, share: ShareGroup | null, filter: string): number {
    if (session.receive !== null) {
      session.receive(m, filter);
      session.deliverCount++;
      return 1;
    }
    const ch = session.channel;
    if (ch === null || !ch.ready) return this.#queue(session, m, qos, retain, subIds, share);
    if (qos === 0) {
      if (ch.out.blocked) {
        this.broker.metrics.dropSlowReader++;
        session.mqueueDropped++;
        this.#dropped(m, "slow_reader", session);
        return 0;
      }
      return this.#write(session, ch, m, 0, retain, false, 0, subIds) ? 1 : 0;
    }
    if (session.mqueueLen > 0 || ch.out.blocked || !this.#windowOpen(session)) return this.#queue(session, m, qos, retain, subIds, share);
    return this.#start(session, ch, m, qos, retain, subIds, share, 0);
  }

  #windowOpen(session: Session): boolean {
    const w = session.inflight;
    return w === null || (w.count < session.maxInflight && !w.exhausted);
  }

  /** Put into the inflight window and write. `seq` > 0: a queued delivery that is already journalled. */
  #start(
    session: Session,
    ch: Channel,
    m: Message,
    qos: QoS,
    retain: boolean,
    subIds: number[] | null,
    share: ShareGroup | null,
    seq: number,
  ): number {
    const broker = this.broker;
    if (ch.maxPacket > 0 && this.#tooLarge(ch, m, qos, retain, subIds)) {
      if (seq > 0) broker.store.sessions.done(session.storeKey, seq, m);
      broker.metrics.dropTooLarge++;
      this.#dropped(m, "too_large", session);
      return 0;
    }
    if (!m.owned) broker.slab.keep(m);
    const journalled = session.storeKey !== 0;
    const queued = seq > 0;
    if (journalled && !queued) seq = ++session.seq;
    const fresh = session.inflight === null;
    const id = session.window().push(m, qos, retain, seq, broker.mono, subIds, share);
    if (fresh) planRetry(ch);
    if (journalled && queued) broker.store.sessions.sent(session.storeKey, seq, id);
    else if (journalled) broker.store.sessions.enqueue(session.storeKey, seq, m, qos, id, subIds, retain);
    this.#write(session, ch, m, qos, retain, false, id, subIds);
    return 1;
  }

  #queue(session: Session, m: Message, qos: QoS, retain: boolean, subIds: number[] | null, share: ShareGroup | null): number {
    const broker = this.broker;
    if (session.terminated) return 0;
    if (qos === 0 && !session.zone.mqueueStoreQos0) {
      broker.metrics.dropQos0Offline++;
      this.#dropped(m, "qos0_offline", session);
      return 0;
    }
    if (!m.owned) broker.slab.keep(m);
    const item: QueueItem = { message: m, qos, retain, seq: 0, subIds, share };
    if (session.storeKey !== 0 && qos > 0) {
      item.seq = ++session.seq;
      broker.store.sessions.enqueue(session.storeKey, item.seq, m, qos, 0, subIds, retain);
    }
    session.enqueueCount++;
    const queue = session.queue();
    queue.push(item);
    for (let out = queue.overflow(); out !== null; out = queue.overflow()) this.#overflowed(session, out);
    return 1;
  }

  #overflowed(session: Session, out: QueueItem): void {
    const { metrics, store, held } = this.broker;
    session.mqueueDropped++;
    if (held.full) metrics.dropMemory++;
    else metrics.dropQueueFull++;
    if (out.seq > 0) store.sessions.done(session.storeKey, out.seq, out.message);
    this.#dropped(out.message, held.full ? "memory" : "queue_full", session);
  }

  /** Move queued messages into the window while it is open and the peer reads. */
  pump(session: Session): void {
    const q: Mqueue | null = session.mqueue;
    const ch = session.channel;
    if (q === null || ch === null || !ch.ready) return;
    while (q.length > 0 && !ch.out.blocked) {
      const next = q.peek() as QueueItem;
      if (next.qos > 0 && !this.#windowOpen(session)) return;
      q.shift();
      const m = next.message;
      if (m.expired(this.broker.mono)) {
        this.#expired(session, m, next.seq);
        continue;
      }
      if (next.qos === 0) this.#write(session, ch, m, 0, next.retain, false, 0, next.subIds);
      else this.#start(session, ch, m, next.qos, next.retain, next.subIds, next.share, next.seq);
    }
  }

  /** Send everything unacknowledged again, in order, with DUP and the same identifiers [MQTT-4.4.0-1]. */
  resend(session: Session, ch: Channel, sentBefore: MonoMs): void {
    const w = session.inflight;
    if (w === null) return;
    const now = this.broker.mono;
    for (const n of w.positions()) {
      if (w.sentAt(n) > sentBefore) continue;
      if (w.released(n)) ch.sendPubrel(w.packetId(n), 0);
      else {
        const m = w.message(n);
        if (w.sentAt(n) === NO_MONO && m.expired(now)) {
          this.#expired(session, m, w.seq(n));
          w.remove(n);
          continue;
        }
        this.#write(session, ch, m, w.qos(n), w.retain(n), true, w.packetId(n), w.subIds(n));
      }
      w.touch(n, now);
    }
  }

  #expired(session: Session, m: Message, seq: number): void {
    this.broker.metrics.messagesExpired++;
    if (seq > 0) this.broker.store.sessions.done(session.storeKey, seq, m);
    this.#dropped(m, "expired", session);
  }

  #dropped(m: Message, reason: string, session: Session): void {
    const hooks = this.broker.hooks;
    if (hooks.at["message.dropped"].length > 0) hooks.run("message.dropped", m, reason, session.clientId);
  }

  #tooLarge(ch: Channel, m: Message, qos: QoS, retain: boolean, subIds: number[] | null): boolean {
    return this.#encodeOwn(ch, m, qos, retain, false, 0, subIds, false).length > ch.maxPacket;
  }

  /** False = not written (too large for the client). */
  #write(session: Session, ch: Channel, m: Message, qos: QoS, retain: boolean, dup: boolean, id: number, subIds: number[] | null): boolean {
    const src = this.source;
    if (src.message === m && ch.rawForm === src.form && qos === m.qos && retain === m.retain && !dup && subIds === null) {
      this.#writeSource(ch, src, qos, retain, id);
    } else if (ch.rawForm !== 0 && subIds === null && !dup && (!m.expires || ch.version !== 5)) {
      writePatched(ch, this.#shared(m, ch.version === 5, qos, retain), qos, id);
    } else {
      const own = this.#encodeOwn(ch, m, qos, retain, dup, id, subIds, true);
      if (ch.maxPacket > 0 && own.length > ch.maxPacket) {
        this.broker.metrics.dropTooLarge++;
        this.#dropped(m, "too_large", session);
        return false;
      }
      ch.out.copy(own, 0, own.length);
    }
    this.#count(session, ch, m, qos);
    return true;
  }

  #count(session: Session, ch: Channel, m: Message, qos: QoS): void {
    const { metrics, hooks } = this.broker;
    ch.sendMsg++;
    session.deliverCount++;
    if (m.topic.charCodeAt(0) === 36 && m.topic.startsWith("$SYS/")) metrics.sysSent++;
    else if (qos === 0) metrics.qos0Sent++;
    else if (qos === 1) metrics.qos1Sent++;
    else metrics.qos2Sent++;
    if (hooks.at["message.delivered"].length > 0) hooks.run("message.delivered", session.clientId, m);
    if (this.broker.tracer !== null) this.broker.tracer.delivered(session.clientId, m);
  }

  /** The publisher's bytes with DUP cleared [MQTT-3.3.1-3] and the receiver's own packet identifier. */
  #writeSource(ch: Channel, src: Source, qos: QoS, retain: boolean, id: number): void {
    const n = src.end - src.start;
    const first = (PUBLISH << 4) | (qos << 1) | (retain ? 1 : 0);
    if (n <= PIECE_MAX) {
      const at = ch.out.reserve(n);
      const st = ch.out.staging;
      copyBytes(src.buf, st, at, src.start, src.end);
      st[at] = first;
      if (qos > 0) {
        st[at + src.idOffset] = id >> 8;
        st[at + src.idOffset + 1] = id & 255;
      }
      return;
    }
    const copy = Buffer.from(src.buf.subarray(src.start, src.end));
    copy[0] = first;
    if (qos > 0) copy.writeUInt16BE(id, src.idOffset);
    ch.out.copy(copy, 0, n);
  }

  #shared(m: Message, v5: boolean, qos: QoS, retain: boolean): Uint8Array {
    const i = (v5 ? 6 : 0) + qos * 2 + (retain ? 1 : 0);
    m.encoded ??= new Array<Uint8Array | undefined>(12);
    let e = m.encoded[i];
    if (e === undefined) {
      e = encodePublish(v5 ? 5 : 4, m, qos, retain, false, 0, null, -1, 0, true);
      m.encoded[i] = e;
    }
    return e;
  }

  #encodeOwn(
    ch: Channel,
    m: Message,
    qos: QoS,
    retain: boolean,
    dup: boolean,
    id: number,
    subIds: number[] | null,
    alias: boolean,
  ): Uint8Array {
    const topic = ch.unmount(m.topic);
    const own = topic === m.topic ? m : { topic, payload: m.payload, properties: m.properties };
    let expiry = -1;
    if (ch.version === 5 && m.expires) expiry = Math.max(1, Math.ceil(between(this.broker.mono, m.deadline) / 1000));
    if (!alias || ch.aliases === null) return encodePublish(ch.version, own, qos, retain, dup, id, subIds, expiry, 0, true);
    const known = ch.aliases.get(topic);
    if (known !== undefined) return encodePublish(ch.version, own, qos, retain, dup, id, subIds, expiry, known, false);
    if (ch.aliases.size >= ch.aliasesMax) return encodePublish(ch.version, own, qos, retain, dup, id, subIds, expiry, 0, true);
    const fresh = ch.aliases.size + 1;
    const bytes = encodePublish(ch.version, own, qos, retain, dup, id, subIds, expiry, fresh, true);
    if (ch.maxPacket === 0 || bytes.length <= ch.maxPacket) ch.aliases.set(topic, fresh);
    return bytes;
  }
}

function writePatched(ch: Channel, bytes: Uint8Array, qos: QoS, id: number): void {
  const n = bytes.length;
  if (qos === 0) {
    ch.out.copy(bytes, 0, n);
    return;
  }
  const offset = publishPacketIdOffset(bytes);
  if (n <= PIECE_MAX) {
    const at = ch.out.reserve(n);
    const st = ch.out.staging;
    copyBytes(bytes, st, at, 0, n);
    st[at + offset] = id >> 8;
    st[at + offset + 1] = id & 255;
    return;
  }
  const copy = Buffer.from(bytes);
  copy.writeUInt16BE(id, offset);
  ch.out.copy(copy, 0, n);
}

/** The message of the frame in hand; its payload still lies in the chunk. */
export function messageOf(ch: Channel, topic: string, frame: Frame): Message {
  const client = ch.client as ClientInfo;
  const { now, mono } = ch.broker;
  const expiry = frame.properties?.messageExpiry;
  const expiresAt = expiry === undefined ? 0 : now + expiry * 1000;
  const m = new Message(topic, frame.buf, frame.qos, frame.retain, client.clientId, client.username, now, expiresAt, frame.properties);
  if (expiry !== undefined) m.deadline = later(mono, expiry * 1000);
  m.payloadStart = frame.payloadStart;
  m.payloadEnd = frame.end;
  m.owned = false;
  return m;
}
