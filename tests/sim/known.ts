/** Checks that are switched off until the broker is right. Each goes with its reason; the table is to be empty. */
import type { Step } from "./steps.ts";

export interface Known {
  readonly rule: string;
  /** Only findings whose text matches. */
  readonly only?: RegExp;
  /** Steps that are left out meanwhile, because what they break spreads. */
  readonly without?: (step: Step) => boolean;
  readonly why: string;
}

export const KNOWN: readonly Known[] = [];
