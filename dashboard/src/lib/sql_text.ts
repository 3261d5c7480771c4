/** A rule's SQL as text: its words, for colours and completion, and where its clauses are. The broker alone says what is wrong with it. */

export type SqlKind = "keyword" | "function" | "name" | "text" | "number" | "comment" | "sign" | "space";

export interface SqlToken {
  kind: SqlKind;
  /** In UTF-16 units, with quotes. */
  at: number;
  end: number;
}

export const SQL_KEYWORDS = [
  "SELECT",
  "FROM",
  "WHERE",
  "AS",
  "AND",
  "OR",
  "NOT",
  "IN",
  "LIKE",
  "IS",
  "DIV",
  "MOD",
  "CASE",
  "WHEN",
  "THEN",
  "ELSE",
  "END",
  "FOREACH",
  "DO",
  "INCASE",
  "NULL",
  "TRUE",
  "FALSE",
] as const;
const KEYWORDS: ReadonlySet<string> = new Set(SQL_KEYWORDS);

const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39;
const isSpace = (c: number): boolean => c === 0x20 || (c >= 0x09 && c <= 0x0d) || c === 0xa0 || c === 0xfeff;
/** A letter, `_`, `$`, or anything that is not ASCII, as the broker has it. */
const isName = (c: number): boolean =>
  (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a) || c === 0x5f || c === 0x24 || (c > 0x7f && !isSpace(c));
const TWO: ReadonlySet<string> = new Set(["<>", "!=", "<=", ">=", "=~", ".."]);

/** All of the text, piece by piece. One pass, without regular expressions: it is done at every letter that is typed. */
export function sqlTokens(sql: string): SqlToken[] {
  const out: SqlToken[] = [];
  let at = 0;
  while (at < sql.length) {
    const [kind, end] = tokenAt(sql, at, out.at(-1));
    out.push({ kind, at, end });
    at = end;
  }
  return out;
}

function tokenAt(sql: string, at: number, before: SqlToken | undefined): [SqlKind, number] {
  const c = sql.charCodeAt(at);
  if (isSpace(c)) return ["space", run(sql, at, isSpace)];
  if (isDigit(c)) return ["number", numberEnd(sql, at)];
  if (isName(c)) {
    const end = run(sql, at, (x) => isName(x) || isDigit(x));
    return [nameKind(sql, at, end, before), end];
  }
  const mark = sql[at] as string;
  if (mark === "'" || mark === '"') return ["text", quotedEnd(sql, at, mark)];
  if (mark === "`") return ["name", quotedEnd(sql, at, mark)];
  if (sql.startsWith("--", at)) {
    const end = sql.indexOf("\n", at);
    return ["comment", end < 0 ? sql.length : end];
  }
  return ["sign", TWO.has(sql.slice(at, at + 2)) ? at + 2 : at + 1];
}

function run(sql: string, from: number, belongs: (c: number) => boolean): number {
  let at = from;
  while (at < sql.length && belongs(sql.charCodeAt(at))) at++;
  return at;
}

function numberEnd(sql: string, from: number): number {
  let end = run(sql, from, isDigit);
  if (sql[end] === "." && isDigit(sql.charCodeAt(end + 1))) end = run(sql, end + 1, isDigit);
  const exponent = /^[eE][+-]?\d/.exec(sql.slice(end, end + 3));
  return exponent === null ? end : run(sql, end + exponent[0].length, isDigit);
}

/** Behind the closing mark; a doubled one is part of the text, one that is not closed ends with the text. */
function quotedEnd(sql: string, from: number, mark: string): number {
  for (let at = from + 1; ; at += 2) {
    at = sql.indexOf(mark, at);
    if (at < 0) return sql.length;
    if (sql[at + 1] !== mark) return at + 1;
  }
}

function nameKind(sql: string, at: number, end: number, before: SqlToken | undefined): SqlKind {
  // Behind a dot it is a field, whatever its name.
  if (before?.kind === "sign" && sql.slice(before.at, at) === ".") return "name";
  if (KEYWORDS.has(sql.slice(at, end).toUpperCase())) return "keyword";
  return sql[run(sql, end, isSpace)] === "(" ? "function" : "name";
}

export interface Span {
  at: number;
  end: number;
}

/** Where the clauses of `SELECT … FROM … WHERE …` are, without white space around them; null = it has no such form. */
export interface SqlClauses {
  /** SELECT; FOREACH has no such clause of one piece. */
  fields: Span | null;
  from: Span;
  where: Span | null;
  /** A form would lose comments. */
  comments: boolean;
}

