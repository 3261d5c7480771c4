import { expect, test } from "bun:test";
import { lineOf, stackOf, wordsOf } from "../../../server/lib/errors.ts";

test("an error's message, its first line, its stack", () => {
  const err = new Error("one\ntwo");
  expect(wordsOf(err)).toBe("one\ntwo");
  expect(lineOf(err)).toBe("one");
  expect(stackOf(err)).toContain("errors.test.ts");
  err.stack = undefined as unknown as string;
  expect(stackOf(err)).toBe("one\ntwo");
});

test.each([
  ["text", "text"],
  [42, "42"],
  [null, "null"],
  [undefined, "undefined"],
  [{ code: 1 }, "[object Object]"],
])("whatever was thrown: %p", (thrown, words) => {
  expect([wordsOf(thrown), lineOf(thrown), stackOf(thrown)]).toEqual([words, words, words]);
});

test("what cannot be printed does not throw again", () => {
  const bare = Object.create(null) as object;
  const nasty = Object.defineProperty(new Error("x"), "message", { value: Object.create(null) });
  expect([wordsOf(bare), stackOf(bare), wordsOf(nasty)]).toEqual(Array(3).fill("something that cannot be printed"));
});
