/**
 * A circuit breaker: a server that does not answer costs a call's time limit only so often, then nothing until it has answered a probe.
 *
 *   closed     --`threshold` failures one after another-->  open
 *   open       --a probe is answered-->  half open, or closed where that proves enough;   a probe fails: the next one comes later
 *   half open  one call goes through:  --answered-->  closed;   --fails-->  open, and the next probe comes later;   nobody calls, and it is
 *              trusted all the same: closed, and the next failure opens it
 */
import type { MonoMs } from "../../lib/time.ts";
import { later, reached } from "../../lib/time.ts";

export interface BreakerOptions {
  /** So many failures one after another open it. */
  threshold: number;
  /** Pause before the first probe; doubled with each that fails, up to the longest. Ms. */
  pauseMs: number;
  pauseMaxMs: number;
  /** Spreads the probes of many nodes: 0 to 1, e.g. `Math.random`. */
  random(): number;
}

/** Part of the pause that chance takes away or adds. */
const JITTER = 0.2;

export class Breaker {
  #failures = 0;
  #open = false;
  /** Half open: whether the one call may still be made. null = it is not. */
  #trial: boolean | null = null;
  #halfOpenSince: MonoMs | null = null;
  #pause: number;
  #probeAt: MonoMs;

  constructor(
    private readonly o: BreakerOptions,
    now: MonoMs,
  ) {
    this.#pause = o.pauseMs;
    this.#probeAt = now;
  }

  /** Not closed: the server is not trusted. */
  get open(): boolean {
    return this.#open;
  }

  /** Half open, and nobody has called since then; null = it is not so. */
  get untriedSince(): MonoMs | null {
    return this.#trial === true ? this.#halfOpenSince : null;
  }

  /** May a call be made? Half open, the one that asks first. */
  admits(): boolean {
    if (!this.#open) return true;
    if (this.#trial !== true) return false;
    this.#trial = false;
    return true;
  }

  /** The call that was let through was not made: another one may be. */
  notMade(): void {
    if (this.#trial === false) this.#trial = true;
  }

  /** It is open, and time to see whether the server is back. */
  probeDue(now: MonoMs): boolean {
    return this.#open && this.#trial === null && reached(this.#probeAt, now);
  }

  /** A call failed. True = with this one the breaker has opened. */
  failed(now: MonoMs): boolean {
    if (this.#trial !== null) this.probeFailed(now);
    if (this.#open || ++this.#failures < this.o.threshold) return false;
    this.trip(now);
    return true;
  }

  /** Open at once: what failed would fail for everybody. */
  trip(now: MonoMs): void {
    this.#open = true;
    this.#pause = this.o.pauseMs;
    this.#plan(now);
  }

  /** A probe was answered, which does not say that calls are. One that is under way, or may be made, is not joined by another. */
  halfOpen(now: MonoMs): void {
    if (!this.#open || this.#trial !== null) return;
    this.#trial = true;
    this.#halfOpenSince = now;
  }

  /** Closed without a call that was answered: the next failure opens it. */
  trust(): void {
    this.succeeded();
    this.#failures = this.o.threshold - 1;
  }

  /** A probe failed, or the call behind one: the next one comes later. */
  probeFailed(now: MonoMs): void {
    this.#trial = null;
    this.#pause = Math.min(this.#pause * 2, this.o.pauseMaxMs);
    this.#plan(now);
  }

  /** A call or a probe was answered. True = the breaker was open until now. */
  succeeded(): boolean {
    const was = this.#open;
    this.#open = false;
    this.#trial = null;
    this.#failures = 0;
    return was;
  }

  #plan(now: MonoMs): void {
    this.#probeAt = later(now, Math.round(this.#pause * (1 - JITTER + 2 * JITTER * this.o.random())));
  }
}
