/** What must hold between any two turns, and when everybody has gone. */
import { violate } from "./violation.ts";
import type { World } from "./world.ts";

/** Cheap: looked at after every turn. */
export function between(w: World): void {
  const { broker, model, conns } = w;
  let connected = 0;
  for (const c of conns) if (c.phase === "connected") connected++;
  if (broker.connections !== connected)
    violate("count_connections", `the broker counts ${broker.connections} connections, there are ${connected}`);
  let subs = 0;
  let shared = 0;
  let persistent = 0;
  for (const s of model.sessions.values()) {
    subs += s.subs.size;
    if (s.persistent) persistent++;
    for (const x of s.subs.values()) if (x.group !== null) shared++;
  }
  const { router, registry } = broker;
  if (broker.sessions.size !== model.sessions.size || [...model.sessions.keys()].some((id) => !broker.sessions.has(id)))
    violate("count_sessions", `sessions ${[...broker.sessions.keys()]}, expected ${[...model.sessions.keys()]}`);
  if (router.subscriptionCount !== subs || router.sharedCount !== shared)
    violate(
      "count_subscriptions",
      `${router.subscriptionCount} subscriptions, ${router.sharedCount} shared; expected ${subs} and ${shared}`,
    );
  if (registry.persistentCount !== persistent)
    violate("count_persistent", `${registry.persistentCount} persistent sessions, expected ${persistent}`);
  sessions(w);
  const { problems } = w.disk as { problems(): readonly string[] };
  const breach = problems.call(w.disk)[0];
  if (breach !== undefined) violate("store_contract", breach);
}

function sessions(w: World): void {
  const { model, zone, clock } = w;
  for (const s of w.broker.sessions.values()) {
    const max = zone.maxMqueueLen;
    const m = model.session(s.clientId);
    if (m === undefined) continue;
    for (const [pid, since] of m.awaitingRel) {
      const limit = zone.awaitRelTimeoutMs;
      // Looked at about every half second, and at the next minute at the latest.
      if (
        limit > 0 &&
        m.conn !== null &&
        since.at >= w.model.relSince &&
        clock.monotonic > Math.max(since.at, m.conn.connectedAt) + limit + 60_000 &&
        s.awaitingRelLen > 0 &&
        s.awaitingRel?.has(pid) === true
      )
        violate(
          "await_rel_kept",
          `${s.clientId}: QoS 2 message ${pid} has awaited its PUBREL for ${clock.monotonic - since.at} ms, limit ${limit}`,
        );
    }
    if (max > 0 && s.mqueueLen > Math.max(max, w.mqueueLimitMax))
      violate("mqueue_bound", `${s.clientId} has ${s.mqueueLen} queued, limit ${max}`);
  }
}

/** All faults are over, everything was sent and answered: counters agree with what was seen. */
export function settled(w: World): void {
  const { broker } = w;
  let sent = 0;
  let received = 0;
  for (const c of w.conns) {
    sent += c.transport.takenBytes;
    received += c.fedBytes;
    if (c.phase !== "connected" || c.silent || c.transport.gone) continue;
    const ch = c.channel;
    if (ch.sendPend > 0) violate("never_written", `${c.name}: ${ch.sendPend} bytes wait although its socket takes everything`);
    if (c.decoder.partial) violate("cut_packet", `${c.name} waits for the rest of a packet`);
    if (ch.sendMsg + ch.sendOther !== c.readPackets)
      violate("count_packets", `${c.name}: ${ch.sendMsg + ch.sendOther} packets sent, ${c.readPackets} read`);
    if (ch.out.bytes !== c.readBytes) violate("count_bytes", `${c.name}: ${ch.out.bytes} bytes sent, ${c.readBytes} read`);
    if (ch.recvOct !== c.fedBytes) violate("count_bytes", `${c.name}: ${ch.recvOct} bytes received, ${c.fedBytes} sent`);
  }
  if (w.kills === 0) {
    if (broker.metrics.bytesSent !== sent) violate("count_bytes", `bytes/sent ${broker.metrics.bytesSent}, taken were ${sent}`);
    if (broker.metrics.bytesReceived !== received)
      violate("count_bytes", `bytes/received ${broker.metrics.bytesReceived}, sent were ${received}`);
  }
  if (broker.output.pool.dirty.length > 0)
    violate("left_dirty", `${broker.output.pool.dirty.length} connections are dirty, nobody will write them`);
}

/** Everybody has gone and nothing was to last. */
export function empty(w: World): void {
  const { broker } = w;
  const left: string[] = [];
  const zero = (n: number, what: string): void => {
    if (n !== 0) left.push(`${n} ${what}`);
  };
  zero(broker.connections, "connections");
  zero(broker.sessions.size, "sessions");
  zero(broker.router.subscriptionCount, "subscriptions");
  zero(broker.router.sharedCount, "shared subscriptions");
  zero(broker.router.size, "filters");
  zero(broker.registry.persistentCount, "persistent sessions");
  zero(broker.planned.visits, "planned visits");
  zero(w.pool.held, "staging buffers");
  zero(broker.held.bytes, "bytes of messages held in queues and windows");
  zero(broker.output.pool.backlog, "bytes unsent");
  zero(broker.openings.bytes, "bytes of half CONNECTs");
  zero(broker.inputBytes, "bytes of half packets");
  if (left.length > 0) violate("left_over", `everybody has gone, but there are ${left.join(", ")}`);
  const rows = w.disk.left();
  if (rows !== null && rows.sessions + rows.deliveries + rows.messages + rows.awaitingRel > 0)
    violate("left_in_store", `everybody has gone, but the store has ${JSON.stringify(rows)}`);
  const { timers } = broker.planned;
  if (timers > 1100 + w.conns.length) violate("timers_grow", `${timers} timers are held`);
  const { topics, chars } = broker.router.cached;
  if (chars !== topics.reduce((n, t) => n + t.length, 0))
    violate("route_chars", `${chars} characters counted in ${topics.length} cached routes`);
}
