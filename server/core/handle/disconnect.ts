/** DISCONNECT from a client (section 3.14). */
import { loggedName } from "../../lib/mask.ts";
import { seldom } from "../../lib/seldom.ts";
import { decodeDisconnect, encodeDisconnect } from "../../mqtt/packets/disconnect.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { ProtocolError } from "../../mqtt/types.ts";
import type { Channel } from "../channel.ts";
import type { Session } from "../session.ts";

export function handleDisconnect(ch: Channel, buf: Uint8Array, body: number, end: number): void {
  const p = decodeDisconnect(buf, body, end, ch.version);
  if (p instanceof ProtocolError) {
    ch.malformed(p.code, p.why);
    return;
  }
  // Nothing of ours is on its way, and nothing of its comes behind: a client that goes by the rules waits for no more [MQTT-3.14.4-1].
  const settled = ch.out.pending === 0 && end === buf.length;
  ch.broker.metrics.disconnectReceived++;
  const session = ch.session as Session;
  if (p.sessionExpiry !== undefined) {
    // A session that was to end with its connection must not be made to last now [MQTT-3.14.2-2].
    if (session.expiry === 0 && p.sessionExpiry > 0) {
      ch.malformed(RC.PROTOCOL_ERROR, "session expiry interval was 0 in CONNECT");
      return;
    }
    ch.broker.registry.setExpiry(session, p.sessionExpiry);
  }
  // No will, unless it asks for it.
  if (p.code === RC.NORMAL_DISCONNECTION) ch.will = null;
  ch.end("normal", false, settled);
}

/** Ours, to a client of 5.0. The reason string goes only where it fits [MQTT-3.14.2-3], the packet too [MQTT-3.1.2-24]. */
export function sendDisconnect(ch: Channel, code: number, why: string | undefined): void {
  let bytes = encodeDisconnect(5, code, ch.problemInfo && why !== undefined ? { reasonString: why } : undefined);
  if (!ch.fits(bytes.length)) bytes = encodeDisconnect(5, code);
  if (!ch.fits(bytes.length)) return;
  ch.sendPacket(bytes);
  ch.broker.metrics.disconnectSent++;
}

/** Why the broker ends a connection, also before its client is let in. */
export function logClosed(ch: Channel, reason: string, why: string): void {
  const clientid = loggedName(ch.client?.clientId) ?? undefined;
  ch.broker.log.info("connection closed", { clientid, ip: ch.out.transport.ip, reason, why });
}

/** An answer the client waits for is larger than it takes: without it, it cannot go on. */
export function unsendable(ch: Channel, length: number): void {
  ch.close(RC.PACKET_TOO_LARGE, "packet_too_large", `answer of ${length} bytes, the client takes ${ch.maxPacket}`);
}

seldom(handleDisconnect, decodeDisconnect);
