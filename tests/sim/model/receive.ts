/** A client reads what the broker sent: may it be, is it whole, is it the client's, is it in order? */
import type { Conn, Expected } from "../conn.ts";
import { DecodeError, type Received } from "../decode.ts";
import { violate } from "../violation.ts";
import type { Model } from "./model.ts";
import { numberOf } from "./payload.ts";
import { type Delivery, type Msg, orderKey, type Session, type Share } from "./types.ts";

type Publish = Received & { type: "publish" };

/** Everything the peer's side has taken since the last look. */
export function read(model: Model, conn: Conn): void {
  const { taken } = conn.transport;
  if (taken.length === 0) return;
  if (conn.silent) {
    taken.length = 0;
    return;
  }
  for (const t of taken) {
    conn.readBytes += t.bytes.length;
    try {
      conn.decoder.feed(t.bytes, (p) => packet(model, conn, p, t.committed));
    } catch (err) {
      if (!(err instanceof DecodeError)) throw err;
      violate(
        "not_mqtt",
        `${conn.name} got bytes that are no MQTT ${conn.version}: ${err.message}; ${t.bytes.subarray(0, 80).toString("latin1")}`,
      );
    }
  }
  taken.length = 0;
}

function packet(model: Model, conn: Conn, p: Received, committed: number): void {
  conn.readPackets++;
  const max = conn.fields?.maxPacket ?? 0;
  if (max > 0 && p.size > max)
    violate(
      p.type === "publish" ? "too_large_publish" : "too_large",
      `${conn.name}: ${p.type} of ${p.size} bytes, Maximum Packet Size is ${max}`,
    );
  if (conn.connack < 0 && p.type !== "connack") violate("before_connack", `${conn.name} got ${p.type} before CONNACK`);
  switch (p.type) {
    case "publish":
      return published(model, conn, p, committed);
    case "connack":
      return connack(conn, p);
    case "suback":
    case "unsuback":
      return answered(model, conn, p.type, p.id, p.codes, committed);
    case "pingresp":
      return answered(model, conn, p.type, 0, [], committed);
    case "puback":
    case "pubrec":
    case "pubcomp": {
      answered(model, conn, p.type, p.id, [p.code], committed);
      const { outgoing } = conn.client;
      const mine = outgoing.get(p.id);
      if (mine === undefined) return;
      if (p.type !== "pubrec" || p.code >= 0x80) outgoing.delete(p.id);
      else {
        mine.released = true;
        conn.todo.push({ type: 6, pid: p.id, d: null });
      }
      return;
    }
    case "pubrel":
      return released(model, conn, p.id, committed);
    case "disconnect":
      return disconnected(conn, p.code);
  }
}

function connack(conn: Conn, p: Received & { type: "connack" }): void {
  if (conn.connack >= 0) violate("connack_twice", conn.name);
  conn.connack = p.code;
  const e = conn.expected.get("connack")?.shift();
  if (e === undefined) {
    violate("connack_unexpected", `${conn.name}: code ${p.code}`);
    return;
  }
  if (!e.may && (e.codes === null ? p.code === 0 : p.code !== 0)) violate("connack_code", `${conn.name}: code ${p.code}`);
  if (p.code !== 0) return;
  if (e.present !== null && e.present !== p.present && !e.may)
    violate("session_present", `${conn.name}: session present ${p.present}, expected ${e.present}`);
  const { client } = conn;
  const present = conn.version === 3 ? conn.session?.connNo !== 1 : p.present;
  if (!present) client.forget(conn.no);
  else for (const [pid, o] of client.outgoing) if (o.on < conn.no) conn.todo.push({ type: o.released ? 6 : 4, pid, d: null, resend: true });
}

