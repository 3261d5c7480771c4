/** Expressions, by Pratt's method: a loop over operators, each with its rank. */
import type { Arithmetic, Compare, Expr, Step } from "./ast.ts";
import { Cursor } from "./cursor.ts";
import { SqlError } from "./errors.ts";
import type { Numeric } from "./wholes.ts";

/** Most elements of `[first..last]`. */
const RANGE = 1000;

const OR = 1;
const AND = 2;
const NOT = 3;
const COMPARE = 4;
const SUM = 5;
const PRODUCT = 6;

/** Of operators that stand between two values. `not` is one as the first word of `not in` and `not like`. */
const RANKS: ReadonlyMap<string, number> = new Map<string, number>([
  ["or", OR],
  ["and", AND],
  ...["=", "<>", "!=", "<", "<=", ">", ">=", "=~", "in", "like", "is", "not"].map((op) => [op, COMPARE] as const),
  ["+", SUM],
  ["-", SUM],
  ["*", PRODUCT],
  ["/", PRODUCT],
  ["div", PRODUCT],
  ["mod", PRODUCT],
]);

const AGGREGATES: ReadonlySet<string> = new Set(["count", "sum", "avg", "min", "max"]);

export class Expressions extends Cursor {
  private depth = 0;

  constructor(
    sql: string,
    /** Deepest nesting. */
    protected readonly deepest: number,
  ) {
    super(sql);
  }

  protected expression(least = OR): Expr {
    if (++this.depth > this.deepest) this.fail(`an expression is nested ${this.deepest} deep at most`, this.token);
    const before = this.depth;
    let left = this.prefix();
    for (;;) {
      const { kind, at } = this.token;
      const rank = RANKS.get(kind);
      if (rank === undefined || rank < least) break;
      if (kind === "and" || kind === "or") left = this.logic(left, kind, rank);
      else if (rank === SUM || rank === PRODUCT) left = this.arithmetic(left, rank);
      else {
        // a = b = c …: each one is a level of the tree.
        if (++this.depth > this.deepest) this.fail(`an expression is nested ${this.deepest} deep at most`, this.token);
        const comparison = this.comparison(left, at);
        if (comparison === null) break;
        left = comparison;
      }
    }
    this.depth = before - 1;
    return left;
  }

  private logic(first: Expr, op: "and" | "or", rank: number): Expr {
    const { at } = this.token;
    const parts = [first];
    while (this.accept(op)) parts.push(this.expression(rank + 1));
    return { kind: "logic", op, parts, at };
  }

  private arithmetic(first: Expr, rank: number): Expr {
    const { at } = this.token;
    const rest: { op: Arithmetic; right: Expr }[] = [];
    while (RANKS.get(this.token.kind) === rank) {
      const op = this.take().kind as Arithmetic;
      rest.push({ op, right: this.expression(rank + 1) });
    }
    return { kind: "arithmetic", first, rest, at };
  }

  /** null = the `not` here belongs to nothing. */
  private comparison(left: Expr, at: number): Expr | null {
    const isNot = this.token.kind === "not";
    if (isNot && this.peek().kind !== "in" && this.peek().kind !== "like") return null;
    if (isNot) this.take();
    const op = this.take().kind;
    const yes = this.compared(left, op, at);
    return isNot ? { kind: "not", of: yes, at } : yes;
  }

  private compared(left: Expr, op: string, at: number): Expr {
    switch (op) {
      case "in":
        this.expect("(");
        return { kind: "in", of: left, list: this.list(")", 1), at };
      case "like":
        return { kind: "like", left, right: this.expression(SUM), at };
      case "=~":
        return { kind: "topic", left, right: this.expression(SUM), at };
      case "is": {
        const isNot = this.accept("not");
        this.expect("null");
        const isNull: Expr = { kind: "isNull", of: left, at };
        return isNot ? { kind: "not", of: isNull, at } : isNull;
      }
      default:
        return { kind: "compare", op: op === "!=" ? "<>" : (op as Compare), left, right: this.expression(SUM), at };
    }
  }

  /** What an expression begins with, and the steps into it. */
  private prefix(): Expr {
    const { kind, at } = this.token;
    if (kind === "not") {
      this.take();
      return { kind: "not", of: this.expression(NOT), at };
    }
    if (kind === "-" || kind === "+") {
      this.take();
      const of = this.expression(PRODUCT + 1);
      if (kind === "+") return of;
      if (of.kind === "literal" && (typeof of.value === "number" || typeof of.value === "bigint") && of.value > 0)
        return { ...of, value: -of.value, at };
      return { kind: "negative", of, at };
    }
    const atom = this.atom();
    const steps = this.steps();
    if (steps.length === 0) return atom;
    return atom.kind === "name" ? { ...atom, steps } : { kind: "into", of: atom, steps, at };
  }

