/**
 * What one evaluation may cost. Nothing interrupts it, and what it works on is a stranger's payload: whatever takes time that grows with a value
 * is paid for here, in about nanoseconds of it. Outside of an evaluation nothing is counted; what is constant is worked out while SQL is compiled,
 * and has a share of its own (compile.ts).
 */
import { Refusal } from "./errors.ts";
import type { Value } from "./values.ts";

/** So long everybody else may have to wait for one event, or one element of FOREACH, about. */
const WORK_NS = 50_000_000;

let left = Number.POSITIVE_INFINITY;

export function begin(ns = WORK_NS): void {
  left = ns;
}

/** Returns what is left; below 0 = it was too much. */
export function end(): number {
  const rest = left;
  left = Number.POSITIVE_INFINITY;
  return rest;
}

/** @throws Refusal when nothing is left */
export function pay(ns: number): void {
  left -= ns;
  if (left < 0) throw new Refusal(`this is too much work for one event (about ${WORK_NS / 1_000_000} ms of it are done)`);
}

/** What a function does with a character or a byte, and with an element, about. */
const CHARACTER_NS = 4;
const ELEMENT_NS = 20;
/** Below that a text is not worth the addition. */
const SHORT = 256;

/** For a function that goes through all of what it is given. @throws Refusal when nothing is left */
export function paid(value: Value): Value {
  if (typeof value === "string") {
    if (value.length > SHORT) pay(value.length * CHARACTER_NS);
  } else if (typeof value === "object" && value !== null) {
    if (value instanceof Uint8Array) pay(value.length * CHARACTER_NS);
    else pay((Array.isArray(value) ? value.length : countOf(value)) * ELEMENT_NS);
  }
  return value;
}

function countOf(map: object): number {
  let count = 0;
  for (const _ in map) count++;
  return count;
}
