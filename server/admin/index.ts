/**
 * The one door through which REST API, command line and dashboard see and change the broker. Functions return plain rows; a command that is
 * refused throws `AdminError`. Only this layer knows which nodes there are: `hasNode` says whether a name is one of them.
 */
import { createAccess } from "./access.ts";
import { createAccounts } from "./accounts.ts";
import { createAlarms } from "./alarms.ts";
import { createApps } from "./apps.ts";
import { createBanned } from "./banned.ts";
import { createConnections } from "./connections.ts";
import { createDelayed } from "./delayed.ts";
import type { AdminDeps } from "./deps.ts";
import { createExplain } from "./explain.ts";
import { createFigures } from "./figures.ts";
import { createKeeping } from "./keeping.ts";
import { createListeners } from "./listeners.ts";
import { createMetrics } from "./metrics.ts";
import { createMonitor } from "./monitor.ts";
import { createNodes } from "./nodes.ts";
import { createPlugins } from "./plugins.ts";
import { createPubSub } from "./pubsub.ts";
import { createRetained } from "./retained.ts";
import { createRoutes } from "./routes.ts";
import { createRules } from "./rules.ts";
import { createRuntime } from "./runtime.ts";
import { createScripts } from "./scripts.ts";
import { createSessions } from "./sessions.ts";
import { createSettings } from "./settings.ts";
import { createSubscriptions } from "./subscriptions.ts";
import { createTopics } from "./topics.ts";
import { createTraces } from "./traces.ts";
import { createUsers } from "./users.ts";
import { createWebHook } from "./web_hook.ts";

export type { AdminDeps, LogControl, System, TraceControl } from "./deps.ts";
export { AdminError } from "./deps.ts";

/** Rows of a list when the caller names no limit (`management.max_row_limit`). */
const MAX_ROWS = 10_000;

export type Admin = ReturnType<typeof createAdmin>;

export function createAdmin(deps: AdminDeps) {
  const limits = { maxRows: MAX_ROWS };
  const monitor = createMonitor(deps);
  const node = deps.broker.node.nodeName;
  const listeners = createListeners(deps);
  const nodes = createNodes(deps, listeners.list, monitor.live);
  const settings = createSettings(deps.settings, deps.plugins, deps.broker.alarms);
  const plugins = createPlugins(deps, settings);
  const rules = createRules(deps, limits);
  const scripts = createScripts(deps);
  return {
    node,
    version: deps.broker.node.apiVersion,
    product: deps.product,
    system: deps.system,
    limits,
    now: (): number => deps.broker.clock.now(),
    hasNode: (name: string): boolean => name === node,
    nodes,
    connections: createConnections(deps, limits),
    sessions: createSessions(deps, limits),
    subscriptions: createSubscriptions(deps, limits),
    routes: createRoutes(deps, limits),
    topics: createTopics(deps),
    pubsub: createPubSub(deps),
    keeping: createKeeping(deps.broker),
    plugins,
    access: createAccess(deps, plugins),
    settings,
    listeners,
    metrics: createMetrics(deps),
    figures: createFigures(deps, { nodes, plugins, rules, scripts, live: monitor.live }),
    monitor,
    alarms: createAlarms(deps),
    banned: createBanned(deps, limits),
    apps: createApps(deps),
    users: createUsers(deps),
    retained: createRetained(deps, limits),
    delayed: createDelayed(deps, limits),
    rules,
    authUsername: createAccounts(deps, "emqx_auth_username"),
    authClientid: createAccounts(deps, "emqx_auth_clientid"),
    scripts,
    webHook: createWebHook(deps),
    explain: createExplain(deps),
    runtime: createRuntime(deps, listeners.list, nodes.processes),
    traces: createTraces(deps),
    start(): void {
      settings.review();
      monitor.start();
    },
    stop(): void {
      monitor.stop();
    },
  };
}
