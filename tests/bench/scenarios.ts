/** What is measured. Sizes and windows follow from the question each one asks; the generator's `--help` explains them. */
import type { LoadResult } from "./generator.ts";

export const GROUPS = ["traffic", "latency", "topics", "connections", "storage", "rules"] as const;

/** How clients reach the broker. */
export type Via = "tcp" | "ws" | "tls";

export interface Scenario {
  readonly id: string;
  readonly group: (typeof GROUPS)[number];
  readonly title: string;
  readonly args: readonly string[];
  /** An option that says how many, and how many: a tenth of them with `--quick`. */
  readonly size?: readonly [option: string, count: number];
  /** Run once before the measurement, with the same broker. */
  readonly warm?: readonly string[];
  /** Takes `--seconds` and `--warmup`. */
  readonly timed: boolean;
  /** Seconds, where the usual ones are too few: so few messages take longer until the JIT compiler is done with what they run through. */
  readonly warmup?: string;
  /** TCP unless said otherwise. */
  readonly via?: Via;
  /** Sessions or messages are to be kept: brokers that do so only when told are told. */
  readonly keeps?: boolean;
  /** Not the generator's figures, but how long the broker takes to start with so much; a tenth of it with `--quick`. */
  readonly restart?: { readonly sessions: number; readonly retained: number };
  /** Not the generator's figures, but what so many subscriptions cost; a tenth of them with `--quick`. */
  readonly subscriptions?: number;
  /** Another client asks whether anybody is there all the while: how long it waits at most is a figure, too. */
  readonly watched?: true;
  /** Rules that are made before; only brokers that have such rules are asked. "off": the rule engine does not run at all. */
  readonly rules?: readonly Rules[] | "off";
  /** The figures, one for each that the title names. */
  readonly figures: (r: LoadResult) => (number | undefined)[];
  readonly units: "k" | "µs" | "KiB" | "ms";
}

/** `count` rules of that kind; "%n" in their SQL is the number of each. */
export interface Rules {
  readonly count: number;
  readonly rawsql: string;
  readonly action: { readonly name: string; readonly params: Readonly<Record<string, unknown>> };
}

const perCpu = (r: LoadResult): (number | undefined)[] => [(r.msgs_per_broker_cpu_s ?? Number.NaN) / 1000];

const traffic = (id: string, title: string, ...args: string[]): Scenario => ({
  id,
  group: "traffic",
  title,
  args,
  timed: true,
  figures: perCpu,
  units: "k",
});

const topics = (id: string, title: string, ...args: string[]): Scenario => ({ ...traffic(id, title, "fanin", ...args), group: "topics" });

const latency = (id: string, title: string, ...args: string[]): Scenario => ({
  id,
  group: "latency",
  title: `${title}, p50 / p99 µs`,
  args: ["latency", "--rate", "5000", ...args],
  timed: true,
  warmup: "12",
  figures: (r) => [r.lat_us?.p50, r.lat_us?.p99],
  units: "µs",
});

const connects = (id: string, title: string, count: number, via: Via): Scenario => ({
  id,
  group: "connections",
  title,
  args: ["connect"],
  size: ["--count", count],
  warm: ["connect", "--count", String(count / 2)],
  timed: false,
  via,
  figures: (r) => [(r.connects_per_broker_cpu_s ?? Number.NaN) / 1000],
  units: "k",
});

const idle = (id: string, title: string, via: Via): Scenario => ({
  id,
  group: "connections",
  title,
  // With fewer of them, what the broker frees meanwhile of its start would be more than what they take. After 8 s the collectors of those who have one have run.
  args: ["idle", "--conns", "9000", "--seconds", "8"],
  timed: false,
  via,
  figures: (r) => [(r.rss_bytes_per_conn ?? Number.NaN) / 1024],
  units: "KiB",
});

