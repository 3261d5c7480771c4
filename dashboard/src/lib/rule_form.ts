/** A rule as a form, and as SQL: what the form has is written as SQL, and SQL is read into the form as far as that can show it. */
import { inQuotes, splitSql, sqlClauses, sqlTokens, unquoted } from "./sql_text.ts";

export const OPERATORS = [">", ">=", "<", "<=", "=", "<>", "LIKE", "=~"] as const;
export type Operator = (typeof OPERATORS)[number];

export interface FormField {
  /** SQL: `payload.temp`, `round(payload.temp)`. */
  expr: string;
  /** "" = the name of what is taken. */
  as: string;
}

export interface FormCondition {
  left: string;
  op: Operator;
  /** As a person types it: a text without quotes, a number. */
  right: string;
}

export interface RuleForm {
  /** Topic filters, and events as `$events/…`. */
  sources: string[];
  /** null = everything (`*`). */
  fields: FormField[] | null;
  join: "AND" | "OR";
  /** null = WHERE is more than the form can show: it is kept as it is, in `where`. */
  conditions: FormCondition[] | null;
  where: string;
}

const LINE_MAX = 60;

export function writeSql(form: RuleForm): string {
  const fields = form.fields === null ? ["*"] : form.fields.filter((f) => f.expr.trim() !== "").map(writeField);
  const list = fields.length === 0 ? ["*"] : fields;
  const short = list.join(", ");
  const select = short.length <= LINE_MAX ? `SELECT ${short}` : `SELECT\n  ${list.join(",\n  ")}`;
  const from = `FROM ${form.sources.map((s) => inQuotes(s, '"')).join(", ")}`;
  const conditions = form.conditions?.filter((c) => c.left.trim() !== "").map((c) => `${c.left.trim()} ${c.op} ${literalOf(c.right)}`);
  const where = conditions === undefined ? form.where.trim() : conditions.join(` ${form.join} `);
  return [select, from, ...(where === "" ? [] : [`WHERE ${where}`])].join("\n");
}

function writeField({ expr, as }: FormField): string {
  const name = as.trim();
  return name === "" || name === expr.trim() ? expr.trim() : `${expr.trim()} AS ${name}`;
}

const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const WORD = /^(?:true|false|null)$/i;

/** Numbers, true, false and null stand for themselves; everything else is text. */
function literalOf(typed: string): string {
  const text = typed.trim();
  if (NUMBER.test(text) || WORD.test(text)) return text;
  return inQuotes(unquoted(text) ?? typed, "'");
}

function typedOf(sql: string): string | null {
  if (NUMBER.test(sql) || WORD.test(sql)) return sql;
  const text = unquoted(sql);
  if (text === null) return null;
  // A text that would be read as something else keeps its quotes.
  return NUMBER.test(text.trim()) || WORD.test(text.trim()) || text.trim() !== text || text === "" || unquoted(text) !== null
    ? inQuotes(text, "'")
    : text;
}

/** null = no form can show it. */
export function readSql(sql: string): RuleForm | null {
  const clauses = sqlClauses(sql);
  if (clauses === null || clauses.fields === null || clauses.comments) return null;
  const text = (span: { at: number; end: number } | null): string => (span === null ? "" : sql.slice(span.at, span.end));
  const sources = splitSql(text(clauses.from), (w) => w === ",").parts.map(unquoted);
  if (!sources.every((s) => s !== null)) return null;
  const fields = readFields(text(clauses.fields));
  if (fields === undefined) return null;
  const where = text(clauses.where).replace(/;\s*$/, "");
  const { join, conditions } = readConditions(where);
  return { sources, fields, join, conditions, where };
}

/** undefined = it cannot be shown. */
function readFields(text: string): FormField[] | null | undefined {
  if (text === "*") return null;
  const out: FormField[] = [];
  for (const part of splitSql(text, (w) => w === ",").parts) {
    const { parts, words } = splitSql(part, (w) => w === "AS");
    if (words.length > 1 || parts.some((p) => p === "")) return undefined;
    // `payload.a` without AS keeps its nesting, as the SQL has it.
    out.push({ expr: parts[0] ?? "", as: parts[1] ?? "" });
  }
  return out;
}

const isOperator = (word: string): word is Operator => (OPERATORS as readonly string[]).includes(word);

function readConditions(where: string): Pick<RuleForm, "join" | "conditions"> {
  if (where === "") return { join: "AND", conditions: [] };
  const { parts, words } = splitSql(where, (w) => w === "AND" || w === "OR");
  const join = words[0] === "OR" ? "OR" : "AND";
  if (words.some((w) => w !== join)) return { join, conditions: null };
  const conditions = parts.map(readCondition);
  return { join, conditions: conditions.every((c) => c !== null) ? conditions : null };
}

function readCondition(text: string): FormCondition | null {
  const words = sqlTokens(text).filter((t) => t.kind === "keyword");
  if (words.some((t) => /^(?:not|in|is)$/i.test(text.slice(t.at, t.end)))) return null;
  const split = splitSql(text, (w) => isOperator(w) || w === "!=");
  const [left, right] = split.parts;
  const op = split.words[0] === "!=" ? "<>" : split.words[0];
  if (split.words.length !== 1 || !left || !right || op === undefined || !isOperator(op)) return null;
  const typed = typedOf(right);
  return typed === null ? null : { left, op, right: typed };
}
