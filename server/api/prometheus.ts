/**
 * Prometheus text (0.0.4). Every counter and gauge twice: under the name emqx_statsd gave it, so that boards made for EMQ X go on working,
 * and under a clean one.
 */
import type { Admin } from "../admin/index.ts";
import type { PluginServer } from "../admin/rows.ts";

type Type = "counter" | "gauge";

class Page {
  readonly #lines: string[] = [];
  readonly #seen = new Set<string>();

  add(name: string, type: Type, help: string, value: number): void {
    // Two names may become one: a page with a name twice is refused as a whole.
    if (this.#seen.has(name)) return;
    this.#seen.add(name);
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, `${name} ${value}`);
  }

  /** One name with a value for each set of labels. */
  family(name: string, type: Type, help: string, rows: readonly [labels: Readonly<Record<string, string>>, value: number][]): void {
    if (rows.length === 0 || this.#seen.has(name)) return;
    this.#seen.add(name);
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of rows) {
      const text = Object.entries(labels).map(([key, v]) => `${key}="${escaped(v)}"`);
      this.#lines.push(`${name}{${text.join(",")}} ${value}`);
    }
  }

  toString(): string {
    return `${this.#lines.join("\n")}\n`;
  }
}

const escaped = (label: string): string => label.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

/** Counters of plugins have the names their authors gave them. */
const underscored = (name: string): string => name.replaceAll(/[^a-zA-Z0-9_]/g, "_");
/** Gauges among the metrics. */
const LEVELS = { normal: 0, high: 1, critical: 2 } as const;
const GAUGES = new Set(["messages/retained"]);

export function prometheusText(admin: Admin): string {
  const page = new Page();
  const [node] = admin.metrics.all();
  const counters = { ...node?.metrics, ...node?.extra };
  for (const [name, value] of Object.entries(counters)) {
    const plain = underscored(name);
    const type: Type = GAUGES.has(name) ? "gauge" : "counter";
    if (node && name in node.metrics) page.add(`emqx_${plain}`, type, name, value);
    page.add(type === "gauge" ? `baomq_${plain}` : `baomq_${plain}_total`, type, name, value);
  }
  // The name emqx_statsd gave to messages/forward.
  page.add("emqx_messages_qos2_forward", "counter", "messages/forward", counters["messages/forward"] ?? 0);
  for (const [name, value] of Object.entries(admin.metrics.nodeStats())) {
    page.add(`emqx_${underscored(name)}`, "gauge", name, value);
    page.add(`baomq_${underscored(name)}`, "gauge", name, value);
  }
  process(page, admin);
  outside(page, admin);
  rules(page, admin);
  return page.toString();
}

function process(page: Page, admin: Admin): void {
  const n = admin.nodes.node();
  const busy = Math.min(n.cpu, 100);
  page.add("emqx_vm_cpu_use", "gauge", "CPU in use, per cent of a core", busy);
  page.add("emqx_vm_cpu_idle", "gauge", "CPU idle, per cent of a core", 100 - busy);
  page.add("emqx_vm_run_queue", "gauge", "Always 0 here", 0);
  page.add("emqx_vm_process_messages_in_queues", "gauge", "Always 0 here", 0);
  page.add("baomq_uptime_seconds", "gauge", "Seconds since the start", n.uptime_ms / 1000);
  page.add("baomq_memory_resident_bytes", "gauge", "Resident memory", n.rss);
  page.add("baomq_memory_heap_used_bytes", "gauge", "Heap in use", n.heap_used);
  page.add("baomq_memory_limit_bytes", "gauge", "Memory there is for this node; 0 = unknown", n.memory_limit);
  page.add("baomq_memory_short", "gauge", "1 above node.memory_high_watermark, 2 when queues do not grow any more", LEVELS[n.memory_level]);
  page.add("baomq_memory_queues_bytes", "gauge", "Messages that sessions hold, and delayed ones", n.memory_queues);
  page.add("baomq_memory_retained_bytes", "gauge", "Retained messages", n.memory_retained);
  page.add("baomq_memory_sessions_bytes", "gauge", "Sessions and subscriptions", n.memory_sessions);
  page.add("baomq_memory_buffers_bytes", "gauge", "Input and output that waits", n.memory_buffers);
  page.add("baomq_cpu_percent", "gauge", "CPU in use, per cent of a core", n.cpu);
  page.add("baomq_event_loop_delay_seconds", "gauge", "Largest delay of the event loop in the last seconds", n.loop_delay / 1000);
  page.add("baomq_max_fds", "gauge", "Limit of open files", n.max_fds);
  page.add("baomq_alarms", "gauge", "Alarms that stand", admin.alarms.list().length);
}

