/**
 * Slow hashes run on threads of the runtime, which disk and name look-ups need too: a few at a time, a bounded number waits, and
 * beyond that the answer is no. Everybody comes back at once after a restart; nobody is served by a queue of minutes.
 */
import { availableParallelism } from "node:os";

/** At 8 ms each on one core about 15 s: as long as a client waits. */
const WAITING_MAX = 2000;

export class HashQueue {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(
    private readonly atATime = Math.max(1, availableParallelism() - 1),
    private readonly waitingMax = WAITING_MAX,
  ) {}

  /** Jobs that run or wait. */
  get size(): number {
    return this.#running + this.#waiting.length;
  }

  /** Run `job` when its turn has come. null = too many wait already. */
  run<T>(job: () => Promise<T>): Promise<T> | null {
    if (this.#running < this.atATime) {
      this.#running++;
      return this.#inPlace(job);
    }
    if (this.#waiting.length >= this.waitingMax) return null;
    return new Promise<void>((turn) => this.#waiting.push(turn)).then(() => this.#inPlace(job));
  }

  /** The job has a place; at its end the place goes to the one that has waited longest. */
  async #inPlace<T>(job: () => Promise<T>): Promise<T> {
    try {
      return await job();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/** That of the process: however many plugins check passwords, so many threads do. */
export const hashes = new HashQueue();
