/** The fields of a rule's rows, as the broker says them, and what is made of them: statements, tables, and what templates name in vain. */
import { columnName, type Dialect } from "./sql_names.ts";
import { type PathRow, plainName } from "./value_paths.ts";

/** Names, the outermost first. */
export type FieldPath = readonly string[];

/** Fields that are told to people. */
const TOLD = 12;

const pathText = (path: FieldPath): string => path.join(".");

/** For people: all of them, or the first. */
export function fieldsText(fields: readonly FieldPath[]): string {
  const more = fields.length > TOLD ? ", …" : "";
  return fields.slice(0, TOLD).map(pathText).join(", ") + more;
}

const begins = (path: FieldPath, start: FieldPath): boolean => start.every((name, i) => path[i] === name);

/** `payload.a.b[1].c` → ["payload", "a", "b"]: of what is behind a position nothing is known. [] = the whole row, or no path at all. */
function namesIn(placeholder: string): string[] {
  const text = placeholder.trim().replace(/^\./, "");
  const at = text.indexOf("[");
  return (at < 0 ? text : text.slice(0, at)).split(".").filter((name) => name !== "");
}

/** What `${…}` of a text name, each once, and no row of these fields has. */
export function unmade(text: string, fields: readonly FieldPath[]): string[] {
  const names = [...text.matchAll(/\$\{([^{}]*)\}/g)].map(([, inside = ""]) => inside.trim());
  const isMade = (name: string): boolean => {
    const path = namesIn(name);
    return path.length === 0 || fields.some((field) => begins(field, path) || begins(path, field));
  };
  return [...new Set(names)].filter((name) => !isMade(name));
}

/** Those that a template can name. */
const named = (fields: readonly FieldPath[]): readonly FieldPath[] => fields.filter((path) => path.every((name) => plainName.test(name)));

/** For completion, where there is no row to take them from. */
export const pathRowsOf = (fields: readonly FieldPath[]): PathRow[] => named(fields).map((path) => ({ path: pathText(path), example: "" }));

interface SqlColumn {
  /** As it is written. */
  name: string;
  path: FieldPath;
}

/**
 * A column for each field that a template can name: called as its last name, by all of them where two would be called alike, and with a number
 * where that is still so.
 */
function columnsOf(fields: readonly FieldPath[], dialect: Dialect): SqlColumn[] {
  const all = [...new Map(named(fields).map((path) => [pathText(path), path])).values()];
  const last = (path: FieldPath): string => path.at(-1) ?? "";
  // A field within another one is in that one.
  const own = all.filter((path) => !all.some((other) => other.length < path.length && begins(path, other)));
  const taken = new Set<string>();
  return own.map((path) => {
    const isAlone = own.every((other) => other === path || last(other).toLowerCase() !== last(path).toLowerCase());
    return { name: columnName(untaken(isAlone ? last(path) : path.join("_"), taken), dialect), path };
  });
}

/** Servers take names that differ in case alone for the same. */
function untaken(name: string, taken: Set<string>): string {
  let free = name;
  for (let n = 2; taken.has(free.toLowerCase()); n++) free = `${name}_${n}`;
  taken.add(free.toLowerCase());
  return free;
}

/** `INSERT` of a row's fields, for an action whose statement nobody has written yet; of the whole row as JSON where none can be named. */
export function insertOf(table: string, fields: readonly FieldPath[], dialect: Dialect): string {
  const columns = columnsOf(fields, dialect).map(({ name, path }) => [name, `\${${pathText(path)}}`] as const);
  const list = columns.length > 0 ? columns : [["data", "${.}"] as const];
  return `INSERT INTO ${table} (${list.map(([name]) => name).join(", ")})\nVALUES (${list.map(([, value]) => value).join(", ")})`;
}

const typeOf = (v: unknown): string => (typeof v === "number" ? "double precision" : typeof v === "boolean" ? "boolean" : "text");

/** The table that it writes to; `row`: an example, where there is one. */
export function tableOf(
  table: string,
  fields: readonly FieldPath[],
  row: Readonly<Record<string, unknown>> | undefined,
  dialect: Dialect,
): string {
  const valueAt = (path: FieldPath): unknown =>
    path.reduce<unknown>((v, name) => (typeof v === "object" && v !== null ? (v as Record<string, unknown>)[name] : undefined), row);
  const columns = columnsOf(fields, dialect).map(
    ({ name, path }) => `  ${name} ${/^(?:timestamp|.*_at)$/.test(name) ? "bigint" : typeOf(valueAt(path))}`,
  );
  return `CREATE TABLE ${table} (\n${(columns.length > 0 ? columns : ["  data text"]).join(",\n")}\n);`;
}
