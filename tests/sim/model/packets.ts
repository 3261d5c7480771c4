/** The naive broker reads a client's packet: what must be answered, who is owed what, and who must be closed. */
import type { Conn, Sent } from "../conn.ts";
import { letOff, type Model } from "./model.ts";
import { matches, parseFilter, STOPPED } from "./topics.ts";
import type { Delivery, Msg, Session, Sub } from "./types.ts";

/** Topics under it are denied by the access rules, those under CHANGED now and then; under SLOW the answer comes later. */
export const DENIED = "no/";
export const CHANGED = "x/";
export const SLOW = "s/";

const QUOTA_EXCEEDED = 0x97;
const NOT_AUTHORIZED = 0x87;

export interface Outside {
  /** Is the answer of the access chain for this packet still awaited? */
  waits(conn: Conn, sent: Sent): boolean;
  banned(clientId: string): boolean;
  delayedRuns(): boolean;
  /** By the access rules, now. */
  denies(topic: string): boolean;
}

/** All packets the broker has handled by now. */
export function process(model: Model, conn: Conn, out: Outside): void {
  for (;;) {
    const sent = conn.queue[0];
    if (sent === undefined || conn.phase === "closed" || (conn.phase === "connecting" && sent.kind !== "connect")) break;
    if (sent.kind === "connect") sent.came ??= model.ev;
    // The rules are asked when the packet comes, whenever the answer does.
    if (sent.kind === "subscribe") sent.denied ??= sent.requests.map((r) => out.denies(parseFilter(r.filter)?.filter ?? ""));
    // Its time runs from its arrival, not from when somebody has allowed it.
    if (sent.kind === "publish") sent.came ??= model.clockNow();
    if (!conn.headFree && out.waits(conn, sent)) return;
    conn.headFree = false;
    conn.queue.shift();
    one(model, conn, sent, out);
  }
  if (conn.phase !== "closed") return;
  // Whether what it sent behind something a hook interfered with was still read, nobody knows.
  if (conn.unsure || conn.doubtful)
    for (const sent of conn.queue) {
      if (sent.kind === "publish") perhapsRead(model, conn, sent);
      else if (sent.kind === "subscribe") perhapsSubscribed(model, conn, sent);
    }
  conn.queue.length = 0;
}

function perhapsRead(model: Model, conn: Conn, sent: Sent & { kind: "publish" }): void {
  const { m, pid } = sent;
  m.inHook = true;
  if (m.retain && model.retainer) model.keep(m, true);
  const rels = model.session(conn.client.id)?.awaitingRel;
  if (m.qos === 2 && rels?.has(pid) === false) rels.set(pid, { at: model.clock.monotonic, ev: model.ev, m: m.n, unsure: true });
}

/** Retained messages may be on their way. */
function perhapsSubscribed(model: Model, conn: Conn, sent: Sent & { kind: "subscribe" }): void {
  const s = model.session(conn.client.id);
  if (s === undefined || !model.retainer) return;
  for (const r of sent.requests) {
    const parsed = parseFilter(r.filter);
    if (parsed === null || parsed.group !== null || r.rh === 2) continue;
    const sub: Sub = { full: r.filter, ...parsed, qos: r.qos, nl: r.nl, rap: r.rap, rh: r.rh, id: sent.subId, ev: model.ev };
    for (const { m } of model.retainedFor(parsed.filter)) model.owe(s, m, [sub], "retained", true, true).firstConn = 0;
  }
}

function one(model: Model, conn: Conn, sent: Sent, out: Outside): void {
  switch (sent.kind) {
    case "connect":
      connect(model, conn, sent, out);
      return;
    case "subscribe":
      subscribe(model, conn, sent);
      return;
    case "unsubscribe":
      unsubscribe(model, conn, sent);
      return;
    case "publish":
      model.came = sent.came ?? null;
      publish(model, conn, sent, out);
      model.came = null;
      return;
    case "ack":
      ack(model, conn, sent);
      return;
    case "ping":
      conn.expect("pingresp", 0, { ev: model.ev });
      return;
    case "disconnect":
      disconnect(model, conn, sent);
      return;
    case "bad":
      close(model, conn, sent.why, sent.codes);
  }
}

function close(model: Model, conn: Conn, why: string, codes: readonly number[]): void {
  conn.mustClose = { why, codes };
  model.closed(conn, false);
}

