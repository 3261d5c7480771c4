/** When is a script over its budget too often? The rules, in the one place that has them. */
import { between, type MonoMs, NO_MONO } from "../../lib/time.ts";

/** So many calls that kept the budget take back one that did not. */
const CALLS_FOR_ONE = 10;
/** And it takes so many budgets of time, however many calls there are: what overruns cost the broker is then a hundredth of its time, two at most. */
const BUDGETS_FOR_ONE = 100;

/**
 * A call over the budget counts one. Calls that keep it take that back: ten of them one, but not more than one in a hundred budgets (2 s where the
 * budget is 20 ms). So a script of which every call is over it is stopped at the limit, one of which every second call is a little later, and so is
 * one that is called often and is over it in one of a thousand; one that is now and then is never stopped.
 */
export class Overruns {
  #level = 0;
  /** Of the last one. */
  #at = NO_MONO;
  #kept = 0;

  /**
   * One more.
   * @param kept calls so far that kept the budget, about
   * @param budget ms
   * @returns how many stand, this one included, with fractions
   */
  over(now: MonoMs, kept: number, budget: number): number {
    const byCalls = Math.max(0, kept - this.#kept) / CALLS_FOR_ONE;
    const byTime = between(this.#at, now) / (BUDGETS_FOR_ONE * budget);
    this.#level = Math.max(0, this.#level - Math.min(byCalls, byTime)) + 1;
    this.#at = now;
    this.#kept = kept;
    return this.#level;
  }

  /** Another version of the script, or somebody wants it to run again: none stands. */
  clear(): void {
    this.#level = 0;
  }
}
