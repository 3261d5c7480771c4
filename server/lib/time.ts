/**
 * Two clocks, two types. The wall clock says what is stored and shown; it may be set forwards and backwards at any moment. The
 * monotonic one says how long something has lasted. A point of one does not pass for a point of the other: not as an argument, and not into a variable.
 * Operators take both for numbers, so `<` and `-` stand where both sides are plainly of one clock; elsewhere `reached` and `between` do.
 */

/** Unix time in ms. */
export type WallMs = number & { readonly clock: "wall" };
/** Ms since some moment before the process's first look at it; never goes back, and no one can set it. */
export type MonoMs = number & { readonly clock: "monotonic" };
export type Instant = WallMs | MonoMs;

/** No point in time: nothing is planned, nothing was seen. */
export const NO_MONO = 0 as MonoMs;

/** `ms` after `at`. */
export function later<T extends Instant>(at: T, ms: number): T {
  return (at + ms) as T;
}

/** Ms from `from` to `to`, both of one clock. */
export function between<T extends Instant>(from: T, to: NoInfer<T>): number {
  return to - from;
}

/** Has `at` come? */
export function reached<T extends Instant>(at: T, now: NoInfer<T>): boolean {
  return at <= now;
}
