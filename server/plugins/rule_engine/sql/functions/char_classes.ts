/** Classes of characters in patterns, and what stands behind a backslash. */
import type { Assertion } from "./regex_program.ts";

export type CharTest = (code: number) => boolean;

const isDigit: CharTest = (c) => c >= 0x30 && c <= 0x39;
export const isWord: CharTest = (c) => isDigit(c) || (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a) || c === 0x5f;
const isSpace: CharTest = (c) => c === 0x20 || (c >= 0x09 && c <= 0x0d);
export const not =
  (test: CharTest): CharTest =>
  (c) =>
    !test(c);

export const CLASSES: Readonly<Record<string, CharTest>> = {
  d: isDigit,
  D: not(isDigit),
  w: isWord,
  W: not(isWord),
  s: isSpace,
  S: not(isSpace),
  h: (c) => c === 0x20 || c === 0x09,
  N: (c) => c !== 0x0a,
};
export const POSIX: Readonly<Record<string, CharTest>> = {
  alpha: (c) => isWord(c) && !isDigit(c) && c !== 0x5f,
  digit: isDigit,
  alnum: (c) => isWord(c) && c !== 0x5f,
  upper: (c) => c >= 0x41 && c <= 0x5a,
  lower: (c) => c >= 0x61 && c <= 0x7a,
  space: isSpace,
  punct: (c) => c > 0x20 && c < 0x7f && !(isWord(c) && c !== 0x5f),
  xdigit: (c) => isDigit(c) || (c >= 0x61 && c <= 0x66) || (c >= 0x41 && c <= 0x46),
  word: isWord,
};
export const ESCAPES: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, f: 12, v: 11, a: 7, e: 27, 0: 0 };
export const ASSERTIONS: Readonly<Record<string, Assertion>> = { b: "word", B: "notWord", A: "start", z: "end", Z: "lastEnd" };

/** Small and capital letters are the same. */
export function folded(test: CharTest): CharTest {
  return (c) => {
    if (test(c)) return true;
    const s = String.fromCodePoint(c);
    const [lower, upper] = [s.toLowerCase(), s.toUpperCase()];
    return (lower !== s && test(lower.codePointAt(0) as number)) || (upper !== s && test(upper.codePointAt(0) as number));
  };
}
