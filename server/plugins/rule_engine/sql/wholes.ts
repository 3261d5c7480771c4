/**
 * Whole numbers of any length, as Erlang has them: a number up to 2^53, where it is exact and costs nothing, beyond it a bigint. So a number
 * that is larger than that is one with decimals, whose last digits nobody knows.
 */
import { ArgumentError, Refusal } from "./errors.ts";
import type { Value } from "./values.ts";
import { pay } from "./work.ts";

/** A whole number where it is a bigint or below 2^53, else one with decimals. */
export type Numeric = number | bigint;

/** Most digits that are read, as many as JSON may have them, and that a result may have. */
const MAX_DIGITS = 400;
const BOUND = 10n ** BigInt(MAX_DIGITS);
/** What an operation with the longest of them takes, about. */
const OPERATION_NS = 600;
/** What each digit takes to be written, about. */
export const DIGIT_NS = 6;

/** Digits that a number need not be exact for. */
const LONG = /^[+-]?\d{16,400}$/;
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

export const isNumeric = (value: Value): value is Numeric => typeof value === "number" || typeof value === "bigint";

/** Exact, whatever is done with it. */
export const isExact = (n: Numeric): boolean => typeof n === "bigint" || Number.isSafeInteger(n);

/** The result of an operation; paid for. @throws Refusal when it has too many digits, or nothing is left */
export function wholeNumber(n: bigint): Numeric {
  const small = Number(n);
  if (Number.isSafeInteger(small)) return small;
  pay(OPERATION_NS);
  if (n >= BOUND || n <= -BOUND) throw new Refusal(`the result has more than ${MAX_DIGITS} digits`);
  return n;
}

/** Of a number without decimals. */
export const wholeOf = (n: Numeric): Numeric => (isExact(n) ? n : wholeNumber(BigInt(n)));

/** A whole number, or the digits of a long one: senders write them as text so that nobody rounds them. @throws ArgumentError */
export function bigOf(value: Value): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  if (typeof value === "string" && LONG.test(value)) return BigInt(value);
  throw new ArgumentError("a whole number", value);
}

/** The number that a text says, in decimal; NaN = it says none. */
export function numberIn(text: string): Numeric {
  if (text.length > MAX_DIGITS + 1 || !DECIMAL.test(text)) return Number.NaN;
  return text.length >= 16 && LONG.test(text) ? wholeNumber(BigInt(text)) : Number(text);
}

/** Below 0, 0, above 0, of the exact values; NaN where one of them is. */
export function ordered(a: Numeric, b: Numeric): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : 0;
}

/** Beyond it counting digits is worth more than they cost. */
const SHORT = 2n ** 64n;
const SHORT_DIGITS = 16;
/** Decimal digits that a hexadecimal one says, at least. */
const PER_HEX = 1.2;

/** How many characters its digits have, at least: known before they are written, which takes ten times as long. */
export function leastDigits(n: bigint): number {
  return n < SHORT && n > -SHORT ? SHORT_DIGITS : Math.ceil((n.toString(16).length - 1) * PER_HEX);
}

/** Its digits; paid for. */
export function digitsOf(n: bigint): string {
  const digits = n.toString();
  pay(digits.length * DIGIT_NS);
  return digits;
}
