/** The naive broker: lists and loops. It says what every client is owed; it shares no code with the real one. */
import type { ZoneConfig } from "../../../server/config/types.ts";
import type { SimClock } from "../clock.ts";
import type { Conn } from "../conn.ts";
import type { SentProps } from "../encode.ts";
import { violate } from "../violation.ts";
import { payloadOf } from "./payload.ts";
import { matches, STOPPED } from "./topics.ts";
import { type Came, type Delivery, type Msg, orderKey, Session, type Share, type Sub } from "./types.ts";

/** So much for one client in one turn may pass for a slow reader: what is kept back for the commit counts as unread. */
const MUCH = 500_000;

export interface NewMessage {
  from: string;
  topic: string;
  qos: number;
  retain: boolean;
  size: number;
  props?: SentProps;
  kind: Msg["kind"];
}

export class Model {
  /** When the PUBLISH in hand came. */
  came: Came | null = null;
  readonly sessions = new Map<string, Session>();
  readonly msgs: Msg[] = [];
  readonly shares = new Map<number, Share[]>();
  /** Topic -> what is retained, all versions; the last one counts. `n` -1 = nothing. */
  readonly retained = new Map<string, { n: number; ev: number; sure: boolean }[]>();
  readonly delayed = new Map<number, { m: Msg; dueWall: number; dueMono: number; ev: number; owed: number; copies: number; ms: number }>();
  /** Sessions that ended: a kill may bring them back. */
  graves: { s: Session; ev: number }[] = [];
  /** Wills by message: what has become of them. */
  readonly wills = new Map<number, "set" | "due" | "sent" | "off" | "unsure">();
  /** Number of the event at hand. Everything up to `committed` survives a kill. */
  ev = 1;
  committed = 0;
  /** Messages the broker itself has published in this event: delayed ones and wills, as they came. */
  published: number[] = [];
  retainer = true;
  storeFails = false;
  /** There is no memory for new sessions and for more retained messages. */
  short = false;
  /** The last event in which a hook interfered. */
  disturbedEv = 0;
  /** The shortest time after which a QoS 2 message without PUBREL may have been given up so far; Infinity = never. */
  relSince = 0;
  relLimit = Number.POSITIVE_INFINITY;
  /** Some commit failed since the start. */
  everFailed = false;
  /** The process was killed once. */
  killed = false;

  constructor(
    readonly clock: SimClock,
    readonly zone: ZoneConfig,
    /** `storage.on_error = accept`. */
    readonly accept: boolean,
  ) {
    this.relLimited(zone.awaitRelTimeoutMs);
  }

  /** Was somebody told of event `ev` before it was durable, who must not be? `committed`: up to where everything was then. */
  tooEarly(ev: number, committed: number): boolean {
    return ev > committed && !(this.accept && this.everFailed);
  }

  /** The time the broker waits for PUBREL has changed. */
  relLimited(ms: number): void {
    this.relSince = this.clock.monotonic;
    if (ms > 0) this.relLimit = Math.min(this.relLimit, ms);
  }

  // ---- messages

  message(o: NewMessage): Msg {
    const n = this.msgs.length;
    const payload = o.size === 0 ? Buffer.alloc(0) : payloadOf(n, o.from, o.topic, o.size);
    const { size: _, ...rest } = o;
    const m: Msg = {
      props: {},
      ...rest,
      n,
      payload,
      times: 0,
      inHook: false,
      ev: 0,
      earlier: [],
      wall: 0,
      mono: 0,
      expiresWall: 0,
      expiresMono: 0,
      earliest: null,
    };
    this.msgs.push(m);
    return m;
  }

  clockNow(): Came {
    return { wall: this.clock.wall, mono: this.clock.monotonic };
  }

  stamp(m: Msg): void {
    // Published again by its client: earlier copies have their own time.
    if (this.maybeExpired(m)) for (const s of this.sessions.values()) for (const d of s.waiting) if (d.m === m) letOff(d, "expired");
    if (m.times > 0) m.earlier.push(m.ev);
    m.ev = this.ev;
    m.wall = this.clock.wall;
    m.mono = this.clock.monotonic;
    const came = this.came ?? m;
    const s = m.props.messageExpiry;
    m.expiresWall = s === undefined ? 0 : m.wall + s * 1000;
    m.expiresMono = s === undefined ? 0 : m.mono + s * 1000;
    m.earliest = s === undefined ? null : { wall: came.wall + s * 1000, mono: came.mono + s * 1000 };
  }

