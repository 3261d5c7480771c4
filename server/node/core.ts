/** The core and its ports, put together from configuration, store and log. */
import { existsSync, readFileSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { Access } from "../core/access.ts";
import { type AclFile, DEFAULT_ACL, registerAclFile } from "../core/acl_file.ts";
import { Alarms } from "../core/alarms.ts";
import { installAutoSubscribe } from "../core/auto_subscribe.ts";
import { Banned } from "../core/banned.ts";
import { Broker } from "../core/broker.ts";
import { Flapping } from "../core/flapping.ts";
import { Hooks } from "../core/hooks.ts";
import { Metrics } from "../core/metrics.ts";
import type { Clock, Log, Random, Store } from "../core/ports.ts";
import { installRewrite } from "../core/rewrite.ts";
import { Stats } from "../core/stats.ts";
import { SysTopics } from "../core/sys_topics.ts";

export interface Core {
  broker: Broker;
  stats: Stats;
  sys: SysTopics;
  acl: AclFile;
  /** Read acl.conf again and empty the caches. Throws when it is bad; the old rules stay. */
  reloadAcl(): void;
  /** The configuration has changed: rules and modules follow. */
  refresh(): void;
}

export function buildCore(config: Config, store: Store, log: Log, clock: Clock, random: Random): Core {
  const node = config.node();
  const metrics = new Metrics();
  const hooks = new Hooks(log);
  const access = new Access(hooks, metrics);
  const banned = new Banned(store.banned, clock);
  const flapping = new Flapping(banned, clock, log, metrics);
  const alarms = new Alarms(node, store.alarms, clock, log);
  const broker = new Broker({
    node,
    zones: config.zones(),
    clock,
    log,
    random,
    store,
    hooks,
    metrics,
    access,
    banned,
    flapping,
    alarms,
    defer: (fn) => void setImmediate(fn),
  });
  alarms.publishTo((m) => void broker.publish(m));
  const stats = new Stats();
  provideStats(stats, broker);
  const acl = registerAclFile(hooks, aclText(config), () => access.invalidate());
  const rewrite = installRewrite(hooks, node);
  const auto = installAutoSubscribe(hooks, node, (id, filter, o) => void broker.subscribe(id, filter, o));
  hooks.add("client.connected", "flapping", (client) => {
    if (flapping.note(client)) broker.kick(client.clientId, "flapping");
  });
  hooks.add("client.disconnected", "flapping", (client) => void flapping.note(client));
  const nodes = (): string[] => [node.nodeName];
  const sys = new SysTopics({ node, clock, metrics, stats, sysdescr: "EMQ X Broker", nodes, publish: (m) => void broker.publish(m) });
  sys.watchClients(hooks);
  return {
    broker,
    stats,
    sys,
    acl,
    reloadAcl: () => acl.reload(aclText(config)),
    refresh(): void {
      rewrite.refresh();
      auto.refresh();
      access.invalidate();
    },
  };
}

/** `acl_file`; the rules EMQ X 3.1 shipped when the file is the default one and not there. */
function aclText(config: Config): string {
  const file = String(config.get("acl_file"));
  if (config.origin("acl_file") === "default" && !existsSync(file)) return DEFAULT_ACL;
  try {
    return readFileSync(file, "utf8");
  } catch (err) {
    throw new Error(`acl_file = ${file} cannot be read: ${err instanceof Error ? err.message : String(err)}`);
  }
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
