/** PINGREQ (section 3.12). */
import { PINGRESP } from "../../mqtt/packets/ping.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import type { Channel } from "../channel.ts";

export function handlePing(ch: Channel, body: number, end: number): void {
  if (body !== end) {
    ch.malformed(RC.MALFORMED_PACKET, "PINGREQ with a body");
    return;
  }
  ch.broker.metrics.pingreq++;
  ch.sendPacket(PINGRESP);
  ch.broker.metrics.pingresp++;
}
