/**
 * PUBACK, PUBREC, PUBREL, PUBCOMP from a client (sections 3.4 to 3.7, and the handshakes of 4.3). An identifier that is not in flight
 * is tolerated, it may be an answer that came late; an answer that does not belong to the message's state is a Protocol Error (1.2).
 */

import { bodyStart, PUBACK, PUBCOMP, PUBREC, PUBREL } from "../../mqtt/frame.ts";
import { readAck } from "../../mqtt/packets/acks.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import type { Channel } from "../channel.ts";
import type { Inflight } from "../inflight.ts";
import type { Session } from "../session.ts";

/** Of an acknowledgement without reason code: nearly all. */
const SHORT = 4;

/**
 * The acknowledgement at `pos`, which is `n` bytes long, and those of its kind right behind it up to `until`: they come in runs, and what they make
 * room for is sent once, as much of it as a turn may send. Returns the bytes handled, `n` at least.
 */
export function handleAcks(ch: Channel, buf: Uint8Array, pos: number, n: number, until: number): number {
  const first = buf[pos] as number;
  const type = first >> 4;
  const session = ch.session as Session;
  ch.recvPkt++;
  handleAck(ch, session, type, buf, bodyStart(buf, pos), pos + n);
  let at = pos + n;
  while (at + SHORT <= until && buf[at] === first && buf[at + 1] === 2 && ch.phase === "connected") {
    const id = ((buf[at + 2] as number) << 8) | (buf[at + 3] as number);
    if (id === 0) break;
    ch.recvPkt++;
    acknowledged(ch, session, type, id, RC.SUCCESS);
    at += SHORT;
  }
  if (session.mqueueLen > 0 || session.inflight?.behind === true) ch.broker.delivery.pump(session);
  return at - pos;
}

function handleAck(ch: Channel, session: Session, type: number, buf: Uint8Array, body: number, end: number): void {
  const ack = readAck(buf, body, end, ch.version, type);
  if (ack < 0) {
    ch.malformed(-ack, "acknowledgement");
    return;
  }
  acknowledged(ch, session, type, ack & 0xffff, ack >> 16);
}

function acknowledged(ch: Channel, session: Session, type: number, id: number, code: number): void {
  if (type === PUBACK) puback(ch, session, id);
  else if (type === PUBREC) pubrec(ch, session, id, code);
  else if (type === PUBCOMP) pubcomp(ch, session, id);
  else pubrel(ch, session, id);
}

function puback(ch: Channel, session: Session, id: number): void {
  const { metrics } = ch.broker;
  metrics.pubackReceived++;
  const w = session.inflight;
  const n = w === null ? -1 : w.find(id);
  if (n < 0) metrics.pubackMissed++;
  else if ((w as Inflight).qos(n) !== 1) ch.malformed(RC.PROTOCOL_ERROR, "PUBACK for a QoS 2 message");
  else finish(ch, session, w as Inflight, n);
}

function pubrec(ch: Channel, session: Session, id: number, code: number): void {
  const { metrics, store, mono } = ch.broker;
  metrics.pubrecReceived++;
  const w = session.inflight;
  const n = w === null ? -1 : w.find(id);
  if (n < 0) {
    metrics.pubrecMissed++;
    // Unknown here, but the client waits for the handshake's next step.
    if (code < 0x80) ch.sendAck(PUBREL, id, RC.PACKET_IDENTIFIER_NOT_FOUND);
    return;
  }
  const window = w as Inflight;
  if (window.qos(n) !== 2) {
    ch.malformed(RC.PROTOCOL_ERROR, "PUBREC for a QoS 1 message");
    return;
  }
  if (code >= 0x80) {
    // The receiver refused: the identifier is free again [MQTT-4.3.3].
    finish(ch, session, window, n);
    return;
  }
  if (!window.released(n)) {
    window.release(n, mono);
    if (session.storeKey !== 0) store.sessions.released(session.storeKey, window.seq(n));
  }
  ch.broker.durability.acknowledge(ch, PUBREL, id, RC.SUCCESS);
}

function pubcomp(ch: Channel, session: Session, id: number): void {
  const { metrics } = ch.broker;
  metrics.pubcompReceived++;
  const w = session.inflight;
  const n = w === null ? -1 : w.find(id);
  if (n < 0) metrics.pubcompMissed++;
  else if (!(w as Inflight).released(n)) ch.malformed(RC.PROTOCOL_ERROR, "PUBCOMP before PUBREC");
  else finish(ch, session, w as Inflight, n);
}

/** The client releases an incoming QoS 2 message. */
function pubrel(ch: Channel, session: Session, id: number): void {
  const { metrics, store } = ch.broker;
  metrics.pubrelReceived++;
  if (session.awaitingRel?.delete(id) === true) {
    if (session.storeKey !== 0) store.sessions.relDone(session.storeKey, id);
    ch.broker.durability.acknowledge(ch, PUBCOMP, id, RC.SUCCESS);
    return;
  }
  metrics.pubrelMissed++;
  ch.broker.durability.acknowledge(ch, PUBCOMP, id, RC.PACKET_IDENTIFIER_NOT_FOUND);
}

function finish(ch: Channel, session: Session, w: Inflight, n: number): void {
  const broker = ch.broker;
  const m = w.message(n);
  if (session.storeKey !== 0) broker.store.sessions.done(session.storeKey, w.seq(n), m);
  w.remove(n);
  if (broker.hooks.at["message.acked"].length > 0) broker.hooks.run("message.acked", session.clientId, m);
}
