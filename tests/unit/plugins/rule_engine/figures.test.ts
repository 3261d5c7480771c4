import { expect, test } from "bun:test";
import { Figures } from "../../../../server/plugins/rule_engine/figures.ts";

test("rates: now, highest, average of five minutes; an old burst leaves the average", () => {
  const { rate } = new Figures();
  let total = 0;
  const look = (more: number): void => {
    total += more;
    rate.look(total);
  };
  for (let s = 0; s < 10; s++) look(100);
  expect([rate.now, rate.max, rate.last5m]).toEqual([100, 100, 100]);
  look(400);
  expect([rate.now, rate.max]).toEqual([400, 400]);
  for (let s = 0; s < 320; s++) look(0);
  expect([rate.now, rate.max, rate.last5m]).toEqual([0, 400, 0]);
});

test("95 % of the evaluations take no longer; set back, there is nothing", () => {
  const figures = new Figures();
  expect(figures.times.p95).toBeNull();
  for (let i = 1; i <= 100; i++) figures.times.add(i);
  expect(figures.times.p95).toBe(96);
  figures.matched = 5;
  figures.lastError = "x";
  figures.reset();
  expect([figures.matched, figures.lastError, figures.times.p95, figures.rate.max]).toEqual([0, null, null, 0]);
});
