import { RC } from "../../server/mqtt/reason_codes.ts";
import type { ProtocolVersion, PublishProperties, QoS } from "../../server/mqtt/types.ts";
import type { DecodeRow } from "./types.ts";
import { bytes, packet, times } from "./wire.ts";

/** What the decoders make of a PUBLISH, put together. */
export interface PublishValue {
  topic: string;
  qos: QoS;
  dup: boolean;
  retain: boolean;
  packetId: number;
  properties: PublishProperties;
  payload: Uint8Array;
}

const PLAIN: PublishValue = { topic: "a/b", qos: 0, dup: false, retain: false, packetId: 0, properties: {}, payload: bytes("'hi'") };

function good(
  name: string,
  version: ProtocolVersion,
  first: number,
  notation: string,
  value: Partial<PublishValue>,
): DecodeRow<PublishValue> {
  return { name, version, bytes: packet(first, notation), value: { ...PLAIN, ...value } };
}
function bad(name: string, version: ProtocolVersion, first: number, notation: string, error: number): DecodeRow<PublishValue> {
  return { name, version, bytes: packet(first, notation), error };
}
function goodProps(name: string, properties: string, value: PublishProperties): DecodeRow<PublishValue> {
  return good(name, 5, 0x30, `"a/b" {${properties}} 'hi'`, { properties: value });
}
function badProps(name: string, properties: string, error: number): DecodeRow<PublishValue> {
  return bad(name, 5, 0x30, `"a/b" {${properties}} 'hi'`, error);
}

const BIG = "x".repeat(20_000);

