import { describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { cpuMeter, createOsReadings, systemMemory } from "../../../server/machine/readings.ts";
import { PATIENCE_MS } from "../../support/until.ts";

const isShare = (n: number | null): boolean => n !== null && n >= 0 && n <= 100;

describe("readings of the operating system", () => {
  test("CPU: nothing at first, then a share", () => {
    const cpu = cpuMeter();
    expect(cpu()).toBeNull();
    // The kernel counts in hundredths of a second; work until it has counted.
    let share: number | null = null;
    const end = performance.now() + PATIENCE_MS;
    while (share === null && performance.now() < end) share = cpu();
    expect(isShare(share)).toBe(true);
  });

  test("memory of the machine and of this process", () => {
    const m = systemMemory();
    expect(m.total).toBeGreaterThan(16 * 1024 * 1024);
    expect(m.used).toBeGreaterThan(0);
    expect(m.used).toBeLessThanOrEqual(m.total);
    const r = createOsReadings([]);
    expect(isShare(r.memoryPercent())).toBe(true);
    expect(isShare(r.processMemoryPercent())).toBe(true);
    expect(r.processMemoryPercent()).toBeGreaterThan(0);
    expect(r.pid).toBe(process.pid);
  });

  test("disks that are there", () => {
    const disks = createOsReadings([tmpdir(), "/no/such/directory"]).disks();
    expect(disks.map((d) => d.mount)).toEqual([tmpdir()]);
    expect(disks.every((d) => isShare(d.usedPercent))).toBe(true);
  });

  test("processes and open files, where the system tells", () => {
    const p = createOsReadings([]).processes();
    if (process.platform !== "linux") {
      expect(p).toBeNull();
      return;
    }
    expect(p?.used).toBeGreaterThan(0);
    expect(p?.limit).toBeGreaterThan(p?.used ?? 0);
  });
});
