import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compileRowTemplate, rowJson, wholeRowJson } from "../../../../server/plugins/_backend/row_template.ts";

const ROW = {
  a: 1,
  b: { c: [10, { d: "x" }], e: null },
  f: false,
  payload: '{"t": 21.5, "list": [1, 2]}',
  bytes: Uint8Array.from([0xff, 0x00]),
  text: "é",
  "with space": 7,
};

describe("as text", () => {
  test.each([
    ["", ""],
    ["plain", "plain"],
    ["$a {a} ${", "$a {a} ${"],
    ["${a}", "1"],
    ["t/${text}/${f}", "t/é/false"],
    ["${b.c[1]}-${b.c[-1].d}-${b.c[2].d}", "10-x-x"],
    ["${b}", '{"c":[10,{"d":"x"}],"e":null}'],
    ["${b.e}", "null"],
    ["${payload.t} ${payload.list[2]}", "21.5 2"],
    ["${text.x} ${none} ${b.none.deep} ${b.c[9]} ${b.c[0]}", "undefined undefined undefined undefined undefined"],
    ["${__proto__} ${constructor} ${b.toString}", "undefined undefined undefined"],
    ["${with space}", "7"],
    ["${ a }", "1"],
  ])("%j", (source, expected) => {
    expect(compileRowTemplate(source).text(ROW)).toBe(expected);
  });

  test("the whole row, bytes as base64", () => {
    expect(compileRowTemplate("${.}").text({ a: 1, b: Uint8Array.from([1, 2]) })).toBe('{"a":1,"b":"AQI=","b_encoding":"base64"}');
    expect(compileRowTemplate("${}").text({})).toBe("{}");
  });
});

test("a whole row says of its fields which are bytes, and base64 therefore; a row that says it itself is left alone", () => {
  const row = { a: 1, payload: Uint8Array.from([0xff, 0x00]), n: { deep: Uint8Array.of(1) } };
  const whole = '{"a":1,"payload":"/wA=","n":{"deep":"AQ=="},"payload_encoding":"base64"}';
  expect(wholeRowJson(row)).toBe(whole);
  expect(compileRowTemplate("${.}").text(row)).toBe(whole);
  expect(compileRowTemplate("<${.}>").strict(row)).toBe(`<${whole}>`);
  expect(compileRowTemplate("(${.})").values(row)).toEqual([whole]);
  expect(rowJson(compileRowTemplate("${.}").value(row))).toBe(whole);
  expect(row).not.toHaveProperty("payload_encoding");
  expect(wholeRowJson({ b: Uint8Array.of(1), b_encoding: "hex" })).toBe('{"b":"AQ==","b_encoding":"hex"}');
  expect(wholeRowJson({ payload: "text" })).toBe('{"payload":"text"}');
});

test("strict: null when something is missing or null", () => {
  const strict = (source: string): string | null => compileRowTemplate(source).strict(ROW);
  expect([strict("x"), strict("x/${a}"), strict("x/${none}"), strict("${b.e}")]).toEqual(["x", "x/1", null, null]);
});

test("one placeholder alone is the value itself", () => {
  expect(compileRowTemplate("${bytes}").value(ROW)).toBe(ROW.bytes);
  expect(compileRowTemplate("${b.c[1]}").value(ROW)).toBe(10);
  expect(compileRowTemplate(" ${a}").value(ROW)).toBe(" 1");
});

describe("a text that is JSON is looked into", () => {
  const payload = '{"id": 12345678901234567890, "n": [9007199254740993], "t": 1.5, "deep": {"a": 1}}';

  test("whole numbers that no number can say keep their digits, wherever they go", () => {
    expect(compileRowTemplate("${payload.id} ${payload.n[1]} ${payload.t}").text({ payload })).toBe(
      "12345678901234567890 9007199254740993 1.5",
    );
    expect(compileRowTemplate("${payload.n}").text({ payload })).toBe("[9007199254740993]");
    expect(compileRowTemplate("(${payload.id})").values({ payload })).toEqual(["12345678901234567890"]);
    expect(compileRowTemplate("${payload.id}").value({ payload })).toBe(12345678901234567890n);
  });

  test("nested too deep it is nothing, as for SQL", () => {
    const deep = `{"a": ${"[".repeat(600)}${"]".repeat(600)}, "b": ${" ".repeat(20_000)}1}`;
    expect(compileRowTemplate("${payload.b}").text({ payload: deep })).toBe("undefined");
  });

  test("once for all placeholders of a template; a value is nobody else's", () => {
    const { parse } = JSON;
    let read = 0;
    JSON.parse = (text: string) => {
      read++;
      return parse(text) as unknown;
    };
    try {
      compileRowTemplate("${payload.t} ".repeat(1000)).text({ payload });
      for (const source of ["${payload.t}", "${payload.deep}", "${payload.deep}"]) compileRowTemplate(source).value({ payload });
    } finally {
      JSON.parse = parse;
    }
    expect(read).toBeLessThan(2);
    const template = compileRowTemplate("${payload.deep}");
    const value = template.value({ payload }) as { a: number };
    value.a = 2;
    expect(template.value({ payload })).toEqual({ a: 1 });
    expect(compileRowTemplate("${payload.deep} ").text({ payload })).toBe('{"a":1} ');
  });
});

