import { PUBACK, PUBCOMP, PUBREC, PUBREL } from "../../server/mqtt/frame.ts";
import { RC } from "../../server/mqtt/reason_codes.ts";
import type { ProtocolVersion } from "../../server/mqtt/types.ts";
import type { DecodeRow } from "./types.ts";
import { packet } from "./wire.ts";

export interface AckValue {
  packetId: number;
  code: number;
}
/** Rows of the four acknowledgements, which differ in their type and reason codes only. */
export type AckRow = DecodeRow<AckValue> & { readonly type: number };

const NAMES = { [PUBACK]: "PUBACK", [PUBREC]: "PUBREC", [PUBREL]: "PUBREL", [PUBCOMP]: "PUBCOMP" } as Record<number, string>;
const TYPES = [PUBACK, PUBREC, PUBREL, PUBCOMP];

function row(
  type: number,
  what: string,
  version: ProtocolVersion,
  notation: string,
  result: { value: AckValue } | { error: number },
): AckRow {
  const first = type === PUBREL ? 0x62 : type << 4;
  return { type, name: `${NAMES[type]} ${what}`, version, bytes: packet(first, notation), ...result };
}

function rowsOfEvery(type: number): AckRow[] {
  const ok = { value: { packetId: 258, code: 0 } };
  const malformed = { error: RC.MALFORMED_PACKET };
  const wrong = { error: RC.PROTOCOL_ERROR };
  return [
    row(type, "3.1", 3, "0102", ok),
    row(type, "3.1.1", 4, "0102", ok),
    row(type, "5.0 without a reason code", 5, "0102", ok),
    row(type, "5.0 with reason code 0", 5, "0102 00", ok),
    row(type, "5.0 with empty properties", 5, "0102 00 {}", ok),
    row(type, "reason string", 5, '0102 00 {1f "why"}', ok),
    row(type, "user properties", 5, '0102 00 {26 "a" "b" 26 "a" "b"}', ok),
    row(type, "largest packet identifier", 4, "ffff", { value: { packetId: 65535, code: 0 } }),
    row(type, "[MQTT-2.2.1-5] packet identifier 0", 4, "0000", wrong),
    row(type, "[MQTT-2.2.1-5] packet identifier 0 in 5.0", 5, "0000 00", wrong),
    row(type, "empty", 4, "", malformed),
    row(type, "empty in 5.0", 5, "", malformed),
    row(type, "packet identifier cut short", 5, "01", malformed),
    row(type, "3.1.1 with a reason code", 4, "0102 00", malformed),
    row(type, "reason code of another packet", 5, "0102 8b", wrong),
    row(type, "reason code that does not exist", 5, "0102 01", wrong),
    row(type, "reason string twice", 5, '0102 00 {1f "a" 1f "b"}', wrong),
    row(type, "property of another packet (2.2.2.2)", 5, "0102 00 {23 0001}", malformed),
    row(type, "ill-formed reason string", 5, "0102 00 {1f 0001 ff}", malformed),
    row(type, "properties longer than the packet", 5, "0102 00 05 1f0001", malformed),
    row(type, "bytes left over", 5, "0102 00 {} 00", malformed),
  ];
}

/** Reason codes of PUBACK and PUBREC (tables 3-4 and 3-5), of PUBREL and PUBCOMP (tables 3-6 and 3-7). */
function codeRows(type: number): AckRow[] {
  const codes = type === PUBACK || type === PUBREC ? [0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99] : [0x92];
  return codes.map((code) => {
    const hex = code.toString(16);
    return row(type, `reason code ${hex}`, 5, `0001 ${hex} {}`, { value: { packetId: 1, code } });
  });
}

export const ACK_ROWS: readonly AckRow[] = [
  ...TYPES.flatMap(rowsOfEvery),
  ...TYPES.flatMap(codeRows),
  row(PUBREL, "[MQTT-3.6.2-1] with a code of PUBACK", 5, "0001 10", { error: RC.PROTOCOL_ERROR }),
  row(PUBACK, "[MQTT-3.4.2-1] with a code of PUBREL", 5, "0001 92", { error: RC.PROTOCOL_ERROR }),
];
