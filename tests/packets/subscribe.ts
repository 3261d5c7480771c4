import { RC } from "../../server/mqtt/reason_codes.ts";
import type { ProtocolVersion, SubscribePacket, SubscribeRequest, UnsubscribePacket } from "../../server/mqtt/types.ts";
import type { DecodeRow } from "./types.ts";
import { packet, times } from "./wire.ts";

const REQUEST: SubscribeRequest = { filter: "a/b", qos: 0, nl: false, rap: false, rh: 0 };
const PLAIN: SubscribePacket = { packetId: 10, subscriptionId: 0, userProperties: null, requests: [REQUEST] };

function good(name: string, version: ProtocolVersion, notation: string, value: Partial<SubscribePacket>): DecodeRow<SubscribePacket> {
  return { name, version, bytes: packet(0x82, notation), value: { ...PLAIN, ...value } };
}
function bad(name: string, version: ProtocolVersion, notation: string, error: number): DecodeRow<SubscribePacket> {
  return { name, version, bytes: packet(0x82, notation), error };
}
function options(name: string, byte: string, value: Partial<SubscribeRequest>): DecodeRow<SubscribePacket> {
  return good(name, 5, `000a {} "a/b" ${byte}`, { requests: [{ ...REQUEST, ...value }] });
}

export const SUBSCRIBE_ROWS: readonly DecodeRow<SubscribePacket>[] = [
  good("3.1", 3, '000a "a/b" 00', {}),
  good("3.1.1", 4, '000a "a/b" 00', {}),
  good("5.0", 5, '000a {} "a/b" 00', {}),
  good("3.1.1 QoS 1", 4, '000a "a/b" 01', { requests: [{ ...REQUEST, qos: 1 }] }),
  good("3.1.1 QoS 2", 4, '000a "a/b" 02', { requests: [{ ...REQUEST, qos: 2 }] }),
  good("several filters", 4, '000a "a/b" 00 "c/+" 01 "#" 02', {
    requests: [REQUEST, { ...REQUEST, filter: "c/+", qos: 1 }, { ...REQUEST, filter: "#", qos: 2 }],
  }),
  good("a hundred filters", 4, `000a ${times(100, '"a/b" 00')}`, { requests: Array.from({ length: 100 }, () => REQUEST) }),
  good("[MQTT-3.8.3-1] filter in UTF-8", 4, '000a "温度/🚀/+" 00', { requests: [{ ...REQUEST, filter: "温度/🚀/+" }] }),
  good("whether the filter is a good one is not the decoder's business", 4, '000a "a/#/b" 00', {
    requests: [{ ...REQUEST, filter: "a/#/b" }],
  }),
  good("empty filter, answered in SUBACK", 5, '000a {} "" 00', { requests: [{ ...REQUEST, filter: "" }] }),
  good("shared subscription", 5, '000a {} "$share/g/a" 01', { requests: [{ ...REQUEST, filter: "$share/g/a", qos: 1 }] }),
  options("no local", "04", { nl: true }),
  options("retain as published", "08", { rap: true }),
  options("retain handling 1", "10", { rh: 1 }),
  options("retain handling 2", "20", { rh: 2 }),
  options("all options", "2e", { qos: 2, nl: true, rap: true, rh: 2 }),
  good("subscription identifier", 5, '000a {0b 05} "a/b" 00', { subscriptionId: 5 }),
  good("largest subscription identifier", 5, '000a {0b ffffff7f} "a/b" 00', { subscriptionId: 268_435_455 }),
  good("user properties keep order and duplicates", 5, '000a {26 "b" "1" 26 "a" "2" 26 "b" "1"} "a/b" 00', {
    userProperties: [
      ["b", "1"],
      ["a", "2"],
      ["b", "1"],
    ],
  }),
  bad("[MQTT-2.2.1-3] packet identifier 0", 4, '0000 "a/b" 00', RC.PROTOCOL_ERROR),
  bad("[MQTT-2.2.1-3] packet identifier 0 in 5.0", 5, '0000 {} "a/b" 00', RC.PROTOCOL_ERROR),
  bad("[MQTT-3.8.3-2] no filter", 4, "000a", RC.PROTOCOL_ERROR),
  bad("[MQTT-3.8.3-2] no filter in 5.0", 5, "000a {}", RC.PROTOCOL_ERROR),
  bad("empty packet", 4, "", RC.MALFORMED_PACKET),
  bad("packet identifier cut short", 4, "00", RC.MALFORMED_PACKET),
  bad("5.0 without property length", 5, "000a", RC.MALFORMED_PACKET),
  bad("filter cut short", 4, "000a 0009 'a'", RC.MALFORMED_PACKET),
  bad("no options", 4, '000a "a/b"', RC.MALFORMED_PACKET),
  bad("no options behind the second filter", 4, '000a "a/b" 00 "c"', RC.MALFORMED_PACKET),
  bad("QoS 3", 4, '000a "a/b" 03', RC.MALFORMED_PACKET),
  bad("QoS 3 in 5.0 (3.8.3.1)", 5, '000a {} "a/b" 03', RC.PROTOCOL_ERROR),
  bad("3.1.1 [MQTT-3-8.3-4] reserved bits", 4, '000a "a/b" 04', RC.MALFORMED_PACKET),
  bad("[MQTT-3.8.3-5] reserved bit 6", 5, '000a {} "a/b" 40', RC.MALFORMED_PACKET),
  bad("[MQTT-3.8.3-5] reserved bit 7", 5, '000a {} "a/b" 80', RC.MALFORMED_PACKET),
  bad("retain handling 3 (3.8.3.1)", 5, '000a {} "a/b" 30', RC.PROTOCOL_ERROR),
  bad("[MQTT-3.8.3-4] no local on a shared subscription", 5, '000a {} "$share/g/a" 04', RC.PROTOCOL_ERROR),
  bad("no local on a $queue subscription", 5, '000a {} "$queue/a" 04', RC.PROTOCOL_ERROR),
  bad("subscription identifier 0 (3.8.2.1.2)", 5, '000a {0b 00} "a/b" 00', RC.PROTOCOL_ERROR),
  bad("subscription identifier twice", 5, '000a {0b 01 0b 02} "a/b" 00', RC.PROTOCOL_ERROR),
  bad("[MQTT-1.5.5-1] subscription identifier in too many bytes", 5, '000a {0b 8100} "a/b" 00', RC.MALFORMED_PACKET),
  bad("subscription identifier of five bytes", 5, '000a {0b ffffffff01} "a/b" 00', RC.MALFORMED_PACKET),
  bad("property of another packet (2.2.2.2)", 5, '000a {1f "r"} "a/b" 00', RC.MALFORMED_PACKET),
  bad("ill-formed filter", 4, "000a 0001 ff 00", RC.MALFORMED_PACKET),
  bad("[MQTT-4.7.3-2] U+0000 in the filter", 4, "000a 0003 61 00 62 00", RC.MALFORMED_PACKET),
];

