/** A statement, compiled: how rows come out of an event. */
import { type Alias, type Expr, type Field, printExpr, type Source } from "./ast.ts";
import { Compiler, type NamedColumn } from "./compile.ts";
import { named, RuleError, SqlError, shown } from "./errors.ts";
import { type Fn, type Given, keysOf, type Names, type Scope } from "./names.ts";
import { type Limits, parse } from "./parser.ts";
import { type Key, placed } from "./paths.ts";
import { Sizes } from "./sizes.ts";
import { type Columns, isMap, put, type Row, type Value } from "./values.ts";
import { begin, end, Pieces } from "./work.ts";

export interface CompiledRule {
  readonly sql: string;
  /** As written, without quotes: "t/#", "$events/client_connected". Empty = there is no FROM. */
  readonly from: readonly string[];
  /** Columns it reads; null = all (`*`). */
  readonly reads: ReadonlySet<string> | null;
  /** What its rows may have; a row lacks what the event does not have. */
  gives(): Gives;
  /** Columns that it names. */
  readonly named: ReadonlyMap<string, NamedColumn>;
  /** What is wrong with one of FROM, by its position in `from`; null = that there is none. `hint`: what was probably meant. */
  fault(source: number | null, reason: string, hint: string | null): SqlError;
  /** [] = WHERE (or INCASE of every element) said no. @throws RuleError */
  run(event: Columns): readonly Row[];
  /** The same in pieces, of FOREACH: between two of them something else may be done. null = it is one piece. */
  readonly pieces: ((event: Columns) => Generator<void, readonly Row[]>) | null;
}

/** The fields of rows, as far as the text says it. */
interface Gives {
  /** Every column of the event, beside `paths`. */
  readonly all: boolean;
  /** Names, the outermost first: `AS a.b[1]` is ["a", "b"]. */
  readonly paths: readonly (readonly string[])[];
}

const ROWS = 10_000;
/** All rows of one event, MiB: they are held until the last one is made, and each may have the payload in it. */
const ROWS_MIB = 64;
/** Longest name of a field that is called as it is written. */
const NAME = 128;
/** The element of FOREACH, when it has no other name. */
const ITEM = "item";
const NO_ROWS: readonly Row[] = [];
const NO_VARS: Row = {};
const NO_NAMES: Names = new Map();
const COLUMNS: Scope = { first: NO_NAMES, last: NO_NAMES };

/** Puts a field into a row. */
type Make = (event: Columns, row: Row, vars: Row) => void;

/** @throws SqlError */
export function compileRule(sql: string, options: Limits = {}): CompiledRule {
  const statement = parse(sql, options);
  const compiler = new Compiler(sql);
  const from = statement.from.map(({ text }) => text);
  const fault: CompiledRule["fault"] = (source, reason, hint) =>
    faultIn(sql, source === null ? null : statement.from[source], reason, hint);
  const whole = { sql, from, fault, named: compiler.named };
  if (statement.kind === "select") {
    const makes = compileFields(compiler, statement.fields, COLUMNS, "row");
    compiler.usesRow = false;
    const where = statement.where === null ? null : compiler.compile(statement.where, { first: makes.given, last: NO_NAMES }).run;
    const reads = makes.all ? null : compiler.reads;
    return { ...whole, reads, gives: () => givenBy(makes), run: guarded(select(makes.fields, where, compiler.usesRow)), pieces: null };
  }
  const each = foreach(compiler, sql, statement.each);
  const inner: Scope = { first: new Map([...each.given, [each.item, [{ keys: [each.item], from: "vars" }]]]), last: NO_NAMES };
  const makes = statement.fields === null ? null : compileFields(compiler, statement.fields, inner, "row");
  const incase = statement.incase === null ? null : compiler.compile(statement.incase, inner).run;
  const where = statement.where === null ? null : compiler.compile(statement.where, inner).run;
  const pieces = guardedPieces(elements({ ...each, makes: makes?.fields ?? null, incase, where, most: options.rows ?? ROWS }));
  const reads = makes === null || makes.all ? null : compiler.reads;
  const gives = (): Gives => (makes === null ? { all: true, paths: [...pathsIn(each.given), [each.item]] } : givenBy(makes));
  return { ...whole, reads, gives, run: (event) => allOf(pieces(event)), pieces };
}

