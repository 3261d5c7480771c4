import { expect, test } from "bun:test";
import type { MonoMs } from "../../../../server/lib/time.ts";
import { Overruns } from "../../../../server/plugins/lua_hook/overruns.ts";

const BUDGET = 20;
/** Each step: ms, and calls that kept the budget, before the next one that does not. */
function levels(steps: number, ms: number, kept: number): number[] {
  const overruns = new Overruns();
  return Array.from({ length: steps }, (_, i) => overruns.over(((i + 1) * ms) as MonoMs, i * kept, BUDGET));
}
/** How many of them until `most` stand; null = not within 1,000. */
const stopsAt = (ms: number, kept: number, most = 5): number | null => {
  const at = levels(1000, ms, kept).findIndex((level) => level >= most);
  return at < 0 ? null : at + 1;
};

test("each counts one: in a row the fifth is the fifth, however rarely it is called", () => {
  expect(levels(5, 20, 0)).toEqual([1, 2, 3, 4, 5]);
  expect(stopsAt(3_600_000, 0)).toBe(5);
});

const cases: [name: string, ms: number, kept: number, stops: number | null][] = [
  ["every second call, called often", 21, 1, 6],
  ["every second call, called once a minute", 120_000, 1, 6],
  ["every tenth call", 200, 9, 6],
  ["one of a thousand calls, called often", 60, 999, 6],
  ["one of 100,000 calls, one in a second", 1000, 100_000, 9],
  ["one of 100,000 calls, one in two seconds", 2000, 100_000, null],
  ["one of twenty calls, called once a second", 20_000, 19, null],
  ["one of ten thousand, once in an hour", 3_600_000, 10_000, null],
];
for (const [name, ms, kept, stops] of cases)
  test(`${name}: ${stops === null ? "never stopped" : `stopped at number ${stops}`}`, () => expect(stopsAt(ms, kept)).toBe(stops));

test("a quiet night makes up for what was, not for what comes", () => {
  const overruns = new Overruns();
  for (let i = 0; i < 4; i++) overruns.over(1000 as MonoMs, 0, BUDGET);
  const night = 1000 + 8 * 3_600_000;
  expect(overruns.over(night as MonoMs, 10_000, BUDGET)).toBe(1);
  expect([1, 2, 3, 4].map((i) => overruns.over((night + 25 * i) as MonoMs, 10_000 + 10 * i, BUDGET)).at(-1)).toBeGreaterThan(4.9);
});

test("cleared, it begins anew", () => {
  const overruns = new Overruns();
  for (let i = 0; i < 4; i++) overruns.over(1000 as MonoMs, 0, BUDGET);
  overruns.clear();
  expect(overruns.over(1000 as MonoMs, 0, BUDGET)).toBe(1);
});
