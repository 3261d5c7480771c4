/**
 * PUBACK, PUBREC, PUBREL, PUBCOMP from a client (sections 3.4 to 3.7, and the handshakes of 4.3). An identifier that is not in flight
 * is tolerated, it may be an answer that came late; an answer that does not belong to the message's state is a Protocol Error (1.2).
 */

import { PUBACK, PUBCOMP, PUBREC, PUBREL } from "../../mqtt/frame.ts";
import { readAck } from "../../mqtt/packets/acks.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import type { Channel } from "../channel.ts";
import type { Inflight } from "../inflight.ts";
import type { Session } from "../session.ts";

export function handleAck(ch: Channel, type: number, buf: Uint8Array, body: number, end: number): void {
  const ack = readAck(buf, body, end, ch.version, type);
  if (ack < 0) {
    ch.malformed(-ack, "acknowledgement");
    return;
  }
  const session = ch.session as Session;
  const id = ack & 0xffff;
  const code = ack >> 16;
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
  if (session.mqueueLen > 0 || w.behind) broker.delivery.pump(session);
}
