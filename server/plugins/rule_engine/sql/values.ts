/** What a rule works with: JSON's kinds of values, bytes, and "nothing" for what is missing. */
import { exactText } from "../../../lib/exact_json.ts";
import { ArgumentError, Refusal, RuleError } from "./errors.ts";
import { DIGIT_NS, digitsOf, isNumeric, leastDigits, type Numeric, numberIn, ordered } from "./wholes.ts";
import { paid, pay, payCompared } from "./work.ts";

/** undefined = missing. Objects have no prototype reach; a bigint is a whole number beyond 2^53. */
export type Value = undefined | null | boolean | number | bigint | string | Uint8Array | Value[] | { [key: string]: Value };
export type Row = Record<string, Value>;

/** What one event offers: its columns are made when they are read. One object for all rules that look at the event. */
export interface Columns {
  /** undefined = there is none. */
  get(name: string): Value;
  /** For `*`. */
  names(): readonly string[];
  /** The payload column read as JSON, once for all rules. @throws RuleError when it is no JSON */
  json(): Value;
  /** Unix ms of the evaluation. */
  readonly now: number;
}

/** Longest text (UTF-16 units) or bytes that a function or `+` gives. */
export const MAX_TEXT = 1024 * 1024;
/** Most elements that a function makes of what is no array. */
export const MAX_ELEMENTS = 100_000;
/** What one more of them costs to make, about. */
const ELEMENT_NS = 50;
const CHARACTER_NS = 4;
/** What it costs to write one value as JSON, about. */
const WRITTEN_NS = 20;
/** What it costs to compare one value with another, about. */
const COMPARED_NS = 20;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text where the bytes are UTF-8, as payloads are; else the bytes. */
export function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  try {
    return utf8.decode(bytes);
  } catch {
    return bytes;
  }
}

export function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? Buffer.from(value, "utf8") : value;
}

/** @throws Refusal when it is too long */
export function bounded<T extends string | Uint8Array>(result: T): T {
  boundedLength(result.length);
  return result;
}

/** Of what is made so far, a piece at a time. @throws Refusal */
export function boundedSoFar(length: number): void {
  boundedBy(length, MAX_TEXT, "characters");
}

/** Of what is about to be made; paid for. @throws Refusal */
export function boundedLength(length: number, most = MAX_TEXT, of: "characters" | "elements" = "characters"): void {
  boundedBy(length, most, of);
  pay(length * (of === "elements" ? ELEMENT_NS : CHARACTER_NS));
}

function boundedBy(length: number, most: number, of: string): void {
  if (!(length <= most)) throw new Refusal(`the result would have ${length} ${of}, at most ${most} are allowed`);
}

export function isMap(value: Value): value is { [key: string]: Value } {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** Set one entry; `__proto__` is a name like any other. */
export function put(map: Row, key: string, value: Value): void {
  if (key === "__proto__") Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  else map[key] = value;
}

/**
 * As EMQ X compares: a number with a text by the number that the text says, a boolean with the texts true and false; bytes by bytes; arrays
 * and maps by what is in them. What is missing equals nothing, not even what is missing.
 */
export function isEqual(a: Value, b: Value): boolean {
  if (typeof a === "string" && typeof b === "string") return isText(a, b);
  if (a === b) return a !== undefined;
  if (typeof a === "string") {
    if (isNumeric(b)) return says(a, b);
    if (typeof b === "boolean") return a === String(b);
  } else if (typeof b === "string") {
    if (isNumeric(a)) return says(b, a);
    if (typeof a === "boolean") return b === String(a);
  }
  if (typeof a === "bigint" || typeof b === "bigint") return isSameNumber(a, b);
  // Of two that are neither bytes, arrays nor maps there is no more to say.
  return (typeof a === "object" || typeof b === "object") && isSame(a, b);
}

/** Only a number beyond 2^53 with decimals can be one that has none. */
const isSameNumber = (a: Value, b: Value): boolean => isNumeric(a) && isNumeric(b) && ordered(a, b) === 0;

/** The same text; paid for. Of two lengths they are not gone through. */
function isText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  payCompared(a.length);
  return a === b;
}

const says = (text: string, n: Numeric): boolean => ordered(numberIn(text), n) === 0;

/** Most values within values that one comparison looks at: a rule can put one array into another many times over. */
const MAX_VALUES = 100_000;

