/** SUBACK (section 3.9). Rare and simple: left to mqtt-packet. */

import { generatePacket } from "../generate.ts";
import { subackCodeV3 } from "../reason_codes.ts";
import type { ProtocolVersion } from "../types.ts";

/** One code for each filter of the SUBSCRIBE, in its order [MQTT-3.9.3-1]; codes of 5.0, translated for older versions. */
export function encodeSuback(version: ProtocolVersion, packetId: number, codes: number[], reasonString?: string): Uint8Array {
  const granted = version === 5 ? codes : codes.map(subackCodeV3);
  const properties = reasonString === undefined ? {} : { properties: { reasonString } };
  return generatePacket(version, { cmd: "suback", messageId: packetId, granted, ...properties });
}
