/**
 * How many rows of a batch are written at once: half of those that have taken longer than the time limit, which are sent again then; twice as many
 * when they take so little that twice as many would be in time.
 */
export class Pace {
  #most: number;
  #careful = false;

  constructor(
    /** Rows. */
    private readonly full: number,
    /** For an answer, ms. */
    private readonly timeoutMs: number,
  ) {
    this.#most = full;
  }

  /** Rows. */
  get most(): number {
    return this.#most;
  }

  /** Some have gone on behind their time limit, and not all rows of a batch are written at once since. */
  get careful(): boolean {
    return this.#careful;
  }

  /** No answer came, though it was asked in good time: what waited for its turn for long says nothing of itself. */
  late(rows: number, askedMs: number): void {
    if (askedMs < this.timeoutMs / 2) return;
    this.#careful = true;
    this.#most = Math.max(1, Math.min(this.#most, rows >> 1));
  }

  /** Twice as many as may go now would take half of the time limit at most, as these did. */
  done(rows: number, ms: number): void {
    if (!this.#careful || (ms * 2 * this.#most) / rows > this.timeoutMs / 2) return;
    if (this.#most >= this.full) this.#careful = false;
    this.#most = Math.min(this.full, 2 * this.#most);
  }
}
