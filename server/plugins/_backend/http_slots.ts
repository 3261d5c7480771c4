/**
 * The runtime carries 256 requests at a time, to all services together, and has further ones wait behind them: enough that a silent service
 * is told of events, and nobody who asks another one is answered. So requests that nobody's log-in waits for have places of their own, and
 * the rest of the 256 is left to those of authentication. Bun takes another number from its environment only, which is read before we run.
 */

/** With what emqx_auth_http may have, and some keys of emqx_auth_jwt, less than 256. */
const SENDING_MAX = 84;
/** Beside them, each for the first request of a service: who answers has one, however many others are silent. */
const FIRST_MAX = 12;

interface Waiting {
  start(): void;
}

export class HttpSlots {
  /** Requests under way, and those that wait, by service. Both without an entry where there is none. */
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, Set<Waiting>>();
  #free: number;

  constructor(
    max: number,
    private readonly firstMax: number,
  ) {
    this.#free = max;
  }

  /** Requests that have no place yet. */
  get waiting(): number {
    let all = 0;
    for (const line of this.#waiting.values()) all += line.size;
    return all;
  }

  /**
   * Run `job`, a request with the reading of its answer, once there is a place. `service`: its origin. How many wait is bounded by whoever asks: each
   * has so many under way.
   * @throws the signal's reason when it is aborted before there is a place; what `job` throws
   */
  async run<T>(service: string, signal: AbortSignal, job: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (this.#mayStart(service) && !this.#waiting.has(service)) this.#took(service);
    else await this.#turn(service, signal);
    try {
      return await job();
    } finally {
      this.#left(service);
    }
  }

  /** One service has two thirds at most of what others leave: one that is silent leaves places to the others, two of them do, too. */
  #mayStart(service: string): boolean {
    const running = this.#running.get(service) ?? 0;
    return running === 0 ? this.#free > -this.firstMax : running < 2 * this.#free;
  }

  #took(service: string): void {
    this.#free--;
    this.#running.set(service, (this.#running.get(service) ?? 0) + 1);
  }

  #left(service: string): void {
    this.#free++;
    const left = (this.#running.get(service) ?? 1) - 1;
    if (left === 0) this.#running.delete(service);
    else this.#running.set(service, left);
    this.#next();
  }

  #turn(service: string, signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const line = this.#waiting.get(service) ?? new Set<Waiting>();
      this.#waiting.set(service, line);
      const leave = (): void => {
        signal.removeEventListener("abort", givenUp);
        line.delete(mine);
        if (line.size === 0) this.#waiting.delete(service);
      };
      const givenUp = (): void => {
        leave();
        reject(signal.reason);
      };
      const mine: Waiting = {
        start: () => {
          leave();
          this.#took(service);
          resolve();
        },
      };
      line.add(mine);
      signal.addEventListener("abort", givenUp);
    });
  }

  /** Services in turn, those of one in the order in which they came. */
  #next(): void {
    for (const [service, line] of [...this.#waiting]) {
      if (!this.#mayStart(service)) continue;
      const [first] = line;
      first?.start();
      // Behind the others, unless nobody waits for it any more.
      if (this.#waiting.delete(service)) this.#waiting.set(service, line);
    }
  }
}

/** Those of the process: web hook, rules, figures. */
export const sendingSlots = new HttpSlots(SENDING_MAX, FIRST_MAX);