const GONE: UnsubscribePacket = { packetId: 10, userProperties: null, filters: ["a/b"] };

function goodUn(name: string, version: ProtocolVersion, notation: string, value: Partial<UnsubscribePacket>): DecodeRow<UnsubscribePacket> {
  return { name, version, bytes: packet(0xa2, notation), value: { ...GONE, ...value } };
}
function badUn(name: string, version: ProtocolVersion, notation: string, error: number): DecodeRow<UnsubscribePacket> {
  return { name, version, bytes: packet(0xa2, notation), error };
}

export const UNSUBSCRIBE_ROWS: readonly DecodeRow<UnsubscribePacket>[] = [
  goodUn("3.1", 3, '000a "a/b"', {}),
  goodUn("3.1.1", 4, '000a "a/b"', {}),
  goodUn("5.0", 5, '000a {} "a/b"', {}),
  goodUn("several filters", 4, '000a "a/b" "c/+" "#"', { filters: ["a/b", "c/+", "#"] }),
  goodUn("user properties keep order and duplicates", 5, '000a {26 "b" "1" 26 "a" "2" 26 "b" "3"} "a/b"', {
    userProperties: [
      ["b", "1"],
      ["a", "2"],
      ["b", "3"],
    ],
  }),
  badUn("[MQTT-2.2.1-3] packet identifier 0", 4, '0000 "a/b"', RC.PROTOCOL_ERROR),
  badUn("[MQTT-3.10.3-2] no filter", 4, "000a", RC.PROTOCOL_ERROR),
  badUn("[MQTT-3.10.3-2] no filter in 5.0", 5, "000a {}", RC.PROTOCOL_ERROR),
  badUn("empty packet", 4, "", RC.MALFORMED_PACKET),
  badUn("5.0 without property length", 5, "000a", RC.MALFORMED_PACKET),
  badUn("filter cut short", 4, "000a 0009 'a'", RC.MALFORMED_PACKET),
  badUn("filter's length cut short", 4, '000a "a/b" 00', RC.MALFORMED_PACKET),
  badUn("subscription identifier (2.2.2.2)", 5, '000a {0b 01} "a/b"', RC.MALFORMED_PACKET),
  badUn("[MQTT-3.10.3-1] ill-formed filter", 5, "000a {} 0001 ff", RC.MALFORMED_PACKET),
];
