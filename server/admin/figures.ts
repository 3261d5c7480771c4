/** Every figure of the node, for monitoring systems: scraped through the API, pushed by emqx_statsd. */
import { underscored } from "../lib/exposition.ts";
import type { Labels, MetricFamily } from "../lib/metric_family.ts";
import type { AdminDeps } from "./deps.ts";
import type { Script } from "./extra_rows.ts";
import type { LiveFigures } from "./nodes.ts";
import type { NodeInfo, Plugin, PluginServer } from "./rows.ts";
import type { RuleFigures } from "./rules.ts";
import { family, QUANTILES, type Row, resourceServer, serverFamilies } from "./server_figures.ts";

/** Gauges among the metrics. */
const GAUGES: ReadonlySet<string> = new Set(["messages/retained"]);
const LEVELS = { normal: 0, high: 1, critical: 2 } as const;

/**
 * Names beside `emqx_<name>`. emqx_statsd 3.1 gave the first one, and its Grafana boards ask for the others, which are older than it: it never
 * sent them, and its panels stayed empty.
 */
const MORE_NAMES: Readonly<Record<string, readonly string[]>> = {
  "messages/forward": ["emqx_messages_qos2_forward"],
  "connections/count": ["emqx_clients_count"],
  "packets/disconnect/received": ["emqx_packets_disconnect"],
};

const namesOf = (name: string): string[] => [`emqx_${underscored(name)}`, ...(MORE_NAMES[name] ?? [])];

interface Views {
  nodes: { node(): NodeInfo };
  plugins: { list(): Plugin[] };
  rules: { figures(): RuleFigures | null };
  scripts: { figures(): Script[] };
  live(): LiveFigures;
}

export function createFigures({ broker, stats }: AdminDeps, { nodes, plugins, rules, scripts, live }: Views) {
  return (): MetricFamily[] => [
    ...Object.entries(broker.metrics.all()).map(([name, value]) => metric(name, value, namesOf(name))),
    ...Object.entries(broker.metrics.extra()).map(([name, value]) => metric(name, value, [])),
    ...Object.entries(stats.all()).map(([name, value]) => gauge(name, name, value, namesOf(name))),
    ...machine(live()),
    ...process(nodes.node(), broker.alarms.present().length),
    ...outside(plugins.list()),
    ...ofRules(rules.figures()),
    ...ofScripts(scripts.figures()),
  ];
}

const metric = (name: string, value: number, emqx: readonly string[]): MetricFamily => ({
  name,
  type: GAUGES.has(name) ? "gauge" : "counter",
  help: name,
  emqx,
  rows: [[{}, value]],
});

const gauge = (name: string, help: string, value: number, emqx: readonly string[] = []): MetricFamily => ({
  name,
  type: "gauge",
  help,
  emqx,
  rows: [[{}, value]],
});

/**
 * What emqx_statsd 3.1 said of Erlang's machine, as far as there is such a thing here: its run queue and the messages that wait for its
 * processes are not. Not there before it was measured.
 */
function machine({ machineCpu }: LiveFigures): MetricFamily[] {
  if (machineCpu === null) return [];
  return [
    gauge("machine/cpu/percent", "CPU of the machine in use, per cent of all cores", machineCpu, ["emqx_vm_cpu_use"]),
    gauge("machine/cpu/idle/percent", "CPU of the machine idle, per cent of all cores", 100 - machineCpu, ["emqx_vm_cpu_idle"]),
  ];
}

function process(n: NodeInfo, alarms: number): MetricFamily[] {
  return [
    gauge("uptime/seconds", "Seconds since the start", n.uptime_ms / 1000),
    gauge("memory/resident/bytes", "Resident memory", n.rss),
    gauge("memory/heap/used/bytes", "Heap in use", n.heap_used),
    gauge("memory/limit/bytes", "Memory there is for this node; 0 = unknown", n.memory_limit),
    gauge("memory/short", "1 above node.memory_high_watermark, 2 when queues do not grow any more", LEVELS[n.memory_level]),
    gauge("memory/queues/bytes", "Messages that sessions hold, and delayed ones", n.memory_queues),
    gauge("memory/retained/bytes", "Retained messages", n.memory_retained),
    gauge("memory/sessions/bytes", "Sessions and subscriptions", n.memory_sessions),
    gauge("memory/buffers/bytes", "Input and output that waits", n.memory_buffers),
    gauge("cpu/percent", "CPU in use, per cent of a core", n.cpu),
    gauge("event/loop/delay/seconds", "Largest delay of the event loop in the last seconds", n.loop_delay / 1000),
    gauge("max/fds", "Limit of open files", n.max_fds),
    gauge("alarms", "Alarms that stand", alarms),
  ];
}

