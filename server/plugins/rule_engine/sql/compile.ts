/** From a tree to closures. What is constant is worked out here; nothing is ever evaluated as code. */
import { nearest } from "../../../lib/nearest.ts";
import { topicMatches } from "../../../mqtt/topic.ts";
import type { Expr, Step } from "./ast.ts";
import { named, RuleError, SqlError, shown } from "./errors.ts";
import { ABSENT, BY_NAME } from "./functions/index.ts";
import { likePattern, match } from "./functions/regex.ts";
import type { FunctionDef } from "./functions/table.ts";
import { compileName, compileStep, type Fn, type Move, type Scope, walk } from "./names.ts";
import { arithmetic, compare, negative } from "./operators.ts";
import { type Columns, isEqual, isMap, type Row, type Value } from "./values.ts";
import { begin, end, PAID } from "./work.ts";

/** `value` counts only where `isConstant`. */
export interface Compiled {
  readonly run: Fn;
  readonly isConstant: boolean;
  readonly value: Value;
}

/** A name that can be nothing but a column's. */
export interface NamedColumn {
  /** Where it stands first, in UTF-16 units. */
  readonly at: number;
  /** Names that the statement gives, and that could stand there as well. */
  others(): string[];
}

const NO_ROW: Row = {};
/** For what is constant. */
const NO_EVENT: Columns = { get: () => undefined, names: () => [], json: () => undefined, now: 0 };

/** Longest text, and most elements, that are worked out before the rule runs. */
const SMALL_TEXT = 1024;
const SMALL_ARRAY = 64;
/** What working out constants may take of one statement, about: then it is left to the rule's running. And what each takes at least. */
const FOLDING_NS = 5_000_000;
const FOLD_NS = 1000;
/** What looking at constant arguments may take of one statement (patterns are made of them), about: then it is left to the rule's running. */
const CHECKING_NS = 20_000_000;

function isSmall(value: Value): boolean {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length <= SMALL_TEXT;
  if (Array.isArray(value)) return value.length <= SMALL_ARRAY;
  return isMap(value) ? Object.keys(value).length <= SMALL_ARRAY : true;
}

function constant(value: Value): Compiled {
  return { run: () => value, isConstant: true, value };
}

export class Compiler {
  /** Columns that are looked at. */
  readonly reads = new Set<string>();
  /** Those that the statement names, where it has nothing else of that name. */
  readonly named = new Map<string, NamedColumn>();
  /** What SELECT made has been looked at. */
  usesRow = false;
  /** Of working out constants. */
  private left = FOLDING_NS;
  /** Of looking at constant arguments. */
  private toCheck = CHECKING_NS;

  constructor(private readonly sql: string) {}

  /** @throws SqlError */
  compile(e: Expr, scope: Scope): Compiled {
    switch (e.kind) {
      case "literal":
        return constant(e.value);
      case "range":
        return this.made(() => Array.from({ length: Math.max(0, e.last - e.first + 1) }, (_, i) => e.first + i), []);
      case "name": {
        const { moves } = this.steps(e.steps, scope);
        const read = compileName(e.name, e.steps, moves, scope);
        if (read.column !== null) this.reads.add(read.column);
        if (read.column !== null && !read.hasOther && !this.named.has(e.name))
          this.named.set(e.name, { at: e.at, others: () => [...scope.first.keys(), ...scope.last.keys()] });
        if (read.usesRow) this.usesRow = true;
        return { run: read.run, isConstant: false, value: undefined };
      }
      case "into": {
        const of = this.compile(e.of, scope);
        const { moves, operands } = this.steps(e.steps, scope);
        return this.made(walk(of.run, e.steps, moves), [of, ...operands]);
      }
      case "call":
        return this.call(e, scope);
      case "arithmetic": {
        let left = this.compile(e.first, scope);
        for (const { op, right } of e.rest) {
          const operand = this.compile(right, scope);
          left = this.made(arithmetic(op, left.run, operand.run), [left, operand]);
        }
        return left;
      }
      case "negative": {
        const of = this.compile(e.of, scope);
        return this.made(negative(of.run), [of]);
      }
      case "logic":
        return this.logic(e, scope);
      case "not": {
        const of = this.compile(e.of, scope);
        const { run } = of;
        return this.made((event, row, vars) => run(event, row, vars) !== true, [of]);
      }
      case "compare": {
        const left = this.compile(e.left, scope);
        const right = this.compile(e.right, scope);
        // `x = null`, as a word, is asked of what is missing as well: nobody means anything else by it.
        const isWord = (side: Expr): boolean => side.kind === "literal" && side.value === null;
        if ((e.op === "=" || e.op === "<>") && (isWord(e.left) || isWord(e.right)))
          return this.isNull(isWord(e.left) ? right : left, e.op === "=");
        return this.made(compare(e.op, left.run, right.run, right.isConstant ? right.value : undefined), [left, right]);
      }
      case "isNull":
        return this.isNull(this.compile(e.of, scope), true);
      case "topic": {
        const { run, of } = this.texts("=~", e.left, e.right, scope, (topic, filter) => topicMatches(topic, filter));
        return this.made(run, of);
      }
      case "like":
        return this.like(e, scope);
      case "in": {
        const of = this.compile(e.of, scope);
        const list = e.list.map((item) => this.compile(item, scope));
        const { run } = of;
        const items = list.map((item) => item.run);
        return this.made(
          (event, row, vars) => {
            const value = run(event, row, vars);
            for (const item of items) if (isEqual(value, item(event, row, vars))) return true;
            return false;
          },
          [of, ...list],
        );
      }
      case "case":
        return this.cases(e, scope);
      case "array": {
        const list = e.items.map((item) => this.compile(item, scope));
        const items = list.map((item) => item.run);
        return this.made((event, row, vars) => items.map((item) => item(event, row, vars) ?? null), list);
      }
    }
  }

