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

test("while SQL is compiled, and outside of evaluations, nothing is counted", () => {
  pay(1e12);
  begin();
  expect(() => pay(1e12)).toThrow(TOO_MUCH);
  end();
  pay(1e12);
  expect(paid([1])).toEqual([1]);
});
