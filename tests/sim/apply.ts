/** What each step does to the world. A step that makes no sense now (its client is away) does nothing. */
import { Message } from "../../server/core/message.ts";
import { breakRule } from "./bad.ts";
import type { Client, Conn } from "./conn.ts";
import * as E from "./encode.ts";
import { cancelled, many } from "./many.ts";
import { dropSub, owedRetained } from "./model/packets.ts";
import { parseFilter } from "./model/topics.ts";
import { accept, close, drain, feed } from "./sockets.ts";
import type { Step, StepOf } from "./steps.ts";
import { DISK_FULL } from "./store.ts";
import { pass } from "./time.ts";
import { ADDRESS } from "./transport.ts";
import type { World } from "./world.ts";

type Doers = { [K in Step["k"]]: (w: World, s: StepOf<K>) => void };

export function apply(w: World, step: Step): void {
  (DOERS[step.k] as (w: World, s: Step) => void)(w, step);
  if ("c" in step && step.hold !== true) {
    const { conn } = clientOf(w, step.c);
    if (conn !== null && step.k !== "send" && step.k !== "net" && step.k !== "drain" && step.k !== "close") feed(w, conn);
  }
  if (step.more === true) return;
  w.endTurn();
  answer(w);
}

export function clientOf(w: World, c: number): Client {
  return w.clients[c % w.clients.length] as Client;
}

/** A connection the client can send on; null = it is away. */
function connected(w: World, c: number): Conn | null {
  const { conn } = clientOf(w, c);
  return conn?.live && conn.fields !== null && !conn.silent ? conn : null;
}

/** Clients that answer at once say what they owe; it arrives in the next turn. */
export function answer(w: World): void {
  for (const client of w.clients) {
    const { conn } = client;
    if (conn === null || conn.todo.length === 0 || client.answering !== "auto") continue;
    say(conn, 0, Number.POSITIVE_INFINITY);
    feed(w, conn);
  }
}

/** Put `n` of the owed answers from position `i` on the wire. */
export function say(conn: Conn, i: number, n: number, code = 0): void {
  const { client } = conn;
  const { todo } = conn;
  if (todo.length === 0) return;
  const some = todo.splice(i % todo.length, n);
  for (const t of some) {
    if (t.resend === true) {
      again(conn, t.pid);
      continue;
    }
    if (t.type === 6 && client.holdsRel) {
      todo.push(t);
      continue;
    }
    const c = t.type <= 5 && conn.version === 5 ? code : 0;
    conn.put(E.ack(conn.version, t.type, t.pid, c), { kind: "ack", type: t.type, pid: t.pid, code: c, d: t.d });
    if (t.type === 5 && c >= 0x80) conn.session?.incoming.delete(t.pid);
  }
}

/** The client's own message, not acknowledged on an earlier connection: once more [MQTT-4.4.0-1]. */
function again(conn: Conn, pid: number): void {
  const o = conn.client.outgoing.get(pid);
  if (o === undefined || o.on === conn.no) return;
  // In its older version it cannot say the same.
  if (conn.version !== 5 && Object.keys(o.m.props).length > 0) {
    conn.client.outgoing.delete(pid);
    conn.client.abandoned.add(pid);
    return;
  }
  o.on = conn.no;
  if (o.released) {
    conn.put(E.ack(conn.version, 6, pid), { kind: "ack", type: 6, pid, code: 0, d: null });
    return;
  }
  const { m, topic, delay, refuse } = o;
  const props = conn.version === 5 ? m.props : {};
  conn.put(E.publish(conn.version, { topic, payload: m.payload, qos: m.qos, retain: m.retain, dup: true, id: pid, props }), {
    kind: "publish",
    m,
    pid,
    dup: true,
    delay,
    refuse,
  });
}

function connect(w: World, s: StepOf<"connect">): void {
  const client = clientOf(w, s.c);
  const fresh = client.conn?.live === true && client.conn.fields === null;
  const conn = fresh ? (client.conn as Conn) : accept(w, client);
  client.answering = s.how ?? "auto";
  client.holdsRel = s.holdsRel === true;
  const m =
    s.will === undefined
      ? null
      : w.model.message({ from: client.id, topic: s.will.t, qos: s.will.q, retain: s.will.r, size: s.will.size, kind: "will" });
  const fields: E.ConnectFields = {
    version: s.v,
    clientId: client.id,
    clean: s.clean,
    keepalive: s.ka,
    username: s.auth,
    password: s.auth === undefined ? undefined : "x",
    will:
      s.will === undefined || m === null
        ? undefined
        : { topic: s.will.t, payload: m.payload, qos: s.will.q, retain: s.will.r, delay: s.will.delay, props: {} },
    expiry: s.exp,
    receiveMaximum: s.rm,
    maxPacket: s.mps,
    aliasMax: s.tam,
    problemInfo: s.pi,
  };
  conn.fields = fields;
  conn.decoder.version = s.v;
  client.lastConnect = fields;
  if (s.mps !== undefined) client.wasSmall = true;
  conn.put(E.connect(fields), { kind: "connect", fields, will: m, refuse: s.auth === "bad" ? true : undefined });
}

