/** A client reads a PUBLISH: whose is it, may it be, is it in order, is it whole? */
import type { Conn } from "../conn.ts";
import type { Received } from "../decode.ts";
import { violate } from "../violation.ts";
import type { Model } from "./model.ts";
import { numberOf } from "./payload.ts";
import { type Delivery, type Msg, orderKey, type Session, type Share } from "./types.ts";

type Publish = Received & { type: "publish" };

function topicOf(conn: Conn, p: Publish): string {
  const alias = p.props?.values.get(35) as number | undefined;
  if (alias === undefined) return p.topic;
  if (alias === 0 || alias > (conn.fields?.aliasMax ?? 0))
    violate("alias", `${conn.name}: topic alias ${alias}, maximum ${conn.fields?.aliasMax ?? 0}`);
  if (p.topic !== "") conn.aliasesIn.set(alias, p.topic);
  const topic = conn.aliasesIn.get(alias);
  if (topic === undefined) violate("alias", `${conn.name}: topic alias ${alias} was never set`);
  return topic ?? "";
}

/** Unless that is one of a later connection's own. */
function sessionBehind(model: Model, conn: Conn): Session | null {
  const s = model.session(conn.client.id);
  return s === undefined || (s.conn !== null && s.conn !== conn && s.connNo === 1) ? null : s;
}

export function published(model: Model, conn: Conn, p: Publish, committed: number): void {
  const topic = topicOf(conn, p);
  // Ended by a hook or by the broker while it was let in: what it got belongs to the session that was made or resumed.
  const s = conn.session ?? (conn.unsure ? sessionBehind(model, conn) : null);
  if (s === null) {
    if (conn.unsure) return;
    violate("not_for_you", `${conn.name} has no session and got a message to ${topic}`);
    return;
  }
  if (topic.startsWith("$SYS/")) return;
  const m = messageOf(model, s, topic, p);
  if (m === null) {
    violate("foreign_bytes", `${conn.name} got to ${topic}: ${p.payload.subarray(0, 60).toString("latin1")}`);
    return;
  }
  if (m.topic !== topic || !m.payload.equals(p.payload))
    violate(
      "foreign_bytes",
      `${conn.name}: message ${m.n} to ${m.topic} came as ${topic} with ${p.payload.length} of ${m.payload.length} bytes`,
    );
  if (p.qos > 0 && again(model, conn, s, m, p)) return;
  const d = first(model, conn, s, m, p);
  if (d === null) return;
  // Of several without payload it may be an earlier one, by way of a group.
  const isSure = p.payload.length > 0;
  if (isSure && p.qos === 2 && s.persistent && d.via === "live" && d.ev > committed && !model.everFailed)
    violate("publish_before_commit", `${conn.name}: message ${m.n} of QoS 2 left before it was committed`);
  if (isSure) forwarded(model, conn, m, p);
  s.waiting.delete(d);
  d.state = "seen";
  d.seenEv = model.ev;
  d.seenOn = conn;
  d.seenAt = model.clock.monotonic;
  inOrder(model, conn, s, d);
  // Which connection of its session it is, is known of one that was let in for sure.
  if (conn.session !== null && p.dup && !d.again && !m.inHook && p.payload.length > 0 && d.firstConn >= conn.sessionNo)
    violate("dup_first", `${conn.name}: message ${m.n} came with DUP, but never before`);
  if (p.qos === 0) d.state = "done";
  else took(conn, s, d, p);
}

