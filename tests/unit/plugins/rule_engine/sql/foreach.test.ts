/** What all elements of one FOREACH may cost and hold together. */
import { describe, expect, test } from "bun:test";
import { compileRule } from "../../../../../server/plugins/rule_engine/sql/index.ts";
import { Sizes } from "../../../../../server/plugins/rule_engine/sql/sizes.ts";
import { begin, end } from "../../../../../server/plugins/rule_engine/sql/work.ts";
import { message } from "../../../../support/rule_sql.ts";

const TOO_LARGE = "FOREACH: the rows take more than 64 MiB";
const numbers = (n: number): number[] => [...Array(n).keys()];

describe("rows are held until the last one is made", () => {
  const long = { s: "x".repeat(20_000), list: numbers(4000) };
  test.each([
    ["a map that each row has its own of", "json_decode(payload) AS m"],
    ["a text within maps", "concat(payload, 'x') AS a.b"],
    ["an array that is made", "[payload.list, payload.list] AS b"],
    ["a map that all rows share: it goes out with each of them", "payload AS text, payload.list AS list"],
  ])("%s", (_, field) => {
    const rule = compileRule(`FOREACH payload.a DO ${field} FROM "t"`);
    expect(rule.run(message({ ...long, a: numbers(100) }))).toHaveLength(100);
    expect(() => rule.run(message({ ...long, a: numbers(2500) }))).toThrow(TOO_LARGE);
  });

  test("fields that double one another are no larger than they can be counted", () => {
    const doubled = Array.from({ length: 400 }, (_, i) => `[f${i}, f${i}] AS f${i + 1}`).join(", ");
    expect(() => compileRule(`FOREACH payload.a DO item AS f0, ${doubled} FROM "t"`).run(message({ a: [1] }))).toThrow(TOO_LARGE);
  });
});

describe("sizes", () => {
  test("whatever lies in a row, as often as it lies there", () => {
    const size = (value: object): number => new Sizes().of(value as Parameters<Sizes["of"]>[0]);
    const text = "x".repeat(1000);
    const inner = [text];
    expect(size({ a: text })).toBeGreaterThan(1000);
    expect(size({ a: { b: [text] } })).toBeGreaterThan(size({ a: text }));
    expect(size({ a: new Uint8Array(5000) })).toBeGreaterThan(5000);
    expect(size({ a: 10n ** 300n })).toBeGreaterThan(250);
    expect(size({ ["k".repeat(5000)]: null })).toBeGreaterThan(5000);
    expect(size({ a: inner, b: inner }) - size({ a: inner })).toBeGreaterThan(1000);
  });

  test("what is looked through is paid for, once", () => {
    const sizes = new Sizes();
    const shared = numbers(50_000);
    const cost = (): number => {
      begin(1e9);
      sizes.of({ shared });
      return 1e9 - end();
    };
    expect(cost()).toBeGreaterThan(500_000);
    expect(cost()).toBeLessThan(1000);
  });
});

describe("what all elements cost", () => {
  const upper = (n: number): string => Array.from({ length: n }, (_, i) => `upper(payload.s) AS f${i}`).join(", ");

  test("is bounded, however little each of them does", () => {
    // About a millisecond each; INCASE keeps no row.
    const rule = compileRule(`FOREACH payload.a INCASE strlen(upper(payload.s)) = 0 FROM "t"`);
    const payload = { s: "x".repeat(80_000), a: numbers(10_000) };
    const since = performance.now();
    expect(() => rule.run(message(payload))).toThrow("this is too much work for one event (about 1000 ms of it are done)");
    // Without a bound it is ten seconds.
    expect(performance.now() - since).toBeLessThan(5000);
    expect(rule.run(message({ ...payload, a: numbers(100) }))).toEqual([]);
  });

  test("each of them has its own share as well", () => {
    const rule = compileRule(`FOREACH payload.a DO ${upper(20)} FROM "t"`);
    expect(() => rule.run(message({ s: "x".repeat(900_000), a: [1] }))).toThrow("(about 50 ms of it are done)");
  });

  test("ten thousand elements that are worked with as people do are not too much", () => {
    const element = { id: 17, name: "sensor of the second floor", values: [1, 2, 3, 4, 5, 6, 7, 8], at: "2026-01-02T03:04:05Z" };
    const payload = { a: Array.from({ length: 10_000 }, (_, i) => ({ ...element, i })) };
    const rule = compileRule(
      `FOREACH payload.a AS e DO e.id AS id, upper(e.name) AS name, nth(3, e.values) * 1.8 + 32 AS f, sha256(e.name) AS h,
         map_keys(e) AS k, json_encode(e) AS text, rfc3339_to_unix_ts(e.at) AS at, clientid INCASE e.i >= 0 and e.name like '%floor' FROM "t"`,
    );
    expect(rule.run(message(payload))).toHaveLength(10_000);
  });
});
