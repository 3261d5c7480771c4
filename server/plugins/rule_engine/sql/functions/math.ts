/** Numbers: arithmetic, rounding, powers, angles. All angles are in radians. */
import { ArgumentError, Refusal } from "../errors.ts";
import { OPERATIONS } from "../operators.ts";
import { isEqual, type Value } from "../values.ts";
import { type Numeric, wholeOf } from "../wholes.ts";
import { number, Table } from "./table.ts";

function checked(n: number): number {
  if (!Number.isFinite(n)) throw new Refusal("the result is no finite number");
  return n;
}

/** A number of the range in which a function is defined. */
function where(value: Value, holds: (n: number) => boolean, expected: string): number {
  const n = number(value);
  if (!holds(n)) throw new ArgumentError(expected, n);
  return n;
}

const unit = (x: Value): number => where(x, (n) => n >= -1 && n <= 1, "a number from -1 to 1");
const positive = (x: Value): number => where(x, (n) => n > 0, "a number above 0");
const divisor = (x: Value): number => where(x, (n) => n !== 0, "a divisor other than 0");

/** What has no decimals is there already. */
function rounding(round: (x: number) => number): (x: Value) => Numeric {
  return (x) => (typeof x === "bigint" ? x : wholeOf(plus(round(number(x)))));
}

/** Half away from zero, as EMQ X rounds. */
const rounded = (x: number): number => Math.sign(x) * Math.round(Math.abs(x));

function absolute(x: Value): Numeric {
  if (typeof x === "bigint") return x < 0n ? -x : x;
  return Math.abs(number(x));
}

/** @throws RuleError, with its name */
function modulo(x: Value, y: Value): Value {
  return OPERATIONS.mod(x, y);
}

const plus = (n: number): number => (n === 0 ? 0 : n);

export const math = new Table("arithmetic")
  .add("abs", "x", "Absolute value.", "abs(-12.5)", 12.5, absolute)
  .add("ceil", "x", "The next whole number, upwards.", "ceil(1.2)", 2, rounding(Math.ceil))
  .add("floor", "x", "The next whole number, downwards.", "floor(-1.2)", -2, rounding(Math.floor))
  .add("round", "x", "The nearest whole number; a half goes away from zero.", "round(-2.5)", -3, rounding(rounded))
  .add("sqrt", "x", "Square root.", "sqrt(16)", 4, (x) => Math.sqrt(where(x, (n) => n >= 0, "a number of 0 or more")))
  .add("power", "x, y", "x to the power of y.", "power(2, 10)", 1024, (x, y) => checked(number(x) ** number(y)))
  .add("exp", "x", "e to the power of x.", "exp(0)", 1, (x) => checked(Math.exp(number(x))))
  .add("log", "x", "Natural logarithm.", "log(1)", 0, (x) => Math.log(positive(x)))
  .add("log10", "x", "Logarithm to the base of ten.", "log10(1000)", 3, (x) => Math.log10(positive(x)))
  .add("log2", "x", "Logarithm to the base of two.", "log2(1024)", 10, (x) => Math.log2(positive(x)))
  .add("fmod", "x, y", "What is left of x divided by y, with the sign of x.", "fmod(-32.5, 5)", -2.5, (x, y) =>
    plus(number(x) % divisor(y)),
  )
  .add("mod", "x, y", "The same of whole numbers; as an operator: x mod y.", "mod(-7, 3)", -1, modulo)
  .add("eq", "a, b", "Are they equal? As the operator =.", "eq(1, '1')", true, (a, b) => isEqual(a, b), { cost: "none" })
  .add("random", "", "A number from 0 up to, but not, 1.", "random() < 1", true, () => Math.random(), { isPure: false });

export const trigonometry = new Table("trigonometry")
  .add("sin", "x", "Sine.", "sin(0)", 0, (x) => Math.sin(number(x)))
  .add("cos", "x", "Cosine.", "cos(0)", 1, (x) => Math.cos(number(x)))
  .add("tan", "x", "Tangent.", "tan(0)", 0, (x) => Math.tan(number(x)))
  .add("asin", "x", "The angle of a sine; x from -1 to 1.", "asin(0.5)", Math.asin(0.5), (x) => Math.asin(unit(x)))
  .add("acos", "x", "The angle of a cosine; x from -1 to 1.", "acos(0.5)", Math.acos(0.5), (x) => Math.acos(unit(x)))
  .add("atan", "x", "The angle of a tangent.", "atan(0.5)", Math.atan(0.5), (x) => Math.atan(number(x)))
  .add("sinh", "x", "Hyperbolic sine.", "sinh(0)", 0, (x) => checked(Math.sinh(number(x))))
  .add("cosh", "x", "Hyperbolic cosine.", "cosh(0)", 1, (x) => checked(Math.cosh(number(x))))
  .add("tanh", "x", "Hyperbolic tangent.", "tanh(0)", 0, (x) => Math.tanh(number(x)))
  .add("asinh", "x", "Inverse of sinh.", "asinh(0)", 0, (x) => Math.asinh(number(x)))
  .add("acosh", "x", "Inverse of cosh; x is 1 or more.", "acosh(1)", 0, (x) => Math.acosh(where(x, (n) => n >= 1, "a number of 1 or more")))
  .add("atanh", "x", "Inverse of tanh; x between -1 and 1.", "atanh(0)", 0, (x) =>
    Math.atanh(where(x, (n) => n > -1 && n < 1, "a number between -1 and 1")),
  );
