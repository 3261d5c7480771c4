/**
 * Regular expressions as people know them from PCRE and JavaScript, made into a program that is run in linear time (regex.ts). What cannot be
 * matched so is refused: back references, look-around, atomic groups. `\d`, `\w`, `\s` and `\b` know ASCII; characters are code points.
 */
import { ArgumentError, Refusal } from "../errors.ts";
import { ASSERTIONS, type CharTest, CLASSES, ESCAPES, folded, not, POSIX } from "./char_classes.ts";

/** Most instructions: counted repetitions are written out. */
const MAX_PROGRAM = 2000;
const MAX_REPEAT = 1000;
const MAX_DEPTH = 64;
const NO_LIMIT = -1;

export const CHAR = 0;
export const SPLIT = 1;
export const JUMP = 2;
export const SAVE = 3;
export const ASSERT = 4;
export const MATCH = 5;

export type Assertion = "start" | "lineStart" | "end" | "lastEnd" | "lineEnd" | "word" | "notWord";

export interface Program {
  readonly op: readonly number[];
  /** Of CHAR and ASSERT an index into `tests` and `assertions`; of SPLIT and JUMP where to go on, first choice first; of SAVE the slot. */
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly tests: readonly CharTest[];
  readonly assertions: readonly Assertion[];
  /** Slots: two for the whole match and for each group. */
  readonly slots: number;
  /** It can begin only where the text does. */
  readonly anchored: boolean;
}

type Node =
  | { kind: "char"; test: CharTest }
  | { kind: "assert"; assertion: Assertion }
  | { kind: "all"; parts: Node[] }
  | { kind: "any"; choices: Node[] }
  | { kind: "group"; index: number; of: Node }
  | { kind: "repeat"; of: Node; least: number; most: number; lazy: boolean };

interface Flags {
  readonly i: boolean;
  readonly m: boolean;
  readonly s: boolean;
}

/** @throws ArgumentError for what is no pattern, or none that can be matched in linear time */
export function compilePattern(source: string): Program {
  const reader = new Reader(source);
  const tree = reader.alternatives({ i: false, m: false, s: false }, 0);
  if (!reader.atEnd) throw new ArgumentError("a pattern whose ) have a ( before", source);
  return new Writer(reader.groups).program(tree);
}

class Reader {
  groups = 0;
  private at = 0;

  constructor(private readonly source: string) {}

  get atEnd(): boolean {
    return this.at >= this.source.length;
  }

  alternatives(flags: Flags, depth: number): Node {
    if (depth > MAX_DEPTH) this.refuse(`groups nested ${MAX_DEPTH} deep at most`);
    const choices: Node[] = [];
    let current = flags;
    do {
      const [sequence, after] = this.sequence(current, depth);
      choices.push(sequence);
      current = after;
    } while (this.accept("|"));
    return choices.length === 1 ? (choices[0] as Node) : { kind: "any", choices };
  }

  /** Flags such as (?i) hold up to the end of the group. */
  private sequence(flags: Flags, depth: number): [Node, Flags] {
    const parts: Node[] = [];
    let current = flags;
    while (!this.atEnd && this.peek() !== "|" && this.peek() !== ")") {
      const set = /^\(\?([ims]+)\)/.exec(this.source.slice(this.at, this.at + 8));
      if (set !== null) {
        this.at += set[0].length;
        current = withFlags(current, set[1] as string);
      } else parts.push(this.repeated(this.atom(current, depth)));
    }
    return [{ kind: "all", parts }, current];
  }

  private repeated(of: Node): Node {
    const [least, most] = this.quantifier();
    if (least === null) return of;
    if (of.kind === "assert") this.refuse("something to repeat");
    const lazy = this.accept("?");
    if (!lazy && this.peek() === "+") this.refuse("no possessive quantifiers: they are not matched in linear time");
    if (this.quantifier()[0] !== null) this.refuse("one quantifier");
    return { kind: "repeat", of, least, most, lazy };
  }

  private quantifier(): [number | null, number] {
    if (this.accept("*")) return [0, NO_LIMIT];
    if (this.accept("+")) return [1, NO_LIMIT];
    if (this.accept("?")) return [0, 1];
    const counted = this.peek() === "{" ? /^\{(\d{1,6})(?:(,)(\d{1,6})?)?\}/.exec(this.source.slice(this.at, this.at + 20)) : null;
    if (counted === null) return [null, 0];
    this.at += counted[0].length;
    const least = Number(counted[1]);
    const most = counted[3] === undefined ? (counted[2] === undefined ? least : NO_LIMIT) : Number(counted[3]);
    if (least > MAX_REPEAT || most > MAX_REPEAT || (most !== NO_LIMIT && most < least)) this.refuse(`{n,m} with n <= m <= ${MAX_REPEAT}`);
    return [least, most];
  }

