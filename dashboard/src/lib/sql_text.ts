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

const WORD =
  /(?<space>\s+)|(?<comment>--[^\n]*)|(?<text>'(?:''|[^'])*'?|"(?:""|[^"])*"?)|(?<quoted>`[^`]*`?)|(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<name>[\p{L}_$][\p{L}\p{N}_$]*)|(?<sign><>|!=|<=|>=|=~|\.\.|.)/gsu;

/** All of the text, piece by piece. */
export function sqlTokens(sql: string): SqlToken[] {
  const out: SqlToken[] = [];
  for (const found of sql.matchAll(WORD)) {
    const at = found.index;
    const end = at + found[0].length;
    out.push({ kind: kindOf(found.groups ?? {}, sql, end, out.at(-1), at), at, end });
  }
  return out;
}

function kindOf(groups: Record<string, string | undefined>, sql: string, end: number, before: SqlToken | undefined, at: number): SqlKind {
  if (groups.quoted !== undefined) return "name";
  if (groups.name === undefined) return (["space", "comment", "text", "number"] as const).find((k) => groups[k] !== undefined) ?? "sign";
  // Behind a dot it is a field, whatever its name.
  const isField = before?.kind === "sign" && sql.slice(before.at, at) === ".";
  if (isField) return "name";
  if (KEYWORDS.has(groups.name.toUpperCase())) return "keyword";
  return /^\s*\(/.test(sql.slice(end, end + 8)) ? "function" : "name";
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