  /**
   * Constant, if all it is made of is, and it is small: a rule of some lines shall not keep megabytes. What fails is left to fail when the
   * rule runs: it may stand where nobody comes to.
   */
  private made(run: Fn, of: readonly Compiled[]): Compiled {
    if (this.left > 0 && of.every((c) => c.isConstant)) {
      begin(this.left);
      try {
        const value = run(NO_EVENT, NO_ROW, NO_ROW);
        if (isSmall(value)) return constant(value);
      } catch {
        // Then it is no constant; what it took counts all the same.
      } finally {
        this.left = end() - FOLD_NS;
      }
    }
    return { run, isConstant: false, value: undefined };
  }

  private steps(steps: readonly Step[], scope: Scope): { moves: Move[]; operands: Compiled[] } {
    const operands: Compiled[] = [];
    const moves = steps.map((step) => {
      if (step.kind === "key") return compileStep(step, []);
      const own = (step.kind === "index" ? [step.index] : [step.first, step.last]).map((operand) => this.compile(operand, scope));
      operands.push(...own);
      return compileStep(
        step,
        own.map((c) => c.run),
      );
    });
    return { moves, operands };
  }

  private isNull(of: Compiled, wanted: boolean): Compiled {
    const { run } = of;
    return this.made(
      (event, row, vars) => {
        const value = run(event, row, vars);
        return (value === undefined || value === null) === wanted;
      },
      [of],
    );
  }

  private logic(e: Expr & { kind: "logic" }, scope: Scope): Compiled {
    const parts = e.parts.map((p) => this.compile(p, scope));
    const decides = e.op === "or";
    // A part that is constant says nothing, or decides, and then nobody comes to those behind it.
    const open: Fn[] = [];
    for (const part of parts) {
      const isDecided = part.isConstant && (part.value === true) === decides;
      if (isDecided && open.length === 0) return constant(decides);
      if (isDecided || !part.isConstant) open.push(part.run);
      if (isDecided) break;
    }
    const [a, b] = open;
    if (a === undefined) return constant(!decides);
    if (b === undefined) return { run: (event, row, vars) => a(event, row, vars) === true, isConstant: false, value: undefined };
    if (open.length === 2) {
      const run: Fn = decides
        ? (event, row, vars) => a(event, row, vars) === true || b(event, row, vars) === true
        : (event, row, vars) => a(event, row, vars) === true && b(event, row, vars) === true;
      return { run, isConstant: false, value: undefined };
    }
    const run: Fn = (event, row, vars) => {
      for (const part of open) if ((part(event, row, vars) === true) === decides) return decides;
      return !decides;
    };
    return { run, isConstant: false, value: undefined };
  }

  /** Of two texts; false where one is missing, or bytes: a payload that is no text matches nothing. */
  private texts(op: string, l: Expr, r: Expr, scope: Scope, holds: (a: string, b: string) => boolean): { run: Fn; of: Compiled[] } {
    const left = this.compile(l, scope);
    const right = this.compile(r, scope);
    const run: Fn = (event, row, vars) => {
      const a = left.run(event, row, vars);
      const b = right.run(event, row, vars);
      if (typeof a === "string" && typeof b === "string") return holds(a, b);
      for (const side of [a, b]) if (side === undefined || side === null || side instanceof Uint8Array) return false;
      throw new RuleError(`${op}: expected text, got ${shown(typeof a === "string" ? b : a)}`);
    };
    return { run, of: [left, right] };
  }

