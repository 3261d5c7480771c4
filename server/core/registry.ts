/** Who is here: opening, resuming, taking over, detaching and ending sessions, and their subscriptions. */
import { seldomOf } from "../lib/seldom.ts";
import { between, type WallMs } from "../lib/time.ts";
import { RC } from "../mqtt/reason_codes.ts";
import { parseSharedFilter, type SharedFilter } from "../mqtt/topic.ts";
import type { ConnectPacket, WillPacket } from "../mqtt/types.ts";
import type { Broker } from "./broker.ts";
import type { Channel } from "./channel.ts";
import { Connecting } from "./connecting.ts";
import { type Inflight, sendingOrder } from "./inflight.ts";
import type { Message } from "./message.ts";
import type { StoredDelivery, StoredMessage, StoredSubscription } from "./ports.ts";
import { mountFilter, NEVER_EXPIRES, Session } from "./session.ts";
import { type ShareGroup, welcome } from "./shared.ts";
import { Subscription } from "./subscription.ts";
import { type Terms, termsOf } from "./terms.ts";
import type { ClientInfo, SubscribeOptions } from "./types.ts";
import { holdWill, publishWill, takeWill } from "./will.ts";

/** Subscriptions of an ended session that are taken out of the router at once: hundreds of sessions may end in one turn. And in a piece. */
const UNROUTE_AT_ONCE = 32;
const UNROUTE_SLICE = 500;

export class Registry {
  /** Every session by client id, in order of creation; offline ones included. */
  readonly sessions = new Map<string, Session>();
  /** Sessions that outlive their connection. */
  persistentCount = 0;
  readonly connecting = new Connecting();

  constructor(private readonly broker: Broker) {}

  /**
   * The session of a new connection [MQTT-3.1.2-4 to -6]. Whoever held the client id is disconnected first [MQTT-3.1.4-3]. The
   * caller runs session.created or session.resumed, once the client is connected and can be sent away again.
   */
  open(ch: Channel, client: ClientInfo, p: ConnectPacket, expiry: number): { session: Session; present: boolean } {
    const { broker } = this;
    const old = this.sessions.get(client.clientId);
    if (old?.channel) {
      broker.metrics.sessionsTakenOver++;
      // The will of the old connection waits no longer than the old session's end.
      old.channel.close(RC.SESSION_TAKEN_OVER, p.cleanStart ? "discarded" : "conflict");
    }
    const alive = this.sessions.get(client.clientId);
    const present = alive !== undefined && !p.cleanStart;
    if (alive !== undefined && !present) {
      broker.metrics.sessionsDiscarded++;
      this.terminate(alive, "discarded");
    }
    const session = present ? alive : new Session(client.clientId, client.zone, client.version, broker.now, broker.held);
    this.attach(session, ch, client, p, expiry, present);
    if (present) broker.metrics.sessionsResumed++;
    else {
      broker.metrics.sessionsCreated++;
      this.sessions.set(client.clientId, session);
    }
    return { session, present };
  }

  private attach(session: Session, ch: Channel, client: ClientInfo, p: ConnectPacket, expiry: number, present: boolean): void {
    session.away?.cancelExpiry?.();
    // A will that waited for its delay is not sent when the client comes back in time [MQTT-3.1.3-9].
    takeWill(session);
    session.away = null;
    session.channel = ch;
    welcome(session);
    session.version = client.version;
    session.zone = client.zone;
    if (session.mqueue !== null) session.mqueue.limits = client.zone;
    session.username = client.username;
    session.mountpoint = client.mountpoint;
    session.isSuper = client.isSuper;
    session.ip = client.ip;
    session.receiveMaximum = p.receiveMaximum;
    session.disconnectedAt = 0 as WallMs;
    session.cleanStart = present ? false : p.cleanStart;
    this.setExpiry(session, expiry, true);
  }

  /** Change how long the session lives without its connection; journals it when it is to outlive it. */
  setExpiry(session: Session, expiry: number, always = false): void {
    if (!always && session.expiry === expiry) return;
    session.expiry = expiry;
    if (session.persistent) this.journal(session);
    else if (session.storeKey !== 0) this.forget(session);
  }

  /** A session that is kept has its row from the beginning, before it has anything else: one that was to end with its connection ends so. */
  private journal(session: Session): void {
    if (session.storeKey === 0) this.persistentCount++;
    session.storeKey = this.broker.store.sessions.open(session.storeKey, session.meta(session.channel?.will ?? null));
  }