function connect(model: Model, conn: Conn, sent: Sent & { kind: "connect" }, out: Outside): void {
  const { fields } = sent;
  const full = model.short && !model.storeFails && !conn.doubtful && model.session(fields.clientId) === undefined;
  // A ban that was made while it waited holds, too.
  if (sent.refuse === true || full || out.banned(fields.clientId)) {
    conn.expect("connack", 0, { codes: null, ev: model.ev });
    conn.mustClose = { why: "refused", codes: [] };
    conn.phase = "closed";
    return;
  }
  overtake(model, conn, sent, !model.storeFails && !conn.doubtful);
  if (model.storeFails || conn.doubtful) {
    // Whether it is let in, the broker decides; the model looks when the event is over.
    conn.expect("connack", 0, { codes: null, ev: model.ev, may: true });
    if (sent.will !== null) model.wills.set(sent.will.n, "unsure");
    conn.pendingWill = sent.will === null || fields.will === undefined ? null : { m: sent.will, delay: fields.will.delay };
    conn.phase = "connecting";
    conn.unsure = true;
    // It may have been connected for a moment, in which what is too large for it was dropped.
    const known = model.session(fields.clientId);
    if (known !== undefined) {
      known.connNo++;
      model.dropTooLarge(known, fields.maxPacket ?? 0);
    }
    return;
  }
  let s = model.session(fields.clientId);
  const old = s?.conn ?? null;
  if (old !== null) {
    old.mustClose = { why: "taken over", codes: [0x8e] };
    model.closed(old, false);
  }
  s = model.session(fields.clientId);
  if (s !== undefined && fields.clean) {
    model.end(s);
    s = undefined;
  }
  const present = s !== undefined;
  s ??= model.create(fields.clientId, fields.version);
  if (s.will !== null) model.wills.set(s.will.n, "off");
  s.will = null;
  s.conn = conn;
  s.connNo++;
  // All of it may come in this turn.
  for (const d of [...s.waiting, ...s.inflight.values()]) s.turnBytes += d.m.payload.length;
  s.changedEv = model.ev;
  s.version = fields.version;
  s.endsAt = Number.POSITIVE_INFINITY;
  s.expiry =
    fields.version === 5 ? (fields.expiry ?? 0) : fields.clean ? 0 : Math.max(1, Math.floor(model.zone.sessionExpiryIntervalMs / 1000));
  conn.session = s;
  conn.phase = "connected";
  conn.sessionNo = s.connNo;
  conn.connectedAt = model.clock.monotonic;
  model.attached(s);
  // Its client has forgotten what it still has to release there, and may send more than it may have on the way.
  if (s.revived && s.awaitingRel.size > 0) conn.mayClose ||= "its session is one it had given up";
  conn.keepaliveMs = Math.round(fields.keepalive * 2000 * model.zone.keepaliveBackoff);
  if (sent.will !== null && fields.will !== undefined) {
    conn.will = { m: sent.will, delay: fields.will.delay };
    model.wills.set(sent.will.n, "set");
  }
  conn.expect("connack", 0, {
    codes: [0],
    present: fields.version === 3 ? null : present,
    ev: model.ev,
    may: conn.doubtful || model.storeFails,
  });
}

/** CONNECTs of this client id that came before, and still wait, are over [MQTT-3.1.4-3]. `sure`: it is let in. */
function overtake(model: Model, conn: Conn, sent: Sent & { kind: "connect" }, sure: boolean): void {
  for (const c of conn.client.conns) {
    const [head] = c.queue;
    if (c === conn || c.phase === "closed" || head?.kind !== "connect" || head.came === undefined) continue;
    if (head.came >= (sent.came as number)) continue;
    if (c.version === 5) c.expect("connack", 0, { codes: null, ev: model.ev, may: !sure });
    if (sure) {
      c.mustClose = { why: "a later CONNECT was let in", codes: [] };
      c.phase = "closed";
    } else c.mayClose ||= "a later CONNECT may have been let in";
  }
}

function subscribe(model: Model, conn: Conn, sent: Sent & { kind: "subscribe" }): void {
  const s = conn.session as Session;
  const each: number[][] = [];
  const made: { sub: Sub; isNew: boolean }[] = [];
  for (const [i, r] of sent.requests.entries()) {
    const parsed = parseFilter(r.filter) as { group: string | null; filter: string };
    if (sent.denied?.[i] === true) {
      each.push([conn.version === 5 ? NOT_AUTHORIZED : 0x80]);
      continue;
    }
    each.push([r.qos]);
    const known = s.subs.get(r.filter);
    const sub: Sub = { full: r.filter, ...parsed, qos: r.qos, nl: r.nl, rap: r.rap, rh: r.rh, id: sent.subId, ev: model.ev };
    s.subs.set(r.filter, sub);
    made.push({ sub, isNew: known === undefined });
  }
  conn.expect("suback", sent.id, { each, ev: model.ev, may: conn.doubtful || model.storeFails });
  if (model.retainer) for (const x of made) owedRetained(model, s, x.sub, x.isNew);
}

