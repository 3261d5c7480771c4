import { expect, test } from "bun:test";
import fc from "fast-check";
import { jsonCodec, sizeOf } from "../../../../server/plugins/_connectors/item.ts";

const codec = jsonCodec<unknown>();
const there = (value: unknown): unknown => codec.decode(codec.encode(value));

test("whatever an item is made of comes back", () => {
  const leaf = fc.oneof(
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
    fc.uint8Array(),
    fc.bigInt(),
  );
  const name = fc.oneof(fc.string(), fc.constantFrom("$bytes", "$whole", "$quoted", "__proto__", "constructor"));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie("value")), fc.dictionary(name, tie("value"), { noNullPrototype: true })),
  }));
  fc.assert(
    fc.property(value, (item) => {
      expect(there(item)).toEqual(item);
      expect(sizeOf(item)).toBeGreaterThan(0);
    }),
  );
});

test("what JSON has not", () => {
  expect(there([Number.NaN, undefined, { a: undefined, b: 2n ** 60n }])).toEqual(["NaN", null, { b: 2n ** 60n }]);
});

test("what a long whole number takes in memory is counted", () => {
  const digits = 400;
  // A byte says 2.4 of them.
  const least = 2500 * (digits / 2.5);
  const size = sizeOf(Array.from({ length: 2500 }, () => 10n ** BigInt(digits)));
  expect(size).toBeGreaterThan(least);
  expect(size).toBeLessThan(2 * least);
});
