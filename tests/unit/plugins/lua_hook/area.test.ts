import { expect, test } from "bun:test";
import fc from "fast-check";
import { AT, newArea, ringFor } from "../../../../server/plugins/lua_hook/area.ts";
import { readValues, type Value, ValueWriter } from "../../../../server/plugins/lua_hook/values.ts";

const RING = ringFor(0);
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double(),
  fc.string({ unit: "grapheme" }),
  fc.uint8Array({ maxLength: 300 }),
);

test("values come as they went: bytes as bytes, texts as texts", () => {
  const writer = new ValueWriter();
  fc.assert(
    fc.property(fc.nat(255), fc.array(value, { maxLength: 8 }), (first, values) => {
      writer.begin(first);
      for (const v of values) writer.add(v);
      const bytes = Buffer.from(writer.bytes);
      expect(bytes[0]).toBe(first);
      expect(readValues(bytes).map((v) => (v instanceof Uint8Array ? [...v] : v))).toEqual(
        values.map((v) => (v instanceof Uint8Array ? [...v] : v)) as never,
      );
    }),
    { numRuns: 500, seed: 1 },
  );
});

test("a large value is written whole, and what was given out before stays as it was", () => {
  const writer = new ValueWriter();
  const large = new Uint8Array(3_000_000).fill(7);
  const bytes = writer.begin(1).add("é").add(large).bytes;
  writer.begin(2).add("other").bytes;
  expect(readValues(bytes)).toEqual(["é", large]);
});

test("the ring gives out what was put in, in order, whatever the sizes; full is full", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(200), fc.nat(Math.floor(RING / 3)), fc.nat(RING - 8), fc.constant("take")), { maxLength: 200 }),
      (steps) => {
        const { ring } = newArea(RING);
        const waiting: Buffer[] = [];
        let n = 0;
        for (const step of steps) {
          if (typeof step === "string") {
            const entry = ring.take();
            expect(entry === null ? undefined : entry.equals(waiting[0] as Buffer)).toBe(waiting.length > 0 ? true : undefined);
            waiting.shift();
            continue;
          }
          const entry = Buffer.alloc(step, ++n);
          if (ring.put(entry)) waiting.push(entry);
          // An empty one takes whatever is as large as it may be.
          else expect(waiting.length).toBeGreaterThan(0);
        }
        for (const entry of waiting) expect(ring.take()?.equals(entry)).toBe(true);
        expect(ring.take()).toBeNull();
      },
    ),
    { numRuns: 300, seed: 2 },
  );
});

test("what never fits is refused, and so is one more where the ring is full", () => {
  const { ring, numbers } = newArea(RING);
  expect(ring.put(Buffer.alloc(RING))).toBe(false);
  expect(ring.put(Buffer.alloc(ring.most + 1))).toBe(false);
  expect(numbers[AT.head]).toBe(0);
  let n = 0;
  while (ring.put(Buffer.alloc(1000, n))) n++;
  expect(n).toBeGreaterThan(500);
  expect(ring.take()?.[0]).toBe(0);
  for (let i = 1; i < n; i++) expect(ring.take()?.[0]).toBe(i & 255);
  expect(ring.take()).toBeNull();
});

test("the largest entry fits wherever the ring is when it is empty", () => {
  const { ring } = newArea(RING);
  for (let i = 0; i < 20; i++) {
    expect(ring.put(Buffer.alloc(100_003, i))).toBe(true);
    expect(ring.take()?.length).toBe(100_003);
    const largest = Buffer.alloc(ring.most, i + 1);
    expect(ring.put(largest)).toBe(true);
    expect(ring.take()?.equals(largest)).toBe(true);
    expect(ring.take()).toBeNull();
  }
});

test("room is made for the largest packet, within a bound", () => {
  expect([ringFor(1001), ringFor(1e6) - ringFor(0), ringFor(Number.POSITIVE_INFINITY) - ringFor(0)]).toEqual([
    ringFor(1004),
    1_000_000,
    16 * 1024 * 1024,
  ]);
});
