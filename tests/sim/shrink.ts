/** Takes steps out of a failing history as long as the same rule is still broken: first large pieces, then single steps. */
import type { History } from "./generate.ts";
import { type Finding, type RunOptions, run } from "./sim.ts";
import type { Step } from "./steps.ts";

export interface Shrunk {
  history: History;
  finding: Finding;
  runs: number;
}

const RUNS_MAX = 3000;

export function shrink(history: History, finding: Finding, o: RunOptions = {}): Shrunk {
  let best: Shrunk = { history: { ...history, steps: history.steps.slice(0, finding.at + 1) }, finding, runs: 0 };
  let runs = 0;
  const attempt = (h: History): boolean => {
    if (runs >= RUNS_MAX) return false;
    runs++;
    const f = run(h, o);
    if (f === null || f.rule !== finding.rule) return false;
    best = { history: { ...h, steps: h.steps.slice(0, f.at + 1) }, finding: f, runs };
    return true;
  };
  if (!attempt(best.history)) best = { history, finding, runs };
  for (let changed = true; changed; ) {
    changed = false;
    for (let size = Math.max(1, best.history.steps.length >> 1); size >= 1; size >>= 1) {
      for (let at = 0; at < best.history.steps.length; ) {
        const { steps } = best.history;
        if (attempt({ ...best.history, steps: [...steps.slice(0, at), ...steps.slice(at + size)] })) changed = true;
        else at += size;
      }
    }
    for (let at = 0; at < best.history.steps.length; at++) {
      for (const simpler of simplerSteps(best.history.steps[at] as Step)) {
        const steps = best.history.steps.slice();
        steps[at] = simpler;
        if (attempt({ ...best.history, steps })) changed = true;
      }
    }
  }
  best.runs = runs;
  return best;
}

/** The same step with less in it. */
function simplerSteps(step: Step): Step[] {
  const out: Step[] = [];
  if (step.more === true) {
    const { more: _, ...rest } = step;
    out.push(rest as Step);
  }
  if (step.hold === true) {
    const { hold: _, ...rest } = step;
    out.push(rest as Step);
  }
  if (step.k === "pub" && step.n > 1) out.push({ ...step, n: 1 }, { ...step, n: step.n - 1 });
  if (step.k === "pub" && step.size > 20) out.push({ ...step, size: 20 });
  if (step.k === "sub" && step.subs.length > 1) for (const s of step.subs) out.push({ ...step, subs: [s] });
  if (step.k === "connect") {
    for (const key of ["exp", "rm", "mps", "tam", "pi", "will", "auth", "holdsRel"] as const) {
      if (step[key] === undefined) continue;
      const { [key]: _, ...rest } = step;
      out.push(rest as Step);
    }
    if (step.ka > 0) out.push({ ...step, ka: 0 });
    if (step.how !== "auto") out.push({ ...step, how: "auto" });
  }
  return out;
}
