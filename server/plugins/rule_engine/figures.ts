/** What rules and actions have come to: counted, shown, set back when somebody asks for it. */

/** Of the rate's last five minutes: a value for each five seconds. */
const STEP_S = 5;
const STEPS = 60;
/** Evaluations whose times are kept; one in `EVERY` is measured. */
const TIMES = 128;
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

export class Figures {
  matched = 0;
  passed = 0;
  noResult = 0;
  failed = 0;
  dropped = 0;
  lastError: string | null = null;
  lastErrorAt: number | null = null;
  readonly rate = new Rate();
  #times: Float32Array | null = null;
  #timed = 0;

  /** An evaluation took so long, ms. */
  time(ms: number): void {
    this.#times ??= new Float32Array(TIMES);
    this.#times[this.#timed++ % TIMES] = ms;
  }

  get p95(): number | null {
    if (this.#times === null) return null;
    const sorted = this.#times.slice(0, Math.min(this.#timed, TIMES)).sort();
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.95))] ?? null;
  }

  reset(): void {
    this.matched = this.passed = this.noResult = this.failed = this.dropped = this.#timed = 0;
    this.lastError = this.lastErrorAt = this.#times = null;
    this.rate.reset();
  }
}

export class ActionFigures {
  taken = 0;
  success = 0;
  failed = 0;
  dropped = 0;
  lastError: string | null = null;
  lastErrorAt: number | null = null;

  reset(): void {
    this.taken = this.success = this.failed = this.dropped = 0;
    this.lastError = this.lastErrorAt = null;
  }
}
