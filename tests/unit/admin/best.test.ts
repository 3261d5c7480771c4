import { describe, expect, test } from "bun:test";
import { Best } from "../../../server/admin/best.ts";
import { Slices } from "../../../server/admin/slices.ts";

const slices = new Slices(() => 0);
const id = (n: number): number => n;

describe("the first of a sorted list", () => {
  test("before there are enough, everybody is taken", () => {
    const best = new Best(2, id, false);
    expect([5, 9, 7].map((n) => best.add(n))).toEqual([true, true, true]);
  });

  test("then nobody who would come after the last one, or beside it: the first of equals stays", async () => {
    const best = new Best(2, id, false);
    for (const n of [5, 9, 7]) best.add(n);
    await best.shrink(slices);
    expect(best.items()).toEqual([5, 7]);
    expect([8, 7, 6, 5].map((n) => best.add(n))).toEqual([false, false, true, true]);
    await best.shrink(slices);
    expect(best.items()).toEqual([5, 5]);
    expect(best.add(5)).toBe(false);
  });

  test("the other way round", async () => {
    const best = new Best(2, id, true);
    for (const n of [5, 9, 7]) best.add(n);
    await best.shrink(slices);
    expect(best.items()).toEqual([9, 7]);
    expect([6, 7, 8].map((n) => best.add(n))).toEqual([false, false, true]);
  });

  test("no bound while there are fewer than wanted", async () => {
    const best = new Best(3, id, false);
    best.add(1);
    await best.shrink(slices);
    expect(best.add(1000)).toBe(true);
    await best.shrink(slices);
    expect(best.items()).toEqual([1, 1000]);
  });

  test("it is full at twice what is wanted, and not before some thousands", () => {
    for (const [keep, room] of [
      [1, 4096],
      [3000, 6000],
    ] as const) {
      const best = new Best(keep, id, false);
      for (let n = 1; n < room; n++) best.add(n);
      expect(best.full).toBe(false);
      best.add(0);
      expect(best.full).toBe(true);
    }
  });

  test("what is no plain value is compared by its JSON", async () => {
    const best = new Best(3, (n: { v: unknown[] | Record<string, unknown> }) => n.v, false);
    for (const v of [{ b: 1 }, [], { a: 1 }]) best.add({ v });
    await best.shrink(slices);
    expect(best.items().map((e) => e.v)).toEqual([[], { a: 1 }, { b: 1 }]);
  });
});
