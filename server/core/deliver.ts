/**
 * From a matched message to its receivers: who gets it, now, later or not at all. In which bytes is writer.ts's business.
 */
import { stackOf } from "../lib/errors.ts";
import { loggedName } from "../lib/mask.ts";
import type { QoS } from "../mqtt/types.ts";
import type { Broker } from "./broker.ts";
import type { Channel } from "./channel.ts";
import { type Frame, messageOf } from "./incoming.ts";
import { type Inflight, MUCH } from "./inflight.ts";
import { planRetry } from "./keepalive.ts";
import type { Message } from "./message.ts";
import type { Mqueue, QueueItem } from "./mqueue.ts";
import { PUMP_SLICE, Resend } from "./resend.ts";
import type { Route } from "./route.ts";
import type { Session } from "./session.ts";
import type { ShareGroup } from "./shared.ts";
import type { Subscription } from "./subscription.ts";
import type { Terms } from "./terms.ts";
import type { ClientInfo } from "./types.ts";
import { Source, Writer, writePatched } from "./writer.ts";

/** While memory is short, in a zone without `max_inflight`. */
const SOME = 32;

export class Delivery {
  readonly source = new Source();
  readonly #writer = new Writer(this.source);
  readonly resend: Resend;

  constructor(private readonly broker: Broker) {
    this.resend = new Resend(broker, this, this.#writer);
  }

  /** Every receiver of a route. Returns how many sessions took it (queued counts). */
  dispatch(route: Route, m: Message): number {
    const { router } = this.broker;
    const subs = route.subs;
    const outer = this.#writer.begin(m);
    let n = 0;
    router.enter();
    for (let i = 0; i < subs.length; i++) {
      const s = subs[i] as Subscription;
      try {
        // Gone while we were on our way: a hook or a virtual client has ended it.
        if (s.index >= 0) n += this.toSubscription(s, m);
      } catch (err) {
        this.#failed(s, err);
      }
    }
    if (route.shares !== null) n += this.#toGroups(route.shares, m);
    router.leave();
    this.#writer.end(m, outer);
    return n;
  }

  /** An exception: the others get theirs. Its connection ends, since its state need not be what it should be. */
  #failed({ session: { channel, clientId } }: Subscription, err: unknown): void {
    const { log, output } = this.broker;
    if (channel !== null) output.broke(channel, err);
    else log.error("a message for a session is lost", { clientid: loggedName(clientId), error: stackOf(err) });
  }

  /** QoS 0 without retain: the frame itself goes out where it can; only the other receivers need a message object. */
  dispatchFrame(route: Route, ch: Channel, frame: Frame): number {
    const { router, metrics } = this.broker;
    const subs = route.subs;
    const form = ch.version === 5 ? 5 : 4;
    const { buf, start, end } = frame;
    let m: Message | null = null;
    let outer: Message | null = null;
    let raw = 0;
    let n = 0;
    router.enter();
    for (let i = 0; i < subs.length; i++) {
      const s = subs[i] as Subscription;
      const to = s.session.channel;
      if (to === null || to.rawForm !== form || s.subIds !== null || s.nl || to.out.blocked || s.index < 0) {
        if (m === null) {
          m = messageOf(ch, route.topic, frame);
          outer = this.#writer.begin(m);
        }
        try {
          if (s.index >= 0) n += this.toSubscription(s, m);
        } catch (err) {
          this.#failed(s, err);
        }
      } else {
        to.out.run(buf, start, end);
        to.sendMsg++;
        s.session.deliverCount++;
        raw++;
      }
    }
    if (route.sys) metrics.sysSent += raw;
    else metrics.qos0Sent += raw;
    if (route.shares !== null) n += this.#frameToGroups(route, ch, frame, m);
    router.leave();
    if (m !== null) this.#writer.end(m, outer);
    return n + raw;
  }

