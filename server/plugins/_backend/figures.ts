/** What calls to a server outside came to, and how long they took: counted, shown, never reset while the plugin runs. */

/** Answers whose times are kept. */
const KEPT = 1024;

export interface Quantiles {
  /** Ms; null = nothing was measured yet. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

/** The times of the last answers. */
class Latencies {
  readonly #ms = new Float64Array(KEPT);
  #count = 0;

  add(ms: number): void {
    this.#ms[this.#count++ % KEPT] = ms;
  }

  quantiles(): Quantiles {
    const sorted = this.#ms.slice(0, Math.min(this.#count, KEPT)).sort();
    const at = (part: number): number | null => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? null;
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
  }
}

/**
 * Calls by what came of them. `notAsked`: refused because the server is known to be down. `retries`: made again behind a connection that had
 * been lost.
 */
export interface Counts {
  calls: number;
  answered: number;
  refused: number;
  failed: number;
  timeouts: number;
  busy: number;
  gone: number;
  notAsked: number;
  retries: number;
}

export const NO_CALLS: Counts = {
  calls: 0,
  answered: 0,
  refused: 0,
  failed: 0,
  timeouts: 0,
  busy: 0,
  gone: 0,
  notAsked: 0,
  retries: 0,
};

export class Figures {
  readonly latencies = new Latencies();
  readonly counts: Counts = { ...NO_CALLS };
}
