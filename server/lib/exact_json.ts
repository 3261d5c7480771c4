/**
 * JSON as a stranger wrote it: whole numbers that no number can say are bigints, and what reading takes is bounded. Nothing of that is in
 * JSON.parse: a megabyte of `[[],[],…` takes thirty times as long as one of text. And JSON of values with bigints in them: their digits.
 */
import { randomUUID } from "node:crypto";

/** Texts up to so long are not looked through first, characters: nothing in them takes long. */
const SHORT = 16 * 1024;
/** What reading costs at most for a value, or a character of a short text, about. */
const CHARACTER_NS = 40;
/** What looking at a value once more costs, about. */
const AGAIN_NS = 20;
const VALUES = 200_000;
const DEPTH = 500;

/** Digits that may be too many for a number, outside of most texts: only then is the text looked through for them. */
const LONG_NUMBER = /(?:^|[:,[\s-])\d{16}/;

/** It is not read, in words that are complete: it has too many values, or is nested too deep. */
export class UnreadJson extends Error {
  override readonly name = "UnreadJson";
}

/** What a text of digits begins with that stands for a number, until it is one again: no stranger knows it. */
const MARK = `${randomUUID()}:`;

/**
 * What the text says. `pay` hears of the nanoseconds that it will take, about, before it takes them, and may refuse.
 * @throws SyntaxError: it is no JSON, UnreadJson
 */
export function exactJson(text: string, pay: (ns: number) => void = () => {}): unknown {
  const values = text.length > SHORT ? valuesIn(text) : text.length;
  pay(text.length > SHORT ? text.length + CHARACTER_NS * values : values * CHARACTER_NS);
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  const marked = bigQuoted(text, MARK);
  if (marked === text) return JSON.parse(text);
  pay(values * AGAIN_NS);
  return restored(JSON.parse(marked));
}

/** The same text with the digits of such numbers in quotes: for whoever reads it with numbers alone, a browser say. */
export const bigAsText = (text: string): string => (LONG_NUMBER.test(text) ? bigQuoted(text, "") : text);

/** Digits without quotes within JSON. In the runtime, not yet in the compiler's types. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** JSON of a value in which there may be bigints. `other`: as JSON.stringify's replacer, for all other values. undefined = JSON has no such thing. */
export function exactText(
  value: unknown,
  other: (this: unknown, key: string, value: unknown) => unknown = (_, v) => v,
): string | undefined {
  return JSON.stringify(value, function (this: unknown, key: string, v: unknown) {
    return typeof v === "bigint" ? rawJSON(String(v)) : other.call(this, key, v);
  });
}

/** With numbers again where there are marks. Arrays and objects are changed in place. */
function restored(value: unknown): unknown {
  if (typeof value === "string") return value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    // By position: names of positions would have to be made, which takes three times as long.
    for (let i = 0; i < value.length; i++) if (mayHaveMarks(value[i])) value[i] = restored(value[i]);
    return value;
  }
  // A name such as `__proto__` is the object's own, so that it is set as any other.
  const inside = value as Record<string, unknown>;
  for (const key in inside) {
    const before = inside[key];
    if (!mayHaveMarks(before)) continue;
    const now = restored(before);
    if (now !== before) inside[key] = now;
  }
  return value;
}

const mayHaveMarks = (value: unknown): boolean => typeof value === "string" || typeof value === "object";

/**
 * About how many values a text has, if it is JSON. @throws UnreadJson
 */
function valuesIn(text: string): number {
  let values = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === QUOTE) at = endOfText(text, at + 1);
    else if (c === COMMA || c === COLON) values++;
    else if (c === CLOSE_ARRAY || c === CLOSE_MAP) depth--;
    else if (c === OPEN_ARRAY || c === OPEN_MAP) {
      values++;
      if (++depth > DEPTH) throw new UnreadJson(`JSON that is nested more than ${DEPTH} deep is not read`);
    }
    if (values > VALUES) throw new UnreadJson(`JSON with more than ${VALUES} values is not read`);
  }
  return values;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_MAP = 0x7b;
const CLOSE_MAP = 0x7d;
/** What a number may go on with behind its digits, or have before them: then it is no whole one. */
const NO_WHOLE = /[.eE+\d]/;
const KEY_FOLLOWS = /\s*:/y;
const DIGITS = /\d+/y;

/**
 * Whole numbers that a number cannot say exactly, in quotes behind a mark; what is no JSON stays none. Asking a function about every value that
 * was read takes ten times as long.
 */
function bigQuoted(text: string, mark: string): string {
  let out = "";
  let done = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === QUOTE) {
      at = endOfText(text, at + 1);
      continue;
    }
    if (c < 0x30 || c > 0x39) continue;
    DIGITS.lastIndex = at;
    const digits = (DIGITS.exec(text) as RegExpExecArray)[0];
    const end = at + digits.length;
    const from = text[at - 1] === "-" ? at - 1 : at;
    if (digits.length >= 16 && isBig(text, from, at, end)) {
      out += `${text.slice(done, from)}"${mark}${text.slice(from, end)}"`;
      done = end;
    }
    at = end - 1;
  }
  return out + text.slice(done);
}

function isBig(text: string, from: number, at: number, end: number): boolean {
  if (end - at > 400 || text.charCodeAt(at) === 0x30 || Number.isSafeInteger(Number(text.slice(at, end)))) return false;
  if (NO_WHOLE.test(text[from - 1] ?? "") || NO_WHOLE.test(text[end] ?? "")) return false;
  KEY_FOLLOWS.lastIndex = end;
  return !KEY_FOLLOWS.test(text);
}

/** The quote that ends it. */
function endOfText(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const c = text.charCodeAt(at);
    if (c === BACKSLASH) at++;
    else if (c === QUOTE) return at;
  }
  return text.length;
}