  /** As above, to one of each group. Apart: with it in there, who has no groups would pay for them. */
  #frameToGroups(route: Route, ch: Channel, frame: Frame, message: Message | null): number {
    const { metrics, node, random, turn } = this.broker;
    const form = ch.version === 5 ? 5 : 4;
    let m = message;
    let n = 0;
    for (const g of route.shares as readonly ShareGroup[]) {
      const s = g.pick(node.sharedStrategy, (ch.client as ClientInfo).clientId, random);
      turn.count(g.looked);
      if (s === null) continue;
      const to = s.session.channel;
      if (to === null || to.rawForm !== form || s.subIds !== null || to.out.blocked) {
        m ??= messageOf(ch, route.topic, frame);
        try {
          n += this.toSubscription(s, m);
        } catch (err) {
          this.#failed(s, err);
        }
      } else {
        to.out.run(frame.buf, frame.start, frame.end);
        to.sendMsg++;
        s.session.deliverCount++;
        if (route.sys) metrics.sysSent++;
        else metrics.qos0Sent++;
        n++;
      }
    }
    return n;
  }

  /** No dispatch is in progress. */
  settled(): void {
    this.#writer.settled();
  }

  toSubscription(s: Subscription, m: Message): number {
    const session = s.session;
    // Whose name it bears is asked only where that makes a difference: for many receivers the names alone are a good part of the work.
    const asks = s.mindsOwn || session.zone.ignoreLoopDeliver;
    if (asks && m.from === session.clientId && session.receive === null) {
      const own = ownCopy(s);
      if (own === null) {
        this.broker.metrics.dropNoLocal++;
        this.#dropped(m, "no_local", session);
        return 0;
      }
      s = own;
    }
    return this.send(session, m, s.terms(session.qosOf(m.qos, s.qos), s.rap && m.retain), s.filter);
  }

  #toGroups(groups: readonly ShareGroup[], m: Message): number {
    const { node, random, turn } = this.broker;
    let n = 0;
    for (const g of groups) {
      const s = g.pick(node.sharedStrategy, m.from, random);
      turn.count(g.looked);
      try {
        if (s !== null) n += this.toSubscription(s, m);
      } catch (err) {
        this.#failed(s as Subscription, err);
      }
    }
    return n;
  }

  /** One message to one session: written, queued or dropped by its limits. 1 = taken. */
  send(session: Session, m: Message, terms: Terms, filter: string): number {
    const ch = session.channel;
    // The way of most messages of QoS 1 and 2, kept short.
    if (terms.qos > 0 && ch !== null && this.#open(session, ch, terms.qos)) return this.#start(session, ch, m, terms, 0);
    return this.#sendElse(session, m, terms, filter);
  }

  /** It may go out at once. */
  #open(session: Session, ch: Channel, qos: QoS): boolean {
    if (session.mqueueLen > 0 || ch.out.blocked || !ch.ready || !this.#mayStart(session, qos)) return false;
    return session.storeKey === 0 || !this.broker.durability.full;
  }

  /** To a virtual client, with QoS 0, or to wait. */
  #sendElse(session: Session, m: Message, terms: Terms, filter: string): number {
    if (session.receive !== null) {
      if (session.terminated) return 0;
      session.receive(m, filter);
      session.deliverCount++;
      return 1;
    }
    if (terms.qos > 0 && this.broker.durability.full && session.storeKey !== 0) {
      this.broker.metrics.dropUnkept++;
      this.#dropped(m, "storage_failed", session);
      return 0;
    }
    const ch = session.channel;
    // Who has left while what it sent before is still looked at is away, too.
    if (ch === null || !ch.ready || ch.out.closed) return this.#queue(session, m, terms);
    if (terms.qos === 0) {
      if (ch.out.blocked) {
        this.broker.metrics.dropSlowReader++;
        session.mqueueDropped++;
        this.#dropped(m, "slow_reader", session);
        return 0;
      }
      // Not before those that came while the client was away and still wait behind a full window [MQTT-4.6.0-6].
      if (session.mqueue !== null && session.mqueue.qos0 > 0) return this.#enqueue(session, m, terms);
      return this.#write(session, ch, m, terms, 0) ? 1 : 0;
    }
    return this.#queue(session, m, terms);
  }

  /**
   * May one more message go out? Not before those that an earlier connection left unacknowledged; and while the disk fails, of QoS 2
   * nothing whose identifier the journal would not know after a restart [MQTT-4.3.3-10].
   */
  #mayStart(session: Session, qos: QoS): boolean {
    if (qos === 2 && session.storeKey !== 0 && this.broker.durability.refusing) return false;
    const w = session.inflight;
    if (w === null) return true;
    if (w.sent >= session.maxInflight || w.behind) return false;
    return w.little || this.#mayGrow(session, w);
  }

  /** Its window holds much: more only within the bounds of its queue, and of its zone while memory is short. */
  #mayGrow(session: Session, w: Inflight): boolean {
    if (w.exhausted) return false;
    if (w.bytes < MUCH && !this.broker.held.short) return true;
    const { maxMqueueBytes, maxInflight } = session.zone;
    if (maxMqueueBytes > 0 && w.bytes >= maxMqueueBytes) return false;
    return !this.broker.held.short || w.sent < (maxInflight || SOME);
  }

  /** Put into the inflight window and write. `seq` > 0: a queued delivery that is already journalled. */
  #start(session: Session, ch: Channel, m: Message, terms: Terms, seq: number): number {
    const broker = this.broker;
    // The size must be known before an identifier is spent on it.
    const own = ch.maxPacket > 0 ? this.#writer.encodeOwn(ch, m, terms, false, 0) : null;
    if (own !== null && own.length > ch.maxPacket) {
      this.tooLarge(session, m, seq);
      return 0;
    }
    if (!m.owned && !broker.frame.light) broker.slab.keep(m);
    const { sessions } = broker.store;
    const key = session.storeKey;
    const queued = seq > 0;
    if (key !== 0 && !queued) seq = ++session.seq;
    // Visits end with the last message in flight: the next one needs a plan again.
    const idle = session.inflightLen === 0;
    const id = session.window().push(m, terms, seq, broker.mono);
    if (idle) planRetry(ch);
    // A promise, too: after a restart that knows nothing of it, it would come again under another identifier [MQTT-4.3.3-10].
    if (key !== 0 && terms.qos === 2) ch.out.holdsAcks = true;
    if (key !== 0 && queued) sessions.sent(key, seq, id);
    else if (key !== 0) sessions.enqueue(key, seq, m, terms.qos, id, terms.subIds, terms.retain);
    if (own === null) this.#write(session, ch, m, terms, id);
    else {
      writePatched(ch, own, terms.qos, id);
      this.count(session, ch, m, terms.qos);
    }
    return 1;
  }

  #queue(session: Session, m: Message, terms: Terms): number {
    const broker = this.broker;
    if (session.terminated) return 0;
    const { qos } = terms;
    if (qos === 0 && !session.zone.mqueueStoreQos0) {
      broker.metrics.dropQos0Offline++;
      this.#dropped(m, "qos0_offline", session);
      return 0;
    }
    return this.#enqueue(session, m, terms);
  }

  #enqueue(session: Session, m: Message, terms: Terms): number {
    const broker = this.broker;
    const { qos } = terms;
    const src = this.source;
    if (src.message === m && src.form !== 0) m.detachPacket(src.buf, src.start, src.end, src.form);
    else m.detach();
    let seq = 0;
    if (session.storeKey !== 0 && qos > 0) {
      seq = ++session.seq;
      broker.store.sessions.enqueue(session.storeKey, seq, m, qos, 0, terms.subIds, terms.retain);
    }
    session.enqueueCount++;
    const queue = session.queue();
    queue.push(m, terms, seq);
    for (let out = queue.overflow(); out !== null; out = queue.overflow()) this.#overflowed(session, out);
    return 1;
  }

  #overflowed(session: Session, out: QueueItem): void {
    const { metrics, store, held } = this.broker;
    session.mqueueDropped++;
    if (held.full) metrics.dropMemory++;
    else metrics.dropQueueFull++;
    store.sessions.done(session.storeKey, out.seq, out.message);
    this.#dropped(out.message, held.full ? "memory" : "queue_full", session);
  }

  /**
   * Send what waits, in order, while the window is open and the peer reads; of a long queue a part in each turn. A hook may end the
   * connection in the middle.
   */
  pump(session: Session): void {
    const ch = session.channel;
    if (ch === null || !ch.ready || session.pumping) return;
    const w = session.inflight;
    if (w?.behind && !this.resend.sendAgain(session, ch, w)) return;
    const q = session.mqueue;
    if (q === null) return;
    const { qos0 } = q;
    this.#pumpQueue(session, ch, q);
    if (qos0 > 0 && q.qos0 === 0) ch.refreshRaw(this.broker.rawAllowed);
  }

  #pumpQueue(session: Session, ch: Channel, q: Mqueue): void {
    for (let n = 0; q.length > 0 && ch.ready && !ch.out.blocked; n++) {
      if (n === PUMP_SLICE) {
        this.pumpOn(session);
        return;
      }
      const { message: m, terms, seq } = q.peek();
      if (terms.qos > 0 && !this.#mayStart(session, terms.qos)) return;
      q.shift();
      if (m.expired(this.broker.mono)) this.expired(session, m, seq);
      else if (terms.qos === 0) this.#write(session, ch, m, terms, 0);
      else this.#start(session, ch, m, terms, seq);
    }
  }

  /** There is more: in the next turn. */
  pumpOn(session: Session): void {
    const { broker } = this;
    session.pumping = true;
    broker.pieces.add(() => {
      session.pumping = false;
      const ch = session.channel;
      if (ch !== null) broker.guard(ch, () => this.pump(session));
    });
  }

  /** Too late for this session. `seq` > 0: it is journalled. */
  expired(session: Session, m: Message, seq: number): void {
    this.broker.metrics.messagesExpired++;
    this.broker.store.sessions.done(session.storeKey, seq, m);
    this.#dropped(m, "expired", session);
  }

  /** Larger than the client's Maximum Packet Size: not sent, and done with [MQTT-3.1.2-24], [MQTT-3.1.2-25]. */
  tooLarge(session: Session, m: Message, seq: number): void {
    this.broker.metrics.dropTooLarge++;
    this.broker.store.sessions.done(session.storeKey, seq, m);
    this.#dropped(m, "too_large", session);
  }

  #dropped(m: Message, reason: string, session: Session): void {
    const hooks = this.broker.hooks;
    if (hooks.at["message.dropped"].length > 0) hooks.run("message.dropped", m, reason, session.clientId);
  }

  /** Written for the first time. False = too large for the client. */
  #write(session: Session, ch: Channel, m: Message, terms: Terms, id: number): boolean {
    if (!this.#writer.write(ch, m, terms, id)) {
      this.tooLarge(session, m, 0);
      return false;
    }
    this.count(session, ch, m, terms.qos);
    return true;
  }

  count(session: Session, ch: Channel, m: Message, qos: QoS): void {
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
}

/** What a session gets of its own message: nothing by No Local [MQTT-3.8.3-3], unless another subscription asks for it. */
function ownCopy(s: Subscription): Subscription | null {
  if (s.nl || s.session.zone.ignoreLoopDeliver) return null;
  return s.ownCopy ?? s;
}
