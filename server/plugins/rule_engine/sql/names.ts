/**
 * What a name means. In SELECT and FOREACH the event's columns come first, then names that fields before gave; in WHERE what SELECT made comes
 * first (so 3.1 had it, and it saw nothing else), then the columns; in DO and INCASE the element and the names of FOREACH, then the columns.
 * A field that SELECT made covers the column of its name even where it is missing.
 */
import type { Alias, Step } from "./ast.ts";
import { BEHIND, element, type Key, member, slice } from "./paths.ts";
import type { Columns, Row, Value } from "./values.ts";

/** `row`: what SELECT or DO made so far; `vars`: the names of FOREACH. */
export type Fn = (event: Columns, row: Row, vars: Row) => Value;

/** A name that the statement gave, and where its value is. */
export interface Given {
  readonly keys: readonly Key[];
  readonly from: "row" | "vars";
}

/** By the first name of their paths. */
export type Names = ReadonlyMap<string, readonly Given[]>;

export interface Scope {
  /** Before the event's columns. */
  readonly first: Names;
  /** When the event has no such column. */
  readonly last: Names;
}

export function keysOf({ name, steps }: Alias): Key[] {
  return [name, ...steps.map((s) => ("key" in s ? s.key : s.index === "end" ? BEHIND : s.index))];
}

/** A step whose operands are compiled. */
export type Move = (value: Value, event: Columns, row: Row, vars: Row) => Value;

/** A name that no prototype has: it can be read without asking whether the object itself has it. */
function isPlain(name: string): boolean {
  return !(name in Uint8Array.prototype) && !(name in Array.prototype) && !/^[\d-]/.test(name);
}

/** Does one begin with the other? What is only known when the rule runs may be the same. */
function overlaps(given: readonly Key[], name: string, steps: readonly Step[]): boolean {
  if (given[0] !== name) return false;
  for (let i = 1; i < given.length; i++) {
    const step = steps[i - 1];
    if (step === undefined) return true;
    if (step.kind === "key" ? step.name !== given[i] : isElsewhere(given[i] as Key, step)) return false;
  }
  return true;
}

/** Positions that are counted from the end, or moved when something is put before them, may be any. */
function isElsewhere(key: Key, step: Step): boolean {
  if (step.kind !== "index" || step.index.kind !== "literal") return false;
  const { value } = step.index;
  if (typeof key === "number" && typeof value === "number") return key > 0 && value > 0 && key !== BEHIND && key !== value;
  return key !== value;
}

export interface Read {
  readonly run: Fn;
  /** It looks at this column of the event; null = at what the statement made. */
  readonly column: string | null;
  /** And at what the statement made, where the event has no such column. */
  readonly hasOther: boolean;
  readonly usesRow: boolean;
}

/** `moves`: the steps, compiled. */
export function compileName(name: string, steps: readonly Step[], moves: readonly Move[], scope: Scope): Read {
  const given = scope.first.get(name)?.find((g) => overlaps(g.keys, name, steps));
  if (given !== undefined)
    return { run: walk(ownEntry(name, given.from), steps, moves), column: null, hasOther: false, usesRow: given.from === "row" };
  const column = walk(name === "payload" && steps.length > 0 ? (event) => event.json() : (event) => event.get(name), steps, moves);
  const later = scope.last.get(name)?.find((g) => overlaps(g.keys, name, steps));
  if (later === undefined) return { run: column, column: name, hasOther: false, usesRow: false };
  const own = walk(ownEntry(name, later.from), steps, moves);
  return {
    run: (event, row, vars) => (event.get(name) === undefined ? own : column)(event, row, vars),
    column: name,
    hasOther: true,
    usesRow: later.from === "row",
  };
}

function ownEntry(name: string, from: "row" | "vars"): Fn {
  if (isPlain(name)) return from === "row" ? (_event, row) => row[name] : (_event, _row, vars) => vars[name];
  return (_event, row, vars) => member(from === "row" ? row : vars, name);
}

/** Steps into what `get` gives. */
export function walk(get: Fn, steps: readonly Step[], moves: readonly Move[]): Fn {
  let run = get;
  for (const [i, step] of steps.entries()) {
    const move = moves[i] as Move;
    const before = run;
    if (step.kind === "key" && isPlain(step.name)) run = plainStep(before, step.name);
    else run = (event, row, vars) => move(before(event, row, vars), event, row, vars);
  }
  return run;
}

function plainStep(get: Fn, name: string): Fn {
  return (event, row, vars) => {
    const value = get(event, row, vars);
    // Arrays and bytes have nothing of that name.
    return typeof value === "object" && value !== null ? (value as Row)[name] : member(value, name);
  };
}

/** `operands`: of an index one, of a slice two. */
export function compileStep(step: Step, operands: readonly Fn[]): Move {
  if (step.kind === "key") return (value) => member(value, step.name);
  const [first, last] = operands as [Fn, Fn];
  if (step.kind === "index") return (value, event, row, vars) => element(value, first(event, row, vars));
  return (value, event, row, vars) => slice(value, first(event, row, vars), last(event, row, vars));
}
