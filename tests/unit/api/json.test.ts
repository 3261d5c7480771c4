import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { JsonError, parseJson } from "../../../server/api/json.ts";

const DEEP = 1000;

/** What the engine makes of it; undefined = refused. */
function byEngine(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
function byUs(text: string): { value: unknown } | undefined {
  try {
    return { value: parseJson(text, DEEP) };
  } catch (err) {
    if (err instanceof JsonError) return undefined;
    throw err;
  }
}

describe("the first of two equal names counts", () => {
  test.each([
    ['{"a":1,"a":2}', { a: 1 }],
    ['{"a":{"b":1,"b":2},"a":3}', { a: { b: 1 } }],
    ['{"a":1,"\\u0061":2}', { a: 1 }],
    ['[{"a":1,"b":2,"a":3}]', [{ a: 1, b: 2 }]],
    ['{"":1,"":2}', { "": 1 }],
  ])("%s", (text, value) => expect(parseJson(text, DEEP)).toEqual(value));

  test("names of prototypes are names like others", () => {
    for (const name of ["constructor", "toString", "hasOwnProperty", "valueOf", "__proto__"]) {
      const object = parseJson(`{"${name}":1,"${name}":2}`, DEEP) as object;
      expect(Object.entries(object)).toEqual([[name, 1]]);
      expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
    }
  });
});

describe("nesting", () => {
  const nested = (n: number): string => "[".repeat(n) + "]".repeat(n);

  test("as deep as allowed, and no deeper", () => {
    expect(parseJson("1", 0)).toBe(1);
    expect(() => parseJson("[]", 0)).toThrow("nested too deep at 0");
    expect(parseJson(nested(3), 3)).toEqual([[[]]]);
    expect(() => parseJson(nested(4), 3)).toThrow("nested too deep at 3");
    expect(() => parseJson('{"a":[{"b":1}]}', 2)).toThrow(JsonError);
    expect(parseJson('{"a":[{"b":1}]}', 3)).toEqual({ a: [{ b: 1 }] });
  });

  test("neighbours do not add up", () => {
    expect(parseJson("[[],[],{}]", 2)).toEqual([[], [], {}]);
  });

  test("a million brackets are refused, not a stack overflow", () => {
    expect(() => parseJson("[".repeat(1_000_000), DEEP)).toThrow(JsonError);
    expect(() => parseJson('{"a":'.repeat(1_000_000), DEEP)).toThrow(JsonError);
  });
});

describe("JSON is what the engine says is JSON", () => {
  const row = (text: string): void => expect([text, byUs(text)]).toEqual([text, byEngine(text)]);

  test("marks, numbers, words, texts", () => {
    for (const text of [
      ..."0 -0 1 -1 01 -01 1. .5 1.5 1e3 1E+3 1e-3 1e 1e+ -  + 1_0 0x1 NaN Infinity 9007199254740993 1e400 -1e400".split(" "),
      ..."true false null tru truee nul undefined [ ] { } : , [1,] [,1] [1 {]} {,} {a:1} ' 'a'".split(" "),
      "",
      " ",
      " \t\r\n1 \t\r\n",
      "\u00a01",
      "\ufeff1",
      "1 2",
      '{"a" : 1 , "b" : [ 1 , 2 ] }',
      '{"a":1,}',
      '{"a"}',
      '{"a":}',
      '{"a":1 "b":2}',
      '{"a":1}}',
      '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\\ud83d"',
      '"\\x41"',
      '"\\u12"',
      '"\\',
      '"\\"',
      '"a',
      '"a\nb"',
      '"a\u0000b"',
      '"a\u007f\u2028b"',
      "/* */ 1",
    ])
      row(text);
  });

  test("any value comes back", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parseJson(text, DEEP)).toEqual(JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  test("a text with one character changed is taken or refused alike", () => {
    const marks = [...'{}[]:,"\\0.-+eE tfn\n\u0000'];
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.nat(), fc.constantFrom(...marks), fc.boolean(), (value, where, mark, insert) => {
        const text = JSON.stringify(value);
        const at = where % (text.length + 1);
        const changed = text.slice(0, at) + mark + text.slice(insert ? at : at + 1);
        const [ours, theirs] = [byUs(changed), byEngine(changed)];
        expect(ours === undefined).toBe(theirs === undefined);
        // Two equal names may have arisen.
        if (ours && theirs && !changed.includes("{")) expect(ours).toEqual(theirs);
      }),
      { numRuns: 2000 },
    );
  });
});

test("time grows as the text does", () => {
  const body = (n: number): string =>
    JSON.stringify(Array.from({ length: n }, (_, i) => ({ topic: `a/b/${i}`, payload: "x".repeat(20), qos: 1 })));
  const time = (text: string): number => {
    const times = Array.from({ length: 5 }, () => {
      const t = performance.now();
      parseJson(text, 8);
      return performance.now() - t;
    });
    return Math.min(...times);
  };
  const small = body(2000);
  const large = body(32_000);
  time(small);
  // Sixteen times as long: a quadratic parser would need 256 times as long.
  expect(time(large)).toBeLessThan(128 * Math.max(time(small), 0.2));
  const names = `{${Array.from({ length: 50_000 }, (_, i) => `"k${i % 25_000}":${i}`).join(",")}}`;
  expect(time(names)).toBeLessThan(2000);
});
