/** The core put together from its ports: the one composition, for the program and for tests. */
import type { NodeConfig, ZoneConfig } from "../config/types.ts";
import { Access } from "./access/access.ts";
import { type AclFile, registerAclFile } from "./access/acl_file.ts";
import { Banned } from "./access/banned.ts";
import { Flapping } from "./access/flapping.ts";
import { Guesses } from "./access/guesses.ts";
import { installAutoSubscribe } from "./auto_subscribe.ts";
import { Broker } from "./broker.ts";
import { Hooks } from "./hooks.ts";
import type { Clock, Log, Random, Store } from "./ports.ts";
import { installRewrite } from "./rewrite.ts";
import { Alarms } from "./watch/alarms.ts";
import { Metrics } from "./watch/metrics.ts";
import { Stats } from "./watch/stats.ts";
import { SysTopics } from "./watch/sys_topics.ts";

export interface CoreOptions {
  node: NodeConfig;
  /** Live: a changed setting is seen here. */
  zones: ReadonlyMap<string, ZoneConfig>;
  store: Store;
  log: Log;
  clock: Clock;
  random: Random;
  /** Run `fn` when this turn of the event loop is over. */
  defer(fn: () => void): void;
  /** The text of acl.conf. Throws with words when it cannot be read. */
  aclText(): string;
}

export interface Core {
  broker: Broker;
  stats: Stats;
  sys: SysTopics;
  acl: AclFile;
  /** Read acl.conf again and empty the caches. Throws when it is bad; the old rules stay. */
  reloadAcl(): void;
  /** The configuration has changed: rules and modules follow. */
  refresh(): void;
  /** Once a second: samples, and what has run out. */
  sweep(): void;
}

export function buildCore(o: CoreOptions): Core {
  const { node, store, log, clock } = o;
  const metrics = new Metrics();
  const hooks = new Hooks(log);
  const access = new Access(hooks, metrics, clock);
  const banned = new Banned(store.banned, clock);
  const flapping = new Flapping(banned, clock, log, metrics);
  const alarms = new Alarms(node, store.alarms, clock, log, hooks);
  const broker = new Broker({
    node,
    zones: o.zones,
    clock,
    log,
    random: o.random,
    store,
    hooks,
    metrics,
    access,
    banned,
    flapping,
    guesses: new Guesses(clock, log, metrics),
    alarms,
    defer: o.defer,
  });
  measureMemory(broker);
  alarms.publishTo((m) => void broker.publish(m));
  const stats = new Stats();
  provideStats(stats, broker);
  const acl = registerAclFile(hooks, o.aclText(), () => access.invalidate());
  const rewrite = installRewrite(hooks, node);
  const auto = installAutoSubscribe(hooks, node, (id, filter, opts) => void broker.subscribe(id, filter, opts));
  hooks.add("client.connected", "flapping", (client) => {
    if (flapping.note(client)) broker.kick(client.clientId, "flapping");
  });
  hooks.add("client.disconnected", "flapping", (client) => void flapping.note(client));
  const nodes = (): string[] => [node.nodeName];
  const sys = new SysTopics({
    node,
    clock,
    metrics,
    stats,
    sysdescr: "EMQ X Broker",
    nodes,
    publish: (m) => void broker.publish(m),
    listening: () => broker.sysHeard,
    heard: (topic) => broker.heard(topic),
  });
  sys.watchClients(hooks);
  return {
    broker,
    stats,
    sys,
    acl,
    reloadAcl: () => acl.reload(o.aclText()),
    refresh(): void {
      rewrite.refresh();
      auto.refresh();
      access.invalidate();
      broker.refreshRaw();
      // `retry_interval` and `await_rel_timeout` may count from now on for what has been waiting before.
      for (const { channel, inflightLen, awaitingRelLen } of broker.sessions.values())
        if (channel?.ready && inflightLen + awaitingRelLen > 0) broker.plan(channel, broker.mono);
    },
    sweep(): void {
      stats.sample();
      banned.sweep();
      flapping.sweep();
    },
  };
}

/** About what one of them takes, bytes: measured with 200,000 sessions and 1,000,000 subscriptions. */
const SESSION_BYTES = 1200;
const SUBSCRIPTION_BYTES = 900;

/** What holds memory; the retainer tells for itself. */
function measureMemory(broker: Broker): void {
  const { memory, registry, router, output } = broker;
  memory.provide("sessions", () => registry.sessions.size * SESSION_BYTES + router.subscriptionCount * SUBSCRIPTION_BYTES);
  memory.provide("buffers", () => output.pool.backlog + broker.inputBytes);
}

/** Where the numbers of `GET /stats` come from: each is read when it is asked for. */
function provideStats(stats: Stats, broker: Broker): void {
  const { router, registry, metrics } = broker;
  stats.provide("connections", () => broker.connections);
  stats.provide("sessions", () => registry.sessions.size);
  stats.provide("sessions/persistent", () => registry.persistentCount);
  stats.provide("topics", () => router.size);
  stats.provide("routes", () => router.size);
  stats.provide("subscriptions", () => router.subscriptionCount);
  stats.provide("subscriptions/shared", () => router.sharedCount);
  stats.provide("subscribers", () => router.subscriptionCount - router.sharedCount);
  stats.provide("suboptions", () => router.subscriptionCount);
  stats.provide("retained", () => metrics.retainedCount());
}
