import { describe, expect, test } from "bun:test";
import { Hooks } from "../../../../server/core/hooks.ts";
import type { Message } from "../../../../server/core/message.ts";
import { Alarms } from "../../../../server/core/watch/alarms.ts";
import { type MonitorSettings, Monitors, type Readings, type Usage } from "../../../../server/core/watch/monitors.ts";
import { FakeClock, silentLog } from "../../../support/access.ts";

const SETTINGS: Readonly<MonitorSettings> = {
  cpuCheckMs: 60_000,
  cpuHigh: 80,
  cpuLow: 60,
  memCheckMs: 60_000,
  sysmemHigh: 70,
  procmemHigh: 5,
  diskCheckMs: 1_800_000,
  diskHigh: 80,
  vmCheckMs: 30_000,
  processHigh: 80,
  processLow: 60,
  longScheduleMs: 240,
};

const DISK = '{disk_almost_full,"/data"}';

function setUp() {
  const clock = new FakeClock();
  const alarms = new Alarms({ nodeName: "n" }, { add() {}, history: () => [], clear() {} }, clock, silentLog, new Hooks(silentLog));
  const events: string[] = [];
  alarms.publishTo((m) => void events.push(m.topic.replace("$SYS/brokers/n/alarms/", "")));
  const now = {
    cpu: 10 as number | null,
    memory: 10 as number | null,
    own: 1 as number | null,
    disks: [{ mount: "/data", usedPercent: 10 }],
    processes: { used: 1, limit: 100 } as Usage | null,
    connections: { used: 0, limit: 100 },
  };
  const readings: Readings = {
    pid: 42,
    cpuPercent: () => now.cpu,
    memoryPercent: () => now.memory,
    processMemoryPercent: () => now.own,
    disks: () => now.disks,
    processes: () => now.processes,
  };
  const settings = { ...SETTINGS };
  const told: Message[] = [];
  const monitors = new Monitors({
    nodeName: "n",
    settings,
    readings,
    alarms,
    clock,
    connections: () => now.connections,
    publish: (m) => void told.push(m),
    tickMs: 100,
  });
  /** Time passes with a tick every 100 ms. */
  const run = (ms: number): void => {
    for (let t = 0; t < ms; t += 100) {
      clock.forward(100);
      monitors.tick();
    }
  };
  const raised = (): string[] => alarms.present().map((a) => a.id);
  return { clock, alarms, events, now, settings, monitors, told, run, raised };
}

describe("watermarks", () => {
  test("a quiet machine raises nothing", () => {
    const { run, raised, events } = setUp();
    run(1_900_000);
    expect(raised()).toEqual([]);
    expect(events).toEqual([]);
  });

  test("CPU: high raises, between nothing changes, low clears", () => {
    const { run, raised, now, alarms, events } = setUp();
    now.cpu = 82.60344181007542;
    run(59_000);
    expect(raised()).toEqual([]);
    run(1000);
    expect(alarms.get("cpu_high_watermark")?.desc).toBe("82.60344181007542");
    now.cpu = 70;
    run(60_000);
    expect(raised()).toEqual(["cpu_high_watermark"]);
    now.cpu = 59.9;
    run(60_000);
    expect(raised()).toEqual([]);
    expect(events).toEqual(["cpu_high_watermark/alert", "cpu_high_watermark/clear"]);
  });

  test("memory of the machine and of the process", () => {
    const { run, now, alarms, raised, events } = setUp();
    now.memory = 70.1;
    now.own = 5.1;
    run(120_000);
    expect(alarms.get("system_memory_high_watermark")?.desc).toBe("[]");
    expect(alarms.get("process_memory_high_watermark")?.desc).toBe("42");
    expect(events).toHaveLength(2);
    now.own = 5;
    run(60_000);
    expect(raised()).toEqual(["system_memory_high_watermark"]);
    now.own = 50;
    run(60_000);
    expect(raised()).toHaveLength(2);
    // The broker may take half of a machine that has enough.
    now.memory = 70;
    run(60_000);
    expect(raised()).toEqual([]);
  });

  test("disks, each by its own; one that has gone is not full", () => {
    const { run, now, alarms, raised, settings } = setUp();
    settings.diskCheckMs = 10_000;
    now.disks = [
      { mount: "/data", usedPercent: 81 },
      { mount: "/b", usedPercent: 20 },
    ];
    run(10_000);
    expect(raised()).toEqual([DISK]);
    expect(alarms.get(DISK)?.desc).toBe("[]");
    now.disks = [{ mount: "/data", usedPercent: 80 }];
    run(10_000);
    expect(raised()).toEqual([]);
    now.disks = [{ mount: "/data", usedPercent: 99 }];
    run(10_000);
    now.disks = [];
    run(10_000);
    expect(raised()).toEqual([]);
  });

  test("connections and processes", () => {
    const { run, now, alarms, raised } = setUp();
    now.connections = { used: 80, limit: 100 };
    now.processes = { used: 900, limit: 1000 };
    run(30_000);
    expect(alarms.get("too_many_connections")?.desc).toBe("80");
    expect(alarms.get("too_many_processes")?.desc).toBe("900");
    now.connections = { used: 60, limit: 100 };
    now.processes = null;
    run(30_000);
    expect(raised()).toEqual(["too_many_connections", "too_many_processes"]);
    now.connections = { used: 59, limit: 100 };
    now.processes = { used: 1, limit: 1000 };
    run(30_000);
    expect(raised()).toEqual([]);
    now.connections = { used: 5000, limit: 0 };
    run(30_000);
    expect(raised()).toEqual([]);
  });

  test("what cannot be read raises nothing; an interval of 0 is off", () => {
    const { run, now, raised, settings } = setUp();
    now.cpu = null;
    now.memory = null;
    now.own = null;
    run(60_000);
    expect(raised()).toEqual([]);
    now.cpu = 100;
    settings.cpuCheckMs = 0;
    run(120_000);
    expect(raised()).toEqual([]);
  });
});

describe("stalls of the event loop", () => {
  test("a late tick raises an alarm and an event; a quiet minute clears", () => {
    const { clock, monitors, run, alarms, told, raised } = setUp();
    run(1000);
    clock.forward(100 + 300);
    monitors.tick();
    expect(alarms.get("long_schedule")?.desc).toBe("the event loop stood still for 300 ms, limit 240 ms");
    expect(told.map((m) => m.topic)).toEqual(["$SYS/brokers/n/sysmon/long_schedule"]);
    run(59_900);
    expect(raised()).toEqual(["long_schedule"]);
    run(100);
    expect(raised()).toEqual([]);
  });

  test("stalls in a row are told once in two seconds", () => {
    const { clock, monitors, told } = setUp();
    monitors.tick();
    for (let i = 0; i < 10; i++) {
      clock.forward(500);
      monitors.tick();
    }
    expect(told).toHaveLength(3);
  });

  test("below the limit, before the first tick, or switched off: nothing", () => {
    const { clock, monitors, raised, settings } = setUp();
    clock.forward(10_000);
    monitors.tick();
    clock.forward(100 + 239);
    monitors.tick();
    for (const off of [0, Number.NaN]) {
      settings.longScheduleMs = off;
      clock.forward(10_000);
      monitors.tick();
    }
    expect(raised()).toEqual([]);
  });
});
