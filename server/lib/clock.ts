/** The time, as the core asks for it. */

export interface Clock {
  /** Unix time in ms. */
  now(): number;
  /** Monotonic ms, for durations. */
  mono(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
};
