/**
 * JSON as a stranger wrote it: whole numbers that no number can say stay text, and what reading takes is bounded. Nothing of that is in
 * JSON.parse: a megabyte of `[[],[],…` takes thirty times as long as one of text.
 */

/** Texts up to so long are not looked through first, characters: nothing in them takes long. */
const SHORT = 16 * 1024;
/** What reading costs at most for a value, or a character of a short text, about. */
const CHARACTER_NS = 40;
const VALUES = 200_000;
const DEPTH = 500;

/** Digits that may be too many for a number, outside of most texts: only then is the text looked through for them. */
const LONG_NUMBER = /(?:^|[:,[\s-])\d{16}/;

/** It is not read, in words that are complete: it has too many values, or is nested too deep. */
export class UnreadJson extends Error {
  override readonly name = "UnreadJson";
}

/**
 * What the text says. `pay` hears of the nanoseconds that it will take, about, before it takes them, and may refuse.
 * @throws SyntaxError: it is no JSON, UnreadJson
 */
export function exactJson(text: string, pay: (ns: number) => void = () => {}): unknown {
  pay(text.length > SHORT ? text.length + CHARACTER_NS * valuesIn(text) : text.length * CHARACTER_NS);
  return JSON.parse(LONG_NUMBER.test(text) ? bigQuoted(text) : text);
}

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
 * Whole numbers that a number cannot say exactly, in quotes; what is no JSON stays none. Asking a function about every value that was read takes
 * ten times as long.
 */
function bigQuoted(text: string): string {
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
      out += `${text.slice(done, from)}"${text.slice(from, end)}"`;
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
