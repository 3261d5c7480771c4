/** Operators on values: what they do where both sides are of the kind that is expected is fast, the rest is told apart here. */
import type { Arithmetic, Compare } from "./ast.ts";
import { named, RuleError, shown } from "./errors.ts";
import type { Fn } from "./names.ts";
import { finite, isEqual, joined, order, textOf, type Value } from "./values.ts";
import { bigOf, isExact, isNumeric, type Numeric, wholeNumber } from "./wholes.ts";

/** Up to here a number is exact, whole or not. */
const EXACT = Number.MAX_SAFE_INTEGER;

function numeric(op: string, v: Value): Numeric {
  if (!isNumeric(v)) throw new RuleError(`${op}: expected a number, got ${shown(v)}`);
  return v;
}

function whole(op: string, v: Value): bigint {
  const n = numeric(op, v);
  if (typeof n === "number" && !Number.isInteger(n)) throw new RuleError(`${op}: expected a whole number, got ${shown(n)}`);
  return bigOf(n);
}

/** @throws RuleError: it has too many digits */
function exactly(op: string, n: bigint): Numeric {
  try {
    return wholeNumber(n);
  } catch (err) {
    throw named(op, err);
  }
}

const positiveZero = (n: number): number => (n === 0 ? 0 : n);

/** Exact where both sides are: of two that are whole the result is looked at when it is large. */
function calculated(op: string, inFloats: (x: number, y: number) => number, inWholes: (x: bigint, y: bigint) => bigint) {
  return (a: Value, b: Value): Value => {
    if (typeof a === "number" && typeof b === "number") {
      const n = inFloats(a, b);
      if (n <= EXACT && n >= -EXACT) return positiveZero(n);
      if (!isExact(a) || !isExact(b)) return finite(n, op);
    }
    const [x, y] = [numeric(op, a), numeric(op, b)];
    if (isExact(x) && isExact(y)) return exactly(op, inWholes(BigInt(x), BigInt(y)));
    return finite(positiveZero(inFloats(Number(x), Number(y))), op);
  };
}

/** Of whole numbers alone. */
function divided(op: string, inNumbers: (x: number, y: number) => number, inWholes: (x: bigint, y: bigint) => bigint) {
  return (a: Value, b: Value): Value => {
    if (Number.isSafeInteger(a) && Number.isSafeInteger(b) && b !== 0) return positiveZero(inNumbers(a as number, b as number));
    const [x, y] = [whole(op, a), whole(op, b)];
    if (y === 0n) throw new RuleError(`${op}: division by zero`);
    return exactly(op, inWholes(x, y));
  };
}

const sum = calculated(
  "+",
  (x, y) => x + y,
  (x, y) => x + y,
);

/** Texts are joined by +, and so is text with what is none, as in 5.x; bytes too. */
function plus(a: Value, b: Value): Value {
  const isText = (v: Value): boolean => typeof v === "string" || v instanceof Uint8Array;
  if (!isText(a) && !isText(b)) return sum(a, b);
  if (a === undefined || b === undefined) throw new RuleError("+: expected a text or a number, got nothing");
  try {
    return joined([textOf(a), textOf(b)]);
  } catch (err) {
    throw named("+", err);
  }
}

/** A number with decimals, as in Erlang. */
function quotient(a: Value, b: Value): Value {
  const [x, y] = [Number(numeric("/", a)), Number(numeric("/", b))];
  if (y === 0) throw new RuleError("/: division by zero");
  return finite(positiveZero(x / y), "/");
}

/** `mod()` is the operator as a function. */
export const OPERATIONS: Readonly<Record<Arithmetic, (a: Value, b: Value) => Value>> = {
  "+": plus,
  "-": calculated(
    "-",
    (x, y) => x - y,
    (x, y) => x - y,
  ),
  "*": calculated(
    "*",
    (x, y) => x * y,
    (x, y) => x * y,
  ),
  "/": quotient,
  div: divided(
    "div",
    (x, y) => Math.trunc(x / y),
    (x, y) => x / y,
  ),
  mod: divided(
    "mod",
    (x, y) => x % y,
    (x, y) => x % y,
  ),
};

export function arithmetic(op: Arithmetic, left: Fn, right: Fn): Fn {
  const apply = OPERATIONS[op];
  if (op !== "+" && op !== "-") return (e, r, v) => apply(left(e, r, v), right(e, r, v));
  const sign = op === "+" ? 1 : -1;
  return (e, r, v) => {
    const a = left(e, r, v);
    const b = right(e, r, v);
    if (typeof a !== "number" || typeof b !== "number") return apply(a, b);
    const n = a + sign * b;
    return n <= EXACT && n >= -EXACT ? n : apply(a, b);
  };
}

export function negative(of: Fn): Fn {
  return (e, r, v) => {
    const n = numeric("-", of(e, r, v));
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