  /** By either hand of the clock. */
  maybeExpired(m: Msg): boolean {
    return m.earliest !== null && (this.clock.wall >= m.earliest.wall || this.clock.monotonic >= m.earliest.mono);
  }

  /** A message is published now: retained, and owed to everybody whose subscriptions match. True = somebody subscribes to it. */
  publish(m: Msg, unsure = false): boolean {
    const doubtful = unsure || this.storeFails;
    this.stamp(m);
    m.times++;
    if (m.topic.startsWith(STOPPED)) return true;
    const grows = m.retain && this.retainer ? this.grows(m) : "yes";
    if (grows !== "yes") this.keep(m, doubtful || grows === "perhaps");
    let any = false;
    for (const s of this.sessions.values()) {
      const subs: Sub[] = [];
      for (const sub of s.subs.values()) {
        if (!matches(m.topic, sub.filter)) continue;
        any = true;
        if (sub.group === null) subs.push(sub);
        else this.share(m, s, sub, doubtful);
      }
      const own = m.from === s.id ? subs.filter((x) => !x.nl) : subs;
      if (own.length > 0) this.owe(s, m, own, "live", m.retain && own.some((x) => x.rap), doubtful);
      else if (subs.length > 0 && s.disturbed) this.owe(s, m, subs, "live", false, true);
    }
    return any;
  }

  /** Whatever waits may have to go. */
  anyMayGo(why: string): void {
    for (const s of this.sessions.values()) for (const d of s.waiting) letOff(d, why);
    this.anyShareMayGo(why);
  }
  noneRetained(why: string): void {
    for (const s of this.sessions.values()) for (const d of s.waiting) if (d.via === "retained") letOff(d, why);
  }
  anyShareMayGo(why: string): void {
    for (const list of this.shares.values()) for (const s of list) letOffShare(s, why);
  }

  /** Is it refused because more than before would be retained, and memory is short? */
  grows(m: Msg): "yes" | "no" | "perhaps" {
    if (!this.short || m.payload.length === 0) return "no";
    const last = this.retained.get(m.topic)?.at(-1);
    if (last === undefined) return "yes";
    if (!last.sure) return "perhaps";
    if (last.n < 0) return "yes";
    const before = this.msgs[last.n] as Msg;
    if (this.maybeExpired(before) || before.props.user !== undefined || m.props.user !== undefined) return "perhaps";
    const more = m.payload.length - before.payload.length;
    // An alias is a property, too, and they take room.
    return Math.abs(more) <= 64 ? "perhaps" : more > 0 ? "yes" : "no";
  }

  keep(m: Msg, doubtful: boolean): void {
    const list = this.retained.get(m.topic) ?? [];
    this.retained.set(m.topic, list);
    list.push({ n: m.payload.length === 0 ? -1 : m.n, ev: this.ev, sure: !doubtful });
    // What still waits to be sent to a new subscriber is replaced.
    for (const s of this.sessions.values())
      for (const d of s.waiting) if (d.via === "retained" && d.m.topic === m.topic) letOff(d, "replaced");
  }

  private share(m: Msg, s: Session, sub: Sub, doubtful: boolean): void {
    const key = `${sub.group}/${sub.filter}`;
    const list = this.shares.get(m.n) ?? [];
    this.shares.set(m.n, list);
    let share = list.find((x) => x.key === key && x.times === m.times);
    if (share === undefined) {
      share = { m, key, times: m.times, members: new Map(), taken: null, must: !doubtful, why: "", passedOn: false, loose: doubtful };
      list.push(share);
    }
    const qos = this.effective(m.qos, sub.qos);
    share.members.set(s, { ...sub, gets: qos });
    if (s.disturbed || s.disturbedIn.has(this.ev)) {
      share.must = false;
      share.loose = true;
    }
    if (this.much(s, m) && qos === 0) letOffShare(share, "much in one turn");
    if (m.payload.length === 0) letOffShare(share, "empty payloads look alike");
    if (tooLarge(s.conn?.fields?.maxPacket ?? 0, m, 1)) letOffShare(share, "too large");
    if (qos === 0 && !this.takesQos0(s)) share.must = false;
    else if (qos > 0 && s.conn === null && !s.persistent) share.must = false;
    this.crowd(s);
  }

  effective(qos: number, asked: number): number {
    return this.zone.upgradeQos ? Math.max(qos, asked) : Math.min(qos, asked);
  }

  private much(s: Session, m: Msg): boolean {
    s.turnBytes += m.payload.length;
    return s.turnBytes > MUCH;
  }

