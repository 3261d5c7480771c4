/** What the server sends: arguments of our encoders and the packets that must come out. */

import { PUBACK, PUBCOMP, PUBREC, PUBREL } from "../../server/mqtt/frame.ts";
import type { writeAck } from "../../server/mqtt/packets/acks.ts";
import type { encodeAuth } from "../../server/mqtt/packets/auth.ts";
import type { encodeConnack } from "../../server/mqtt/packets/connack.ts";
import type { encodeDisconnect } from "../../server/mqtt/packets/disconnect.ts";
import type { encodePublish, PublishHeader } from "../../server/mqtt/packets/publish.ts";
import type { encodeSuback } from "../../server/mqtt/packets/suback.ts";
import type { encodeUnsuback } from "../../server/mqtt/packets/unsuback.ts";
import { RC } from "../../server/mqtt/reason_codes.ts";
import type { ProtocolVersion } from "../../server/mqtt/types.ts";
import type { EncodeRow } from "./types.ts";
import { bytes, packet } from "./wire.ts";

type Args<F extends (...args: never[]) => unknown> = Parameters<F>;

function connack(name: string, args: Args<typeof encodeConnack>, notation: string): EncodeRow<Args<typeof encodeConnack>> {
  return { name, version: args[0], args, bytes: packet(0x20, notation) };
}

export const CONNACK_ROWS: readonly EncodeRow<Args<typeof encodeConnack>>[] = [
  connack("3.1 accepted", [3, false, RC.SUCCESS, null], "00 00"),
  connack("3.1 has no session present flag", [3, true, RC.SUCCESS, null], "00 00"),
  connack("3.1.1 accepted", [4, false, RC.SUCCESS, null], "00 00"),
  connack("3.1.1 session present", [4, true, RC.SUCCESS, null], "01 00"),
  connack("3.1.1 ignores properties", [4, false, RC.SUCCESS, { receiveMaximum: 5 }], "00 00"),
  connack("3.1.1 unacceptable version", [4, false, RC.UNSUPPORTED_PROTOCOL_VERSION, null], "00 01"),
  connack("3.1.1 identifier rejected", [4, false, RC.CLIENT_IDENTIFIER_NOT_VALID, null], "00 02"),
  connack("3.1.1 server unavailable", [4, false, RC.SERVER_BUSY, null], "00 03"),
  connack("3.1.1 bad user name or password", [4, false, RC.BAD_USERNAME_OR_PASSWORD, null], "00 04"),
  connack("3.1.1 not authorized", [4, false, RC.NOT_AUTHORIZED, null], "00 05"),
  connack("[MQTT-3.2.2-6] no session present with a refusal", [4, true, RC.BANNED, null], "00 05"),
  connack("5.0 accepted", [5, false, RC.SUCCESS, null], "00 00 {}"),
  connack("5.0 session present", [5, true, RC.SUCCESS, {}], "01 00 {}"),
  connack("[MQTT-3.2.2-6] no session present with a refusal in 5.0", [5, true, RC.NOT_AUTHORIZED, null], "00 87 {}"),
  connack("session expiry", [5, false, 0, { sessionExpiry: 7200 }], "00 00 {11 00001c20}"),
  connack("receive maximum", [5, false, 0, { receiveMaximum: 32 }], "00 00 {21 0020}"),
  connack("maximum QoS", [5, false, 0, { maximumQos: 1 }], "00 00 {24 01}"),
  connack("retain available", [5, false, 0, { retainAvailable: false }], "00 00 {25 00}"),
  connack("maximum packet size", [5, false, 0, { maximumPacketSize: 0xffffffff }], "00 00 {27 ffffffff}"),
  connack("assigned client identifier", [5, false, 0, { assignedClientId: "é1" }], '00 00 {12 "é1"}'),
  connack("topic alias maximum", [5, false, 0, { topicAliasMaximum: 10 }], "00 00 {22 000a}"),
  connack("reason string", [5, false, 0x87, { reasonString: "no" }], '00 87 {1f "no"}'),
  connack(
    "user properties keep order and duplicates",
    [
      5,
      false,
      0,
      {
        userProperties: [
          ["b", "1"],
          ["a", "2"],
          ["b", "1"],
        ],
      },
    ],
    '00 00 {26 "b" "1" 26 "a" "2" 26 "b" "1"}',
  ),
  connack("wildcard subscription available", [5, false, 0, { wildcardSubscription: true }], "00 00 {28 01}"),
  connack("subscription identifiers available", [5, false, 0, { subscriptionIds: false }], "00 00 {29 00}"),
  connack("shared subscription available", [5, false, 0, { sharedSubscription: true }], "00 00 {2a 01}"),
  connack("server keep alive", [5, false, 0, { serverKeepalive: 300 }], "00 00 {13 012c}"),
  connack("response information", [5, false, 0, { responseInfo: "r/" }], '00 00 {1a "r/"}'),
  connack("server reference", [5, false, 0x9d, { serverReference: "h:1883" }], '00 9d {1c "h:1883"}'),
  connack("authentication", [5, false, 0, { authMethod: "m", authData: bytes("00ff") }], '00 00 {15 "m" 16 0002 00ff}'),
];

