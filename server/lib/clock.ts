/** The time, as the core's port asks for it. */

export const systemClock = {
  /** Unix time in ms. */
  now: (): number => Date.now(),
  /** Monotonic ms, for durations. */
  mono: (): number => performance.now(),
};
