/**
 * A turn of the event loop is everybody's: what is left of one client's long chunk waits for the next one, once this turn has had its
 * share of work or made as much output as may wait.
 */
import { between, NO_MONO } from "../lib/time.ts";
import type { OutPool } from "./out.ts";
import type { Clock } from "./ports.ts";

/** So much of a turn may go into long chunks, ms. */
const SHARE_MS = 10;

const MANY = 256;

export class Turn {
  /** When this turn was looked at first. */
  #at = NO_MONO;
  readonly #over = (): void => {
    this.#at = NO_MONO;
  };

  constructor(
    private readonly clock: Clock,
    private readonly pool: OutPool,
    /** Run `fn` when this turn of the event loop is over. */
    private readonly defer: (fn: () => void) => void,
  ) {}

  /** Has it had its share? `bytes` of the chunk in hand are done: every connection with output may have been sent all of them. */
  spent(bytes: number): boolean {
    if (bytes * this.pool.dirty.length > this.pool.budget) return true;
    const now = this.clock.mono();
    if (this.#at === NO_MONO) {
      this.#at = now;
      this.defer(this.#over);
    }
    return between(this.#at, now) > SHARE_MS;
  }

  /** Bytes of a chunk after which to look again: with output to many, each packet is work for many. */
  get stride(): number {
    return this.pool.dirty.length > MANY ? 1 : 4096;
  }

  next(): Promise<void> {
    return new Promise((done) => this.defer(done));
  }
}
