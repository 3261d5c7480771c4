import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type StringMap, WideMap, widened } from "../../../server/lib/wide_map.ts";

const sorted = (m: Iterable<[string, number]>): [string, number][] => [...m].sort((a, b) => (a[0] < b[0] ? -1 : 1));

describe("WideMap", () => {
  test("is a map, whatever is put in and taken out", () => {
    const key = fc.oneof(fc.string(), fc.integer({ min: 0, max: 50 }).map(String), fc.string({ minLength: 60, maxLength: 90 }));
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.boolean())), (steps) => {
        const wide = new WideMap<number>();
        const plain = new Map<string, number>();
        for (const [i, [k, put]] of steps.entries()) {
          if (put) {
            wide.set(k, i);
            plain.set(k, i);
          } else expect(wide.delete(k)).toBe(plain.delete(k));
          expect(wide.size).toBe(plain.size);
          expect(wide.get(k)).toBe(plain.get(k));
        }
        expect(sorted(wide)).toEqual(sorted(plain));
      }),
    );
  });

  test("what is alike is spread: no part of it has much more than its share", () => {
    // A part that doubles is a pause.
    for (const name of [(i: number) => `device/${i}/status`, (i: number) => `${i}`, (i: number) => `a/${"x".repeat(80)}/${i}`]) {
      const map = new WideMap<number>();
      for (let i = 0; i < 200_000; i++) map.set(name(i), i);
      expect(map.size).toBe(200_000);
      const parts = new Map<number, number>();
      let part = -1;
      let before = -1;
      // Within a part entries are in the order in which they came.
      for (const [, i] of map) {
        if (i < before) part++;
        before = i;
        parts.set(part, (parts.get(part) ?? 0) + 1);
      }
      expect(parts.size).toBeGreaterThan(100);
      expect(Math.max(...parts.values())).toBeLessThan(3 * (200_000 / parts.size));
    }
  });

  test("a map becomes one at 32,768 entries, and goes on", () => {
    let map: StringMap<number> = new Map();
    for (let i = 0; i < 32_767; i++) {
      map.set(`k${i}`, i);
      map = widened(map);
    }
    expect(map).toBeInstanceOf(Map);
    map.set("last", -1);
    map = widened(map);
    expect(map).toBeInstanceOf(WideMap);
    expect(widened(map)).toBe(map);
    expect([map.size, map.get("k0"), map.get("k32766"), map.get("last"), map.get("none")]).toEqual([32_768, 0, 32_766, -1, undefined]);
  });
});
