/** What was sent and not acknowledged goes out again: after a reconnect, and to clients of 3.x after a while. */
import { type MonoMs, NO_MONO } from "../lib/time.ts";
import { PUBREL } from "../mqtt/frame.ts";
import type { Broker } from "./broker.ts";
import type { Channel } from "./channel.ts";
import type { Delivery } from "./deliver.ts";
import type { Inflight } from "./inflight.ts";
import type { Session } from "./session.ts";
import type { Writer } from "./writer.ts";

/** Of a queue or a window, so many messages are sent in one turn. */
export const PUMP_SLICE = 1000;

export class Resend {
  constructor(
    private readonly broker: Broker,
    private readonly delivery: Delivery,
    private readonly writer: Writer,
  ) {}

  /**
   * After a reconnect: everything unacknowledged again, in order, with DUP and the same identifiers [MQTT-4.4.0-1], no more PUBLISH
   * packets at a time than the client takes now [MQTT-3.3.4-9]. True = all have been sent; of many a part
   * in each turn.
   */
  sendAgain(session: Session, ch: Channel, w: Inflight): boolean {
    const now = this.broker.mono;
    let slice = PUMP_SLICE;
    for (let n = w.unsent; n >= 0; n = w.unsent) {
      if (!ch.ready || ch.out.blocked) return false;
      if (slice-- === 0) {
        this.delivery.pumpOn(session);
        return false;
      }
      if (w.released(n)) {
        w.resent(n, now);
        this.broker.durability.acknowledge(ch, PUBREL, w.packetId(n), 0);
        continue;
      }
      if (w.sent >= session.maxInflight) return false;
      const m = w.message(n);
      const seq = w.seq(n);
      // A QoS 2 message that may have been sent holds its identifier at the receiver until the handshake is over [MQTT-4.3.3-10].
      if (w.qos(n) === 1 && w.sentAt(n) === NO_MONO && m.expired(now)) {
        w.remove(n);
        this.delivery.expired(session, m, seq);
        continue;
      }
      const terms = w.terms(n);
      const bytes = this.writer.encodeOwn(ch, m, terms, true, w.packetId(n));
      if (ch.maxPacket > 0 && bytes.length > ch.maxPacket) {
        // As if it had been delivered [MQTT-3.1.2-25].
        w.remove(n);
        this.delivery.tooLarge(session, m, seq);
        continue;
      }
      w.resent(n, now);
      ch.out.copy(bytes, 0, bytes.length);
      this.delivery.count(session, ch, m, terms.qos);
    }
    return true;
  }

  /** On a living connection of 3.x: what was sent at `sentBefore` or earlier and is still unacknowledged, again. */
  retry(session: Session, ch: Channel, sentBefore: MonoMs): void {
    const w = session.inflight;
    if (w === null) return;
    const now = this.broker.mono;
    const unsent = w.unsent;
    for (const n of w.positions()) {
      if (!ch.ready || ch.out.blocked || (unsent >= 0 && n >= unsent)) return;
      if (w.sentAt(n) > sentBefore) continue;
      w.touch(n, now);
      if (w.released(n)) this.broker.durability.acknowledge(ch, PUBREL, w.packetId(n), 0);
      else {
        const m = w.message(n);
        const bytes = this.writer.encodeOwn(ch, m, w.terms(n), true, w.packetId(n));
        ch.out.copy(bytes, 0, bytes.length);
        this.delivery.count(session, ch, m, w.qos(n));
      }
    }
  }
}
