import { expect, test } from "bun:test";
import { systemClock } from "../../../server/lib/clock.ts";
import { systemRandom } from "../../../server/lib/random.ts";
import { seededRandom } from "../../support/random.ts";

test("the same seed gives the same numbers", () => {
  const [a, b] = [seededRandom(7), seededRandom(7)];
  expect([a.next(), a.next(), a.hex(4)]).toEqual([b.next(), b.next(), b.hex(4)]);
  expect(seededRandom(8).next()).not.toBe(seededRandom(7).next());
});

test("numbers are spread over [0, 1)", () => {
  for (const r of [seededRandom(1), systemRandom]) {
    const tenths = new Set(Array.from({ length: 1000 }, () => Math.floor(r.next() * 10)));
    expect([...tenths].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
});

test("hex bytes", () => {
  expect(systemRandom.hex(8)).toMatch(/^[0-9a-f]{16}$/);
  expect(systemRandom.hex(8)).not.toBe(systemRandom.hex(8));
  expect(seededRandom(1).hex(3)).toMatch(/^[0-9a-f]{6}$/);
});

test("the clock counts ms since 1970, and never goes back", () => {
  expect(systemClock.now()).toBeGreaterThan(Date.UTC(2024, 0));
  const t = systemClock.mono();
  expect(systemClock.mono()).toBeGreaterThanOrEqual(t);
});