/** Retained messages for a new subscription (3.3.1.3, Retain Handling 3.8.3.1). */
export function owedRetained(model: Model, s: Session, sub: Sub, isNew: boolean): void {
  if (sub.group !== null || sub.rh === 2 || (sub.rh === 1 && !isNew)) return;
  // Sending for the same filter begins anew.
  for (const d of s.waiting) if (d.via === "retained" && matches(d.m.topic, sub.filter)) letOff(d, "subscribed again");
  for (const { m, sure } of model.retainedFor(sub.filter)) {
    const d = model.owe(s, m, [sub], "retained", true, !sure);
    // Whether No Local counts for retained messages, the specification does not say.
    if (sub.nl && m.from === s.id) letOff(d, "own message");
    if (s.conn === null) letOff(d, "away");
    if (model.zone.maxMqueueLen > 0 && s.waiting.size * 2 >= model.zone.maxMqueueLen) letOff(d, "no room");
  }
}

function unsubscribe(model: Model, conn: Conn, sent: Sent & { kind: "unsubscribe" }): void {
  const s = conn.session as Session;
  const each = sent.filters.map((f) => {
    const known = s.subs.get(f);
    if (known !== undefined) dropSub(model, s, known);
    // What the model took over from the broker in this event may be what was left behind this very packet.
    if (s.disturbed || s.disturbedIn.has(model.ev)) return [0, 0x11];
    return [known === undefined ? 0x11 : 0];
  });
  conn.expect("unsuback", sent.id, { each: conn.version === 5 ? each : null, ev: model.ev, may: conn.doubtful || model.storeFails });
}

export function dropSub(model: Model, s: Session, sub: Sub): void {
  s.leftEv = model.ev;
  s.subs.delete(sub.full);
  for (const d of s.waiting) if (d.via === "retained" && matches(d.m.topic, sub.filter)) letOff(d, "unsubscribed");
}

/** Is there somebody who must get it even after a kill? */
function kept(model: Model, m: Msg): boolean {
  for (const s of model.sessions.values()) {
    if (!s.persistent) continue;
    for (const d of s.byN.get(m.n) ?? []) if (d.qos > 0 && d.must && d.ev === model.ev) return true;
  }
  return false;
}

