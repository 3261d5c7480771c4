/** How functions are written down: one row each, and what rows share to look at their arguments. */
import { ArgumentError } from "../errors.ts";
import type { Columns, Value } from "../values.ts";
import type { Cost } from "../work.ts";

/** For completion, help pages and `GET /rules/functions`. */
export interface FunctionRow {
  readonly name: string;
  /** "text, length[, direction[, fill]]"; "…" = any number of them. */
  readonly args: string;
  readonly doc: string;
  /** An expression. */
  readonly example: string;
  /** JSON of what the example gives. */
  readonly result: string;
  readonly group: string;
}

// The arguments that a row's function names are those that its `args` say, so an absent one is undefined: the compiler sees to it.
// biome-ignore lint/suspicious/noExplicitAny: the one type under which functions of any number of arguments can be kept
type Run = (...args: any[]) => Value;

export interface FunctionDef extends FunctionRow {
  readonly least: number;
  readonly most: number;
  readonly run: Run;
  /** Its first argument is the event: `run(event, …)`. */
  readonly ofEvent: boolean;
  /** The same arguments give the same, whatever the event and the time. */
  readonly isPure: boolean;
  /** It may take long with little: it is not worked out before the rule runs. */
  readonly isHeavy: boolean;
  /** Columns it looks at. */
  readonly reads: readonly string[];
  /** Arguments that are looked at when the rule is compiled, if they are constant. Throws ArgumentError. */
  readonly checks: Readonly<Record<number, (value: Value) => unknown>>;
  /** What it does with an argument, by its place. */
  cost(argument: number): Cost;
}

interface More {
  /** Of all arguments, or of each, where that is not `all`. */
  readonly cost?: Cost | readonly Cost[];
  readonly checks?: Readonly<Record<number, (value: Value) => unknown>>;
  readonly isPure?: false;
  readonly isHeavy?: true;
}

/** Adds rows to a group. */
export class Table {
  readonly rows: FunctionDef[] = [];
  constructor(private readonly group: string) {}

  /** @param result a value that JSON can say */
  add(name: string, args: string, doc: string, example: string, result: unknown, run: Run, more: More = {}): this {
    this.rows.push({
      ...this.row(name, args, doc, example, result),
      run,
      ofEvent: false,
      isPure: more.isPure ?? true,
      isHeavy: more.isHeavy ?? false,
      reads: [],
      checks: more.checks ?? {},
      cost: costOf(more),
    });
    return this;
  }

  /** One that looks at the event, or at the time of it. `reads`: columns. */
  event(
    name: string,
    args: string,
    doc: string,
    example: string,
    result: unknown,
    reads: readonly string[],
    // biome-ignore lint/suspicious/noExplicitAny: as above
    run: (event: Columns, ...args: any[]) => Value,
    more: Pick<More, "checks"> = {},
  ): this {
    const row = this.row(name, args, doc, example, result);
    this.rows.push({ ...row, run, ofEvent: true, isPure: false, isHeavy: false, reads, checks: more.checks ?? {}, cost: costOf(more) });
    return this;
  }

  private row(name: string, args: string, doc: string, example: string, result: unknown): FunctionRow & { least: number; most: number } {
    const count = (text: string): number => text.split(",").filter((part) => /\w/.test(part)).length;
    const most = args.includes("…") ? Number.POSITIVE_INFINITY : count(args);
    return { name, args, doc, example, result: JSON.stringify(result), group: this.group, least: count(args.split("[")[0] ?? ""), most };
  }
}

function costOf({ cost = "all" }: More): (argument: number) => Cost {
  return typeof cost === "string" ? () => cost : (argument) => cost[argument] ?? "all";
}

/** Text; bytes are none. */
export function text(value: Value): string {
  if (typeof value !== "string") throw new ArgumentError("text", value);
  return value;
}

/** Of a function that takes either, as EMQ X's binaries are. */
export function textOrBytesArg(value: Value): string | Uint8Array {
  if (typeof value !== "string" && !(value instanceof Uint8Array)) throw new ArgumentError("text or bytes", value);
  return value;
}

/** A number, with decimals where it is beyond 2^53. */
export function number(value: Value): number {
  if (typeof value === "number") return value;
  if (typeof value !== "bigint") throw new ArgumentError("a number", value);
  const n = Number(value);
  if (!Number.isFinite(n)) throw new ArgumentError("a number up to 1.8e308", value);
  return n;
}

/** A position, a length, a count. */
export function whole(value: Value): number {
  if (typeof value === "bigint") throw new ArgumentError("a whole number below 2^53", value);
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw new ArgumentError("a whole number", value);
  return value;
}

/** Name of an entry of a map: text, or a whole number's digits. */
export function name(value: Value): string {
  if (typeof value === "bigint" || Number.isSafeInteger(value)) return String(value);
  return text(value);
}

export function array(value: Value): Value[] {
  if (!Array.isArray(value)) throw new ArgumentError("an array", value);
  return value;
}

/** One of some words; what is left out is the first of them. */
export function oneOf<const T extends string>(...words: readonly [T, ...T[]]): (value: Value) => T {
  return (value) => {
    const found = value === undefined ? words[0] : words.find((w) => w === value);
    if (found === undefined) throw new ArgumentError(`one of ${words.map((w) => `'${w}'`).join(", ")}`, value);
    return found;
  };
}
