/** AUTH (section 3.15), version 5.0 only. */

import { generatePacket } from "../generate.ts";
import { readProperties } from "../properties.ts";
import { Reader } from "../reader.ts";
import { RC } from "../reason_codes.ts";
import type { AuthPacket, ProtocolError } from "../types.ts";

export function decodeAuth(buf: Uint8Array, bodyStart: number, end: number): AuthPacket | ProtocolError {
  // Nothing at all means success (3.15.2.1), which only a server may say; it falls under the method rule below all the same.
  const r = new Reader(buf, bodyStart, end);
  const code = r.pos < r.end ? r.u8("reason code") : RC.SUCCESS;
  // [MQTT-3.15.2-1], and Success is the server's word (table 3-11).
  if (code !== RC.CONTINUE_AUTHENTICATION && code !== RC.REAUTHENTICATE)
    r.fail(RC.PROTOCOL_ERROR, "reason code is not one that a client sends");
  const p = r.pos < r.end ? readProperties(r, "auth") : null;
  r.finish();
  // 3.15.2.2.2: it is a Protocol Error to omit the method.
  if (r.error === null && p?.authMethod === undefined) r.fail(RC.PROTOCOL_ERROR, "no authentication method");
  if (r.error) return r.error;
  const { authMethod, authData, ...rest } = p ?? {};
  return { code, method: authMethod ?? null, data: authData ?? null, ...rest };
}

/** Server's side of the exchange: 0x18 to go on, 0x00 when a re-authentication succeeded. */
export function encodeAuth(code: number, method: string, data: Uint8Array | null, reasonString?: string): Uint8Array {
  const properties = {
    authenticationMethod: method,
    ...(data === null ? {} : { authenticationData: Buffer.from(data.buffer, data.byteOffset, data.length) }),
    ...(reasonString === undefined ? {} : { reasonString }),
  };
  return generatePacket(5, { cmd: "auth", reasonCode: code, properties });
}
