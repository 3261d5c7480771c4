/** The breaker's states, each way in and out of them. */
import { expect, test } from "bun:test";
import type { MonoMs } from "../../../../server/lib/time.ts";
import { Breaker } from "../../../../server/plugins/_backend/breaker.ts";

const at = (ms: number): MonoMs => ms as MonoMs;
const breaker = (random = 0.5): Breaker => new Breaker({ threshold: 3, pauseMs: 100, pauseMaxMs: 400, random: () => random }, at(0));

test("opens with the last of so many failures one after another, once", () => {
  const b = breaker();
  expect([b.failed(at(1)), b.failed(at(1)), b.open, b.failed(at(1)), b.open, b.failed(at(1))]).toEqual([
    false,
    false,
    false,
    true,
    true,
    false,
  ]);
});

test("an answer in between begins the count anew", () => {
  const b = breaker();
  b.failed(at(1));
  b.failed(at(1));
  expect(b.succeeded()).toBe(false);
  expect([b.failed(at(1)), b.failed(at(1)), b.failed(at(1))]).toEqual([false, false, true]);
});

test("probes come later and later up to the longest pause; an answer closes it, and the next time begins with the shortest", () => {
  const b = breaker();
  b.trip(at(1000));
  const pauses: number[] = [];
  for (let now = 1000; pauses.length < 5; now++) {
    if (!b.probeDue(at(now))) continue;
    pauses.push(now - 1000 - pauses.reduce((a, p) => a + p, 0));
    b.probeFailed(at(now));
  }
  expect(pauses).toEqual([100, 200, 400, 400, 400]);
  expect(b.succeeded()).toBe(true);
  expect(b.probeDue(at(1e9))).toBe(false);
  b.trip(at(5000));
  expect([b.probeDue(at(5099)), b.probeDue(at(5100))]).toEqual([false, true]);
});

test("chance moves a probe by a fifth either way", () => {
  const due = (random: number): number => {
    const b = breaker(random);
    b.trip(at(0));
    let now = 0;
    while (!b.probeDue(at(now))) now++;
    return now;
  };
  expect([due(0), due(1)]).toEqual([80, 120]);
});

test("half open: one call at a time, closed by its answer, open again by its failure, with a longer pause", () => {
  const b = breaker();
  expect(b.admits()).toBe(true);
  b.trip(at(0));
  expect([b.admits(), b.probeDue(at(100))]).toEqual([false, true]);
  b.halfOpen(at(100));
  expect([b.admits(), b.admits(), b.open, b.probeDue(at(1e6))]).toEqual([true, false, true, false]);
  expect(b.failed(at(100))).toBe(false);
  expect([b.admits(), b.probeDue(at(299)), b.probeDue(at(300))]).toEqual([false, false, true]);
  b.halfOpen(at(300));
  expect([b.untriedSince, b.admits(), b.untriedSince]).toEqual([at(300), true, null]);
  // Another probe lets no second one through.
  b.halfOpen(at(400));
  expect(b.admits()).toBe(false);
  b.notMade();
  expect([b.untriedSince, b.admits(), b.admits()]).toEqual([at(300), true, false]);
  expect(b.succeeded()).toBe(true);
  expect([b.admits(), b.admits()]).toEqual([true, true]);
});

test("trusted without a call: closed, and one failure opens it, unless a call was answered before", () => {
  const b = breaker();
  b.trip(at(0));
  b.trust();
  expect([b.open, b.admits(), b.failed(at(1)), b.open]).toEqual([false, true, true, true]);
  b.trust();
  b.succeeded();
  expect([b.failed(at(1)), b.open]).toEqual([false, false]);
});
