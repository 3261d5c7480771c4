/** Counts log-ins by network: so many wrong ones, then the network waits. */
import { networkOf } from "../lib/cidr.ts";

/** Guesses of one network before further ones are refused, and for how long they count. */
const GUESSES_MAX = 20;
const WINDOW_MS = 60_000;
/** Networks watched; the oldest is forgotten first. */
const NETWORKS_MAX = 10_000;

interface Watch {
  guesses: number;
  since: number;
}

/** A guess counts before it is looked at and is given back when it was none: many at once are no more than one after another. */
export class LoginGuard {
  readonly #watched = new Map<string, Watch>();

  /** `now` in ms, of a clock that nobody sets. */
  constructor(private readonly now: () => number) {}

  /** Seconds to wait; 0 = may try, and it counts as a guess until `takeBack`. */
  guess(address: string): number {
    const network = networkOf(address);
    const now = this.now();
    let w = this.#watched.get(network);
    if (w === undefined || w.since + WINDOW_MS <= now) {
      w = { guesses: 0, since: now };
      this.#watched.delete(network);
      this.#watched.set(network, w);
      const oldest = this.#watched.keys().next().value;
      if (this.#watched.size > NETWORKS_MAX && oldest !== undefined) this.#watched.delete(oldest);
    }
    if (w.guesses >= GUESSES_MAX) return Math.ceil((w.since + WINDOW_MS - now) / 1000);
    w.guesses++;
    return 0;
  }

  /** It was no guess: the credentials were right, or nobody has looked at them. */
  takeBack(address: string): void {
    const w = this.#watched.get(networkOf(address));
    if (w !== undefined && w.guesses > 0) w.guesses--;
  }
}
