/** What a person may be about to type, in SQL and in templates. */
import { SQL_KEYWORDS, sqlTokens } from "./sql_text.ts";
import type { PathRow } from "./value_paths.ts";

export interface Suggestion {
  /** As it is shown and put in. */
  text: string;
  kind: "column" | "function" | "keyword" | "event";
  /** Beside it: arguments, an example. */
  detail: string;
  /** Below the list while it is chosen. */
  doc: string;
  /** So many characters before its end the caret stands. */
  back: number;
}

export interface Completion {
  /** What is replaced. */
  from: number;
  to: number;
  items: Suggestion[];
}

export interface SqlWords {
  columns: readonly PathRow[];
  functions: readonly { name: string; args: string; doc: string; example: string; result: string }[];
  events: readonly { topic: string; title: string }[];
}

const MOST = 60;

/** Those that begin with it, then those that have it in them. */
function fitting(items: readonly Suggestion[], typed: string): Suggestion[] {
  const wanted = typed.toLowerCase();
  const begin: Suggestion[] = [];
  const inside: Suggestion[] = [];
  for (const item of items) {
    const at = item.text.toLowerCase().indexOf(wanted);
    if (at === 0) begin.push(item);
    else if (at > 0 && wanted.length > 1) inside.push(item);
  }
  return [...begin, ...inside].slice(0, MOST);
}

const column = ({ path, example }: PathRow): Suggestion => ({ text: path, kind: "column", detail: example, doc: "", back: 0 });

/** `asked`: somebody wants to see all there is, though nothing is typed. null = nothing to offer. */
export function completeSql(sql: string, caret: number, words: SqlWords, asked: boolean): Completion | null {
  const token = sqlTokens(sql).find((t) => t.at < caret && caret <= t.end);
  if (token?.kind === "comment") return null;
  if (token?.kind === "text") return inFrom(sql, token.at, caret, words);
  const typed = /[\p{L}\p{N}_$.[\]]*$/u.exec(sql.slice(0, caret))?.[0] ?? "";
  if ((typed === "" && !asked) || /^[\d.[\]]/.test(typed)) return null;
  const all: Suggestion[] = [
    ...words.columns.map(column),
    ...words.functions.map((f) => ({
      text: `${f.name}()`,
      kind: "function" as const,
      detail: `(${f.args})`,
      doc: `${f.doc}\n${f.example} → ${f.result}`,
      back: f.args === "" ? 0 : 1,
    })),
    ...SQL_KEYWORDS.map((k) => ({ text: k, kind: "keyword" as const, detail: "", doc: "", back: 0 })),
  ];
  const items = fitting(all, typed);
  const only = items.length === 1 ? items[0] : undefined;
  // It stands there already.
  if (items.length === 0 || (only !== undefined && only.text.toLowerCase() === typed.toLowerCase())) return null;
  return { from: caret - typed.length, to: caret, items };
}

/** Events in the quotes behind FROM. */
function inFrom(sql: string, at: number, caret: number, { events }: SqlWords): Completion | null {
  const before = sql.slice(0, at);
  const closed = sql.slice(caret).match(/^[^"\n]*"/)?.[0];
  if (sql[at] !== '"' || !/\bFROM\s*(?:"[^"]*"\s*,\s*)*$/i.test(before)) return null;
  const typed = sql.slice(at + 1, caret);
  if (!typed.startsWith("$")) return null;
  const items = fitting(
    events.filter((e) => e.topic.startsWith("$")).map((e) => ({ text: e.topic, kind: "event", detail: e.title, doc: "", back: 0 })),
    typed,
  );
  const to = closed === undefined ? caret : caret + closed.length - 1;
  return items.length === 0 || sql.slice(at + 1, to) === items[0]?.text ? null : { from: at + 1, to, items };
}

/** `${…}` with the fields of a row. */
export function completeTemplate(text: string, caret: number, fields: readonly PathRow[]): Completion | null {
  const typed = /\$\{([^{}]*)$/.exec(text.slice(0, caret))?.[1];
  if (typed === undefined) return null;
  const rest = /^[^{}\s]*\}/.exec(text.slice(caret))?.[0] ?? "";
  const items = fitting(fields.map(column), typed).map((s) => ({ ...s, text: `${s.text}}` }));
  return items.length === 0 ? null : { from: caret - typed.length, to: caret + rest.length, items };
}

/** Where the placeholders of a template are. */
export function placeholders(text: string): { at: number; end: number }[] {
  return [...text.matchAll(/\$\{[^{}]*\}/g)].map((m) => ({ at: m.index, end: m.index + m[0].length }));
}
