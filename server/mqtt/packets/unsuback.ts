/** UNSUBACK (section 3.11). Rare and simple: left to mqtt-packet. */
import { generatePacket } from "../generate.ts";
import type { ProtocolVersion } from "../types.ts";

/** One code for each filter of the UNSUBSCRIBE, in its order [MQTT-3.11.3-1]; 3.x has no codes, mqtt-packet leaves them out then. */
export function encodeUnsuback(version: ProtocolVersion, packetId: number, codes: number[]): Uint8Array {
  return generatePacket(version, { cmd: "unsuback", messageId: packetId, granted: codes });
}
