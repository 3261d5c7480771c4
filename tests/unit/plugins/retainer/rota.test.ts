import { expect, test } from "bun:test";
import fc from "fast-check";
import { Rota } from "../../../../server/plugins/retainer/rota.ts";

test("whoever comes, leaves and is taken: the first of those that wait, each once", () => {
  const step = fc.oneof(
    fc.record({ op: fc.constantFrom("add", "delete"), who: fc.nat(8) }),
    fc.constantFrom({ op: "take", who: 0 }, { op: "clear", who: 0 }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const rota = new Rota<number>();
      let model: number[] = [];
      for (const { op, who } of steps) {
        if (op === "add") {
          rota.add(who);
          if (!model.includes(who)) model.push(who);
        } else if (op === "delete") {
          rota.delete(who);
          model = model.filter((w) => w !== who);
        } else if (op === "clear") {
          rota.clear();
          model = [];
        } else expect(rota.take()).toBe(model.shift());
        expect(rota.size).toBe(model.length);
      }
    }),
    { numRuns: 500, seed: 11 },
  );
});
