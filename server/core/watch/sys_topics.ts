/**
 * What the broker tells about itself, as EMQ X 3.1 did: `$SYS/brokers` and, under `$SYS/brokers/<node>/`, version, sysdescr,
 * uptime, datetime, `stats/…`, `metrics/…` and the coming and going of clients.
 */

import type { NodeConfig } from "../../config/types.ts";
import { loggedName } from "../../lib/mask.ts";
import { seldomOf } from "../../lib/seldom.ts";
import { formatLocalTime } from "../../lib/time_format.ts";
import { formatUptime } from "../../lib/uptime.ts";
import type { QoS } from "../../mqtt/types.ts";
import type { Hooks } from "../hooks.ts";
import type { Message } from "../message.ts";
import type { Clock } from "../ports.ts";
import type { ClientInfo } from "../types.ts";
import type { Metrics } from "./metrics.ts";
import type { Stats } from "./stats.ts";
import { SYS_BROKERS, sysMessage, sysTopic } from "./sys_message.ts";

/** Uptime and time of day are told every second, whatever the interval of the rest. */
const HEARTBEAT_MS = 1000;

export interface SysTopicsOptions {
  readonly node: NodeConfig;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly stats: Stats;
  /** "EMQ X Broker". */
  readonly sysdescr: string;
  /** Names of the running nodes, this one included. */
  readonly nodes: () => readonly string[];
  readonly publish: (m: Message) => void;
  /** May anybody get, or look at, what is published under `$SYS/`? */
  readonly listening: () => boolean;
  /** Does anybody get, or look at, what is published there? */
  readonly heard: (topic: string) => boolean;
}

export class SysTopics {
  private readonly startedAt: number;
  private nextHeartbeat = 0;
  /** Monotonic ms of the last full round; null = none yet. */
  private lastRound: number | null = null;

  constructor(private readonly o: SysTopicsOptions) {
    this.startedAt = o.clock.mono();
  }

  /** Whole seconds since the start. */
  get uptimeSeconds(): number {
    return Math.floor((this.o.clock.mono() - this.startedAt) / 1000);
  }

  /** "3 minutes, 59 seconds". */
  get uptime(): string {
    return formatUptime(this.uptimeSeconds);
  }

  /** Call often (every 100 ms to 1 s): publishes what is due. `broker.sys_interval = 0` turns it off. */
  tick(): void {
    const { sysIntervalMs } = this.o.node;
    if (sysIntervalMs <= 0) return;
    const now = this.o.clock.mono();
    if (now >= this.nextHeartbeat) {
      this.nextHeartbeat = now + HEARTBEAT_MS;
      this.tell("uptime", this.uptime);
      this.tell("datetime", formatLocalTime(this.o.clock.now()));
    }
    if (this.lastRound !== null && now - this.lastRound < sysIntervalMs) return;
    this.lastRound = now;
    this.round();
  }

  /** Follow the clients (`module.presence`). Returns the function that takes it back. */
  watchClients(hooks: Hooks): () => void {
    const off = [
      hooks.add("client.connected", "presence", (client, code) => this.connected(client, code)),
      hooks.add("client.disconnected", "presence", (client, reason) => this.disconnected(client, reason)),
    ];
    return () => {
      for (const take of off) take();
    };
  }

  private round(): void {
    const { node, stats, metrics, sysdescr, nodes } = this.o;
    this.tell("version", node.apiVersion, true);
    this.tell("sysdescr", sysdescr, true);
    this.publish(SYS_BROKERS, nodes().join(","), 0, true);
    for (const [name, value] of Object.entries(stats.all())) this.tell(`stats/${name}`, String(value));
    for (const [name, value] of Object.entries(metrics.all())) this.tell(`metrics/${name}`, String(value));
  }

  private connected(client: ClientInfo, connack: number): void {
    if (!this.wanted) return;
    this.event(client, "connected", () => ({
      clean_start: client.cleanStart,
      proto_ver: client.version,
      proto_name: client.protocolName,
      keepalive: client.keepalive,
      clientid: client.clientId,
      username: loggedName(client.username) ?? "undefined",
      ipaddress: client.ip,
      connack,
      ts: this.seconds(),
    }));
  }

  private disconnected(client: ClientInfo, reason: string): void {
    if (!this.wanted) return;
    this.event(client, "disconnected", () => ({
      clientid: client.clientId,
      username: loggedName(client.username) ?? "undefined",
      reason,
      ts: this.seconds(),
    }));
  }

  /** Clients come and go by the thousand, and mostly nobody asks: then an event is counted, and no more. */
  private get wanted(): boolean {
    const { node, listening, metrics } = this.o;
    if (!node.presence) return false;
    if (listening()) return true;
    metrics.internalPublished++;
    return false;
  }

  private event(client: ClientInfo, what: string, payload: () => Record<string, unknown>): void {
    const topic = sysTopic(this.o.node.nodeName, `clients/${client.clientId}/${what}`);
    if (this.o.heard(topic)) this.publish(topic, JSON.stringify(payload()), this.o.node.presenceQos, false);
    else this.o.metrics.internalPublished++;
  }

  private seconds(): number {
    return Math.floor(this.o.clock.now() / 1000);
  }

  private tell(rest: string, payload: string, retain = false): void {
    this.publish(sysTopic(this.o.node.nodeName, rest), payload, 0, retain);
  }

  private publish(topic: string, payload: string, qos: QoS, retain: boolean): void {
    this.o.publish(sysMessage(topic, payload, this.o.clock.now(), qos, retain));
  }
}

seldomOf(SysTopics, "connected", "disconnected", "wanted", "event");