function suback(name: string, args: Args<typeof encodeSuback>, notation: string): EncodeRow<Args<typeof encodeSuback>> {
  return { name, version: args[0], args, bytes: packet(0x90, notation) };
}

export const SUBACK_ROWS: readonly EncodeRow<Args<typeof encodeSuback>>[] = [
  suback("3.1", [3, 10, [0]], "000a 00"),
  suback("3.1.1, [MQTT-3.9.3-1] in order", [4, 10, [2, 0, 1]], "000a 02 00 01"),
  suback("3.1.1 knows one failure only", [4, 65535, [0x87, 0, 0x8f]], "ffff 80 00 80"),
  suback("5.0", [5, 10, [0, 1, 2]], "000a {} 00 01 02"),
  suback("5.0 failures", [5, 10, [0x87, 0x8f, 0x97, 0x9e, 0xa1, 0xa2]], "000a {} 87 8f 97 9e a1 a2"),
  suback("5.0 reason string", [5, 10, [0x87], "no"], '000a {1f "no"} 87'),
  suback("3.1.1 has no reason string", [4, 10, [0x87], "no"], "000a 80"),
];

function unsuback(name: string, args: Args<typeof encodeUnsuback>, notation: string): EncodeRow<Args<typeof encodeUnsuback>> {
  return { name, version: args[0], args, bytes: packet(0xb0, notation) };
}

export const UNSUBACK_ROWS: readonly EncodeRow<Args<typeof encodeUnsuback>>[] = [
  unsuback("3.1", [3, 10, [0]], "000a"),
  unsuback("3.1.1 has no codes", [4, 10, [0, 0x11]], "000a"),
  unsuback("5.0", [5, 10, [0]], "000a {} 00"),
  unsuback("5.0, [MQTT-3.11.3-1] in order", [5, 10, [0x11, 0, 0x87]], "000a {} 11 00 87"),
];

function disconnect(name: string, args: Args<typeof encodeDisconnect>, notation: string): EncodeRow<Args<typeof encodeDisconnect>> {
  return { name, version: args[0], args, bytes: packet(0xe0, notation) };
}

export const SERVER_DISCONNECT_ROWS: readonly EncodeRow<Args<typeof encodeDisconnect>>[] = [
  disconnect("shutting down", [5, RC.SERVER_SHUTTING_DOWN], "8b {}"),
  disconnect("taken over, no properties", [5, RC.SESSION_TAKEN_OVER, {}], "8e {}"),
  disconnect("reason string", [5, RC.MALFORMED_PACKET, { reasonString: "bad" }], '81 {1f "bad"}'),
  disconnect("server reference", [5, RC.SERVER_MOVED, { serverReference: "h" }], '9d {1c "h"}'),
];

function auth(name: string, args: Args<typeof encodeAuth>, notation: string): EncodeRow<Args<typeof encodeAuth>> {
  return { name, version: 5, args, bytes: packet(0xf0, notation) };
}

export const SERVER_AUTH_ROWS: readonly EncodeRow<Args<typeof encodeAuth>>[] = [
  auth("continue", [0x18, "m", bytes("00ff")], '18 {15 "m" 16 0002 00ff}'),
  auth("success without data", [0x00, "m", null], '00 {15 "m"}'),
  auth("reason string", [0x00, "m", null, "ok"], '00 {15 "m" 1f "ok"}'),
  auth("empty data", [0x18, "m", new Uint8Array()], '18 {15 "m" 16 0000}'),
];

type AckArgs = [type: number, packetId: number, code: number, version: ProtocolVersion];
/** The arguments of `writeAck` behind the buffer and the position. */
type TailOf<F> = F extends (out: Uint8Array, at: number, ...rest: infer R) => unknown ? R : never;
function ack(name: string, args: AckArgs & TailOf<typeof writeAck>, first: number, notation: string): EncodeRow<AckArgs> {
  return { name, version: args[3], args, bytes: packet(first, notation) };
}

export const SERVER_ACK_ROWS: readonly EncodeRow<AckArgs>[] = [
  ack("PUBACK", [PUBACK, 1, 0, 4], 0x40, "0001"),
  ack("PUBREC", [PUBREC, 0x1234, 0, 4], 0x50, "1234"),
  ack("PUBREL [MQTT-3.6.1-1]", [PUBREL, 65535, 0, 3], 0x62, "ffff"),
  ack("PUBCOMP", [PUBCOMP, 256, 0, 4], 0x70, "0100"),
  ack("5.0 success needs no code", [PUBACK, 1, 0, 5], 0x40, "0001"),
  ack("5.0 PUBACK with a code", [PUBACK, 1, 0x10, 5], 0x40, "0001 10"),
  ack("5.0 PUBREC with a code", [PUBREC, 1, 0x97, 5], 0x50, "0001 97"),
  ack("5.0 PUBREL with a code", [PUBREL, 1, 0x92, 5], 0x62, "0001 92"),
  ack("5.0 PUBCOMP with a code", [PUBCOMP, 1, 0x92, 5], 0x70, "0001 92"),
  ack("3.1.1 has no codes", [PUBACK, 1, 0x87, 4], 0x40, "0001"),
];

