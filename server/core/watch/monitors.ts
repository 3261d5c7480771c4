/**
 * Watches the machine and the process, and raises alarms by high and low watermarks, as EMQ X's os_mon, vm_mon and sysmon did.
 * It reads nothing itself: the readings come through a port, the time through the clock.
 */

import type { Message } from "../message.ts";
import type { Clock } from "../ports.ts";
import type { Alarms } from "./alarms.ts";
import { sysMessage, sysTopic } from "./sys_message.ts";

/** Percentages are 0 to 100, times ms; an interval of 0 turns its checks off. Mutable: a change counts at the next check. */
export interface MonitorSettings {
  /** os_mon.cpu_check_interval */
  cpuCheckMs: number;
  /** os_mon.cpu_high_watermark, os_mon.cpu_low_watermark */
  cpuHigh: number;
  cpuLow: number;
  /** os_mon.mem_check_interval */
  memCheckMs: number;
  /** os_mon.sysmem_high_watermark */
  sysmemHigh: number;
  /** os_mon.procmem_high_watermark: of this process, while the machine's is high. */
  procmemHigh: number;
  /** Disks: EMQ X had the runtime's 30 minutes and 80 %. */
  diskCheckMs: number;
  diskHigh: number;
  /** vm_mon.check_interval: processes of the machine, connections of the node. */
  vmCheckMs: number;
  /** vm_mon.process_high_watermark, vm_mon.process_low_watermark */
  processHigh: number;
  processLow: number;
  /** sysmon.long_schedule: a turn of the event loop that takes longer is a stall; 0 = off. */
  longScheduleMs: number;
}

export interface Usage {
  used: number;
  /** 0 = unknown or none. */
  limit: number;
}

/** What is measured. null = cannot be known here; then nothing is raised or cleared. */
export interface Readings {
  readonly pid: number;
  /** Share of all cores in use since the last call, 0 to 100. */
  cpuPercent(): number | null;
  /** Share of the machine's (or container's) memory in use, 0 to 100. */
  memoryPercent(): number | null;
  /** Share of it that this process uses, 0 to 100. */
  processMemoryPercent(): number | null;
  disks(): readonly { mount: string; usedPercent: number }[];
  /** Processes and threads of the machine (or container). */
  processes(): Usage | null;
}

export interface MonitorsOptions {
  readonly nodeName: string;
  readonly settings: MonitorSettings;
  readonly readings: Readings;
  readonly alarms: Alarms;
  readonly clock: Clock;
  /** Clients connected now, and how many the listeners take together. */
  readonly connections: () => Usage;
  /** For `$SYS/brokers/<node>/sysmon/…`. */
  readonly publish: (m: Message) => void;
  /** How often `tick` is called, ms: what is late beyond it is a stall. */
  readonly tickMs: number;
}

/** A stall is told at most so often, ms. */
const STALL_EVENT_MS = 2000;
/** The alarm of a stall ends after so long without another, ms. */
const STALL_QUIET_MS = 60_000;
const STALL_ALARM = "long_schedule";

export class Monitors {
  /** Monotonic ms of the last check of each kind. Checks begin one interval after the start. */
  private readonly last: Record<"cpu" | "memory" | "disk" | "vm", number>;
  private readonly fullDisks = new Set<string>();
  private lastTick: number | null = null;
  private lastStall = Number.NEGATIVE_INFINITY;
  private lastStallEvent = Number.NEGATIVE_INFINITY;

  constructor(private readonly o: MonitorsOptions) {
    const now = o.clock.mono();
    this.last = { cpu: now, memory: now, disk: now, vm: now };
    // The first call only sets the mark from which the share is counted.
    o.readings.cpuPercent();
  }

