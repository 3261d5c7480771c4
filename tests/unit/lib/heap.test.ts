import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Heap } from "../../../server/lib/heap.ts";

describe("Heap", () => {
  test("gives what is due in order of time, then of `order`, whatever was cancelled in between", () => {
    const rows = fc.array(fc.record({ at: fc.nat(20), cancelled: fc.boolean() }), { maxLength: 60 });
    fc.assert(
      fc.property(rows, fc.nat(20), (list, until) => {
        const heap = new Heap<number>();
        const entries = list.map((r, i) => heap.add(r.at, i, i));
        list.forEach((r, i) => {
          if (r.cancelled) expect(heap.cancel(entries[i] as (typeof entries)[0])).toBe(true);
        });
        const left = list.map((r, i) => ({ ...r, i })).filter((r) => !r.cancelled);
        const sorted = left.sort((a, b) => a.at - b.at || a.i - b.i);
        expect(heap.size).toBe(sorted.length);
        expect(heap.sorted().map((e) => e.value)).toEqual(sorted.map((r) => r.i));
        for (const r of sorted.filter((s) => s.at <= until)) {
          expect(heap.due(until)?.value).toBe(r.i);
          expect(heap.take(until)?.value).toBe(r.i);
        }
        expect(heap.take(until)).toBeUndefined();
        expect(heap.size).toBe(sorted.filter((s) => s.at > until).length);
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  test("what was taken or cancelled cannot be cancelled again", () => {
    const heap = new Heap<string>();
    const [a, b] = [heap.add(1, 1, "a"), heap.add(2, 2, "b")];
    expect(heap.take(5)).toBe(a);
    expect(heap.cancel(a)).toBe(false);
    expect(heap.cancel(b)).toBe(true);
    expect(heap.cancel(b)).toBe(false);
    expect([heap.size, heap.take(5)]).toEqual([0, undefined]);
  });

  test("cancelled entries leave once they are the majority, and not before there are many", () => {
    const heap = new Heap<number>();
    const entries = Array.from({ length: 3000 }, (_, i) => heap.add(i, i, i));
    for (let i = 0; i < 1499; i++) heap.cancel(entries[i] as (typeof entries)[0]);
    expect(heap.held).toBe(3000);
    heap.cancel(entries[1499] as (typeof entries)[0]);
    expect([heap.held, heap.size]).toEqual([1500, 1500]);
    expect(heap.take(1e9)?.value).toBe(1500);
  });
});
