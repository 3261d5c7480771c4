/** UNSUBSCRIBE (section 3.10). */
import { readProperties } from "../properties.ts";
import { Reader } from "../reader.ts";
import { RC } from "../reason_codes.ts";
import type { ProtocolError, ProtocolVersion, UnsubscribePacket } from "../types.ts";

/** Decoded by hand for the same reason as SUBSCRIBE. */
export function decodeUnsubscribe(
  buf: Uint8Array,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): UnsubscribePacket | ProtocolError {
  const r = new Reader(buf, bodyStart, end);
  const packetId = r.u16("packet identifier");
  // [MQTT-2.2.1-3]
  if (packetId === 0) r.fail(RC.PROTOCOL_ERROR, "packet identifier is 0");
  const p = version === 5 ? readProperties(r, "unsubscribe") : null;
  const filters: string[] = [];
  // At least one filter [MQTT-3.10.3-2].
  if (r.pos === r.end) r.fail(RC.PROTOCOL_ERROR, "no topic filter");
  while (r.pos < r.end) filters.push(r.string("topic filter"));
  return r.error ?? { packetId, userProperties: p?.userProperties ?? null, filters };
}
