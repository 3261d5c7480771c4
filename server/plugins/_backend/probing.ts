/** When a server is asked whether it is there, beside the questions that are put to it. */
import { later, type MonoMs, reached } from "../../lib/time.ts";
import type { Breaker } from "./breaker.ts";

/** Without an answer for so long, ms. */
const IDLE_MS = 10_000;
/** Connections were lost while nobody asked: it is gone, or closes idle ones, perhaps each as soon as it is made. Not so soon behind a probe, ms. */
const LOST_MS = 1000;

export class Probing {
  #answeredAt: MonoMs;
  #beganAt: MonoMs | null = null;
  #isOn = false;
  #isSuspect = false;

  constructor(
    private readonly breaker: Breaker,
    now: MonoMs,
  ) {
    this.#answeredAt = now;
  }

  /** Somebody was, or a probe. */
  answered(now: MonoMs): void {
    this.#answeredAt = now;
  }

  /** While it is down its breaker says when; half open, it may be gone again before anybody asks. */
  isDue(now: MonoMs, isLost: boolean): boolean {
    this.#isSuspect ||= isLost;
    const { open, untriedSince } = this.breaker;
    if (open && untriedSince === null) return this.breaker.probeDue(now);
    if (this.#isSuspect && (this.#beganAt === null || reached(later(this.#beganAt, LOST_MS), now))) return true;
    return reached(later(this.#answeredAt, IDLE_MS), now);
  }

  /** False = one is under way. */
  begin(now: MonoMs): boolean {
    if (this.#isOn) return false;
    this.#isOn = true;
    this.#isSuspect = false;
    this.#beganAt = now;
    return true;
  }

  end(): void {
    this.#isOn = false;
  }
}
