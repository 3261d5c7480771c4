import { RC } from "../../server/mqtt/reason_codes.ts";
import type { AuthPacket, DisconnectPacket, ProtocolVersion } from "../../server/mqtt/types.ts";
import type { DecodeRow } from "./types.ts";
import { bytes, packet } from "./wire.ts";

function good(name: string, version: ProtocolVersion, notation: string, value: DisconnectPacket): DecodeRow<DisconnectPacket> {
  return { name, version, bytes: packet(0xe0, notation), value };
}
function bad(name: string, version: ProtocolVersion, notation: string, error: number): DecodeRow<DisconnectPacket> {
  return { name, version, bytes: packet(0xe0, notation), error };
}

/** Table 3-10: what a client may say. */
const CLIENT_CODES = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];

export const DISCONNECT_ROWS: readonly DecodeRow<DisconnectPacket>[] = [
  good("3.1", 3, "", { code: 0 }),
  good("3.1.1", 4, "", { code: 0 }),
  good("5.0 without a reason code (3.14.2.1)", 5, "", { code: 0 }),
  good("5.0 without properties", 5, "04", { code: 4 }),
  ...CLIENT_CODES.map((code) => good(`reason code ${code.toString(16)}`, 5, `${code.toString(16).padStart(2, "0")} {}`, { code })),
  good("session expiry", 5, "00 {11 0000000a}", { code: 0, sessionExpiry: 10 }),
  good("reason string", 5, '04 {1f "done"}', { code: 4, reasonString: "done" }),
  good("user properties keep order and duplicates", 5, '00 {26 "b" "1" 26 "a" "2" 26 "b" "1"}', {
    code: 0,
    userProperties: [
      ["b", "1"],
      ["a", "2"],
      ["b", "1"],
    ],
  }),
  bad("3.1.1 with a body", 4, "00", RC.MALFORMED_PACKET),
  bad("reason code of a server", 5, "8b {}", RC.PROTOCOL_ERROR),
  bad("[MQTT-3.14.2-1] reason code that does not exist", 5, "01 {}", RC.PROTOCOL_ERROR),
  bad("server reference from a client (3.14.2.2.5)", 5, '00 {1c "x"}', RC.PROTOCOL_ERROR),
  bad("session expiry twice", 5, "00 {11 00000001 11 00000001}", RC.PROTOCOL_ERROR),
  bad("property of another packet (2.2.2.2)", 5, "00 {21 0001}", RC.MALFORMED_PACKET),
  bad("properties longer than the packet", 5, "00 09 11", RC.MALFORMED_PACKET),
  bad("bytes left over", 5, "00 {} 00", RC.MALFORMED_PACKET),
];

function goodAuth(name: string, notation: string, value: AuthPacket): DecodeRow<AuthPacket> {
  return { name, version: 5, bytes: packet(0xf0, notation), value };
}
function badAuth(name: string, notation: string, error: number): DecodeRow<AuthPacket> {
  return { name, version: 5, bytes: packet(0xf0, notation), error };
}

export const AUTH_ROWS: readonly DecodeRow<AuthPacket>[] = [
  goodAuth("continue", '18 {15 "m" 16 0002 00ff}', { code: 0x18, method: "m", data: bytes("00ff") }),
  goodAuth("re-authenticate without data", '19 {15 "m"}', { code: 0x19, method: "m", data: null }),
  goodAuth("reason string and user properties", '18 {15 "m" 1f "r" 26 "b" "1" 26 "a" "2"}', {
    code: 0x18,
    method: "m",
    data: null,
    reasonString: "r",
    userProperties: [
      ["b", "1"],
      ["a", "2"],
    ],
  }),
  badAuth("nothing: success is the server's word (3.15.2.1)", "", RC.PROTOCOL_ERROR),
  badAuth("success is the server's word", '00 {15 "m"}', RC.PROTOCOL_ERROR),
  badAuth("[MQTT-3.15.2-1] reason code of another packet", '80 {15 "m"}', RC.PROTOCOL_ERROR),
  badAuth("no method (3.15.2.2.2)", "18 {}", RC.PROTOCOL_ERROR),
  badAuth("no properties at all", "18", RC.PROTOCOL_ERROR),
  badAuth("data without method", "18 {16 0001 61}", RC.PROTOCOL_ERROR),
  badAuth("method twice", '18 {15 "m" 15 "m"}', RC.PROTOCOL_ERROR),
  badAuth("property of another packet (2.2.2.2)", '18 {15 "m" 11 00000001}', RC.MALFORMED_PACKET),
  { name: "3.1.1 has no AUTH: type 15 is reserved", version: 4, bytes: packet(0xf0, '18 {15 "m"}'), error: RC.MALFORMED_PACKET },
  badAuth("bytes left over", '18 {15 "m"} 00', RC.MALFORMED_PACKET),
];
