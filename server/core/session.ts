/** What outlives a connection: subscriptions, the inflight window, the queue [MQTT-4.1.0-1]. Rare parts are made on first use. */
import type { ZoneConfig } from "../config/types.ts";
import type { WallMs } from "../lib/time.ts";
import { parseSharedFilter } from "../mqtt/topic.ts";
import type { ProtocolVersion, QoS, WillPacket } from "../mqtt/types.ts";
import { AwaitingRel } from "./awaiting_rel.ts";
import type { Channel } from "./channel.ts";
import type { Held } from "./held.ts";
import { Inflight } from "./inflight.ts";
import type { Message } from "./message.ts";
import { Mqueue } from "./mqueue.ts";
import type { SessionMeta } from "./ports.ts";
import type { Subscription } from "./subscription.ts";

export const NEVER_EXPIRES = 0xffffffff;
const IDS_MAX = 65535;

/** Timers of a session without a connection. */
export interface Away {
  /** The will that is kept until its delay has passed. */
  will: WillPacket | null;
  cancelWill: (() => void) | null;
  cancelExpiry: (() => void) | null;
}

export class Session {
  channel: Channel | null = null;
  /** In-process subscriber (virtual_client.ts) instead of a channel. */
  receive: ((m: Message, filter: string) => void) | null = null;
  username: string | null = null;
  mountpoint = "";
  isSuper = false;
  ip = "";
  /** Flag of the CONNECT that created the session; false once it has been resumed (EMQ X 3.1). */
  cleanStart = true;
  /** Seconds it lives without a connection; 0 = ends with it, 0xFFFFFFFF = for ever. */
  expiry = 0;
  /** 0 while connected. */
  disconnectedAt = 0 as WallMs;
  /** Receive Maximum of the client; 0 = not sent. */
  receiveMaximum = 0;
  terminated = false;
  /** Key in the journal; 0 = not journalled (ends with its connection). */
  storeKey = 0;
  /** Number of the last journalled delivery. */
  seq = 0;
  inflight: Inflight | null = null;
  mqueue: Mqueue | null = null;
  /** Packet identifiers of incoming QoS 2 messages that wait for PUBREL -> since when, oldest first. */
  awaitingRel: AwaitingRel | null = null;
  /** What is in the queue goes on being sent in the next turn. */
  pumping = false;
  mqueueDropped = 0;
  deliverCount = 0;
  enqueueCount = 0;
  /** What waits for its time while the client is away; null = nothing, as for every client that is here. */
  away: Away | null = null;
  /** The router's: the list being merged, and the place of this session in it. */
  mergeMark = 0;
  mergeAt = 0;
  /** Its shared subscriptions whose groups have found it away (shared.ts); null = none has. */
  foundAway: Set<Subscription> | null = null;
  #subs: Subscription | Map<string, Subscription> | null = null;

  constructor(
    readonly clientId: string,
    public zone: ZoneConfig,
    public version: ProtocolVersion,
    readonly createdAt: WallMs,
    private readonly held: Held,
  ) {}

  /** Outlives its connection. */
  get persistent(): boolean {
    return this.expiry > 0;
  }

  /** Can take a message now. */
  get reachable(): boolean {
    return this.receive !== null || (this.channel?.ready === true && !this.channel.out.blocked);
  }

  get subscriptionCount(): number {
    const s = this.#subs;
    return s === null ? 0 : s instanceof Map ? s.size : 1;
  }

  subscriptions(): Iterable<Subscription> {
    const s = this.#subs;
    return s === null ? [] : s instanceof Map ? s.values() : [s];
  }

  /** By the filter as written, `$share/` prefix included. */
  subscription(fullFilter: string): Subscription | undefined {
    const s = this.#subs;
    if (s === null) return undefined;
    if (s instanceof Map) return s.get(fullFilter);
    return s.fullFilter === fullFilter ? s : undefined;
  }

  addSubscription(sub: Subscription): void {
    const s = this.#subs;
    if (s === null) this.#subs = sub;
    else if (s instanceof Map) s.set(sub.fullFilter, sub);
    else
      this.#subs = new Map([
        [s.fullFilter, s],
        [sub.fullFilter, sub],
      ]);
  }

  removeSubscription(sub: Subscription): void {
    const s = this.#subs;
    if (s instanceof Map) {
      s.delete(sub.fullFilter);
      if (s.size === 0) this.#subs = null;
    } else if (s === sub) this.#subs = null;
  }

  clearSubscriptions(): void {
    this.#subs = null;
  }

  get pendingWill(): WillPacket | null {
    return this.away?.will ?? null;
  }
  waits(): Away {
    this.away ??= { will: null, cancelWill: null, cancelExpiry: null };
    return this.away;
  }

  get inflightLen(): number {
    return this.inflight?.count ?? 0;
  }
  /**
   * As in EMQ X 3.1: MQTT 5 clients say themselves how much they take (Receive Maximum, 65,535 when they do not [MQTT-3.3.4-9]),
   * the zone's `max_inflight` stands for all others.
   */
  get maxInflight(): number {
    const max = this.version === 5 ? this.receiveMaximum : this.zone.maxInflight;
    return max === 0 ? IDS_MAX : max;
  }
  /** QoS of a message of QoS `published` for a subscription of QoS `wanted` [MQTT-3.8.4-8], or by the zone's `upgrade_qos`. */
  qosOf(published: QoS, wanted: QoS): QoS {
    if (this.zone.upgradeQos) return published > wanted ? published : wanted;
    return published < wanted ? published : wanted;
  }
  get mqueueLen(): number {
    return this.mqueue?.length ?? 0;
  }
  get maxMqueue(): number {
    return this.zone.maxMqueueLen;
  }
  get awaitingRelLen(): number {
    return this.awaitingRel?.size ?? 0;
  }
  get maxAwaitingRel(): number {
    return this.zone.maxAwaitingRel;
  }

  awaiting(): AwaitingRel {
    this.awaitingRel ??= new AwaitingRel(this.held);
    return this.awaitingRel;
  }
  window(): Inflight {
    this.inflight ??= new Inflight(this.held);
    return this.inflight;
  }
  queue(): Mqueue {
    this.mqueue ??= new Mqueue(this.zone, this.held);
    return this.mqueue;
  }

  meta(will: WillPacket | null): SessionMeta {
    return {
      clientId: this.clientId,
      username: this.username,
      version: this.version,
      zone: this.zone.name,
      mountpoint: this.mountpoint,
      cleanStart: this.cleanStart,
      isSuper: this.isSuper,
      ip: this.ip,
      createdAt: this.createdAt,
      expiry: this.expiry,
      disconnectedAt: this.disconnectedAt,
      will,
    };
  }
}

/** A filter with the mountpoint put in front, behind `$share/<group>/` or `$queue/` if there is one. */
export function mountFilter(mountpoint: string, fullFilter: string): string {
  if (mountpoint === "") return fullFilter;
  const shared = parseSharedFilter(fullFilter);
  if (shared === null || shared.group === null) return mountpoint + fullFilter;
  return fullFilter.slice(0, fullFilter.length - shared.filter.length) + mountpoint + shared.filter;
}

/** A topic as the clients of that mountpoint know it. */
export function unmountTopic(mountpoint: string, topic: string): string {
  return mountpoint !== "" && topic.startsWith(mountpoint) ? topic.slice(mountpoint.length) : topic;
}
