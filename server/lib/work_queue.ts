/** Work of which only so much may run at a time, and of which only so much may wait. */

/** Too much is waiting: come again later. */
export class QueueFull extends Error {
  override readonly name = "QueueFull";
}

/** First come, first served. */
export class WorkQueue {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(
    private readonly atOnce: number,
    private readonly waitingMax: number,
  ) {}

  /** Result or failure of `work`, once it was its turn. @throws QueueFull, without having begun */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.atOnce) this.#running++;
    else await this.#turn();
    try {
      return await work();
    } finally {
      // The place is handed on: nobody who comes now gets between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.waitingMax) return Promise.reject(new QueueFull("too much work is waiting"));
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
