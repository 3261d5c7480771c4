// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { describe, expect, test } from "bun:test";
import { compileStatement } from "../../../../server/plugins/_connectors/sql_statement.ts";

describe("a plain INSERT takes many rows at a time", () => {
  const cases: [sql: string, two: string][] = [
    ["INSERT INTO t (a, b) VALUES (${a}, ${b})", "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)"],
    ["insert into t values(${a});", "insert into t values($1), ($2)"],
    [
      "insert into t (a) values (to_timestamp(${a} / 1000.0))",
      "insert into t (a) values (to_timestamp($1 / 1000.0)), (to_timestamp($2 / 1000.0))",
    ],
    ["insert into t (a, b) values ('x)', ${a})", "insert into t (a, b) values ('x)', $1), ('x)', $2)"],
    ["insert into t (a) values ('${a}') on conflict do nothing", "insert into t (a) values ($1), ($2) on conflict do nothing"],
    ['insert into "values (" (a) values (${a})', 'insert into "values (" (a) values ($1), ($2)'],
    [
      "insert into t (a) values (case when ${a} in (1, 2) then 1 else 0 end)",
      "insert into t (a) values (case when $1 in (1, 2) then 1 else 0 end), (case when $2 in (1, 2) then 1 else 0 end)",
    ],
    ["insert into t (a) values (${a}) -- the end", ""],
  ];
  for (const [sql, two] of cases)
    test(sql, () => {
      const statement = compileStatement(sql, "postgres");
      if (two === "") expect(statement.most).toBe(512);
      else expect(statement.text(2)).toBe(two);
    });
  test("MySQL has question marks", () => {
    expect(compileStatement("replace into t (a, b) values (${a}, ${b})", "mysql").text(2)).toBe(
      "replace into t (a, b) values (?, ?), (?, ?)",
    );
  });
});

describe("anything else is done one by one", () => {
  for (const sql of [
    "insert into t (a) values (${a}), (${b})",
    "insert into t (a) values (${a}) returning id",
    "insert into t (a) values (${a}) on conflict (a) do update set a = ${a}",
    "insert into t select ${a}",
    "insert into t (a) select x from (values (${a})) as v (x)",
    "with x as (select 1) insert into t (a) values (${a})",
    "update t set a = ${a}",
    "call f(${a})",
    "insert into t (a) values ('\\'', ${a})",
    "insert into ${a} (a) values (1)",
  ])
    test(sql, () => expect(compileStatement(sql, "postgres").most).toBe(1));
});

test("a JSON column's value is given as a text, which the server reads", () => {
  expect(compileStatement("insert into t values (${a}, ${b})", "postgres").text(2, ["integer", "jsonb"])).toBe(
    "insert into t values ($1, $2::text::jsonb), ($3, $4::text::jsonb)",
  );
});

test("no more values than both protocols count", () => {
  const many = Array.from({ length: 300 }, (_, i) => `\${v${i}}`).join(", ");
  expect(compileStatement(`insert into t values (${many})`, "mysql").most).toBe(128);
  expect(() => compileStatement(`insert into t values (${Array.from({ length: 3 }, () => "${x}")})`, "mysql")).not.toThrow();
});

describe("what cannot be is refused in words", () => {
  for (const [sql, why] of [
    ["", /expected a statement/],
    ["insert into t values ('room ${a}')", /within a quoted text/],
    ["insert into t values (1) -- ${a}", /within a quoted text, or a comment/],
    ["delete from t; drop table t", /one statement/],
    ["insert into t values (${a b[})", /no path/],
  ] as const)
    test(sql, () => expect(() => compileStatement(sql, "postgres")).toThrow(why));
});
