/**
 * What clients that are not connected yet hold of memory, all together: pieces of a CONNECT, and what was sent behind one that is
 * being checked. Nobody has said who he is here, so there is a budget for all of them; whoever has held bytes longest goes first.
 */
import { seldomOf } from "../lib/seldom.ts";
import { RC } from "../mqtt/reason_codes.ts";
import type { Channel } from "./channel.ts";
import type { Metrics } from "./watch/metrics.ts";

/** Largest packet before a client is connected, bytes. A zone may allow less. */
const PACKET_MAX = 64 * 1024;
const BUDGET = 16 * 1024 * 1024;
/**
 * Bytes behind a CONNECT that is being checked, beyond which nothing more is read: as soon as there is something. A client need not wait for
 * CONNACK (section 3.1.4): what it has sent by then counts, and that it has gone since lies behind that.
 */
const BEHIND_CONNECT = 1;
/** The same behind another packet: pings of a client that waits for a verdict, so that it is seen to leave. */
const BEHIND_PACKET = 4096;

/** How much more is read of a client whose packet waits. Nothing in a turn that has had its share. */
export function roomBehind({ phase, broker }: Channel): number {
  if (phase === "connecting") return BEHIND_CONNECT;
  return broker.turn.spent ? 0 : BEHIND_PACKET;
}

export class Openings {
  /** Bytes held now. */
  bytes = 0;
  /** In the order in which they began to hold something. */
  readonly #held = new Map<Channel, number>();

  constructor(
    private readonly metrics: Metrics,
    private readonly budget = BUDGET,
  ) {}

  /** Channels that hold something. */
  get size(): number {
    return this.#held.size;
  }

  /** The channel holds so many bytes now; 0 = nothing any more. Beyond the budget the longest holders are closed, be it this one. */
  hold(ch: Channel, bytes: number): void {
    const before = this.#held.get(ch) ?? 0;
    if (bytes === before) return;
    this.bytes += bytes - before;
    if (bytes === 0) this.#held.delete(ch);
    else this.#held.set(ch, bytes);
    while (this.bytes > this.budget) this.#closeOldest();
  }

  #closeOldest(): void {
    for (const [ch] of this.#held) {
      this.metrics.connectDropped++;
      ch.close(RC.QUOTA_EXCEEDED, "connect_incomplete", "CONNECT packets under way take too much memory");
      return;
    }
  }
}

/** The largest packet that is taken from a client now, bytes. */
export function packetLimit(ch: Channel): number {
  const zone = ch.client?.zone ?? ch.broker.zone(ch.listener.zone);
  const max = zone.maxPacketSize > 0 ? zone.maxPacketSize : Number.POSITIVE_INFINITY;
  return ch.phase === "connected" ? max : Math.min(max, PACKET_MAX);
}

seldomOf(Openings, "hold");
