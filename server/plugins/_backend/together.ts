/** Several lines to one server, told as one: a web service that several actions send to, each with a queue of its own. */
import type { QueueReport, ServerReport, ServerState } from "../reports.ts";
import { type Counts, NO_CALLS } from "./figures.ts";

const summed = <K extends string>(names: readonly K[], a: Record<K, number>, b: Record<K, number>): Record<K, number> =>
  Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as Record<K, number>;

const COUNTS = Object.keys(NO_CALLS) as (keyof Counts)[];
const LINES = ["running", "waiting", "pool"] as const;
const ROWS = ["rows", "bytes", "diskBytes", "sent", "dropped", "gaveUp", "letters", "torn"] as const;

export const addCounts = (a: Counts, b: Counts): Counts => summed(COUNTS, a, b);

/** `what` is that of the first one; of times the slowest is told, of errors the last. null = there are none. */
export function together(reports: readonly ServerReport[]): ServerReport | null {
  const [first, ...others] = reports;
  return first === undefined ? null : others.reduce(both, first);
}

function both(a: ServerReport, b: ServerReport): ServerReport {
  const { lastError, lastErrorAt } = (b.lastErrorAt ?? 0) > (a.lastErrorAt ?? 0) ? b : a;
  const queue = a.queue !== undefined && b.queue !== undefined ? bothQueues(a.queue, b.queue) : (a.queue ?? b.queue);
  return {
    ...a,
    ...addCounts(a, b),
    ...summed(LINES, a, b),
    state: bothStates(a.state, b.state),
    since: Math.max(a.since, b.since),
    lastError,
    lastErrorAt,
    p50: slower(a.p50, b.p50),
    p95: slower(a.p95, b.p95),
    p99: slower(a.p99, b.p99),
    ...(queue !== undefined && { queue }),
  };
}

/** Who has asked nothing yet says nothing; where some are answered and some are not, it answers, not always. */
function bothStates(a: ServerState, b: ServerState): ServerState {
  if (a === b || b === "connecting") return a;
  return a === "connecting" ? b : "degraded";
}

const slower = (a: number | null, b: number | null): number | null => (a === null || b === null ? (a ?? b) : Math.max(a, b));

const bothQueues = (a: QueueReport, b: QueueReport): QueueReport => ({ ...summed(ROWS, a, b), diskError: a.diskError ?? b.diskError });
