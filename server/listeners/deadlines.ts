/** Deadlines of any number of connections on one interval: a timer per connection would cost 235 bytes each. */

import type { Clock } from "../core/ports.ts";
import { seldomOf } from "../lib/seldom.ts";

const STEP_MS = 100;

/** Coarse (100 ms), one deadline per item. The interval runs only while there is something to wait for. */
export class Deadlines<T> {
  readonly #due = new Map<T, number>();
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly expired: (item: T) => void,
  ) {}

  get size(): number {
    return this.#due.size;
  }

  /** Replaces an earlier deadline of the same item. */
  set(item: T, ms: number): void {
    this.#due.set(item, this.clock.mono() + ms);
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => this.tick(), STEP_MS);
    this.#timer.unref();
  }

  clear(item: T): void {
    if (this.#due.size > 0) this.#due.delete(item);
  }

  /** Report what is due. */
  tick(): void {
    const now = this.clock.mono();
    let failure: { err: unknown } | null = null;
    for (const [item, at] of this.#due) {
      if (at > now) continue;
      this.#due.delete(item);
      try {
        this.expired(item);
      } catch (err) {
        failure ??= { err };
      }
    }
    if (this.#due.size === 0) this.stop();
    // The others were not to miss theirs.
    if (failure !== null) throw failure.err;
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#due.clear();
  }
}

seldomOf(Deadlines, "set", "clear");