const ONE = ["--window", "1"];
const KIB = ["--payload", "1024"];
const NOTHING = { name: "built_in:do_nothing", params: {} };
const EACH: Rules = { count: 1, rawsql: 'SELECT payload.t AS t FROM "#" WHERE t > 20', action: NOTHING };
const OTHERS: Rules = { ...EACH, count: 999, rawsql: 'SELECT payload.t AS t FROM "other/%n/#" WHERE t > 20' };
const AGAIN: Rules = {
  count: 1,
  rawsql: 'SELECT payload.t AS t, topic FROM "load/#"',
  action: { name: "built_in:republish_action", params: { target_topic: "again/${topic}" } },
};
const rules = (id: string, title: string, list: Scenario["rules"] & {}): Scenario => ({
  ...traffic(id, `50 pairs, QoS 0, JSON: ${title}`, "pairs", "--json"),
  group: "rules",
  rules: list,
});
const PROPERTIES = ["-V", "5", "--uprops", "10"];

export const SCENARIOS: readonly Scenario[] = [
  traffic("pairs0", "50 pairs, QoS 0", "pairs"),
  traffic("pairs1", "50 pairs, QoS 1", "pairs", "--qos", "1"),
  traffic("pairs2", "50 pairs, QoS 2", "pairs", "--qos", "2"),
  traffic("fanin", "fan-in 100 → 1, QoS 0", "fanin"),
  traffic("fanout100", "fan-out 1 → 100, QoS 0", "fanout"),
  traffic("fanout100q1", "fan-out 1 → 100, QoS 1", "fanout", "--qos", "1"),
  traffic("fanout1000", "fan-out 1 → 1000, window 20", "fanout", "--subs", "1000", "--window", "20"),
  traffic("shared", "shared group: 10 publishers → 1 of 10 members, QoS 0", "fanout", "--share", "--pubs", "10", "--subs", "10"),
  traffic("own", "50 pairs, each PUBLISH its own write", "pairs", "--batch", "1"),
  traffic("one", "50 pairs, one at a time", "pairs", ...ONE),
  traffic("one1", "50 pairs, one at a time, QoS 1", "pairs", "--qos", "1", ...ONE),
  traffic("one2", "50 pairs, one at a time, QoS 2", "pairs", "--qos", "2", ...ONE),
  traffic("onefan100", "fan-out 1 → 100, one at a time", "fanout", ...ONE),
  traffic("onefan", "fan-out 1 → 1000, one at a time", "fanout", "--subs", "1000", ...ONE),
  traffic("pairs1k", "50 pairs, QoS 0, 1 KiB", "pairs", ...KIB),
  traffic("pairs1k1", "50 pairs, QoS 1, 1 KiB", "pairs", "--qos", "1", ...KIB),
  traffic("pairs1k2", "50 pairs, QoS 2, 1 KiB", "pairs", "--qos", "2", ...KIB),
  traffic("v5", "50 pairs, QoS 1, MQTT 5", "pairs", "--qos", "1", "-V", "5"),
  traffic("props0", "50 pairs, QoS 0, MQTT 5 with 10 user properties", "pairs", ...PROPERTIES),
  traffic("props1", "50 pairs, QoS 1, MQTT 5 with 10 user properties", "pairs", "--qos", "1", ...PROPERTIES),
  { ...traffic("ws", "50 pairs, QoS 0, WebSocket", "pairs"), via: "ws" },
  { ...traffic("wsone", "50 pairs, one at a time, WebSocket", "pairs", ...ONE), via: "ws" },
  { ...traffic("tls", "50 pairs, QoS 0, TLS", "pairs"), via: "tls" },
  { ...traffic("tlsone", "50 pairs, one at a time, TLS", "pairs", ...ONE), via: "tls" },
  { ...traffic("kept1", "50 pairs, QoS 1, persistent sessions", "pairs", "--qos", "1", "--persist"), keeps: true },
  { ...traffic("kept2", "50 pairs, QoS 2, persistent sessions", "pairs", "--qos", "2", "--persist"), keeps: true },
  { ...traffic("keptone", "50 pairs, one at a time, QoS 1, persistent sessions", "pairs", "--qos", "1", "--persist", ...ONE), keeps: true },
  latency("latency", "latency at 5,000 msg/s over 50 pairs"),
  latency("latency1", "latency likewise, QoS 1", "--qos", "1"),
  { ...latency("latencykept", "latency likewise, QoS 1, persistent sessions", "--qos", "1", "--persist"), keeps: true },
  topics("topics1k", "10 publishers over 1,000 topics", "--pubs", "10", "--topics", "1000"),
  topics("topics50k", "10 publishers over 50,000 topics", "--pubs", "10", "--topics", "50000"),
  // Long enough for slow brokers too to have seen every topic.
  { ...topics("topics1m", "10 publishers over 1,000,000 topics", "--pubs", "10", "--topics", "1000000"), warmup: "5" },
  topics(
    "churn",
    "a publisher over 100,000 topics beside 1,000 wildcard filters a second",
    "--pubs",
    "1",
    "--topics",
    "100000",
    "--churn",
    "1000",
  ),
  connects("connects", "connects", 20_000, "tcp"),
  connects("connectsws", "connects, WebSocket", 20_000, "ws"),
  connects("connectstls", "connects, TLS", 4000, "tls"),
  idle("idle", "memory per idle connection with one subscription, KiB", "tcp"),
  idle("idlews", "memory likewise, WebSocket, KiB", "ws"),
  idle("idletls", "memory likewise, TLS, KiB", "tls"),
  {
    id: "subscribing",
    group: "connections",
    title: "1,000,000 filters, each: µs of CPU / bytes / when their clients leave: ms until done / another one waits, ms",
    args: [],
    timed: false,
    subscriptions: 1_000_000,
    figures: (r) => [r.subscribe_us, r.subscription_bytes, r.gone_ms, r.gone_wait_ms],
    units: "µs",
  },
  {
    id: "sessions",
    group: "storage",
    title: "a persistent session created, with a subscription, µs of CPU",
    args: ["sessions"],
    size: ["--count", 20_000],
    warm: ["connect", "--count", "5000"],
    timed: false,
    keeps: true,
    figures: (r) => [r.session_us],
    units: "µs",
  },
  {
    id: "retained",
    group: "storage",
    title: "a retained message stored / sent to a new subscriber of #, µs of CPU",
    args: ["retained", "--qos", "1", "--inflight", "100", "--sub-qos", "0"],
    size: ["--count", 100_000],
    timed: false,
    keeps: true,
    figures: (r) => [r.store_us, r.storm_us],
    units: "µs",
  },
  {
    id: "waitsessions",
    group: "storage",
    title: "another client waits at most, while 100,000 persistent sessions are created, ms",
    args: ["sessions"],
    size: ["--count", 100_000],
    warm: ["connect", "--count", "5000"],
    timed: false,
    keeps: true,
    watched: true,
    figures: (r) => [r.wait_ms],
    units: "ms",
  },
  {
    id: "waitretained",
    group: "storage",
    title: "another client waits at most, while 1,000,000 retained messages are stored, ms",
    args: ["retained", "--qos", "1", "--inflight", "100", "--store-only"],
    size: ["--count", 1_000_000],
    timed: false,
    keeps: true,
    watched: true,
    figures: (r) => [r.wait_ms],
    units: "ms",
  },
  {
    id: "start",
    group: "storage",
    title: "start with 100,000 sessions and 1,000,000 retained messages, ms",
    args: [],
    timed: false,
    keeps: true,
    restart: { sessions: 100_000, retained: 1_000_000 },
    figures: (r) => [r.start_ms],
    units: "ms",
  },
  rules("rulesoff", "the rule engine does not run", "off"),
  rules("rules0", "it runs, and there is no rule", []),
  rules("rules1", "a rule that matches every message", [EACH]),
  rules("rules1k", "1,000 rules of which that one matches", [OTHERS, EACH]),
  rules("republish", "each message published again", [AGAIN]),
];
