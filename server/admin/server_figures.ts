/** Figures of servers outside, families for monitoring systems: of those that plugins ask, and of those that rules write to. */
import type { Labels, MetricFamily } from "../lib/metric_family.ts";
import type { ResourceFigures } from "../plugins/rules.ts";
import type { PluginServer } from "./rows.ts";

export type Row = readonly [labels: Labels, value: number];

const RESULTS = ["answered", "refused", "failed", "timeouts", "busy", "gone", "not_asked"] as const;
const STATES = ["connecting", "up", "degraded", "down"] as const;
export const QUANTILES = [
  ["0.5", "p50"],
  ["0.95", "p95"],
  ["0.99", "p99"],
] as const;

type Counted = (typeof RESULTS)[number] | "pool" | "running" | "waiting" | "retries";
export type ServerFigures = Pick<PluginServer, "state" | Counted | (typeof QUANTILES)[number][1]>;

export const family = (name: string, type: MetricFamily["type"], help: string, rows: readonly Row[]): MetricFamily => ({
  name,
  type,
  help,
  emqx: [],
  rows,
});

/** `prefix`: of the families' names. */
export function serverFamilies(prefix: string, servers: readonly { labels: Labels; s: ServerFigures }[]): MetricFamily[] {
  const each = (name: string, type: MetricFamily["type"], help: string, rows: (s: ServerFigures) => readonly Row[]): MetricFamily =>
    family(
      `${prefix}/${name}`,
      type,
      help,
      servers.flatMap(({ labels, s }) => rows(s).map(([more, value]): Row => [{ ...labels, ...more }, value])),
    );
  return [
    each("up", "gauge", "1 = it answers", (s) => [[{}, s.state === "up" || s.state === "degraded" ? 1 : 0]]),
    each("pool", "gauge", "Connections at most", (s) => [[{}, s.pool]]),
    each("running", "gauge", "Calls that connections carry", (s) => [[{}, s.running]]),
    each("waiting", "gauge", "Calls that wait for a connection", (s) => [[{}, s.waiting]]),
    each("state", "gauge", "1 for the state it is in", (s) => STATES.map((state): Row => [{ state }, s.state === state ? 1 : 0])),
    each("retries", "counter", "Calls made again behind a lost connection", (s) => [[{}, s.retries]]),
    each("calls", "counter", "Calls by what came of them", (s) => RESULTS.map((result): Row => [{ result }, s[result]])),
    each("seconds", "gauge", "Time of an answer, of the last 1,024", (s) =>
      QUANTILES.flatMap(([quantile, key]): Row[] => (s[key] === null ? [] : [[{ quantile }, s[key] / 1000]])),
    ),
  ];
}

const NOTHING = { running: 0, waiting: 0, pool: 0, retries: 0, answered: 0, refused: 0, failed: 0, timeouts: 0, busy: 0, gone: 0 };

/** Of a resource that cannot be opened, or asks nobody, only the state says something. */
export function resourceServer({ alive, server }: ResourceFigures): ServerFigures {
  if (server !== null) return { ...server, not_asked: server.notAsked };
  return { state: alive ? "up" : "down", ...NOTHING, not_asked: 0, p50: null, p95: null, p99: null };
}
