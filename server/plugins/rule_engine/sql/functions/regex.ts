/**
 * Regular expressions in linear time (Pike's machine: all ways through the pattern at once, the first choices first), so that no pattern and no
 * text can hold the event loop. On top of that the steps of one call are counted.
 */
import { ArgumentError, Refusal } from "../errors.ts";
import { boundedLength, boundedSoFar, type Value } from "../values.ts";
import { pay } from "../work.ts";
import { isWord } from "./char_classes.ts";
import { ASSERT, type Assertion, CHAR, compilePattern, JUMP, MATCH, type Program, SAVE, SPLIT } from "./regex_program.ts";

/** In UTF-16 units. */
const MAX_PATTERN = 1024;
const MAX_INPUT = 64 * 1024;
/** Up to twenty milliseconds. */
const MAX_STEPS = 1_000_000;
const STEP_NS = 20;
const PAID_AT_ONCE = 1000;
/** What an instruction costs to make, about. */
const MADE_NS = 200;
/** Patterns that are kept: most rules have constant ones. */
const KEPT = 256;

const kept = new Map<string, Pattern>();

/** @throws ArgumentError for what is no pattern that can be matched in linear time, Refusal when nothing is left to pay for it */
export function pattern(value: Value): Pattern {
  if (typeof value !== "string") throw new ArgumentError("a pattern", value);
  const known = kept.get(value);
  if (known !== undefined) return known;
  if (value.length > MAX_PATTERN) throw new ArgumentError(`a pattern of at most ${MAX_PATTERN} characters`, value);
  const program = compilePattern(value);
  pay(program.op.length * MADE_NS);
  const made = new Pattern(program);
  if (kept.size >= KEPT) kept.delete(kept.keys().next().value as string);
  kept.set(value, made);
  return made;
}

/** SQL's LIKE: % = anything, _ = one character, a backslash before them takes their meaning. */
export function likePattern(value: Value): Pattern {
  if (typeof value !== "string") throw new ArgumentError("a text with % and _ on the right", value);
  if (value.length > MAX_PATTERN / 2) throw new ArgumentError(`a text of at most ${MAX_PATTERN / 2} characters on the right`, value);
  const inner = value.replace(/\\([%_\\])|%+|_|[\\^$.*+?()[\]{}|/]/g, (c, escaped?: string) => {
    if (escaped !== undefined) return escaped === "\\" ? "\\\\" : escaped;
    return c.startsWith("%") ? ".*" : c === "_" ? "." : `\\${c}`;
  });
  return pattern(`(?s)\\A${inner}\\z`);
}

export function match(p: Pattern, input: string): boolean {
  return p.on(input, () => p.search(0, false) !== null);
}

/** What the groups of the first match caught; '' for one that caught nothing. */
export function extract(p: Pattern, input: string): string[] {
  const found = p.on(input, () => p.search(0, true));
  return found === null ? [] : Array.from({ length: found.length / 2 - 1 }, (_, i) => caught(input, found, i + 1));
}

function caught(input: string, slots: readonly number[], group: number): string {
  const from = slots[2 * group] ?? -1;
  const to = slots[2 * group + 1] ?? -1;
  return from < 0 || to < 0 ? "" : input.slice(from, to);
}

