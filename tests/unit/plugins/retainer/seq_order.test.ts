import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SeqOrder } from "../../../../server/plugins/retainer/seq_order.ts";

interface Item {
  seq: number;
}

describe("SeqOrder", () => {
  test("is a list in the order of the numbers, whatever goes and moves to the end", () => {
    const step = fc.record({ op: fc.constantFrom("add", "remove", "move"), n: fc.integer({ min: 1, max: 1500 }), at: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 15 }), (steps) => {
        const order = new SeqOrder<Item>();
        let list: Item[] = [];
        let seq = 0;
        for (const { op, n, at } of steps) {
          if (op === "add") {
            for (let i = 0; i < n; i++) {
              const item = { seq: ++seq };
              order.add(item);
              list.push(item);
            }
            continue;
          }
          const chosen = list.filter((_, i) => (i * 7 + at) % 3 > 0).slice(0, n);
          for (const item of chosen) order.remove(item);
          list = list.filter((x) => !chosen.includes(x));
          if (op !== "move") continue;
          for (const item of chosen) {
            item.seq = ++seq;
            order.add(item);
            list.push(item);
          }
        }
        expect([...order]).toEqual(list);
      }),
      { numRuns: 60 },
    );
  });

  test("an iterator is live: what goes is not met, what comes and what moves to the end is, once for each place", () => {
    const order = new SeqOrder<Item>();
    const items = Array.from({ length: 3000 }, (_, i) => ({ seq: i + 1 }));
    for (const item of items) order.add(item);
    const seen: number[] = [];
    let last = 3000;
    for (const item of order) {
      seen.push(item.seq);
      if (item.seq === 10) {
        // Most of the block that it is in, itself too: the block is made smaller under it.
        for (const x of items.slice(9, 1000)) order.remove(x);
        for (const x of items.slice(1023, 2500)) order.remove(x);
      }
      if (item.seq === 2600) {
        order.remove(item);
        item.seq = ++last;
        order.add(item);
        order.add({ seq: ++last });
      }
    }
    const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
    expect(seen).toEqual([...numbers(1, 10), ...numbers(1001, 1023), ...numbers(2501, 3002)]);
    order.clear();
    expect([...order]).toEqual([]);
  });

  test("an iterator does not meet what was cleared, but what came after", () => {
    const order = new SeqOrder<Item>();
    for (let seq = 1; seq <= 3000; seq++) order.add({ seq });
    const seen: number[] = [];
    for (const { seq } of order) {
      seen.push(seq);
      if (seq !== 5) continue;
      order.clear();
      order.add({ seq: 3001 });
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 3001]);
  });
});
