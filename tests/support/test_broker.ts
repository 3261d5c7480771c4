/** The whole core in memory: a clock that only moves when told, transports that record, a store that can be crashed. */
import mqttPacket, { type IConnectPacket, type Packet } from "mqtt-packet";
import type { NodeConfig, ZoneConfig } from "../../server/config/types.ts";
import type { Access } from "../../server/core/access/access.ts";
import type { Banned } from "../../server/core/access/banned.ts";
import type { Broker } from "../../server/core/broker.ts";
import type { Channel } from "../../server/core/channel.ts";
import { buildCore, type Core } from "../../server/core/core.ts";
import type { Hooks } from "../../server/core/hooks.ts";
import type { ListenerInfo, Log, Store, Transport } from "../../server/core/ports.ts";
import type { Alarms } from "../../server/core/watch/alarms.ts";
import type { Metrics } from "../../server/core/watch/metrics.ts";
import type { MonoMs, WallMs } from "../../server/lib/time.ts";
import { memoryStore } from "./memory_store.ts";
import { testListener, testNode, testZone } from "./zone.ts";

/** Two hands that move together, until somebody sets the wall clock (`jump`). */
export class TestClock {
  #wall = 1_700_000_000_000;
  #mono = 1_000_000;
  /** Unix ms; to set it lets time pass. */
  get time(): number {
    return this.#wall;
  }
  set time(ms: number) {
    this.#mono += ms - this.#wall;
    this.#wall = ms;
  }
  jump(ms: number): void {
    this.#wall += ms;
  }
  now = (): WallMs => this.#wall as WallMs;
  mono = (): MonoMs => this.#mono as MonoMs;
}

/** Keeps what was logged, so that tests can demand silence. */
export class TestLog implements Log {
  readonly lines: { level: string; message: string; fields: Record<string, unknown> | undefined }[] = [];
  error(message: string, fields?: Record<string, unknown>): void {
    this.lines.push({ level: "error", message, fields });
  }
  warn(message: string, fields?: Record<string, unknown>): void {
    this.lines.push({ level: "warn", message, fields });
  }
  notice(message: string, fields?: Record<string, unknown>): void {
    this.lines.push({ level: "notice", message, fields });
  }
  info(message: string, fields?: Record<string, unknown>): void {
    this.lines.push({ level: "info", message, fields });
  }
  debug(): void {}
  get errors(): string[] {
    return this.lines.filter((l) => l.level === "error").map((l) => `${l.message} ${JSON.stringify(l.fields)}`);
  }
}

export class TestTransport implements Transport {
  readonly chunks: Uint8Array[] = [];
  ended = false;
  finished = false;
  destroyed = false;
  paused = false;
  probed = false;
  /** Bytes it still takes; the rest is refused as a full socket would. */
  room = Number.POSITIVE_INFINITY;
  writes = 0;
  constructor(
    readonly ip = "127.0.0.1",
    readonly port = 40000,
  ) {}
  write(buf: Uint8Array, offset: number, length: number): number {
    if (this.ended || this.destroyed) return -1;
    const n = Math.min(length, this.room);
    if (n > 0) {
      this.chunks.push(Uint8Array.from(buf.subarray(offset, offset + n)));
      this.writes++;
    }
    this.room -= n;
    return n;
  }
  end(): void {
    this.ended = true;
  }
  finish(): void {
    this.ended = this.finished = true;
  }
  destroy(): void {
    this.destroyed = true;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  probe(): void {
    this.probed = true;
  }
}

/** A client that speaks through mqtt-packet, a codec the broker's own decoders share no code with. */
export class TestClient {
  readonly transport: TestTransport;
  readonly channel: Channel;
  readonly received: Packet[] = [];
  readonly #parser: ReturnType<typeof mqttPacket.parser>;
  #read = 0;
  constructor(
    private readonly kit: TestKit,
    readonly version: 3 | 4 | 5,
    listener: ListenerInfo,
    ip?: string,
  ) {
    this.transport = new TestTransport(ip);
    this.channel = kit.broker.accept(this.transport, listener, null);
    this.#parser = mqttPacket.parser({ protocolVersion: version });
    this.#parser.on("packet", (p) => this.received.push(p));
  }

