/** DISCONNECT (section 3.14). */

import { generatePacket } from "../generate.ts";
import { readProperties } from "../properties.ts";
import { Reader } from "../reader.ts";
import { RC } from "../reason_codes.ts";
import { type DisconnectPacket, ProtocolError, type ProtocolVersion } from "../types.ts";

/** Reason codes that a client may send (table 3-10), [MQTT-3.14.2-1]. */
const FROM_CLIENT: ReadonlySet<number> = new Set([
  RC.NORMAL_DISCONNECTION,
  RC.DISCONNECT_WITH_WILL,
  RC.UNSPECIFIED_ERROR,
  RC.MALFORMED_PACKET,
  RC.PROTOCOL_ERROR,
  RC.IMPLEMENTATION_SPECIFIC_ERROR,
  RC.TOPIC_NAME_INVALID,
  RC.RECEIVE_MAXIMUM_EXCEEDED,
  RC.TOPIC_ALIAS_INVALID,
  RC.PACKET_TOO_LARGE,
  RC.MESSAGE_RATE_TOO_HIGH,
  RC.QUOTA_EXCEEDED,
  RC.ADMINISTRATIVE_ACTION,
  RC.PAYLOAD_FORMAT_INVALID,
]);

export function decodeDisconnect(
  buf: Uint8Array,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): DisconnectPacket | ProtocolError {
  // Nothing at all means 0x00 (3.14.2.1); 3.x has nothing else.
  if (bodyStart === end) return { code: RC.NORMAL_DISCONNECTION };
  if (version !== 5) return new ProtocolError(RC.MALFORMED_PACKET, "bytes left over after the packet");
  const r = new Reader(buf, bodyStart, end);
  const code = r.u8("reason code");
  if (!FROM_CLIENT.has(code)) r.fail(RC.PROTOCOL_ERROR, "reason code is not one that a client sends");
  const p = r.pos < r.end ? readProperties(r, "disconnect") : null;
  r.finish();
  // 3.14.2.2.5: only servers refer to servers.
  if (p?.serverReference !== undefined) r.fail(RC.PROTOCOL_ERROR, "a client must not send a server reference");
  return r.error ?? { code, ...p };
}

export interface DisconnectReason {
  reasonString?: string;
  serverReference?: string;
}

/** null-length for 3.x: its servers have no DISCONNECT to send, they close (an empty array is returned). */
export function encodeDisconnect(version: ProtocolVersion, code: number, props?: DisconnectReason): Uint8Array {
  if (version !== 5) return new Uint8Array(0);
  return generatePacket(version, { cmd: "disconnect", reasonCode: code, properties: { ...props } });
}