const givenBy = ({ all, given }: Fields): Gives => ({ all, paths: pathsIn(given) });

function pathsIn(given: Names): string[][] {
  return [...given.values()].flat().map(({ keys }) => {
    const end = keys.findIndex((key) => typeof key === "number");
    return (end < 0 ? keys : keys.slice(0, end)) as string[];
  });
}

/** Without a source: at the end of the SQL, where FROM is missing. */
function faultIn(sql: string, source: Source | null | undefined, reason: string, hint: string | null): SqlError {
  const { at, length } = source ?? { at: sql.replace(/[\s;]+$/, "").length, length: 0 };
  return new SqlError(reason, sql, at, length, hint);
}

function allOf(pieces: Generator<void, readonly Row[]>): readonly Row[] {
  for (;;) {
    const { done, value } = pieces.next();
    if (done === true) return value;
  }
}

function guarded(run: (event: Columns) => readonly Row[]): (event: Columns) => readonly Row[] {
  return (event) => {
    begin();
    try {
      return run(event);
    } catch (err) {
      throw named("rule", err);
    } finally {
      end();
    }
  };
}

type MakePieces<More extends unknown[]> = (event: Columns, ...more: More) => Generator<void, readonly Row[]>;

function guardedPieces(pieces: MakePieces<[Pieces]>): MakePieces<[]> {
  return function* guarded(event) {
    const work = new Pieces();
    work.begin();
    try {
      return yield* pieces(event, work);
    } catch (err) {
      throw named("rule", err);
    } finally {
      work.end();
    }
  };
}

/** WHERE that does not look at what SELECT makes is asked first: most events end there. */
function select(fields: readonly Make[], where: Fn | null, usesRow: boolean): (event: Columns) => readonly Row[] {
  const [one] = fields;
  const make: Make =
    fields.length === 1 && one !== undefined
      ? one
      : (event, row, vars) => {
          for (const field of fields) field(event, row, vars);
        };
  return (event) => {
    if (where !== null && !usesRow && where(event, NO_VARS, NO_VARS) !== true) return NO_ROWS;
    const row: Row = {};
    make(event, row, NO_VARS);
    return where !== null && usesRow && where(event, row, NO_VARS) !== true ? NO_ROWS : [row];
  };
}

interface Each {
  /** Names that the fields before the array gave. */
  readonly given: Names;
  readonly names: readonly Make[];
  readonly array: Fn;
  /** What an element is called. */
  readonly item: string;
}

function foreach(compiler: Compiler, sql: string, each: readonly Field[]): Each {
  const last = each.at(-1) as Field & { expr: Expr };
  const before = compileFields(compiler, each.slice(0, -1), COLUMNS, "vars");
  if (last.alias !== null && last.alias.steps.length > 0)
    throw new SqlError("an element of FOREACH has a name without dots", sql, last.expr.at, 1);
  const array = compiler.compile(last.expr, { first: NO_NAMES, last: before.given }).run;
  return { given: before.given, names: before.fields, array, item: last.alias?.name ?? ITEM };
}

interface Elements extends Each {
  /** null = every column, the names, and the element. */
  readonly makes: readonly Make[] | null;
  readonly incase: Fn | null;
  readonly where: Fn | null;
  readonly most: number;
}

function elements({ names, array, item, makes, incase, where, most }: Elements): MakePieces<[Pieces]> {
  return function* pieces(event, work) {
    const vars: Row = {};
    for (const name of names) name(event, vars, vars);
    const list = array(event, NO_VARS, vars);
    put(vars, item, list);
    if (where !== null && where(event, NO_VARS, vars) !== true) return NO_ROWS;
    if (list === undefined || list === null) return NO_ROWS;
    if (!Array.isArray(list)) throw new RuleError(`FOREACH: expected an array, got ${shown(list)}`);
    if (list.length > most) throw new RuleError(`FOREACH: expected an array of at most ${most} elements, got ${list.length}`);
    const rows: Row[] = [];
    const sizes = new Sizes();
    let size = 0;
    for (const element of list) {
      work.end();
      yield;
      work.begin();
      put(vars, item, element);
      if (incase !== null && incase(event, NO_VARS, vars) !== true) continue;
      const row: Row = {};
      if (makes === null) everything(event, row, vars);
      else for (const make of makes) make(event, row, vars);
      rows.push(row);
      size += sizes.of(row);
      if (size > ROWS_MIB * 1024 * 1024) throw new RuleError(`FOREACH: the rows take more than ${ROWS_MIB} MiB`);
    }
    return rows;
  };
}

