/** What comes to a spool before it is known which number is next. */
import type { Stored } from "./types.ts";

export class Early {
  #items: Omit<Stored, "seq">[] = [];
  bytes = 0;

  get count(): number {
    return this.#items.length;
  }

  add(item: Omit<Stored, "seq">): void {
    this.#items.push(item);
    this.bytes += item.item.length;
  }

  /** In order; none is here any more. */
  takeAll(): Omit<Stored, "seq">[] {
    const all = this.#items;
    this.#items = [];
    this.bytes = 0;
    return all;
  }
}
