import { expect, test } from "bun:test";
import { NameCounts } from "../../../server/core/name_counts.ts";

test("what is there may be there, what has gone is not", () => {
  const c = new NameCounts();
  expect(c.mayHave(5)).toBe(false);
  c.remove(5);
  c.add(5);
  c.add(5);
  expect([c.mayHave(5), c.mayHave(6)]).toEqual([true, false]);
  c.remove(5);
  expect(c.mayHave(5)).toBe(true);
  c.remove(5);
  expect(c.mayHave(5)).toBe(false);
  c.add(-1);
  expect(c.mayHave(-1)).toBe(true);
});

test("a counter that has been full never says that nothing is there", () => {
  const c = new NameCounts();
  for (let i = 0; i < 300; i++) c.add(7);
  for (let i = 0; i < 299; i++) c.remove(7);
  expect(c.mayHave(7)).toBe(true);
});
