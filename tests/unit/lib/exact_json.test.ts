/** JSON as rules and their templates read it. */
import { describe, expect, test } from "bun:test";
import { bigAsText, exactJson, exactText } from "../../../server/lib/exact_json.ts";

const BIG = /^-?\d{16,400}$/;
/** The same, by asking about every value. */
const slowly = (text: string): unknown =>
  JSON.parse(text, (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && context?.source !== undefined && BIG.test(context.source)
      ? BigInt(context.source)
      : value,
  );
const outcome = (read: () => unknown): unknown => {
  try {
    return { value: read() };
  } catch {
    return "no JSON";
  }
};

describe("whole numbers that a number cannot say are exact", () => {
  test.each([
    ["12345678901234567890", 12345678901234567890n],
    ["-12345678901234567890", -12345678901234567890n],
    ["9007199254740991", 9007199254740991],
    ["9007199254740993", 9007199254740993n],
    ['{"a":[1, 12345678901234567890],"b":"x"}', { a: [1, 12345678901234567890n], b: "x" }],
    ['"12345678901234567890"', "12345678901234567890"],
    ['{"12345678901234567890":1}', { "12345678901234567890": 1 }],
    ['["a\\" ,12345678901234567890",12345678901234567890]', ['a" ,12345678901234567890', 12345678901234567890n]],
    [
      "[0.12345678901234567890, 12345678901234567890.5, 12345678901234567890e1, 1e1234567890123456789]",
      [0.12345678901234568, 12345678901234567000, 123456789012345680000, Infinity],
    ],
    [`[${"9".repeat(400)}]`, [10n ** 400n - 1n]],
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

test("names that objects have anyway are names", () => {
  const read = exactJson('{"__proto__":12345678901234567890,"constructor":[12345678901234567890]}') as object;
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  expect(Object.entries(read)).toEqual([
    ["__proto__", 12345678901234567890n],
    ["constructor", [12345678901234567890n]],
  ]);
});

test("what it takes is said before it is taken, with a number of many digits more than without", () => {
  const cost = (text: string): number => {
    let sum = 0;
    exactJson(text, (ns) => {
      sum += ns;
    });
    return sum;
  };
  const many = "1,".repeat(50_000);
  expect(cost(`[${many}12345678901234567890]`)).toBeGreaterThan(cost(`[${many}123456789.1234567890]`));
  expect(() =>
    exactJson("[1]", () => {
      throw new Error("no");
    }),
  ).toThrow("no");
});

test("as JSON they are their digits, and for a browser a text of them", () => {
  const value = { a: 12345678901234567890n, b: ["12345678901234567890", 1.5, null], c: undefined };
  const text = '{"a":12345678901234567890,"b":["12345678901234567890",1.5,null]}';
  expect(exactText(value)).toBe(text);
  expect(exactText([new Date(0), 1n], (_key, v) => (v === null ? 0 : v))).toBe('["1970-01-01T00:00:00.000Z",1]');
  expect(exactText(undefined)).toBeUndefined();
  expect(bigAsText(text)).toBe('{"a":"12345678901234567890","b":["12345678901234567890",1.5,null]}');
  expect(bigAsText("[1234567890123456, 1]")).toBe("[1234567890123456, 1]");
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
