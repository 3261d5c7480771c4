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
/**
 * In order: a text that is nothing but a variable, with its quotes; any other text, quoted name, or comment, as it is; a variable of later
 * versions; one of 3.1 without quotes.
 */
const TOKEN = new RegExp(
  [
    `'%(?<quoted>${LETTERS})'`,
    `'\\$\\{(?<quotedName>${Object.keys(NAMES).join("|")})\\}'`,
    "(?<other>'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|--[^\\n]*|/\\*[\\s\\S]*?\\*/)",
    `\\$\\{(?<name>${Object.keys(NAMES).join("|")})\\}`,
    `%(?<bare>${LETTERS})\\b`,
  ].join("|"),
  "g",
);

/**
 * A condition that is nothing but a column and a value, up to the value; and what may come behind it. To add `and …` there changes nothing else
 * of the question.
 */
const COLUMN = /(?:\b(?:where|and|or|on|having)\s+|\(\s*)((?:(?:`[^`]+`|[A-Za-z_$][\w$]*)\.){0,2}(?:`[^`]+`|[A-Za-z_$][\w$]*))\s*=\s*$/i;
const CONDITION_ENDS = /^\s*(?:$|[;)]|(?:and|or|where|join|inner|left|right|limit|order|group|having|union|for|lock)\b)/i;
/** Already what `matchCase` would make of it. */
const BY_BYTES = /\bbinary\b[^=]*=\s*$|=\s*binary\s+$/i;

/** In bytes of UTF-8, whatever the column's character set and collation, which take `JOE` or `joe ` for `joe`. The plain comparison before it finds the index. */
const sameBytes = (column: string): string =>
  ` and cast(convert(${column} using utf8mb4) as binary) = cast(convert(? using utf8mb4) as binary)`;

/**
 * `matchCase`: names are compared byte by byte as well, where they stand alone behind a column and `=` (MySQL; PostgreSQL does so anyway).
 * @returns what is wrong with it, in words, when a variable stands where it cannot be bound
 */
export function compileQuery(text: string, dialect: Dialect, matchCase = false): Query | string {
  const values: Variable[] = [];
  const asTheTable: Variable[] = [];
  let bare: string | null = null;
  const exactly = (variable: Variable, before: string, behind: string): string => {
    if (!matchCase || dialect !== "mysql" || variable === "a") return "";
    const column = COLUMN.exec(before)?.[1];
    if (column !== undefined && CONDITION_ENDS.test(behind)) {
      values.push(variable);
      return sameBytes(column);
    }
    if (!BY_BYTES.test(before)) asTheTable.push(variable);
    return "";
  };
  // One place, one value: the same one may stand beside columns of different types.
  const placeholder = (variable: Variable): string => {
    const n = values.push(variable);
    return dialect === "mysql" ? "?" : `$${n}`;
  };
  const out = text.replace(TOKEN, (whole: string, ...rest: unknown[]) => {
    const [offset, , g] = rest.slice(-3) as [number, string, Record<string, string | undefined>];
    const name = g.quotedName ?? g.name;
    const variable = name === undefined ? (g.quoted as Variable | undefined) : NAMES[name];
    if (variable !== undefined) return placeholder(variable) + exactly(variable, text.slice(0, offset), text.slice(offset + whole.length));
    if (g.bare !== undefined) bare = whole;
    return whole;
  });
  if (bare !== null) return `${bare} must stand in quotes, as '${bare}': it is a value`;
  return { text: out.trim().replace(/;\s*$/, ""), values, asTheTable };
}
