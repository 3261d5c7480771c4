/** The broker: everything the core holds, put together. No socket, no clock, no disk of its own: those are ports. */

import type { NodeConfig, ZoneConfig } from "../config/types.ts";
import { stackOf } from "../lib/errors.ts";
import { seldomOf } from "../lib/seldom.ts";
import { between, later, type MonoMs, type WallMs } from "../lib/time.ts";
import { RC } from "../mqtt/reason_codes.ts";
import { parseSharedFilter } from "../mqtt/topic.ts";
import type { Access } from "./access/access.ts";
import type { Banned } from "./access/banned.ts";
import type { Flapping } from "./access/flapping.ts";
import type { Guesses } from "./access/guesses.ts";
import { Channel } from "./channel.ts";
import { Delivery } from "./deliver.ts";
import { Durability } from "./durability.ts";
import { Held } from "./held.ts";
import type { Hooks } from "./hooks.ts";
import { Frame } from "./incoming.ts";
import { visit } from "./keepalive.ts";
import { Message, Slab } from "./message.ts";
import { Openings } from "./openings.ts";
import { Output } from "./output.ts";
import { Pieces } from "./pieces.ts";
import type { Clock, ListenerInfo, Log, Random, Store, StoredMessage, Transport } from "./ports.ts";
import { Registry } from "./registry.ts";
import { type Route, SYS } from "./route.ts";
import { Router } from "./router.ts";
import { mountFilter, type Session } from "./session.ts";
import { termsOf } from "./terms.ts";
import { Timers, Wheel } from "./timers.ts";
import { Turn } from "./turn.ts";
import type { AuthMethod, PeerCertificate, SubscribeOptions } from "./types.ts";
import { VirtualClient } from "./virtual_client.ts";
import type { Alarms } from "./watch/alarms.ts";
import { Memory } from "./watch/memory.ts";
import type { Metrics } from "./watch/metrics.ts";
import type { Tracer } from "./watch/tracer.ts";

export interface BrokerOptions {
  node: NodeConfig;
  zones: ReadonlyMap<string, ZoneConfig>;
  clock: Clock;
  log: Log;
  random: Random;
  store: Store;
  hooks: Hooks;
  metrics: Metrics;
  access: Access;
  banned: Banned;
  flapping: Flapping;
  guesses: Guesses;
  alarms: Alarms;
  /** Run `fn` when this turn of the event loop is over (setImmediate): the journal's group commit. */
  defer(fn: () => void): void;
}

/** Ticks come every 100 ms; so long without one, and the process was halted. */
const HALT_MS = 2000;

export class Broker {
  readonly node: NodeConfig;
  readonly zones: ReadonlyMap<string, ZoneConfig>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly store: Store;
  readonly hooks: Hooks;
  readonly metrics: Metrics;
  readonly access: Access;
  readonly banned: Banned;
  readonly flapping: Flapping;
  readonly guesses: Guesses;
  readonly openings: Openings;
  readonly alarms: Alarms;
  readonly router = new Router();
  readonly output: Output;
  readonly turn: Turn;
  readonly pieces: Pieces;
  readonly slab = new Slab();
  readonly held = new Held();
  readonly memory: Memory;
  readonly frame = new Frame();
  readonly delivery = new Delivery(this);
  readonly durability = new Durability(this);
  readonly registry = new Registry(this);
  readonly authMethods = new Map<string, AuthMethod>();
  readonly virtualSessions = new Set<Session>();
  /** Clients connected now. */
  connections = 0;
  /** Input of all connections that waits for its rest, or for its turn. */
  inputBytes = 0;
  /** What time it is, refreshed at the start of every piece of work. For what is stored or shown. */
  now: WallMs;
  /** The same moment for every duration. */
  mono: MonoMs;
  /** null = nobody traces. */
  tracer: Tracer | null = null;
  readonly #timers = new Timers();
  readonly #wheel: Wheel<Channel>;
  readonly #defer: (fn: () => void) => void;
  #tickedAt: MonoMs;
  /** What clients have sent while the process was halted (suspended, starved) is read before their silence is judged. */
  #halted = false;
  /** What was due at the last tick is not all done yet: it goes on in the next turn of the event loop. */
  #behind = false;
  /** The wall clock less the monotonic one, ms. */
  #wallAhead: number;
  readonly #restored = new WeakMap<StoredMessage, Message>();

  constructor(o: BrokerOptions) {
    this.node = o.node;
    this.zones = o.zones;
    this.clock = o.clock;
    this.log = o.log;
    this.random = o.random;
    this.store = o.store;
    this.hooks = o.hooks;
    this.metrics = o.metrics;
    this.output = new Output(this, o.defer);
    this.turn = new Turn(o.clock, this.output.pool, o.defer, () => this.durability.cost);
    const settle = (): void => {
      this.beat();
      this.flush();
    };
    this.pieces = new Pieces(o.clock, o.defer, settle, (err) => this.log.error("long work failed", { error: stackOf(err) }));
    this.access = o.access;
    this.banned = o.banned;
    this.flapping = o.flapping;
    this.guesses = o.guesses;
    this.openings = new Openings(o.metrics);
    this.memory = new Memory({
      settings: o.node,
      held: this.held,
      output: this.output.pool,
      input: o.metrics,
      alarms: o.alarms,
      clock: o.clock,
      log: o.log,
    });
    this.alarms = o.alarms;
    this.now = o.clock.now();
    this.mono = o.clock.mono();
    this.#tickedAt = this.mono;
    this.#wallAhead = this.now - this.mono;
    this.#wheel = new Wheel(this.mono);
    this.#defer = o.defer;
  }

