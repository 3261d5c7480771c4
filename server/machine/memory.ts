/** The memory of this process against what there is for it. */
import { totalmem } from "node:os";
import type { MemoryReadings } from "../core/watch/memory.ts";
import { type CgroupPaths, type MemoryGroup, narrowestGroup } from "./cgroup.ts";
import { createRssReading } from "./rss.ts";

/** Limits are looked for again after so many readings, ten seconds, or a minute far below the watermark: they may be changed at any time, and take dozens of files to find. */
const LOOK_EVERY = 100;

export function createMemoryReadings(paths?: CgroupPaths): MemoryReadings {
  const machine = totalmem();
  const rss = createRssReading();
  let group: MemoryGroup | null = null;
  let readings = 0;
  return {
    read() {
      if (readings++ % LOOK_EVERY === 0) group = narrowestGroup(paths);
      // What others of the same group use is gone too; what of the program's file is in memory costs nothing.
      if (group !== null && group.total < machine) return { used: group.used(), limit: group.total, container: true };
      return { used: rss(), limit: machine, container: false };
    },
    // false would look at what is young alone.
    collect: () => void Bun.gc(true),
  };
}
