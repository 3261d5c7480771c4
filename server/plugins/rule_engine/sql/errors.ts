/** What can be wrong with a rule's SQL: as it is written (SqlError), and with what an event brings (RuleError). */

/** The SQL is refused. Everything a text field needs to mark the word: `line` and `column` begin at 1, `length` is that of the word. */
export class SqlError extends Error {
  override readonly name = "SqlError";
  readonly line: number;
  readonly column: number;

  constructor(
    /** What is wrong, without the place. */
    readonly reason: string,
    sql: string,
    /** Of the word, in UTF-16 units from the start of the text. */
    readonly at: number,
    /** In UTF-16 units; 0 = at the end of the text. */
    readonly length: number,
    /** The known word that was probably meant. */
    readonly hint: string | null = null,
  ) {
    const before = sql.slice(0, at);
    const line = before.split("\n").length;
    const column = at - before.lastIndexOf("\n");
    super(`line ${line}, column ${column}: ${reason}${hint === null ? "" : ` (did you mean ${hint}?)`}`);
    this.line = line;
    this.column = column;
  }
}

/** An event that the rule cannot be evaluated for: it says nothing of the others. Never carries more than a piece of a value. */
export class RuleError extends Error {
  override readonly name = "RuleError";

  constructor(
    message: string,
    /** It has cost what an event may, and everybody has waited for it. */
    readonly isExhausted = false,
  ) {
    super(message);
  }
}

/** An argument is not what a function or an operator can work with; whoever called it knows its name. `expected` reads on after "expected ". */
export class ArgumentError extends Error {
  override readonly name = "ArgumentError";
  constructor(
    readonly expected: string,
    readonly got: unknown,
  ) {
    super(`expected ${expected}, got ${shown(got)}`);
  }
}

/** What cannot be done, in words that are complete: the result would be too long, the steps too many. */
export class Refusal extends Error {
  override readonly name = "Refusal";
}

/** An evaluation has cost what it may: what it was at is as good as before, and whoever comes with a share of his own may do it. */
export class Exhausted extends Refusal {}

/** `what`: a function or an operator, as it is written. */
export function named(what: string, err: unknown): RuleError {
  if (err instanceof RuleError) return err;
  if (err instanceof ArgumentError || err instanceof Refusal) return new RuleError(`${what}: ${err.message}`, err instanceof Exhausted);
  // The stack is at its end, or a library did not like what it was given.
  return new RuleError(`${what}: ${piece(err instanceof Error ? err.message : String(err))}`);
}

/** Longest piece of a value that an error shows. */
const SHOWN = 64;

function piece(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}

/** "text", "number", "nothing" … */
function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (typeof value === "string") return "text";
  if (Array.isArray(value)) return "array";
  if (value instanceof Uint8Array) return "bytes";
  if (typeof value === "bigint") return "number";
  return typeof value === "object" ? "map" : typeof value;
}

/** The kind, and what fits of the value: `number 5`, `text "abc"`, `array of length 3`. */
export function shown(value: unknown): string {
  const kind = kindOf(value);
  if (typeof value === "number" || typeof value === "boolean") return `${kind} ${value}`;
  if (typeof value === "bigint") return `${kind} ${piece(String(value))}`;
  if (typeof value === "string") return `${kind} ${JSON.stringify(piece(value))}`;
  if (Array.isArray(value) || value instanceof Uint8Array) return `${kind} of length ${value.length}`;
  return kind;
}
