/** Operators on values: what they do where both sides are of the kind that is expected is fast, the rest is told apart here. */
import type { Arithmetic, Compare } from "./ast.ts";
import { named, RuleError, shown } from "./errors.ts";
import type { Fn } from "./names.ts";
import { finite, isEqual, joined, order, textOf, type Value } from "./values.ts";

function numbers(op: string, a: Value, b: Value): [number, number] {
  for (const v of [a, b]) if (typeof v !== "number") throw new RuleError(`${op}: expected a number, got ${shown(v)}`);
  return [a as number, b as number];
}

function wholes(op: string, a: Value, b: Value): [number, number] {
  const pair = numbers(op, a, b);
  for (const n of pair) if (!Number.isInteger(n)) throw new RuleError(`${op}: expected a whole number, got ${shown(n)}`);
  return pair;
}

function divisor(op: string, n: number): number {
  if (n === 0) throw new RuleError(`${op}: division by zero`);
  return n;
}

/** Texts are joined by +, and so is text with what is none, as in 5.x; bytes too. */
function plus(a: Value, b: Value): Value {
  const isText = (v: Value): boolean => typeof v === "string" || v instanceof Uint8Array;
  if (!isText(a) && !isText(b)) {
    const [x, y] = numbers("+", a, b);
    return finite(x + y, "+");
  }
  if (a === undefined || b === undefined) throw new RuleError("+: expected a text or a number, got nothing");
  try {
    return joined([textOf(a), textOf(b)]);
  } catch (err) {
    throw named("+", err);
  }
}

const positiveZero = (n: number): number => (n === 0 ? 0 : n);

const OPERATIONS: Readonly<Record<Arithmetic, (a: Value, b: Value) => Value>> = {
  "+": plus,
  "-": (a, b) => {
    const [x, y] = numbers("-", a, b);
    return finite(x - y, "-");
  },
  "*": (a, b) => {
    const [x, y] = numbers("*", a, b);
    return finite(positiveZero(x * y), "*");
  },
  "/": (a, b) => {
    const [x, y] = numbers("/", a, b);
    return finite(positiveZero(x / divisor("/", y)), "/");
  },
  div: (a, b) => {
    const [x, y] = wholes("div", a, b);
    return positiveZero(Math.trunc(x / divisor("div", y)));
  },
  mod: (a, b) => {
    const [x, y] = wholes("mod", a, b);
    return positiveZero(x % divisor("mod", y));
  },
};

export function arithmetic(op: Arithmetic, left: Fn, right: Fn): Fn {
  const apply = OPERATIONS[op];
  if (op !== "+" && op !== "-") return (e, r, v) => apply(left(e, r, v), right(e, r, v));
  const sign = op === "+" ? 1 : -1;
  return (e, r, v) => {
    const a = left(e, r, v);
    const b = right(e, r, v);
    if (typeof a !== "number" || typeof b !== "number") return apply(a, b);
    const sum = a + sign * b;
    return Number.isFinite(sum) ? sum : apply(a, b);
  };
}

export function negative(of: Fn): Fn {
  return (e, r, v) => {
    const n = of(e, r, v);
    if (typeof n !== "number") throw new RuleError(`-: expected a number, got ${shown(n)}`);
    return n === 0 ? 0 : -n;
  };
}

const COMPARISONS: Readonly<Record<Exclude<Compare, "=" | "<>">, (difference: number) => boolean>> = {
  "<": (d) => d < 0,
  "<=": (d) => d <= 0,
  ">": (d) => d > 0,
  ">=": (d) => d >= 0,
};

/** `constant`: what stands on the right, if that is known. */
export function compare(op: Compare, left: Fn, right: Fn, constant: Value): Fn {
  if (op === "=" || op === "<>") {
    const wanted = op === "=";
    if (typeof constant === "string" || typeof constant === "number")
      return (e, r, v) => {
        const a = left(e, r, v);
        return (a === constant || (typeof a !== typeof constant && isEqual(a, constant))) === wanted;
      };
    return (e, r, v) => isEqual(left(e, r, v), right(e, r, v)) === wanted;
  }
  const holds = COMPARISONS[op];
  if (typeof constant === "number") {
    const k = constant;
    const slow = (a: Value): boolean => holds(order(a, k));
    if (op === "<")
      return (e, r, v) => {
        const a = left(e, r, v);
        return typeof a === "number" ? a < k : slow(a);
      };
    if (op === ">")
      return (e, r, v) => {
        const a = left(e, r, v);
        return typeof a === "number" ? a > k : slow(a);
      };
  }
  return (e, r, v) => holds(order(left(e, r, v), right(e, r, v)));
}