function answered(model: Model, conn: Conn, type: string, id: number, codes: readonly number[], committed: number): void {
  const list = conn.expected.get(type) ?? [];
  let e: Expected | undefined;
  // What may stay away does not hold up the others.
  while (list.length > 0) {
    const next = list.shift() as Expected;
    if (next.id === id) {
      e = next;
      break;
    }
    if (!next.may && !conn.unsure) {
      violate("answer_order", `${conn.name}: ${type} ${id} came, next was to be ${next.id}`);
      return;
    }
  }
  if (e === undefined) {
    if (conn.unsure) return;
    violate("answer_unexpected", `${conn.name}: ${type} ${id} answers nothing`);
    return;
  }
  const ok = (code: number, allowed: readonly number[] | null | undefined): boolean =>
    allowed === null || allowed === undefined || allowed.includes(code);
  const bad =
    e.each !== null ? codes.length !== e.each.length || codes.some((c, i) => !ok(c, e.each?.[i])) : codes.some((c) => !ok(c, e.codes));
  if (bad && !e.may)
    violate("answer_code", `${conn.name}: ${type} ${id} says ${codes.join(" ")}, expected ${JSON.stringify(e.each ?? e.codes)}`);
  const refused = (codes[0] ?? 0) >= 0x80;
  if (e.durable && !refused && e.ev > committed) {
    violate(
      `ack_before_commit${model.everFailed ? "_failing" : ""}`,
      `${conn.name}: ${type} ${id} left before what it promises was committed`,
    );
  }
  if (refused && e.m !== null) for (const s of model.sessions.values()) for (const d of s.byN.get(e.m.n) ?? []) d.must = false;
}

function released(model: Model, conn: Conn, pid: number, committed: number): void {
  const list = conn.expected.get("pubrel");
  const at = list?.findIndex((e) => e.id === pid) ?? -1;
  const s = conn.session as Session;
  if (at >= 0) {
    const e = (list as Expected[])[at] as Expected;
    list?.splice(at, 1);
    if (e.durable && e.ev > committed)
      violate(`ack_before_commit${model.everFailed ? "_failing" : ""}`, `${conn.name}: PUBREL ${pid} left before PUBREC was committed`);
  } else if (!s.recs.has(pid)) violate("pubrel_unexpected", `${conn.name}: PUBREL ${pid}, but no PUBREC was sent for it`);
  const { incoming } = conn.client;
  conn.todo.push({ type: 7, pid, d: s.inflight.get(pid) ?? null });
  incoming.delete(pid);
}

function disconnected(conn: Conn, code: number): void {
  if (conn.mustClose !== null && conn.mustClose.codes.length > 0 && !conn.mustClose.codes.includes(code) && conn.mayClose === "")
    violate(
      "disconnect_code",
      `${conn.name}: DISCONNECT ${code.toString(16)}, expected ${conn.mustClose.codes.map((c) => c.toString(16))} (${conn.mustClose.why})`,
    );
}

// ---- PUBLISH

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

function published(model: Model, conn: Conn, p: Publish, committed: number): void {
  const topic = topicOf(conn, p);
  const s = conn.session;
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
  if (p.qos === 2 && s.persistent && d.via === "live" && d.ev > committed && !model.everFailed)
    violate("publish_before_commit", `${conn.name}: message ${m.n} of QoS 2 left before it was committed`);
  if (p.payload.length > 0) forwarded(model, conn, m, p);
  s.waiting.delete(d);
  d.state = "seen";
  d.seenEv = model.ev;
  d.seenOn = conn;
  d.seenAt = model.clock.monotonic;
  inOrder(model, conn, s, d);
  if (p.dup && !d.again && (d.firstConn >= s.connNo || conn !== s.conn))
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
  return null;
}