  /** A QoS 0 message for it now cannot get lost on the way. */
  takesQos0(s: Session): boolean {
    const c = s.conn;
    return c?.live === true && !c.silent && !c.transport.owesDrain && c.mayClose === "";
  }

  /** This session is owed this message. */
  owe(s: Session, m: Msg, subs: readonly Sub[], via: "live" | "retained", retain: boolean, doubtful: boolean): Delivery {
    const qos = this.effective(m.qos, Math.max(...subs.map((x) => x.qos)));
    const ids = subs
      .map((x) => x.id)
      .filter((id) => id > 0)
      .sort((a, b) => a - b);
    const d = this.delivery(s, m, qos, retain, ids, via);
    // Of what was published before in the middle of a hook's doing, a part may come now, before what this is.
    if (doubtful || s.disturbed || s.disturbedIn.has(this.ev) || m.earlier.some((ev) => s.disturbedIn.has(ev))) {
      letOff(d, "disturbed");
      d.loose = true;
    } else if (qos === 0 && !this.takesQos0(s)) letOff(d, "QoS 0 to somebody who does not read");
    else if (s.conn === null && !s.persistent) letOff(d, "no session");
    else if (tooLarge(s.conn?.fields?.maxPacket ?? 0, m, ids.length)) letOff(d, "too large");
    if (this.much(s, m)) for (const x of [...s.waiting, d]) if (x.qos === 0) letOff(x, "much in one turn");
    if (m.payload.length === 0) letOff(d, "empty payloads look alike");
    s.waiting.add(d);
    this.crowd(s);
    return d;
  }

  delivery(s: Session, m: Msg, qos: number, retain: boolean, ids: number[], via: Delivery["via"]): Delivery {
    // Ended in this very event, it may have been sent it before.
    const firstConn = s.conn === null && s.goneEv !== this.ev && !s.disturbedIn.has(this.ev) ? s.connNo + 1 : s.connNo;
    const d: Delivery = {
      s, m, qos, retain, ids, via, firstConn,
      must: true, why: "", loose: false, state: "waiting", pid: 0, rec: false,
      seenOn: null, seenAt: 0, ev: this.ev, doneEv: 0, again: false, seenEv: 0, away: s.conn === null, unsent: false,
    }; // biome-ignore format: one thing
    const same = s.byN.get(m.n);
    if (same === undefined) s.byN.set(m.n, [d]);
    else same.push(d);
    if (via === "live") {
      const key = orderKey(d);
      const o = s.order.get(key);
      if (o === undefined) s.order.set(key, { list: [d], from: 0 });
      else o.list.push(d);
    }
    return d;
  }

  /** More may wait than the queue holds: any of them may have been dropped. */
  private crowd(s: Session): void {
    const max = this.zone.maxMqueueLen;
    let shared = 0;
    for (const list of this.shares.values()) for (const x of list) if (x.taken === null && x.members.has(s)) shared++;
    if (max === 0 || s.waiting.size + shared <= max) return;
    for (const d of s.waiting) letOff(d, "queue full");
    for (const list of this.shares.values()) for (const x of list) if (x.taken === null && x.members.has(s)) letOffShare(x, "queue full");
  }

  // ---- sessions

  session(id: string): Session | undefined {
    return this.sessions.get(id);
  }

  create(id: string, version: Session["version"]): Session {
    const s = new Session(id, version);
    s.createdEv = s.changedEv = this.ev;
    this.sessions.set(id, s);
    return s;
  }

  /** Connected (again): what is too large for this connection is dropped. */
  attached(s: Session): void {
    for (const d of s.waiting) s.turnBytes += d.m.payload.length;
    for (const list of this.shares.values())
      for (const x of list) if (x.taken === null && x.members.has(s)) s.turnBytes += x.m.payload.length;
    this.dropTooLarge(s, s.conn?.fields?.maxPacket ?? 0);
  }

  /** What waits for it, and is more than a connection takes. `max`: its Maximum Packet Size; 0 = any. */
  dropTooLarge(s: Session, max: number): void {
    for (const d of s.waiting) if (tooLarge(max, d.m, d.ids.length)) letOff(d, "too large");
    for (const list of this.shares.values())
      for (const x of list) if (x.taken === null && x.members.has(s) && tooLarge(max, x.m, 1)) letOffShare(x, "too large");
  }

