/**
 * What the operating system tells about the machine and this process. On Linux from /proc and the container's limits, elsewhere
 * what node:os knows; a figure that cannot be had is null. All calls are cheap and synchronous.
 */
import { readFileSync, statfsSync } from "node:fs";
import { cpus, freemem, totalmem } from "node:os";
import type { Readings, Usage } from "../core/watch/monitors.ts";
import { cgroupMemory, type MemoryUse } from "./cgroup.ts";

/** cgroup v2, as a container sees its own. */
const CGROUP = "/sys/fs/cgroup";

/** `mounts`: directories whose disks are watched, e.g. the data directory. */
export function createOsReadings(mounts: readonly string[]): Readings {
  const cpu = cpuMeter();
  return {
    pid: process.pid,
    cpuPercent: cpu,
    memoryPercent: () => percent(systemMemory()),
    processMemoryPercent: () => percent({ used: process.memoryUsage.rss(), total: systemMemory().total }),
    disks: () => mounts.flatMap(diskUse),
    processes: processCount,
  };
}

function percent({ used, total }: MemoryUse): number | null {
  return total > 0 ? (used / total) * 100 : null;
}

/** Share of all cores in use since the last call; null at the first one and when no time has passed. */
export function cpuMeter(): () => number | null {
  let before: { busy: number; all: number } | null = null;
  return () => {
    const now = cpuTimes();
    const since = before;
    before = now;
    if (since === null || now.all <= since.all) return null;
    return Math.min(100, Math.max(0, ((now.busy - since.busy) / (now.all - since.all)) * 100));
  };
}

function cpuTimes(): { busy: number; all: number } {
  let busy = 0;
  let all = 0;
  for (const { times } of cpus()) {
    const used = times.user + times.nice + times.sys + times.irq;
    busy += used;
    all += used + times.idle;
  }
  return { busy, all };
}

/** Memory that is in use and could not be given to a program that asks; caches are not in use. In a container with a limit: the container's. */
export function systemMemory(): MemoryUse {
  const machine = machineMemory();
  const group = cgroupMemory();
  return group !== null && group.total < machine.total ? group : machine;
}

function machineMemory(): MemoryUse {
  const info = read("/proc/meminfo") ?? "";
  const kib = (key: string): number | null => number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(info)?.[1] ?? null);
  const total = kib("MemTotal");
  const available = kib("MemAvailable");
  if (total === null || available === null) return { total: totalmem(), used: totalmem() - freemem() };
  return { total: total * 1024, used: (total - available) * 1024 };
}

/** As `df` counts: what only the superuser may use is not free. */
function diskUse(mount: string): { mount: string; usedPercent: number }[] {
  try {
    const fs = statfsSync(mount);
    const used = fs.blocks - fs.bfree;
    const usable = used + fs.bavail;
    return usable > 0 ? [{ mount, usedPercent: (used / usable) * 100 }] : [];
  } catch {
    return [];
  }
}

/** Processes and threads against what the container or the kernel allows. */
function processCount(): Usage | null {
  const limit = number(read(`${CGROUP}/pids.max`));
  const current = number(read(`${CGROUP}/pids.current`));
  if (limit !== null && current !== null) return { used: current, limit };
  const total = number(/ \d+\/(\d+) /.exec(read("/proc/loadavg") ?? "")?.[1] ?? null);
  const max = number(read("/proc/sys/kernel/threads-max"));
  return total === null || max === null ? null : { used: total, limit: max };
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** "max" and the like are null. */
function number(text: string | null): number | null {
  const t = text?.trim() ?? "";
  return /^\d+$/.test(t) ? Number(t) : null;
}
