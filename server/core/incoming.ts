/** A PUBLISH as it came: read in place, without an object for it, until somebody needs the message. */
import { PublishView } from "../mqtt/packets/publish.ts";
import type { PublishProperties } from "../mqtt/types.ts";
import type { Channel } from "./channel.ts";
import { Message } from "./message.ts";
import type { ClientInfo } from "./types.ts";

/** The PUBLISH in hand, and where its parts lie. One object, filled anew for each packet. */
export class Frame extends PublishView {
  buf: Uint8Array = new Uint8Array(0);
  start = 0;
  /** null too while they are plain and nobody has needed them. */
  properties: PublishProperties | null = null;
  /** `buf` is a light chunk (`Slab.light`). */
  light = false;
}

/** The message of the frame in hand; its payload still lies in the chunk. */
export function messageOf(ch: Channel, topic: string, frame: Frame): Message {
  const client = ch.client as ClientInfo;
  const expiry = frame.properties?.messageExpiry;
  // What is stored of it is the wall clock's, which may have been set since the last tick.
  if (expiry !== undefined) ch.broker.readWall();
  const { now, mono } = ch.broker;
  const expiresAt = expiry === undefined ? 0 : now + expiry * 1000;
  const m = new Message(topic, frame.buf, frame.qos, frame.retain, client.clientId, client.username, now, expiresAt, frame.properties);
  if (expiry !== undefined) m.dated(now, mono);
  m.payloadStart = frame.payloadStart;
  if (frame.properties === null) m.plain = frame.propsEnd - frame.propsStart;
  m.payloadEnd = frame.end;
  m.owned = false;
  return m;
}
