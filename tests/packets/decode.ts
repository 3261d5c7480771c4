/** One door to all decoders: what tests, fuzzers and benches call with a whole packet, as the channel would. */

import * as frame from "../../server/mqtt/frame.ts";
import { readAck } from "../../server/mqtt/packets/acks.ts";
import { decodeAuth } from "../../server/mqtt/packets/auth.ts";
import { decodeConnect } from "../../server/mqtt/packets/connect.ts";
import { decodeDisconnect } from "../../server/mqtt/packets/disconnect.ts";
import { PublishView, readPublish, readPublishProperties } from "../../server/mqtt/packets/publish.ts";
import { decodeSubscribe } from "../../server/mqtt/packets/subscribe.ts";
import { decodeUnsubscribe } from "../../server/mqtt/packets/unsubscribe.ts";
import { RC } from "../../server/mqtt/reason_codes.ts";
import { validTopicName } from "../../server/mqtt/topic.ts";
import { ProtocolError, type ProtocolVersion, type PublishProperties } from "../../server/mqtt/types.ts";
import { readUtf8 } from "../../server/mqtt/utf8.ts";
import type { AckValue } from "./acks.ts";
import type { PublishValue } from "./publish.ts";

export function publishValue(
  buf: Uint8Array,
  pos: number,
  body: number,
  end: number,
  version: ProtocolVersion,
): PublishValue | ProtocolError {
  const view = new PublishView();
  const refused = readPublish(buf, pos, body, end, version, view);
  if (refused !== 0) return new ProtocolError(refused, "PUBLISH");
  const topic = readUtf8(buf, view.topicStart, view.topicEnd);
  if (topic === null) return new ProtocolError(RC.MALFORMED_PACKET, "topic");
  const p: PublishProperties | ProtocolError =
    view.propsStart === view.propsEnd ? {} : readPublishProperties(buf, view.propsStart, view.propsEnd);
  if (p instanceof ProtocolError) return p;
  if (topic === "" && p.topicAlias === undefined) return new ProtocolError(RC.PROTOCOL_ERROR, "no topic and no alias");
  if (topic !== "" && !validTopicName(topic)) return new ProtocolError(RC.TOPIC_NAME_INVALID, "topic name");
  const payload = buf.subarray(view.payloadStart, view.end);
  return { topic, qos: view.qos, dup: view.dup, retain: view.retain, packetId: view.packetId, properties: p, payload };
}

export function ackValue(buf: Uint8Array, body: number, end: number, version: ProtocolVersion, type: number): AckValue | ProtocolError {
  const result = readAck(buf, body, end, version, type);
  return result < 0 ? new ProtocolError(-result, "acknowledgement") : { packetId: result & 0xffff, code: result >> 16 };
}

/** Decodes the one packet at `pos`; the stream's bytes end at `end`. null = not complete. */
export function decodeAt(buf: Uint8Array, pos: number, end: number, version: ProtocolVersion): unknown {
  const length = frame.frameLength(buf, pos, end, version);
  if (length < 0) return new ProtocolError(RC.MALFORMED_PACKET, "remaining length");
  if (length === 0 || length > end - pos) return null;
  const first = buf[pos] as number;
  if (!frame.checkFlags(first, first >> 4 === frame.CONNECT ? 0 : version)) return new ProtocolError(RC.MALFORMED_PACKET, "flags");
  const body = frame.bodyStart(buf, pos);
  const stop = pos + length;
  switch (first >> 4) {
    case frame.CONNECT:
      return decodeConnect(buf, body, stop, first & 15);
    case frame.PUBLISH:
      return publishValue(buf, pos, body, stop, version);
    case frame.PUBACK:
    case frame.PUBREC:
    case frame.PUBREL:
    case frame.PUBCOMP:
      return ackValue(buf, body, stop, version, first >> 4);
    case frame.SUBSCRIBE:
      return decodeSubscribe(buf, body, stop, version);
    case frame.UNSUBSCRIBE:
      return decodeUnsubscribe(buf, body, stop, version);
    case frame.DISCONNECT:
      return decodeDisconnect(buf, body, stop, version);
    case frame.AUTH:
      return decodeAuth(buf, body, stop);
    case frame.PINGREQ:
      return length === 2 ? "ping" : new ProtocolError(RC.MALFORMED_PACKET, "bytes left over");
    default:
      return new ProtocolError(RC.PROTOCOL_ERROR, "a client does not send this packet");
  }
}

export function decode(packet: Uint8Array, version: ProtocolVersion): unknown {
  return decodeAt(packet, 0, packet.length, version);
}
