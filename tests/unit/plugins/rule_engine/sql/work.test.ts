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