type PublishArgs = Args<typeof encodePublish>;
export const PUBLISH_HEADER: PublishHeader = {
  qos: 0,
  retain: false,
  dup: false,
  packetId: 0,
  subIds: null,
  messageExpiry: -1,
  alias: 0,
  sendTopic: true,
};
function publish(
  name: string,
  [version, m, header]: [PublishArgs[0], PublishArgs[1], Partial<PublishHeader>],
  first: number,
  notation: string,
): EncodeRow<PublishArgs> {
  return { name, version, args: [version, m, { ...PUBLISH_HEADER, ...header }], bytes: packet(first, notation) };
}

const HI = { topic: "a/b", payload: bytes("'hi'"), properties: null };
const RICH: PublishArgs[1] = {
  topic: "a/b",
  payload: bytes("'hi'"),
  properties: {
    payloadFormat: 1,
    contentType: "t",
    responseTopic: "r",
    correlationData: bytes("00ff"),
    userProperties: [
      ["b", "1"],
      ["a", "2"],
      ["b", "1"],
    ],
  },
};

export const SERVER_PUBLISH_ROWS: readonly EncodeRow<PublishArgs>[] = [
  publish("QoS 0", [4, HI, {}], 0x30, `"a/b" 'hi'`),
  publish("QoS 0 retained in 3.1", [3, HI, { retain: true }], 0x31, `"a/b" 'hi'`),
  publish("QoS 1", [4, HI, { qos: 1, packetId: 258 }], 0x32, `"a/b" 0102 'hi'`),
  publish("[MQTT-3.3.1-1] QoS 1 sent again", [4, HI, { qos: 1, dup: true, packetId: 1 }], 0x3a, `"a/b" 0001 'hi'`),
  publish("QoS 2 retained", [4, HI, { qos: 2, retain: true, packetId: 65535 }], 0x35, `"a/b" ffff 'hi'`),
  publish("3.1.1 has no properties", [4, RICH, { subIds: [1], messageExpiry: 60, alias: 5 }], 0x30, `"a/b" 'hi'`),
  publish("3.1.1 has no alias: the topic is sent", [4, HI, { alias: 5, sendTopic: false }], 0x30, `"a/b" 'hi'`),
  publish("5.0 QoS 0", [5, HI, {}], 0x30, `"a/b" {} 'hi'`),
  publish("5.0 QoS 1", [5, HI, { qos: 1, packetId: 1 }], 0x32, `"a/b" 0001 {} 'hi'`),
  publish("5.0 message expiry left", [5, HI, { messageExpiry: 59 }], 0x30, `"a/b" {02 0000003b} 'hi'`),
  publish("5.0 message expiry 0", [5, HI, { messageExpiry: 0 }], 0x30, `"a/b" {02 00000000} 'hi'`),
  publish("5.0 message expiry, largest", [5, HI, { messageExpiry: 0xffffffff }], 0x30, `"a/b" {02 ffffffff} 'hi'`),
  publish("5.0 new alias", [5, HI, { alias: 3 }], 0x30, `"a/b" {23 0003} 'hi'`),
  publish("5.0 known alias", [5, HI, { alias: 3, sendTopic: false }], 0x30, `"" {23 0003} 'hi'`),
  publish("5.0 subscription identifiers", [5, HI, { subIds: [1, 300] }], 0x30, `"a/b" {0b 01 0b ac02} 'hi'`),
  publish(
    "5.0 [MQTT-3.3.2-18] properties of the message unaltered",
    [5, RICH, {}],
    0x30,
    `"a/b" {01 01 03 "t" 08 "r" 09 0002 00ff 26 "b" "1" 26 "a" "2" 26 "b" "1"} 'hi'`,
  ),
  publish(
    "5.0 everything",
    [5, RICH, { qos: 2, retain: true, dup: true, packetId: 7, subIds: [2], messageExpiry: 1, alias: 9 }],
    0x3d,
    `"a/b" 0007 {02 00000001 23 0009 0b 02 01 01 03 "t" 08 "r" 09 0002 00ff 26 "b" "1" 26 "a" "2" 26 "b" "1"} 'hi'`,
  ),
  publish(
    "5.0 the message's own expiry, alias and identifiers do not go out",
    [5, { ...HI, properties: { messageExpiry: 99, topicAlias: 8, subscriptionIds: [5], payloadFormat: 0 } }, {}],
    0x30,
    `"a/b" {01 00} 'hi'`,
  ),
  publish("topic in UTF-8", [4, { ...HI, topic: "温/é/🚀" }, {}], 0x30, `"温/é/🚀" 'hi'`),
  publish("empty payload", [4, { ...HI, payload: new Uint8Array() }, { retain: true }], 0x31, '"a/b"'),
];

/** PINGRESP is one constant. */
export const PINGRESP_BYTES: Uint8Array = packet(0xd0, "");
export const PINGREQ_BYTES: Uint8Array = packet(0xc0, "");
