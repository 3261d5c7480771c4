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
/** Bytes of a chunk between two looks. */
const STRIDE = 4096;

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

  /**
   * A chunk that began at `start` is handled up to `pos`. Where to look again; -1 = this turn has had its share.
   * Every connection with output may have been sent all of it so far; with output to many, each packet is work for many.
   */
  look(pos: number, start: number): number {
    const dirty = this.pool.dirty.length;
    if ((pos - start) * dirty > this.pool.budget) return -1;
    const now = this.clock.mono();
    if (this.#at === NO_MONO) {
      this.#at = now;
      this.defer(this.#over);
    }
    if (between(this.#at, now) > SHARE_MS) return -1;
    return pos + (dirty > MANY ? 1 : STRIDE);
  }

  next(): Promise<void> {
    return new Promise((done) => this.defer(done));
  }
}
