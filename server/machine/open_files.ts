/** How many files this process may have open. */
import { readFileSync } from "node:fs";

/** Soft limit of open files (Bun has already raised it to the hard one); Infinity where it cannot be read. */
export function openFileLimit(): number {
  try {
    const soft = /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return soft === undefined || soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    const report = process.report?.getReport() as { userLimits?: { open_files?: { soft?: unknown } } } | undefined;
    const soft = Number(report?.userLimits?.open_files?.soft);
    return soft > 0 ? soft : Number.POSITIVE_INFINITY;
  }
}
