/** The overview: live samples over the last minutes, history beyond, nodes and totals. */
import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Broker, MonitorCurrent, MonitorPoint, NodeRow, NodeStats } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export const RANGES = ["10m", "1h", "6h", "24h", "7d"] as const;
export type Range = (typeof RANGES)[number];

const MINUTE = 60_000;
/** Length in ms, and seconds between points (0 = the live samples). */
const SPANS: Readonly<Record<Range, { ms: number; step: number }>> = {
  "10m": { ms: 10 * MINUTE, step: 0 },
  "1h": { ms: 60 * MINUTE, step: 60 },
  "6h": { ms: 360 * MINUTE, step: 120 },
  "24h": { ms: 1440 * MINUTE, step: 300 },
  "7d": { ms: 10_080 * MINUTE, step: 1800 },
};
const LIVE_MS = 2000;

export interface Overview {
  range: ReadonlySignal<Range>;
  setRange(r: Range): void;
  points: ReadonlySignal<readonly MonitorPoint[]>;
  window: ReadonlySignal<{ from: number; to: number }>;
  current: ReadonlySignal<MonitorPoint | undefined>;
  live: Live<MonitorCurrent>;
  stats: Live<NodeStats[]>;
  nodes: Live<NodeRow[]>;
  brokers: Live<Broker[]>;
  dispose(): void;
}

export function createOverview(app: App): Overview {
  const { api, link, router } = app;
  const samples: Signal<readonly MonitorPoint[]> = signal([]);
  const history: Signal<readonly MonitorPoint[]> = signal([]);
  const range = computed<Range>(() => RANGES.find((r) => r === router.place.value.query.range) ?? "10m");

  const live = createLive(() => api.monitorCurrent(samples.peek().at(-1)?.at_ms ?? 0), { link, every: LIVE_MS });
  const stopSamples = live.data.subscribe((d) => {
    if (d) samples.value = mergeSamples(samples.peek(), d.samples, d.now_ms - SPANS["10m"].ms);
  });

  let older: Live<unknown> | null = null;
  const stopRange = effect(() => {
    const { ms, step } = SPANS[range.value];
    older?.dispose();
    history.value = [];
    if (step === 0) {
      older = null;
      return;
    }
    older = createLive(
      async () => {
        const now = Date.now();
        history.value = (await api.monitor(now - ms, now, step)).points;
      },
      { link, every: Math.min(step * 1000, 60_000) },
    );
  });

  const points = computed(() => (SPANS[range.value].step === 0 ? samples.value : history.value));
  return {
    range,
    setRange: (r) => router.patch({ range: r === "10m" ? null : r }),
    points,
    window: computed(() => {
      const to = Math.max(points.value.at(-1)?.at_ms ?? 0, live.data.value?.now_ms ?? Date.now());
      const { ms, step } = SPANS[range.value];
      // A broker that has just started: its few samples fill the width instead of hiding at the edge.
      const first = step === 0 ? (points.value[0]?.at_ms ?? 0) : 0;
      return { from: Math.max(to - ms, Math.min(first, to - MINUTE)), to };
    }),
    current: computed(() => live.data.value?.current),
    live,
    stats: createLive(() => api.stats(), { link, every: 5000 }),
    nodes: createLive(() => api.nodes(), { link, every: 5000 }),
    brokers: createLive(() => api.brokers(), { link, every: 60_000 }),
    dispose() {
      stopSamples();
      stopRange();
      older?.dispose();
      for (const part of [this.live, this.stats, this.nodes, this.brokers]) part.dispose();
    },
  };
}

/** New samples behind the known ones; those from before `since` fall off. */
export function mergeSamples(known: readonly MonitorPoint[], fresh: readonly MonitorPoint[], since: number): readonly MonitorPoint[] {
  const last = known.at(-1)?.at_ms ?? 0;
  const next = [...known, ...fresh.filter((p) => p.at_ms > last)];
  const cut = next.findIndex((p) => p.at_ms >= since);
  return cut < 0 ? [] : next.slice(cut);
}
