/** Column forms of messages, wills and options. */
import type { StoredMessage, StoredSubscription } from "../core/ports.ts";
import type { PublishProperties, QoS, WillPacket } from "../mqtt/types.ts";

/** The columns of a message, as named in every table that holds one. */
export const MESSAGE_COLUMNS = "topic, payload, flags, sender, username, timestamp, expires_at, properties";

export interface MessageColumns {
  topic: string;
  payload: Uint8Array;
  flags: number;
  sender: string;
  username: string | null;
  timestamp: number;
  expires_at: number;
  properties: string | null;
}

/** Memory of a message that waits to be written, about. */
export function messageBytes(m: StoredMessage): number {
  return m.payload.length + 2 * m.topic.length + 200;
}

/** Bits 0-1 QoS, bit 2 retain. */
export function packFlags(qos: QoS, retain: boolean): number {
  return retain ? qos | 4 : qos;
}

export function readMessage(r: MessageColumns): StoredMessage {
  return {
    topic: r.topic,
    payload: r.payload,
    qos: (r.flags & 3) as QoS,
    retain: (r.flags & 4) !== 0,
    from: r.sender,
    username: r.username,
    timestamp: r.timestamp,
    expiresAt: r.expires_at,
    properties: r.properties === null ? null : readProperties(r.properties),
  };
}

/** JSON under short names; binary correlation data as base64, user properties as a list of pairs. */
interface PropertiesJson {
  f?: 0 | 1;
  e?: number;
  a?: number;
  r?: string;
  c?: string;
  u?: [string, string][];
  s?: number[];
  t?: string;
}

/** JSON.stringify leaves out what is undefined. */
export function packProperties(p: PublishProperties | null): string | null {
  if (p === null) return null;
  const json: Record<keyof PropertiesJson, unknown> = {
    f: p.payloadFormat,
    e: p.messageExpiry,
    a: p.topicAlias,
    r: p.responseTopic,
    c: p.correlationData && Buffer.from(p.correlationData).toString("base64"),
    u: p.userProperties,
    s: p.subscriptionIds,
    t: p.contentType,
  };
  return JSON.stringify(json);
}

function readProperties(text: string): PublishProperties {
  const j = JSON.parse(text) as PropertiesJson;
  const p: PublishProperties = {};
  if (j.f !== undefined) p.payloadFormat = j.f;
  if (j.e !== undefined) p.messageExpiry = j.e;
  if (j.a !== undefined) p.topicAlias = j.a;
  if (j.r !== undefined) p.responseTopic = j.r;
  if (j.c !== undefined) p.correlationData = new Uint8Array(Buffer.from(j.c, "base64"));
  if (j.u !== undefined) p.userProperties = j.u;
  if (j.s !== undefined) p.subscriptionIds = j.s;
  if (j.t !== undefined) p.contentType = j.t;
  return p;
}

interface WillJson {
  topic: string;
  qos: QoS;
  retain: boolean;
  delay: number;
  properties: string | null;
}

/** Without the payload, which has its own column. */
export function packWill(w: WillPacket | null): string | null {
  if (w === null) return null;
  const json: WillJson = { topic: w.topic, qos: w.qos, retain: w.retain, delay: w.delay, properties: packProperties(w.properties) };
  return JSON.stringify(json);
}

export function readWill(text: string | null, payload: Uint8Array | null): WillPacket | null {
  if (text === null) return null;
  const j = JSON.parse(text) as WillJson;
  const properties = j.properties === null ? null : readProperties(j.properties);
  return { topic: j.topic, payload: payload ?? new Uint8Array(0), qos: j.qos, retain: j.retain, delay: j.delay, properties };
}

/** Bits 0-1 QoS, 2 No Local, 3 Retain As Published, 4-5 Retain Handling: the option byte of SUBSCRIBE [MQTT-3.8.3.1]. */
export function packOptions(s: StoredSubscription): number {
  return s.qos | (s.nl ? 4 : 0) | (s.rap ? 8 : 0) | (s.rh << 4);
}

export function readSubscription(filter: string, options: number, subId: number): StoredSubscription {
  return {
    filter,
    qos: (options & 3) as QoS,
    nl: (options & 4) !== 0,
    rap: (options & 8) !== 0,
    rh: ((options >> 4) & 3) as 0 | 1 | 2,
    subId,
  };
}
