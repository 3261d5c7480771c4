/** The engine: feeds a target with mutations until it complains, then makes the input smaller. */
import { mutate, Rng } from "./mutate.ts";

export interface Target {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  /** Throws when something is wrong with what the code under test did. */
  readonly check: (input: Uint8Array) => void;
  /** Inputs in a short run. */
  readonly smoke: number;
  /** ms of processor time that one input may take; else TOO_LONG. */
  readonly tooLong?: number;
}

export interface Failure {
  readonly target: string;
  readonly seed: number;
  /** Which input it was; 0.. are the seeds themselves. */
  readonly iteration: number;
  readonly input: Uint8Array;
  readonly error: string;
}

export interface Limits {
  readonly seed: number;
  /** At most so many inputs. */
  readonly inputs: number;
  /** ms on the clock of `performance.now()`; none = no limit. */
  readonly deadline?: number;
}

/** No input of a few hundred bytes may keep the decoders busy for so long (ms of processor time). */
const TOO_LONG = 2000;

function complaint(target: Target, input: Uint8Array): string | null {
  const before = process.cpuUsage();
  try {
    // A copy: the code under test must not change what others share.
    target.check(input.slice());
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const { user, system } = process.cpuUsage(before);
  const { tooLong = TOO_LONG } = target;
  return (user + system) / 1000 > tooLong ? `took longer than ${tooLong} ms` : null;
}

/** Takes away piece after piece as long as the target still complains. */
function shrink(target: Target, input: Uint8Array): Uint8Array {
  let best = input;
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at + size <= best.length; ) {
      const shorter = Uint8Array.from([...best.subarray(0, at), ...best.subarray(at + size)]);
      if (complaint(target, shorter) !== null) best = shorter;
      else at += size;
    }
  }
  return best;
}

/** null = nothing found within the limits. */
export function fuzz(target: Target, limits: Limits): Failure | null {
  const rng = new Rng(limits.seed);
  for (let i = 0; i < limits.inputs; i++) {
    const input = target.seeds[i] ?? mutate(target.seeds, rng);
    if (complaint(target, input) !== null) {
      const small = shrink(target, input);
      return {
        target: target.name,
        seed: limits.seed,
        iteration: i,
        input: small,
        error: complaint(target, small) ?? "does not happen again",
      };
    }
    if (limits.deadline !== undefined && (i & 255) === 0 && performance.now() > limits.deadline) break;
  }
  return null;
}

export function describeFailure(f: Failure): string {
  return `${f.target}: input ${f.iteration} of seed ${f.seed}, made smaller: ${Buffer.from(f.input).toString("hex")}\n${f.error}`;
}
