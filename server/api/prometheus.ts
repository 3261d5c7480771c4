/**
 * Prometheus text (0.0.4). Every counter and gauge twice: under the name emqx_statsd gave it, so that boards made for EMQ X go on working,
 * and under a clean one.
 */
import type { Admin } from "../admin/index.ts";

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

  toString(): string {
    return `${this.#lines.join("\n")}\n`;
  }
}

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
