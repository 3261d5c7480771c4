/** Who waits for a turn: the first one is taken out, who comes goes to the end, anybody may leave. Each in the same short time, however many wait. */
export class Rota<T> {
  readonly #waiting = new Set<T>();
  /** Goes on while they come and go: from the start it would pass over the places of all that have left. */
  #round = this.#waiting.values();

  get size(): number {
    return this.#waiting.size;
  }

  /** Who waits already keeps the place. */
  add(who: T): void {
    this.#waiting.add(who);
  }

  delete(who: T): void {
    this.#waiting.delete(who);
  }

  clear(): void {
    this.#waiting.clear();
  }

  take(): T | undefined {
    let { value, done } = this.#round.next();
    if (done === true) {
      // At its end an iterator stays there, whoever comes later.
      this.#round = this.#waiting.values();
      ({ value, done } = this.#round.next());
    }
    if (done === true) return undefined;
    this.#waiting.delete(value as T);
    return value;
  }
}
