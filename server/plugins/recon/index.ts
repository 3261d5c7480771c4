/** Diagnosis of the runtime, under the names of the `recon` commands of EMQ X 3.1, and a collection of garbage now and then. */
import { heapStats } from "bun:jsc";
import { writeFile } from "node:fs/promises";
import { freemem, totalmem } from "node:os";
import { isAbsolute, relative, resolve } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { duration } from "../../lib/config_entry.ts";
import { definePlugin, type ReconRows, type ReconService } from "../plugin.ts";

const LOOP_RESOLUTION_MS = 100;
const TYPES_SHOWN = 30;

export const recon = definePlugin({
  name: "emqx_recon",
  description: "EMQ X Recon Plugin",
  version: "v3.1.0",
  activeByDefault: true,
  config: {
    // EMQ X 3.1 showed "Global GC Interval{@configurable}": a mark of its schema language that slipped into the text.
    "recon.gc_interval": duration("5m", "How often garbage is collected, beside what the runtime does on its own; 0 = never.", {
      // Word for word as 3.1 answers: its schema's annotation is part of the text.
      desc: "Global GC Interval{@configurable}",
    }),
  },
  start(ctx): ReconService {
    const { broker } = ctx;
    const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
    loop.enable();
    ctx.closing(() => {
      loop.disable();
    });
    let collections = 0;
    const interval = ctx.config["recon.gc_interval"];
    if (interval > 0) {
      ctx.every(interval, () => {
        collections++;
        // Not at once: a full collection would stop the world for as long as it takes.
        Bun.gc(false);
      });
    }

    return {
      memory(): ReconRows {
        const m = process.memoryUsage();
        const usage = m.rss / totalmem();
        return [
          ["usage/current", usage.toFixed(4)],
          ["rss/current", m.rss],
          // ru_maxrss is in KiB.
          ["rss/max", process.resourceUsage().maxRSS * 1024],
          ["heap/used", m.heapUsed],
          ["heap/total", m.heapTotal],
          ["external/current", m.external],
          ["array_buffers/current", m.arrayBuffers],
          ["system/free", freemem()],
        ];
      },

      allocated(): ReconRows {
        const types = Object.entries(heapStats().objectTypeCounts);
        return types.sort(([, a], [, b]) => b - a).slice(0, TYPES_SHOWN);
      },

      nodeStats(): ReconRows {
        const heap = heapStats();
        const cpu = process.cpuUsage();
        const failing = broker.hookHandlers().map((h): [string, number] => [`hook/${h.point}/${h.handler}/failures`, h.failures]);
        return [
          ["uptime/s", Math.floor(process.uptime())],
          ["cpu/user_ms", Math.round(cpu.user / 1000)],
          ["cpu/system_ms", Math.round(cpu.system / 1000)],
          ["loop_delay/mean_ms", milliseconds(loop.mean)],
          ["loop_delay/max_ms", milliseconds(loop.max)],
          ["heap/objects", heap.objectCount],
          ["heap/protected_objects", heap.protectedObjectCount],
          ["heap/capacity", heap.heapCapacity],
          ["heap/extra", heap.extraMemorySize],
          ["gc/by_interval", collections],
          ["connections", broker.connections],
          ["sessions", broker.sessionCount],
          ...failing,
        ];
      },

      binLeak(): ReconRows {
        const before = process.memoryUsage();
        Bun.gc(true);
        const after = process.memoryUsage();
        return [
          ["heap/freed", before.heapUsed - after.heapUsed],
          ["external/freed", before.external - after.external],
          ["array_buffers/freed", before.arrayBuffers - after.arrayBuffers],
          ["rss/freed", before.rss - after.rss],
        ];
      },

      gc(): number {
        const before = process.memoryUsage().heapUsed;
        Bun.gc(true);
        return Math.max(0, before - process.memoryUsage().heapUsed);
      },

      async heapSnapshot(path): Promise<number> {
        const full = resolve(ctx.dataDir, path);
        const inside = relative(ctx.dataDir, full);
        if (inside === "" || inside.startsWith("..") || isAbsolute(inside)) throw new Error("expected a file in the data directory");
        const snapshot = Bun.generateHeapSnapshot("v8");
        // A snapshot holds everything the broker knows: for its own eyes only, and never over another file.
        await writeFile(full, snapshot, { flag: "wx", mode: 0o600 });
        return Buffer.byteLength(snapshot);
      },
    };
  },
});

/** From nanoseconds; 0 while nothing was measured. */
function milliseconds(ns: number): number {
  return Number.isFinite(ns) ? Math.round(ns / 1e4) / 100 : 0;
}
