/** JSON as rules and their templates read it. */
import { describe, expect, test } from "bun:test";
import { exactJson } from "../../../server/lib/exact_json.ts";

const BIG = /^-?\d{16,400}$/;
/** The same, by asking about every value. */
const slowly = (text: string): unknown =>
  JSON.parse(text, (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && context?.source !== undefined && BIG.test(context.source)
      ? context.source
      : value,
  );
const outcome = (read: () => unknown): unknown => {
  try {
    return { value: read() };
  } catch {
    return "no JSON";
  }
};

describe("whole numbers that a number cannot say are texts", () => {
  test.each([
    ["12345678901234567890", "12345678901234567890"],
    ["-12345678901234567890", "-12345678901234567890"],
    ["9007199254740991", 9007199254740991],
    ["9007199254740993", "9007199254740993"],
    ['{"a":[1, 12345678901234567890],"b":"x"}', { a: [1, "12345678901234567890"], b: "x" }],
    ['"12345678901234567890"', "12345678901234567890"],
    ['{"12345678901234567890":1}', { "12345678901234567890": 1 }],
    ['["a\\" ,12345678901234567890",12345678901234567890]', ['a" ,12345678901234567890', "12345678901234567890"]],
    [
      "[0.12345678901234567890, 12345678901234567890.5, 12345678901234567890e1, 1e1234567890123456789]",
      [0.12345678901234568, 12345678901234567000, 123456789012345680000, Infinity],
    ],
    [`[${"9".repeat(400)}]`, ["9".repeat(400)]],
    [`[${"9".repeat(401)}]`, [Infinity]],
  ])("%s", (text, value) => expect(exactJson(text)).toEqual(value as never));

  test.each([
    "{12345678901234567890:1}",
    "{12345678901234567890 :1}",
    "[01234567890123456789]",
    "[--12345678901234567890]",
    "[+12345678901234567890]",
    "[12345678901234567890x]",
    "[1 12345678901234567890]",
    '["a"12345678901234567890]',
    '["12345678901234567890',
    "[ 12345678901234567890",
    "[12345678901234567890.]",
    "[1.12345678901234567890.12345678901234567890]",
  ])("%s is no JSON", (text) => expect(() => exactJson(text)).toThrow(SyntaxError));

  test("whatever is put together: the same as asking about every value", () => {
    const parts = [
      "12345678901234567890",
      "9007199254740993",
      "7",
      "-",
      ".",
      "e",
      "+",
      '"',
      "\\",
      ",",
      ":",
      "[",
      "]",
      "{",
      "}",
      " ",
      "0",
      "x",
    ];
    let seed = 7;
    const next = (n: number): number => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return seed % n;
    };
    const value = (depth: number): string => {
      const kind = next(depth > 3 ? 3 : 5);
      if (kind === 0) return `${next(2) === 0 ? "-" : ""}${parts[next(3)]}${["", ".5", "e2", "E-3", ".25e+2"][next(5)]}`;
      if (kind === 1) return JSON.stringify(Array.from({ length: next(6) }, () => parts[next(parts.length)]).join(""));
      if (kind === 2) return ["null", "true", "0"][next(3)] as string;
      const inner = Array.from({ length: next(4) }, () => value(depth + 1));
      return kind === 3
        ? `[${inner.join(next(2) === 0 ? "," : " ,\n")}]`
        : `{${inner.map((v, i) => `"12345678901234567890${i}":${v}`).join(",")}}`;
    };
    for (let i = 0; i < 20_000; i++) {
      const good = value(0);
      const at = next(good.length + 1);
      // A third of them is broken somewhere.
      const text = i % 3 === 0 ? good.slice(0, at) + parts[next(parts.length)] + good.slice(at) : good;
      expect([text, outcome(() => exactJson(text))]).toEqual([text, outcome(() => slowly(text))]);
    }
  });

  test("one of them among many others takes little longer than none", () => {
    const many = Array.from({ length: 60_000 }, (_, i) => `{"a":${i}}`).join(",");
    const best = (text: string): number =>
      Math.min(
        ...Array.from({ length: 5 }, () => {
          const began = performance.now();
          exactJson(text);
          return performance.now() - began;
        }),
      );
    expect(best(`[${many},12345678901234567890]`)).toBeLessThan(5 * best(`[${many}]`));
  });
});

describe("what is read of a stranger's text is bounded", () => {
  const nested = (depth: number): string => `${"[".repeat(depth)}"${"x".repeat(20_000)}"${"]".repeat(depth)}`;

  test("how deep it is nested", () => {
    expect(JSON.stringify(exactJson(nested(500)))).toBe(nested(500));
    expect(() => exactJson(nested(501))).toThrow("JSON that is nested more than 500 deep is not read");
  });

  test("how many values it has; what stands in texts does not count", () => {
    const many = (n: number): string => `[${"1,".repeat(n)}1]`;
    expect(exactJson(many(199_998))).toHaveLength(199_999);
    expect(() => exactJson(many(200_001))).toThrow("JSON with more than 200000 values is not read");
    const text = '[]{},:\\"'.repeat(50_000);
    expect(exactJson(JSON.stringify([text]))).toEqual([text]);
  });
});
