/** One broker, its clients, their sockets, the disk and the clock: everything there is, in one hand. */
import { drainMicrotasks } from "bun:jsc";
import type { NodeConfig, ZoneConfig } from "../../server/config/types.ts";
import type { Broker } from "../../server/core/broker.ts";
import { buildCore, type Core } from "../../server/core/core.ts";
import type { MemoryLevel } from "../../server/core/watch/memory.ts";
import { delayedPublish } from "../../server/plugins/delayed_publish/index.ts";
import { PluginManager } from "../../server/plugins/manager.ts";
import { createPluginBroker, type ManagedBroker } from "../../server/plugins/plugin_broker.ts";
import { retainer } from "../../server/plugins/retainer/index.ts";
import { testNode, testZone } from "../support/zone.ts";
import { Chaos } from "./chaos.ts";
import { SimClock } from "./clock.ts";
import { Client, type Conn, type Sent } from "./conn.ts";
import type { Setup } from "./generate.ts";
import { type Awaited, listen } from "./listen.ts";
import { SimLog } from "./log.ts";
import { brokerPublished, resync } from "./model/broker_side.ts";
import { Model } from "./model/model.ts";
import { CHANGED, DENIED, type Outside, process } from "./model/packets.ts";
import { read } from "./model/receive.ts";
import { dueAnew, restored } from "./model/restore.ts";
import { PoolWatch } from "./pool_watch.ts";
import { Rng } from "./rng.ts";
import { left } from "./sockets.ts";
import { type Disk, memoryDisk, SimStore, sqliteDisk } from "./store.ts";
import { ADDRESS } from "./transport.ts";
import { surface, violate } from "./violation.ts";

export interface WorldOptions {
  sqlite?: boolean;
}

/** Bytes: much more than any history needs, so that what is in use is what the history says. */
const MEMORY = 2 ** 34;
/** Well inside each level, on the way up and down. */
const USED: Record<MemoryLevel, number> = { normal: 0, high: MEMORY * 0.75, critical: MEMORY * 0.95 };

export class World implements Outside {
  readonly clock = new SimClock();
  readonly log = new SimLog();
  readonly zone: ZoneConfig;
  readonly node: NodeConfig;
  readonly disk: Disk;
  readonly model: Model;
  readonly clients: Client[];
  readonly conns: Conn[] = [];
  readonly chaos: Chaos;
  readonly bans = new Set<string>();
  readonly acl: boolean;
  /** Topics under `x/` are denied, too. */
  denyMore = false;
  store!: SimStore;
  core!: Core;
  broker!: Broker;
  plugins!: PluginManager;
  managed!: ManagedBroker;
  pool!: PoolWatch;
  awaited: Awaited[] = [];
  kills = 0;
  /** Highest bound of a session's queue so far: what was queued under it stays. */
  mqueueLimitMax: number;
  #turn: (() => void)[] = [];
  #inEvent = false;
  /** Connections that the broker has let in. */
  #letIn = 0;
  #memory: MemoryLevel = "normal";
  readonly #random: Rng;
  /** What becomes of syncs. */
  readonly #fate: Rng;
  /** Nothing fails and nothing takes long any more. */
  calm = false;

  constructor(
    readonly setup: Setup,
    o: WorldOptions = {},
  ) {
    const {
      maxInflight,
      maxMqueueLen,
      maxAwaitingRel,
      maxTopicAlias,
      retryIntervalMs,
      awaitRelTimeoutMs,
      upgradeQos,
      mqueueStoreQos0,
      idleTimeoutMs,
    } = setup;
    this.zone = testZone({
      maxInflight,
      maxMqueueLen,
      maxAwaitingRel,
      maxTopicAlias,
      retryIntervalMs,
      awaitRelTimeoutMs,
      upgradeQos,
      mqueueStoreQos0,
      idleTimeoutMs,
    });
    this.zone.sessionExpiryIntervalMs = setup.sessionExpiryMs;
    this.node = testNode({ sharedStrategy: setup.strategy, storageOnError: setup.accept ? "accept" : "refuse" });
    this.acl = setup.acl;
    this.mqueueLimitMax = maxMqueueLen === 0 ? Number.POSITIVE_INFINITY : maxMqueueLen;
    this.#random = new Rng(setup.random);
    this.#fate = new Rng(setup.random + 1);
    this.model = new Model(this.clock, this.zone, setup.accept);
    this.chaos = new Chaos(this);
    this.disk = o.sqlite === true ? sqliteDisk(this.log) : memoryDisk(setup.always);
    this.clients = setup.versions.map((v, i) => new Client(i, `c${i}`, v));
    this.#compose(false);
    if (!setup.retainer) this.#settle(this.plugins.unload("emqx_retainer"));
    if (setup.delayed) this.#settle(this.plugins.load("emqx_delayed_publish"));
    this.model.retainer = this.plugins.isRunning("emqx_retainer");
    this.endTurn();
    this.model.committed = this.model.ev;
  }