  private atom(): Expr {
    const { kind, text, at } = this.token;
    switch (kind) {
      case "number":
        this.take();
        return { kind: "literal", value: this.number(text, at), at };
      case "text":
        this.take();
        return { kind: "literal", value: text, at };
      case "null":
        if (this.peek().kind === "(") return this.nameOrCall();
        this.take();
        return { kind: "literal", value: null, at };
      case "true":
      case "false":
        this.take();
        return { kind: "literal", value: kind === "true", at };
      case "(": {
        this.take();
        if (this.token.kind === "select") this.fail("a subquery is not part of a rule's SQL", this.token);
        const inner = this.expression();
        this.expect(")");
        // `(a.b).c` is a step into a value, not a longer name.
        return inner.kind === "name" && (this.token.kind === "." || this.token.kind === "[")
          ? { kind: "into", of: inner, steps: this.steps(), at }
          : inner;
      }
      case "[":
        return this.array();
      case "case":
        return this.cases();
      case "name":
      case "quoted":
      case "div":
      case "mod":
      case "like":
      case "is":
        return this.nameOrCall();
      default:
        return this.unexpected("a value");
    }
  }

  /** Whole numbers that no number can hold exactly are bigints, as they are in JSON. */
  private number(text: string, at: number): Numeric {
    const n = Number(text);
    if (!Number.isFinite(n)) throw new SqlError("this number is too large", this.sql, at, text.length);
    return Number.isSafeInteger(n) || !/^\d+$/.test(text) ? n : BigInt(text);
  }

  private nameOrCall(): Expr {
    const { kind, text, at } = this.take();
    if (this.token.kind !== "(" || kind === "quoted") return { kind: "name", name: text, steps: [], at };
    if (AGGREGATES.has(text.toLowerCase()))
      throw new SqlError(
        `${text}() over several events is not part of a rule's SQL: it looks at one event at a time`,
        this.sql,
        at,
        text.length,
      );
    this.take();
    return { kind: "call", name: text.toLowerCase(), args: this.list(")", 0), length: text.length, at };
  }

  /** Up to and with `close`. */
  private list(close: ")" | "]", least: number): Expr[] {
    const items: Expr[] = [];
    if (least === 0 && this.accept(close)) return items;
    do {
      if (this.token.kind === "select") this.fail("a subquery is not part of a rule's SQL", this.token);
      items.push(this.expression());
    } while (this.accept(","));
    this.expect(close, ",");
    return items;
  }

  private array(): Expr {
    const { at } = this.take();
    if (this.accept("]")) return { kind: "array", items: [], at };
    const first = this.expression();
    if (this.token.kind === "..") {
      const begin = this.bound(first);
      this.take();
      const last = this.bound(this.expression());
      const end = this.expect("]");
      if (last - begin >= RANGE) throw new SqlError(`a range has ${RANGE} elements at most`, this.sql, at, end.end - at);
      return { kind: "range", first: begin, last, at };
    }
    if (!this.accept(",")) {
      this.expect("]", ",");
      return { kind: "array", items: [first], at };
    }
    return { kind: "array", items: [first, ...this.list("]", 1)], at };
  }

  private bound(e: Expr): number {
    if (e.kind === "literal" && typeof e.value === "number" && Number.isInteger(e.value)) return e.value;
    return this.fail("a range has whole numbers for its ends, such as [1..5]", this.token);
  }

  private cases(): Expr {
    const { at } = this.take();
    const of = this.token.kind === "when" ? null : this.expression();
    const whens: { when: Expr; result: Expr }[] = [];
    while (this.accept("when")) {
      const when = this.expression();
      this.expect("then");
      whens.push({ when, result: this.expression() });
    }
    if (whens.length === 0) this.unexpected("WHEN", ["when"]);
    const otherwise = this.accept("else") ? this.expression() : null;
    if (!this.accept("end"))
      this.unexpected(otherwise === null ? "WHEN, ELSE or END" : "END", otherwise === null ? ["when", "else", "end"] : ["end"]);
    return { kind: "case", of, whens, otherwise, at };
  }

  private steps(): Step[] {
    const steps: Step[] = [];
    for (;;) {
      if (steps.length > this.deepest) this.fail(`a path has ${this.deepest} steps at most`, this.token);
      if (this.accept(".")) {
        if (this.token.kind === "*") this.fail("* stands for all columns, it cannot follow a name", this.token);
        steps.push({ kind: "key", name: this.key() });
      } else if (this.accept("[")) {
        const index = this.expression();
        if (this.accept("..")) steps.push({ kind: "slice", first: index, last: this.expression() });
        else steps.push({ kind: "index", index });
        this.expect("]");
      } else return steps;
    }
  }

  protected key(): string {
    const { kind, at, end } = this.token;
    if (kind !== "name" && kind !== "quoted" && kind !== "text" && !/^\w/.test(this.sql.slice(at, end))) this.unexpected("a name");
    return this.take().text;
  }
}
