/** After a kill: what was committed must be there, what was not may be. */
import { violate } from "../violation.ts";
import type { World } from "../world.ts";
import { syncSubs } from "./broker_side.ts";
import { letOff, letOffShare, type Model } from "./model.ts";
import type { Session } from "./types.ts";

export function restored(world: World): void {
  const { model, broker, conns, clock } = world;
  /** Who was connected, as the journal knows it, and with what will. */
  const killed = new Map<Session, Session["will"]>();
  for (const c of conns) {
    if (c.phase === "closed" && c.gone) continue;
    if (c.will !== null) model.wills.set(c.will.m.n, "unsure");
    const s = c.session;
    if (c.phase === "connected" && s !== null && s.conn === c && s.changedEv <= model.committed)
      killed.set(s, c.will === null ? null : { n: c.will.m.n, due: 0, delay: c.will.delay, ev: 0, loose: false });
    c.phase = "closed";
    c.gone = c.silent = true;
    c.mustClose = null;
    c.expected.clear();
    c.queue.length = 0;
    if (c.session?.conn === c) c.session.conn = null;
  }
  // Who had ended since the last commit is there again, instead of who came after.
  for (const { s, ev } of model.graves.toReversed()) {
    if (ev <= model.committed || s.createdEv > model.committed || !broker.sessions.has(s.id)) continue;
    const now = model.sessions.get(s.id);
    if (now !== undefined && now.createdEv <= model.committed) continue;
    s.ended = false;
    s.revived = true;
    s.changedEv = ev;
    for (const list of s.byN.values()) for (const d of list) if (d.state === "waiting") s.waiting.add(d);
    model.sessions.set(s.id, s);
  }
  model.graves = [];
  model.killed = true;
  const wills = new Map<Session, Session["will"]>();
  for (const s of model.sessions.values()) {
    const kept = killed.get(s) ?? (s.will !== null && s.will.ev <= model.committed && !s.will.loose ? s.will : null);
    if (kept !== null && s.changedEv <= model.committed) wills.set(s, kept);
  }
  for (const s of [...model.sessions.values()]) lived(world, s);
  for (const [id, real] of broker.sessions) {
    const s = model.sessions.get(id);
    if (s === undefined) {
      violate("session_ghost", `session ${id} is there after the restart, it had ended before`);
      continue;
    }
    s.real = real;
    if (!s.persistent && real.expiry > 0) s.revived = true;
    s.expiry = real.expiry;
    s.endsAt =
      real.expiry === 0xffffffff
        ? Number.POSITIVE_INFINITY
        : clock.monotonic + Math.min(real.expiry * 1000, Math.max(0, real.disconnectedAt + real.expiry * 1000 - clock.wall));
    if (killed.has(s) && real.disconnectedAt !== clock.wall)
      violate(
        "away_since",
        `${id} was connected when the process was killed, it counts as away for ${clock.wall - real.disconnectedAt} ms`,
      );
    const will = wills.get(s);
    if (will != null) {
      if (real.pendingWill === null) violate("will_forgotten", `will ${will.n} of ${id} was kept, and is not there after the restart`);
      const left = Math.max(0, will.delay * 1000 - Math.max(0, clock.wall - real.disconnectedAt));
      s.will = { ...will, due: clock.monotonic + left, loose: false };
      model.wills.set(will.n, "due");
    } else if (real.pendingWill !== null) s.will = loosened(model, real.pendingWill.payload);
    syncSubs(s, real.subscriptions(), model.committed);
  }
  for (const list of model.shares.values()) for (const x of list) if (x.taken === null) letOffShare(x, "kill");
  for (const [topic, list] of model.retained) {
    const kept = list.filter((v) => v.ev <= model.committed);
    const last = kept.at(-1);
    if (last === undefined) model.retained.set(topic, [{ n: -1, ev: 0, sure: true }]);
    // Where it is not sure that the last one was taken, it may be one before it.
    else model.retained.set(topic, [...kept.slice(0, -1), { ...last, sure: last.sure && kept.length === list.length }]);
  }
  for (const d of model.delayed.values()) {
    if (d.ev > model.committed) d.owed = 0;
    // What was published since the last commit comes once more.
    d.copies++;
  }
  dueAnew(model);
}

/**
 * The delayed messages are read from the store (the process or the plugin has begun anew). Only the wall clock's time is kept there: what is
 * left by it now, and never more than there was at first, runs on the monotonic clock.
 */
export function dueAnew(model: Model): void {
  const { monotonic, wall } = model.clock;
  for (const d of model.delayed.values()) d.dueMono = monotonic + Math.min(d.ms, Math.max(0, d.dueWall - wall));
}

function loosened(model: Model, payload: Uint8Array): Session["will"] {
  const text = Buffer.from(payload).toString("latin1");
  const n = Number(text.slice(0, text.indexOf("|")));
  model.wills.set(n, "unsure");
  return { n, due: 0, delay: 0, ev: 0, loose: true };
}

function lived(world: World, s: Session): void {
  const { model, broker } = world;
  const real = broker.sessions.get(s.id);
  s.conn = null;
  if (s.will !== null) model.wills.set(s.will.n, "unsure");
  s.will = null;
  if (real === undefined) {
    if (s.persistent && s.changedEv <= model.committed && s.endsAt > model.clock.monotonic)
      violate("session_lost", `session ${s.id} was committed and is not there after the restart`);
    s.ended = true;
    model.sessions.delete(s.id);
    for (const d of s.waiting) letOff(d, "session lost");
    s.waiting.clear();
    return;
  }
  const names = new Set([...real.subscriptions()].map((x) => x.fullFilter));
  if (s.changedEv <= model.committed)
    for (const sub of s.subs.values())
      if (sub.ev <= model.committed && !names.has(sub.full))
        violate("subscription_lost", `${s.id} is not subscribed to ${sub.full} after the restart`);
  for (const list of s.byN.values()) {
    for (const d of list) {
      if (d.state === "done" ? d.doneEv > model.committed : d.state === "skipped") {
        // Not if the message itself is forgotten: sent again by its publisher, it is a new one.
        d.again = d.ev <= model.committed;
        // What left a full queue while nothing could be stored is back in it, and has never been sent.
        d.unsent = d.again && (d.state === "skipped" || d.seenEv > model.committed);
      } else if (d.state === "waiting" && (d.qos === 0 || d.via === "retained" || d.ev > model.committed))
        letOff(d, "kill before it was stored");
      else if (d.state === "seen" && d.ev > model.committed) {
        // Forgotten: if its publisher sends it again, it is a new one.
        d.state = "done";
        s.inflight.delete(d.pid);
        if (d.qos === 2) s.incoming.delete(d.pid);
      } else if (d.state === "seen") {
        d.again = true;
        d.unsent ||= d.seenEv > model.committed;
      }
    }
  }
  for (const [pid, w] of s.awaitingRel) {
    if (w.ev <= model.committed) continue;
    // It may stand for an earlier one that was given up, but not for good.
    if (model.everFailed || w.unsure) w.unsure = true;
    else s.awaitingRel.delete(pid);
  }
}
