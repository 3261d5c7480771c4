/**
 * Queries as EMQ X 3.1's users write them: `… where username = '%u' limit 1`. A variable in quotes becomes a bound value of a prepared
 * statement; nothing is ever put into the text. `${username}`, `${clientid}`, `${peerhost}`, `${cert_common_name}` and `${cert_subject}`, with
 * or without quotes, are the same in later versions' words.
 */
import type { Variable } from "../_backend/template.ts";

export type Dialect = "mysql" | "postgres";

export interface Query {
  /** With `?` (MySQL) or `$1` (PostgreSQL) for the values. */
  readonly text: string;
  /** What is bound, in order. */
  readonly values: readonly Variable[];
  /** Names that are compared as the table's collation does: where they stand they cannot be compared byte by byte as well. */
  readonly asTheTable: readonly Variable[];
}

/** The longer name first: `%cn` is not `%c` and an n. */
const LETTERS = "cn|dn|u|c|a";
const NAMES: Readonly<Record<string, Variable>> = {
  username: "u",
  clientid: "c",
  peerhost: "a",
  cert_common_name: "cn",
  cert_subject: "dn",
};
/** "--" begins one in MySQL before a blank only, which may be the end of its line, as `1--1` is 2. */
const COMMENT: Readonly<Record<Dialect, string>> = {
  mysql: "#[^\\n]*|--(?=[\\0- \\x7f]|$)[^\\n]*|/\\*[\\s\\S]*?\\*/",
  postgres: "--[^\\n]*|/\\*[\\s\\S]*?\\*/",
};
/** In order: a text that is nothing but a variable, with its quotes; a comment; any other text or quoted name; a variable of later versions; one of 3.1 without quotes. */
const tokensOf = (dialect: Dialect): RegExp =>
  new RegExp(
    [
      `'%(?<quoted>${LETTERS})'`,
      `'\\$\\{(?<quotedName>${Object.keys(NAMES).join("|")})\\}'`,
      `(?<comment>${COMMENT[dialect]})`,
      "'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`",
      `\\$\\{(?<name>${Object.keys(NAMES).join("|")})\\}`,
      `%(?<bare>${LETTERS})\\b`,
    ].join("|"),
    "g",
  );
const TOKENS: Readonly<Record<Dialect, RegExp>> = { mysql: tokensOf("mysql"), postgres: tokensOf("postgres") };

/**
 * A condition that is nothing but a column and a value, or a list of one, up to the value; and what may come behind it. To add `and …` there
 * changes nothing else of the question. `||` is no `or` everywhere.
 */
const COLUMN =
  /(?:\b(?:where|and|or|on|having)\s+|(?:\(|&&)\s*)(?<column>(?:(?:`[^`]+`|[A-Za-z_$][\w$]*)\.){0,2}(?:`[^`]+`|[A-Za-z_$][\w$]*))(?:\s*=|\s+(?<list>in)\s*\()\s*$/i;
const CONDITION_ENDS = /^\s*(?:$|[;)]|&&|(?:and|or|where|join|inner|left|right|limit|order|group|having|union|for|lock)\b)/i;
const LIST_ENDS = /^\s*\)/;
/** One that MySQL or MariaDB executes. */
const EXECUTED = /^\/\*M?!/;
/** Already what `matchCase` would make of it. */
const BY_BYTES = /\bbinary\b[^=]*=\s*$|=\s*binary\s+$/i;

/** In bytes of UTF-8, whatever the column's character set and collation, which take `JOE` or `joe ` for `joe`. The plain comparison before it finds the index. */
const sameBytes = (column: string): string =>
  ` and cast(convert(${column} using utf8mb4) as binary) = cast(convert(? using utf8mb4) as binary)`;

/** What is compared byte by byte behind a value as well, and how far behind. */
interface Exactly {
  readonly column: string;
  readonly behind: number;
}

/** `before`, `behind`: the text around a value, blanks for its comments. null = it does not stand alone there. */
function exactly(before: string, behind: string): Exactly | null {
  const { column, list } = COLUMN.exec(before)?.groups ?? {};
  if (column === undefined) return null;
  const end = list === undefined ? 0 : (LIST_ENDS.exec(behind)?.[0].length ?? null);
  return end !== null && CONDITION_ENDS.test(behind.slice(end)) ? { column, behind: end } : null;
}

function withoutComments(text: string, dialect: Dialect): string {
  return text.replace(TOKENS[dialect], (found: string, ...rest: unknown[]) => {
    const { comment } = rest.at(-1) as { comment?: string };
    return comment === undefined || EXECUTED.test(comment) ? found : " ".repeat(found.length);
  });
}

/**
 * `matchCase`: names are compared byte by byte as well, where they stand alone behind a column and `=` or `in` (MySQL; PostgreSQL does so anyway).
 * @returns what is wrong with it, in words, when a variable stands where it cannot be bound
 */
export function compileQuery(text: string, dialect: Dialect, matchCase = false): Query | string {
  const values: Variable[] = [];
  const asTheTable: Variable[] = [];
  const plain = withoutComments(text, dialect);
  let [out, copied] = ["", 0];
  const copyTo = (end: number): void => {
    out += text.slice(copied, end);
    copied = end;
  };
  // One place, one value: the same one may stand beside columns of different types.
  const bind = (variable: Variable, from: number, to: number): void => {
    copyTo(from);
    copied = to;
    const n = values.push(variable);
    out += dialect === "mysql" ? "?" : `$${n}`;
  };
  const compare = (variable: Variable, from: number, to: number): void => {
    const before = plain.slice(0, from);
    const found = exactly(before, plain.slice(to));
    if (found !== null) {
      copyTo(to + found.behind);
      values.push(variable);
      out += sameBytes(found.column);
    } else if (!BY_BYTES.test(before)) asTheTable.push(variable);
  };
  for (const { 0: whole, index, groups: g = {} } of text.matchAll(TOKENS[dialect])) {
    if (g.bare !== undefined) return `${whole} must stand in quotes, as '${whole}': it is a value`;
    const name = g.quotedName ?? g.name;
    const variable = name === undefined ? (g.quoted as Variable | undefined) : NAMES[name];
    if (variable === undefined) continue;
    const end = index + whole.length;
    bind(variable, index, end);
    if (matchCase && dialect === "mysql" && variable !== "a") compare(variable, index, end);
  }
  copyTo(text.length);
  return { text: out.trim().replace(/;\s*$/, ""), values, asTheTable };
}