function messageOf(model: Model, s: Session, topic: string, p: Publish): Msg | null {
  if (p.payload.length > 0) return model.msgs[numberOf(p.payload)] ?? null;
  // An empty payload does not say whose it is: the first that can be meant.
  const waiting = [...s.byN.values()]
    .flat()
    .filter((d) => d.state === "waiting" && d.m.payload.length === 0 && d.m.topic === topic)
    .sort((a, b) => Number(b.must) - Number(a.must));
  const meant = waiting.find((d) => d.qos === p.qos && d.retain === p.retain);
  if (meant !== undefined && !(p.dup && s.inflight.get(p.id)?.m.topic === topic)) return meant.m;
  if (p.id > 0) {
    const d = s.inflight.get(p.id);
    if (d !== undefined && d.m.payload.length === 0) return d.m;
  }
  for (const list of model.shares.values())
    for (const x of list) if (x.m.payload.length === 0 && x.m.topic === topic && x.members.has(s) && x.taken?.s !== s) return x.m;
  if (waiting[0] !== undefined) return waiting[0].m;
  for (const [n] of s.byN)
    if ((model.msgs[n] as Msg).payload.length === 0 && (model.msgs[n] as Msg).topic === topic) return model.msgs[n] as Msg;
  if (model.disturbedEv > 0) return model.msgs.findLast((m) => m.payload.length === 0 && m.topic === topic) ?? null;
  return null;
}

/** Redelivery to a 3.x client whose first copy, or whose acknowledgement, was on its way: both copies arrive. */
function repeated(conn: Conn, s: Session, m: Msg, p: Publish): boolean {
  if (!p.dup || conn.version === 5 || !conn.transport.everLate) return false;
  const d = (s.byN.get(m.n) ?? []).find((x) => x.state === "done" && x.pid === p.id && x.seenOn === conn);
  if (d === undefined) return false;
  conn.todo.push({ type: p.qos === 1 ? 4 : 5, pid: p.id, d });
  return true;
}

/** A message that was sent before and is not acknowledged to the end: the same identifier, with DUP, on a later connection. */
function again(model: Model, conn: Conn, s: Session, m: Msg, p: Publish): boolean {
  const list = s.byN.get(m.n) ?? [];
  // Its publisher may have sent it again: then it is the new one that comes.
  const anew = list.some((x) => x.state === "waiting");
  const d = list.find(
    (x) =>
      (x.state === "seen" && (x.pid === p.id || x.unsent)) ||
      // A copy of QoS 0 does not come as one of QoS 1 or 2: that is the one for a group.
      (x.again && (x.state === "done" || (x.state === "skipped" && !anew && (x.qos > 0 || x.loose)))),
  );
  if (d === undefined) return repeated(conn, s, m, p);
  if (d.state === "done" && !p.dup && !d.unsent) return false;
  // With another identifier it is the copy of a group that is still owed.
  const owed = (x: Share): boolean => x.must && x.taken === null && x.members.has(s);
  if (d.state === "done" && d.pid !== p.id && model.shares.get(m.n)?.some(owed) === true) return false;
  if (!p.dup && d.unsent && p.qos === 2 && !model.everFailed)
    violate("publish_before_commit", `${conn.name}: message ${m.n} of QoS 2 came twice, it had left before that was committed`);
  else if (!p.dup && !d.unsent) violate("no_dup", `${conn.name}: message ${m.n} came again without DUP`);
  if (d.seenOn === conn && d.state === "seen") {
    if (conn.version === 5) violate("resent_live", `${conn.name}: message ${m.n} came again on a living connection [MQTT-4.4.0-1]`);
    else if (!conn.transport.everLate && model.clock.monotonic - d.seenAt < model.zone.retryIntervalMs - 100 && d.seenAt > 0)
      violate("resent_early", `${conn.name}: message ${m.n} came again after ${model.clock.monotonic - d.seenAt} ms`);
  }
  d.seenOn = conn;
  d.seenAt = model.clock.monotonic;
  d.again = d.unsent = false;
  d.seenEv = model.ev;
  d.state = "seen";
  if (d.pid !== p.id) s.inflight.delete(d.pid);
  d.pid = p.id;
  took(conn, s, d, p);
  return true;
}

function fits(d: Delivery, conn: Conn, p: Publish): boolean {
  if (d.loose) return true;
  if (d.qos !== p.qos || d.retain !== p.retain) return false;
  return conn.version !== 5 || same(d.ids, p.props?.subIds ?? []);
}

function same(a: readonly number[], b: readonly number[]): boolean {
  const x = b.toSorted((p, q) => p - q);
  return a.length === x.length && a.every((v, i) => v === x[i]);
}