/** `by` as Erlang's re:replace has it: & and \0 = the match, \1 \g1 \g{1} = a group, \& and \\ = themselves. */
export function replaceAll(p: Pattern, input: string, by: string): string {
  const parts = by.split(/(\\g\{\d{1,3}\}|\\g?\d{1,2}|\\[&\\]|&)/);
  return p.on(input, () => {
    let out = "";
    let done = 0;
    for (let from = 0; from <= input.length; ) {
      const found = p.search(from, true);
      if (found === null) break;
      const [start, end] = [found[0] as number, found[1] as number];
      out += input.slice(done, start);
      for (const [i, part] of parts.entries()) {
        if (i % 2 === 0) out += part;
        else if (part === "\\&" || part === "\\\\") out += part.slice(1);
        else out += caught(input, found, part === "&" ? 0 : Number(part.replace(/\D/g, "")));
      }
      boundedSoFar(out.length);
      done = end;
      // An empty match: the next one is looked for behind the next character.
      from = end > start ? end : end + ((input.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
    }
    out += input.slice(done);
    boundedLength(out.length);
    return out;
  });
}

/** Threads of one position: each instruction once, in the order of choice. */
class Threads {
  readonly pcs: Int32Array;
  readonly slots: (readonly number[])[] = [];
  /** The position at which an instruction was added last. */
  private readonly marks: Int32Array;
  length = 0;
  private generation = 0;

  constructor(size: number) {
    this.pcs = new Int32Array(size);
    this.marks = new Int32Array(size);
  }

  clear(): void {
    this.length = 0;
    if (++this.generation === 0x7fffffff) {
      this.marks.fill(0);
      this.generation = 1;
    }
  }

  /** False = it is there already. */
  mark(pc: number): boolean {
    if (this.marks[pc] === this.generation) return false;
    this.marks[pc] = this.generation;
    return true;
  }

  add(pc: number, slots: readonly number[]): void {
    this.pcs[this.length] = pc;
    this.slots[this.length++] = slots;
  }
}

const NO_SLOTS: readonly number[] = [];

class Pattern {
  private now: Threads;
  private next: Threads;
  private input = "";
  private steps = 0;
  private paid = 0;

  constructor(private readonly program: Program) {
    this.now = new Threads(program.op.length);
    this.next = new Threads(program.op.length);
  }

  /** While `work` runs its searches are those of this text; afterwards nothing of it is kept. @throws ArgumentError when it is too long */
  on<T>(input: string, work: () => T): T {
    if (input.length > MAX_INPUT) throw new ArgumentError(`text of at most ${MAX_INPUT} characters for a pattern`, input);
    this.input = input;
    this.steps = 0;
    this.paid = 0;
    try {
      const result = work();
      pay((this.steps - this.paid) * STEP_NS);
      return result;
    } finally {
      this.input = "";
    }
  }

  /** Where the match and its groups begin and end (-1 = nowhere), from a position on; without groups only whether there is one. */
  search(from: number, wantsGroups: boolean): readonly number[] | null {
    const { op, x, tests, slots, anchored } = this.program;
    const { input } = this;
    const none = wantsGroups ? new Array<number>(slots).fill(-1) : NO_SLOTS;
    let found: readonly number[] | null = null;
    this.now.clear();
    for (let at = from; ; ) {
      if (found === null && (at === 0 || !anchored)) this.follow(this.now, 0, at, none, wantsGroups);
      const { now, next } = this;
      if (now.length === 0 && (found !== null || anchored)) break;
      const code = at < input.length ? (input.codePointAt(at) as number) : -1;
      const after = at + (code > 0xffff ? 2 : 1);
      next.clear();
      for (let i = 0; i < now.length; i++) {
        const pc = now.pcs[i] as number;
        const caughtThere = now.slots[i] as readonly number[];
        if (op[pc] === MATCH) {
          found = caughtThere;
          // Those behind are later choices.
          break;
        }
        this.count();
        if (code >= 0 && (tests[x[pc] as number] as (c: number) => boolean)(code))
          this.follow(next, pc + 1, after, caughtThere, wantsGroups);
      }
      if (code < 0 || (found !== null && !wantsGroups)) break;
      this.now = next;
      this.next = now;
      at = after;
    }
    return found;
  }

  private count(): void {
    if (++this.steps > MAX_STEPS) throw new Refusal("this pattern takes too many steps with this text");
    if (this.steps < this.paid + PAID_AT_ONCE) return;
    pay((this.steps - this.paid) * STEP_NS);
    this.paid = this.steps;
  }

  /** Everything that can be reached from `pc` without a character. */
  private follow(to: Threads, pc: number, at: number, slots: readonly number[], wantsGroups: boolean): void {
    if (!to.mark(pc)) return;
    this.count();
    const { op, x, y, assertions } = this.program;
    switch (op[pc]) {
      case JUMP:
        this.follow(to, x[pc] as number, at, slots, wantsGroups);
        return;
      case SPLIT:
        this.follow(to, x[pc] as number, at, slots, wantsGroups);
        this.follow(to, y[pc] as number, at, slots, wantsGroups);
        return;
      case SAVE:
        if (wantsGroups) {
          // A copy of many groups is no single step.
          this.steps += slots.length >= 16 ? slots.length : 0;
          const own = slots.slice();
          own[x[pc] as number] = at;
          this.follow(to, pc + 1, at, own, wantsGroups);
        } else this.follow(to, pc + 1, at, slots, wantsGroups);
        return;
      case ASSERT:
        if (this.holds(assertions[x[pc] as number] as Assertion, at)) this.follow(to, pc + 1, at, slots, wantsGroups);
        return;
      case CHAR:
      case MATCH:
        to.add(pc, slots);
    }
  }

  private holds(assertion: Assertion, at: number): boolean {
    const { input } = this;
    const word = (i: number): boolean => i >= 0 && i < input.length && isWord(input.charCodeAt(i));
    switch (assertion) {
      case "start":
        return at === 0;
      case "lineStart":
        return at === 0 || input[at - 1] === "\n";
      case "end":
        return at === input.length;
      case "lastEnd":
        return at === input.length || (at === input.length - 1 && input[at] === "\n");
      case "lineEnd":
        return at === input.length || input[at] === "\n";
      case "word":
        return word(at - 1) !== word(at);
      case "notWord":
        return word(at - 1) === word(at);
    }
  }
}
