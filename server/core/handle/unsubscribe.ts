/** UNSUBSCRIBE (section 3.10). */
import { encodeUnsuback } from "../../mqtt/packets/unsuback.ts";
import { decodeUnsubscribe } from "../../mqtt/packets/unsubscribe.ts";
import { RC } from "../../mqtt/reason_codes.ts";
import { ProtocolError, type UnsubscribePacket } from "../../mqtt/types.ts";
import type { Channel } from "../channel.ts";
import type { Session } from "../session.ts";
import type { ClientInfo } from "../types.ts";
import { checkAnswer, inSlices, parseFilters } from "./filters.ts";

export function handleUnsubscribe(ch: Channel, buf: Uint8Array, body: number, end: number): void | Promise<void> {
  const p = decodeUnsubscribe(buf, body, end, ch.version);
  if (p instanceof ProtocolError) {
    ch.malformed(p.code, p.why);
    return;
  }
  const { broker } = ch;
  broker.metrics.unsubscribe++;
  if (parseFilters(ch, p.filters) === null || !checkAnswer(ch, p.filters.length)) return;
  const may = broker.durability.mayChange(ch);
  if (!may && ch.version !== 5) {
    // Its UNSUBACK has no codes.
    broker.durability.leaveUnanswered(ch);
    return;
  }
  const codes: number[] = [];
  const slice = (from: number, to: number): void => {
    const filters = p.filters.slice(from, to);
    if (broker.hooks.at["client.unsubscribe"].length > 0) broker.hooks.run("client.unsubscribe", ch.client as ClientInfo, filters);
    for (let i = 0; i < to - from; i++) codes.push(may ? unsubscribe(ch, filters[i]) : RC.IMPLEMENTATION_SPECIFIC_ERROR);
  };
  return inSlices(ch, p.filters.length, slice, () => answer(ch, p, codes));
}

/** `filter` undefined: a hook took it out. */
function unsubscribe(ch: Channel, filter: string | undefined): number {
  if (filter === undefined) return RC.NO_SUBSCRIPTION_EXISTED;
  return ch.broker.registry.unsubscribe(ch.session as Session, filter) ? RC.SUCCESS : RC.NO_SUBSCRIPTION_EXISTED;
}

function answer(ch: Channel, p: UnsubscribePacket, codes: number[]): void {
  ch.sendPacket(encodeUnsuback(ch.version, p.packetId, codes), true);
  ch.broker.metrics.unsuback++;
}
