/** PUBACK, PUBREC, PUBREL, PUBCOMP (sections 3.4 to 3.7): read and written without objects. */
import { PUBACK, PUBREC, PUBREL } from "../frame.ts";
import { checkProperties } from "../properties.ts";
import { RC } from "../reason_codes.ts";
import { ProtocolError, type ProtocolVersion } from "../types.ts";

/** Reason codes a receiver of the message may answer with, PUBACK and PUBREC alike [MQTT-3.4.2-1], [MQTT-3.5.2-1]. */
function allowedCode(type: number, code: number): boolean {
  if (code === RC.SUCCESS) return true;
  if (type !== PUBACK && type !== PUBREC) return code === RC.PACKET_IDENTIFIER_NOT_FOUND;
  switch (code) {
    case RC.NO_MATCHING_SUBSCRIBERS:
    case RC.UNSPECIFIED_ERROR:
    case RC.IMPLEMENTATION_SPECIFIC_ERROR:
    case RC.NOT_AUTHORIZED:
    case RC.TOPIC_NAME_INVALID:
    case RC.PACKET_IDENTIFIER_IN_USE:
    case RC.QUOTA_EXCEEDED:
    case RC.PAYLOAD_FORMAT_INVALID:
      return true;
    default:
      return false;
  }
}

/**
 * Packet identifier | reason code << 16, or a negative reason code when the packet must be refused. Reason string and user
 * properties are checked, then ignored. `checkFlags` is the caller's.
 */
export function readAck(buf: Uint8Array, bodyStart: number, end: number, version: ProtocolVersion, type: number): number {
  const length = end - bodyStart;
  if (length < 2 || (version !== 5 && length !== 2)) return -RC.MALFORMED_PACKET;
  const packetId = ((buf[bodyStart] as number) << 8) | (buf[bodyStart + 1] as number);
  if (packetId === 0) return -RC.PROTOCOL_ERROR;
  // Without a reason code it is 0x00, without a property length that is 0 (3.4.2.1, 3.4.2.2.1).
  if (length === 2) return packetId;
  const code = buf[bodyStart + 2] as number;
  if (!allowedCode(type, code)) return -RC.PROTOCOL_ERROR;
  if (length > 3) {
    const refused = checkProperties(buf, bodyStart + 3, end, "ack");
    if (refused instanceof ProtocolError) return -refused.code;
  }
  return packetId | (code << 16);
}

/** Writes the packet at `at`; at most 5 bytes. Returns the bytes written: 4, or 5 when version 5 has a reason to tell. */
export function writeAck(out: Uint8Array, at: number, type: number, packetId: number, code: number, version: ProtocolVersion): number {
  const withCode = code !== 0 && version === 5;
  out[at] = type === PUBREL ? 0x62 : type << 4;
  out[at + 1] = withCode ? 3 : 2;
  out[at + 2] = packetId >> 8;
  out[at + 3] = packetId & 0xff;
  if (!withCode) return 4;
  out[at + 4] = code;
  return 5;
}