function everything(event: Columns, row: Row, vars: Row): void {
  columns(event, row);
  for (const name of Object.keys(vars)) put(row, name, vars[name]);
}

function columns(event: Columns, row: Row): void {
  for (const name of event.names()) {
    const value = event.get(name);
    if (value !== undefined) put(row, name, value);
  }
}

interface Fields {
  readonly fields: readonly Make[];
  readonly given: Names;
  /** There is a `*`. */
  readonly all: boolean;
}

/** `from`: where those that come later find what these have made. */
function compileFields(compiler: Compiler, fields: readonly Field[], scope: Scope, from: "row" | "vars"): Fields {
  const given = new Map<string, Given[]>();
  const makes: Make[] = [];
  const all = fields.some((f) => f.expr === null);
  const paths = fields.map((f) => (f.expr === null ? [] : keysOf(f.alias ?? defaultAlias(f.expr))));
  const sameName = Map.groupBy(paths, (path) => path[0]);
  for (const [i, { expr }] of fields.entries()) {
    if (expr === null) {
      makes.push(columns);
      continue;
    }
    const keys = paths[i] as Key[];
    const run = compiler.compile(expr, { first: scope.first, last: given }).run;
    // Nobody else puts anything where this one does: no need to look at what is there.
    const others = sameName.get(keys[0]) ?? [];
    makes.push(field(run, keys, !all && others.length === 1, !all && keys.length > 1 && isOwn(others, keys)));
    const same = given.get(keys[0] as string);
    if (same === undefined) given.set(keys[0] as string, [{ keys, from }]);
    else same.push({ keys, from });
  }
  return { fields: makes, given, all };
}

/** The maps that lead to this field are made by fields, so they may be changed in place. */
function isOwn(paths: readonly Key[][], own: readonly Key[]): boolean {
  if (own.some((key) => typeof key === "number")) return false;
  return paths.every((other) => other.length >= own.length || other.some((key, k) => key !== own[k]));
}

function field(run: Fn, keys: readonly Key[], isAlone: boolean, isOwnPath: boolean): Make {
  const [first, ...inner] = keys as [string, ...Key[]];
  if (inner.length === 0) {
    if (isAlone && first !== "__proto__")
      return (event, row, vars) => {
        const value = run(event, row, vars);
        if (value !== undefined) row[first] = value;
      };
    return (event, row, vars) => {
      const value = run(event, row, vars);
      if (value !== undefined) put(row, first, value);
      else delete row[first];
    };
  }
  if (isOwnPath)
    return (event, row, vars) => {
      const value = run(event, row, vars);
      if (value !== undefined) putInto(row, keys as readonly string[], value);
    };
  return (event, row, vars) => {
    const value = run(event, row, vars);
    if (value === undefined) return;
    try {
      put(row, first, placed(Object.hasOwn(row, first) ? row[first] : undefined, inner, value));
    } catch (err) {
      throw named(`AS ${first}`, err);
    }
  };
}

function putInto(row: Row, keys: readonly string[], value: Value): void {
  let map = row;
  for (let i = 0; i < keys.length - 1; i++) {
    const key = keys[i] as string;
    const there = Object.hasOwn(map, key) ? map[key] : undefined;
    if (isMap(there)) map = there;
    else {
      const made: Row = {};
      put(map, key, made);
      map = made;
    }
  }
  put(map, keys[keys.length - 1] as string, value);
}

/** A path keeps its place (`payload.x` is {"payload": {"x": …}}), a text is its own name, anything else is called as it is written. */
function defaultAlias(e: Expr): Alias {
  if (e.kind === "literal" && typeof e.value === "string" && e.value !== "") return { name: e.value.slice(0, NAME), steps: [] };
  if (e.kind === "name" && e.steps.every((s) => s.kind === "key"))
    return { name: e.name, steps: e.steps.map((s) => ({ key: s.kind === "key" ? s.name : "" })) };
  return { name: printExpr(e).slice(0, NAME), steps: [] };
}
