/**
 * Reader for files of Erlang terms as `file:consult` takes them (acl.conf): atoms, strings, binaries, integers, tuples and
 * lists, each top-level term ended by a full stop. Comments run from % to the end of the line.
 */

interface At {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}
export type Term = At &
  (
    | { readonly kind: "atom"; readonly value: string }
    | { readonly kind: "string"; readonly value: string }
    | { readonly kind: "binary"; readonly value: string }
    | { readonly kind: "integer"; readonly value: number }
    | { readonly kind: "tuple" | "list"; readonly items: readonly Term[] }
  );

/** The text is no Erlang term, or not the one wanted. `expected` reads on after "expected ". */
export class TermError extends Error {
  override readonly name = "TermError";
  constructor(
    readonly line: number,
    readonly column: number,
    readonly expected: string,
    readonly found: string,
  ) {
    super(`line ${line}, column ${column}: expected ${expected}, found ${found}`);
  }
}

/** All terms of a file. Throws `TermError`. */
export function parseTerms(text: string): Term[] {
  const reader = new Reader(text.startsWith("\uFEFF") ? text.slice(1) : text);
  const terms: Term[] = [];
  for (let t = reader.next(); t !== null; t = reader.next()) terms.push(t);
  return terms;
}

/** A term in Erlang's own writing, on one line. */
export function printTerm(t: Term): string {
  switch (t.kind) {
    case "atom":
      return /^[a-z][A-Za-z0-9_@]*$/.test(t.value) && !RESERVED.has(t.value) ? t.value : `'${escaped(t.value, "'")}'`;
    case "string":
      return `"${escaped(t.value, '"')}"`;
    case "binary":
      return `<<"${escaped(t.value, '"')}">>`;
    case "integer":
      return String(t.value);
    case "tuple":
      return `{${t.items.map(printTerm).join(", ")}}`;
    case "list":
      return `[${t.items.map(printTerm).join(", ")}]`;
  }
}

/** Words that are no bare atoms and occur in rules. */
const RESERVED: ReadonlySet<string> = new Set(["and", "or", "not"]);
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  s: " ",
  b: "\b",
  d: "\x7f",
  e: "\x1b",
  f: "\f",
  v: "\v",
};
/** A file is written by people; a nesting like this is an attack or a mistake. */
const MAX_DEPTH = 100;

function escaped(s: string, quote: string): string {
  return s.replaceAll("\\", "\\\\").replaceAll(quote, `\\${quote}`).replaceAll("\n", "\\n");
}

class Reader {
  private pos = 0;
  private line = 1;
  private lineStart = 0;
  private depth = 0;

  constructor(private readonly text: string) {}

  /** The next top-level term with its full stop; null at the end. */
  next(): Term | null {
    this.skip();
    if (this.pos >= this.text.length) return null;
    const t = this.term("a term");
    this.skip();
    if (!this.atFullStop()) this.fail(`"." after the term`);
    this.pos++;
    return t;
  }

  private term(expected: string): Term {
    this.skip();
    const at = this.here();
    const c = this.text[this.pos] ?? "";
    if (c === "{") return { ...at, kind: "tuple", items: this.items("{", "}") };
    if (c === "[") return { ...at, kind: "list", items: this.items("[", "]") };
    if (c === '"') return { ...at, kind: "string", value: this.strings() };
    if (c === "'") return { ...at, kind: "atom", value: this.quoted("'") };
    if (this.text.startsWith("<<", this.pos)) return { ...at, kind: "binary", value: this.binary() };
    const word = this.match(/[a-z][A-Za-z0-9_@]*/y);
    if (word !== null) return { ...at, kind: "atom", value: word };
    const digits = this.match(/[+-]?\d+/y);
    if (digits !== null) return { ...at, kind: "integer", value: Number(digits) };
    return this.fail(expected);
  }

  private items(open: string, close: string): Term[] {
    if (++this.depth > MAX_DEPTH) this.fail(`at most ${MAX_DEPTH} levels of nesting`);
    this.pos++;
    const items: Term[] = [];
    this.skip();
    let more = this.text[this.pos] !== close;
    while (more) {
      items.push(this.term(items.length > 0 ? `a term after ","` : `a term or "${close}"`));
      this.skip();
      more = this.text[this.pos] === ",";
      if (more) this.pos++;
    }
    if (this.text[this.pos] !== close) this.fail(`"," or "${close}" to go with the "${open}"`);
    this.pos++;
    this.depth--;
    return items;
  }

