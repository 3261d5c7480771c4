/** The memory limit of control groups, read from files as the kernel writes them. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type CgroupPaths, cgroupMemory } from "../../../server/machine/cgroup.ts";
import { createMemoryReadings } from "../../../server/machine/memory.ts";

const dirs: string[] = [];
afterAll(() => {
  for (const d of dirs) rmSync(d, { recursive: true });
});
const MIB = 1024 * 1024;

function tree(self: string, files: Record<string, string | number>): CgroupPaths {
  const dir = mkdtempSync(join(tmpdir(), "cgroup-"));
  dirs.push(dir);
  const paths = { root: join(dir, "fs"), self: join(dir, "self") };
  mkdirSync(paths.root);
  writeFileSync(paths.self, self);
  for (const [name, text] of Object.entries(files)) {
    const file = join(paths.root, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${text}\n`);
  }
  return paths;
}
const V2_STAT = "anon 100\nfile 900\ninactive_anon 5\nactive_anon 7\ninactive_file 300\nactive_file 200\nunevictable 0";
const V1_STAT = "cache 900\nrss 100\ninactive_file 1\nactive_file 2\ntotal_cache 900\ntotal_inactive_file 300\ntotal_active_file 200";

describe("version 2", () => {
  test("the container's own limit; page caches are not in use", () => {
    const paths = tree("0::/\n", { "memory.max": 300 * MIB, "memory.current": 100 * MIB, "memory.stat": V2_STAT });
    expect(cgroupMemory(paths)).toEqual({ total: 300 * MIB, used: 100 * MIB - 500 });
  });

  test("the smallest limit of the groups above it", () => {
    const paths = tree("0::/system.slice/broker.service\n", {
      "system.slice/memory.max": 200,
      "system.slice/memory.current": 150,
      "system.slice/broker.service/memory.max": 1000,
      "system.slice/broker.service/memory.current": 50,
    });
    expect(cgroupMemory(paths)).toEqual({ total: 200, used: 150 });
  });

  test("no limit, no files, another system", () => {
    expect(cgroupMemory(tree("0::/\n", { "memory.max": "max", "memory.current": 5 }))).toBeNull();
    expect(cgroupMemory(tree("0::/\n", {}))).toBeNull();
    expect(cgroupMemory({ root: "/no/such/mount", self: "/no/such/file" })).toBeNull();
  });
});

describe("version 1", () => {
  test("the group's limit, under its controller's mount", () => {
    const paths = tree("9:name=systemd:/\n4:memory:/a/b\n0::/\n", {
      "memory/memory.limit_in_bytes": "9223372036854771712",
      "memory/a/b/memory.limit_in_bytes": 300 * MIB,
      "memory/a/b/memory.usage_in_bytes": 100 * MIB,
      "memory/a/b/memory.stat": V1_STAT,
    });
    expect(cgroupMemory(paths)).toEqual({ total: 300 * MIB, used: 100 * MIB - 500 });
  });

  test("in a container that is told the machine's path, the mount itself", () => {
    const paths = tree("4:memory:/docker/0123\n", { "memory/memory.limit_in_bytes": 500, "memory/memory.usage_in_bytes": 400 });
    expect(cgroupMemory(paths)).toEqual({ total: 500, used: 400 });
  });

  test("no limit is said with a huge number", () => {
    const paths = tree("4:memory:/\n", { "memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.usage_in_bytes": 400 });
    expect(cgroupMemory(paths)).toBeNull();
  });
});

test("readings follow what is in use at once, and a limit that is changed within a hundred of them", () => {
  const paths = tree("0::/\n", { "memory.max": 300 * MIB, "memory.current": 100 * MIB });
  const file = (name: string): string => join(paths.root, name);
  const readings = createMemoryReadings(paths);
  expect(readings.read()).toEqual({ used: 100 * MIB, limit: 300 * MIB, container: true });
  writeFileSync(file("memory.current"), `${120 * MIB}\n`);
  expect(readings.read()).toEqual({ used: 120 * MIB, limit: 300 * MIB, container: true });
  writeFileSync(file("memory.max"), `${200 * MIB}\n`);
  const limits = Array.from({ length: 100 }, () => readings.read().limit);
  expect([limits.at(0), limits.at(-1)]).toEqual([300 * MIB, 200 * MIB]);
  writeFileSync(file("memory.max"), "max\n");
  for (let i = 0; i < 100; i++) readings.read();
  expect(readings.read().container).toBe(false);
});

test("this process: something is in use, and there is a limit", () => {
  const readings = createMemoryReadings();
  const { used, limit } = readings.read();
  expect(used).toBeGreaterThan(MIB);
  expect(limit).toBeGreaterThan(used);
  readings.collect();
});
