import { expect, test } from "bun:test";
import { between, later, reached } from "../../../server/lib/time.ts";
import { mono, wall } from "../../support/time.ts";

test("points and spans of one clock", () => {
  const [a, b] = [mono(1000), mono(2500)];
  expect(between(a, b)).toBe(1500);
  expect(later(a, 1500)).toBe(b);
  expect([reached(b, a), reached(b, b), reached(a, b)]).toEqual([false, true, true]);
});

test("a point of one clock does not pass for one of the other: the compiler refuses each of these", () => {
  const [m, w] = [mono(1), wall(2)];
  // @ts-expect-error two clocks
  expect(between(m, w)).toBe(1);
  // @ts-expect-error two clocks
  expect(reached(w, m)).toBe(false);
  // @ts-expect-error two clocks
  const wrong: typeof m = later(w, 3);
  expect(Number(wrong)).toBe(5);
});
