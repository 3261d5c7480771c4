/** UNSUBSCRIBE (section 3.10). */
import { encodeUnsuback } from "../../mqtt/packets/unsuback.ts";
import { decodeUnsubscribe } from "../../mqtt/packets/unsubscribe.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { parseSharedFilter } from "../../mqtt/topic.ts";
import { ProtocolError } from "../../mqtt/types.ts";
import type { Channel } from "../channel.ts";
import type { Session } from "../session.ts";
import type { ClientInfo } from "../types.ts";

export function handleUnsubscribe(ch: Channel, buf: Uint8Array, body: number, end: number): void {
  const p = decodeUnsubscribe(buf, body, end, ch.version);
  if (p instanceof ProtocolError) {
    ch.malformed(p.code, p.why);
    return;
  }
  const broker = ch.broker;
  broker.metrics.unsubscribe++;
  const filters = p.filters;
  const hooks = broker.hooks;
  if (hooks.at["client.unsubscribe"].length > 0) hooks.run("client.unsubscribe", ch.client as ClientInfo, filters);
  const may = broker.durability.mayChange(ch);
  if (!may && ch.version !== 5) {
    // Its UNSUBACK has no codes.
    broker.durability.leaveUnanswered(ch);
    return;
  }
  const codes = p.filters.map((filter) => (may ? unsubscribe(ch, filter) : RC.IMPLEMENTATION_SPECIFIC_ERROR));
  ch.sendPacket(encodeUnsuback(ch.version, p.packetId, codes), true);
  broker.metrics.unsuback++;
}

function unsubscribe(ch: Channel, filter: string): number {
  const parsed = parseSharedFilter(filter);
  if (parsed === null) return RC.TOPIC_FILTER_INVALID;
  return ch.broker.registry.unsubscribe(ch.session as Session, filter) ? RC.SUCCESS : RC.NO_SUBSCRIPTION_EXISTED;
}
