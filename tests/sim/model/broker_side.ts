/** What the broker does by itself, and what nobody can foretell: the model looks, and takes over. */
import type { Broker } from "../../../server/core/broker.ts";
import type { Conn } from "../conn.ts";
import { violate } from "../violation.ts";
import type { Model } from "./model.ts";
import type { Msg, Session, Sub } from "./types.ts";

/** A will, a delayed message or a hook's message goes out now. */
export function brokerPublished(model: Model, n: number): void {
  const m = model.msgs[n] as Msg;
  if (m.kind === "will") will(model, m);
  else if (m.kind === "delayed") delayed(model, m);
  else model.publish(m, m.inHook);
}

function will(model: Model, m: Msg): void {
  const now = model.clock.monotonic;
  const s = [...model.sessions.values()].find((x) => x.will?.n === m.n);
  const state = model.wills.get(m.n);
  if (s?.will != null) {
    if (!s.will.loose && now < s.will.due && now < s.endsAt && !s.disturbed)
      violate("will_early", `will ${m.n} of ${m.from} was published ${s.will.due - now} ms too early`);
    s.will = null;
  } else if (state !== "unsure" && state !== "set") violate("will_unexpected", `will ${m.n} of ${m.from} was published; it is ${state}`);
  model.wills.set(m.n, "sent");
  model.publish(m, model.disturbedEv === model.ev);
}

function delayed(model: Model, m: Msg): void {
  const d = model.delayed.get(m.n);
  if (d === undefined && model.disturbedEv > 0) {
    model.publish(m, true);
    return;
  }
  if (d === undefined || d.copies === 0) {
    violate("delayed_unexpected", `delayed message ${m.n} was published${d === undefined ? " without having been sent" : " twice"}`);
    return;
  }
  if (model.clock.wall < d.dueWall && model.clock.monotonic < d.dueMono)
    violate("delayed_early", `delayed message ${m.n} came ${d.dueMono - model.clock.monotonic} ms too early`);
  const sure = d.owed > 0;
  d.copies--;
  d.owed = Math.max(0, d.owed - 1);
  model.publish(m, !sure || model.disturbedEv === model.ev);
}

/** The broker's own session stands for the truth. */
export function resync(model: Model, broker: Broker, conns: readonly Conn[], id: string): void {
  const real = broker.sessions.get(id);
  let s = model.session(id);
  if (real === undefined) {
    if (s !== undefined) {
      const { conn } = s;
      if (conn !== null) {
        if (conn.will !== null) model.wills.set(conn.will.m.n, "unsure");
        conn.will = null;
        model.closed(conn, true);
      }
      if (s.will !== null) model.wills.set(s.will.n, "unsure");
      s.will = null;
      if (!s.ended) model.end(s);
      s.disturbed = false;
    }
    return;
  }
  if (s !== undefined && s.real !== null && s.real !== real) {
    forgetWills(model, s);
    if (s.conn !== null) {
      s.conn.mayClose ||= "taken over";
      model.closed(s.conn, true);
    }
    if (!s.ended) model.end(s);
    s = undefined;
  }
  s ??= model.create(id, real.version);
  s.real = real;
  s.disturbedIn.add(model.ev);
  s.disturbed = false;
  syncSubs(s, real.subscriptions(), model.ev);
  const conn = real.channel === null ? null : (conns.find((c) => c.channel === real.channel) ?? null);
  if (s.conn !== null && s.conn !== conn) {
    if (s.conn.will !== null) model.wills.set(s.conn.will.m.n, "unsure");
    s.conn.will = null;
    s.conn.mayClose ||= "taken over";
    model.closed(s.conn, false);
    if (s.ended) {
      s = model.create(id, real.version);
      syncSubs(s, real.subscriptions(), model.ev);
    }
  }
  if (conn !== null && s.conn === null) {
    if (s.will !== null) model.wills.set(s.will.n, "unsure");
    s.will = null;
    s.conn = conn;
    s.connNo++;
    s.endsAt = Number.POSITIVE_INFINITY;
    s.version = real.version;
    conn.session = s;
    conn.phase = "connected";
    conn.sessionNo = s.connNo;
    conn.connectedAt = model.clock.monotonic;
    conn.keepaliveMs = conn.channel.keepaliveMs;
    conn.will = conn.pendingWill;
    if (conn.will !== null) model.wills.set(conn.will.m.n, "set");
    model.attached(s);
  }
  // Resumed, and left again in the same event.
  if (s.will !== null && real.pendingWill === null && !model.published.includes(s.will.n)) {
    model.wills.set(s.will.n, "unsure");
    s.will = null;
  }
  const before = s.expiry;
  s.expiry = real.expiry;
  s.changedEv = model.ev;
  if (conn === null && (s.endsAt === Number.POSITIVE_INFINITY || s.awaySince !== real.disconnectedAt || before !== s.expiry))
    s.endsAt = s.expiry === 0xffffffff ? Number.POSITIVE_INFINITY : model.clock.monotonic + s.expiry * 1000;
  s.awaySince = real.disconnectedAt;
}

/** Whether they are published, nobody can foretell. */
function forgetWills(model: Model, s: Session): void {
  for (const n of [s.will?.n, s.conn?.will?.m.n]) if (n !== undefined) model.wills.set(n, "unsure");
  s.will = null;
  if (s.conn !== null) s.conn.will = null;
}

export function syncSubs(
  s: Session,
  real: Iterable<Pick<Sub, "qos" | "nl" | "rap" | "rh" | "filter" | "group"> & { fullFilter: string; subId: number }>,
  ev: number,
): void {
  s.subs.clear();
  for (const x of real) {
    s.subs.set(x.fullFilter, {
      full: x.fullFilter,
      filter: x.filter,
      group: x.group,
      qos: x.qos,
      nl: x.nl,
      rap: x.rap,
      rh: x.rh,
      id: x.subId,
      ev,
    });
  }
}
