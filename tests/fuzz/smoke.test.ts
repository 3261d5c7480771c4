/** Short runs of every fuzz target; longer ones by `bun run fuzz`. */
import { describe, expect, test } from "bun:test";
import { describeFailure, fuzz } from "./fuzz.ts";
import { mutate, Rng } from "./mutate.ts";
import { CANARIES, TARGETS } from "./targets.ts";

const SEED = 1;

describe("fuzz", () => {
  for (const target of TARGETS) {
    test(target.name, () => {
      const failure = fuzz(target, { seed: SEED, inputs: target.smoke });
      expect(failure === null ? "" : describeFailure(failure)).toBe("");
    });
  }
});

describe("the alarm rings", () => {
  for (const canary of CANARIES) {
    test(canary.name, () => {
      const failure = fuzz(canary, { seed: SEED, inputs: canary.smoke });
      expect(failure?.target).toBe(canary.name);
      // What was reported is enough to see it again.
      expect(() => canary.check(failure?.input ?? new Uint8Array())).toThrow();
    });
  }
});

describe("mutations", () => {
  test("the same seed gives the same inputs, another seed others", () => {
    const seeds = TARGETS[0]?.seeds ?? [];
    const inputs = (seed: number) => {
      const rng = new Rng(seed);
      return Array.from({ length: 50 }, () => Buffer.from(mutate(seeds, rng)).toString("hex"));
    };
    expect(inputs(7)).toEqual(inputs(7));
    expect(inputs(7)).not.toEqual(inputs(8));
  });
});