  get sessions(): Map<string, Session> {
    return this.registry.sessions;
  }

  /** Take the time for the work that begins now. One look at a clock: where the wall clock stands to it is looked at with every tick. */
  beat(): void {
    this.mono = this.clock.mono();
    this.now = Math.floor(this.mono + this.#wallAhead) as WallMs;
  }

  /** The time of a piece of work in a turn that is busy already is the one its turn began with: two looks at the clock saved per chunk. */
  beatOnce(): void {
    if (!this.output.deferred) this.beat();
  }

  /** As `beat`, and by the wall clock as it stands now, not as it stood at the last tick. */
  readWall(): void {
    this.#wallAhead = this.clock.now() - this.clock.mono();
    this.beat();
  }

  /** The zone of that name; a listener may name one nobody configured: then it has the external zone's settings. */
  zone(name: string): ZoneConfig {
    return this.zones.get(name) ?? (this.zones.get("external") as ZoneConfig);
  }

  // ---- connections

  accept(transport: Transport, listener: ListenerInfo, cert: PeerCertificate | null): Channel {
    this.beat();
    const ch = new Channel(this, transport, listener, cert);
    this.plan(ch, later(this.mono, this.zone(listener.zone).idleTimeoutMs));
    return ch;
  }

  /** Look at a channel again at that time. */
  plan(ch: Channel, at: MonoMs): void {
    this.#wheel.plan(ch, at);
  }

  /** It is closed: nothing more to look at. */
  unplan(ch: Channel): void {
    this.#wheel.remove(ch);
    this.durability.forget(ch);
  }

  /** May publishers' frames be forwarded without anybody looking at each delivery? */
  get rawAllowed(): boolean {
    return this.tracer === null && this.hooks.at["message.delivered"].length === 0;
  }

  /** Nobody has to see this message before it is delivered. */
  plainPublish(topic: string): boolean {
    return this.tracer === null && !this.hooks.seesPublish(topic);
  }

  /** As `plainPublish`, without the topic's string where it is not needed. */
  plainRoute(route: Route): boolean {
    const { hooks } = this;
    return hooks.unfilteredPublish === 0 && this.tracer === null && (!hooks.selective || !hooks.seesRoute(route));
  }

  /** Call after a change of what `rawAllowed` and `Channel.refreshRaw` look at (tracer, message.delivered handlers, zones). */
  refreshRaw(): void {
    const allowed = this.rawAllowed;
    for (const s of this.sessions.values()) s.channel?.refreshRaw(allowed);
  }

  assignClientId(): string {
    let id: string;
    do id = `baomq_${this.random.hex(8)}`;
    while (this.sessions.has(id));
    return id;
  }

  /** What waits for its time: timers, cancelled ones included, and connections to be looked at. */
  get planned(): { timers: number; visits: number } {
    return { timers: this.#timers.size, visits: this.#wheel.size };
  }

  // ---- messages

  /** The `message.publish` hooks. null = a hook has taken the message. */
  filter(m: Message): Message | null {
    if (this.tracer !== null) this.tracer.published(m);
    if (this.hooks.at["message.publish"].length === 0) return m;
    if (!m.retain && this.plainPublish(m.topic)) return m;
    if (!m.owned) this.slab.keep(m);
    const final = this.hooks.publish(m);
    if (final !== null && final !== m) final.dated(this.now, this.mono);
    return final;
  }

  /** Publish as the broker: API, plugins, wills, `$SYS`. Returns the number of receivers. */
  publish(m: Message): number {
    this.metrics.internalPublished++;
    m.dated(this.now, this.mono);
    const final = this.filter(m);
    if (final === null) return 0;
    const route = final.topic.startsWith(SYS) ? this.router.once(final.topic) : this.router.passing(final.topic);
    const n = this.delivery.dispatch(route, final);
    if (n === 0 && route.empty) this.noSubscribers(final);
    return n;
  }

  /** Does anybody get, or look at, a message without retain that the broker publishes there? */
  heard(topic: string): boolean {
    return !this.plainPublish(topic) || !this.router.once(topic).empty;
  }

  /** May anybody, whatever the topic under `$SYS/` is? Cheap, while each topic of its own costs 5 % of a connect. */
  get sysHeard(): boolean {
    const { hooks, router } = this;
    return router.sysFilters > 0 || hooks.unfilteredPublish > 0 || hooks.selectsSys || this.tracer !== null;
  }

  noSubscribers(m: Message): void {
    if (m.topic.startsWith(SYS)) return;
    this.metrics.messagesDropped++;
    if (this.hooks.at["message.dropped"].length > 0) this.hooks.run("message.dropped", m, "no_subscribers", null);
  }

  /** To one session, e.g. a retained message; `retain` as it is to be shown. */
  deliverTo(session: Session, m: Message, o: SubscribeOptions, retain: boolean): void {
    const terms = termsOf(session.qosOf(m.qos, o.qos), retain, o.subId > 0 ? [o.subId] : null, null);
    this.delivery.send(session, m, terms, m.topic);
  }

  /** The message of a journalled delivery; one object however many sessions wait for it. */
  restored(row: StoredMessage): Message {
    let m = this.#restored.get(row);
    if (m === undefined) {
      m = new Message(row.topic, row.payload, row.qos, row.retain, row.from, row.username, row.timestamp, row.expiresAt, row.properties);
      m.storeId = row.storeId ?? 0;
      m.dated(this.now, this.mono);
      this.#restored.set(row, m);
    }
    m.storeRefs++;
    return m;
  }

  // ---- commands

  /** Disconnect a client; its will is published. False = not connected. */
  kick(clientId: string, reason = "kicked"): boolean {
    const ch = this.sessions.get(clientId)?.channel ?? null;
    if (ch === null) return false;
    this.metrics.clientsKicked++;
    this.guard(ch, () => ch.close(RC.ADMINISTRATIVE_ACTION, reason));
    return true;
  }

  /** Subscribe on behalf of a session, offline ones too. `filter` must be valid. False = no such session. */
  subscribe(clientId: string, filter: string, o: SubscribeOptions): boolean {
    const session = this.sessions.get(clientId);
    const full = mountFilter(session?.mountpoint ?? "", filter);
    if (session === undefined || parseSharedFilter(full) === null) return false;
    const isNew = this.registry.subscribe(session, filter, o);
    this.hooks.run("session.subscribed", clientId, full, o, isNew);
    return true;
  }

  /** null = no such session; false = was not subscribed. */
  unsubscribe(clientId: string, filter: string): boolean | null {
    const session = this.sessions.get(clientId);
    return session === undefined ? null : this.registry.unsubscribe(session, filter);
  }

  /** End a session and its connection. False = no such session. */
  dropSession(clientId: string): boolean {
    const session = this.sessions.get(clientId);
    if (session === undefined) return false;
    session.channel?.close(RC.ADMINISTRATIVE_ACTION, "kicked");
    this.registry.terminate(session, "dropped");
    return true;
  }

  attach(clientId: string, onMessage: (m: Message, filter: string) => void): VirtualClient {
    return new VirtualClient(this, clientId, onMessage);
  }

  /** The node stops: every MQTT 5 client hears why. */
  shutdown(): void {
    this.beat();
    this.#behind = false;
    for (const { channel: ch } of [...this.sessions.values()])
      if (ch !== null) this.guard(ch, () => ch.close(RC.SERVER_SHUTTING_DOWN, "server_shutting_down"));
    this.flush();
  }

  // ---- time

  /** Coarse timer (100 ms); output is flushed after it. Not before the next tick, also with 0. Returns cancel. */
  after(ms: number, fn: () => void): () => void {
    return this.#timers.add(later(this.mono, Math.max(1, ms)), fn);
  }

  /** Called by the composition root every 100 ms. What is due runs now, or of much of it a part in each turn from now on. */
  tick(): void {
    this.readWall();
    this.router.settled();
    this.delivery.settled();
    this.durability.retry();
    this.#halted = this.#late;
    this.#tickedAt = this.mono;
    if (!this.#behind) this.#runDue();
    this.flush();
  }

  get #late(): boolean {
    return between(this.#tickedAt, this.mono) >= HALT_MS;
  }

  /** As much as this turn of the event loop has room for. What is added meanwhile waits for the next tick. */
  #runDue(): void {
    const more = this.turn.share();
    this.#behind = !(
      this.#timers.run(this.#tickedAt, (err) => this.log.error("timer failed", { error: stackOf(err) }), more) &&
      (this.#halted || this.#wheel.run(this.#tickedAt, (ch) => this.guard(ch, visit), more))
    );
    if (!this.#behind) return;
    // Chunks that come in this turn have their share of it from now on.
    this.beat();
    this.#defer(this.#goOn);
  }

  readonly #goOn = (): void => {
    // The node has stopped: what has not run waits as what is not due yet does.
    if (!this.#behind) return;
    this.beat();
    if (this.#late) this.#halted = true;
    this.#runDue();
    this.flush();
  };

  // ---- output

  /** Write what was gathered: at once, or at the end of the event loop's turn. */
  flush(): void {
    this.output.flush();
  }

  /** One connection's failure is its own: whoever loops over many goes on. */
  guard(ch: Channel, fn: (ch: Channel) => void): void {
    this.output.guard(ch, fn);
  }
}

seldomOf(Broker, "accept", "plan", "unplan", "zone", "sysHeard");
seldomOf(Channel, "constructor", "sendPacket", "end", "onClose");