describe("bound", () => {
  const bound = (source: string): [string, unknown[]] => {
    const template = compileRowTemplate(source);
    return [template.bound((n) => `$${n}`), template.values(ROW)];
  };
  test.each([
    ["insert into t values (${a}, ${text})", "insert into t values ($1, $2)", [1, "é"]],
    ["values ('${a}', \"${text}\")", "values ($1, $2)", [1, "é"]],
    ["'x${a}'", "'x$1'", [1]],
    ["'${a}${text}'", "'$1$2'", [1, "é"]],
    ["${b.c} ${none} ${b.e} ${bytes}", "$1 $2 $3 $4", ['[10,{"d":"x"}]', null, null, ROW.bytes]],
  ])("%s", (source, text, values) => {
    expect(bound(source)).toEqual([text, values]);
  });
});

test("what is no path is refused, and so is what is too long", () => {
  for (const wrong of ["${a[}", "${a[x]}", "${a]}", "${a[1.5]}"]) expect(() => compileRowTemplate(wrong)).toThrow("is no path");
  expect(() => compileRowTemplate("x".repeat(64 * 1024 + 1))).toThrow("at most 65536 characters");
});

test("whatever it is made of, it takes any row, and text without placeholders stays", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.dictionary(fc.string(), fc.jsonValue()), (source, row) => {
      let template: ReturnType<typeof compileRowTemplate>;
      try {
        template = compileRowTemplate(source);
      } catch (err) {
        expect((err as Error).message).toContain("is no path");
        return;
      }
      const text = template.text(row);
      if (!source.includes("${")) expect(text).toBe(source);
      expect(template.values(row)).toHaveLength(template.bound(() => "\u0000").split("\u0000").length - source.split("\u0000").length);
    }),
    { numRuns: 100, seed: 1 },
  );
});

describe("what a row becomes has a bound, found before it is made", () => {
  const TOO_LONG = "what the row would become has more than 33554432 characters";
  const text = "x".repeat(256 * 1024);
  const bytes = new Uint8Array(256 * 1024).fill(0x78);
  /** `n` times the payload, out of a template of 64 KiB at most. */
  const many = (n: number) => compileRowTemplate("${payload}".repeat(n));

  test.each([
    ["text", (n: number, payload: unknown) => many(n).text({ payload }).length],
    ["strict", (n: number, payload: unknown) => many(n).strict({ payload })?.length],
    ["value", (n: number, payload: unknown) => String(many(n).value({ payload })).length],
    ["values", (n: number, payload: unknown) => many(n).values({ payload }).join("").length],
  ])("%s", (_, made) => {
    for (const payload of [text, bytes, [text]]) expect(() => made(6500, payload)).toThrow(TOO_LONG);
    expect(made(100, text)).toBe(100 * text.length);
  });

  test("JSON", () => {
    const pairs = Array.from({ length: 1000 }, () => ({ text }));
    for (const value of [Array(6500).fill(text), pairs, Array(6500).fill(bytes), { ["k".repeat(40_000_000)]: 1 }])
      expect(() => rowJson(value)).toThrow(TOO_LONG);
    expect(() => rowJson("\u0001".repeat(6_000_000))).toThrow(TOO_LONG);
    expect(rowJson(Array(100).fill(text)).length).toBe(100 * (text.length + 3) + 1);
  });

  test("JSON of what has one list in it more often than anybody could write", () => {
    let doubled: unknown = [1];
    for (let i = 0; i < 200; i++) doubled = [doubled, doubled];
    expect(() => rowJson({ doubled })).toThrow(TOO_LONG);
  });
});

test("JSON of a row is JSON, with bytes anywhere in it", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.uint8Array(), (value, bytes) => {
      const row = { value, deep: [{ bytes }] };
      const parsed = JSON.parse(rowJson(row)) as typeof row & { deep: { bytes: string }[] };
      expect(parsed.value).toEqual(JSON.parse(JSON.stringify(value)));
      expect(Buffer.from(parsed.deep[0]?.bytes as unknown as string, "base64")).toEqual(Buffer.from(bytes));
    }),
    { numRuns: 200, seed: 2 },
  );
  expect(rowJson(undefined)).toBe("null");
  expect(rowJson([12345678901234567890n, Uint8Array.of(1), "12345678901234567890"])).toBe(
    '[12345678901234567890,"AQ==","12345678901234567890"]',
  );
});
