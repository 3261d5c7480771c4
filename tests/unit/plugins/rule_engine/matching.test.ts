import { expect, test } from "bun:test";
import fc from "fast-check";
import { topicMatches } from "../../../../server/mqtt/topic.ts";
import { Matching } from "../../../../server/plugins/rule_engine/matching.ts";

const level = fc.constantFrom("a", "b", "é", "", "$x");
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((l) => l.join("/") || "a");
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant("+")), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([l, all]) => [...l, ...(all ? ["#"] : [])].join("/") || "#");

test("as a walk along all filters finds them, while they come and go", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.array(filter, { minLength: 1, maxLength: 3 }), fc.boolean()), { maxLength: 12 }),
      fc.array(topic),
      (rows, topics) => {
        const matching = new Matching<{ order: number; filters: string[] }>();
        const there: { order: number; filters: string[] }[] = [];
        const check = (): void => {
          for (const t of topics) {
            const expected = there.filter((c) => c.filters.some((f) => topicMatches(t, f)));
            expect([t, matching.of(t).map((c) => c.order)]).toEqual([t, expected.map((c) => c.order)]);
          }
        };
        for (const [order, [filters, goes]] of rows.entries()) {
          const consumer = { order, filters };
          matching.add(consumer, filters);
          there.push(consumer);
          check();
          if (!goes) continue;
          const gone = there.shift() as (typeof there)[number];
          matching.remove(gone, gone.filters);
          check();
        }
        for (const c of there) matching.remove(c, c.filters);
        expect(matching.empty).toBe(true);
      },
    ),
    { numRuns: 300, seed: 4 },
  );
});

test("topics that come once do not stay for ever", () => {
  const matching = new Matching<{ order: number }>();
  const one = { order: 1 };
  matching.add(one, ["#"]);
  for (let i = 0; i < 100_000; i++) expect(matching.of(`t/${i}`)).toHaveLength(1);
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 200_000; i++) matching.of(`${"x".repeat(200)}/${i}`);
  Bun.gc(true);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(32 * 1024 * 1024);
});

test("a topic that was not there before costs no more beside 10,000 other filters than beside ten", () => {
  const steps = (others: number): number => {
    const matching = new Matching<{ order: number }>();
    matching.add({ order: 0 }, ["site/+/temp"]);
    for (let i = 1; i <= others; i++) matching.add({ order: i }, [`site/other${i}/temp`, `site/other${i}/+`, `else${i}/#`]);
    const before = matching.steps;
    for (let i = 0; i < 100; i++) expect(matching.of(`site/fresh${i}/temp`)).toEqual([{ order: 0 }]);
    return matching.steps - before;
  };
  const few = steps(10);
  // At least a node for each level: they are counted.
  expect(few).toBeGreaterThanOrEqual(300);
  expect(steps(10_000) / few).toBeLessThan(3);
});

test("a topic that comes again takes no step, until filters change", () => {
  const matching = new Matching<{ order: number }>();
  matching.add({ order: 0 }, ["site/+/temp"]);
  const taken = (topic: string): number => {
    const before = matching.steps;
    matching.of(topic);
    return matching.steps - before;
  };
  expect([taken("site/a/temp"), taken("site/b/temp")].every((n) => n > 0)).toBe(true);
  expect([taken("site/a/temp"), taken("site/b/temp")]).toEqual([0, 0]);
  matching.add({ order: 1 }, ["else"]);
  expect(taken("site/a/temp")).toBeGreaterThan(0);
});