function first(model: Model, conn: Conn, s: Session, m: Msg, p: Publish): Delivery | null {
  const list = s.byN.get(m.n) ?? [];
  let fitting = list.filter((x) => x.state === "waiting" && fits(x, conn, p));
  // With DUP it is one that may have been sent before.
  if (p.dup && fitting.some((x) => x.firstConn < conn.sessionNo)) fitting = fitting.filter((x) => x.firstConn < conn.sessionNo);
  const shares = model.shares.get(m.n) ?? [];
  const open = shares.filter((x) => x.taken === null && x.members.has(s) && shareFits(x, s, conn, p));
  // What is foretold goes before what may have any form.
  const known = fitting.filter((x) => !x.loose);
  const free = fitting.find((x) => x.loose);
  const exact = open.find((x) => x.must) ?? open.find((x) => !x.loose && !x.passedOn);
  const d = known.find((x) => isNext(model, s, x)) ?? (known.length > 0 ? (free ?? known[0]) : exact !== undefined ? undefined : free);
  // A copy for its group looks the same: it is that one, if the other would be out of order.
  const again = !p.dup || d === undefined || d.firstConn < conn.sessionNo;
  const next = d !== undefined && again && isNext(model, s, d);
  const share = next ? undefined : (exact ?? open[0] ?? exchanged(shares, s));
  if (d !== undefined && share === undefined && (!m.inHook || isNext(model, s, d))) {
    // Of two copies the first has come; the second may stay away if the first might have.
    const owed = fitting.find((x) => x.must);
    if (owed !== undefined && owed !== d) owed.must = false;
    return d;
  }
  if (share !== undefined) return takeShare(model, share, s, p);
  // Empty payloads look alike; and what a hook did in the middle of it, or a refusal, nobody can foretell.
  if (
    m.payload.length === 0 ||
    m.inHook ||
    (m.times === 0 && model.disturbedEv > 0) ||
    conn.unsure ||
    [m.ev, ...m.earlier].some((ev) => s.disturbedIn.has(ev)) ||
    // A hook ended its client while somebody subscribed, before and behind that; or before somebody unsubscribed.
    (m.kind === "will" && model.disturbedEv >= m.ev && (p.retain || s.leftEv === m.ev)) ||
    // It was published in the event in which the client left, and nobody knows which was first.
    model.graves.some((g) => g.s === s && g.ev === m.ev) ||
    shares.some((x) => x.passedOn || ((x.loose || model.killed) && x.members.has(s)))
  ) {
    const d = model.delivery(s, m, p.qos, p.retain, [], "share");
    d.firstConn = 0;
    return d;
  }
  const wrong = list.find((x) => x.state === "waiting");
  const told = `QoS ${p.qos} retain ${p.retain} identifiers ${p.props?.subIds.join(",") ?? ""}`;
  if (wrong !== undefined) {
    violate(
      "attributes",
      `${conn.name}: message ${m.n} to ${m.topic} came with ${told}; expected QoS ${wrong.qos} retain ${wrong.retain} identifiers ${wrong.ids.join(",")}`,
    );
    return wrong;
  }
  if (p.dup && s.disturbedIn.size > 0 && list.length > 0) return list[0] as Delivery;
  const late = list.find((x) => x.state === "skipped");
  if (late !== undefined && late.qos === p.qos && overtakenByGroup(model, s, late)) return late;
  // Published again, for its own subscription and for groups: which copy is which, cannot be seen.
  if (late !== undefined && m.times > 1 && shares.some((x) => x.members.has(s))) return late;
  if (late !== undefined)
    violate(
      late.qos === 0 && late.away ? "order_queued_qos0" : "order",
      `${conn.name}: message ${m.n} of ${m.from} to ${m.topic} came after a later one`,
    );
  else if (list.length > 0)
    violate(
      p.qos === 2 ? "qos2_twice" : "twice",
      `${conn.name}: message ${m.n} of ${m.from} to ${m.topic} came again (${told}, identifier ${p.id}, dup ${p.dup})`,
    );
  else if ((model.shares.get(m.n) ?? []).some((x) => x.members.has(s)))
    violate("share_twice", `${conn.name}: message ${m.n} to ${m.topic} had another member of the group already`);
  else
    violate(
      "not_for_you",
      `${conn.name}: message ${m.n} of ${m.from} to ${m.topic} (${told}) is none of its business; it subscribes to ${[...s.subs.keys()].join(" ")}`,
    );
  return null;
}