  private atom(flags: Flags, depth: number): Node {
    const c = this.take();
    switch (c) {
      case "(":
        return this.group(flags, depth);
      case "[":
        return this.char(this.set(), flags);
      case ".":
        return { kind: "char", test: flags.s ? () => true : (code) => code !== 0x0a };
      case "^":
        return { kind: "assert", assertion: flags.m ? "lineStart" : "start" };
      case "$":
        return { kind: "assert", assertion: flags.m ? "lineEnd" : "lastEnd" };
      case "*":
      case "+":
      case "?":
        return this.refuse(`something to repeat before ${c}`);
      case "\\": {
        const assertion = this.peek() === undefined ? undefined : ASSERTIONS[this.peek() as string];
        if (assertion !== undefined) {
          this.take();
          return { kind: "assert", assertion };
        }
        return this.char(this.escape(), flags);
      }
      default:
        return this.char(c.codePointAt(0) as number, flags);
    }
  }

  private char(what: number | CharTest, flags: Flags): Node {
    const test: CharTest = typeof what === "number" ? (code) => code === what : what;
    return { kind: "char", test: flags.i ? folded(test) : test };
  }

  private group(flags: Flags, depth: number): Node {
    let own = flags;
    let isCapturing = true;
    const special = /^\?(?:([ims]*):|P?<[A-Za-z_]\w*>)/.exec(this.source.slice(this.at, this.at + 64));
    if (special !== null) {
      this.at += special[0].length;
      isCapturing = special[1] === undefined;
      own = withFlags(flags, special[1] ?? "");
    } else if (this.peek() === "?") this.refuse("no look-around and no atomic groups: they are not matched in linear time");
    const index = isCapturing ? ++this.groups : 0;
    const of = this.alternatives(own, depth + 1);
    if (!this.accept(")")) this.refuse("a pattern whose ( are closed");
    return isCapturing ? { kind: "group", index, of } : of;
  }

  /** Behind a backslash: one character, or a class. */
  private escape(): number | CharTest {
    const c = this.take();
    if (/[1-9]/.test(c)) this.refuse("no back references: they are not matched in linear time");
    const known = Object.hasOwn(CLASSES, c) ? CLASSES[c] : Object.hasOwn(ESCAPES, c) ? ESCAPES[c] : undefined;
    if (known !== undefined) return known;
    if (c === "x" || c === "u") return this.hexadecimal(c);
    if (c === "p" || c === "P") return this.property(c);
    if (/\w/.test(c)) this.refuse(`an escape that is known, not \\${c}`);
    return c.codePointAt(0) as number;
  }

  private hexadecimal(c: string): number {
    const form = c === "x" ? /^(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{2}))/ : /^(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{4}))/;
    const digits = form.exec(this.source.slice(this.at, this.at + 8));
    const code = Number.parseInt(digits?.[1] ?? digits?.[2] ?? "", 16);
    if (digits === null || !(code <= 0x10ffff)) return this.refuse(`hexadecimal digits behind \\${c}`);
    this.at += digits[0].length;
    return code;
  }

  /** \p{L}: one character, so the runtime's own regular expressions can be asked. */
  private property(c: string): CharTest {
    const name = /^(?:\{(\^?)([A-Za-z_=]{1,40})\}|([A-Z]))/.exec(this.source.slice(this.at, this.at + 44));
    if (name === null) return this.refuse("a property such as \\p{L}");
    this.at += name[0].length;
    let one: RegExp;
    try {
      one = new RegExp(`^\\p{${name[2] ?? name[3]}}$`, "u");
    } catch {
      return this.refuse(`a property that is known, not ${name[0]}`);
    }
    const has: CharTest = (code) => one.test(String.fromCodePoint(code));
    return (c === "P") !== (name[1] === "^") ? not(has) : has;
  }

  private set(): CharTest {
    const isNegative = this.accept("^");
    const ranges: [number, number][] = [];
    const tests: CharTest[] = [];
    for (let isFirst = true; isFirst || this.peek() !== "]"; isFirst = false) {
      if (this.atEnd) this.refuse("a pattern whose [ are closed");
      const posix = this.peek() === "[" ? /^\[:(\^?)([a-z]{1,8}):\]/.exec(this.source.slice(this.at, this.at + 14)) : null;
      const known = posix === null ? undefined : POSIX[posix[2] as string];
      if (posix !== null && known !== undefined) {
        this.at += posix[0].length;
        tests.push(posix[1] === "^" ? not(known) : known);
        continue;
      }
      const low = this.member();
      if (typeof low !== "number") {
        tests.push(low);
        continue;
      }
      const isRange = this.peek() === "-" && this.source[this.at + 1] !== "]" && this.at + 1 < this.source.length;
      if (!isRange) {
        ranges.push([low, low]);
        continue;
      }
      this.take();
      const high = this.member();
      if (typeof high !== "number" || high < low) return this.refuse("a range such as a-z");
      ranges.push([low, high]);
    }
    this.take();
    const has: CharTest = (c) => ranges.some(([low, high]) => c >= low && c <= high) || tests.some((t) => t(c));
    return isNegative ? not(has) : has;
  }

  private member(): number | CharTest {
    const c = this.take();
    if (c !== "\\") return c.codePointAt(0) as number;
    if (this.accept("b")) return 8;
    return this.escape();
  }

  private peek(): string | undefined {
    return this.source[this.at];
  }

  /** One code point. */
  private take(): string {
    const code = this.source.codePointAt(this.at);
    if (code === undefined) return this.refuse("a pattern that goes on");
    const c = String.fromCodePoint(code);
    this.at += c.length;
    return c;
  }

  private accept(c: string): boolean {
    if (this.peek() !== c) return false;
    this.at++;
    return true;
  }

  private refuse(expected: string): never {
    throw new ArgumentError(`a pattern with ${expected}`.replace(/^a pattern with (a pattern|something|groups)/, "$1"), this.source);
  }
}

