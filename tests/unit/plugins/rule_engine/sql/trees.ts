/** Random trees of a rule's SQL, for properties, and a plain interpreter to compare with. */
import fc from "fast-check";
import type { Alias, Arithmetic, Compare, Expr, Field, Statement, Step } from "../../../../../server/plugins/rule_engine/sql/ast.ts";
import { type Row, RuleError, type Value } from "../../../../../server/plugins/rule_engine/sql/index.ts";

const at = 0;
const name = fc.constantFrom("a", "b", "c", "payload", "select", "End", "x y", "é", "__proto__", "1", "it`s", "a@b", "$x");
const text = fc.oneof(fc.constantFrom("", "a", "it's", "5", "1.50", '"', "--", "true", "\n"), fc.string({ maxLength: 6 }));
const number = fc
  .oneof(
    fc.integer({ min: -3, max: 9 }),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }),
    fc.constantFrom(1e21, 1e-7, 0.5),
  )
  .map((n) => (n === 0 ? 0 : n));
const literal = fc.oneof(number, text, fc.constantFrom(null, true, false)).map((value): Expr => ({ kind: "literal", value, at }));

type Trees = { expr: Expr; step: Step; arithmetic: Expr };

function trees(leaf: fc.Arbitrary<Expr>, names: fc.Arbitrary<string>, calls: fc.Arbitrary<string>, withPaths: boolean): fc.Arbitrary<Expr> {
  return fc.letrec<Trees>((tie) => {
    const e = tie("expr");
    const few = fc.array(e, { minLength: 1, maxLength: 3 });
    const chain = (...ops: Arithmetic[]): fc.Arbitrary<Expr> =>
      fc
        .tuple(e, fc.array(fc.record({ op: fc.constantFrom(...ops), right: e }), { minLength: 1, maxLength: 3 }))
        .map(([first, rest]): Expr => ({ kind: "arithmetic", first, rest, at }));
    const two = (kind: "topic" | "like"): fc.Arbitrary<Expr> => fc.tuple(e, e).map(([left, right]): Expr => ({ kind, left, right, at }));
    const paths: fc.Arbitrary<Expr>[] = [
      fc.tuple(names, fc.array(tie("step"), { maxLength: 3 })).map(([n, steps]): Expr => ({ kind: "name", name: n, steps, at })),
      fc.tuple(e, fc.array(tie("step"), { minLength: 1, maxLength: 2 })).map(([of, steps]): Expr => ({ kind: "into", of, steps, at })),
      fc.tuple(calls, fc.array(e, { maxLength: 3 })).map(([n, args]): Expr => ({ kind: "call", name: n, args, length: n.length, at })),
      two("topic"),
      two("like"),
      fc
        .tuple(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -3, max: 9 }))
        .map(([first, last]): Expr => ({ kind: "range", first, last, at })),
    ];
    const kinds: fc.Arbitrary<Expr>[] = [
      leaf,
      names.map((n): Expr => ({ kind: "name", name: n, steps: [], at })),
      tie("arithmetic"),
      fc
        .tuple(fc.constantFrom<"and" | "or">("and", "or"), fc.array(e, { minLength: 2, maxLength: 3 }))
        .map(([op, parts]): Expr => ({ kind: "logic", op, parts, at })),
      e.map((of): Expr => ({ kind: "not", of, at })),
      // The parser makes one literal of a sign and a number.
      e
        .filter((of) => of.kind !== "literal" || typeof of.value !== "number" || of.value <= 0)
        .map((of): Expr => ({ kind: "negative", of, at })),
      fc
        .tuple(fc.constantFrom<Compare>("=", "<>", "<", "<=", ">", ">="), e, e)
        .map(([op, left, right]): Expr => ({ kind: "compare", op, left, right, at })),
      fc.tuple(e, few).map(([of, list]): Expr => ({ kind: "in", of, list, at })),
      e.map((of): Expr => ({ kind: "isNull", of, at })),
      fc
        .tuple(fc.option(e), fc.array(fc.record({ when: e, result: e }), { minLength: 1, maxLength: 2 }), fc.option(e))
        .map(([of, whens, otherwise]): Expr => ({ kind: "case", of, whens, otherwise, at })),
      fc.array(e, { maxLength: 3 }).map((items): Expr => ({ kind: "array", items, at })),
      ...(withPaths ? paths : []),
    ];
    return {
      step: fc.oneof(
        names.map((n): Step => ({ kind: "key", name: n })),
        e.map((index): Step => ({ kind: "index", index })),
        fc.tuple(e, e).map(([first, last]): Step => ({ kind: "slice", first, last })),
      ),
      arithmetic: fc.oneof(chain("+", "-"), chain("*", "/", "div", "mod")),
      expr: fc.oneof({ depthSize: "small", withCrossShrink: true }, ...kinds),
    };
  }).expr;
}

