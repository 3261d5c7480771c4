import { RC } from "../../server/mqtt/reason_codes.ts";
import type { ConnectPacket, ProtocolVersion, WillPacket } from "../../server/mqtt/types.ts";
import type { DecodeRow } from "./types.ts";
import { bytes, packet, times } from "./wire.ts";

const PLAIN: ConnectPacket = {
  protocolName: "MQTT",
  version: 4,
  isBridge: false,
  cleanStart: true,
  keepalive: 60,
  clientId: "c",
  will: null,
  username: null,
  password: null,
  sessionExpiry: 0,
  receiveMaximum: 0,
  maximumPacketSize: 0,
  topicAliasMaximum: 0,
  requestResponseInfo: false,
  requestProblemInfo: true,
  userProperties: null,
  authMethod: null,
  authData: null,
};
const V3: ConnectPacket = { ...PLAIN, protocolName: "MQIsdp", version: 3 };
const V5: ConnectPacket = { ...PLAIN, version: 5 };
const WILL: WillPacket = { topic: "w", payload: bytes("'bye'"), qos: 0, retain: false, delay: 0, properties: null };

function good(name: string, version: ProtocolVersion, notation: string, value: ConnectPacket): DecodeRow<ConnectPacket> {
  return { name, version, bytes: packet(0x10, notation), value };
}
function bad(name: string, version: ProtocolVersion, notation: string, error: number = RC.MALFORMED_PACKET): DecodeRow<ConnectPacket> {
  return { name, version, bytes: packet(0x10, notation), error };
}
/** A 5.0 packet that differs in its properties only. */
function goodProps(name: string, properties: string, value: Partial<ConnectPacket>): DecodeRow<ConnectPacket> {
  return good(name, 5, `"MQTT" 05 02 003c {${properties}} "c"`, { ...V5, ...value });
}
function badProps(name: string, properties: string, error: number): DecodeRow<ConnectPacket> {
  return bad(name, 5, `"MQTT" 05 02 003c {${properties}} "c"`, error);
}
function goodWill(name: string, properties: string, value: Partial<WillPacket>): DecodeRow<ConnectPacket> {
  return good(name, 5, `"MQTT" 05 06 003c {} "c" {${properties}} "w" "bye"`, { ...V5, will: { ...WILL, ...value } });
}
function badWill(name: string, properties: string, error: number): DecodeRow<ConnectPacket> {
  return bad(name, 5, `"MQTT" 05 06 003c {} "c" {${properties}} "w" "bye"`, error);
}

const LONG_ID = "x".repeat(200);

