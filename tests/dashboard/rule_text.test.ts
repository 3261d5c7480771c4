/** SQL as the editor sees it: words, clauses, the form that writes and reads it, completion, templates. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Completion, completeSql, completeTemplate, placeholders, type SqlWords } from "../../dashboard/src/lib/completion.ts";
import { OPERATORS, type RuleForm, readSql, writeSql } from "../../dashboard/src/lib/rule_form.ts";
import { placeOf, sourcesOf, sqlTokens, unquoted, withSources } from "../../dashboard/src/lib/sql_text.ts";
import { pathsOf } from "../../dashboard/src/lib/value_paths.ts";
import { compileRule } from "../../server/plugins/rule_engine/sql/index.ts";

const kinds = (sql: string): string[] =>
  sqlTokens(sql)
    .filter((t) => t.kind !== "space")
    .map((t) => `${t.kind} ${sql.slice(t.at, t.end)}`);

describe("words", () => {
  test("each kind, and a field that is named as a keyword", () => {
    expect(kinds(`SELECT payload.from, round(x) -- why\nFROM "a/#" WHERE a <> 1.5e3 and b = 'it''s'`)).toEqual([
      "keyword SELECT",
      "name payload",
      "sign .",
      "name from",
      "sign ,",
      "function round",
      "sign (",
      "name x",
      "sign )",
      "comment -- why",
      "keyword FROM",
      'text "a/#"',
      "keyword WHERE",
      "name a",
      "sign <>",
      "number 1.5e3",
      "keyword and",
      "name b",
      "sign =",
      "text 'it''s'",
    ]);
  });

  test("whatever is typed: all of it, in order, nothing twice", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."aF1'\"`.-()[]=<>!~, \n\t$_é\u{1f600}"), maxLength: 60 }), (sql) => {
        expect(
          sqlTokens(sql)
            .map((t) => sql.slice(t.at, t.end))
            .join(""),
        ).toBe(sql);
      }),
    );
  });

  test("a long text that is never closed takes no time", () => {
    for (const text of [`SELECT '${"''a".repeat(40_000)}`, `SELECT ${"(".repeat(40_000)}`, `SELECT ${'"a", '.repeat(20_000)}`]) {
      const began = performance.now();
      readSql(text);
      sqlTokens(text);
      expect(performance.now() - began).toBeLessThan(1000);
    }
  });
});

describe("what a statement looks at", () => {
  const table: [sql: string, sources: string[] | null, others: string | null][] = [
    ['SELECT * FROM "t/#"', ["t/#"], 'SELECT * FROM "n"'],
    ['select * from "a", "$events/client_connected" where x > 1', ["a", "$events/client_connected"], 'select * from "n" where x > 1'],
    [
      'FOREACH payload.x AS e DO e.a INCASE e.a > 1 FROM "t" WHERE y',
      ["t"],
      'FOREACH payload.x AS e DO e.a INCASE e.a > 1 FROM "n" WHERE y',
    ],
    ["SELECT a FROM 't'", ["t"], 'SELECT a FROM "n"'],
    ['SELECT f(payload.from) FROM "t"', ["t"], 'SELECT f(payload.from) FROM "n"'],
    ["SELECT a FROM t", null, 'SELECT a FROM "n"'],
    ["SELECT a FROM", null, 'SELECT a FROM "n"'],
    ["SELECT a", null, null],
    ["", null, null],
  ];
  test.each(table)("%s", (sql, sources, others) => {
    expect(sourcesOf(sql)).toEqual(sources);
    expect(withSources(sql, ["n"])).toBe(others);
  });

  test("where the broker's message points to", () => {
    const sql = "SELECT a\nFROM x\nWHERE b";
    const word = (line: number, column: number, length: number): string => {
      const { at, end } = placeOf(sql, line, column, length);
      return sql.slice(at, end);
    };
    expect([word(2, 6, 1), word(3, 1, 5), word(1, 1, 6), word(9, 9, 9)]).toEqual(["x", "WHERE", "SELECT", ""]);
  });
});

describe("form and SQL", () => {
  test("what a form shows of a statement", () => {
    expect(readSql(`select payload.a as a, round(x, 2) AS b from "t/#" where a > 30 and b = 'it''s' AND c like 'x%'`)).toEqual({
      sources: ["t/#"],
      fields: [
        { expr: "payload.a", as: "a" },
        { expr: "round(x, 2)", as: "b" },
      ],
      join: "AND",
      conditions: [
        { left: "a", op: ">", right: "30" },
        { left: "b", op: "=", right: "it's" },
        { left: "c", op: "LIKE", right: "x%" },
      ],
      where: "a > 30 and b = 'it''s' AND c like 'x%'",
    });
    expect(readSql('SELECT * FROM "t"')).toMatchObject({ fields: null, conditions: [] });
  });

  test("what it cannot show is kept, or left to the SQL", () => {
    for (const where of ["a > 1 and b < 2 or c = 3", "(a = 1)", "a in (1, 2)", "not a = 1", "a > b", "a = 1 + 2", "f(a)"]) {
      const form = readSql(`SELECT * FROM "t" WHERE ${where}`);
      expect({ where, conditions: form?.conditions, kept: form && writeSql(form) }).toEqual({
        where,
        conditions: null,
        kept: `SELECT *\nFROM "t"\nWHERE ${where}`,
      });
    }
    for (const sql of ['FOREACH a FROM "t"', 'SELECT a -- why\nFROM "t"', "SELECT a", 'SELECT a, FROM "t"', "SELECT * FROM t"]) {
      expect([sql, readSql(sql)]).toEqual([sql, null]);
    }
  });

  const name = fc.constantFrom("clientid", "payload.a", "payload.b.c", "round(payload.x)", "topic", "qos + 1");
  const typed = fc.oneof(fc.constantFrom("30", "-1.5", "true", "null", "it's", "", " x ", "'30'", '"', "é"), fc.string({ maxLength: 8 }));
  const form: fc.Arbitrary<RuleForm> = fc.record({
    sources: fc.array(fc.constantFrom("t/#", "a/+/b", "$events/client_connected", 'say "hi"'), { minLength: 1, maxLength: 3 }),
    fields: fc.option(fc.array(fc.record({ expr: name, as: fc.constantFrom("", "x", "y_1") }), { minLength: 1, maxLength: 4 })),
    join: fc.constantFrom("AND", "OR"),
    conditions: fc.array(fc.record({ left: name, op: fc.constantFrom(...OPERATORS), right: typed }), { maxLength: 3 }),
    where: fc.constant(""),
  });

  test("what the form has written it reads again, and writes the same", () => {
    fc.assert(
      fc.property(form, (given) => {
        const sql = writeSql(given);
        const read = readSql(sql);
        expect(read).not.toBeNull();
        expect(writeSql(read as RuleForm)).toBe(sql);
        expect(read?.conditions?.length).toBe(given.conditions?.length ?? 0);
      }),
      { numRuns: 500 },
    );
  });

  test("the broker understands what the form writes", () => {
    fc.assert(
      fc.property(form, (given) => {
        // A pattern of a topic is one in quotes, and names as texts are the broker's own affair.
        const plain = {
          ...given,
          conditions: given.conditions?.map((c) => ({ ...c, right: c.op === "=~" || c.op === "LIKE" ? "a" : c.right })) ?? [],
        };
        expect(() => compileRule(writeSql(plain))).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });

  test("texts in quotes", () => {
    expect([unquoted("'a''b'"), unquoted('"x"'), unquoted("'"), unquoted("'a' + 'b'"), unquoted("a")]).toEqual([
      "a'b",
      "x",
      null,
      null,
      null,
    ]);
  });
});

describe("completion", () => {
  const words: SqlWords = {
    columns: pathsOf({ clientid: "c1", topic: "t", payload: { temperature: 31.5, list: [{ x: 1 }], "odd name": 1 } }),
    functions: [{ name: "tokens", args: "text, by", doc: "Pieces.", example: "tokens('a b', ' ')", result: '["a","b"]' }],
    events: [
      { topic: "t/#", title: "message" },
      { topic: "$events/client_connected", title: "connected" },
    ],
  };
  /** The caret is where | stands. */
  const at = (text: string, asked = false): Completion | null => completeSql(text.replace("|", ""), text.indexOf("|"), words, asked);
  const texts = (c: Completion | null): string[] => c?.items.map((i) => i.text) ?? [];

  test("columns with the payload's fields, functions, keywords", () => {
    expect(texts(at("SELECT pay|"))).toEqual(["payload", "payload.temperature", "payload.list", "payload.list[1]", "payload.list[1].x"]);
    expect(at("SELECT payload.te|")?.items[0]).toMatchObject({ text: "payload.temperature", detail: "31.5" });
    expect(texts(at("SELECT to|")).slice(0, 2)).toEqual(["topic", "tokens()"]);
    expect(at("SELECT tok|")?.items[0]).toMatchObject({ text: "tokens()", back: 1, doc: `Pieces.\ntokens('a b', ' ') → ["a","b"]` });
    expect(texts(at("SEL|"))).toEqual(["SELECT"]);
  });

  test("nothing in texts and comments, behind a number, or unasked at an empty place", () => {
    for (const text of ["SELECT 'pay|'", "SELECT a -- pay|", "WHERE a > 3|", "SELECT |", "SELECT topic|", "SELECT zzz|"])
      expect([text, at(text)]).toEqual([text, null]);
    expect(texts(at("SELECT |", true)).length).toBeGreaterThan(20);
  });

  test("events behind FROM", () => {
    expect(at('SELECT * FROM "$ev|"')).toMatchObject({ from: 15, to: 18, items: [{ text: "$events/client_connected" }] });
    expect(at('SELECT * FROM "a", "$|"')?.items.length).toBe(1);
    expect(at('SELECT "$ev|"')).toBeNull();
  });

  test("fields of the row in templates", () => {
    const fields = pathsOf({ temperature: 31.5, who: { id: "s1" } });
    const template = (text: string): Completion | null => completeTemplate(text.replace("|", ""), text.indexOf("|"), fields);
    expect(template("a/${te|")).toMatchObject({ from: 4, to: 6, items: [{ text: "temperature}" }] });
    expect(template("a/$" + "{wh|o.id}/b")).toMatchObject({ from: 4, to: 11 });
    expect([template("a/te|"), template("$" + "{a} te|")]).toEqual([null, null]);
    expect(placeholders("a $" + "{x} $" + "{y.z}")).toEqual([
      { at: 2, end: 6 },
      { at: 7, end: 13 },
    ]);
  });
});