  /** Raw bytes to the broker; what it answers is parsed. */
  raw(bytes: Uint8Array | number[]): this {
    this.channel.onData(Buffer.from(bytes));
    this.kit.settle();
    return this;
  }
  send(packet: Packet): this {
    return this.raw(mqttPacket.generate(packet, { protocolVersion: this.version }));
  }
  connect(clientId: string, options: Partial<IConnectPacket> = {}): this {
    return this.send({
      cmd: "connect",
      protocolId: this.version === 3 ? "MQIsdp" : "MQTT",
      protocolVersion: this.version,
      clean: true,
      clientId,
      keepalive: 0,
      ...options,
    } as IConnectPacket);
  }
  subscribe(topic: string, qos: 0 | 1 | 2 = 0, more: { nl?: boolean; rap?: boolean; rh?: number; subId?: number } = {}): this {
    const { subId, ...flags } = more;
    return this.send({
      cmd: "subscribe",
      messageId: 77,
      subscriptions: [{ topic, qos, ...(this.version === 5 ? { nl: false, rap: false, rh: 0, ...flags } : {}) }],
      ...(subId === undefined ? {} : { properties: { subscriptionIdentifier: subId } }),
    } as Packet);
  }
  publish(topic: string, payload: string | Buffer = "x", qos: 0 | 1 | 2 = 0, more: Record<string, unknown> = {}): this {
    return this.send({
      cmd: "publish",
      topic,
      payload,
      qos,
      dup: false,
      retain: false,
      ...(qos > 0 ? { messageId: 1 } : {}),
      ...more,
    } as Packet);
  }
  disconnect(): this {
    return this.send({ cmd: "disconnect" });
  }
  /** The network is gone: no DISCONNECT. */
  drop(reason = "closed"): void {
    this.channel.onClose(reason);
    this.kit.settle();
  }
  /** Packets that have come since the last call. */
  take(): Packet[] {
    this.#parse();
    return this.received.splice(0);
  }
  /** As `take`, PUBLISH only. */
  messages(): {
    topic: string;
    payload: string;
    qos: number;
    retain: boolean;
    dup: boolean;
    messageId?: number;
    properties?: Record<string, unknown>;
  }[] {
    return this.take()
      .filter((p) => p.cmd === "publish")
      .map((p) => ({ ...p, payload: p.payload.toString() })) as never;
  }
  #parse(): void {
    const { chunks } = this.transport;
    for (; this.#read < chunks.length; this.#read++) this.#parser.parse(Buffer.from(chunks[this.#read] as Uint8Array));
  }
}

export interface TestKitOptions {
  zone?: Partial<ZoneConfig>;
  node?: Partial<NodeConfig>;
  store?: Store;
  clock?: TestClock;
  random?: () => number;
  /** Text of acl.conf; "" = no rules. */
  acl?: string;
}

export class TestKit {
  readonly clock: TestClock;
  readonly log = new TestLog();
  readonly core: Core;
  readonly broker: Broker;
  readonly hooks: Hooks;
  readonly metrics: Metrics;
  readonly access: Access;
  readonly alarms: Alarms;
  readonly banned: Banned;
  readonly zone: ZoneConfig;
  readonly internal: ZoneConfig;
  readonly node: NodeConfig;
  readonly store: Store;
  readonly #deferred: (() => void)[] = [];
  readonly listener: ListenerInfo = testListener();

  constructor(options: TestKitOptions = {}) {
    this.clock = options.clock ?? new TestClock();
    this.zone = testZone(options.zone);
    this.internal = testZone({ name: "internal", enableAcl: false, enableBan: false });
    this.node = testNode(options.node);
    this.store = options.store ?? memoryStore();
    let ids = 0;
    this.core = buildCore({
      node: this.node,
      zones: new Map([
        ["external", this.zone],
        ["internal", this.internal],
      ]),
      clock: this.clock,
      log: this.log,
      random: { next: options.random ?? (() => 0), hex: (n) => (++ids).toString(16).padStart(2 * n, "0") },
      store: this.store,
      defer: (fn) => this.#deferred.push(fn),
      aclText: () => options.acl ?? "",
    });
    const { broker } = this.core;
    this.broker = broker;
    this.hooks = broker.hooks;
    this.metrics = broker.metrics;
    this.access = broker.access;
    this.alarms = broker.alarms;
    this.banned = broker.banned;
  }

  client(version: 3 | 4 | 5 = 4, ip?: string): TestClient {
    return new TestClient(this, version, this.listener, ip);
  }
  /** A connected client with its CONNACK already taken. */
  connected(clientId: string, version: 3 | 4 | 5 = 4, options: Partial<IConnectPacket> = {}): TestClient {
    const c = this.client(version).connect(clientId, options);
    c.take();
    return c;
  }
  /** Run what was put off to the end of the turn. */
  settle(): void {
    for (let fn = this.#deferred.shift(); fn; fn = this.#deferred.shift()) fn();
  }
  /** Let time pass, in ticks of 100 ms as the node does. */
  pass(ms: number): void {
    const until = this.clock.time + ms;
    while (this.clock.time < until) {
      this.clock.time = Math.min(until, this.clock.time + 100);
      this.broker.tick();
      this.settle();
    }
  }
}
