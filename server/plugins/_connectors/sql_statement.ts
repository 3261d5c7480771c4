/**
 * A statement with `${…}` in it, as actions for MySQL and PostgreSQL have it: values are bound, never pasted, and a plain
 * `INSERT INTO t (…) VALUES (…)` takes many rows at a time.
 */
import { compileRowTemplate, type RowTemplate } from "../_backend/row_template.ts";
import type { Dialect } from "../_sql/query.ts";

/** Placeholders in one statement: both protocols count them in 16 bits. */
const PLACEHOLDERS_MAX = 65_535;
const ROWS_MAX = 512;
/** Kept of one statement, which is made for as many rows as there are, and again when columns have changed. */
const TEXTS_MAX = 32;

/** Stands for a value until it is known how many rows there are: nobody writes that. */
const MARK = "\u{f8f1}";
const MARKS = /\u{f8f1}(\d+)\u{f8f1}/gu;

export interface Statement {
  readonly template: RowTemplate;
  /** Values of a row. */
  readonly width: number;
  /** Rows that fit into one text. */
  readonly most: number;
  /** For so many rows, 1 ≤ rows ≤ `most`. `types`: what the server takes the values of a row for, where that matters. */
  text(rows: number, types?: readonly string[]): string;
}

/**
 * Quoted texts and names, comments and PostgreSQL's dollar quotes; in what a server may read otherwise than we do (a backslash before a quote)
 * nothing is looked for.
 */
const QUOTED = /'(?:[^']|'')*'|"[^"]*"|`[^`]*`|--[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$/g;
const POSTGRES_QUOTED = /'(?:[^']|'')*'|"[^"]*"|--[^\n]*|\/\*[\s\S]*?\*\/|\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$/g;
const INSERT = /^\s*(?:insert|replace)\s+(?:(?:low_priority|high_priority|ignore)\s+)*into\s/i;
const TAIL = /^\s*(?:on\s+conflict\s*(?:\([^()]*\)\s*)?do\s+nothing\s*)?$/i;

/** @throws Error in words: what of it cannot be */
export function compileStatement(source: string, dialect: Dialect): Statement {
  const template = compileRowTemplate(source);
  const marked = template
    .bound((n) => `${MARK}${n}${MARK}`)
    .trim()
    .replace(/;\s*$/, "");
  if (marked === "") throw new Error("sql: expected a statement such as INSERT INTO t (a) VALUES (1)");
  const bare = blanked(marked, dialect);
  const width = [...marked.matchAll(MARKS)].length;
  if ([...bare.matchAll(MARKS)].length !== width)
    throw new Error(
      "sql: a variable stands within a quoted text, or a comment: it is a value of its own, which concat(…) puts together with others",
    );
  if (bare.includes(";")) throw new Error("sql: expected one statement");
  if (width > PLACEHOLDERS_MAX) throw new Error(`sql: at most ${PLACEHOLDERS_MAX} values`);
  const group = valuesOf(marked, bare);
  const most = group === null ? 1 : Math.min(ROWS_MAX, Math.floor(PLACEHOLDERS_MAX / Math.max(1, width)));
  const texts = new Map<string, string>();
  return {
    template,
    width,
    most: powerBelow(most),
    text(rows, types = []) {
      const key = `${rows} ${types.join()}`;
      const known = texts.get(key);
      if (known !== undefined) return known;
      if (texts.size >= TEXTS_MAX) texts.clear();
      let position = 0;
      const place = (part: string): string =>
        part.replace(MARKS, (_, n: string) => {
          position++;
          return dialect === "mysql" ? "?" : `$${position}${cast(types[Number(n) - 1])}`;
        });
      const text =
        group === null ? place(marked) : place(`${group.head}${Array.from({ length: rows }, () => group.row).join(", ")}${group.tail}`);
      texts.set(key, text);
      return text;
    },
  };
}

/** The runtime's client writes a text for a JSON column as the JSON of a text: given as text, the server reads it itself. */
const cast = (type: string | undefined): string => (type === "json" || type === "jsonb" ? `::text::${type}` : "");

/** As long as it was, with blanks where something was quoted. */
function blanked(text: string, dialect: Dialect): string {
  return text.replace(dialect === "mysql" ? QUOTED : POSTGRES_QUOTED, (found) => " ".repeat(found.length));
}

/** The one group of values of a plain INSERT, and what stands around it. null = it is none. */
function valuesOf(text: string, bare: string): { head: string; row: string; tail: string } | null {
  if (!INSERT.test(bare) || /\\/.test(text)) return null;
  let depth = 0;
  let from = -1;
  const words = /[()]|\b(?:values?|select|returning)\b/gi;
  for (const { 0: word, index } of bare.matchAll(words)) {
    if (word === "(") depth++;
    else if (word === ")") {
      depth--;
      if (depth !== 0 || from < 0) continue;
      const [head, row, tail] = [text.slice(0, from), text.slice(from, index + 1), text.slice(index + 1)];
      const isPlain = TAIL.test(bare.slice(index + 1)) && !head.includes(MARK);
      return isPlain ? { head, row, tail } : null;
    } else if (depth === 0 && from < 0) {
      if (!/^values?$/i.test(word)) return null;
      const opens = /^\s*\(/.exec(bare.slice(index + word.length));
      if (opens === null) return null;
      from = index + word.length + opens[0].length - 1;
    }
  }
  return null;
}

/** Sizes of statements are few, so that a server keeps few of them. */
function powerBelow(n: number): number {
  return 2 ** Math.floor(Math.log2(n));
}