function withFlags(flags: Flags, set: string): Flags {
  return { i: flags.i || set.includes("i"), m: flags.m || set.includes("m"), s: flags.s || set.includes("s") };
}

class Writer {
  private readonly op: number[] = [];
  private readonly x: number[] = [];
  private readonly y: number[] = [];
  private readonly tests: CharTest[] = [];
  private readonly assertions: Assertion[] = [];

  constructor(private readonly groups: number) {}

  program(tree: Node): Program {
    this.add(SAVE, 0);
    this.write(tree);
    this.add(SAVE, 1);
    this.add(MATCH);
    const { op, x, y, tests, assertions } = this;
    return {
      op,
      x,
      y,
      tests,
      assertions,
      slots: 2 * (this.groups + 1),
      anchored: op[1] === ASSERT && assertions[x[1] as number] === "start",
    };
  }

  private add(op: number, x = 0, y = 0): number {
    if (this.op.length >= MAX_PROGRAM) throw new Refusal(`this pattern is too large: written out it has more than ${MAX_PROGRAM} steps`);
    this.op.push(op);
    this.x.push(x);
    this.y.push(y);
    return this.op.length - 1;
  }

  private write(node: Node): void {
    switch (node.kind) {
      case "char":
        this.add(CHAR, this.tests.push(node.test) - 1);
        return;
      case "assert":
        this.add(ASSERT, this.assertions.push(node.assertion) - 1);
        return;
      case "all":
        for (const part of node.parts) this.write(part);
        return;
      case "group":
        this.add(SAVE, 2 * node.index);
        this.write(node.of);
        this.add(SAVE, 2 * node.index + 1);
        return;
      case "any": {
        const ends: number[] = [];
        for (const [i, choice] of node.choices.entries()) {
          if (i === node.choices.length - 1) {
            this.write(choice);
            break;
          }
          const split = this.add(SPLIT, this.op.length + 1);
          this.write(choice);
          ends.push(this.add(JUMP));
          this.y[split] = this.op.length;
        }
        for (const end of ends) this.x[end] = this.op.length;
        return;
      }
      case "repeat":
        this.repeat(node);
    }
  }

  private repeat({ of, least, most, lazy }: Node & { kind: "repeat" }): void {
    for (let i = 0; i < least; i++) this.write(of);
    const aim = (split: number, inside: number, behind: number): void => {
      this.x[split] = lazy ? behind : inside;
      this.y[split] = lazy ? inside : behind;
    };
    if (most === NO_LIMIT) {
      const split = this.add(SPLIT);
      this.write(of);
      this.add(JUMP, split);
      aim(split, split + 1, this.op.length);
      return;
    }
    const splits: number[] = [];
    for (let i = least; i < most; i++) {
      splits.push(this.add(SPLIT));
      this.write(of);
    }
    for (const split of splits) aim(split, split + 1, this.op.length);
  }
}
