/**
 * Rests of long pieces of work (a session's subscriptions that go, a packet of many filters, a long queue). They stand in one line for all: each has
 * its next piece in turn, and a turn of the event loop is over when they have had their share of it. A hundred clients that leave at once hold
 * nobody up longer than one.
 */
import { Fifo } from "../lib/fifo.ts";
import { between } from "../lib/time.ts";
import type { Clock } from "./ports.ts";

/** So much of a turn goes into pieces, ms; one piece at least. */
const SHARE_MS = 5;

export class Pieces {
  readonly #waiting = new Fifo<() => void>();
  #planned = false;

  constructor(
    private readonly clock: Clock,
    /** Run `fn` when this turn of the event loop is over. */
    private readonly defer: (fn: () => void) => void,
    /** What was done so far is committed and sent. */
    private readonly settle: () => void,
    /** A piece has thrown: nobody else's waits for that. */
    private readonly failed: (err: unknown) => void,
  ) {}

  /** In a later turn, behind those that wait. A piece that is not the last one adds the next one. */
  add(piece: () => void): void {
    this.#waiting.push(piece);
    this.#plan();
  }

  #plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    // Behind all else that waits for the turn's end, as whoever awaits a promise is.
    this.defer(() => void Promise.resolve().then(this.#run));
  }

  readonly #run = (): void => {
    this.#planned = false;
    this.settle();
    const began = this.clock.mono();
    // What these add is for another turn.
    let left = this.#waiting.size;
    do this.#next();
    while (--left > 0 && between(began, this.clock.mono()) < SHARE_MS);
    this.settle();
    if (this.#waiting.size > 0) this.#plan();
  };

  #next(): void {
    try {
      this.#waiting.shift()?.();
    } catch (err) {
      this.failed(err);
    }
  }
}