  /** The connection is over: will, then the session's own fate. */
  closed(conn: Conn, clean: boolean): void {
    if (conn.phase === "closed") return;
    const was = conn.phase;
    conn.phase = "closed";
    const s = conn.session;
    if (was !== "connected" || s === null || s.conn !== conn) return;
    s.conn = null;
    s.goneEv = this.ev;
    for (const d of s.waiting) if (d.qos === 0 || d.via === "retained") letOff(d, "connection ended");
    for (const list of this.shares.values())
      for (const x of list) {
        // What another one got may have been meant for another group: then this one's copy was for him who leaves.
        const sub = x.taken === null || (x.taken.s !== s && list.length > 1) ? x.members.get(s) : undefined;
        if (sub?.gets === 0) letOffShare(x, "connection ended");
      }
    const will = clean ? null : conn.will;
    // A hook may have ended the connection before the client said good-bye.
    if (conn.will !== null && clean) this.wills.set(conn.will.m.n, conn.doubtful ? "unsure" : "off");
    conn.will = null;
    if (!s.persistent) {
      if (will !== null) this.willNow(will.m, conn.doubtful || this.storeFails);
      this.end(s);
      return;
    }
    s.endsAt = s.expiry === 0xffffffff ? Number.POSITIVE_INFINITY : this.clock.monotonic + s.expiry * 1000;
    if (will === null) return;
    if (will.delay === 0) this.willNow(will.m, conn.doubtful || this.storeFails);
    else {
      s.will = { n: will.m.n, due: this.clock.monotonic + will.delay * 1000, delay: will.delay, ev: this.ev, loose: false };
      this.wills.set(will.m.n, "due");
    }
  }

  /** The broker must have published this will in this event. */
  willNow(m: Msg, doubtful: boolean): void {
    const at = this.published.indexOf(m.n);
    if (at < 0) {
      this.wills.set(m.n, "off");
      if (!doubtful) violate("will_missing", `will ${m.n} of ${m.from} to ${m.topic} was not published when its connection ended`);
      return;
    }
    this.published.splice(at, 1);
    this.wills.set(m.n, "sent");
    this.publish(m, doubtful);
  }

  /** The session is over for good. What a group gave it goes to another member. */
  end(s: Session): void {
    if (s.ended) return;
    s.ended = true;
    const group = (key: string): [Session, Sub][] => {
      const out: [Session, Sub][] = [];
      for (const o of this.sessions.values())
        for (const sub of o.subs.values()) if (o !== s && `${sub.group}/${sub.filter}` === key) out.push([o, { ...sub }]);
      return out;
    };
    // Who is in the group now may be given it, too.
    const join = (x: Share): void => {
      for (const [o, sub] of group(x.key)) x.members.set(o, { ...sub, gets: this.effective(x.m.qos, sub.qos) });
    };
    for (const list of this.shares.values()) {
      for (const x of list) {
        if (!x.members.has(s)) continue;
        if (x.taken !== null && (x.taken.s !== s || x.taken.state === "done" || x.taken.rec)) {
          // Which of its copies was the group's, cannot be seen.
          x.loose = true;
          join(x);
          continue;
        }
        x.passedOn = true;
        x.taken = null;
        join(x);
        if (x.members.size === 0 || x.m.qos === 0) letOffShare(x, "its member has gone");
        else letOffShare(x, "passed on");
      }
    }
    s.subs.clear();
    for (const d of s.waiting) letOff(d, "session ended");
    s.waiting.clear();
    if (this.sessions.get(s.id) === s) this.sessions.delete(s.id);
    this.graves.push({ s, ev: this.ev });
    const will = s.will;
    s.will = null;
    if (will !== null) this.willNow(this.msgs[will.n] as Msg, s.disturbed || will.loose);
  }

  /** All that is retained and selected by the filter, oldest first. */
  retainedFor(filter: string): { m: Msg; sure: boolean }[] {
    const out: { m: Msg; sure: boolean }[] = [];
    for (const [topic, list] of this.retained) {
      const last = list[list.length - 1];
      if (last === undefined || !matches(topic, filter)) continue;
      // Nobody knows for sure which version is there: each may come.
      for (const v of last.sure ? [last] : list) if (v.n >= 0) out.push({ m: this.msgs[v.n] as Msg, sure: last.sure });
    }
    return out;
  }
}

/** More than the packet can take with everything the broker may add. */
function tooLarge(max: number, m: Msg, ids: number): boolean {
  return max > 0 && m.payload.length + Buffer.byteLength(m.topic) + 60 + ids * 5 + (m.props.user === undefined ? 0 : 30) > max;
}

export function letOff(d: Delivery, why: string): void {
  if (!d.must) return;
  d.must = false;
  d.why = why;
}

export function letOffShare(s: Share, why: string): void {
  if (!s.must) return;
  s.must = false;
  s.why = why;
}
