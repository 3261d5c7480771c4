import { expect, test } from "bun:test";
import { Pace } from "../../../../server/plugins/_connectors/pace.ts";

test("halved as often as it is too long, doubled again where there is time for it", () => {
  const pace = new Pace(100, 1000);
  expect([pace.most, pace.careful]).toEqual([100, false]);
  pace.late(100, 1000);
  pace.late(50, 900);
  expect([pace.most, pace.careful]).toEqual([25, true]);
  // Twice as many would take too long.
  pace.done(25, 300);
  pace.done(1, 20);
  expect(pace.most).toBe(25);
  pace.done(25, 100);
  expect(pace.most).toBe(50);
  pace.done(2, 10);
  expect([pace.most, pace.careful]).toEqual([100, true]);
  pace.done(100, 100);
  expect([pace.most, pace.careful]).toEqual([100, false]);
});

test("what waited for its turn for most of the time is not too long itself; one row cannot be halved", () => {
  const pace = new Pace(4, 1000);
  pace.late(4, 300);
  expect([pace.most, pace.careful]).toEqual([4, false]);
  for (let i = 0; i < 5; i++) pace.late(pace.most, 1000);
  expect([pace.most, pace.careful]).toEqual([1, true]);
});
