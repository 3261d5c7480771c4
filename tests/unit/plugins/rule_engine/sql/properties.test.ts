/** What holds for every rule. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Expr, printExpr } from "../../../../../server/plugins/rule_engine/sql/ast.ts";
import { compileRule, type Row, RuleError, SqlError } from "../../../../../server/plugins/rule_engine/sql/index.ts";
import { parse } from "../../../../../server/plugins/rule_engine/sql/parser.ts";
import { eventOf, printStatement } from "../../../../support/rule_sql.ts";
import { anyStatement, interpret, simpleExpr, unplaced } from "./trees.ts";

const RUNS = { numRuns: 500 };

test("a tree that is printed is read as the same tree", () => {
  fc.assert(
    fc.property(anyStatement, (statement) => {
      const sql = printStatement(statement);
      expect([sql, unplaced(parse(sql, { depth: 1000 }))]).toEqual([sql, unplaced(statement)]);
    }),
    RUNS,
  );
});

const columns = fc.record(
  {
    a: fc.oneof(fc.integer({ min: -3, max: 9 }), fc.constantFrom("5", "a", "", "1.50")),
    b: fc.boolean(),
    c: fc.oneof(fc.constantFrom(null, 0.5, "true"), fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 2 })),
  },
  { requiredKeys: [] },
);

/** What it gives, or that it fails. */
function outcome(run: () => unknown): unknown {
  try {
    return { value: run() };
  } catch (err) {
    if (err instanceof RuleError) return "fails";
    throw err;
  }
}

/** `=` and `<>` with the word null mean "is null": the interpreter does not know. */
function withoutNull(e: Expr): boolean {
  return !/"kind":"compare","op":"(?:=|<>)","left":\{"kind":"literal","value":null|"right":\{"kind":"literal","value":null/.test(
    JSON.stringify(unplaced(e)),
  );
}

const selected = (sql: string, row: Row): unknown =>
  compileRule(`SELECT ${sql} AS \`result\``, { depth: 1000 }).run(eventOf(row))[0]?.result;

test("what is compiled gives what the tree says, for every expression", () => {
  let worked = 0;
  fc.assert(
    fc.property(simpleExpr, columns, (expr, row) => {
      fc.pre(withoutNull(expr));
      const sql = printExpr(expr);
      const ours = outcome(() => selected(sql, row as Row));
      if (ours !== "fails") worked++;
      expect([sql, row, ours]).toEqual([sql, row, outcome(() => interpret(expr, row as Row))]);
    }),
    { numRuns: 2500 },
  );
  // Errors alone would prove little.
  expect(worked).toBeGreaterThan(500);
});

test("what is known before the rule runs changes nothing", () => {
  fc.assert(
    fc.property(simpleExpr, (expr) => {
      const sql = printExpr(expr);
      // The same once with constants, once with columns that hold them.
      const row: Row = {};
      const opened = JSON.parse(JSON.stringify(expr), (_key, node) => {
        if (node === null || typeof node !== "object" || node.kind !== "literal") return node;
        const name = `v${Object.keys(row).length}`;
        row[name] = node.value;
        return { kind: "name", name, steps: [], at: 0 };
      }) as Expr;
      fc.pre(withoutNull(expr));
      expect([sql, outcome(() => selected(printExpr(opened), row))]).toEqual([sql, outcome(() => selected(sql, row))]);
    }),
    RUNS,
  );
});

const passes = (where: string, row: Row): unknown =>
  outcome(() => compileRule(`SELECT 1 AS x WHERE ${where}`, { depth: 1000 }).run(eventOf(row)).length);

test("De Morgan", () => {
  fc.assert(
    fc.property(simpleExpr, simpleExpr, columns, (p, q, row) => {
      const [a, b] = [`(${printExpr(p)})`, `(${printExpr(q)})`];
      const same = (x: string, y: string): void => expect([x, passes(x, row as Row)]).toEqual([x, passes(y, row as Row)]);
      same(`not (${a} and ${b})`, `not ${a} or not ${b}`);
      same(`not (${a} or ${b})`, `not ${a} and not ${b}`);
      same(`not not ${a}`, `${a} and true`);
      same(`${a} and ${b}`, `not (not ${a} or not ${b})`);
      same(`not ${a} = ${b}`, `${a} <> ${b}`);
      same(`${a} not in (${b})`, `not ${a} in (${b})`);
    }),
    { numRuns: 200 },
  );
});

test("WHERE is the same before SELECT and behind it", () => {
  fc.assert(
    fc.property(simpleExpr, columns, (expr, row) => {
      const where = printExpr(expr);
      const before = passes(where, row as Row);
      const behind = outcome(
        () => compileRule(`SELECT 1 AS x WHERE (${where}) and x = 1`, { depth: 1000 }).run(eventOf(row as Row)).length,
      );
      expect([where, behind]).toEqual([where, before]);
    }),
    RUNS,
  );
});

test("any text is a rule, or is refused at a place within it", () => {
  const words = fc.constantFrom(
    ..."SELECT FROM WHERE AS and or not in div mod like is null case when then else end FOREACH DO INCASE true".split(" "),
    ..."a payload upper( nth( ( ) [ ] , . .. * + - / = <> < =~ 'x' \"t/#\" `n` 1 2.5 -- \n ' \" ; ? é 🚀 \ud800".split(" "),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(words, { maxLength: 25 }).map((w) => w.join(" ")),
        fc.array(words, { maxLength: 25 }).map((w) => w.join("")),
        fc.string(),
      ),
      (sql) => {
        try {
          const rule = compileRule(sql);
          expect(outcome(() => rule.run(eventOf({ a: [1], payload: "{}", topic: "t" })))).toBeDefined();
        } catch (err) {
          if (!(err instanceof SqlError)) throw err;
          expect([sql, err.at >= 0 && err.at + err.length <= sql.length && err.line >= 1 && err.column >= 1]).toEqual([sql, true]);
        }
      },
    ),
    { numRuns: 2000 },
  );
});
