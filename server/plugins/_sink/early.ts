/** What comes to a spool before it is known which number is next. */
import type { Stored } from "./types.ts";

/** `seq`: the number that one had with somebody who could not write it, as far as he knows; 0 = none. */
export class Early {
  #items: Stored[] = [];
  bytes = 0;

  get count(): number {
    return this.#items.length;
  }

  add(item: Stored): void {
    this.#items.push(item);
    this.bytes += item.item.length;
  }

  /** In order; none is here any more. */
  takeAll(): Stored[] {
    const all = this.#items;
    this.#items = [];
    this.bytes = 0;
    return all;
  }
}