  private like(e: Expr & { kind: "like" }, scope: Scope): Compiled {
    const { right } = e;
    if (right.kind === "literal") {
      this.checked("like", () => likePattern(right.value), e.at, 4);
    }
    // Patterns may take long, and are matched when the rule runs.
    const { run } = this.texts("like", e.left, right, scope, (a, b) => {
      try {
        return match(likePattern(b), a);
      } catch (err) {
        throw named("like", err);
      }
    });
    return { run, isConstant: false, value: undefined };
  }

  private cases(e: Expr & { kind: "case" }, scope: Scope): Compiled {
    const of = e.of === null ? null : this.compile(e.of, scope);
    const whens = e.whens.map((w) => ({ when: this.compile(w.when, scope), result: this.compile(w.result, scope) }));
    const otherwise = e.otherwise === null ? constant(undefined) : this.compile(e.otherwise, scope);
    const choices = whens.map(({ when, result }) => ({ when: when.run, result: result.run }));
    const last = otherwise.run;
    const run: Fn =
      of === null
        ? (event, row, vars) => {
            for (const { when, result } of choices) if (when(event, row, vars) === true) return result(event, row, vars);
            return last(event, row, vars);
          }
        : (event, row, vars) => {
            const value = of.run(event, row, vars);
            for (const { when, result } of choices) if (isEqual(value, when(event, row, vars))) return result(event, row, vars);
            return last(event, row, vars);
          };
    return this.made(run, [...(of === null ? [] : [of]), ...whens.flatMap(({ when, result }) => [when, result]), otherwise]);
  }

  private call(e: Expr & { kind: "call" }, scope: Scope): Compiled {
    const def = BY_NAME.get(e.name);
    if (def === undefined) {
      const absent = ABSENT.get(e.name);
      if (absent !== undefined) throw new SqlError(`there is no function ${e.name}() (${absent})`, this.sql, e.at, e.length);
      throw new SqlError(`there is no function ${e.name}()`, this.sql, e.at, e.length, nearest(e.name, BY_NAME.keys()));
    }
    const count = e.args.length;
    if (count < def.least || count > def.most) {
      const found = count === 1 ? "1 argument" : `${count} arguments`;
      throw new SqlError(`expected ${e.name}(${def.args}), found ${found}`, this.sql, e.at, e.length);
    }
    const args = e.args.map((arg) => this.compile(arg, scope));
    this.check(e, def, args);
    for (const column of def.reads) this.reads.add(column);
    const run = called(
      def,
      args.map((a) => a.run),
    );
    return def.isPure && !def.isHeavy ? this.made(run, args) : { run, isConstant: false, value: undefined };
  }

  private check(e: Expr & { kind: "call" }, def: FunctionDef, args: readonly Compiled[]): void {
    for (const [i, arg] of args.entries()) {
      const check = def.checks[i];
      if (check !== undefined && arg.isConstant) this.checked(`${e.name}()`, () => check(arg.value), e.at, e.length);
    }
  }

  /** @throws SqlError */
  private checked(what: string, check: () => unknown, at: number, length: number): void {
    if (this.toCheck <= 0) return;
    let fault: unknown = null;
    begin(this.toCheck);
    try {
      check();
    } catch (err) {
      fault = err;
    }
    this.toCheck = end();
    // Where nothing is left, that is what was thrown.
    if (fault !== null && this.toCheck > 0) throw new SqlError(named(what, fault).message, this.sql, at, length);
  }
}

type Pay = (value: Value) => Value;

/** Without an array for the arguments where there are few. */
function called(def: FunctionDef, args: readonly Fn[]): Fn {
  const { run, ofEvent, name } = def;
  const what = `${name}()`;
  const [a, b, c] = args as [Fn, Fn, Fn];
  const pays = args.map((_, i) => PAID[def.cost(i)]);
  const [payA, payB, payC] = pays as [Pay, Pay, Pay];
  if (args.length === 0 && ofEvent) return guarded(what, (event) => run(event));
  if (args.length === 1 && !ofEvent) return guarded(what, (event, row, vars) => run(payA(a(event, row, vars))));
  if (args.length === 1) return guarded(what, (event, row, vars) => run(event, payA(a(event, row, vars))));
  if (args.length === 2 && !ofEvent) return guarded(what, (event, row, vars) => run(payA(a(event, row, vars)), payB(b(event, row, vars))));
  if (args.length === 3 && !ofEvent)
    return guarded(what, (event, row, vars) => run(payA(a(event, row, vars)), payB(b(event, row, vars)), payC(c(event, row, vars))));
  return guarded(what, (event, row, vars) => {
    const values = args.map((arg, i) => (pays[i] as Pay)(arg(event, row, vars)));
    return ofEvent ? run(event, ...values) : run(...values);
  });
}

/** An error that has a name already keeps it: that of the innermost function. */
function guarded(what: string, run: Fn): Fn {
  return (event, row, vars) => {
    try {
      return run(event, row, vars);
    } catch (err) {
      throw named(what, err);
    }
  };
}
