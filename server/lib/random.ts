/** Randomness, as the core asks for it. */
import { randomBytes } from "node:crypto";

export interface Random {
  /** [0, 1). */
  next(): number;
  /** `n` random bytes as lower-case hex. */
  hex(n: number): string;
}

/** `next` is for choices, `hex` is fit for secrets. */
export const systemRandom: Random = {
  next: () => Math.random(),
  hex: (n) => randomBytes(n).toString("hex"),
};

/** The same numbers for the same seed (mulberry32), for tests and fuzzing. Not for secrets. */
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
