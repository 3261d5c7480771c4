/** When a rule is too much work, and for how long it pauses then: by the time that its events really took, not by what they were charged. */

/** So many events in a row, if they took so much time together within so much of it, ms. */
const ROW = 10;
const ROW_MS = 200;
const ROW_WITHIN_MS = 10_000;
/** Of the time, where others come between; and so much more than that, ms. */
const SHARE = 0.25;
const ABOVE_MS = 2000;
/** The first pause, ms; each that follows is twice as long, up to the longest; after so long without one it begins anew. */
const PAUSE_MS = 60_000;
const PAUSE_MOST_MS = 3_600_000;

/** `row`: each of the last events; `share`: others came between. */
export type TooMuch = "row" | "share";

export class Overwork {
  /** Those in a row, the last ones. */
  #row: { readonly at: number; readonly ms: number }[] = [];
  /** What such events have taken beyond their share, ms; and when that was, monotonic ms. */
  #above = 0;
  #at = 0;
  #pause = 0;
  #endsAt = 0;

  /** An event cost what it may, and took `ms`; `now`: monotonic ms. null = the rule goes on. */
  book(ms: number, now: number): TooMuch | null {
    this.#above = Math.max(0, this.#above - (now - this.#at) * SHARE) + ms;
    this.#at = now;
    this.#row = [...this.#row, { at: now - ms, ms }].slice(-ROW);
    const [first] = this.#row;
    const isRow = this.#row.length === ROW && first !== undefined && now - first.at <= ROW_WITHIN_MS;
    if (isRow && this.#row.reduce((sum, event) => sum + event.ms, 0) >= ROW_MS) return "row";
    return this.#above >= ABOVE_MS ? "share" : null;
  }

  /** An event was not too much work. */
  passed(): void {
    if (this.#row.length > 0) this.#row = [];
  }

  /** It pauses now (monotonic ms): for so long, ms. What was booked is over with it. */
  pause(now: number): number {
    const isFirst = this.#pause === 0 || now - this.#endsAt >= PAUSE_MOST_MS;
    this.#pause = isFirst ? PAUSE_MS : Math.min(this.#pause * 2, PAUSE_MOST_MS);
    this.#endsAt = now + this.#pause;
    this.#row = [];
    this.#above = 0;
    return this.#pause;
  }
}
