/**
 * A turn of the event loop is everybody's: what is left of one client's long chunk waits for the next one, once this turn has had its
 * share of work or made as much output as may wait.
 */
import { between, type MonoMs, NO_MONO } from "../lib/time.ts";
import type { OutPool } from "./out_pool.ts";
import type { Clock } from "./ports.ts";

/** So much of a turn may go into long chunks, ms, with what is owed at its end. */
const SHARE_MS = 10;

/** Between two looks at the clock: bytes of a chunk, and steps of work. */
const STRIDE = 16 * 1024;
const WORK = 1024;
/** Bytes of a chunk that begins when the turn has had its share already. */
const LEAST = 1024;
/** Steps of a packet with hooks or look-ups behind it, and of one that is only a message to be stored or an answer. */
export const PACKET_WORK = 32;
export const SMALL_WORK = 2;
/** A frame that is forwarded to no more than so many, and to no group, is not counted, which would cost more than it tells: its bytes are. */
export const FEW = 16;

export class Turn {
  /** When the chunk began in which this turn was looked at first. */
  #at = NO_MONO;
  /** Steps since the last look: deliveries, comparisons of filters, packets. */
  #work = 0;
  /** Bytes of chunks since a chunk's beginning was a time to look. */
  #bytes = 0;
  #spent = false;
  readonly #over = (): void => {
    this.#at = NO_MONO;
    this.#spent = false;
  };

  constructor(
    private readonly clock: Clock,
    private readonly pool: OutPool,
    /** Run `fn` when this turn of the event loop is over. */
    private readonly defer: (fn: () => void) => void,
    /** How long the work will take that this turn has left for its end, ms. */
    private readonly owed: () => number = () => 0,
  ) {}

  /** The last look found that this turn has had its share. */
  get spent(): boolean {
    return this.#spent;
  }

  /** A chunk from `start` to `end` begins at the time `began`: where to look first. Many short ones are as much as a long one. */
  first(start: number, end: number, began: MonoMs): number {
    this.#bytes += end - start;
    if (this.#bytes > STRIDE) this.#lookFirst(began);
    return start + (this.#spent ? LEAST : STRIDE);
  }

  /** Of a turn that has had its share only: to have its end told costs more than the look. A busy turn's chunks all begin with it. */
  #lookFirst(began: MonoMs): void {
    this.#bytes = 0;
    if (!this.#spent && this.#taken(this.#at === NO_MONO ? began : this.#at) > SHARE_MS) this.#hadShare(began);
  }

  /**
   * A chunk that began at `start`, at the time `began`, is handled up to `pos`. Where to look again; -1 = this turn has had its share.
   * Every connection with output may have been sent all of it so far.
   */
  look(pos: number, start: number, began: MonoMs): number {
    if ((pos - start) * this.pool.dirty.length > this.pool.budget) return -1;
    return this.#hadShare(began) ? -1 : pos + STRIDE;
  }

  /** Steps of a packet in hand that `spend` is not told of: what groups of shared subscriptions take. */
  count(steps: number): void {
    this.#work += steps;
  }

  /** A packet of a chunk that began at the time `began` took so many steps. A promise: nothing more of that chunk before it settles. */
  spend(steps: number, began: MonoMs): Promise<void> | undefined {
    this.#work += steps;
    if (this.#work <= WORK) return undefined;
    return this.#hadShare(began) ? this.next() : undefined;
  }

  #hadShare(began: MonoMs): boolean {
    this.#work = 0;
    if (this.#at === NO_MONO) {
      this.#at = began;
      this.defer(this.#over);
    }
    this.#spent = this.#taken(this.#at) > SHARE_MS;
    return this.#spent;
  }

  #taken(since: MonoMs): number {
    return between(since, this.clock.mono()) + this.owed();
  }

  /**
   * For work that comes by the clock: may it go on in this turn? Its share is its own, or chunks that come all the time would keep it
   * from being done.
   */
  share(): () => boolean {
    const began = this.clock.mono();
    return () => between(began, this.clock.mono()) <= SHARE_MS;
  }

  next(): Promise<void> {
    return new Promise((done) => this.defer(done));
  }
}
