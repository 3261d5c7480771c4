/** How a server is, as it is shown: its state, and what went wrong last. */
import type { Clock } from "../../core/ports.ts";
import { later, type MonoMs, reached } from "../../lib/time.ts";
import type { ServerState } from "../reports.ts";

/** An error is told in the state for so long, ms. */
const DEGRADED_MS = 10_000;

export class Standing {
  #state: ServerState = "connecting";
  #since: number;
  #lastError: { text: string; at: number; mono: MonoMs } | null = null;

  constructor(private readonly clock: Clock) {
    this.#since = clock.now();
  }

  get state(): ServerState {
    return this.#state;
  }
  get shown(): { state: ServerState; since: number; lastError: string | null; lastErrorAt: number | null } {
    return { state: this.#state, since: this.#since, lastError: this.error, lastErrorAt: this.#lastError?.at ?? null };
  }
  /** The last one; null = there was none. */
  get error(): string | null {
    return this.#lastError?.text ?? null;
  }

  note(text: string): void {
    this.#lastError = { text, at: this.clock.now(), mono: this.clock.mono() };
  }

  become(state: ServerState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#since = this.clock.now();
  }

  /** It answers, with errors or too late. */
  degrade(): void {
    if (this.#state === "up") this.become("degraded");
  }

  /** Errors are forgotten. */
  tick(now: MonoMs): void {
    if (this.#state === "degraded" && this.#lastError !== null && reached(later(this.#lastError.mono, DEGRADED_MS), now)) this.become("up");
  }
}
