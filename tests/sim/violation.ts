/** What the simulation is for: something that must not be. */
import { KNOWN, type Known } from "./known.ts";
import type { Step } from "./steps.ts";

export class Violation extends Error {
  constructor(
    readonly rule: string,
    readonly detail: string,
  ) {
    super(`${rule}: ${detail}`);
  }
}

/** Rules that are not looked at in this process; the table of known faults, less what the caller wants to see. */
const off = new Map<string, Known>(KNOWN.map((k) => [k.rule, k]));

/** Look at everything, known or not. */
export function strict(except: readonly string[] = []): void {
  for (const rule of [...off.keys()]) if (!except.includes(rule)) off.delete(rule);
}

/** Do not look at these either. */
export function ignore(rules: readonly string[]): void {
  for (const rule of rules) off.set(rule, { rule, why: "asked for" });
}

/** Steps that known faults keep out. */
export function leftOut(step: Step): boolean {
  for (const k of off.values()) if (k.without?.(step) === true) return true;
  return false;
}

/** The first one of this history: the broker guards itself against exceptions, also against this one. */
let raised: Violation | null = null;

/** A new history begins. */
export function forget(): void {
  raised = null;
}

/** Throws again what the broker has caught. */
export function surface(): void {
  if (raised !== null) throw raised;
}

/** Throws, unless the fault is a known one. */
export function violate(rule: string, detail: string): void {
  const known = off.get(rule);
  if (known !== undefined && (known.only === undefined || known.only.test(detail))) return;
  raised ??= new Violation(rule, detail);
  throw raised;
}
