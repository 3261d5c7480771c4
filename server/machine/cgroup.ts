/**
 * The memory that the container or service manager gives this process: Linux control groups, version 2 and 1. The limit of any group
 * above it holds too, so the smallest one counts.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface MemoryUse {
  /** Bytes. */
  total: number;
  used: number;
}

interface Version {
  limit: string;
  usage: string;
  /** Page caches in `memory.stat`: the kernel takes them back before it kills anybody. */
  caches: RegExp;
}

const V2: Version = { limit: "memory.max", usage: "memory.current", caches: /^(?:in)?active_file (\d+)$/gm };
const V1: Version = { limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", caches: /^total_(?:in)?active_file (\d+)$/gm };
/** Version 1 says "no limit" with a number nobody has so much memory for. */
const NO_LIMIT = 2 ** 60;

export interface CgroupPaths {
  /** Where groups are mounted. */
  root: string;
  /** Which ones this process is in. */
  self: string;
}
const LINUX: CgroupPaths = { root: "/sys/fs/cgroup", self: "/proc/self/cgroup" };

/** A group with a limit. */
export interface MemoryGroup {
  /** Bytes. */
  total: number;
  /** Bytes in use now. */
  used(): number;
}

/** The one with the narrowest limit; null = no limit. */
export function narrowestGroup(paths: CgroupPaths = LINUX): MemoryGroup | null {
  let found: MemoryGroup | null = null;
  for (const { dir, version } of groupsOf(paths)) {
    const limit = numberIn(join(dir, version.limit));
    if (limit === null || limit <= 0 || limit >= NO_LIMIT || (found !== null && found.total <= limit)) continue;
    found = { total: limit, used: () => usedIn(dir, version) };
  }
  return found;
}

/** What is in use of the narrowest limit there is; null = no limit. */
export function cgroupMemory(paths: CgroupPaths = LINUX): MemoryUse | null {
  const group = narrowestGroup(paths);
  return group === null ? null : { total: group.total, used: group.used() };
}

function usedIn(dir: string, version: Version): number {
  let used = numberIn(join(dir, version.usage)) ?? 0;
  for (const [, bytes] of (textOf(join(dir, "memory.stat")) ?? "").matchAll(version.caches)) used -= Number(bytes);
  return Math.max(0, used);
}

/** The process's own group and those above it. */
function groupsOf({ root, self }: CgroupPaths): { dir: string; version: Version }[] {
  const groups: { dir: string; version: Version }[] = [];
  for (const line of (textOf(self) ?? "").split("\n")) {
    const [, controllers = "", path = ""] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === "") continue;
    const version = controllers === "" ? V2 : V1;
    if (version === V1 && !controllers.split(",").includes("memory")) continue;
    const mounts = version === V1 ? [join(root, "memory"), join(root, controllers)] : [root, join(root, "unified")];
    for (const mount of mounts) if (existsSync(mount)) groups.push(...upwards(mount, path).map((dir) => ({ dir, version })));
  }
  return groups;
}

/** In a container the path may be one of the machine's outside: then the mount itself is the group. */
function upwards(mount: string, path: string): string[] {
  const dirs: string[] = [];
  for (let p = path; ; p = dirname(p)) {
    dirs.push(join(mount, p));
    if (p === "/") return dirs;
  }
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** "max" and what is not there are null. */
function numberIn(path: string): number | null {
  const text = textOf(path)?.trim() ?? "";
  return /^\d+$/.test(text) ? Number(text) : null;
}
