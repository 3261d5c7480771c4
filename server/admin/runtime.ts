/** Diagnosis for the command line: figures of the runtime, levels of the log, traces, rules read again. */
import { wordsOf } from "../lib/errors.ts";
import type { ReconRows, ReconService } from "../plugins/services.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError, type LogControl, type System } from "./deps.ts";
import { notFound, notOneOf, notRunning } from "./refusals.ts";
import type { Listener } from "./rows.ts";

export const VM_TOPICS = ["load", "memory", "process", "io", "ports"] as const;
export type VmTopic = (typeof VM_TOPICS)[number];
export const RECON_TOPICS = ["memory", "allocated", "bin_leak", "node_stats", "gc"] as const;
export type ReconTopic = (typeof RECON_TOPICS)[number];

/** The names of EMQ X 3.1 first, in its order; ours after them. Atoms, code and ets are Erlang's, and nothing here. */
function memoryRows({ rss, heapTotal, heapUsed, external, osTotal, osFree }: ReturnType<System["memory"]>): ReconRows {
  return [
    ["memory/total", rss],
    ["memory/processes", heapTotal],
    ["memory/processes_used", heapUsed],
    ["memory/system", Math.max(rss - heapTotal, 0)],
    ["memory/atom", 0],
    ["memory/atom_used", 0],
    ["memory/binary", external],
    ["memory/code", 0],
    ["memory/ets", 0],
    ["memory/os_total", osTotal],
    ["memory/os_free", osFree],
  ];
}

export function createRuntime(deps: AdminDeps, listeners: () => readonly Listener[], processes: () => { used: number; limit: number }) {
  const { broker, system, plugins } = deps;

  /** Sockets that listen, and those of whoever is connected. */
  const sockets = (): number => listeners().reduce((n, l) => n + l.current_conns + Number(l.running), 0);

  const vm: Record<VmTopic, () => ReconRows> = {
    load: () => system.load().map((n, i) => [`cpu/load${[1, 5, 15][i]}`, n.toFixed(2)]),
    memory: () => memoryRows(system.memory()),
    process: () => [
      ["process/limit", processes().limit],
      ["process/count", processes().used],
    ],
    io: () => [
      ["io/max_fds", system.maxFds],
      ["io/active_fds", sockets()],
      ["io/bytes_received", broker.metrics.bytesReceived],
      ["io/bytes_sent", broker.metrics.bytesSent],
    ],
    ports: () => [
      ["ports/count", sockets()],
      ["ports/limit", system.maxFds],
    ],
  };

  const recon: Record<ReconTopic, (service: ReconService) => ReconRows> = {
    memory: (s) => s.memory(),
    allocated: (s) => s.allocated(),
    bin_leak: (s) => s.binLeak(),
    node_stats: (s) => s.nodeStats(),
    gc: (s) => [["freed", s.gc()]],
  };

  function logControl(): LogControl {
    if (!deps.logControl) throw new AdminError(CODE.UNKNOWN, "the log cannot be controlled here");
    return deps.logControl;
  }

  function levelOf(value: unknown): string {
    const { levels } = logControl();
    if (typeof value === "string" && levels.includes(value)) return value;
    throw notOneOf("level", levels);
  }

  return {
    vm: (topics: readonly VmTopic[]): ReconRows => topics.flatMap((t) => vm[t]()),

    /** @throws AdminError 102 while emqx_recon does not run */
    recon(topic: ReconTopic): ReconRows {
      const service = plugins.service("emqx_recon");
      if (!service) throw notRunning("emqx_recon");
      return recon[topic](service);
    },

    /** @throws AdminError 102 */
    log: () => ({ level: logControl().level(), levels: logControl().levels, handlers: logControl().handlers() }),

    /** Of everything, or of one handler. @throws AdminError 102, 108 */
    setLogLevel(level: unknown, handler: string | undefined): void {
      const wanted = levelOf(level);
      if (handler === undefined) logControl().setLevel(wanted);
      else if (!logControl().setHandlerLevel(handler, wanted)) throw notFound();
    },

    /** @throws AdminError 102 that says what is wrong with the file; the rules stay as they were */
    reloadAcl(): void {
      try {
        deps.reloadAcl?.();
      } catch (err) {
        throw new AdminError(CODE.UNKNOWN, `the access rules stay as they were: ${wordsOf(err)}`);
      }
      broker.access.invalidate();
    },

    /** Re-read changed files and certificates; what was done, in words. @throws AdminError 102, also when a part of it failed */
    async reload(): Promise<string[]> {
      const service = plugins.service("emqx_reloader");
      if (!service) throw notRunning("emqx_reloader");
      const { done, failed } = await service.reloadNow();
      if (failed.length === 0) return done;
      const rest = done.length === 0 ? "" : `; read again all the same: ${done.join("; ")}`;
      throw new AdminError(CODE.UNKNOWN, `${failed.join("; ")}${rest}`);
    },
  };
}
