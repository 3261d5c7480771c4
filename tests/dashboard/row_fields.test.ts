// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
/** What is made of the fields that the broker says a rule's rows have: statements, tables, and what templates name in vain. */
import { describe, expect, test } from "bun:test";
import { fieldsText, insertOf, pathRowsOf, tableOf, unmade } from "../../dashboard/src/lib/row_fields.ts";
import { dialectOf } from "../../dashboard/src/lib/sql_names.ts";

const FIELDS = [["clientid"], ["payload", "temperature"], ["round(payload.x)"]];

describe("a statement", () => {
  test.each([
    [[["clientid"], ["t"]], "INSERT INTO r (clientid, t)\nVALUES (${clientid}, ${t})"],
    // What no template can name is left out.
    [FIELDS, "INSERT INTO r (clientid, temperature)\nVALUES (${clientid}, ${payload.temperature})"],
    [[["a", "x"], ["b", "X"], ["y"]], "INSERT INTO r (a_x, b_X, y)\nVALUES (${a.x}, ${b.X}, ${y})"],
    [[["x"], ["x"]], "INSERT INTO r (x)\nVALUES (${x})"],
    [[["a", "x"], ["b", "x"], ["A_x"], ["a_x", "y"]], "INSERT INTO r (a_x, b_x, A_x_2, y)\nVALUES (${a.x}, ${b.x}, ${A_x}, ${a_x.y})"],
    [[["order"], ["Key"], ["größe"]], "INSERT INTO r (`order`, `Key`, `größe`)\nVALUES (${order}, ${Key}, ${größe})"],
    [[["payload"], ["payload", "t"]], "INSERT INTO r (payload)\nVALUES (${payload})"],
    [[["max(a)"]], "INSERT INTO r (data)\nVALUES (${.})"],
    [[], "INSERT INTO r (data)\nVALUES (${.})"],
  ])("of %j", (fields, sql) => {
    expect(insertOf("r", fields, "mysql")).toBe(sql);
    // A statement that is made names nothing in vain.
    expect(unmade(sql, fields)).toEqual([]);
  });

  test("of PostgreSQL has names in its own quotes, reserved words as it reads them without", () => {
    const fields = [["order"], ["Group"], ["null"], ["$x"], ["Größe"], ["Value"], ["timestamp"]];
    expect(insertOf("r", fields, dialectOf("data_to_pgsql")).split("\n")[0]).toBe(
      'INSERT INTO r ("order", "group", "null", "$x", "Größe", Value, timestamp)',
    );
    expect(tableOf("r", [["key"]], { key: 1 }, "postgres")).toBe('CREATE TABLE r (\n  "key" double precision\n);');
    expect(tableOf("r", [["key"]], { key: 1 }, dialectOf("data_to_mysql"))).toBe("CREATE TABLE r (\n  `key` double precision\n);");
  });

  test("and the table for it, with types as far as there is an example", () => {
    const row = { clientid: "a", payload: { t: 1.5 }, ok: true, timestamp: 17 };
    const fields = [["clientid"], ["payload", "t"], ["ok"], ["timestamp"]];
    expect(tableOf("r", fields, row, "postgres")).toBe(
      "CREATE TABLE r (\n  clientid text,\n  t double precision,\n  ok boolean,\n  timestamp bigint\n);",
    );
    expect(tableOf("r", [["n"]], undefined, "postgres")).toBe("CREATE TABLE r (\n  n text\n);");
    expect(tableOf("r", [], undefined, "postgres")).toBe("CREATE TABLE r (\n  data text\n);");
  });
});

test.each([
  ["${clientid} ${payload} ${payload.temperature} ${ payload.temperature.deep[1].x } ${payload[1]}", []],
  ["${.} ${} no placeholder $ {x} $x", []],
  ["${temperature} ${t} ${payload.temp} ${temperature}", ["temperature", "t", "payload.temp"]],
  ["${.temperature} ${clientids}", [".temperature", "clientids"]],
  ["${a[1].b}", ["a[1].b"]],
])("of %j is named in vain %j", (text, names) => {
  expect(unmade(text, FIELDS)).toEqual(names);
});

test("the fields for people, and for completion", () => {
  expect(fieldsText(FIELDS)).toBe("clientid, payload.temperature, round(payload.x)");
  expect(fieldsText(Array.from({ length: 20 }, (_, i) => [`f${i}`]))).toBe(
    `${Array.from({ length: 12 }, (_, i) => `f${i}`).join(", ")}, …`,
  );
  expect(pathRowsOf(FIELDS).map((f) => f.path)).toEqual(["clientid", "payload.temperature"]);
});