export const CONNECT_ROWS: readonly DecodeRow<ConnectPacket>[] = [
  // --- versions
  good("3.1", 3, '"MQIsdp" 03 02 003c "c"', V3),
  good("3.1.1", 4, '"MQTT" 04 02 003c "c"', PLAIN),
  good("5.0", 5, '"MQTT" 05 02 003c {} "c"', V5),
  good("3.1 bridge bit 0x80 of the level", 3, '"MQIsdp" 83 02 003c "c"', { ...V3, isBridge: true }),
  good("3.1.1 bridge bit 0x80 of the level", 4, '"MQTT" 84 02 003c "c"', { ...PLAIN, isBridge: true }),
  bad("5.0 has no bridge bit", 4, '"MQTT" 85 02 003c {} "c"', RC.UNSUPPORTED_PROTOCOL_VERSION),
  bad("[MQTT-3.1.2-1] unknown protocol name", 4, '"HTTP" 04 02 003c "c"', RC.UNSUPPORTED_PROTOCOL_VERSION),
  bad("[MQTT-3.1.2-1] protocol name in lower case", 4, '"mqtt" 04 02 003c "c"', RC.UNSUPPORTED_PROTOCOL_VERSION),
  bad("[MQTT-3.1.2-1] name of 3.1 with the level of 3.1.1", 3, '"MQIsdp" 04 02 003c "c"', RC.UNSUPPORTED_PROTOCOL_VERSION),
  bad("[MQTT-3.1.2-1] name of 3.1.1 with the level of 3.1", 4, '"MQTT" 03 02 003c "c"', RC.UNSUPPORTED_PROTOCOL_VERSION),
  bad("[MQTT-3.1.2-2] level 6", 5, '"MQTT" 06 02 003c {} "c"', RC.UNSUPPORTED_PROTOCOL_VERSION),
  bad("[MQTT-3.1.2-2] level 0", 4, '"MQTT" 00 02 003c "c"', RC.UNSUPPORTED_PROTOCOL_VERSION),

  // --- flags
  good("clean session off", 4, '"MQTT" 04 00 003c "c"', { ...PLAIN, cleanStart: false }),
  good("5.0 clean start off", 5, '"MQTT" 05 00 003c {} "c"', { ...V5, cleanStart: false }),
  bad("[MQTT-3.1.2-3] reserved flag", 4, '"MQTT" 04 03 003c "c"'),
  bad("[MQTT-3.1.2-3] reserved flag in 5.0", 5, '"MQTT" 05 03 003c {} "c"'),
  good("3.1 does not use the reserved flag", 3, '"MQIsdp" 03 03 003c "c"', V3),
  bad("[MQTT-3.1.2-11] will QoS without a will", 4, '"MQTT" 04 0a 003c "c"'),
  bad("[MQTT-3.1.2-11] will QoS without a will in 5.0", 5, '"MQTT" 05 12 003c {} "c"'),
  bad("[MQTT-3.1.2-13] will retain without a will", 4, '"MQTT" 04 22 003c "c"'),
  bad("[MQTT-3.1.2-13] will retain without a will in 5.0", 5, '"MQTT" 05 22 003c {} "c"'),
  good("3.1 says nothing of will bits without a will", 3, '"MQIsdp" 03 2a 003c "c"', V3),
  bad("[MQTT-3.1.2-12] will QoS 3", 4, '"MQTT" 04 1e 003c "c" "w" "bye"'),
  bad("[MQTT-3.1.2-12] will QoS 3 in 5.0", 5, '"MQTT" 05 1e 003c {} "c" {} "w" "bye"'),
  bad("will QoS 3 in 3.1", 3, '"MQIsdp" 03 1e 003c "c" "w" "bye"'),
  bad("3.1.1 [MQTT-3.1.2-22] password without user name", 4, '"MQTT" 04 42 003c "c" "p"'),
  good("5.0 password without user name (3.1.2.9)", 5, '"MQTT" 05 42 003c {} "c" "p"', { ...V5, password: bytes("'p'") }),

  // --- payload
  good("keep alive 0", 4, '"MQTT" 04 02 0000 "c"', { ...PLAIN, keepalive: 0 }),
  good("keep alive 65535", 4, '"MQTT" 04 02 ffff "c"', { ...PLAIN, keepalive: 65535 }),
  good("empty client identifier", 4, '"MQTT" 04 02 003c ""', { ...PLAIN, clientId: "" }),
  good("[MQTT-3.1.3-4] client identifier in UTF-8", 4, '"MQTT" 04 02 003c "客户端-é-🚀"', { ...PLAIN, clientId: "客户端-é-🚀" }),
  good("remaining length of two bytes", 4, `"MQTT" 04 02 003c "${LONG_ID}"`, { ...PLAIN, clientId: LONG_ID }),
  good("user name and password", 4, '"MQTT" 04 c2 003c "c" "user" "pass"', { ...PLAIN, username: "user", password: bytes("'pass'") }),
  good("user name alone", 4, '"MQTT" 04 82 003c "c" "user"', { ...PLAIN, username: "user" }),
  good("empty user name and password", 4, '"MQTT" 04 c2 003c "c" "" ""', { ...PLAIN, username: "", password: new Uint8Array() }),
  good("password is binary", 4, '"MQTT" 04 c2 003c "c" "u" 0004 00ff80c0', { ...PLAIN, username: "u", password: bytes("00ff80c0") }),
  good("3.1 user name flag without user name", 3, '"MQIsdp" 03 82 003c "c"', V3),
  good("3.1 password flag without password", 3, '"MQIsdp" 03 c2 003c "c" "u"', { ...V3, username: "u" }),
  bad("3.1.1 user name flag without user name", 4, '"MQTT" 04 82 003c "c"'),
  bad("3.1.1 password flag without password", 4, '"MQTT" 04 c2 003c "c" "u"'),
  good("will", 4, '"MQTT" 04 06 003c "c" "w" "bye"', { ...PLAIN, will: WILL }),
  good("will QoS 1, retained", 4, '"MQTT" 04 2e 003c "c" "w" "bye"', { ...PLAIN, will: { ...WILL, qos: 1, retain: true } }),
  good("will QoS 2", 4, '"MQTT" 04 16 003c "c" "w" "bye"', { ...PLAIN, will: { ...WILL, qos: 2 } }),
  good("empty will payload", 4, '"MQTT" 04 06 003c "c" "w" ""', { ...PLAIN, will: { ...WILL, payload: new Uint8Array() } }),
  good("binary will payload", 4, '"MQTT" 04 06 003c "c" "w" 0002 00ff', { ...PLAIN, will: { ...WILL, payload: bytes("00ff") } }),
  good("[MQTT-3.1.3-1] all fields in their order", 4, '"MQTT" 04 c6 003c "c" "w" "bye" "u" "p"', {
    ...PLAIN,
    will: WILL,
    username: "u",
    password: bytes("'p'"),
  }),
  good("3.1 with everything", 3, '"MQIsdp" 03 e6 003c "c" "w" "bye" "u" "p"', {
    ...V3,
    will: { ...WILL, retain: true },
    username: "u",
    password: bytes("'p'"),
  }),
  bad("will topic with a wildcard", 4, '"MQTT" 04 06 003c "c" "w/#" "bye"', RC.TOPIC_NAME_INVALID),
  bad("will topic of length 0 [MQTT-4.7.3-1]", 4, '"MQTT" 04 06 003c "c" "" "bye"', RC.TOPIC_NAME_INVALID),

  // --- strings
  bad("[MQTT-1.5.4-2] U+0000 in the client identifier", 4, '"MQTT" 04 02 003c 0003 61 00 62'),
  bad("[MQTT-1.5.4-1] surrogate in the client identifier", 4, '"MQTT" 04 02 003c 0003 eda080'),
  bad("overlong form in the client identifier", 4, '"MQTT" 04 02 003c 0002 c0af'),
  bad("cut sequence in the client identifier", 4, '"MQTT" 04 02 003c 0002 e282'),
  bad("control character in the client identifier", 4, '"MQTT" 04 02 003c 0002 6107'),
  bad("U+FFFF in the user name", 4, '"MQTT" 04 82 003c "c" 0003 efbfbf'),
  bad("ill-formed UTF-8 in the will topic", 4, '"MQTT" 04 06 003c "c" 0001 ff "bye"'),
  good("[MQTT-1.5.4-3] a BOM is a character", 4, '"MQTT" 04 02 003c 0004 efbbbf 61', { ...PLAIN, clientId: "\ufeffa" }),

  // --- lengths
  bad("empty packet", 4, ""),
  bad("protocol name cut short", 4, "0004 'MQ'"),
  bad("nothing behind the protocol name", 4, '"MQTT"'),
  bad("nothing behind the level", 4, '"MQTT" 04'),
  bad("keep alive cut short", 4, '"MQTT" 04 02 00'),
  bad("no client identifier [MQTT-3.1.3-3]", 4, '"MQTT" 04 02 003c'),
  bad("client identifier cut short", 4, '"MQTT" 04 02 003c 0005 61'),
  bad("will payload missing", 4, '"MQTT" 04 06 003c "c" "w"'),
  bad("password cut short", 4, '"MQTT" 04 c2 003c "c" "u" 0010 61'),
  bad("bytes left over", 4, '"MQTT" 04 02 003c "c" 00'),
  bad("bytes left over in 5.0", 5, '"MQTT" 05 02 003c {} "c" 00'),
  bad("5.0 without property length", 5, '"MQTT" 05 02 003c'),
  bad("properties longer than the packet", 5, '"MQTT" 05 02 003c 7f 11 0000000a'),
  bad("property length of five bytes", 5, '"MQTT" 05 02 003c 8080808001 "c"'),
  bad("[MQTT-1.5.5-1] property length in too many bytes", 5, '"MQTT" 05 02 003c 8000 "c"'),
  {
    name: "[MQTT-1.5.5-1] remaining length in too many bytes",
    version: 5,
    bytes: bytes(`10 8e00 "MQTT" 05 02 003c {} "c"`),
    error: RC.MALFORMED_PACKET,
  },

  // --- properties
  goodProps("session expiry", "11 0000000a", { sessionExpiry: 10 }),
  goodProps("session expiry never", "11 ffffffff", { sessionExpiry: 0xffffffff }),
  goodProps("receive maximum", "21 0014", { receiveMaximum: 20 }),
  goodProps("maximum packet size", "27 00010000", { maximumPacketSize: 65536 }),
  goodProps("topic alias maximum", "22 000a", { topicAliasMaximum: 10 }),
  goodProps("topic alias maximum 0", "22 0000", { topicAliasMaximum: 0 }),
  goodProps("request response information", "19 01", { requestResponseInfo: true }),
  goodProps("request problem information off", "17 00", { requestProblemInfo: false }),
  goodProps("request problem information on", "17 01", { requestProblemInfo: true }),
  goodProps("authentication method and data", '15 "SCRAM" 16 0003 00ff01', { authMethod: "SCRAM", authData: bytes("00ff01") }),
  goodProps("authentication method alone", '15 "m"', { authMethod: "m" }),
  goodProps("user properties keep order and duplicates", '26 "b" "1" 26 "a" "2" 26 "b" "3" 26 "b" "1"', {
    userProperties: [
      ["b", "1"],
      ["a", "2"],
      ["b", "3"],
      ["b", "1"],
    ],
  }),
  goodProps("empty user property", '26 "" ""', { userProperties: [["", ""]] }),
  goodProps("a hundred user properties", times(100, '26 "key" "value"'), {
    userProperties: Array.from({ length: 100 }, (): [string, string] => ["key", "value"]),
  }),
  goodProps("all properties", '22 0001 11 00000001 27 00000001 21 0001 19 00 17 01 26 "k" "v" 15 "m" 16 0000', {
    topicAliasMaximum: 1,
    sessionExpiry: 1,
    maximumPacketSize: 1,
    receiveMaximum: 1,
    userProperties: [["k", "v"]],
    authMethod: "m",
    authData: new Uint8Array(),
  }),
  badProps("receive maximum 0 (3.1.2.11.3)", "21 0000", RC.PROTOCOL_ERROR),
  badProps("maximum packet size 0 (3.1.2.11.4)", "27 00000000", RC.PROTOCOL_ERROR),
  badProps("request response information 2 (3.1.2.11.6)", "19 02", RC.PROTOCOL_ERROR),
  badProps("request problem information 2 (3.1.2.11.7)", "17 02", RC.PROTOCOL_ERROR),
  badProps("authentication data without method (3.1.2.11.10)", "16 0001 61", RC.PROTOCOL_ERROR),
  badProps("session expiry twice", "11 00000001 11 00000001", RC.PROTOCOL_ERROR),
  badProps("receive maximum twice", "21 0001 21 0001", RC.PROTOCOL_ERROR),
  badProps("maximum packet size twice", "27 00000001 27 00000001", RC.PROTOCOL_ERROR),
  badProps("topic alias maximum twice", "22 0000 22 0000", RC.PROTOCOL_ERROR),
  badProps("request response information twice", "19 00 19 00", RC.PROTOCOL_ERROR),
  badProps("request problem information twice", "17 01 17 01", RC.PROTOCOL_ERROR),
  badProps("authentication method twice", '15 "m" 15 "m"', RC.PROTOCOL_ERROR),
  badProps("authentication data twice", '15 "m" 16 0000 16 0000', RC.PROTOCOL_ERROR),
  badProps("property of PUBLISH (2.2.2.2)", "23 0001", RC.MALFORMED_PACKET),
  badProps("property of CONNACK (2.2.2.2)", '12 "id"', RC.MALFORMED_PACKET),
  badProps("property of the will (2.2.2.2)", "18 00000001", RC.MALFORMED_PACKET),
  badProps("unknown property (2.2.2.2)", "7f 01", RC.MALFORMED_PACKET),
  badProps("property identifier 0", "00", RC.MALFORMED_PACKET),
  badProps("property identifier in two bytes", "9100 00000001", RC.MALFORMED_PACKET),
  badProps("value runs past the property length", "11 0000", RC.MALFORMED_PACKET),
  badProps("property without value", "11", RC.MALFORMED_PACKET),
  badProps("user property without its value", '26 "k"', RC.MALFORMED_PACKET),
  badProps("[MQTT-1.5.7-1] U+0000 in a user property", '26 "k" 0001 00', RC.MALFORMED_PACKET),
  badProps("ill-formed authentication method", "15 0001 ff", RC.MALFORMED_PACKET),

  // --- will properties
  goodWill("no will properties", "", {}),
  goodWill("will delay", "18 0000000a", { delay: 10 }),
  goodWill("will payload format", "01 01", { properties: { payloadFormat: 1 } }),
  goodWill("will message expiry", "02 0000003c", { properties: { messageExpiry: 60 } }),
  goodWill("will content type", '03 "text/plain"', { properties: { contentType: "text/plain" } }),
  goodWill("will response topic", '08 "r/t"', { properties: { responseTopic: "r/t" } }),
  goodWill("will correlation data", "09 0002 00ff", { properties: { correlationData: bytes("00ff") } }),
  goodWill("will user properties", '26 "b" "1" 26 "a" "2"', {
    properties: {
      userProperties: [
        ["b", "1"],
        ["a", "2"],
      ],
    },
  }),
  goodWill("will delay beside others", '18 00000001 03 "t"', { delay: 1, properties: { contentType: "t" } }),
  badWill("will delay twice", "18 00000001 18 00000001", RC.PROTOCOL_ERROR),
  badWill("will payload format 2", "01 02", RC.PROTOCOL_ERROR),
  badWill("will response topic with wildcard", '08 "r/+"', RC.PROTOCOL_ERROR),
  badWill("property of CONNECT in the will", "11 00000001", RC.MALFORMED_PACKET),
  badWill("topic alias in the will", "23 0001", RC.MALFORMED_PACKET),
  badWill("subscription identifier in the will", "0b 01", RC.MALFORMED_PACKET),
  bad(
    "will payload is not the UTF-8 it claims (3.1.3.2.3)",
    5,
    '"MQTT" 05 06 003c {} "c" {01 01} "w" 0002 c328',
    RC.PAYLOAD_FORMAT_INVALID,
  ),
  bad("will properties longer than the packet", 5, '"MQTT" 05 06 003c {} "c" 40 "w" "bye"'),
];