/** Equal without any conversion. Missing is the same as missing. @throws Refusal when there is too much to compare */
export function isSame(a: Value, b: Value, budget = { left: MAX_VALUES }): boolean {
  if (typeof a === "string" && typeof b === "string") return isText(a, b);
  if (a === b) return true;
  if (typeof a === "bigint" || typeof b === "bigint") return isSameNumber(a, b);
  if (--budget.left < 0) throw new Refusal(`more than ${MAX_VALUES} values are not compared`);
  if (a instanceof Uint8Array || b instanceof Uint8Array) return isBytesLike(a) && isBytesLike(b) && byteOrder(a, b) === 0;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    pay(a.length * COMPARED_NS);
    for (let i = 0; i < a.length; i++) if (!isSame(a[i], b[i], budget)) return false;
    return true;
  }
  if (!isMap(a) || !isMap(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  pay(keys.length * COMPARED_NS);
  for (const k of keys) if (!Object.hasOwn(b, k) || !isSame(a[k], b[k], budget)) return false;
  return true;
}

const isBytesLike = (v: Value): v is string | Uint8Array => typeof v === "string" || v instanceof Uint8Array;

/** Below 0, 0, above 0, byte by byte; paid for. A text has to be made bytes first. */
function byteOrder(a: string | Uint8Array, b: string | Uint8Array): number {
  payCompared(Math.min(a.length, b.length));
  const bytes = (v: string | Uint8Array): Uint8Array => (typeof v === "string" ? bytesOf(paid(v)) : v);
  return Buffer.compare(bytes(a), bytes(b));
}

/** Below 0, 0, above 0; NaN = there is no order between these. Of a number and a text: by the number that the text says. */
export function order(a: Value, b: Value): number {
  if (isNumeric(a)) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (isNumeric(b)) return ordered(a, b);
    return typeof b === "string" ? ordered(a, numberIn(b)) : Number.NaN;
  }
  if (typeof a === "string") {
    if (typeof b === "string") {
      payCompared(Math.min(a.length, b.length));
      return a < b ? -1 : a === b ? 0 : 1;
    }
    if (isNumeric(b)) return ordered(numberIn(a), b);
  }
  return isBytesLike(a) && isBytesLike(b) ? byteOrder(a, b) : Number.NaN;
}

/** @throws ArgumentError for bytes (JSON has none), Refusal when it is too long: that is found before the text is made */
export function toJson(value: Value): string {
  const seen: Seen = { left: MAX_TEXT, values: 0, digits: 0 };
  measure(value, seen);
  pay((MAX_TEXT - seen.left) * CHARACTER_NS + seen.values * WRITTEN_NS + seen.digits * DIGIT_NS);
  return bounded((seen.digits > 0 ? exactText(value) : JSON.stringify(value)) ?? "null");
}

interface Seen {
  /** Of the characters that the JSON may have: what is seen takes so many at least. */
  left: number;
  values: number;
  /** Of bigints, at least. */
  digits: number;
}

function measure(value: Value, seen: Seen): void {
  if (value instanceof Uint8Array) throw new ArgumentError("something that JSON can say (bytes: use base64_encode or bin2hexstr)", value);
  seen.values++;
  const digits = typeof value === "bigint" ? leastDigits(value) : 0;
  seen.digits += digits;
  seen.left -= typeof value === "string" ? value.length + 2 : digits || 1;
  if (seen.left < 0) throw new Refusal(`the result would have more than ${MAX_TEXT} characters`);
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) for (const inner of value) measure(inner, seen);
  else
    for (const key of Object.keys(value)) {
      seen.left -= key.length;
      measure(value[key], seen);
    }
}

/** A value as text, as `str()` gives it: numbers with at most ten decimals, arrays and maps as JSON, what is missing as "undefined". */
export function textOf(value: Value): string | Uint8Array {
  if (typeof value === "string" || value instanceof Uint8Array) return value;
  if (typeof value === "number") return numberText(value, 10);
  if (typeof value === "bigint") return digitsOf(value);
  return value === undefined ? "undefined" : typeof value === "boolean" ? String(value) : toJson(value);
}

/** Without exponent, at most so many decimals, no zeros at the end. */
export function numberText(n: number, decimals: number): string {
  if (Number.isInteger(n)) return BigInt(n).toString();
  if (Math.abs(n) >= 1e21) return String(n);
  const text = n.toFixed(Math.min(100, decimals));
  const short = text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
  return short === "-0" ? "0" : short;
}

/** Texts and bytes one behind the other. */
export function joined(parts: readonly (string | Uint8Array)[], separator: string | Uint8Array = ""): string | Uint8Array {
  const all = parts.flatMap((p, i) => (i === 0 || separator.length === 0 ? [p] : [separator, p]));
  let length = 0;
  for (const p of all) length += p.length;
  boundedLength(length);
  if (all.every((p) => typeof p === "string")) return all.join("");
  return textOrBytes(Buffer.concat(all.map(bytesOf)));
}

/** For what stands outside any function. */
export function finite(n: number, what: string): number {
  if (!Number.isFinite(n)) throw new RuleError(`${what}: the result is no finite number`);
  return n;
}
