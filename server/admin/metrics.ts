/** Counters since boot and gauges with their maxima. */
import type { AdminDeps } from "./deps.ts";
import type { Metrics, NodeMetrics, NodeStats, Stats } from "./rows.ts";

export function createMetrics({ broker, stats }: AdminDeps) {
  const node = broker.node.nodeName;
  return {
    /** The 43 of EMQ X 3.1; ours under `extra`. */
    all: (): NodeMetrics[] => [{ node, metrics: broker.metrics.all(), extra: broker.metrics.extra() }],
    one: (): Metrics => broker.metrics.all(),
    stats: (): NodeStats[] => [{ node, ...stats.all() }],
    nodeStats: (): Stats => stats.all(),
  };
}
