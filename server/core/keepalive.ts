/** What happens to a connection by the passing of time: CONNECT in time, keep alive, the end of one whose client has left, redelivery to 3.x clients, QoS 2 messages never released. */
import { seldom } from "../lib/seldom.ts";
import { between, later, reached } from "../lib/time.ts";
import { RC } from "../mqtt/reason_codes.ts";
import type { ConnectPacket } from "../mqtt/types.ts";
import type { Channel } from "./channel.ts";
import type { Session } from "./session.ts";
import type { ClientInfo } from "./types.ts";

/** So long what a client has sent before it left is still handled. A verdict that never comes, or many that come late, keep nobody's session, will and memory for ever. */
const LEFT_MS = 30_000;

/** The broker's wheel has come to the channel: do what is due, and say when to come again. */
export function visit(ch: Channel): void {
  if (ch.phase === "closed") return;
  if (ch.phase !== "connected") {
    visitOpening(ch);
    return;
  }
  if (ch.intake.ended !== "") {
    visitLeft(ch);
    return;
  }
  if (ch.keepaliveMs > 0) {
    const { broker } = ch;
    if (ch.intake.deaf) ch.lastRecv = broker.mono;
    const end = later(ch.lastRecv, ch.keepaliveMs);
    if (reached(end, broker.mono)) {
      broker.metrics.keepaliveTimeouts++;
      ch.close(RC.KEEP_ALIVE_TIMEOUT, "keepalive_timeout");
      return;
    }
    broker.plan(ch, end);
  }
  redeliver(ch, ch.session as Session);
  if (ch.phase === "connected") forgetUnreleased(ch, ch.session as Session);
}

/** The time for CONNECT runs from the connection's beginning, not from its last byte: a trickle must not keep it open. */
function visitOpening(ch: Channel): void {
  const { broker } = ch;
  const end = later(ch.openedAt, broker.zone(ch.listener.zone).idleTimeoutMs);
  if (reached(end, broker.mono)) ch.close(RC.KEEP_ALIVE_TIMEOUT, "idle_timeout");
  else broker.plan(ch, end);
}

/** The transport is gone, for `reason`, while a handler waits. */
export function planEnd(ch: Channel, reason: string): void {
  ch.intake.ended = reason;
  ch.lastRecv = ch.broker.clock.mono();
  ch.broker.plan(ch, later(ch.lastRecv, LEFT_MS));
}

function visitLeft(ch: Channel): void {
  const end = later(ch.lastRecv, LEFT_MS);
  if (reached(end, ch.broker.mono)) ch.cut(ch.intake.ended);
  else ch.broker.plan(ch, end);
}

/** `zone.*.retry_interval`. 5.0 forbids redelivery on a living connection [MQTT-4.4.0-1]; EMQ X does it for 3.x. */
function redeliver(ch: Channel, session: Session): void {
  const { broker } = ch;
  const { retryIntervalMs } = session.zone;
  const w = session.inflight;
  if (ch.version === 5 || w === null || w.count === 0 || retryIntervalMs === 0) return;
  if (!ch.out.blocked) broker.delivery.resend.retry(session, ch, later(broker.mono, -retryIntervalMs));
  if (ch.phase === "connected" && w.count > 0) broker.plan(ch, later(w.oldest, retryIntervalMs));
}

/** `zone.*.await_rel_timeout`: an incoming QoS 2 message whose PUBREL does not come gives its identifier back. */
function forgetUnreleased(ch: Channel, session: Session): void {
  const { broker } = ch;
  const waiting = session.awaitingRel;
  const { awaitRelTimeoutMs } = session.zone;
  if (waiting === null || awaitRelTimeoutMs === 0) return;
  for (const [id, since] of waiting) {
    if (between(since, broker.mono) < awaitRelTimeoutMs) {
      broker.plan(ch, later(since, awaitRelTimeoutMs));
      return;
    }
    waiting.delete(id);
    broker.metrics.qos2Expired++;
    if (session.storeKey !== 0) broker.store.sessions.relDone(session.storeKey, id);
  }
}

/** CONNECT is accepted: how long may the client be silent? */
export function planKeepalive(ch: Channel, p: ConnectPacket, client: ClientInfo): void {
  const seconds = p.version === 5 ? keepaliveFor(p, client) : p.keepalive;
  // keepalive * 2 * backoff: with the default 0.75 the one and a half of [MQTT-3.1.2-22].
  ch.keepaliveMs = Math.round(seconds * 2000 * client.zone.keepaliveBackoff);
  if (ch.keepaliveMs > 0) ch.broker.plan(ch, later(ch.lastRecv, ch.keepaliveMs));
  else ch.out.transport.probe();
}

/**
 * What a client of 5.0 is held to, seconds: the zone's fixed value, or its own within the zone's maximum (0, for ever, is above any).
 * 3.x clients cannot be told another value than theirs, so theirs stands.
 */
export function keepaliveFor(p: ConnectPacket, client: ClientInfo): number {
  const { serverKeepalive, maxServerKeepalive: max } = client.zone;
  if (serverKeepalive > 0) return serverKeepalive;
  return max > 0 && (p.keepalive === 0 || p.keepalive > max) ? max : p.keepalive;
}

/** The first message is in flight. */
export function planRetry(ch: Channel): void {
  if (ch.version === 5) return;
  const interval = ch.client?.zone.retryIntervalMs ?? 0;
  if (interval > 0) ch.broker.plan(ch, later(ch.broker.mono, interval));
}

/** An incoming QoS 2 message waits for its PUBREL. */
export function planAwaitRel(ch: Channel): void {
  const timeout = ch.client?.zone.awaitRelTimeoutMs ?? 0;
  if (timeout > 0) ch.broker.plan(ch, later(ch.broker.mono, timeout));
}

/** The client is back: it has the whole time again to release what it sent before. While it was away it could not. */
export function renewAwaitRel(ch: Channel, session: Session): void {
  const waiting = session.awaitingRel;
  if (waiting === null || waiting.size === 0) return;
  for (const id of waiting.keys()) waiting.set(id, ch.broker.mono);
  planAwaitRel(ch);
}

seldom(planKeepalive);
