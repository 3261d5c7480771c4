/** Will messages (section 3.1.2.5 of MQTT 5.0): sent when a connection ends without DISCONNECT, after their delay, or taken back. */
import type { WillPacket } from "../mqtt/types.ts";
import type { Broker } from "./broker.ts";
import { Message } from "./message.ts";
import type { Session } from "./session.ts";

/** Publish it now. */
export function publishWill(broker: Broker, session: Session, will: WillPacket): void {
  const expiry = will.properties?.messageExpiry;
  const m = new Message(
    session.mountpoint + will.topic,
    will.payload,
    will.qos,
    will.retain,
    session.clientId,
    session.username,
    broker.now,
    expiry === undefined ? 0 : broker.now + expiry * 1000,
    will.properties,
  );
  broker.metrics.willsPublished++;
  broker.publish(m);
}

/** Keep it for `ms`; whoever ends the session or resumes it decides before [MQTT-3.1.3-9]. The journal has it already. */
export function holdWill(broker: Broker, session: Session, will: WillPacket, ms: number): void {
  const away = session.waits();
  away.will = will;
  away.cancelWill = broker.after(ms, () => due(broker, session));
}

/** The will that was kept, if any: it waits no longer. */
export function takeWill(session: Session): WillPacket | null {
  const { away } = session;
  if (away === null) return null;
  const { will } = away;
  away.cancelWill?.();
  away.cancelWill = null;
  away.will = null;
  return will;
}

function due(broker: Broker, session: Session): void {
  const will = takeWill(session);
  if (will === null || session.terminated) return;
  publishWill(broker, session, will);
  // It must not come a second time after a restart.
  if (session.storeKey !== 0) broker.store.sessions.open(session.storeKey, session.meta(null));
}
