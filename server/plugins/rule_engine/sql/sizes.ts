/** How large the rows are that one event makes. */
import type { Row, Value } from "./values.ts";
import { leastDigits } from "./wholes.ts";
import { payLooked } from "./work.ts";

/** What a map or an array takes, bytes, beside what is in it; and each value in it, beside its text. */
const HELD_BYTES = 32;
const VALUE_BYTES = 8;
/** A smaller one is looked through again sooner than it is found. */
const REMEMBERED_BYTES = 256;

/**
 * About what rows take, bytes: texts, bytes, names and values, however deep they lie. What several rows, or several fields of one, have in common
 * counts for each of them: it is held once, and goes out with all of them. It is looked through once, so rows must not change any more.
 */
export class Sizes {
  readonly #known = new Map<object, number>();

  /** Paid for. @throws Exhausted */
  of(row: Row): number {
    return this.#size(row);
  }

  #size(value: Value): number {
    if (typeof value === "string") return VALUE_BYTES + value.length;
    if (typeof value === "bigint") return VALUE_BYTES + leastDigits(value);
    if (typeof value !== "object" || value === null) return VALUE_BYTES;
    if (value instanceof Uint8Array) return HELD_BYTES + value.length;
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const size = Array.isArray(value) ? this.#ofArray(value) : this.#ofMap(value);
    if (size > REMEMBERED_BYTES) this.#known.set(value, size);
    return size;
  }

  #ofArray(list: readonly Value[]): number {
    payLooked(list.length);
    let size = HELD_BYTES;
    for (const value of list) size += this.#size(value);
    return size;
  }

  #ofMap(map: Row): number {
    let size = HELD_BYTES;
    let names = 0;
    for (const name in map) {
      names++;
      size += name.length + this.#size(map[name]);
    }
    payLooked(names);
    return size;
  }
}