export const PUBLISH_ROWS: readonly DecodeRow<PublishValue>[] = [
  // --- flags
  good("QoS 0", 4, 0x30, `"a/b" 'hi'`, {}),
  good("QoS 0 in 3.1", 3, 0x30, `"a/b" 'hi'`, {}),
  good("QoS 0 in 5.0", 5, 0x30, `"a/b" {} 'hi'`, {}),
  good("QoS 0 retained", 4, 0x31, `"a/b" 'hi'`, { retain: true }),
  good("QoS 1", 4, 0x32, `"a/b" 0001 'hi'`, { qos: 1, packetId: 1 }),
  good("QoS 1 in 5.0", 5, 0x32, `"a/b" 0001 {} 'hi'`, { qos: 1, packetId: 1 }),
  good("QoS 1 sent again", 4, 0x3a, `"a/b" 0001 'hi'`, { qos: 1, packetId: 1, dup: true }),
  good("QoS 2", 4, 0x34, `"a/b" ffff 'hi'`, { qos: 2, packetId: 65535 }),
  good("QoS 2 in 5.0", 5, 0x34, `"a/b" 0100 {} 'hi'`, { qos: 2, packetId: 256 }),
  good("QoS 2 sent again, retained", 5, 0x3d, `"a/b" 0002 {} 'hi'`, { qos: 2, packetId: 2, dup: true, retain: true }),
  bad("[MQTT-3.3.1-4] QoS 3", 4, 0x36, `"a/b" 0001 'hi'`, RC.MALFORMED_PACKET),
  bad("[MQTT-3.3.1-4] QoS 3 in 5.0", 5, 0x36, `"a/b" 0001 {} 'hi'`, RC.MALFORMED_PACKET),
  bad("[MQTT-3.3.1-2] DUP with QoS 0", 4, 0x38, `"a/b" 'hi'`, RC.PROTOCOL_ERROR),
  bad("[MQTT-3.3.1-2] DUP with QoS 0 in 5.0", 5, 0x38, `"a/b" {} 'hi'`, RC.PROTOCOL_ERROR),
  bad("[MQTT-2.2.1-3] packet identifier 0", 4, 0x32, `"a/b" 0000 'hi'`, RC.PROTOCOL_ERROR),
  bad("[MQTT-2.2.1-3] packet identifier 0 with QoS 2", 5, 0x34, `"a/b" 0000 {} 'hi'`, RC.PROTOCOL_ERROR),

  // --- topic and payload
  good("empty payload", 4, 0x30, '"a/b"', { payload: new Uint8Array() }),
  good("empty payload in 5.0", 5, 0x30, '"a/b" {}', { payload: new Uint8Array() }),
  good("binary payload", 4, 0x30, '"a/b" 00ff80', { payload: bytes("00ff80") }),
  good("[MQTT-3.3.2-1] topic in UTF-8", 4, 0x30, `"温度/é/🚀" 'hi'`, { topic: "温度/é/🚀" }),
  good("topic with a space and empty levels", 4, 0x30, `"/a b//" 'hi'`, { topic: "/a b//" }),
  good("topic beginning with $", 4, 0x30, `"$x/y" 'hi'`, { topic: "$x/y" }),
  good("[MQTT-1.5.4-3] a BOM in the topic is a character", 4, 0x30, "0004 efbbbf 61 'hi'", { topic: "\ufeffa" }),
  good("remaining length of three bytes", 4, 0x30, `"a/b" '${BIG}'`, { payload: bytes(`'${BIG}'`) }),
  bad("[MQTT-4.7.3-1] empty topic", 4, 0x30, `"" 'hi'`, RC.TOPIC_NAME_INVALID),
  bad("[MQTT-4.7.3-1] empty topic without an alias", 5, 0x30, `"" {} 'hi'`, RC.PROTOCOL_ERROR),
  bad("[MQTT-3.3.2-2] topic with #", 4, 0x30, `"a/#" 'hi'`, RC.TOPIC_NAME_INVALID),
  bad("[MQTT-3.3.2-2] topic with +", 5, 0x30, `"a/+/b" {} 'hi'`, RC.TOPIC_NAME_INVALID),
  bad("[MQTT-1.5.4-2] U+0000 in the topic", 4, 0x30, "0003 61 00 62 'hi'", RC.MALFORMED_PACKET),
  bad("[MQTT-1.5.4-1] surrogate in the topic", 4, 0x30, "0003 edbfbf 'hi'", RC.MALFORMED_PACKET),
  bad("ill-formed topic", 5, 0x30, "0002 c328 {} 'hi'", RC.MALFORMED_PACKET),
  bad("control character in the topic", 4, 0x30, "0002 610a 'hi'", RC.MALFORMED_PACKET),
  bad("control character U+0085 in the topic", 4, 0x30, "0002 c285 'hi'", RC.MALFORMED_PACKET),
  bad("U+FFFF in the topic", 4, 0x30, "0003 efbfbf 'hi'", RC.MALFORMED_PACKET),

  // --- lengths
  bad("empty packet", 4, 0x30, "", RC.MALFORMED_PACKET),
  bad("one byte", 4, 0x30, "00", RC.MALFORMED_PACKET),
  bad("topic cut short", 4, 0x30, "0005 'a/b'", RC.MALFORMED_PACKET),
  bad("no packet identifier", 4, 0x32, '"a/b"', RC.MALFORMED_PACKET),
  bad("packet identifier cut short", 4, 0x32, '"a/b" 00', RC.MALFORMED_PACKET),
  bad("no property length", 5, 0x30, '"a/b"', RC.MALFORMED_PACKET),
  bad("no property length with QoS 1", 5, 0x32, '"a/b" 0001', RC.MALFORMED_PACKET),
  bad("property length cut short", 5, 0x30, '"a/b" 80', RC.MALFORMED_PACKET),
  bad("property length of five bytes", 5, 0x30, '"a/b" 8080808001', RC.MALFORMED_PACKET),
  bad("[MQTT-1.5.5-1] property length in too many bytes", 5, 0x30, '"a/b" 8000', RC.MALFORMED_PACKET),
  bad("properties longer than the packet", 5, 0x30, '"a/b" 05 0101', RC.MALFORMED_PACKET),

  // --- properties
  goodProps("payload format 0", "01 00", { payloadFormat: 0 }),
  goodProps("payload format 1", "01 01", { payloadFormat: 1 }),
  goodProps("message expiry", "02 0000003c", { messageExpiry: 60 }),
  goodProps("message expiry 0", "02 00000000", { messageExpiry: 0 }),
  goodProps("message expiry, largest", "02 ffffffff", { messageExpiry: 0xffffffff }),
  goodProps("topic alias", "23 0001", { topicAlias: 1 }),
  goodProps("topic alias, largest", "23 ffff", { topicAlias: 65535 }),
  goodProps("response topic", '08 "r/t"', { responseTopic: "r/t" }),
  goodProps("correlation data", "09 0003 0001ff", { correlationData: bytes("0001ff") }),
  goodProps("empty correlation data", "09 0000", { correlationData: new Uint8Array() }),
  goodProps("content type", '03 "text/plain"', { contentType: "text/plain" }),
  goodProps("empty content type", '03 ""', { contentType: "" }),
  goodProps("[MQTT-3.3.2-18] user properties keep order and duplicates", '26 "z" "1" 26 "a" "2" 26 "z" "3" 26 "a" "2"', {
    userProperties: [
      ["z", "1"],
      ["a", "2"],
      ["z", "3"],
      ["a", "2"],
    ],
  }),
  goodProps("properties of more than 127 bytes", times(40, '26 "k" "v"'), {
    userProperties: Array.from({ length: 40 }, (): [string, string] => ["k", "v"]),
  }),
  goodProps("user properties between others", '26 "a" "1" 01 01 26 "b" "2" 23 0003', {
    payloadFormat: 1,
    topicAlias: 3,
    userProperties: [
      ["a", "1"],
      ["b", "2"],
    ],
  }),
  good("empty topic with an alias", 5, 0x30, `"" {23 0007} 'hi'`, { topic: "", properties: { topicAlias: 7 } }),
  good("all properties with QoS 2", 5, 0x34, `"a/b" 0009 {01 01 02 00000001 23 0001 03 "t" 08 "r" 09 0001 ff 26 "k" "v"} 'hi'`, {
    qos: 2,
    packetId: 9,
    properties: {
      payloadFormat: 1,
      messageExpiry: 1,
      topicAlias: 1,
      contentType: "t",
      responseTopic: "r",
      correlationData: bytes("ff"),
      userProperties: [["k", "v"]],
    },
  }),
  badProps("payload format 2", "01 02", RC.PROTOCOL_ERROR),
  badProps("[MQTT-3.3.2-8] topic alias 0", "23 0000", RC.TOPIC_ALIAS_INVALID),
  badProps("[MQTT-3.3.4-6] subscription identifier from a client", "0b 01", RC.PROTOCOL_ERROR),
  badProps("subscription identifier 0", "0b 00", RC.PROTOCOL_ERROR),
  badProps("[MQTT-3.3.2-14] response topic with #", '08 "r/#"', RC.PROTOCOL_ERROR),
  badProps("[MQTT-3.3.2-14] response topic with +", '08 "+"', RC.PROTOCOL_ERROR),
  badProps("empty response topic", '08 ""', RC.PROTOCOL_ERROR),
  badProps("payload format twice", "01 00 01 00", RC.PROTOCOL_ERROR),
  badProps("message expiry twice", "02 00000001 02 00000001", RC.PROTOCOL_ERROR),
  badProps("topic alias twice", "23 0001 23 0001", RC.PROTOCOL_ERROR),
  badProps("response topic twice", '08 "r" 08 "r"', RC.PROTOCOL_ERROR),
  badProps("correlation data twice", "09 0000 09 0000", RC.PROTOCOL_ERROR),
  badProps("content type twice", '03 "t" 03 "t"', RC.PROTOCOL_ERROR),
  badProps("property of CONNECT (2.2.2.2)", "11 00000001", RC.MALFORMED_PACKET),
  badProps("property of SUBACK (2.2.2.2)", '1f "r"', RC.MALFORMED_PACKET),
  badProps("unknown property (2.2.2.2)", "2b 00", RC.MALFORMED_PACKET),
  badProps("property identifier in two bytes", "8100 00", RC.MALFORMED_PACKET),
  badProps("value runs past the property length", "02 0000", RC.MALFORMED_PACKET),
  badProps("string runs past the property length", "03 0009 61", RC.MALFORMED_PACKET),
  badProps("[MQTT-3.3.2-19] ill-formed content type", "03 0001 80", RC.MALFORMED_PACKET),
  badProps("[MQTT-3.3.2-13] ill-formed response topic", "08 0001 80", RC.MALFORMED_PACKET),
  badProps("ill-formed user property", '26 0001 80 "v"', RC.MALFORMED_PACKET),
];
