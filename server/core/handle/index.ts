/** Which file handles which packet of a connected client; PUBLISH and the acknowledgements go their own way (the hot path). */
import * as T from "../../mqtt/frame.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import type { Channel } from "../channel.ts";
import { PACKET_WORK } from "../turn.ts";
import { handleAuth } from "./auth.ts";
import { handleDisconnect } from "./disconnect.ts";
import { handlePing } from "./ping.ts";
import { handleSubscribe } from "./subscribe.ts";
import { handleUnsubscribe } from "./unsubscribe.ts";

/** The flags of the fixed header are checked. A promise: nothing more is handled before it has settled. */
export function handlePacket(ch: Channel, type: number, buf: Uint8Array, body: number, end: number): void | Promise<void> {
  return handle(ch, type, buf, body, end) ?? ch.broker.turn.spend(PACKET_WORK, ch.broker.mono);
}

function handle(ch: Channel, type: number, buf: Uint8Array, body: number, end: number): void | Promise<void> {
  switch (type) {
    case T.SUBSCRIBE:
      return handleSubscribe(ch, buf, body, end);
    case T.UNSUBSCRIBE:
      return handleUnsubscribe(ch, buf, body, end);
    case T.PINGREQ:
      return handlePing(ch, body, end);
    case T.DISCONNECT:
      return handleDisconnect(ch, buf, body, end);
    case T.AUTH:
      return handleAuth(ch, buf, body, end);
    case T.CONNECT:
      // A second CONNECT is a protocol violation [MQTT-3.1.0-2].
      return ch.malformed(RC.PROTOCOL_ERROR, "second CONNECT");
    default:
      return ch.malformed(RC.PROTOCOL_ERROR, "packet type only a server may send");
  }
}
