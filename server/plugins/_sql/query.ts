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

/** @returns what is wrong with it, in words, when a variable stands where it cannot be bound */
export function compileQuery(text: string, dialect: Dialect): Query | string {
  const values: Variable[] = [];
  let bare: string | null = null;
  // One place, one value: the same one may stand beside columns of different types.
  const placeholder = (variable: Variable): string => {
    const n = values.push(variable);
    return dialect === "mysql" ? "?" : `$${n}`;
  };
  const out = text.replace(TOKEN, (whole: string, ...rest: unknown[]) => {
    const g = rest.at(-1) as Record<string, string | undefined>;
    if (g.quoted !== undefined) return placeholder(g.quoted as Variable);
    const name = g.quotedName ?? g.name;
    if (name !== undefined) return placeholder(NAMES[name] as Variable);
    if (g.bare !== undefined) bare = whole;
    return whole;
  });
  if (bare !== null) return `${bare} must stand in quotes, as '${bare}': it is a value`;
  return { text: out.trim().replace(/;\s*$/, ""), values };
}
