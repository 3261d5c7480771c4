/** Token bucket over time given by the caller in ms: `rate` tokens a second, at most `burst` saved up. */
export class TokenBucket {
  tokens: number;
  #at: number;

  constructor(
    readonly rate: number,
    readonly burst: number,
    now: number,
  ) {
    this.tokens = burst;
    this.#at = now;
  }

  #refill(now: number): void {
    // A clock that was set back must not take tokens away.
    const passed = Math.max(0, now - this.#at);
    this.tokens = Math.min(this.burst, this.tokens + (passed * this.rate) / 1000);
    this.#at = now;
  }

  /** Take `n` if they are there. */
  take(n: number, now: number): boolean {
    this.#refill(now);
    if (this.tokens < n) return false;
    this.tokens -= n;
    return true;
  }

  /** Take `n` that were used already, into debt if need be. Returns the ms until the debt is paid; 0 = none. */
  spend(n: number, now: number): number {
    this.#refill(now);
    this.tokens -= n;
    return this.tokens >= 0 ? 0 : Math.ceil((-this.tokens / this.rate) * 1000);
  }
}