/** Words outside of brackets and CASE, with their place among the words. */
function* topLevel(sql: string, tokens: readonly SqlToken[]): Generator<{ token: SqlToken; word: string }> {
  let depth = 0;
  for (const token of tokens) {
    if (token.kind === "space" || token.kind === "comment") continue;
    const word = sql.slice(token.at, token.end).toUpperCase();
    const opens = (token.kind === "sign" && /^[([]$/.test(word)) || (token.kind === "keyword" && word === "CASE");
    const closes = (token.kind === "sign" && /^[)\]]$/.test(word)) || (token.kind === "keyword" && word === "END");
    if (closes) depth--;
    if (depth === 0 && !closes) yield { token, word: token.kind === "keyword" || token.kind === "sign" ? word : "" };
    if (opens) depth++;
  }
}

export function sqlClauses(sql: string): SqlClauses | null {
  const tokens = sqlTokens(sql);
  let head: SqlToken | null = null;
  let from: SqlToken | null = null;
  let where: SqlToken | null = null;
  for (const { token, word } of topLevel(sql, tokens)) {
    if (head === null) {
      if (word !== "SELECT" && word !== "FOREACH") return null;
      head = token;
    } else if (word === "FROM" && from === null) from = token;
    else if (word === "WHERE" && from !== null && where === null) where = token;
  }
  if (head === null || from === null) return null;
  const isSelect = sql.slice(head.at, head.end).toUpperCase() === "SELECT";
  return {
    fields: isSelect ? trimmed(sql, head.end, from.at) : null,
    from: trimmed(sql, from.end, where?.at ?? sql.length),
    where: where && trimmed(sql, where.end, sql.length),
    comments: tokens.some((t) => t.kind === "comment"),
  };
}

function trimmed(sql: string, at: number, end: number): Span {
  const text = sql.slice(at, end);
  return { at: at + text.length - text.trimStart().length, end: end - (text.length - text.trimEnd().length) };
}

/** Pieces between words that stand outside of brackets, trimmed, and those words in capitals. */
export function splitSql(text: string, at: (word: string) => boolean): { parts: string[]; words: string[] } {
  const parts: string[] = [];
  const words: string[] = [];
  let begin = 0;
  for (const { token, word } of topLevel(text, sqlTokens(text))) {
    if (word === "" || !at(word)) continue;
    parts.push(text.slice(begin, token.at).trim());
    words.push(word);
    begin = token.end;
  }
  parts.push(text.slice(begin).trim());
  return { parts, words };
}

/** `'it''s'` → `it's`; null = it is no text in quotes. */
export function unquoted(text: string): string | null {
  const mark = text[0];
  if ((mark !== "'" && mark !== '"') || text.length < 2 || text.at(-1) !== mark) return null;
  const [only, more] = sqlTokens(text);
  return more === undefined && only?.kind === "text" ? text.slice(1, -1).replaceAll(mark + mark, mark) : null;
}

export const inQuotes = (text: string, mark: "'" | '"'): string => mark + text.replaceAll(mark, mark + mark) + mark;

/** What FROM names; null = it is more than topics and events in quotes. */
export function sourcesOf(sql: string): string[] | null {
  const clauses = sqlClauses(sql);
  if (clauses === null) return null;
  const sources = splitSql(sql.slice(clauses.from.at, clauses.from.end), (w) => w === ",").parts.map(unquoted);
  return sources.every((s) => s !== null) ? sources : null;
}

/** The statement with other sources, whatever else it has; null = it has no FROM. */
export function withSources(sql: string, sources: readonly string[]): string | null {
  const clauses = sqlClauses(sql);
  if (clauses === null) return null;
  const gap = /\s$/.test(sql.slice(0, clauses.from.at)) ? "" : " ";
  return sql.slice(0, clauses.from.at) + gap + sources.map((s) => inQuotes(s, '"')).join(", ") + sql.slice(clauses.from.end);
}

/** Where line and column (from 1) of the broker's message are in the text. */
export function placeOf(sql: string, line: number, column: number, length: number): Span {
  let at = 0;
  for (let n = 1; n < line; n++) {
    const next = sql.indexOf("\n", at);
    if (next < 0) break;
    at = next + 1;
  }
  const begin = Math.min(sql.length, at + Math.max(0, column - 1));
  return { at: begin, end: Math.min(sql.length, begin + length) };
}