/** The copy of a member of several groups may have been booked for the wrong one: it is another's, and this one is free. */
function exchanged(shares: readonly Share[], s: Session): Share | undefined {
  return shares.find((x) => x.taken !== null && x.taken.s !== s && x.members.has(s) && freed(x, shares, new Set()));
}

/** Book what came for this group to another one of its taker's, or to its own subscription; for which others may have to move. */
function freed(x: Share, shares: readonly Share[], seen: Set<Share>): boolean {
  seen.add(x);
  const { taken } = x;
  if (taken === null) return true;
  const other = shares.find((y) => !seen.has(y) && gives(y, taken) && freed(y, shares, seen));
  if (other !== undefined) other.taken = taken;
  else {
    const own = taken.s.byN.get(taken.m.n)?.find((d) => mayBe(d) && d.qos === taken.qos);
    if (own === undefined) return false;
    own.state = taken.state;
    taken.s.waiting.delete(own);
  }
  x.taken = null;
  return true;
}

/** May the group have given that? */
function gives(x: Share, d: Delivery): boolean {
  const sub = x.members.get(d.s);
  return sub !== undefined && (x.loose || x.passedOn || sub.gets === d.qos);
}

/** What has come may have been this one. */
function mayBe(d: Delivery): boolean {
  return d.state === "waiting" || (d.state === "skipped" && !d.must);
}

function shareFits(x: Share, s: Session, conn: Conn, p: Publish): boolean {
  const sub = x.members.get(s);
  if (sub === undefined) return false;
  if (x.loose || x.passedOn) return true;
  if (sub.gets !== p.qos || p.retain !== (x.m.retain && sub.rap)) return false;
  return conn.version !== 5 || same(sub.id > 0 ? [sub.id] : [], p.props?.subIds ?? []);
}

function takeShare(model: Model, x: Share, s: Session, p: Publish): Delivery {
  const d = model.delivery(s, x.m, p.qos, p.retain, p.props?.subIds ?? [], "share");
  x.taken = d;
  d.firstConn = 0;
  return d;
}

/** A later one came before it; but that may have been the copy for a group, which is in no order with it. */
function overtakenByGroup(model: Model, s: Session, late: Delivery): boolean {
  const by = late.skippedBy;
  if (by === undefined || late.state !== "skipped") return false;
  if (by.lent === true) return true;
  const shares = model.shares.get(by.m.n) ?? [];
  const mayBeIt = (x: Share): boolean => x.taken?.s !== s && x.members.get(s)?.gets === by.qos;
  const group = shares.find((x) => mayBeIt(x) && freed(x, shares, new Set()));
  if (group === undefined) return false;
  group.taken = by;
  by.lent = true;
  if (by.via === "live") ownAgain(s, by);
  return true;
}

/** What came was the copy of a group: the session's own is still to come, in the place that the other one had. */
function ownAgain(s: Session, lent: Delivery): void {
  const o = s.order.get(orderKey(lent));
  const at = o?.list.indexOf(lent) ?? -1;
  if (o === undefined || at < 0) return;
  // Behind a later one it must not come any more.
  const must = lent.must && at >= o.from;
  const { lent: _, ...rest } = lent;
  const own: Delivery = {
    ...rest,
    must,
    state: "waiting",
    pid: 0,
    rec: false,
    seenOn: null,
    seenAt: 0,
    doneEv: 0,
    again: false,
    seenEv: 0,
    unsent: false,
  };
  o.list[at] = own;
  s.byN.get(own.m.n)?.push(own);
  s.waiting.add(own);
}

