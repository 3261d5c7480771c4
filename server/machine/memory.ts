/** The memory of this process against what there is for it. */
import { totalmem } from "node:os";
import type { MemoryReadings } from "../core/watch/memory.ts";
import { cgroupMemory, type MemoryUse } from "./cgroup.ts";

/** Where there is no limit, one is looked for again after so many readings: about a second. */
const LOOK_EVERY = 10;

export function createMemoryReadings(): MemoryReadings {
  const machine = totalmem();
  let group: MemoryUse | null = null;
  let readings = 0;
  return {
    read() {
      if (group !== null || readings++ % LOOK_EVERY === 0) group = cgroupMemory();
      // What others of the same group use is gone too; what of the program's file is in memory costs nothing.
      if (group !== null && group.total < machine) return { used: group.used, limit: group.total, container: true };
      return { used: process.memoryUsage.rss(), limit: machine, container: false };
    },
    collect: () => void Bun.gc(false),
  };
}
