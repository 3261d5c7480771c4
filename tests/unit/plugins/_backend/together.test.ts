import { expect, test } from "bun:test";
import { NO_CALLS } from "../../../../server/plugins/_backend/figures.ts";
import { addCounts, together } from "../../../../server/plugins/_backend/together.ts";
import type { QueueReport, ServerReport, ServerState } from "../../../../server/plugins/reports.ts";

const report = (given: Partial<ServerReport> = {}): ServerReport => ({
  what: "a service",
  state: "up",
  since: 1,
  lastError: null,
  lastErrorAt: null,
  running: 1,
  waiting: 2,
  pool: 3,
  ...NO_CALLS,
  calls: 10,
  answered: 9,
  failed: 1,
  p50: null,
  p95: null,
  p99: null,
  ...given,
});
const queue = (given: Partial<QueueReport> = {}): QueueReport => ({
  rows: 1,
  bytes: 10,
  diskBytes: 100,
  sent: 2,
  dropped: 3,
  gaveUp: 4,
  letters: 5,
  torn: 6,
  diskError: null,
  ...given,
});

test("none is nothing, one is itself", () => {
  expect(together([])).toBeNull();
  const one = report();
  expect(together([one])).toBe(one);
});

test("what is counted is added, of times the slowest is told, of errors the last", () => {
  const all = together([
    report({ p50: 2, p99: 9, lastError: "first", lastErrorAt: 5, queue: queue() }),
    report({ p50: 4, lastError: "last", lastErrorAt: 7, since: 3, queue: queue({ diskError: "full" }) }),
    report({ lastError: "older", lastErrorAt: 6 }),
  ]);
  expect(all).toEqual({
    ...report({ running: 3, waiting: 6, pool: 9, calls: 30, answered: 27, failed: 3, since: 3 }),
    p50: 4,
    p99: 9,
    lastError: "last",
    lastErrorAt: 7,
    queue: { rows: 2, bytes: 20, diskBytes: 200, sent: 4, dropped: 6, gaveUp: 8, letters: 10, torn: 12, diskError: "full" },
  });
  expect(addCounts(NO_CALLS, report())).toEqual({ ...NO_CALLS, calls: 10, answered: 9, failed: 1 });
});

test.each<[states: ServerState[], state: ServerState]>([
  [["up", "up"], "up"],
  [["down", "down"], "down"],
  [["connecting", "connecting"], "connecting"],
  [["connecting", "up"], "up"],
  [["down", "connecting"], "down"],
  [["up", "down"], "degraded"],
  [["up", "degraded", "connecting"], "degraded"],
])("%j is %s", (states, state) => {
  expect(together(states.map((s) => report({ state: s })))?.state).toBe(state);
});