/** A message that was sent before and is not acknowledged to the end: the same identifier, with DUP, on a later connection. */
function again(model: Model, conn: Conn, s: Session, m: Msg, p: Publish): boolean {
  const d = (s.byN.get(m.n) ?? []).find((x) => (x.state === "seen" && (x.pid === p.id || x.unsent)) || (x.again && x.state === "done"));
  if (d === undefined || (d.state === "done" && !p.dup)) return false;
  if (!p.dup && d.unsent && p.qos === 2)
    violate("publish_before_commit", `${conn.name}: message ${m.n} of QoS 2 came twice, it had left before that was committed`);
  else if (!p.dup && !d.unsent) violate("no_dup", `${conn.name}: message ${m.n} came again without DUP`);
  if (d.seenOn === conn && d.state === "seen") {
    if (conn.version === 5) violate("resent_live", `${conn.name}: message ${m.n} came again on a living connection [MQTT-4.4.0-1]`);
    else if (!conn.transport.everFull && model.clock.monotonic - d.seenAt < model.zone.retryIntervalMs - 100 && d.seenAt > 0)
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
  const fitting = list.filter((x) => x.state === "waiting" && fits(x, conn, p));
  const shares = model.shares.get(m.n) ?? [];
  const open = shares.filter((x) => x.taken === null && x.members.has(s) && shareFits(x, s, conn, p));
  const d = fitting[0];
  // A copy for its group looks the same: it is that one, if the other would be out of order.
  if (d !== undefined && (open.length === 0 || isNext(s, d))) {
    // Of two copies the first has come; the second may stay away if the first might have.
    const owed = fitting.find((x) => x.must);
    if (owed !== undefined && owed !== d) owed.must = false;
    return d;
  }
  const share = open.find((x) => x.must) ?? open[0] ?? exchanged(shares, s);
  if (share !== undefined) return takeShare(model, share, s, p);
  // Empty payloads look alike; and what a hook did in the middle of it, nobody can foretell.
  if (m.payload.length === 0 || m.inHook || s.disturbedIn.has(m.ev) || shares.some((x) => (x.passedOn || x.loose) && x.members.has(s)))
    return model.delivery(s, m, p.qos, p.retain, [], "share");
  const wrong = list.find((x) => x.state === "waiting");
  const told = `QoS ${p.qos} retain ${p.retain} identifiers ${p.props?.subIds.join(",") ?? ""}`;
  if (wrong !== undefined) {
    violate(
      "attributes",
      `${conn.name}: message ${m.n} to ${m.topic} came with ${told}; expected QoS ${wrong.qos} retain ${wrong.retain} identifiers ${wrong.ids.join(",")}`,
    );
    return wrong;
  }
  if (list.some((x) => x.state === "skipped"))
    violate("order", `${conn.name}: message ${m.n} of ${m.from} to ${m.topic} came after a later one`);
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

/** The copy of a member of two groups may have been booked for the wrong one: it is the other's, and this one is free. */
function exchanged(shares: readonly Share[], s: Session): Share | undefined {
  for (const x of shares) {
    const { taken } = x;
    if (taken === null || taken.s === s || !x.members.has(s)) continue;
    const other = shares.find((y) => y.taken === null && y.members.has(taken.s));
    if (other === undefined) continue;
    other.taken = taken;
    x.taken = null;
    return x;
  }
  return undefined;
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

/** Nothing of the same publisher, topic and QoS waits before it. */
function isNext(s: Session, d: Delivery): boolean {
  const o = s.order.get(orderKey(d));
  if (o === undefined || d.via !== "live") return true;
  for (let i = o.from; i < o.list.length; i++) {
    const x = o.list[i] as Delivery;
    if (x === d) return true;
    if (x.state === "waiting") return false;
  }
  return true;
}

/** Earlier ones of the same publisher, topic and QoS cannot come any more [MQTT-4.6.0-6]. */
function inOrder(model: Model, conn: Conn, s: Session, d: Delivery): void {
  if (d.via !== "live" || d.loose) return;
  const o = s.order.get(orderKey(d));
  const at = o?.list.indexOf(d) ?? -1;
  if (o === undefined || at < o.from) return;
  for (; o.from < at; o.from++) {
    const x = o.list[o.from] as Delivery;
    if (x.state !== "waiting" || x.loose) continue;
    if (x.must && !model.maybeExpired(x.m))
      violate("order", `${conn.name}: message ${d.m.n} to ${d.m.topic} came, ${x.m.n} before it did not`);
    x.state = "skipped";
    s.waiting.delete(x);
  }
}

function forwarded(model: Model, conn: Conn, m: Msg, p: Publish): void {
  const limit = m.expiresWall;
  if (limit > 0 && model.clock.wall >= limit + 1000 && model.clock.monotonic >= m.expiresMono + 1000 && !conn.transport.everFull)
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
  if (other !== undefined && other !== d && other.state === "seen" && !other.again)
    violate("identifier_in_use", `${conn.name}: identifier ${p.id} of message ${d.m.n} belongs to message ${other.m.n}`);
  d.pid = p.id;
  s.inflight.set(p.id, d);
  conn.outstanding.add(p.id);
  const max = conn.version === 5 ? (conn.fields?.receiveMaximum ?? 65535) : 65535;
  if (conn.outstanding.size > max)
    violate("receive_maximum", `${conn.name}: ${conn.outstanding.size} messages unacknowledged, Receive Maximum is ${max}`);
  if (p.qos === 1) conn.todo.push({ type: 4, pid: p.id, d });
  else {
    const { incoming } = conn.client;
    if (!incoming.has(p.id)) incoming.set(p.id, d.m.n);
    else if (incoming.get(p.id) !== d.m.n)
      violate("identifier_in_use", `${conn.name}: identifier ${p.id} was not released and comes with another message`);
    conn.todo.push({ type: 5, pid: p.id, d });
  }
}
