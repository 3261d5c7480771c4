/** Servers that stand for one another: each is given its part of the time, and whoever answered last is asked first. */

export class Order<T> {
  #all: readonly T[];

  /** As somebody has written them down. */
  constructor(all: readonly T[]) {
    this.#all = all;
  }

  get all(): readonly T[] {
    return this.#all;
  }

  answered(one: T): void {
    if (this.#all[0] !== one) this.#all = [one, ...this.#all.filter((other) => other !== one)];
  }
}

/** What each of so many is given, so that behind all the silent ones there is time left for the last, and for the question itself. */
export function partOf(timeoutMs: number, servers: number): number {
  return servers === 1 ? timeoutMs : Math.floor(timeoutMs / (servers + 1));
}
