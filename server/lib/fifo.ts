/** First in, first out, without moving the rest; a few may be put back before all others. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  get first(): T | undefined {
    return this.#items[this.#head];
  }

  /** In order; nothing leaves. */
  *[Symbol.iterator](): Generator<T> {
    for (let i = this.#head; i < this.#items.length; i++) yield this.#items[i] as T;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    // What has left must not be held.
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length || (this.#head > 1024 && this.#head * 2 > this.#items.length)) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** The last one, out of turn. */
  pop(): T | undefined {
    return this.#items.length === this.#head ? undefined : this.#items.pop();
  }

  /** Before all others, in this order. */
  putBack(items: readonly T[]): void {
    this.#items = [...items, ...this.drain()];
  }

  /** Everything, in order; it is empty then. */
  drain(): T[] {
    const all = this.#items.slice(this.#head) as T[];
    this.#items = [];
    this.#head = 0;
    return all;
  }
}
