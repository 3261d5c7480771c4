/** Rows that the disk had no room for when they came: nowhere but in memory, behind all that is on the disk, in order. They are written when it has. */
import type { Entry } from "./types.ts";

export class Tail<T> {
  readonly #entries = new Set<Entry<T>>();

  get any(): boolean {
    return this.#entries.size > 0;
  }

  add(entry: Entry<T>): void {
    this.#entries.add(entry);
  }

  /** It has left memory. */
  left(entry: Entry<T>): void {
    this.#entries.delete(entry);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** None is here any more. */
  takeAll(): Entry<T>[] {
    const all = [...this.#entries];
    this.#entries.clear();
    return all;
  }
}
