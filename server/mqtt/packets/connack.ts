/** CONNACK (section 3.2). Written by hand: it answers every CONNECT, and mqtt-packet cannot keep the order of user properties. */
import { varIntSize, writeVarInt } from "../frame.ts";
import { type Properties, propertiesSize, writeProperties } from "../properties.ts";
import { connackCodeV3 } from "../reason_codes.ts";
import type { ConnackProperties, ProtocolVersion } from "../types.ts";

/** The one name that means different things: a list in PUBLISH, a yes or no here. */
function wireNames({ subscriptionIds, ...rest }: ConnackProperties): Properties {
  return subscriptionIds === undefined ? rest : { ...rest, subscriptionIdsAvailable: subscriptionIds };
}

const accepted = (flags: 0 | 1): Uint8Array => (flags === 0 ? NEW_SESSION : OLD_SESSION);
/** Of versions before 5.0 every CONNACK that accepts is one of these two, which nobody changes. */
const NEW_SESSION = Uint8Array.of(0x20, 2, 0, 0);
const OLD_SESSION = Uint8Array.of(0x20, 2, 1, 0);

/** `code` is a reason code of 5.0, translated for older versions. Session present is 0 with every refusal [MQTT-3.2.2-6]. */
export function encodeConnack(
  version: ProtocolVersion,
  sessionPresent: boolean,
  code: number,
  props: ConnackProperties | null,
): Uint8Array {
  const flags = sessionPresent && code === 0 ? 1 : 0;
  // 3.1 has no session present flag: the byte is reserved.
  if (version !== 5) return code === 0 ? accepted(version === 4 ? flags : 0) : Uint8Array.of(0x20, 2, 0, connackCodeV3(code));
  const properties = props === null ? {} : wireNames(props);
  const size = propertiesSize(properties);
  const length = 2 + varIntSize(size) + size;
  const out = new Uint8Array(1 + varIntSize(length) + length);
  out[0] = 0x20;
  const at = writeVarInt(out, 1, length);
  out[at] = flags;
  out[at + 1] = code;
  writeProperties(out, writeVarInt(out, at + 2, size), properties);
  return out;
}
