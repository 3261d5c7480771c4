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

  /** In order, each to `take`; returns how many it has thrown at. None is here any more. */
  giveTo(take: (item: Omit<Stored, "seq">) => void): number {
    const all = this.#items;
    this.#items = [];
    this.bytes = 0;
    let refused = 0;
    for (const item of all) {
      try {
        take(item);
      } catch {
        refused++;
      }
    }
    return refused;
  }
}
