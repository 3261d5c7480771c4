/** Who may have how much in progress at a time. */

/** A share for each key, and a limit for all together. */
export class Slots {
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor(
    private readonly each: number,
    private readonly all: number,
  ) {}

  /** Returns how to give it back (once; more often does nothing). null = the key has its share, or everything is taken. */
  take(key: string, amount = 1): (() => void) | null {
    const own = (this.#taken.get(key) ?? 0) + amount;
    if (own > this.each || this.#all + amount > this.all) return null;
    this.#taken.set(key, own);
    this.#all += amount;
    let held = true;
    return () => {
      if (held) this.#give(key, amount);
      held = false;
    };
  }

  #give(key: string, amount: number): void {
    const left = (this.#taken.get(key) ?? 0) - amount;
    if (left > 0) this.#taken.set(key, left);
    else this.#taken.delete(key);
    this.#all -= amount;
  }
}

/** Somebody who waits for something that may never come. */
export interface Place {
  /** Aborted when the place goes to somebody else, or the time is over. */
  readonly signal: AbortSignal;
  leave(): void;
}

/**
 * Places for those whom nobody knows yet. Whoever comes when all are taken (those of its network, or those of all) gets the place of
 * the one that waits longest: who does what it came for at once is never kept out by others who do not.
 */
export class Places {
  /** In order of coming. */
  readonly #waiting = new Map<AbortController, string>();
  readonly #byNetwork = new Map<string, number>();

  constructor(
    private readonly each: number,
    private readonly all: number,
    private readonly ms: number,
  ) {}

  get taken(): number {
    return this.#waiting.size;
  }

  enter(network: string): Place {
    if ((this.#byNetwork.get(network) ?? 0) >= this.each) this.#oldest(network)?.abort();
    else if (this.#waiting.size >= this.all) this.#oldest(null)?.abort();
    const place = new AbortController();
    const late = setTimeout(() => place.abort(), this.ms);
    const leave = (): void => {
      clearTimeout(late);
      if (!this.#waiting.delete(place)) return;
      const left = (this.#byNetwork.get(network) ?? 0) - 1;
      if (left > 0) this.#byNetwork.set(network, left);
      else this.#byNetwork.delete(network);
    };
    this.#waiting.set(place, network);
    this.#byNetwork.set(network, (this.#byNetwork.get(network) ?? 0) + 1);
    place.signal.addEventListener("abort", leave, { once: true });
    return { signal: place.signal, leave };
  }

  #oldest(network: string | null): AbortController | undefined {
    for (const [place, of] of this.#waiting) if (network === null || of === network) return place;
    return undefined;
  }
}
