import { expect, test } from "bun:test";
import { Slots } from "../../../server/storage/slots.ts";

test("distinct pairs get numbers in order, known pairs their number", () => {
  const s = new Slots();
  expect(s.claim(1, 1)).toBe(0);
  expect(s.claim(1, 2)).toBe(1);
  expect(s.claim(2, 1)).toBe(2);
  expect(s.claim(1, 2)).toBe(1);
  expect(s.n).toBe(3);
  expect([s.a(2), s.b(2)]).toEqual([2, 1]);
});

test("many pairs, large numbers, several rounds of growth and clearing", () => {
  const s = new Slots();
  // Four large bursts: were what is cleared left in the table, it would be full.
  for (const size of [10, 40_000, 100, 40_000, 40_000, 40_000, 3000]) {
    const far = 2 ** 32;
    for (let i = 0; i < size; i++) expect(s.claim(i % 7, i * far + (i % 3))).toBe(i);
    for (let i = 0; i < size; i += 13) expect(s.claim(i % 7, i * far + (i % 3))).toBe(i);
    expect(s.n).toBe(size);
    s.clear();
    expect(s.n).toBe(0);
  }
});
