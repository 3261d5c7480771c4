import { expect, test } from "bun:test";
import { Lru } from "../../../server/lib/lru.ts";

test("the entry not used for longest goes first", () => {
  const lru = new Lru<string, number>(2);
  lru.set("a", 1);
  lru.set("b", 2);
  expect(lru.get("a")).toBe(1);
  lru.set("c", 3);
  expect(lru.get("b")).toBeUndefined();
  expect([lru.get("a"), lru.get("c"), lru.size]).toEqual([1, 3, 2]);
});

test("setting again replaces and counts as use", () => {
  const lru = new Lru<string, number>(2);
  lru.set("a", 1);
  lru.set("b", 2);
  lru.set("a", 3);
  lru.set("c", 4);
  expect([lru.get("a"), lru.get("b")]).toEqual([3, undefined]);
});

test("delete and clear", () => {
  const lru = new Lru<string, number>(2);
  lru.set("a", 1);
  expect([lru.delete("a"), lru.delete("a"), lru.size]).toEqual([true, false, 0]);
  lru.set("b", 2);
  lru.clear();
  expect(lru.size).toBe(0);
});

test("room for none is refused", () => expect(() => new Lru(0)).toThrow(RangeError));
