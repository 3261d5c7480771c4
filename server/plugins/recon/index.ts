/** Diagnosis of the running process: memory, heap, event loop, hook handlers; and a collection of garbage now and then. */
import { heapStats } from "bun:jsc";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { duration } from "../../lib/config_entry.ts";
import { definePlugin, type ReconService } from "../plugin.ts";
import type { ReconRows } from "../services.ts";

const TOP = 20;
const NS_PER_MS = 1e6;

export const recon = definePlugin({
  name: "emqx_recon",
  description: "EMQ X Recon Plugin",
  version: "v3.1.0",
  activeByDefault: true,
  config: {
    "recon.gc_interval": duration("5m", "How often garbage is collected, besides when the runtime wants to; 0 = never.", {
      desc: "Global GC Interval",
    }),
  },
  start(ctx): ReconService {
    const delay = monitorEventLoopDelay({ resolution: 20 });
    delay.enable();
    ctx.closing(() => void delay.disable());
    const interval = ctx.config["recon.gc_interval"];
    // Not synchronous: a full collection of a large heap must not stop the broker.
    if (interval > 0) ctx.every(interval, () => void Bun.gc(false));
    const memory = (): ReconRows => {
      const m = process.memoryUsage();
      const h = heapStats();
      return [
        ["usage/current (rss)", m.rss],
        ["usage/heap_used", m.heapUsed],
        ["usage/heap_total", m.heapTotal],
        ["usage/external", m.external],
        ["usage/array_buffers", m.arrayBuffers],
        ["usage/heap_capacity", h.heapCapacity],
        ["usage/extra_memory", h.extraMemorySize],
        ["usage/objects", h.objectCount],
      ];
    };
    function collect(): number {
      const before = heapStats().heapSize;
      Bun.gc(true);
      return Math.max(0, before - heapStats().heapSize);
    }
    return {
      memory,
      allocated: () =>
        Object.entries(heapStats().objectTypeCounts)
          .sort((a, b) => b[1] - a[1])
          .slice(0, TOP),
      nodeStats: () => [
        ["event_loop_delay/mean_ms", Number((delay.mean / NS_PER_MS).toFixed(3))],
        ["event_loop_delay/p99_ms", Number((delay.percentile(99) / NS_PER_MS).toFixed(3))],
        ["event_loop_delay/max_ms", Number((delay.max / NS_PER_MS).toFixed(3))],
        ["connections", ctx.broker.connections],
        ...ctx.broker.hookHandlers().map((h): [string, string] => [`hook/${h.point}`, `${h.handler} (${h.failures} failures)`]),
      ],
      binLeak() {
        const before = process.memoryUsage();
        const freed = collect();
        const after = process.memoryUsage();
        return [
          ["heap", freed],
          ["external", Math.max(0, before.external - after.external)],
          ["array_buffers", Math.max(0, before.arrayBuffers - after.arrayBuffers)],
        ];
      },
      gc: collect,
      heapSnapshot: (path) => Bun.write(path, JSON.stringify(Bun.generateHeapSnapshot())),
    };
  },
});