function publish(w: World, s: StepOf<"pub">): void {
  const conn = connected(w, s.c);
  if (conn === null) return;
  const { client } = conn;
  const v5 = conn.version === 5;
  for (let i = 0; i < s.n; i++) {
    // What CONNACK allows: so many unacknowledged messages [MQTT-3.3.4-9].
    const max = w.zone.maxAwaitingRel;
    if (s.q > 0 && max > 0 && client.outgoing.size + client.abandoned.size >= max) return;
    const props: E.SentProps = v5
      ? {
          ...(s.expiry !== undefined ? { messageExpiry: s.expiry } : {}),
          ...(s.user === true ? { user: ["k", `v${i}`], correlation: `c${i}`, responseTopic: "r" } : {}),
        }
      : {};
    const m = w.model.message({
      from: client.id,
      topic: s.t,
      qos: s.q,
      retain: s.r,
      size: s.delay === undefined ? s.size : Math.max(20, s.size),
      props,
      kind: s.delay === undefined ? "client" : "delayed",
    });
    const topic = s.delay === undefined ? s.t : `$delayed/${s.delay}/${s.t}`;
    const pid = s.q > 0 ? client.pid() : 0;
    if (pid > 0) client.outgoing.set(pid, { m, topic, delay: s.delay, refuse: false, released: false, on: conn.no });
    const alias = v5 && s.alias !== undefined && s.alias <= w.zone.maxTopicAlias ? s.alias : undefined;
    const known = alias !== undefined && conn.aliasesOut.get(alias) === topic;
    if (alias !== undefined) conn.aliasesOut.set(alias, topic);
    const bytes = E.publish(conn.version, {
      topic: known ? "" : topic,
      payload: m.payload,
      qos: s.q,
      retain: s.r,
      dup: false,
      id: pid,
      props: { ...props, topicAlias: alias },
    });
    if (w.zone.maxPacketSize > 0 && bytes.length > w.zone.maxPacketSize) return;
    conn.put(bytes, { kind: "publish", m, pid, dup: false, delay: s.delay });
  }
}

function api(w: World, s: StepOf<"api">): void {
  const { broker, model } = w;
  const { id } = clientOf(w, s.c);
  const session = model.session(id);
  const options = { qos: s.q as 0 | 1 | 2, nl: false, rap: false, rh: 0 as const, subId: 0 };
  const run = (fn: () => void, after?: () => void): void =>
    w.event(
      () => {
        broker.beat();
        fn();
        broker.flush();
      },
      null,
      after,
    );
  switch (s.op) {
    case "pub": {
      const m = model.message({ from: "", topic: s.t, qos: s.q, retain: s.r, size: 30, kind: "api" });
      run(
        () => void broker.publish(new Message(m.topic, m.payload, s.q as 0 | 1 | 2, s.r, "", null, w.clock.now(), 0, null)),
        () => void model.publish(m, model.storeFails),
      );
      return;
    }
    case "sub": {
      const parsed = parseFilter(s.t);
      if (parsed === null) return;
      run(
        () => void broker.subscribe(id, s.t, options),
        () => {
          if (session === undefined || session.ended) return;
          const isNew = !session.subs.has(s.t);
          const sub = { full: s.t, ...parsed, qos: s.q, nl: false, rap: false, rh: 0, id: 0, ev: model.ev };
          session.subs.set(s.t, sub);
          if (model.retainer) owedRetained(model, session, sub, isNew);
        },
      );
      return;
    }
    case "unsub":
      run(
        () => void broker.unsubscribe(id, s.t),
        () => {
          const sub = session?.subs.get(s.t);
          if (session !== undefined && sub !== undefined) dropSub(model, session, sub);
        },
      );
      return;
    case "kick":
    case "drop": {
      const open = session?.conn ?? null;
      run(
        () => void (s.op === "kick" ? broker.kick(id) : broker.dropSession(id)),
        () => {
          if (open !== null) {
            open.mustClose ??= { why: "kicked", codes: [0x98] };
            model.closed(open, false);
          }
          if (s.op === "drop" && session !== undefined && !session.ended) model.end(session);
        },
      );
      return;
    }
    case "ban": {
      const ban = s.q === 2 ? ({ who: ADDRESS, as: "ip_address" } as const) : ({ who: id, as: "client_id" } as const);
      run(() => broker.banned.add({ ...ban, reason: null, desc: null, by: null, until: null }));
      w.bans.add(ban.who);
      return;
    }
    case "unban":
      run(() => w.unban([id, ADDRESS]));
      return;
    case "sendNow":
    case "cancel": {
      const service = w.plugins.service("emqx_delayed_publish");
      const [row] = [...(service?.list() ?? [])].sort((a, b) => a.dueAt - b.dueAt || a.id - b.id);
      if (service === undefined || row === undefined) return;
      const n = Number(Buffer.from(row.message.payload).toString("latin1").split("|")[0]);
      const d = model.delayed.get(n);
      if (d !== undefined) {
        d.dueMono = 0;
        d.dueWall = 0;
      }
      run(() => void (s.op === "cancel" ? service.cancel(row.id) : service.sendNow(row.id)));
      if (s.op === "cancel" && d !== undefined) d.owed = 0;
      return;
    }
  }
}

