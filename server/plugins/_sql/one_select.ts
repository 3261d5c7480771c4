/**
 * What may be asked with: one question that reads. A slip in a setting, or in a test of one, must not cost anybody a table. What a server might
 * read otherwise than we do is none: in what we take for a text there could be anything. What its functions do (`lo_export` writes a file) nobody
 * reads in their names: that is for the rights of the account.
 */
import type { Dialect } from "./query.ts";

const NAME = "\\w$\\u0080-\\uffff";
/** Texts, quoted names and comments. "--" begins one in MySQL before a blank only, which may be the end of its line, as `1--1` is 2; in PostgreSQL comments may have others in them. */
const BLANKED: Readonly<Record<Dialect, RegExp>> = {
  postgres: new RegExp(
    `'[^']*'|"[^"]*"|(?<![${NAME}])\\$((?:[A-Za-z_\\u0080-\\uffff][\\w\\u0080-\\uffff]*)?)\\$[\\s\\S]*?\\$\\1\\$|--[^\\n\\r]*|/\\*(?:(?!/\\*|\\*/)[\\s\\S])*\\*/`,
    "g",
  ),
  mysql: /'[^']*'|"[^"]*"|`[^`]*`|#[^\n]*|--(?=[\0- \x7f]|$)[^\n]*|\/\*(?!M?!)[\s\S]*?\*\//g,
};
/** Some settings of a server take it for the end of a text, others do not. */
const BACKSLASHED = /\\['"]/;
/** What has no end, or is a comment that MySQL or MariaDB executes. */
const ODD = /['"`]|\/\*|\*\/|\$\w*\$/;
/** Where a text or a quoted name was. */
const QUOTED = "\u0001";
const BEGINS = /^[\s(]*(?:select|with)\b/i;
/** `into` makes a table or a file; the others are what a `with` may have beside its select. `for update` only locks; `u.update` and `insert(…)` are names, `1.into` is none. */
const WRITES = new RegExp(
  `(?<!(?:(?<![${NAME}])[a-z_\\u0080-\\uffff][${NAME}]*|${QUOTED})\\.)\\b(?:into|(?<!\\bfor\\s+(?:no\\s+key\\s+)?)update|(?:insert|delete|merge|truncate)(?!\\s*[(.]))\\b`,
  "i",
);

export const ONE_SELECT = "one select, which only reads";

/** Nothing, or one `select`, or a `with` of nothing but such. null = it is something else. */
export function oneSelect(text: string, dialect: Dialect): string | null {
  const bare = text
    .replace(BLANKED[dialect], (found) => (/^[-#/]/.test(found) ? " " : QUOTED))
    .trim()
    .replace(/;$/, "");
  const reads = BEGINS.test(bare) && !bare.includes(";") && !ODD.test(bare) && !WRITES.test(bare);
  return bare === "" || (reads && !BACKSLASHED.test(text)) ? text : null;
}