/** What plugins ask of servers outside. */
function outside(list: readonly Plugin[]): MetricFamily[] {
  const all = list.flatMap(({ name, status }) => (status === null ? [] : [{ plugin: name, status }]));
  const servers = all.flatMap(({ plugin, status }) => status.servers.map((s) => ({ labels: { plugin, server: s.what }, s })));
  return [
    ...serverFamilies("plugin/server", servers),
    ...queues(servers.flatMap(({ labels, s }) => (s.queue === undefined ? [] : [{ labels, queue: s.queue }]))),
    family(
      "plugin/verdicts",
      "counter",
      "Clients by what a plugin said of them",
      all.flatMap(({ plugin, status }) =>
        (["authentication", "acl"] as const).flatMap((chain) =>
          Object.entries(status[chain] ?? {}).map(([verdict, n]): Row => [{ plugin, chain, verdict }, n as number]),
        ),
      ),
    ),
  ];
}

/** What waits to be sent to them. */
function queues(all: readonly { labels: Labels; queue: NonNullable<PluginServer["queue"]> }[]): MetricFamily[] {
  return [
    ...QUEUE_GAUGES.map(([name, key, help]) =>
      family(
        `plugin/queue/${name}`,
        "gauge",
        help,
        all.map(({ labels, queue }): Row => [labels, queue[key]]),
      ),
    ),
    family(
      "plugin/queue/rows",
      "counter",
      "Rows by what came of them",
      all.flatMap(({ labels, queue }) => QUEUE_RESULTS.map((result): Row => [{ ...labels, result }, queue[result]])),
    ),
  ];
}

/** Rules, their actions and their resources, by id. */
function ofRules(figures: RuleFigures | null): MetricFamily[] {
  if (figures === null) return [];
  const { rules, resources, line } = figures;
  const actions = rules.flatMap((r) => r.actions.map((a) => ({ labels: { rule: r.id, action: a.name, id: a.id }, metrics: a.metrics })));
  return [
    gauge("rules/waiting", "Events that wait for their rules", line.waiting),
    gauge("rules/waiting/bytes", "The same in bytes", line.bytes),
    family(
      "rule/events",
      "counter",
      "Events a rule was asked about, by what came of them",
      rules.flatMap((r) => EVENTS.map((result): Row => [{ rule: r.id, result }, r.metrics[result]])),
    ),
    family(
      "rule/action/rows",
      "counter",
      "Rows an action was given, by what has become of them",
      actions.flatMap(({ labels, metrics }) => ACTION_RESULTS.map((result): Row => [{ ...labels, result }, metrics[result]])),
    ),
    family(
      "rule/action/waiting",
      "gauge",
      "Rows that wait in an action",
      actions.map(({ labels, metrics }): Row => [labels, metrics.waiting]),
    ),
    ...serverFamilies(
      "rule/resource",
      resources.map((r) => ({ labels: { resource: r.id, type: r.type }, s: resourceServer(r) })),
    ),
  ];
}

/** Scripts on hooks, by name. */
function ofScripts(all: readonly Script[]): MetricFamily[] {
  if (all.length === 0) return [];
  const each = (name: string, type: MetricFamily["type"], help: string, read: (s: Script) => number): MetricFamily =>
    family(
      `script/${name}`,
      type,
      help,
      all.map((s): Row => [{ script: s.name }, read(s)]),
    );
  const ofCallbacks = (name: "calls" | "errors", help: string): MetricFamily =>
    family(
      `script/${name}`,
      "counter",
      help,
      all.flatMap((s) => s.callbacks.map((c): Row => [{ script: s.name, callback: c.name }, c[name]])),
    );
  return [
    each("up", "gauge", "1 = it runs", (s) => (s.state === "running" ? 1 : 0)),
    ofCallbacks("calls", "Calls of a callback"),
    ofCallbacks("errors", "Calls of a callback that failed"),
    each("overruns", "counter", "Calls that took more than they may", (s) => s.overruns),
    each("skipped", "counter", "Calls that were not made", (s) => s.skipped),
    each("restarts", "counter", "Times its worker was started again", (s) => s.restarts),
    family(
      "script/seconds",
      "gauge",
      "Time of a call, of the last 1,024",
      all.flatMap((s) =>
        QUANTILES.flatMap(([quantile, key]): Row[] => (s[key] === null ? [] : [[{ script: s.name, quantile }, (s[key] as number) / 1000]])),
      ),
    ),
  ];
}

const EVENTS = ["passed", "no_result", "failed", "dropped"] as const;
const ACTION_RESULTS = ["success", "failed", "dropped"] as const;
const QUEUE_GAUGES = [
  ["waiting", "rows", "Rows that wait to be sent"],
  ["bytes", "bytes", "Bytes of memory that they take"],
  ["disk/bytes", "disk_bytes", "Bytes of the disk that they take"],
  ["dead/letters", "dead_letters", "Rows that were given up and are kept"],
] as const;
const QUEUE_RESULTS = ["sent", "dropped", "gave_up"] as const;
