/** Randomness that can be had again. */
import type { Random } from "../../server/lib/random.ts";

/** The same numbers for the same seed (mulberry32), for tests and fuzzing. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const hex = (n: number): string => {
    let out = "";
    for (let i = 0; i < n; i++)
      out += Math.floor(next() * 256)
        .toString(16)
        .padStart(2, "0");
    return out;
  };
  return { next, hex };
}
