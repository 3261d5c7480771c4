/** The words of a rule's SQL. One pass over the text, no regular expressions. */
import { SqlError } from "./errors.ts";

/** Words with a meaning of their own, in lower case. Where no operator can stand, `div`, `mod`, `like` and `is` are names as any other. */
const KEYWORDS = [
  "select",
  "from",
  "where",
  "as",
  "and",
  "or",
  "not",
  "in",
  "div",
  "mod",
  "like",
  "is",
  "case",
  "when",
  "then",
  "else",
  "end",
  "foreach",
  "do",
  "incase",
  "null",
  "true",
  "false",
] as const;
export type Keyword = (typeof KEYWORDS)[number];
const KEYWORD_OF: ReadonlyMap<string, Keyword> = new Map(KEYWORDS.flatMap((k) => [[k, k] as const, [k.toUpperCase(), k] as const]));

export type Sign = "=" | "<>" | "!=" | "<" | "<=" | ">" | ">=" | "=~" | "+" | "-" | "*" | "/" | "(" | ")" | "[" | "]" | "," | "." | "..";

/** `name`: as written; `quoted`: a name in backquotes; `text`: in single or double quotes; `number`: its digits; `eof`: there is no more. */
export interface Token {
  readonly kind: "name" | "quoted" | "text" | "number" | "eof" | Keyword | Sign;
  /** Without quotes; of a keyword, as written. */
  readonly text: string;
  /** In UTF-16 units, with quotes. */
  readonly at: number;
  readonly end: number;
}

/** All keywords that begin or join clauses, for hints. */
export function isKeyword(word: string): boolean {
  return KEYWORD_OF.has(word.toLowerCase());
}

const QUOTE = 0x27;
const DOUBLE_QUOTE = 0x22;
const BACKQUOTE = 0x60;
const DOT = 0x2e;
const DASH = 0x2d;

const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39;
const isSpace = (c: number): boolean => c === 0x20 || (c >= 0x09 && c <= 0x0d) || c === 0xa0 || c === 0xfeff;
/** A letter, `_`, `$`, or anything that is not ASCII. */
const isNameStart = (c: number): boolean =>
  (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a) || c === 0x5f || c === 0x24 || (c > 0x7f && !isSpace(c));
const isNamePart = (c: number): boolean => isNameStart(c) || isDigit(c) || c === 0x40;

/** @throws SqlError: a quote that is not closed, a character that no word begins with. */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  const length = sql.length;
  let at = 0;
  while (at < length) {
    const c = sql.charCodeAt(at);
    if (isSpace(c)) {
      at++;
    } else if (c === DASH && sql.charCodeAt(at + 1) === DASH) {
      const end = sql.indexOf("\n", at);
      at = end < 0 ? length : end;
    } else {
      const token = isNameStart(c) ? word(sql, at) : isDigit(c) ? number(sql, at) : isQuote(c) ? quoted(sql, at, c) : sign(sql, at, tokens);
      tokens.push(token);
      at = token.end;
      // What stands directly behind a dot is a name, whatever it looks like: `payload.end`, `payload.1`, `payload.2x`.
      if (token.kind === "." && isNamePart(sql.charCodeAt(at))) {
        const key = run(sql, at);
        tokens.push({ kind: "name", text: sql.slice(at, key), at, end: key });
        at = key;
      }
    }
  }
  tokens.push({ kind: "eof", text: "", at: length, end: length });
  return tokens;
}

const isQuote = (c: number): boolean => c === QUOTE || c === DOUBLE_QUOTE || c === BACKQUOTE;

function run(sql: string, from: number): number {
  let at = from;
  while (at < sql.length && isNamePart(sql.charCodeAt(at))) at++;
  return at;
}

function word(sql: string, at: number): Token {
  const end = run(sql, at);
  const text = sql.slice(at, end);
  const keyword = KEYWORD_OF.get(text) ?? (end - at <= 7 ? KEYWORD_OF.get(text.toLowerCase()) : undefined);
  return { kind: keyword ?? "name", text, at, end };
}

function digits(sql: string, from: number): number {
  let at = from;
  while (isDigit(sql.charCodeAt(at))) at++;
  return at;
}

function number(sql: string, at: number): Token {
  let end = digits(sql, at);
  // Not the dots of a range: `1..5`.
  if (sql.charCodeAt(end) === DOT && isDigit(sql.charCodeAt(end + 1))) end = digits(sql, end + 1);
  if (sql[end] === "e" || sql[end] === "E") {
    const hasSign = sql[end + 1] === "+" || sql[end + 1] === "-";
    const exponent = digits(sql, end + (hasSign ? 2 : 1));
    if (isDigit(sql.charCodeAt(exponent - 1)) && exponent > end + (hasSign ? 2 : 1)) end = exponent;
  }
  if (isNameStart(sql.charCodeAt(end)))
    throw new SqlError("a name cannot begin with a digit (put it in backquotes)", sql, at, run(sql, end) - at);
  return { kind: "number", text: sql.slice(at, end), at, end };
}

/** A doubled quote stands for itself, nothing else is special: `'it''s'`, `'\d+'`. */
function quoted(sql: string, at: number, quote: number): Token {
  const mark = sql[at] as string;
  let end = at + 1;
  let isDoubled = false;
  for (;;) {
    end = sql.indexOf(mark, end);
    if (end < 0) throw new SqlError(`this ${mark} is not closed`, sql, at, 1);
    if (sql.charCodeAt(end + 1) !== quote) break;
    isDoubled = true;
    end += 2;
  }
  const raw = sql.slice(at + 1, end);
  return { kind: quote === BACKQUOTE ? "quoted" : "text", text: isDoubled ? raw.replaceAll(mark + mark, mark) : raw, at, end: end + 1 };
}

const TWO: ReadonlySet<string> = new Set(["<>", "!=", "<=", ">=", "=~", ".."]);
const ONE: ReadonlySet<string> = new Set("=<>+-*/()[],.");
/** What people bring from elsewhere -> what to write here. */
const FOREIGN: readonly (readonly [sign: string, hint: string])[] = [
  ["==", "write ="],
  ["~=", "for topics: topic =~ 'filter'"],
  ["&&", "write and"],
  ["||", "write or; texts are joined by + or concat()"],
  ["%", "write mod"],
  ["!", "write not"],
  [";", "a rule is one statement, without ;"],
  ["{", "make maps with map_put(), or by an alias such as AS a.b"],
];

function sign(sql: string, at: number, before: readonly Token[]): Token {
  const two = sql.slice(at, at + 2);
  if (TWO.has(two)) return { kind: two as Sign, text: two, at, end: at + 2 };
  const one = sql[at] as string;
  if (ONE.has(one) && two !== "==") return { kind: one as Sign, text: one, at, end: at + 1 };
  const [foreign, hint] = FOREIGN.find(([s]) => sql.startsWith(s, at)) ?? [String.fromCodePoint(sql.codePointAt(at) ?? 0), null];
  // At the very end it is harmless.
  if (foreign === ";" && sql.slice(at + 1).trim() === "" && before.length > 0) return { kind: "eof", text: ";", at, end: sql.length };
  throw new SqlError(
    `${JSON.stringify(foreign)} is nothing that a rule's SQL knows${hint === null ? "" : ` (${hint})`}`,
    sql,
    at,
    foreign.length,
  );
}