const DOERS: Doers = {
  connect,
  open: (w, s) => {
    if (clientOf(w, s.c).conn?.live !== true) accept(w, clientOf(w, s.c));
  },
  sub(w, s) {
    const conn = connected(w, s.c);
    if (conn === null) return;
    const id = conn.client.pid();
    conn.put(E.subscribe(conn.version, id, s.subs, s.id), {
      kind: "subscribe",
      id,
      requests: conn.version === 5 ? s.subs : s.subs.map((r) => ({ ...r, nl: false, rap: false, rh: 0 })),
      subId: conn.version === 5 ? s.id : 0,
    });
  },
  unsub(w, s) {
    const conn = connected(w, s.c);
    if (conn === null) return;
    const id = conn.client.pid();
    conn.put(E.unsubscribe(conn.version, id, s.fs), { kind: "unsubscribe", id, filters: s.fs });
  },
  pub: publish,
  ack(w, s) {
    const conn = connected(w, s.c);
    if (conn !== null && conn.client.answering !== "never") say(conn, s.i, s.n, s.code);
  },
  ping(w, s) {
    const conn = connected(w, s.c);
    conn?.put(E.PINGREQ, { kind: "ping" });
  },
  disc(w, s) {
    const conn = connected(w, s.c);
    if (conn === null) return;
    const expiry = conn.version === 5 ? s.exp : undefined;
    const code = conn.version === 5 ? s.code : 0;
    conn.put(E.disconnect(conn.version, code, expiry), { kind: "disconnect", code, expiry });
  },
  close(w, s) {
    const own = w.conns.filter((c) => c.client === clientOf(w, s.c) && !c.gone);
    const conn = s.old === true ? own[0] : own[own.length - 1];
    if (conn !== undefined) close(w, conn);
  },
  send(w, s) {
    const { conn } = clientOf(w, s.c);
    if (conn !== null) feed(w, conn, s.piece, s.left);
  },
  net(w, s) {
    const { conn } = clientOf(w, s.c);
    if (conn === null || !conn.live) return;
    const t = conn.transport;
    if (s.mode === "open") drain(w, conn, Number.POSITIVE_INFINITY);
    else if (s.mode === "full") t.room = s.room;
    else {
      conn.mayClose = "its socket fails";
      conn.silent = true;
      if (s.mode === "gone") t.gone = true;
      else {
        t.throwing = true;
        w.log.allowed.add("simulated: the socket's write throws");
      }
    }
  },
  drain(w, s) {
    const { conn } = clientOf(w, s.c);
    if (conn !== null) drain(w, conn, s.room);
  },
  bad(w, s) {
    const conn = connected(w, s.c);
    if (conn !== null) breakRule(w, conn, s.what);
  },
  pass: (w, s) => pass(w, s.ms, s.tick),
  jump: (w, s) => w.clock.jump(s.ms),
  store(w, s) {
    w.store.fails = s.fails;
    if (s.fails) for (const text of ["data cannot be stored", DISK_FULL]) w.log.allowed.add(text);
  },
  memory: (w, s) => w.remember(s.level),
  kill: (w) => w.kill(),
  api,
  zone(w, s) {
    if (s.field === "maxMqueueLen") w.mqueueLimitMax = s.value === 0 ? Number.POSITIVE_INFINITY : Math.max(w.mqueueLimitMax, s.value);
    if (s.field === "awaitRelTimeoutMs") w.model.relLimited(s.value);
    // Retained messages that are still to be sent go out by the zone as it is then.
    if (s.field === "upgradeQos")
      for (const x of w.model.sessions.values()) for (const d of x.waiting) if (d.via === "retained") d.loose = true;
    const zone = w.zone as unknown as Record<string, unknown>;
    zone[s.field] = s.field === "upgradeQos" || s.field === "mqueueStoreQos0" ? s.value === 1 : s.value;
    w.core.refresh();
  },
  plugin: (w, s) => w.command(s.op, s.name),
  hook: (w, s) => w.chaos.plant(s),
  acl(w, s) {
    w.denyMore = s.deny;
    w.broker.access.invalidate();
  },
  resolve(w, s) {
    w.answer(s.i);
  },
  many,
  cancelled,
  turn: (w) => w.someTurn(),
};
