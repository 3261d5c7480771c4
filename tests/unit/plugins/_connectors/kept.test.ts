import { expect, test } from "bun:test";
import { Foreign, keptCodec } from "../../../../server/plugins/_connectors/kept.ts";

const CAUSE = { event: "message.publish", clientId: "c1", topic: "t", payload: "hi" };

test("items are what they were under their own meaning, and nobody's under another one", () => {
  const [ours, others] = [keptCodec<unknown>("insert (a, b)"), keptCodec<unknown>("insert (b, a)")];
  const item = { item: ["x", null, 2, new Uint8Array([0, 255]), { a: [true] }], cause: CAUSE };
  const bytes = ours.encode(item);
  expect(ours.decode(bytes)).toEqual(item);
  const foreign = others.decode(bytes);
  expect(foreign).toBeInstanceOf(Foreign);
  expect((foreign as Foreign).shown).toContain('"x"');
  expect((foreign as Foreign).cause).toEqual(CAUSE);
  // Kept again they are what they were.
  expect(ours.decode(others.encode(foreign as Foreign))).toEqual(item);
});

test("what an earlier version has left on the disk, or what is not as it should be there, has no cause", () => {
  const codec = keptCodec<unknown>("m");
  for (const cause of ["", ",null", ",[]", ',["e"]', ',{"event":"e"}'])
    expect(codec.decode(Buffer.from(`["${codec.ours}",[1]${cause}]`))).toEqual({ item: [1], cause: null });
  expect(codec.decode(Buffer.from(`["${codec.ours}",[1],["e","c",null,7]]`))).toEqual({
    item: [1],
    cause: { event: "e", clientId: "c", topic: null, payload: null },
  });
  for (const text of ['["a",1]', "null", "7"]) expect((codec.decode(Buffer.from(text)) as Foreign).cause).toBeNull();
});

test("what has no meaning with it is nobody's; what is no JSON is none", () => {
  const codec = keptCodec<unknown>("m");
  for (const text of ['["a","b"]', '"a"', "{}", "[]"]) expect(codec.decode(Buffer.from(text))).toBeInstanceOf(Foreign);
  expect(() => codec.decode(Buffer.from("["))).toThrow();
});

test("what is taken over in memory is as by way of the disk, and costs nothing under the same meaning", () => {
  const [a, again, b] = [keptCodec<unknown>("insert (a, b)"), keptCodec<unknown>("insert (a, b)"), keptCodec<unknown>("insert (b, a)")];
  const item = { item: ["x", 1], cause: null };
  expect(again.adopt?.(item, a)).toBe(item);
  const foreign = b.adopt?.(item, a);
  expect(foreign).toBeInstanceOf(Foreign);
  expect((foreign as Foreign).shown).toContain('["x",1]');
  expect(b.adopt?.(foreign as Foreign, b)).toBeInstanceOf(Foreign);
  // Back again to what it was made for.
  expect(a.adopt?.(foreign as Foreign, b)).toEqual(item);
});
