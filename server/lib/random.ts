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
