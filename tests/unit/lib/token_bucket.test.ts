import { expect, test } from "bun:test";
import { TokenBucket } from "../../../server/lib/token_bucket.ts";

test("a burst, then as fast as the rate", () => {
  const b = new TokenBucket(10, 2, 0);
  expect([b.take(1, 0), b.take(1, 0), b.take(1, 0)]).toEqual([true, true, false]);
  expect([b.take(1, 99), b.take(1, 100)]).toEqual([false, true]);
});

test("no more than the burst is saved up", () => {
  const b = new TokenBucket(10, 2, 0);
  expect([b.take(3, 60_000), b.take(2, 60_000)]).toEqual([false, true]);
});

test("debt is paid at the rate", () => {
  const b = new TokenBucket(1000, 100, 0);
  expect(b.spend(100, 0)).toBe(0);
  expect(b.spend(500, 0)).toBe(500);
  expect(b.spend(0, 499)).toBe(1);
  expect(b.spend(0, 500)).toBe(0);
});

test("a clock set back takes nothing away", () => {
  const b = new TokenBucket(10, 2, 1000);
  expect(b.take(1, 0)).toBe(true);
  expect(b.tokens).toBe(1);
});