  /** As the node does it: store, core, sessions, plugins. */
  #compose(killed: boolean): void {
    const { model } = this;
    this.store = new SimStore(
      killed ? this.disk.kill() : this.disk.open(),
      () => (this.#inEvent ? model.ev - 1 : model.ev),
      (upTo) => {
        model.committed = Math.max(model.committed, upTo);
      },
      () => {
        model.everFailed = true;
        // With `accept` nobody may notice.
        model.storeFails = !this.setup.accept;
      },
    );
    let ids = 0;
    this.core = buildCore({
      node: this.node,
      zones: new Map([
        ["external", this.zone],
        ["internal", testZone({ name: "internal", enableAcl: false, enableBan: false })],
      ]),
      clock: this.clock,
      log: this.log,
      random: { next: () => this.#random.next(), hex: (n) => (++ids).toString(16).padStart(2 * n, "0") },
      store: this.store,
      defer: (fn) => this.#turn.push(fn),
      aclText: () => "",
    });
    this.broker = this.core.broker;
    // Every other history: nothing may outlive the turn in the chunk it came in.
    if ((this.setup.random & 1) === 0) this.broker.slab.light = 0;
    this.broker.memory.watch({ read: () => ({ used: USED[this.#memory], limit: MEMORY, container: false }), collect: () => {} });
    this.pool = new PoolWatch(this.broker.output.pool);
    this.broker.registry.restore();
    this.managed = createPluginBroker(this.broker, (fn) => this.#turn.push(fn));
    const nothing = (): void => {};
    this.plugins = new PluginManager({
      plugins: [delayedPublish, retainer],
      configuration: { texts: () => new Map(), adopt: () => nothing, fault: () => null, reread: () => nothing },
      expandPluginsDir: "",
      broker: this.managed,
      store: this.store,
      clock: this.clock,
      log: this.log,
      dataDir: "/nonexistent",
      host: { http: { start: nothing, stop: nothing }, reload: () => ({ done: [], failed: [] }), figures: () => [] },
    });
    this.#settle(this.plugins.startAll());
    listen(this);
  }

  /** From now on so much memory is in use. */
  remember(level: MemoryLevel): void {
    this.#memory = level;
    this.event(() => this.broker.memory.check());
  }

  #settle(p: Promise<unknown>): void {
    let state = "open";
    p.then(
      () => {
        state = "done";
      },
      (err) => {
        state = String(err);
      },
    );
    drainMicrotasks();
    if (state === "open") throw new Error("the plugin manager waits for something outside");
  }

  // ---- what the model asks

  waits(conn: Conn, sent: Sent): boolean {
    const open = (topic: string | null): boolean => this.awaited.some((a) => a.conn === conn && a.kind === sent.kind && a.topic === topic);
    if (sent.kind === "connect") return open(null);
    if (sent.kind === "publish") return open(sent.m.topic);
    if (sent.kind === "subscribe") return sent.requests.some((r) => open(bare(r.filter)));
    return false;
  }
  banned(clientId: string): boolean {
    return this.bans.has(clientId) || this.bans.has(ADDRESS);
  }
  denies(topic: string): boolean {
    return this.acl && (topic.startsWith(DENIED) || (this.denyMore && topic.startsWith(CHANGED)));
  }
  delayedRuns(): boolean {
    return this.plugins.isRunning("emqx_delayed_publish");
  }

  // ---- events and turns

  /** One callback of the event loop. Nothing the broker is called with may throw at whoever calls it. */
  event(fn: () => void, conn: Conn | null = null, after: () => void = () => {}): void {
    const { model } = this;
    model.ev++;
    model.published = [];
    this.#inEvent = true;
    try {
      fn();
      drainMicrotasks();
    } catch (err) {
      surface();
      violate("exception_escapes", err instanceof Error ? (err.stack ?? err.message) : String(err));
    }
    surface();
    for (const c of this.conns) if (c.letIn === 0 && c.channel.session !== null) c.letIn = ++this.#letIn;
    if (conn?.transport.closed === true && conn.mayClose !== "") conn.doubtful = true;
    for (const c of this.conns)
      if (c.phase !== "closed" && c.channel.phase === "closed" && this.#excused(c)) this.chaos.disturb(c.client.id);
    if (conn !== null) process(model, conn, this);
    for (const c of this.conns) if (c !== conn && c.queue.length > 0) process(model, c, this);
    after();
    model.short = this.broker.memory.short;
    // Whatever waits may have to go for what came.
    if (this.#memory === "critical") model.anyMayGo("memory");
    // What is refused while the disk fails, the broker decides.
    if (model.storeFails) for (const c of this.clients) this.chaos.disturb(c.id);
    this.chaos.settle();
    for (const c of this.conns) if (c.phase === "connecting" && c.channel.phase === "closed") c.phase = "closed";
    // Behind a CONNECT of which only now is known what has become of it.
    for (const c of this.conns) {
      if (c.queue.length === 0 || c.phase !== "connected") continue;
      const s = model.session(c.client.id);
      if (c.unsure && s !== undefined) s.disturbed = true;
      process(model, c, this);
      if (c.unsure) this.resync(c.client.id);
    }
    const { length } = model.published;
    const gone = length > 0 ? this.#gone() : 0;
    this.#closed();
    for (const n of model.published.splice(0)) brokerPublished(model, n);
    // Who has gone in the same tick may have been given it first.
    if (length > 0 && this.#gone() > gone) model.anyShareMayGo("a member went");
    this.#inEvent = false;
    if (conn !== null) conn.doubtful = false;
    if (!this.store.pending && !this.store.unsynced) model.committed = model.ev;
    // Until the broker has noticed that the disk works again.
    model.storeFails = this.broker.durability.failed && !this.setup.accept;
    for (const s of model.sessions.values()) {
      const real = this.broker.sessions.get(s.id);
      s.real ??= real ?? null;
      s.awaySince = real?.disconnectedAt ?? 0;
    }
  }

  #gone(): number {
    return this.conns.reduce((n, c) => n + (c.phase === "closed" ? 1 : 0), 0);
  }

  /** Ends that no rule of the protocol asks for, but that are right. */
  #excused(c: Conn): boolean {
    const max = c.fields?.maxPacket ?? 0;
    // What has to be said does not fit into what the client takes.
    if (c.reason === "packet_too_large" && max > 0 && max < 300) return true;
    return this.model.everFailed && !this.setup.accept && c.reason.startsWith("storage");
  }

  /** Whom the broker has closed: it must, it may, or it must not. */
  #closed(over = false): void {
    for (const c of this.conns) {
      const { closed } = c.transport;
      if (c.mustClose !== null) {
        if (!closed && !c.gone && over) violate("not_closed", `${c.name} was to be closed: ${c.mustClose.why}`);
        continue;
      }
      const ends = closed || (c.channel.phase === "closed" && !c.gone);
      if (!ends || c.phase === "closed") continue;
      if (c.mayClose === "" && !this.model.storeFails)
        violate("unexpected_close", `${c.name} (version ${c.version}) was closed: ${c.reason}`);
      if (c.left) {
        left(this, c);
        continue;
      }
      c.session?.disturbedIn.add(this.model.ev);
      this.model.closed(c, false);
    }
  }

  /** The rest of the turn: what was put off, and what that puts off. Then the clients read. */
  endTurn(): void {
    for (let round = 0; this.#turn.length > 0; round++) {
      if (round > 1000) violate("endless_turn", "work is put off again and again");
      this.someTurn();
      if (this.#turn.length === 0) this.#endSyncs();
    }
    if (!this.store.pending && !this.store.fails && !this.store.unsynced) this.model.committed = this.model.ev;
    for (const c of this.conns) if (c.channel.out.waits) c.transport.everLate = true;
    // Last words may wait for the disk.
    this.#closed(this.disk.syncs().length === 0);
    this.readAll();
    // What waits for the disk counts as unread, too.
    for (const s of this.model.sessions.values()) if (s.conn?.channel.out.waits !== true) s.turnBytes = 0;
    for (const c of this.conns) {
      for (const b of c.poison) b.fill(0xee);
      c.poison.length = 0;
    }
  }

  /** Those under way end well, or badly, or go on for another turn. */
  #endSyncs(): void {
    if (!this.calm && this.#fate.chance(0.5)) return;
    // Who has another connection meanwhile reads no more of this one: it would get late what the model takes for the first.
    for (const c of this.conns) if (c.client.conn !== c && c.channel.out.waits) c.transport.gone = true;
    for (const end of this.disk.syncs().splice(0)) this.event(() => end(this.calm || !this.#fate.chance(0.1)));
  }

  someTurn(): void {
    for (const fn of this.#turn.splice(0)) this.event(fn);
  }

  readAll(): void {
    // What a connection got before another one took its session over came first.
    const at = (c: Conn): number => (c.phase === "closed" ? 0 : 2 ** 40) + c.letIn;
    for (const c of this.conns.toSorted((a, b) => at(a) - at(b))) read(this.model, c);
  }

  /** Everything that is awaited is answered, one after another. */
  answerAll(): void {
    while (this.awaited.length > 0) this.answer(0);
  }

  answer(i: number): void {
    const [a] = this.awaited.splice(i % this.awaited.length, 1);
    if (a === undefined) return;
    if (a.conn !== undefined && !this.awaited.some((b) => b.conn === a.conn)) a.conn.headFree = true;
    // Its time begins anew, whether it was read meanwhile or not.
    if (a.conn !== undefined) a.conn.deafAt = this.clock.monotonic;
    this.event(a.answer);
  }

  // ---- the end of the process

  kill(): void {
    this.readAll();
    this.#turn = [];
    this.awaited = [];
    this.chaos.forget();
    for (const c of this.conns) {
      c.transport.gone = true;
      for (const b of c.poison) b.fill(0xee);
      c.poison.length = 0;
    }
    this.kills++;
    this.model.ev++;
    this.model.storeFails = false;
    this.#compose(true);
    restored(this);
    this.bans.clear();
    for (const row of this.broker.banned.list()) this.bans.add(row.who);
    this.model.retainer = this.plugins.isRunning("emqx_retainer");
    this.model.committed = this.model.ev;
    this.endTurn();
  }

  command(what: "load" | "unload" | "reload", name: string): void {
    const delayed = (): unknown => this.plugins.service("emqx_delayed_publish");
    const before = delayed();
    this.event(
      () => {
        this.plugins[what](name).catch(() => {});
        drainMicrotasks();
      },
      null,
      () => {
        if (delayed() !== undefined && delayed() !== before) dueAnew(this.model);
      },
    );
    this.model.retainer = this.plugins.isRunning("emqx_retainer");
    // What it was still to send to slow readers, it does not any more.
    if (name === "emqx_retainer" && what !== "load") this.model.noneRetained("the retainer was unloaded");
  }

  /** Client identifiers, or where all come from. */
  unban(who: readonly string[]): void {
    for (const name of who) {
      this.broker.banned.remove(name === ADDRESS ? "ip_address" : "client_id", name);
      this.bans.delete(name);
    }
  }

  /** The model takes over what the broker has, where nobody can foretell it. */
  resync(clientId: string): void {
    resync(this.model, this.broker, this.conns, clientId);
  }

  /** Everything is put away. */
  remove(): void {
    this.disk.remove();
  }
}

function bare(filter: string): string {
  if (filter.startsWith("$queue/")) return filter.slice(7);
  if (!filter.startsWith("$share/")) return filter;
  return filter.split("/").slice(2).join("/");
}