function publish(model: Model, conn: Conn, sent: Sent & { kind: "publish" }, out: Outside): void {
  const s = conn.session as Session;
  const { m, pid } = sent;
  const type = m.qos === 1 ? "puback" : "pubrec";
  const may = conn.doubtful || model.storeFails;
  const answer = (codes: readonly number[] | null, durable: boolean): void => {
    if (m.qos > 0) conn.expect(type, pid, { codes: conn.version === 5 && !may ? codes : null, may, ev: model.ev, durable, m });
  };
  const swallow = (): void => {
    if (m.qos === 2 && conn.version !== 5) s.awaitingRel.set(pid, { at: model.clock.monotonic, ev: model.ev, m: m.n, unsure: may });
  };
  if (sent.refuse === true || out.denies(m.topic)) {
    const waits = m.qos === 2 ? s.awaitingRel.get(pid) : undefined;
    // Taken when it came first, and perhaps given up meanwhile.
    if (waits !== undefined) answer(waits.unsure || model.clock.monotonic >= waits.at + model.relLimit ? null : [0], false);
    else {
      swallow();
      answer([NOT_AUTHORIZED], false);
    }
    return;
  }
  let doubtful = may;
  if (m.qos === 2) {
    const waits = s.awaitingRel.get(pid);
    if (waits !== undefined) {
      if (!waits.unsure && model.clock.monotonic < waits.at + model.relLimit) {
        answer([0], false);
        return;
      }
      // It may have been given up meanwhile.
      doubtful = true;
    }
    s.awaitingRel.set(pid, { at: model.clock.monotonic, ev: model.ev, m: m.n, unsure: may || waits !== undefined });
  }
  if (sent.delay !== undefined && out.delayedRuns()) {
    if (model.short && !doubtful) {
      // Refused, and nobody gets it: 3.x does not hear of it.
      if (conn.version === 5) s.awaitingRel.delete(pid);
      answer([QUOTA_EXCEEDED], conn.version !== 5 && m.qos === 2 && s.persistent);
      return;
    }
    const ms = sent.delay * 1000;
    const known = model.delayed.get(m.n);
    const copies = (known?.copies ?? 0) + 1;
    const owed = (known?.owed ?? 0) + (doubtful ? 0 : 1);
    model.delayed.set(m.n, {
      m,
      copies,
      dueWall: Math.min(known?.dueWall ?? Number.POSITIVE_INFINITY, model.clock.wall + ms),
      dueMono: Math.min(known?.dueMono ?? Number.POSITIVE_INFINITY, model.clock.monotonic + ms),
      ev: model.ev,
      owed,
      ms,
    });
    answer(doubtful ? null : [0], !doubtful);
    return;
  }
  const retains = m.retain && model.retainer && !m.topic.startsWith(STOPPED);
  const grows = retains ? model.grows(m) : "no";
  if (conn.version === 5 && m.qos > 0 && grows !== "no") {
    if (grows === "yes" && !doubtful) {
      // Refused, and nobody gets it.
      s.awaitingRel.delete(pid);
      answer([QUOTA_EXCEEDED], false);
      return;
    }
    doubtful = true;
    // Refused, it is new when it comes again.
    const waits = s.awaitingRel.get(pid);
    if (waits !== undefined) waits.unsure = true;
  }
  const keeps = grows === "no" && retains && !doubtful && m.payload.length > 0;
  const any = sent.delay !== undefined ? false : model.publish(m, doubtful);
  const durable = kept(model, m) || keeps || (m.qos === 2 && s.persistent);
  answer(doubtful || model.disturbedEv === model.ev ? null : any ? [0] : [0x10], durable && !doubtful);
}

export function settle(model: Model, d: Delivery): void {
  d.state = "done";
  d.doneEv = model.ev;
  d.s.inflight.delete(d.pid);
}

function ack(model: Model, conn: Conn, sent: Sent & { kind: "ack" }): void {
  const s = conn.session as Session;
  const { pid, type, code } = sent;
  if (type === 6) {
    const since = s.awaitingRel.get(pid);
    // Past its time the broker may have given it up: then there is nothing to write.
    const had = since !== undefined && model.clock.monotonic < since.at + model.relLimit;
    s.awaitingRel.delete(pid);
    conn.expect("pubcomp", pid, {
      codes: had && !conn.doubtful ? [0, 0x92] : null,
      ev: model.ev,
      may: conn.doubtful || model.storeFails,
      // Come again and not known to be new, it counts from when it came first: the broker may have given it up before.
      durable: had && !since.unsure && s.persistent,
    });
    return;
  }
  const d = s.inflight.get(pid);
  if (conn.doubtful && d !== undefined) {
    // Whether the broker came to read it, nobody knows.
    d.again = true;
    for (const x of model.shares.get(d.m.n) ?? []) x.passedOn ||= x.taken === d;
  }
  if (type === 4) {
    conn.outstanding.delete(pid);
    if (d !== undefined && d.qos === 1) settle(model, d);
  } else if (type === 5) {
    if (code >= 0x80) {
      conn.outstanding.delete(pid);
      if (d !== undefined && d.qos === 2) settle(model, d);
      return;
    }
    s.recs.add(pid);
    const fresh = d !== undefined && d.qos === 2 && !d.rec;
    if (d !== undefined && d.qos === 2) d.rec = true;
    conn.expect("pubrel", pid, { ev: model.ev, may: conn.doubtful || model.storeFails, durable: fresh && s.persistent });
  } else {
    conn.outstanding.delete(pid);
    if (d?.rec === true) settle(model, d);
  }
}

function disconnect(model: Model, conn: Conn, sent: Sent & { kind: "disconnect" }): void {
  const s = conn.session as Session;
  if (sent.expiry !== undefined) {
    if (s.expiry === 0 && sent.expiry > 0) {
      close(model, conn, "session expiry was 0 in CONNECT", [0x82]);
      return;
    }
    s.expiry = sent.expiry;
    s.changedEv = model.ev;
  }
  conn.mustClose = { why: "client left", codes: [] };
  model.closed(conn, sent.code === 0);
}
