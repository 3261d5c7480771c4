/** A client that is not let in: CONNACK, the log, the end. */
import { loggedName } from "../../lib/mask.ts";
import { encodeConnack } from "../../mqtt/packets/connack.ts";
import { refusalName } from "../../mqtt/reason_codes.ts";
import type { Channel } from "../channel.ts";

/** A refusal: reason code of 5.0 (mapped for 3.x), and words for the log and the reason string. */
export interface Refusal {
  code: number;
  why: string;
  /** For the client; absent = `why`. */
  told?: string | undefined;
  /** For the statistics; absent = the code's name. */
  counted?: string;
}

export function refuse(ch: Channel, no: Refusal): void {
  const { broker } = ch;
  let bytes = encodeConnack(ch.version, false, no.code, ch.version === 5 && ch.problemInfo ? { reasonString: no.told ?? no.why } : null);
  // [MQTT-3.2.2-19]
  if (!ch.fits(bytes.length)) bytes = encodeConnack(ch.version, false, no.code, null);
  if (ch.fits(bytes.length)) {
    ch.sendPacket(bytes);
    broker.metrics.connack++;
  }
  const reason = no.counted ?? refusalName(ch.version, no.code);
  broker.log.info("connection refused", {
    clientid: loggedName(ch.client?.clientId) ?? undefined,
    username: loggedName(ch.client?.username),
    ip: ch.out.transport.ip,
    reason,
    why: no.why,
  });
  ch.end(reason);
}
