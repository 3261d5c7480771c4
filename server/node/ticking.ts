/** What happens by the clock: timers and keep alive every 100 ms, maxima, sweeps and monitors every second. */

import type { Config } from "../config/config.ts";
import type { Core } from "../core/core.ts";
import { type MonitorSettings, Monitors } from "../core/watch/monitors.ts";
import { systemClock } from "../lib/clock.ts";
import type { Listeners } from "../listeners/index.ts";
import { createMemoryReadings } from "../machine/memory.ts";
import { createOsReadings } from "../machine/readings.ts";

const TICK_MS = 100;
const SECOND = 10;

export function startTicking(core: Core, config: Config, dataDir: string, listeners: Listeners): () => void {
  const { broker, sys } = core;
  const settings = monitorSettings(config);
  const stopWatching = config.onChange("", () => Object.assign(settings, monitorSettings(config)));
  const monitors = new Monitors({
    nodeName: broker.node.nodeName,
    settings,
    readings: createOsReadings([dataDir]),
    alarms: broker.alarms,
    clock: systemClock,
    connections: () => ({ used: broker.connections, limit: listeners.list().reduce((n, l) => n + l.maxConns, 0) }),
    publish: (m) => void broker.publish(m),
    tickMs: TICK_MS,
  });
  broker.memory.watch(createMemoryReadings());
  let n = 0;
  const timer = setInterval(() => {
    broker.memory.tick();
    broker.tick();
    sys.tick();
    monitors.tick();
    if (++n % SECOND === 0) core.sweep();
    broker.flush();
  }, TICK_MS);
  return () => {
    clearInterval(timer);
    stopWatching();
  };
}

function monitorSettings(config: Config): MonitorSettings {
  const n = (key: string): number => Number(config.get(key));
  return {
    cpuCheckMs: n("os_mon.cpu_check_interval"),
    cpuHigh: n("os_mon.cpu_high_watermark"),
    cpuLow: n("os_mon.cpu_low_watermark"),
    memCheckMs: n("os_mon.mem_check_interval"),
    sysmemHigh: n("os_mon.sysmem_high_watermark"),
    procmemHigh: n("os_mon.procmem_high_watermark"),
    diskCheckMs: 1_800_000,
    diskHigh: 80,
    vmCheckMs: n("vm_mon.check_interval"),
    processHigh: n("vm_mon.process_high_watermark"),
    processLow: n("vm_mon.process_low_watermark"),
    longScheduleMs: n("sysmon.long_schedule"),
  };
}
