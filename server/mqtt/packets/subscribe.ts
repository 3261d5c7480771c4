/** SUBSCRIBE (section 3.8). */
import { readProperties } from "../properties.ts";
import { Reader } from "../reader.ts";
import { RC } from "../reason_codes.ts";
import type { ProtocolError, ProtocolVersion, QoS, SubscribePacket, SubscribeRequest } from "../types.ts";

/** Decoded by hand: everything that mqtt-packet would read must be walked for validation anyway. */
export function decodeSubscribe(
  buf: Uint8Array,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): SubscribePacket | ProtocolError {
  const r = new Reader(buf, bodyStart, end);
  const packetId = r.u16("packet identifier");
  // [MQTT-2.2.1-3]
  if (packetId === 0) r.fail(RC.PROTOCOL_ERROR, "packet identifier is 0");
  const p = version === 5 ? readProperties(r, "subscribe") : null;
  const requests: SubscribeRequest[] = [];
  // At least one filter [MQTT-3.8.3-2].
  if (r.pos === r.end) r.fail(RC.PROTOCOL_ERROR, "no topic filter");
  while (r.pos < r.end) {
    const request = readRequest(r, version);
    if (request !== null) requests.push(request);
  }
  return r.error ?? { packetId, subscriptionId: p?.subscriptionIds?.[0] ?? 0, userProperties: p?.userProperties ?? null, requests };
}

/** Whether the filter is a good one is for the caller: it answers in SUBACK. */
function readRequest(r: Reader, version: ProtocolVersion): SubscribeRequest | null {
  const filter = r.string("topic filter");
  const options = r.u8("subscription options");
  if (r.error) return null;
  // Reserved bits [MQTT-3.8.3-5]; 3.x has a QoS only [MQTT-3-8.3-4].
  if ((options & (version === 5 ? 0xc0 : 0xfc)) !== 0) r.fail(RC.MALFORMED_PACKET, "reserved bits of the subscription options");
  const qos = options & 3;
  const rh = (options >> 4) & 3;
  if (qos === 3) r.fail(version === 5 ? RC.PROTOCOL_ERROR : RC.MALFORMED_PACKET, "QoS 3");
  if (rh === 3) r.fail(RC.PROTOCOL_ERROR, "retain handling 3");
  const nl = (options & 4) !== 0;
  // [MQTT-3.8.3-4]
  if (nl && (filter.startsWith("$share/") || filter.startsWith("$queue/"))) r.fail(RC.PROTOCOL_ERROR, "no local on a shared subscription");
  return { filter, qos: qos as QoS, nl, rap: (options & 8) !== 0, rh: rh as 0 | 1 | 2 };
}