/** Nothing unexpired that has to come of the same publisher, topic and QoS waits before it. */
function isNext(model: Model, s: Session, d: Delivery): boolean {
  const o = s.order.get(orderKey(d));
  if (o === undefined || d.via !== "live") return true;
  for (let i = o.from; i < o.list.length; i++) {
    const x = o.list[i] as Delivery;
    if (x === d) return true;
    if (x.state === "waiting" && x.must && !model.maybeExpired(x.m)) return false;
  }
  return true;
}

/** Earlier ones of the same publisher, topic and QoS cannot come any more [MQTT-4.6.0-6]. */
function inOrder(model: Model, conn: Conn, s: Session, d: Delivery): void {
  if (d.via !== "live" || d.loose || d.m.payload.length === 0) return;
  const o = s.order.get(orderKey(d));
  const at = o?.list.indexOf(d) ?? -1;
  if (o === undefined || at < o.from) return;
  for (; o.from < at; o.from++) {
    const x = o.list[o.from] as Delivery;
    if (x.state !== "waiting" || x.loose || x.m.payload.length === 0) continue;
    if (x.must && !model.maybeExpired(x.m))
      violate(
        x.qos === 0 && x.away ? "order_queued_qos0" : "order",
        `${conn.name}: message ${d.m.n} to ${d.m.topic} came, ${x.m.n} before it did not`,
      );
    x.state = "skipped";
    x.skippedBy = d;
    s.waiting.delete(x);
  }
}

function forwarded(model: Model, conn: Conn, m: Msg, p: Publish): void {
  const limit = m.expiresWall;
  if (limit > 0 && !p.dup && model.clock.wall >= limit + 1000 && model.clock.monotonic >= m.expiresMono + 1000 && !conn.transport.everLate)
    violate("expired", `${conn.name}: message ${m.n} came ${model.clock.monotonic - m.expiresMono} ms after it expired`);
  if (conn.version !== 5 || p.props === null) return;
  const left = p.props.values.get(2) as number | undefined;
  if ((left === undefined) !== (m.props.messageExpiry === undefined))
    violate("properties", `${conn.name}: message ${m.n}: expiry interval ${left}, published with ${m.props.messageExpiry}`);
  if (left !== undefined && left > Math.max(1, m.props.messageExpiry as number))
    violate("properties", `${conn.name}: message ${m.n}: expiry interval grew to ${left}`);
  const { user } = p.props;
  const correlation = p.props.values.get(9) as Buffer | undefined;
  if (
    (m.props.user === undefined
      ? user.length !== 0
      : user.length !== 1 || user[0]?.[0] !== m.props.user[0] || user[0]?.[1] !== m.props.user[1]) ||
    correlation?.toString() !== m.props.correlation ||
    p.props.values.get(8) !== m.props.responseTopic
  )
    violate(
      "properties",
      `${conn.name}: message ${m.n}: user ${JSON.stringify(user)}, correlation ${correlation}, published with ${JSON.stringify(m.props)}`,
    );
}

/** QoS 1 and 2: the client notes it and owes an acknowledgement. */
function took(conn: Conn, s: Session, d: Delivery, p: Publish): void {
  const other = s.inflight.get(p.id);
  if (other !== undefined && other !== d && other.state === "seen" && !other.again && other.m !== d.m)
    violate("identifier_in_use", `${conn.name}: identifier ${p.id} of message ${d.m.n} belongs to message ${other.m.n}`);
  d.pid = p.id;
  s.inflight.set(p.id, d);
  conn.outstanding.add(p.id);
  const max = conn.version === 5 ? (conn.fields?.receiveMaximum ?? 65535) : 65535;
  if (conn.outstanding.size > max)
    violate("receive_maximum", `${conn.name}: ${conn.outstanding.size} messages unacknowledged, Receive Maximum is ${max}`);
  if (p.qos === 1) conn.todo.push({ type: 4, pid: p.id, d });
  else {
    const { incoming } = s;
    if (!incoming.has(p.id) || conn.client.wasSmall) incoming.set(p.id, d.m.n);
    else if (incoming.get(p.id) !== d.m.n)
      violate("identifier_in_use", `${conn.name}: identifier ${p.id} was not released and comes with another message`);
    conn.todo.push({ type: 5, pid: p.id, d });
  }
}