/** Everything that can be written. */
export const anyExpr = trees(literal, name, fc.constantFrom("upper", "nth", "mod", "null"), true);
/** What the interpreter below knows: columns a to d and no functions. */
export const simpleExpr = trees(literal, fc.constantFrom("a", "b", "c", "d", "toString"), fc.constant(""), false);

const alias: fc.Arbitrary<Alias> = fc
  .tuple(
    name,
    fc.array(
      fc.oneof(
        name.map((key) => ({ key })),
        fc.constantFrom<number | "end">(0, 1, -1, 12, "end").map((index) => ({ index })),
      ),
      { maxLength: 2 },
    ),
  )
  .map(([n, steps]) => ({ name: n, steps }));
const field: fc.Arbitrary<Field> = fc.oneof(
  fc.constant<Field>({ expr: null, alias: null }),
  fc.tuple(anyExpr, fc.option(alias)).map(([expr, a]): Field => ({ expr, alias: a })),
);
const fields = fc.array(field, { minLength: 1, maxLength: 3 });
const source = fc.oneof(fc.constantFrom("t/#", "$events/client_connected", 'a"b'), fc.string({ minLength: 1, maxLength: 5 }));
const from = fc.array(
  source.map((text) => ({ text, at, length: 0 })),
  { maxLength: 2 },
);

export const anyStatement: fc.Arbitrary<Statement> = fc.oneof(
  fc.record({ kind: fc.constant("select" as const), fields, from, where: fc.option(anyExpr) }),
  fc.record({
    kind: fc.constant("foreach" as const),
    each: fc
      .tuple(fc.array(field, { maxLength: 1 }), anyExpr, fc.option(alias))
      .map(([before, expr, a]) => [...before, { expr, alias: a }]),
    fields: fc.option(fields),
    incase: fc.option(anyExpr),
    from,
    where: fc.option(anyExpr),
  }),
);

/** The same tree without the places of its words. */
export function unplaced(tree: unknown): unknown {
  return JSON.parse(JSON.stringify(tree, (key, value) => (key === "at" || key === "length" ? undefined : value)));
}

const isNumber = (v: Value): v is number | bigint => typeof v === "number" || typeof v === "bigint";
/** Without decimals: whatever is larger than 2^53 and no bigint has lost them. */
const isWhole = (v: number | bigint): boolean => typeof v === "bigint" || Number.isSafeInteger(v);
const narrow = (n: bigint): number | bigint => (Number.isSafeInteger(Number(n)) ? Number(n) : n);
const fail = (): never => {
  throw new RuleError("interpreter");
};

/** A number that a text says, the slow way. */
function said(v: Value): number {
  return typeof v === "string" && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(v) ? Number.parseFloat(v) : Number.NaN;
}