  /** Do the checks that are due. */
  tick(): void {
    const now = this.o.clock.mono();
    const s = this.o.settings;
    this.watchLoop(now);
    if (this.due("cpu", s.cpuCheckMs, now)) this.checkCpu();
    if (this.due("memory", s.memCheckMs, now)) this.checkMemory();
    if (this.due("disk", s.diskCheckMs, now)) this.checkDisks();
    if (this.due("vm", s.vmCheckMs, now)) this.checkCounts();
  }

  /** The event loop stood still for so long, ms. Called by `tick`, or by whoever measures it better. */
  stalled(ms: number): void {
    const limit = this.o.settings.longScheduleMs;
    // Written so that a limit that is no number is off, too.
    if (!(limit > 0) || ms < limit) return;
    const { alarms, clock, nodeName } = this.o;
    const now = clock.mono();
    this.lastStall = now;
    if (now - this.lastStallEvent < STALL_EVENT_MS) return;
    this.lastStallEvent = now;
    const text = `the event loop stood still for ${Math.round(ms)} ms, limit ${limit} ms`;
    alarms.set(STALL_ALARM, text);
    this.o.publish(sysMessage(sysTopic(nodeName, "sysmon/long_schedule"), `long_schedule warning: ${text}`, clock.now()));
  }

  private due(what: keyof Monitors["last"], intervalMs: number, now: number): boolean {
    if (!(intervalMs > 0) || now - this.last[what] < intervalMs) return false;
    this.last[what] = now;
    return true;
  }

  private watchLoop(now: number): void {
    if (this.lastTick !== null) this.stalled(now - this.lastTick - this.o.tickMs);
    this.lastTick = now;
    if (now - this.lastStall >= STALL_QUIET_MS) this.o.alarms.clear(STALL_ALARM);
  }

  private checkCpu(): void {
    const { readings, settings } = this.o;
    const busy = readings.cpuPercent();
    if (busy !== null) this.judge("cpu_high_watermark", busy >= settings.cpuHigh, busy < settings.cpuLow, String(busy));
  }

  /**
   * EMQ X looked at each of Erlang's many small processes; here one process is the whole broker, and some per cent of the memory
   * is no fault in it. So its alarm says who takes the memory when there is too little: it is raised beside the system's only.
   */
  private checkMemory(): void {
    const { readings, settings } = this.o;
    const used = readings.memoryPercent();
    if (used === null) return;
    const short = used > settings.sysmemHigh;
    this.judge("system_memory_high_watermark", short, !short, "[]");
    const ours = short && (readings.processMemoryPercent() ?? 0) > settings.procmemHigh;
    this.judge("process_memory_high_watermark", ours, !ours, String(readings.pid));
  }

  private checkDisks(): void {
    const { readings, settings, alarms } = this.o;
    const seen = new Set<string>();
    for (const { mount, usedPercent } of readings.disks()) {
      const id = `{disk_almost_full,${JSON.stringify(mount)}}`;
      seen.add(id);
      const full = usedPercent > settings.diskHigh;
      if (full) this.fullDisks.add(id);
      this.judge(id, full, !full, "[]");
    }
    // A disk that is not there any more is not full any more.
    for (const id of this.fullDisks) {
      if (!seen.has(id)) alarms.clear(id);
      if (!alarms.has(id)) this.fullDisks.delete(id);
    }
  }

  private checkCounts(): void {
    this.judgeUsage("too_many_connections", this.o.connections());
    this.judgeUsage("too_many_processes", this.o.readings.processes());
  }

  private judgeUsage(id: string, usage: Usage | null): void {
    if (usage === null || usage.limit <= 0) return;
    const { processHigh, processLow } = this.o.settings;
    const percent = (usage.used / usage.limit) * 100;
    this.judge(id, percent >= processHigh, percent < processLow, String(usage.used));
  }

  /** Between the watermarks things stay as they are. An alarm that stands is set again only when its description is another. */
  private judge(id: string, high: boolean, low: boolean, desc: string): void {
    const { alarms } = this.o;
    if (low) alarms.clear(id);
    else if (high && alarms.get(id)?.desc !== desc) alarms.set(id, desc);
  }
}