  /** The journal forgets a session. Messages are shared: each delivery gives up its own. */
  private forget(session: Session): void {
    const { sessions } = this.broker.store;
    const key = session.storeKey;
    const w = session.inflight;
    for (const n of w?.positions() ?? []) {
      sessions.done(key, (w as Inflight).seq(n), (w as Inflight).message(n));
      (w as Inflight).setSeq(n, 0);
    }
    for (const { seq, message } of session.mqueue ?? []) sessions.done(key, seq, message);
    session.mqueue?.forgetSeqs();
    sessions.remove(key);
    session.storeKey = 0;
    this.persistentCount--;
  }

  /** The connection of a channel has ended: will, then the session's own fate. */
  detach(ch: Channel, reason: string): void {
    const { broker } = this;
    const session = ch.session as Session;
    const client = ch.client as ClientInfo;
    broker.connections--;
    broker.metrics.clientsDisconnected++;
    session.channel = null;
    session.disconnectedAt = broker.now;
    const will = ch.will;
    ch.will = null;
    if (session.persistent) this.away(session, will);
    else {
      if (will !== null) publishWill(broker, session, will);
      this.terminate(session, reason);
    }
    broker.hooks.run("client.disconnected", client, reason);
  }

  /** The client is away: the will waits for its delay at most, the session for its expiry. */
  private away(session: Session, will: WillPacket | null): void {
    const { broker } = this;
    session.inflight?.rest();
    session.mqueue?.rest();
    if (session.expiry !== NEVER_EXPIRES) {
      session.waits().cancelExpiry = broker.after(session.expiry * 1000, () => this.expire(session));
    }
    const delayed = will !== null && will.delay > 0 ? will : null;
    if (delayed !== null) holdWill(broker, session, delayed, delayed.delay * 1000);
    else if (will !== null) publishWill(broker, session, will);
    // A hook may have ended it.
    if (!session.terminated) broker.store.sessions.open(session.storeKey, session.meta(delayed));
  }

  private expire(session: Session): void {
    if (!session.terminated && session.channel === null) this.terminate(session, "expired");
  }

  /** End a session for good: subscriptions, queue, journal. What a shared subscription gave it goes to another member. */
  terminate(session: Session, reason: string): void {
    if (session.terminated) return;
    const { broker } = this;
    session.terminated = true;
    session.away?.cancelExpiry?.();
    const will = takeWill(session);
    session.away = null;
    if (session.subscriptionCount > 0) {
      this.unroute(session.subscriptions()[Symbol.iterator](), UNROUTE_AT_ONCE);
      session.clearSubscriptions();
    }
    if (this.sessions.get(session.clientId) === session) this.sessions.delete(session.clientId);
    if (session.storeKey !== 0) this.forget(session);
    if (session.inflight !== null || session.mqueue !== null) this.redispatch(session);
    session.inflight?.clear();
    session.mqueue?.clear();
    session.awaitingRel?.clear();
    session.inflight = null;
    session.mqueue = null;
    if (session.receive !== null) return;
    // The session's end is the latest time for its will [MQTT-3.1.2-10].
    if (will !== null) publishWill(broker, session, will);
    broker.metrics.sessionsTerminated++;
    broker.hooks.run("session.terminated", session.clientId, reason);
  }

  /** `n` of the subscriptions, and more in later turns: a session may have hundreds of thousands. To the ended session nothing is delivered. */
  private unroute(subs: Iterator<Subscription>, n: number): void {
    const { broker } = this;
    let isOver = false;
    try {
      for (let i = 0; i < n && !isOver; i++) {
        const next = subs.next();
        isOver = next.done === true;
        if (!next.done) broker.router.remove(next.value);
      }
    } finally {
      // One that cannot be taken out keeps no other one in.
      if (!isOver) broker.pieces.add(() => this.unroute(subs, UNROUTE_SLICE));
    }
  }

  private redispatch(session: Session): void {
    const lost: { share: ShareGroup; m: Message }[] = [];
    const w = session.inflight;
    if (w !== null) {
      for (const n of w.positions()) {
        const { share } = w.terms(n);
        if (share !== null && !w.released(n)) lost.push({ share, m: w.message(n) });
      }
    }
    if (session.mqueue !== null)
      for (const { terms, message } of session.mqueue) if (terms.share !== null) lost.push({ share: terms.share, m: message });
    const { node, random, delivery, router, mono } = this.broker;
    for (const { share, m } of lost) {
      if (m.expired(mono)) {
        delivery.expired(session, m, 0);
        continue;
      }
      // The group may have been empty in the meantime: then it is another one.
      const s = router.group(share.filter, share.name)?.pick(node.sharedStrategy, m.from, random, session);
      if (s) delivery.toSubscription(s, m);
    }
  }

