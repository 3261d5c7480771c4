/** Diagnosis for the command line: figures of the runtime, levels of the log, traces, rules read again. */
import type { ReconRows, ReconService } from "../plugins/services.ts";
import { type AdminDeps, AdminError, type LogControl } from "./deps.ts";

export const VM_TOPICS = ["load", "memory", "process", "io", "ports"] as const;
export type VmTopic = (typeof VM_TOPICS)[number];
export const RECON_TOPICS = ["memory", "allocated", "bin_leak", "node_stats", "gc"] as const;
export type ReconTopic = (typeof RECON_TOPICS)[number];

export function createRuntime(deps: AdminDeps) {
  const { broker, system, plugins } = deps;

  const vm: Record<VmTopic, () => ReconRows> = {
    load: () => system.load().map((n, i) => [`cpu/load${[1, 5, 15][i]}`, n.toFixed(2)]),
    memory: () => Object.entries(system.memory()).map(([name, n]) => [`memory/${name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)}`, n]),
    process: () => [
      ["process/limit", system.maxFds],
      ["process/count", broker.connections + broker.sessions.size],
    ],
    io: () => [
      ["io/max_fds", system.maxFds],
      ["io/bytes_received", broker.metrics.bytesReceived],
      ["io/bytes_sent", broker.metrics.bytesSent],
    ],
    ports: () => [
      ["ports/count", deps.listeners.list().length],
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
    if (!deps.logControl) throw new AdminError(102, "the log cannot be controlled here");
    return deps.logControl;
  }

  function levelOf(value: unknown): string {
    const { levels } = logControl();
    if (typeof value === "string" && levels.includes(value)) return value;
    throw new AdminError(108, `value of 'level' must be one of: [${levels.map((l) => `'${l}'`).join(", ")}]`);
  }

  return {
    vm: (topics: readonly VmTopic[]): ReconRows => topics.flatMap((t) => vm[t]()),

    /** @throws AdminError 102 while emqx_recon does not run */
    recon(topic: ReconTopic): ReconRows {
      const service = plugins.service("emqx_recon");
      if (!service) throw new AdminError(102, "emqx_recon is not running");
      return recon[topic](service);
    },

    /** @throws AdminError 102 */
    log: () => ({ level: logControl().level(), levels: logControl().levels, handlers: logControl().handlers() }),

    /** Of everything, or of one handler. @throws AdminError 102, 108 */
    setLogLevel(level: unknown, handler: string | undefined): void {
      const wanted = levelOf(level);
      if (handler === undefined) logControl().setLevel(wanted);
      else if (!logControl().setHandlerLevel(handler, wanted)) throw new AdminError(102, "not_found");
    },

    /** @throws AdminError 102 that says what is wrong with the file; the rules stay as they were */
    reloadAcl(): void {
      try {
        deps.reloadAcl?.();
      } catch (err) {
        throw new AdminError(102, `the access rules stay as they were: ${err instanceof Error ? err.message : String(err)}`);
      }
      broker.access.invalidate();
    },

    /** Re-read changed files and certificates; what was done, in words. @throws AdminError 102 */
    async reload(): Promise<string[]> {
      const service = plugins.service("emqx_reloader");
      if (service) return service.reloadNow();
      throw new AdminError(102, "emqx_reloader is not running");
    },
  };
}
