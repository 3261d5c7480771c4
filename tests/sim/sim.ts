/** One history from beginning to end. */
import { apply } from "./apply.ts";
import { calm } from "./calm.ts";
import { generate, type History } from "./generate.ts";
import { between } from "./invariants.ts";
import { forget, leftOut, Violation } from "./violation.ts";
import { World } from "./world.ts";

export interface Finding {
  rule: string;
  detail: string;
  /** Number of the step at which it was seen; as many as there are steps = when all was over. */
  at: number;
}

export interface RunOptions {
  sqlite?: boolean;
  /** Told before each step. */
  trace?: (at: number, world: World) => void;
}

export function run(history: History, o: RunOptions = {}): Finding | null {
  let at = 0;
  forget();
  let world: World | null = null;
  try {
    world = new World(history.setup, o);
    for (; at < history.steps.length; at++) {
      const step = history.steps[at];
      if (step === undefined) break;
      if (leftOut(step)) continue;
      o.trace?.(at, world);
      apply(world, step);
      if (step.more !== true) between(world);
    }
    o.trace?.(at, world);
    world.endTurn();
    calm(world);
    return null;
  } catch (err) {
    if (err instanceof Violation) return { rule: err.rule, detail: err.detail, at };
    return { rule: "crash", detail: err instanceof Error ? (err.stack ?? err.message) : String(err), at };
  } finally {
    world?.remove();
  }
}

export function runSeed(seed: number, steps: number, o: RunOptions = {}): Finding | null {
  return run(generate(seed, steps), o);
}
