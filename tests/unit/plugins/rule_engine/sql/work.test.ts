/** What one evaluation may cost. */
import { describe, expect, test } from "bun:test";
import { compileRule } from "../../../../../server/plugins/rule_engine/sql/index.ts";
import { begin, end, paid, pay } from "../../../../../server/plugins/rule_engine/sql/work.ts";
import { message } from "../../../../support/rule_sql.ts";

const TOO_MUCH = "this is too much work for one event";
const times = (n: number, field: string): string => Array.from({ length: n }, (_, i) => `${field} AS f${i}`).join(", ");
const nestedText = (inner: unknown): string => JSON.stringify({ s: JSON.stringify(inner), a: inner });

describe("a stranger's payload cannot make a rule take long", () => {
  const many = [...Array(90_000).keys()];
  test.each([
    ["a text that is read as JSON again for each column", "payload.s.x", { x: many }],
    ["a text that every column changes", "upper(payload.s)", "x".repeat(900_000)],
    ["arrays that every column goes through", "contains(-1, payload.a)", many],
    ["maps", "map_keys(payload.a)", Object.fromEntries(many.slice(0, 30_000).map((n) => [`k${n}`, n]))],
    ["patterns", "regex_match(payload.s, '[ab]+c')", "a".repeat(20_000)],
    ["comparisons of arrays", "payload.a = payload.a2", many],
    ["digests", "sha512(payload.s)", "x".repeat(900_000)],
  ])("%s", (_, field, inner) => {
    const rule = compileRule(`SELECT ${times(200, field)} FROM "t"`);
    const payload = `${nestedText(inner).slice(0, -1)},"a2":${JSON.stringify(inner)}}`;
    expect(() => rule.run(message(payload))).toThrow(TOO_MUCH);
    // The next event has all of it again.
    const little = Array.isArray(inner) ? [] : {};
    expect(rule.run(message({ s: "", a: little, a2: little }))).toHaveLength(1);
  });

  test("of FOREACH each element has as much", () => {
    const rule = compileRule(`FOREACH payload.a DO ${times(8, "upper(payload.s)")} FROM "t"`);
    const payload = { a: [...Array(20).keys()], s: "x".repeat(300_000) };
    expect(rule.run(message(payload))).toHaveLength(20);
    expect(() => compileRule(`FOREACH payload.a DO ${times(80, "upper(payload.s)")} FROM "t"`).run(message(payload))).toThrow(TOO_MUCH);
  });
});

test("replacing costs what is replaced", () => {
  const rule = (part: string): (() => readonly unknown[]) => {
    const compiled = compileRule(`SELECT ${times(4, `replace(payload, '${part}', 'y')`)} FROM "t"`);
    return () => compiled.run(message("x".repeat(500_000)));
  };
  expect(rule("x")).toThrow(TOO_MUCH);
  expect(rule("xxxxxxxxxx")()).toHaveLength(1);
});

describe("comparing long texts costs what is looked at", () => {
  const a = "x".repeat(500_000);
  const rule = (field: string, n: number): (() => readonly unknown[]) => {
    const list = Array.from({ length: n }, () => field).join(", ");
    // Made by the rule, so that no two are the same one.
    const sql = compileRule(`SELECT payload.a + 'p' AS x, payload.a + 'p' AS y, payload.a + 'q' AS z, [${list}] AS f FROM "t"`);
    return () => sql.run(message({ a }));
  };
  const bytes = new Uint8Array(900_000).fill(0xff);

  test.each(["x = y", "x <> y", "x < z", "x >= y", "x in (y)", "eq(x, y)", "CASE x WHEN y THEN 1 END"])("much: %s", (field) => {
    expect(rule(field, 1500)).toThrow(TOO_MUCH);
    expect(rule(field, 50)()).toHaveLength(1);
  });

  test("much: within arrays, and of bytes", () => {
    const list = (of: string): string => `[${Array.from({ length: 1500 }, () => of).join(",")}]`;
    expect(rule(`${list("x")} = ${list("y")}`, 1)).toThrow(TOO_MUCH);
    const compared = compileRule(`SELECT ${list("payload < payload")} AS f FROM "t"`);
    expect(() => compared.run(message(bytes))).toThrow(TOO_MUCH);
    expect(compared.run(message(bytes.slice(0, 1000)))).toHaveLength(1);
  });

  test("little: where the lengths say it", () => expect(rule("x = payload.a", 1500)()).toHaveLength(1));
});

