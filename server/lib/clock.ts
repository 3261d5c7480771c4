/** The time, as the core asks for it. */
import type { MonoMs, WallMs } from "./time.ts";

export const systemClock = {
  now: (): WallMs => Date.now() as WallMs,
  mono: (): MonoMs => performance.now() as MonoMs,
};