  /** Strings that follow each other are one string. */
  private strings(): string {
    let value = "";
    while (this.text[this.pos] === '"') {
      value += this.quoted('"');
      this.skip();
    }
    return value;
  }

  /** <<"text">>, <<"text"/utf8>>, <<104,105>> and mixtures of them. */
  private binary(): string {
    this.pos += 2;
    let value = "";
    this.skip();
    while (!this.text.startsWith(">>", this.pos)) {
      value += this.segment();
      this.skip();
      if (this.text[this.pos] === ",") {
        this.pos++;
        this.skip();
      } else if (!this.text.startsWith(">>", this.pos)) this.fail(`"," or ">>"`);
    }
    this.pos += 2;
    return value;
  }

  private segment(): string {
    if (this.text[this.pos] === '"') {
      const s = this.strings();
      if (this.text[this.pos] === "/" && this.match(/\/utf8\b/y) === null) this.fail("/utf8");
      return s;
    }
    const n = this.match(/\d+/y);
    if (n === null || Number(n) > 255) this.fail("a string or a byte (0 to 255)");
    return String.fromCharCode(Number(n));
  }

  private quoted(quote: string): string {
    const start = this.here();
    this.pos++;
    let value = "";
    for (;;) {
      const c = this.text[this.pos];
      if (c === undefined) throw new TermError(start.line, start.column, `a closing ${quote}`, "the end of the file");
      this.pos++;
      if (c === quote) return value;
      if (c === "\n") this.newLine();
      value += c === "\\" ? this.escaped() : c;
    }
  }

  /** After a backslash. */
  private escaped(): string {
    const braced = this.match(/x\{([0-9a-fA-F]{1,6})\}/y);
    if (braced !== null) return this.codePoint(Number.parseInt(braced.slice(2, -1), 16));
    const hex = this.match(/x[0-9a-fA-F]{2}/y);
    if (hex !== null) return String.fromCharCode(Number.parseInt(hex.slice(1), 16));
    const octal = this.match(/[0-7]{1,3}/y);
    if (octal !== null) return String.fromCharCode(Number.parseInt(octal, 8));
    const control = this.match(/\^[@-_a-z]/y);
    if (control !== null) return String.fromCharCode(control.charCodeAt(1) & 31);
    const c = this.text[this.pos];
    if (c === undefined || c === "x") return this.fail('an escape such as \\n, \\" or \\x41');
    this.pos++;
    if (c === "\n") this.newLine();
    return SIMPLE_ESCAPES[c] ?? c;
  }

  private codePoint(n: number): string {
    return n <= 0x10ffff ? String.fromCodePoint(n) : this.fail("a character up to \\x{10FFFF}");
  }

  private match(sticky: RegExp): string | null {
    sticky.lastIndex = this.pos;
    const m = sticky.exec(this.text);
    if (!m) return null;
    this.pos += m[0].length;
    return m[0];
  }

  /** Blanks and comments. */
  private skip(): void {
    for (;;) {
      const c = this.text[this.pos];
      if (c === "%") {
        const end = this.text.indexOf("\n", this.pos);
        this.pos = end < 0 ? this.text.length : end;
      } else if (c === "\n") {
        this.pos++;
        this.newLine();
      } else if (c?.trim() === "") this.pos++;
      else return;
    }
  }

  /** The reader stands behind a line feed. */
  private newLine(): void {
    this.line++;
    this.lineStart = this.pos;
  }

  private atFullStop(): boolean {
    const after = this.text[this.pos + 1];
    return this.text[this.pos] === "." && (after === undefined || after === "%" || after.trim() === "");
  }

  private here(): At {
    return { line: this.line, column: this.pos - this.lineStart + 1 };
  }

  private fail(expected: string): never {
    const { line, column } = this.here();
    throw new TermError(line, column, expected, this.found());
  }

  private found(): string {
    if (this.pos >= this.text.length) return "the end of the file";
    const word = /[A-Za-z0-9_@]+|[\s\S]/y;
    word.lastIndex = this.pos;
    const token = word.exec(this.text)?.[0] ?? "";
    return token.trim() === "" ? "a blank" : JSON.stringify(token);
  }
}