/** What plugins ask of servers outside. */
function outside(page: Page, admin: Admin): void {
  const all = admin.plugins.list().flatMap(({ name, status }) => (status === null ? [] : [{ plugin: name, status }]));
  const servers = all.flatMap(({ plugin, status }) => status.servers.map((s) => ({ labels: { plugin, server: s.what }, s })));
  const gauge = (name: string, help: string, read: (s: PluginServer) => number): void =>
    page.family(
      `baomq_plugin_server_${name}`,
      "gauge",
      help,
      servers.map(({ labels, s }) => [labels, read(s)]),
    );
  gauge("up", "1 = it answers", (s) => (s.state === "up" || s.state === "degraded" ? 1 : 0));
  gauge("pool", "Connections at most", (s) => s.pool);
  gauge("running", "Calls that connections carry", (s) => s.running);
  gauge("waiting", "Calls that wait for a connection", (s) => s.waiting);
  page.family(
    "baomq_plugin_server_state",
    "gauge",
    "1 for the state it is in",
    servers.flatMap(({ labels, s }) => STATES.map((state): Row => [{ ...labels, state }, s.state === state ? 1 : 0])),
  );
  page.family(
    "baomq_plugin_server_retries_total",
    "counter",
    "Calls made again behind a lost connection",
    servers.map(({ labels, s }) => [labels, s.retries]),
  );
  page.family(
    "baomq_plugin_server_calls_total",
    "counter",
    "Calls by what came of them",
    servers.flatMap(({ labels, s }) => RESULTS.map((result): Row => [{ ...labels, result }, s[result]])),
  );
  page.family(
    "baomq_plugin_server_seconds",
    "gauge",
    "Time of an answer, of the last 1,024",
    servers.flatMap(({ labels, s }) =>
      QUANTILES.flatMap(([quantile, key]): Row[] => (s[key] === null ? [] : [[{ ...labels, quantile }, (s[key] as number) / 1000]])),
    ),
  );
  page.family(
    "baomq_plugin_verdicts_total",
    "counter",
    "Clients by what a plugin said of them",
    all.flatMap(({ plugin, status }) =>
      (["authentication", "acl"] as const).flatMap((chain) =>
        Object.entries(status[chain] ?? {}).map(([verdict, n]): Row => [{ plugin, chain, verdict }, n as number]),
      ),
    ),
  );
}

/** Rules and their actions, by id. */
function rules(page: Page, admin: Admin): void {
  const figures = admin.rules.figures();
  if (figures === null) return;
  const { line } = figures;
  page.add("baomq_rules_waiting", "gauge", "Events that wait for their rules", line.waiting);
  page.add("baomq_rules_waiting_bytes", "gauge", "The same in bytes", line.bytes);
  const events = figures.rules.flatMap((r) => EVENTS.map((result): Row => [{ rule: r.id, result }, r.metrics[result]]));
  page.family("baomq_rule_events_total", "counter", "Events a rule was asked about, by what came of them", events);
  const actions = figures.rules.flatMap((r) =>
    r.actions.flatMap((a) => ACTION_RESULTS.map((result): Row => [{ rule: r.id, action: a.name, id: a.id, result }, a.metrics[result]])),
  );
  page.family("baomq_rule_action_rows_total", "counter", "Rows an action was given, by what has become of them", actions);
  const waiting = figures.rules.flatMap((r) => r.actions.map((a): Row => [{ rule: r.id, action: a.name, id: a.id }, a.metrics.waiting]));
  page.family("baomq_rule_action_waiting", "gauge", "Rows that wait in an action", waiting);
}

type Row = [labels: Readonly<Record<string, string>>, value: number];
const RESULTS = ["answered", "refused", "failed", "timeouts", "busy", "gone", "not_asked"] as const;
const EVENTS = ["passed", "no_result", "failed", "dropped"] as const;
const ACTION_RESULTS = ["success", "failed", "dropped"] as const;
const STATES = ["connecting", "up", "degraded", "down"] as const;
const QUANTILES = [
  ["0.5", "p50"],
  ["0.95", "p95"],
  ["0.99", "p99"],
] as const;
