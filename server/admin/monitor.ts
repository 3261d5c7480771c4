/** Rates and gauges over time: a sample every two seconds for the last quarter of an hour, and one-minute points kept on disk for a week. */
import type { MonitorPoint as StoredPoint } from "../core/ports.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import type { MonitorCurrent, MonitorHistory, MonitorPoint } from "./extra_rows.ts";
import type { LiveFigures } from "./nodes.ts";
import { badValue } from "./refusals.ts";

const INTERVAL_MS = 2000;
const SAMPLES = 450;
const MINUTE_MS = 60_000;
/** As long as the store keeps them. */
const KEPT_MS = 7 * 24 * 3_600_000;
/** How often the loop's delay is looked at. */
const PROBE_MS = 250;
/** Points of one answer; a longer span gets a longer step. */
const POINTS_MAX = 1440;

/** Counters whose growth is shown per second. */
interface Counters {
  received: number;
  sent: number;
  dropped: number;
  bytesReceived: number;
  bytesSent: number;
  /** Microseconds. */
  cpu: number;
}

const RATES = ["received", "sent", "dropped", "bytes_received", "bytes_sent", "cpu"] as const;
const MAXIMA = ["loop_delay"] as const;
const NAMES = [
  "connections",
  "sessions",
  "subscriptions",
  "topics",
  "retained",
  "received",
  "sent",
  "dropped",
  "bytes_received",
  "bytes_sent",
  "memory",
  "cpu",
  "loop_delay",
] as const satisfies readonly (keyof MonitorPoint)[];

const round = (n: number): number => Math.round(n * 100) / 100;

/** Rates are averaged, delays give their maximum, gauges their last value. */
function summary(at: number, points: readonly MonitorPoint[]): MonitorPoint | null {
  const last = points.at(-1);
  if (!last) return null;
  const sum: MonitorPoint = { ...last, at_ms: at };
  for (const name of RATES) sum[name] = round(points.reduce((n, p) => n + p[name], 0) / points.length);
  for (const name of MAXIMA) sum[name] = points.reduce((n, p) => Math.max(n, p[name]), 0);
  return sum;
}

const isPoint = (p: MonitorPoint | null): p is MonitorPoint => p !== null;

export function createMonitor(deps: AdminDeps) {
  const { broker, stats, system } = deps;
  const store = broker.store.monitor;
  const samples: MonitorPoint[] = [];
  let minute: MonitorPoint[] = [];
  let minuteAt = 0;
  let before: { at: number; counters: Counters } | null = null;
  let loopDelay = 0;
  let machineCpu: number | null = null;
  let timers: ReturnType<typeof setInterval>[] = [];

  function counters(): Counters {
    const m = broker.metrics;
    return {
      received: m.qos0Received + m.qos1Received + m.qos2Received,
      sent: m.qos0Sent + m.qos1Sent + m.qos2Sent,
      dropped: m.messagesDropped + m.dropQueueFull + m.dropMemory + m.dropSlowReader + m.messagesExpired,
      bytesReceived: m.bytesReceived,
      bytesSent: m.bytesSent,
      cpu: system.cpu(),
    };
  }

  function sample(): void {
    const at = broker.clock.mono();
    const now = counters();
    const then = before?.counters ?? now;
    const seconds = before === null ? 1 : Math.max((at - before.at) / 1000, 0.001);
    const rate = (name: keyof Counters): number => round((now[name] - then[name]) / seconds);
    before = { at, counters: now };
    stats.sample();
    const point: MonitorPoint = {
      at_ms: broker.clock.now(),
      connections: broker.connections,
      sessions: broker.sessions.size,
      subscriptions: broker.router.subscriptionCount,
      topics: broker.router.size,
      retained: broker.metrics.retainedCount(),
      received: rate("received"),
      sent: rate("sent"),
      dropped: rate("dropped"),
      bytes_received: rate("bytesReceived"),
      bytes_sent: rate("bytesSent"),
      memory: system.memory().rss,
      // Microseconds per second to per cent.
      cpu: round(rate("cpu") / 10_000),
      loop_delay: round(loopDelay),
    };
    loopDelay = 0;
    machineCpu = system.machineCpu() ?? machineCpu;
    samples.push(point);
    if (samples.length > SAMPLES) samples.shift();
    keep(point);
  }

  function keep(point: MonitorPoint): void {
    const at = Math.floor(point.at_ms / MINUTE_MS) * MINUTE_MS;
    if (at !== minuteAt && minute.length > 0) {
      const sum = summary(minuteAt, minute);
      if (sum) {
        store.add({ at: minuteAt, values: Object.fromEntries(NAMES.map((n) => [n, sum[n]])) });
        broker.flush();
      }
      minute = [];
    }
    minuteAt = at;
    minute.push(point);
  }

  function loaded(row: StoredPoint): MonitorPoint {
    const values = Object.fromEntries(NAMES.map((n) => [n, row.values[n] ?? 0])) as Omit<MonitorPoint, "at_ms">;
    return { at_ms: row.at, ...values };
  }

  /** The points of each step as one. */
  function grouped(points: readonly MonitorPoint[], stepMs: number): MonitorPoint[] {
    const groups = Map.groupBy(points, (p) => Math.floor(p.at_ms / stepMs) * stepMs);
    return [...groups].map(([at, list]) => summary(at, list)).filter(isPoint);
  }

  return {
    start(): void {
      sample();
      let expected = broker.clock.mono() + PROBE_MS;
      const probe = (): void => {
        const now = broker.clock.mono();
        loopDelay = Math.max(loopDelay, now - expected);
        expected = now + PROBE_MS;
      };
      timers = [setInterval(sample, INTERVAL_MS), setInterval(probe, PROBE_MS)];
    },

    stop(): void {
      for (const t of timers) clearInterval(t);
      timers = [];
    },

    /** Largest delay of the event loop in the last samples (ms), the CPU of the last one (per cent of a core), and the machine's. */
    live(): LiveFigures {
      const recent = samples.slice(-5);
      return { cpu: recent.at(-1)?.cpu ?? 0, loopDelay: recent.reduce((n, s) => Math.max(n, s.loop_delay), 0), machineCpu };
    },

    current(since: number): MonitorCurrent {
      if (samples.length === 0) sample();
      return {
        now_ms: broker.clock.now(),
        interval_ms: INTERVAL_MS,
        current: samples.at(-1) as MonitorPoint,
        samples: samples.filter((s) => s.at_ms > since),
      };
    },

    /** `step` in seconds, a multiple of 60; undefined = as fine as the span allows. The minute under way is its last point. @throws AdminError 108 */
    history(from: number, to: number, step: number | undefined): MonitorHistory {
      if (to < from) throw new AdminError(CODE.BAD_PARAMETER, "value of 'to' must not be less than 'from'");
      if (step !== undefined && (step < 60 || step % 60 !== 0)) throw badValue("step", "a multiple of 60");
      const span = to - Math.max(from, to - KEPT_MS);
      const finest = Math.max(1, Math.ceil(span / MINUTE_MS / POINTS_MAX)) * 60;
      const used = Math.max(step ?? 0, finest);
      const points = store.range(from, to).map(loaded);
      const running = summary(minuteAt, minute);
      if (running && minuteAt >= from && minuteAt <= to) points.push(running);
      return { from_ms: from, to_ms: to, step: used, points: used === 60 ? points : grouped(points, used * 1000) };
    },
  };
}
