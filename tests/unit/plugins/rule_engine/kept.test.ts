import { expect, test } from "bun:test";
import fc from "fast-check";
import { KeptLast } from "../../../../server/plugins/rule_engine/kept.ts";

test("as a plain list says: the newest of each owner, the oldest of all gone first", () => {
  const op = fc.tuple(fc.constantFrom("a", "b", "c"), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 9 }));
  fc.assert(
    fc.property(fc.array(op, { maxLength: 200 }), (ops) => {
      const kept = new KeptLast<number>(5, 100);
      let model: { owner: string; item: number; bytes: number }[] = [];
      for (const [item, [owner, bytes, what]] of ops.entries()) {
        if (what === 0) {
          kept.remove(owner);
          model = model.filter((e) => e.owner !== owner);
        } else {
          kept.add(owner, item, bytes);
          model.push({ owner, item, bytes });
          const own = model.filter((e) => e.owner === owner);
          if (own.length > 5) model.splice(model.indexOf(own[0] as (typeof own)[number]), 1);
          while (model.reduce((n, e) => n + e.bytes, 0) > 100) model.shift();
        }
        for (const o of ["a", "b", "c"]) {
          const expected = model.filter((e) => e.owner === o).map((e) => e.item);
          expect(kept.of(o)).toEqual(expected.reverse());
          expect(kept.count(o)).toBe(expected.length);
        }
        expect(kept.bytes).toBe(model.reduce((n, e) => n + e.bytes, 0));
      }
    }),
    { numRuns: 100, seed: 5 },
  );
});
