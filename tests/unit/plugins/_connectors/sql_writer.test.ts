/** What of a row's values the server gets, by what it takes each of them for. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { describe, expect, test } from "bun:test";
import { compileStatement } from "../../../../server/plugins/_connectors/sql_statement.ts";
import { sqlWriting } from "../../../../server/plugins/_connectors/sql_writer.ts";
import type { SqlDriver } from "../../../../server/plugins/_sql/driver.ts";
import type { Dialect } from "../../../../server/plugins/_sql/query.ts";

type Written = [text: string, values: readonly unknown[]];

const NO_CAUSE = { event: "", clientId: "", topic: null, payload: null };

/** A server that takes the one value for `type`: what it got, and why not. */
async function tried(dialect: Dialect, type: string, value: unknown): Promise<{ all: Written[]; refusals: string[] }> {
  const all: Written[] = [];
  const driver = {
    typesOf: async () => [type],
    write: async (text: string, values: readonly unknown[]) => void all.push([text, values]),
  } as unknown as SqlDriver;
  const writing = sqlWriting(dialect, compileStatement("insert into t (a) values (${a})", dialect));
  const item = writing.make(
    { a: value },
    { event: "", ruleId: "", clientId: "", lineage: { depth: 0, family: { made: 0 } }, column: () => undefined, cause: () => NO_CAUSE },
  );
  const missing = await writing.write(driver, [item], { wanted: () => true, careful: false });
  return { all, refusals: [...missing.values()].map((why) => (why as Error).message) };
}

async function written(dialect: Dialect, type: string, value: unknown): Promise<Written> {
  const { all, refusals } = await tried(dialect, type, value);
  expect(refusals).toEqual([]);
  return all[0] as Written;
}

describe("PostgreSQL", () => {
  test.each([[[Uint8Array.of(255, 0, 170)]], [["plain"]], [[[["plain"]]]], [[1]], [[{}]]])(
    "of %j in a bytea[] nobody knows whether it is base64",
    async (list) => {
      const { all, refusals } = await tried("postgres", "bytea[]", list);
      expect([all, refusals]).toEqual([[], [expect.stringContaining("a list for bytea[] has bytes as \\x and hexadecimal digits")]]);
    },
  );

  test.each<[type: string, value: unknown, bound: unknown]>([
    ["integer[]", [1, 2, null], "{1,2,NULL}"],
    ["bigint[]", [9007199254740993n, 1], "{9007199254740993,1}"],
    ["double precision[]", "[1.5, -1e-7]", "{1.5,-1e-7}"],
    ["boolean[]", [true, false], "{true,false}"],
    [
      "text[]",
      ["a b", 'say "x"', "back\\slash", "", "NULL", null, "{1}", 7],
      '{"a b","say \\"x\\"","back\\\\slash","","NULL",NULL,"{1}",7}',
    ],
    ["text[]", [{ a: [1] }], '{"{\\"a\\":[1]}"}'],
    [
      "integer[]",
      [
        [1, 2],
        [3, 4],
      ],
      "{{1,2},{3,4}}",
    ],
    ["timestamp with time zone[]", ["2024-02-23T15:56:30.5Z"], '{"2024-02-23T15:56:30.5Z"}'],
    ["jsonb[]", [1, "a", { b: [2, 9007199254740993n] }, [3], null], '{"1","\\"a\\"","{\\"b\\":[2,9007199254740993]}","[3]",NULL}'],
    ["integer[]", [], "{}"],
    ["integer[]", [[], []], "{}"],
    ["integer[]", [[[]], []], "{}"],
    ["jsonb[]", [[], []], '{"[]","[]"}'],
    ["box[]", ["(1,1),(0,0)", "(2,2),(1,1)"], '{"(1,1),(0,0)";"(2,2),(1,1)"}'],
    ["point[]", ["(1,1)", "(2,2)"], '{"(1,1)","(2,2)"}'],
    ["bytea[]", ["\\xff00aa", null], '{"\\\\xff00aa",NULL}'],
    ["bytea[]", "{plain}", "{plain}"],
    // Its own form, and what is none, is the server's to read.
    ["integer[]", "{1,2}", "{1,2}"],
    ["integer[]", "[0:1]={1,2}", "[0:1]={1,2}"],
    ["integer[]", 5, "5"],
    ["integer[]", null, null],
    // Anything but an array gets a list as JSON.
    ["text", [1, "a"], '[1,"a"]'],
    ["text", { a: 1 }, '{"a":1}'],
    ["bigint", 9007199254740993n, "9007199254740993"],
    ["timestamp with time zone", "2024-02-23T15:56:30.5Z", "2024-02-23T15:56:30.5Z"],
  ])("%s of %p", async (type, value, bound) => {
    expect(await written("postgres", type, value)).toEqual(["insert into t (a) values ($1)", [bound]]);
  });

  test("JSON columns have the JSON as a text that the server reads", async () => {
    expect(await written("postgres", "jsonb", [{ a: 1 }])).toEqual(["insert into t (a) values ($1::text::jsonb)", ['[{"a":1}]']]);
    expect(await written("postgres", "json", { a: 9007199254740993n })).toEqual([
      "insert into t (a) values ($1::text::json)",
      ['{"a":9007199254740993}'],
    ]);
  });
});

test("MySQL and MariaDB get lists and maps as JSON, numbers of any length as digits, and times as they are written", async () => {
  for (const [value, bound] of [
    [[1, "a", { b: 2 }], '[1,"a",{"b":2}]'],
    [{ a: [1] }, '{"a":[1]}'],
    [9007199254740993n, "9007199254740993"],
    [true, 1],
    // It may be for a column of text.
    ["2024-02-23T15:56:30Z", "2024-02-23T15:56:30Z"],
  ])
    expect(await written("mysql", "", value)).toEqual(["insert into t (a) values (?)", [bound]]);
});

test("what is done with a time in the statement stands for each row", () => {
  const sql = "insert into t (at, made) values (TRIM(TRAILING 'Z' FROM ${at}), FROM_UNIXTIME(${timestamp} / 1000))";
  expect(compileStatement(sql, "mysql").text(2)).toBe(
    "insert into t (at, made) values (TRIM(TRAILING 'Z' FROM ?), FROM_UNIXTIME(? / 1000)), (TRIM(TRAILING 'Z' FROM ?), FROM_UNIXTIME(? / 1000))",
  );
});
