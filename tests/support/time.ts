/** Points of the two clocks for tests. */
import type { MonoMs, WallMs } from "../../server/lib/time.ts";

export const mono = (ms: number): MonoMs => ms as MonoMs;
export const wall = (ms: number): WallMs => ms as WallMs;