function equal(a: Value, b: Value): boolean {
  if (a === undefined || b === undefined) return false;
  if (isNumber(a) && isNumber(b)) return !(a < b) && !(a > b);
  if (isNumber(a) && typeof b === "string") return a === said(b);
  if (isNumber(b) && typeof a === "string") return b === said(a);
  if (typeof a === "boolean" && typeof b === "string") return b === `${a}`;
  if (typeof b === "boolean" && typeof a === "string") return a === `${b}`;
  return Bun.deepEquals(a, b, true);
}

function difference(a: Value, b: Value): number {
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  const [x, y] = [isNumber(a) ? a : said(a), isNumber(b) ? b : said(b)];
  return !(isNumber(a) || isNumber(b)) ? Number.NaN : x < y ? -1 : x > y ? 1 : Number.isNaN(x) || Number.isNaN(y) ? Number.NaN : 0;
}

function plain(v: Value): string {
  if (typeof v === "string") return v;
  if (typeof v === "bigint") return v.toString();
  if (typeof v === "number")
    return Number.isInteger(v) ? BigInt(v).toString() : v.toFixed(10).replace(/0+$/, "").replace(/\.$/, "").replace(/^-0$/, "0");
  return JSON.stringify(v);
}

function calculated(op: Arithmetic, a: Value, b: Value): Value {
  if (op === "+" && (typeof a === "string" || typeof b === "string"))
    return a === undefined || b === undefined ? fail() : plain(a) + plain(b);
  if (!isNumber(a) || !isNumber(b)) return fail();
  if (op === "div" || op === "mod") {
    if ([a, b].some((n) => typeof n === "number" && !Number.isInteger(n)) || Number(b) === 0) return fail();
    const [x, y] = [BigInt(a), BigInt(b)];
    return narrow(op === "div" ? x / y : x % y);
  }
  if (op !== "/" && isWhole(a) && isWhole(b)) {
    const [x, y] = [BigInt(a), BigInt(b)];
    return narrow({ "+": x + y, "-": x - y, "*": x * y }[op]);
  }
  const [x, y] = [Number(a), Number(b)];
  const n = { "+": x + y, "-": x - y, "*": x * y, "/": x / y }[op];
  return Number.isFinite(n) ? n + 0 : fail();
}

/** Straight from the tree, with nothing worked out before. Throws RuleError. */
export function interpret(e: Expr, columns: Row): Value {
  const value = (of: Expr): Value => interpret(of, columns);
  switch (e.kind) {
    case "literal":
      return e.value;
    case "name":
      return Object.hasOwn(columns, e.name) ? columns[e.name] : undefined;
    case "arithmetic":
      return e.rest.reduce((left, { op, right }) => calculated(op, left, value(right)), value(e.first));
    case "negative": {
      const n = value(e.of);
      return typeof n === "bigint" ? -n : isNumber(n) ? 0 - n : fail();
    }
    case "logic":
      return e.op === "and" ? e.parts.every((p) => value(p) === true) : e.parts.some((p) => value(p) === true);
    case "not":
      return value(e.of) !== true;
    case "isNull":
      return (value(e.of) ?? null) === null;
    case "in": {
      const v = value(e.of);
      return e.list.some((item) => equal(v, value(item)));
    }
    case "case": {
      const of = e.of === null ? null : { is: value(e.of) };
      const found = e.whens.find(({ when }) => (of === null ? value(when) === true : equal(of.is, value(when))));
      return found !== undefined ? value(found.result) : e.otherwise === null ? undefined : value(e.otherwise);
    }
    case "array":
      return e.items.map((item) => value(item) ?? null);
    case "compare": {
      const [a, b] = [value(e.left), value(e.right)];
      if (e.op === "=") return equal(a, b);
      if (e.op === "<>") return !equal(a, b);
      const d = difference(a, b);
      return { "<": d < 0, "<=": d <= 0, ">": d > 0, ">=": d >= 0 }[e.op];
    }
    default:
      throw new Error(`not known here: ${e.kind}`);
  }
}