describe("what is given costs what is done with it", () => {
  const many = [...Array(90_000).keys()];
  const map = Object.fromEntries(many.slice(0, 15_000).map((n) => [`k${n}`, n]));
  const text = "x".repeat(900_000);
  const payload = JSON.stringify({ a: many, m: { inner: map, n: 1 }, wide: map, s: text });
  const rule = (field: string): (() => readonly unknown[]) => {
    const compiled = compileRule(`SELECT ${times(500, field)} FROM "t"`);
    return () => compiled.run(message(payload));
  };

  test.each([
    "nth(3, payload.a)",
    "length(payload.a)",
    "first(payload.a)",
    "last(payload.a)",
    "sublist(2, 3, payload.a)",
    "payload.a[2..4]",
    "is_array(payload.a)",
    "is_num(payload.s)",
    "is_empty(payload.wide)",
    "is_not_null(payload.a)",
    "coalesce(payload.s, payload.a, 0)",
    "map_get('k7', payload.wide)",
    "map_get('inner.k7', payload.m)",
    "map_put('n', payload.a, payload.m)",
    "starts_with(payload.s, 'xx')",
    "ends_with(payload.s, 'xx')",
    "rm_prefix(payload.s, 'xx')",
    "ascii(payload.s)",
    "str(payload.s)",
    "eq(1, payload.a)",
  ])("little: %s", (field) => expect(rule(field)()).toHaveLength(1));

  test.each([
    "strlen(payload.s)",
    "substr(payload.s, 3, 2)",
    "bytesize(payload.s)",
    "sublist(90000, payload.a)",
    "payload.a[1..90000]",
    "str(payload.a)",
    "json_encode(payload.wide)",
    "json_decode('\"' + payload.s + '\"')",
    "map_remove('k7', payload.wide)",
    "map_put('k7', 1, payload.wide)",
    "map_put('inner.k7', 1, payload.m)",
    "map_size(payload.wide)",
    "coalesce(payload.a)",
    "concat(payload.a)",
    "join_to_string(payload.a)",
    "concat(payload.s, 'x')",
    "starts_with(payload.s, payload.s)",
    "md5(payload.s)",
  ])("much: %s", (field) => expect(rule(field)).toThrow(TOO_MUCH));

  test("of bytes the number is known, of text it is counted", () => {
    const bytes = new Uint8Array(900_000).fill(0xff);
    const compiled = compileRule(`SELECT ${times(500, "strlen(payload)")}, ${times(10, "bitsize(payload)")} FROM "t"`);
    expect(compiled.run(message(bytes))).toHaveLength(1);
    expect(() => compiled.run(message(text))).toThrow(TOO_MUCH);
  });
});

test("outside of evaluations nothing is counted", () => {
  pay(1e12);
  begin();
  expect(() => pay(1e12)).toThrow(TOO_MUCH);
  end();
  pay(1e12);
  expect(paid([1])).toEqual([1]);
});

describe("what is constant takes no more than its share while SQL is compiled, and is worked out when the rule runs", () => {
  const all = (n: number, field: (i: number) => string): string => Array.from({ length: n }, (_, i) => `${field(i)} AS f${i}`).join(", ");
  test.each([
    ["patterns that match slowly", 300, () => "regex_match(pad('a',1000,'leading','a'),'(?:a?){900}b')"],
    ["patterns that are large", 500, (i: number) => `regex_match(topic, '(?:(?:a?){30}){30}${i}b')`],
    ["like", 300, (i: number) => `(pad('a',1000,'leading','a') like '%a%a%a%a%a%a%a%a%a%a%a%a%a%b${i}')`],
    ["texts that are made and fail", 500, () => "sqrt(pad('a',1000000,'leading','a'))"],
    ["arrays that are too large to be kept", 500, () => "length([1..1000])"],
  ])("%s", (_, n, field) => {
    const sql = `SELECT ${all(n, field)} FROM "t"`;
    // Some tens of milliseconds; working out all of it takes seconds where it takes long.
    const since = performance.now();
    expect(compileRule(sql).from).toEqual(["t"]);
    expect(performance.now() - since).toBeLessThan(1500);
  });

  test("what is little is worked out, and wrong patterns are told", () => {
    expect(compileRule(`SELECT 1 + 2 AS x, regex_match('ab', 'b') AS y, 'ab' like 'a%' AS z FROM "t"`).run(message("{}"))).toEqual([
      { x: 3, y: true, z: true },
    ]);
    expect(() => compileRule(`SELECT regex_match(topic, '(') FROM "t"`)).toThrow("line 1, column 8");
    expect(() => compileRule(`SELECT (topic like '${"x".repeat(600)}') AS x FROM "t"`)).toThrow("like");
  });
});
