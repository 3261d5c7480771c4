/** What is measured. Sizes and windows follow from the question each one asks; the generator's `--help` explains them. */
import type { LoadResult } from "./generator.ts";

export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly args: readonly string[];
  /** Run once before the measurement, with the same broker. */
  readonly warm?: readonly string[];
  /** Takes `--seconds` and `--warmup`. */
  readonly timed: boolean;
  /** Seconds, where the usual ones are too few: so few messages take longer until the JIT compiler is done with what they run through. */
  readonly warmup?: string;
  readonly webSocket?: boolean;
  /** The figures, one for each of `units`. */
  readonly figures: (r: LoadResult) => (number | undefined)[];
  readonly units: "k" | "µs" | "KiB";
}

const perCpu = (r: LoadResult): (number | undefined)[] => [(r.msgs_per_broker_cpu_s ?? Number.NaN) / 1000];

const traffic = (id: string, title: string, ...args: string[]): Scenario => ({
  id,
  title,
  args,
  timed: true,
  figures: perCpu,
  units: "k",
});

export const SCENARIOS: readonly Scenario[] = [
  traffic("pairs0", "50 pairs, QoS 0", "pairs"),
  traffic("pairs1", "50 pairs, QoS 1", "pairs", "--qos", "1"),
  traffic("pairs2", "50 pairs, QoS 2", "pairs", "--qos", "2"),
  traffic("fanin", "fan-in 100 → 1, QoS 0", "fanin"),
  traffic("fanout100", "fan-out 1 → 100, QoS 0", "fanout"),
  traffic("fanout1000", "fan-out 1 → 1000, window 20", "fanout", "--subs", "1000", "--window", "20"),
  traffic("own", "50 pairs, each PUBLISH its own write", "pairs", "--batch", "1"),
  traffic("one", "50 pairs, one at a time", "pairs", "--window", "1"),
  traffic("onefan", "fan-out 1 → 1000, one at a time", "fanout", "--subs", "1000", "--window", "1"),
  traffic("pairs1k", "50 pairs, QoS 0, 1 KiB", "pairs", "--payload", "1024"),
  traffic("v5", "50 pairs, QoS 1, MQTT 5", "pairs", "--qos", "1", "-V", "5"),
  { ...traffic("ws", "50 pairs, QoS 0, WebSocket", "pairs", "--ws", "/mqtt"), webSocket: true },
  {
    id: "latency",
    title: "latency at 5,000 msg/s over 50 pairs, p50 / p99 µs",
    args: ["latency", "--rate", "5000"],
    timed: true,
    warmup: "12",
    figures: (r) => [r.lat_us?.p50, r.lat_us?.p99],
    units: "µs",
  },
  {
    id: "connects",
    title: "connects",
    args: ["connect", "--count", "20000"],
    warm: ["connect", "--count", "10000"],
    timed: false,
    figures: (r) => [(r.connects_per_broker_cpu_s ?? Number.NaN) / 1000],
    units: "k",
  },
  {
    id: "idle",
    title: "memory per idle connection with one subscription, KiB",
    args: ["idle", "--conns", "9000", "--seconds", "3"],
    timed: false,
    figures: (r) => [(r.rss_bytes_per_conn ?? Number.NaN) / 1024],
    units: "KiB",
  },
];
