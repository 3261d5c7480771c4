/** What rules and actions have come to: counted, shown, set back when somebody asks for it. */

/** Of the rate's last five minutes: a value for each five seconds. */
const STEP_S = 5;
const STEPS = 60;
/** So many times are kept. */
const TIMES = 128;
/** Of evaluations one in so many is measured. */
export const EVERY = 16;

/** How often a second, by looks at a total once a second. */
class Rate {
  now = 0;
  max = 0;
  #total = 0;
  /** Made with the first event: most of ten thousand rules may never have one. */
  #steps: Float64Array | null = null;
  #seconds = 0;
  #inStep = 0;

  look(total: number): void {
    const delta = total - this.#total;
    this.#total = total;
    this.now = delta;
    if (delta > this.max) this.max = delta;
    if (this.#steps === null) {
      if (delta === 0) return;
      this.#steps = new Float64Array(STEPS);
    }
    this.#inStep += delta;
    if (++this.#seconds % STEP_S !== 0) return;
    this.#steps[(this.#seconds / STEP_S - 1) % STEPS] = this.#inStep;
    this.#inStep = 0;
  }

  /** On average of the last five minutes, or of as long as there was anything. */
  get last5m(): number {
    if (this.#steps === null || this.#seconds === 0) return 0;
    let sum = this.#inStep;
    for (const n of this.#steps) sum += n;
    return sum / Math.min(this.#seconds, STEPS * STEP_S);
  }

  reset(): void {
    this.now = this.max = this.#total = this.#seconds = this.#inStep = 0;
    this.#steps = null;
  }
}

/** How long the last ones took, ms. */
class Times {
  /** Made with the first one, as a rate's steps. */
  #last: Float32Array | null = null;
  #count = 0;

  add(ms: number): void {
    this.#last ??= new Float32Array(TIMES);
    this.#last[this.#count++ % TIMES] = ms;
  }

  /** null = nothing was measured yet. */
  get p95(): number | null {
    if (this.#last === null) return null;
    const sorted = this.#last.slice(0, Math.min(this.#count, TIMES)).sort();
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.95))] ?? null;
  }

  reset(): void {
    this.#last = null;
    this.#count = 0;
  }
}

export class Figures {
  matched = 0;
  passed = 0;
  noResult = 0;
  failed = 0;
  dropped = 0;
  lastError: string | null = null;
  lastErrorAt: number | null = null;
  readonly rate = new Rate();
  /** Of evaluations. */
  readonly times = new Times();

  reset(): void {
    this.matched = this.passed = this.noResult = this.failed = this.dropped = 0;
    this.lastError = this.lastErrorAt = null;
    this.rate.reset();
    this.times.reset();
  }
}

export class ActionFigures {
  taken = 0;
  success = 0;
  failed = 0;
  dropped = 0;
  lastError: string | null = null;
  lastErrorAt: number | null = null;
  /** Of rows taken. */
  readonly rate = new Rate();
  /** Of what was sent together, from its beginning until it had arrived. */
  readonly times = new Times();

  reset(): void {
    this.taken = this.success = this.failed = this.dropped = 0;
    this.lastError = this.lastErrorAt = null;
    this.rate.reset();
    this.times.reset();
  }
}

/** As rows have it. */
export const rateRow = ({ now, last5m, max }: Rate): { rate: number; rate_5m: number; rate_max: number } => ({
  rate: now,
  rate_5m: Math.round(last5m * 100) / 100,
  rate_max: max,
});
