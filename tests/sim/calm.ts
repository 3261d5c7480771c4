/** The end of every history: all faults stop, everybody comes back, and what is owed has to arrive. */
import { answer, say } from "./apply.ts";
import type { Conn } from "./conn.ts";
import * as E from "./encode.ts";
import { between, empty, settled } from "./invariants.ts";
import type { Share } from "./model/types.ts";
import { accept, close, drain, feed } from "./sockets.ts";
import { pass } from "./time.ts";
import { violate } from "./violation.ts";
import type { World } from "./world.ts";

/** With a window of one message each of those that wait takes a round. */
const ROUNDS_MAX = 4000;

export function calm(w: World): void {
  w.chaos.stop();
  w.store.fails = false;
  w.calm = true;
  w.remember("normal");
  w.zone.maxMqueueLen = 0;
  pass(w, 100, 100);
  w.answerAll();
  w.endTurn();
  // Who has vanished is noticed now.
  for (const c of w.conns) if (!c.gone && (c.transport.gone || c.silent || c.transport.closed || c.client.conn !== c)) close(w, c);
  w.endTurn();
  w.unban([...w.bans]);
  for (const c of w.clients) {
    c.answering = "auto";
    c.holdsRel = false;
  }
  comeBack(w);
  quiet(w);
  // Wills and delayed messages that are still to come.
  for (let i = 0; i < 8; i++) {
    pingAll(w);
    pass(w, 1000, 500);
    quiet(w);
  }
  pingAll(w);
  quiet(w);
  between(w);
  owed(w);
  settled(w);
  leave(w);
  empty(w);
}

function comeBack(w: World): void {
  for (const client of w.clients) {
    const s = w.model.session(client.id);
    const { conn } = client;
    if (conn?.live && conn.phase === "connected") continue;
    if (conn !== null && !conn.gone) close(w, conn);
    if (s === undefined) continue;
    const last = client.lastConnect;
    const c = accept(w, client);
    const fields: E.ConnectFields = {
      version: s.version,
      clientId: client.id,
      clean: false,
      keepalive: 0,
      expiry: s.version === 5 ? 3600 : undefined,
      receiveMaximum: last?.version === 5 && s.version === 5 ? last.receiveMaximum : undefined,
      maxPacket: last?.version === 5 && s.version === 5 ? last.maxPacket : undefined,
    };
    c.fields = fields;
    c.decoder.version = s.version;
    c.put(E.connect(fields), { kind: "connect", fields, will: null, refuse: undefined });
    feed(w, c);
    w.answerAll();
  }
}

/** Until nobody has anything to say any more. */
function quiet(w: World): void {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    for (const c of w.conns) {
      if (c.gone) continue;
      drain(w, c, Number.POSITIVE_INFINITY);
      if (c.transport.paused) continue;
      feed(w, c);
    }
    w.answerAll();
    w.endTurn();
    const before = w.model.ev;
    answer(w);
    w.endTurn();
    const busy = w.conns.some((c) => c.live && !c.silent && (c.todo.length > 0 || c.pendingBytes > 0));
    if (w.model.ev === before && !busy) return;
    // Whoever is not read from (slowed down, waiting) needs time.
    if (busy && w.model.ev === before) pass(w, 200, 100);
  }
  violate("no_rest", "clients and broker do not come to rest");
}

function pingAll(w: World): void {
  for (const c of w.conns) {
    if (!c.live || c.phase !== "connected" || c.silent) continue;
    say(c, 0, Number.POSITIVE_INFINITY);
    c.put(E.PINGREQ, { kind: "ping" });
    feed(w, c);
  }
}

/** Every answer and every message that was owed. */
function owed(w: World): void {
  const { model } = w;
  const listens = (c: Conn): boolean => c.live && c.phase === "connected" && !c.silent;
  for (const c of w.conns) {
    if (!listens(c)) continue;
    for (const [type, list] of c.expected) {
      const e = list.find((x) => !x.may);
      if (e !== undefined) violate("unanswered", `${c.name} waits for ${type} ${e.id}`);
    }
  }
  for (const s of model.sessions.values()) {
    if (s.conn === null || !listens(s.conn)) continue;
    for (const d of s.waiting) {
      if (!d.must || d.m.inHook || model.maybeExpired(d.m)) continue;
      // A copy that was booked for a group that can do without.
      if (model.shares.get(d.m.n)?.some((x) => x.taken?.s === s && !x.must)) continue;
      violate(
        "lost",
        `${s.id} did not get message ${d.m.n} of ${d.m.from || "the broker"} to ${d.m.topic} (QoS ${d.qos}, ${d.m.payload.length} bytes, ${d.via})`,
      );
    }
  }
  for (const list of model.shares.values()) {
    for (const x of list) {
      if (!x.must || x.taken !== null || model.maybeExpired(x.m) || rebooked(list, x, new Set())) continue;
      if ([...x.members.keys()].some((m) => m.conn === null || !listens(m.conn))) continue;
      violate("lost_shared", `nobody of ${x.key} got message ${x.m.n} to ${x.m.topic}`);
    }
  }
  for (const d of model.delayed.values()) {
    if (d.owed > 0 && w.delayedRuns() && w.clock.monotonic > d.dueMono && w.clock.wall > d.dueWall)
      violate("lost_delayed", `delayed message ${d.m.n} was never published`);
  }
}

/** Copies of one message for several groups look alike: is there one that may have been this group's, booked for another that can do without? */
function rebooked(list: readonly Share[], x: Share, seen: Set<Share>): boolean {
  seen.add(x);
  for (const y of list) {
    if (y.taken === null || seen.has(y) || !x.members.has(y.taken.s)) continue;
    const away = [...y.members.keys()].some((m) => m.conn === null || m.conn.silent || !m.conn.live);
    if (y.must && !away && !rebooked(list, y, seen)) continue;
    x.taken = y.taken;
    y.taken = null;
    return true;
  }
  for (const s of x.members.keys()) {
    const own = s.byN.get(x.m.n)?.find((d) => d.via !== "share" && d.state !== "waiting" && !d.must && !d.lent);
    if (own === undefined) continue;
    own.lent = true;
    return true;
  }
  return false;
}

function leave(w: World): void {
  for (const c of w.conns) {
    if (!c.live || c.phase !== "connected") continue;
    const expiry = c.version === 5 ? 0 : undefined;
    c.put(E.disconnect(c.version, 0, expiry), { kind: "disconnect", code: 0, expiry });
    feed(w, c);
  }
  w.endTurn();
  for (const c of w.conns) if (!c.gone) close(w, c);
  w.endTurn();
  for (const s of [...w.model.sessions.values()]) {
    w.event(
      () => {
        w.broker.dropSession(s.id);
        w.broker.flush();
      },
      null,
      () => w.model.end(s),
    );
  }
  pass(w, 500, 100);
  between(w);
}
