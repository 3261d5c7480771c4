/**
 * What one evaluation may cost. Nothing interrupts it, and what it works on is a stranger's payload: whatever takes time that grows with a value
 * is paid for here, in about nanoseconds of it. Outside of an evaluation nothing is counted; what is constant is worked out while SQL is compiled,
 * and has a share of its own (compile.ts).
 */
import { Exhausted } from "./errors.ts";
import type { Row, Value } from "./values.ts";

/** So long everybody else may have to wait for one event, or one element of FOREACH, about. */
const WORK_NS = 50_000_000;
/** And all elements of one event together, about: the broker goes on between two of them, other rules and the events behind do not. */
const ELEMENTS_NS = 1_000_000_000;

let left = Number.POSITIVE_INFINITY;
/** What is told when nothing is left. */
let allowed = WORK_NS;

/** `of`: what this is the rest of. */
export function begin(ns = WORK_NS, of = WORK_NS): void {
  left = ns;
  allowed = of;
}

/** Returns what is left; below 0 = it was too much. */
export function end(): number {
  const rest = left;
  left = Number.POSITIVE_INFINITY;
  return rest;
}

/** An evaluation in pieces, others between them: each may cost what an evaluation may, and all together no more than their sum. */
export class Pieces {
  #rest = ELEMENTS_NS;

  begin(): void {
    if (this.#rest < WORK_NS) begin(this.#rest, ELEMENTS_NS);
    else begin();
  }

  end(): void {
    const given = Math.min(this.#rest, WORK_NS);
    this.#rest = Math.max(0, this.#rest - given + end());
  }
}

/** @throws Exhausted when nothing is left */
export function pay(ns: number): void {
  left -= ns;
  if (left < 0) throw new Exhausted(`this is too much work for one event (about ${allowed / 1_000_000} ms of it are done)`);
}

/** What going through a character or a byte takes, and an element, about. */
const CHARACTER_NS = 4;
const ELEMENT_NS = 20;
/** What copying an element takes, and an entry of a map, about: the names of a large one are looked up anew. */
const COPIED_ELEMENT_NS = 5;
const COPIED_ENTRY_NS = 300;
/** What remembering something of a value, or finding that, takes, about. */
const REMEMBERED_NS = 100;
/** Below that a text is not worth the addition. */
const SHORT = 256;

/**
 * What a function does with an argument: goes through all of it, what is in it aside (`all`), does so with a text and knows the rest (`text`); or
 * the argument costs nothing for being there (`none`): what is done with it takes little, or is paid for where it is done.
 */
export type Cost = "all" | "text" | "none";

/** Of each kind: pays for a value, and gives it back. @throws Exhausted when nothing is left */
export const PAID: Readonly<Record<Cost, (value: Value) => Value>> = {
  all: paid,
  text: (value) => (typeof value === "string" ? paid(value) : value),
  none: (value) => value,
};

/** For all of a value, what is in it aside. @throws Exhausted when nothing is left */
export function paid<T extends Value>(value: T): T {
  if (typeof value === "string") {
    if (value.length > SHORT) pay(value.length * CHARACTER_NS);
  } else if (typeof value === "object" && value !== null) {
    if (value instanceof Uint8Array) pay(value.length * CHARACTER_NS);
    else pay((Array.isArray(value) ? value.length : countOf(value)) * ELEMENT_NS);
  }
  return value;
}

/** What comparing a character or a byte with another one takes, about. */
const COMPARED_CHARACTER_NS = 0.2;

/** For comparing two texts, or bytes, of which so much is looked at. @throws Exhausted when nothing is left */
export function payCompared(length: number): void {
  if (length > SHORT) pay(length * COMPARED_CHARACTER_NS);
}

/** For a copy of so many elements. @throws Exhausted when nothing is left */
export function payCopied(elements: number): void {
  pay(elements * COPIED_ELEMENT_NS);
}

/** For a map that is made of so many entries. @throws Exhausted when nothing is left */
export function payEntries(entries: number): void {
  pay(entries * COPIED_ENTRY_NS);
}

/** For looking at so many elements, of something that is remembered then. @throws Exhausted when nothing is left */
export function payLooked(elements: number): void {
  pay(REMEMBERED_NS + elements * ELEMENT_NS);
}

/** A copy of a map, paid for. @throws Exhausted when nothing is left */
export function copyOf(map: Row): Row {
  payEntries(countOf(map));
  return { ...map };
}

function countOf(map: object): number {
  let count = 0;
  for (const _ in map) count++;
  return count;
}
