/** A test of settings, step by step. */
import type { Clock } from "../../core/ports.ts";
import { wordsOf } from "../../lib/errors.ts";
import { between } from "../../lib/time.ts";
import type { TestStep } from "../reports.ts";

export class TestSteps {
  readonly taken: TestStep[] = [];

  constructor(private readonly clock: Clock) {}

  /** Notes what `run` says in words, or why it failed. Returns whether it went well. */
  async take(step: string, run: () => Promise<string>): Promise<boolean> {
    const since = this.clock.mono();
    const found = await run().then(
      (why) => ({ verdict: "ok" as const, why }),
      (err: unknown) => ({ verdict: "error" as const, why: wordsOf(err) }),
    );
    this.taken.push({ step, ...found, ms: between(since, this.clock.mono()), asked: [] });
    return found.verdict === "ok";
  }
}
