import { describe, expect, test } from "bun:test";
import { bodyStart } from "../../../server/mqtt/frame.ts";
import { answerVersion, decodeConnect } from "../../../server/mqtt/packets/connect.ts";
import { encodeDisconnect } from "../../../server/mqtt/packets/disconnect.ts";
import { type ConnectPacket, ProtocolError, type ProtocolVersion } from "../../../server/mqtt/types.ts";
import { packet } from "../../packets/wire.ts";

describe("in which version a refused CONNECT is answered", () => {
  const rows: [string, string, ProtocolVersion | 0][] = [
    ["3.1", '"MQIsdp" 03 1e 003c "c" "w" "bye"', 3],
    ["another level of 3.1", '"MQIsdp" 09 02 003c "c"', 3],
    ["3.1.1", '"MQTT" 04 03 003c "c"', 4],
    ["3.1.1 bridge", '"MQTT" 84 03 003c "c"', 4],
    ["a level below", '"MQTT" 02 02 003c "c"', 4],
    ["5.0", '"MQTT" 05 03 003c {} "c"', 5],
    ["[MQTT-3.1.2-2] a level above ours", '"MQTT" 06 02 003c {} "c"', 5],
    ["[MQTT-3.1.2-1] not MQTT", '"HTTP" 04 02 003c "c"', 0],
    ["cut before the level", '"MQTT"', 0],
    ["empty", "", 0],
  ];
  for (const [name, notation, version] of rows) {
    test(name, () => {
      const bytes = packet(0x10, notation);
      const body = bodyStart(bytes, 0);
      expect(decodeConnect(bytes, body, bytes.length)).toBeInstanceOf(ProtocolError);
      expect(answerVersion(bytes, body, bytes.length)).toBe(version);
    });
  }
});

test("flags of the fixed header [MQTT-2.1.3-1]: 3.1 does not use them", () => {
  for (const [notation, good] of [
    ['"MQIsdp" 03 02 003c "c"', true],
    ['"MQTT" 04 02 003c "c"', false],
    ['"MQTT" 05 02 003c {} "c"', false],
  ] as const) {
    const bytes = packet(0x14, notation);
    expect(decodeConnect(bytes, 2, bytes.length, 4) instanceof ProtocolError).toBe(!good);
  }
});

test("what CONNECT keeps does not change when the receive buffer is used again", () => {
  const bytes = packet(0x10, '"MQTT" 05 c6 003c {15 "m" 16 "data"} "c" {09 "corr"} "w" "bye" "u" "pass"');
  const got = decodeConnect(bytes, 2, bytes.length) as ConnectPacket;
  bytes.fill(0xee);
  const kept = [got.authData, got.password, got.will?.payload, got.will?.properties?.correlationData].map((b) =>
    Buffer.from(b ?? []).toString(),
  );
  expect(kept).toEqual(["data", "pass", "bye", "corr"]);
});

test("3.x servers have no DISCONNECT to send", () => {
  expect([encodeDisconnect(3, 0x8b).length, encodeDisconnect(4, 0x8b).length]).toEqual([0, 0]);
});
