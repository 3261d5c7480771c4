/**
 * CONNECT (section 3.1). Decoded by hand and not by mqtt-packet: that one lets invalid UTF-8, reserved bits and trailing bytes pass,
 * loses the order of user properties, and takes several times as long, which connect storms would pay for.
 */
import { type Properties, readProperties } from "../properties.ts";
import { Reader } from "../reader.ts";
import { RC } from "../reason_codes.ts";
import { validTopicName } from "../topic.ts";
import { type ConnectPacket, ProtocolError, type ProtocolVersion, type QoS, type WillPacket } from "../types.ts";
import { wellFormedUtf8 } from "../utf8.ts";
import { checkResponseTopic } from "./publish.ts";

const RESERVED = 0x01;
const CLEAN_START = 0x02;
const WILL = 0x04;
const WILL_RETAIN = 0x20;
const PASSWORD = 0x40;
const USERNAME = 0x80;
/** Bit of the protocol level by which bridges (Mosquitto, EMQ X) say what they are; versions 3.1 and 3.1.1 only. */
const BRIDGE = 0x80;

/**
 * In which version to answer a CONNECT that was refused: the client's own, 5 for levels above ours, 4 for other levels of "MQTT".
 * 0 = not MQTT at all: close without an answer [MQTT-3.1.2-1].
 */
export function answerVersion(buf: Uint8Array, bodyStart: number, end: number): ProtocolVersion | 0 {
  const r = new Reader(buf, bodyStart, end);
  const name = r.string("protocol name");
  const level = r.u8("protocol level");
  if (r.error) return 0;
  if (name === "MQIsdp") return 3;
  if (name !== "MQTT") return 0;
  return level >= 5 && level < BRIDGE ? 5 : 4;
}

/** Protocol name and level; 0 (and refused) for pairs that no version has. */
function readVersion(r: Reader): ProtocolVersion | 0 {
  const name = r.string("protocol name");
  const level = r.u8("protocol level");
  if (r.error) return 0;
  if (name === "MQTT" && (level === 4 || level === 5 || level === (4 | BRIDGE))) return level === 5 ? 5 : 4;
  if (name === "MQIsdp" && (level === 3 || level === (3 | BRIDGE))) return 3;
  // [MQTT-3.1.2-1], [MQTT-3.1.2-2]
  r.fail(RC.UNSUPPORTED_PROTOCOL_VERSION, "protocol name or level is not supported");
  return 0;
}

function checkConnectFlags(r: Reader, version: ProtocolVersion, flags: number): void {
  // [MQTT-3.1.2-3]; 3.1 does not use the bit.
  if (version !== 3 && (flags & RESERVED) !== 0) r.fail(RC.MALFORMED_PACKET, "reserved connect flag is set");
  const willQos = (flags >> 3) & 3;
  // [MQTT-3.1.2-12]
  if (willQos === 3) r.fail(RC.MALFORMED_PACKET, "will QoS is 3");
  // 3.1 says nothing of these two.
  if (version === 3) return;
  // [MQTT-3.1.2-11], [MQTT-3.1.2-13]
  if ((flags & WILL) === 0 && (willQos !== 0 || (flags & WILL_RETAIN) !== 0)) r.fail(RC.MALFORMED_PACKET, "will flags without a will");
  // 3.1.1 [MQTT-3.1.2-22]; 5.0 allows a password alone (3.1.2.9).
  if (version === 4 && (flags & PASSWORD) !== 0 && (flags & USERNAME) === 0) r.fail(RC.MALFORMED_PACKET, "password without user name");
}

/** Will properties, topic and payload [MQTT-3.1.3-1]. */
function readWill(r: Reader, version: ProtocolVersion, flags: number): WillPacket | null {
  const found: Properties | null = version === 5 ? readProperties(r, "will") : null;
  const topic = r.string("will topic");
  const payload = r.binary("will payload");
  if (r.error) return null;
  if (!validTopicName(topic)) r.fail(RC.TOPIC_NAME_INVALID, "will topic is not a topic name");
  let delay = 0;
  let properties: WillPacket["properties"] = null;
  if (found !== null) {
    const { willDelay, ...rest } = found;
    delay = willDelay ?? 0;
    for (const _ in rest) properties = rest;
    r.error ??= checkResponseTopic(found);
    if (found.payloadFormat === 1 && !wellFormedUtf8(payload, 0, payload.length)) {
      r.fail(RC.PAYLOAD_FORMAT_INVALID, "will payload is not the UTF-8 it claims to be");
    }
  }
  return { topic, payload, qos: ((flags >> 3) & 3) as QoS, retain: (flags & WILL_RETAIN) !== 0, delay, properties };
}

/** MQTT 3.1 allows the flag of a user name or password that the packet then ends without. */
function present(r: Reader, version: ProtocolVersion, flags: number, flag: number): boolean {
  return (flags & flag) !== 0 && !(version === 3 && r.pos === r.end);
}

/** `bodyStart`..`end`: the packet without its fixed header. `headerFlags`: the lower half of its first byte. */
export function decodeConnect(buf: Uint8Array, bodyStart: number, end: number, headerFlags = 0): ConnectPacket | ProtocolError {
  const r = new Reader(buf, bodyStart, end);
  const version = readVersion(r);
  if (version === 0) return r.error as ProtocolError;
  // [MQTT-2.1.3-1]; 3.1 does not use them.
  if (version !== 3 && headerFlags !== 0) return new ProtocolError(RC.MALFORMED_PACKET, "flags of the fixed header");
  // The version was not known when the length was read: more bytes than needed end in a zero [MQTT-1.5.5-1].
  if (version === 5 && buf[bodyStart - 1] === 0) return new ProtocolError(RC.MALFORMED_PACKET, "remaining length is not minimal");
  const isBridge = version !== 5 && (buf[r.pos - 1] as number) >= BRIDGE;
  const flags = r.u8("connect flags");
  checkConnectFlags(r, version, flags);
  const keepalive = r.u16("keep alive");
  const p = version === 5 ? readProperties(r, "connect") : null;
  // Payload: these fields in this order [MQTT-3.1.3-1].
  const clientId = r.string("client identifier");
  const will = (flags & WILL) !== 0 && r.error === null ? readWill(r, version, flags) : null;
  const username = present(r, version, flags, USERNAME) ? r.string("user name") : null;
  const password = present(r, version, flags, PASSWORD) ? r.binary("password") : null;
  r.finish();
  // 3.1.2.11.10
  if (p?.authData !== undefined && p.authMethod === undefined) r.fail(RC.PROTOCOL_ERROR, "authentication data without a method");
  if (r.error) return r.error;
  return {
    protocolName: version === 3 ? "MQIsdp" : "MQTT",
    version,
    isBridge,
    cleanStart: (flags & CLEAN_START) !== 0,
    keepalive,
    clientId,
    will,
    username,
    password,
    sessionExpiry: p?.sessionExpiry ?? 0,
    receiveMaximum: p?.receiveMaximum ?? 0,
    maximumPacketSize: p?.maximumPacketSize ?? 0,
    topicAliasMaximum: p?.topicAliasMaximum ?? 0,
    requestResponseInfo: p?.requestResponseInfo ?? false,
    // Without the property it is 1 (3.1.2.11.7).
    requestProblemInfo: p?.requestProblemInfo ?? true,
    userProperties: p?.userProperties ?? null,
    authMethod: p?.authMethod ?? null,
    authData: p?.authData ?? null,
  };
}
