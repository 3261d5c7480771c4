import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NamePrefix, nameHash, plainNameHash } from "../../../server/mqtt/topic_hash.ts";

const plain = fc.string({ unit: fc.constantFrom("a", "b", "/", "1", " ", "~"), minLength: 1, maxLength: 40 });
const inside = (name: string): [Buffer, number, number] => {
  const buf = Buffer.from(`+é${name}#`);
  return [buf, 3, buf.length - 1];
};

describe("the hash of a topic name", () => {
  test("is the same whether it is checked, and whatever stands around it", () => {
    fc.assert(
      fc.property(plain, (name) => {
        const bytes = Buffer.from(name);
        const hash = nameHash(bytes, 0, bytes.length);
        expect(hash).not.toBe(0);
        expect(nameHash(...inside(name))).toBe(hash);
        expect(plainNameHash(...inside(name), null)).toBe(hash);
      }),
    );
  });

  test("is the same from behind a prefix of any length", () => {
    fc.assert(
      fc.property(plain, fc.nat(45), plain, (name, n, other) => {
        const [buf, start, end] = inside(name);
        const prefix = new NamePrefix();
        const length = Math.min(n, name.length);
        prefix.set(buf, start, length);
        expect(prefix.begins(buf, start, end)).toBe(length > 0 && name.length >= 4);
        for (const text of [name, name.slice(0, length) + other, other]) {
          const at = inside(text);
          const begins = prefix.begins(...at);
          expect(begins).toBe(length > 0 && text.length >= 4 && text.startsWith(name.slice(0, length)));
          if (begins) expect(plainNameHash(...at, prefix)).toBe(nameHash(...at));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test.each(["+", "#", "\u0000", "\u001f", "\u007f", "é", "\u0080"])("%j anywhere: not plain", (c) => {
    for (let before = 0; before < 9; before++) {
      for (let after = 0; after < 9; after++) {
        const at = inside(`${"x".repeat(before)}${c}${"y".repeat(after)}`);
        expect(plainNameHash(...at, null)).toBe(0);
      }
    }
  });

  test("a prefix that is too long is none", () => {
    const buf = Buffer.from("x".repeat(300));
    const prefix = new NamePrefix();
    prefix.set(buf, 0, 128);
    expect(prefix.begins(buf, 0, 300)).toBe(true);
    prefix.set(buf, 0, 129);
    expect(prefix.begins(buf, 0, 300)).toBe(false);
  });

  test("a million names that differ in a number spread evenly over 6,250 sets", () => {
    const counts = new Uint32Array(6250);
    const buf = Buffer.from("site/building/00000000/temperature");
    for (let i = 0; i < 1_000_000; i++) {
      buf.write(String(i).padStart(8, "0"), 14);
      (counts[Math.trunc((nameHash(buf, 0, buf.length) >>> 0) * (6250 / 2 ** 32))] as number)++;
    }
    // 160 each on average, with a standard deviation of 13.
    expect(Math.max(...counts)).toBeLessThan(240);
    expect(Math.min(...counts)).toBeGreaterThan(90);
  });
});