  /**
   * Subscribe a session; `filter` without mountpoint, with `$share/…` if any. `known`: what it is with the mountpoint, where somebody has looked.
   * Returns whether the subscription is new.
   */
  subscribe(session: Session, filter: string, options: SubscribeOptions, known?: SharedFilter): boolean {
    const { broker } = this;
    const full = mountFilter(session.mountpoint, filter);
    const before = session.subscription(full);
    if (before !== undefined) {
      before.set(options);
      broker.router.updated(before);
      if (session.storeKey !== 0) broker.store.sessions.subscribe(session.storeKey, stored(before));
      return false;
    }
    const parsed = known ?? parseSharedFilter(full);
    if (parsed === null) throw new Error(`invalid topic filter ${full}`);
    const s = new Subscription(session, parsed.filter, parsed.group, options);
    session.addSubscription(s);
    broker.router.add(s);
    if (session.storeKey !== 0) broker.store.sessions.subscribe(session.storeKey, stored(s));
    return true;
  }

  /** False = it was not subscribed. */
  unsubscribe(session: Session, filter: string): boolean {
    const { broker } = this;
    const s = session.subscription(mountFilter(session.mountpoint, filter));
    if (s === undefined) return false;
    session.removeSubscription(s);
    broker.router.remove(s);
    if (session.storeKey !== 0) broker.store.sessions.unsubscribe(session.storeKey, s.fullFilter);
    if (session.receive === null) broker.hooks.run("session.unsubscribed", session.clientId, s.fullFilter);
    return true;
  }

  /** Bring back what the journal kept; called once before the listeners open. */
  restore(): number {
    const { broker } = this;
    let n = 0;
    for (const row of broker.store.sessions.load()) {
      const zone = broker.zone(row.meta.zone);
      const session = new Session(row.meta.clientId, zone, row.meta.version, row.meta.createdAt as WallMs, broker.held);
      session.storeKey = row.key;
      session.username = row.meta.username;
      session.mountpoint = row.meta.mountpoint;
      session.isSuper = row.meta.isSuper;
      session.ip = row.meta.ip;
      session.cleanStart = row.meta.cleanStart;
      session.expiry = row.meta.expiry;
      // A crash left it marked as connected: its client went away now.
      const crashed = row.meta.disconnectedAt === 0;
      session.disconnectedAt = crashed ? broker.now : (row.meta.disconnectedAt as WallMs);
      this.sessions.set(session.clientId, session);
      this.persistentCount++;
      for (const s of row.subscriptions) this.restoreSubscription(session, s);
      restoreDeliveries(session, row.deliveries, (m) => broker.restored(m));
      for (const a of row.awaitingRel) {
        // Its time runs anew from the client's return.
        session.awaiting().set(a.packetId, broker.mono);
      }
      if (session.expiry !== NEVER_EXPIRES) {
        session.waits().cancelExpiry = broker.after(remaining(session.expiry, session, broker.now), () => this.expire(session));
      }
      if (row.meta.will !== null) {
        holdWill(broker, session, row.meta.will, remaining(row.meta.will.delay, session, broker.now));
      }
      n++;
    }
    return n;
  }

  private restoreSubscription(session: Session, row: StoredSubscription): void {
    const parsed = parseSharedFilter(row.filter);
    if (parsed === null) return;
    const s = new Subscription(session, parsed.filter, parsed.group, row);
    session.addSubscription(s);
    this.broker.router.add(s);
  }
}

/** Ms that are left of `seconds` since the client went away; a clock that was set back meanwhile makes it no more than the whole. */
function remaining(seconds: number, session: Session, now: WallMs): number {
  const gone = Math.max(0, between(session.disconnectedAt, now));
  return Math.max(0, seconds * 1000 - gone);
}

function stored(s: Subscription): StoredSubscription {
  return { filter: s.fullFilter, qos: s.qos, nl: s.nl, rap: s.rap, rh: s.rh, subId: s.subId };
}

function restoreDeliveries(session: Session, rows: StoredDelivery[], message: (m: StoredMessage) => Message): void {
  const { mqueuePriorities } = session.zone;
  const sent = rows.filter((d) => d.state !== "queued");
  for (const d of sendingOrder(sent, mqueuePriorities !== null && mqueuePriorities.size > 0)) {
    session.window().restore(d.packetId, message(d.message), restoredTerms(d), d.seq, d.state === "released");
  }
  for (const d of rows) {
    session.seq = Math.max(session.seq, d.seq);
    if (d.state !== "queued") continue;
    session.queue().push(message(d.message), restoredTerms(d), d.seq);
    session.enqueueCount++;
  }
}

function restoredTerms(d: StoredDelivery): Terms {
  return termsOf(d.qos, d.retain, d.subIds, null);
}

seldomOf(Registry, "open", "attach", "setExpiry", "detach", "terminate", "unroute");
