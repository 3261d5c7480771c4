/** This broker and the machine it runs on. */
import { formatLocalTime } from "../lib/time_format.ts";
import { formatUptime } from "../lib/uptime.ts";
import type { AdminDeps } from "./deps.ts";
import type { Broker, BrokerInfo, NodeInfo, NodeRow } from "./rows.ts";
import { memoryText } from "./text.ts";

/** Erlang's default limit, and what EMQ X 3.1 showed: kept for programs that divide by it. */
const PROCESS_LIMIT = 262_144;

export interface LiveFigures {
  /** Per cent of one core. */
  cpu: number;
  /** ms. */
  loopDelay: number;
  /** Per cent of all cores of the machine; null = not measured yet. */
  machineCpu: number | null;
}

export function createNodes(deps: AdminDeps, listeners: () => readonly unknown[], live: () => LiveFigures) {
  const { broker, system, product } = deps;
  const name = broker.node.nodeName;
  const started = broker.clock.mono();
  const uptimeMs = (): number => broker.clock.mono() - started;
  /** `R<major>/<version>` of the runtime, where EMQ X showed that of Erlang. */
  const runtime = `R${system.runtimeVersion.split(".")[0]}/${system.runtimeVersion}`;

  function broker1(): BrokerInfo {
    return {
      datetime: formatLocalTime(broker.clock.now()),
      node_status: "Running",
      otp_release: runtime,
      sysdescr: "EMQ X Broker",
      uptime: formatUptime(uptimeMs() / 1000),
      version: broker.node.apiVersion,
      product: product.name,
      product_version: product.version,
    };
  }

  /** Erlang runs a process for each connection and each session; listeners and plugins are a handful more. */
  function processes(): { used: number; limit: number } {
    const used = broker.connections + broker.sessions.size + listeners().length;
    return { used, limit: Math.max(PROCESS_LIMIT, 2 * used) };
  }

  function node1(): NodeInfo {
    const memory = system.memory();
    const [load1, load5, load15] = system.load();
    const { cpu, loopDelay } = live();
    const { level, last } = broker.memory;
    const kinds = broker.memory.bytes();
    const { used, limit } = processes();
    return {
      connections: broker.connections,
      load1: load1.toFixed(2),
      load5: load5.toFixed(2),
      load15: load15.toFixed(2),
      max_fds: system.maxFds,
      memory_total: memory.rss,
      memory_used: Math.min(memory.heapUsed + memory.external, memory.rss),
      name,
      node_status: "Running",
      otp_release: runtime,
      process_available: limit,
      process_used: used,
      uptime: formatUptime(uptimeMs() / 1000),
      version: broker.node.apiVersion,
      uptime_ms: Math.floor(uptimeMs()),
      rss: memory.rss,
      heap_used: memory.heapUsed,
      cpu,
      loop_delay: loopDelay,
      os_memory_total: memory.osTotal,
      os_memory_free: memory.osFree,
      cores: system.cores,
      memory_limit: last.limit,
      memory_level: level,
      memory_queues: kinds.queues,
      memory_retained: kinds.retained,
      memory_sessions: kinds.sessions,
      memory_buffers: kinds.buffers,
    };
  }

  return {
    name,
    processes,
    brokers: (): Broker[] => [{ node: name, ...broker1() }],
    broker: broker1,
    node: node1,
    nodes(): NodeRow[] {
      const n = node1();
      return [{ ...n, node: name, memory_total: memoryText(n.memory_total), memory_used: memoryText(n.memory_used) }];
    },
  };
}
