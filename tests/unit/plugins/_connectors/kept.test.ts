import { expect, test } from "bun:test";
import { Foreign, keptCodec } from "../../../../server/plugins/_connectors/kept.ts";

test("items are what they were under their own meaning, and nobody's under another one", () => {
  const [ours, others] = [keptCodec<unknown>("insert (a, b)"), keptCodec<unknown>("insert (b, a)")];
  const item = ["x", null, 2, new Uint8Array([0, 255]), { a: [true] }];
  const bytes = ours.encode(item);
  expect(ours.decode(bytes)).toEqual(item);
  const foreign = others.decode(bytes);
  expect(foreign).toBeInstanceOf(Foreign);
  expect((foreign as Foreign).shown).toContain('"x"');
  // Kept again they are what they were.
  expect(ours.decode(others.encode(foreign as Foreign))).toEqual(item);
});

test("what has no meaning with it is nobody's; what is no JSON is none", () => {
  const codec = keptCodec<unknown>("m");
  for (const text of ['["a","b"]', '"a"', "{}", "[]"]) expect(codec.decode(Buffer.from(text))).toBeInstanceOf(Foreign);
  expect(() => codec.decode(Buffer.from("["))).toThrow();
});

test("what is taken over in memory is as by way of the disk, and costs nothing under the same meaning", () => {
  const [a, again, b] = [keptCodec<unknown>("insert (a, b)"), keptCodec<unknown>("insert (a, b)"), keptCodec<unknown>("insert (b, a)")];
  const item = ["x", 1];
  expect(again.adopt?.(item, a)).toBe(item);
  const foreign = b.adopt?.(item, a);
  expect(foreign).toBeInstanceOf(Foreign);
  expect((foreign as Foreign).shown).toContain('["x",1]');
  expect(b.adopt?.(foreign as Foreign, b)).toBeInstanceOf(Foreign);
  // Back again to what it was made for.
  expect(a.adopt?.(foreign as Foreign, b)).toEqual(item);
});
