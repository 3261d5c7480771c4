/** The head of a sorted list, of any number of items, in bounded memory. */
import { type Slices, sortSliced } from "./slices.ts";

type Value = string | number | boolean;
export type Getter<T> = (item: T) => Value | readonly unknown[] | Readonly<Record<string, unknown>>;

/** Fewer are not worth a sort. */
const ROOM_MIN = 4096;

interface Sortable<T> {
  item: T;
  key: Value;
}

/** The first `keep` items by order of a key; of equal ones those that came first. Holds at most twice as many. */
export class Best<T> {
  #kept: Sortable<T>[] = [];
  /** Once `keep` items are known: the last of them. Nothing at or after it can enter. */
  #bound: Sortable<T> | null = null;
  readonly #room: number;

  constructor(
    private readonly keep: number,
    private readonly get: Getter<T>,
    private readonly descending: boolean,
  ) {
    this.#room = Math.max(2 * keep, ROOM_MIN);
  }

  /** No room: time to `shrink`. */
  get full(): boolean {
    return this.#kept.length >= this.#room;
  }

  /** False = it cannot be among them. */
  add(item: T): boolean {
    const value = this.get(item);
    const entry: Sortable<T> = { item, key: typeof value === "object" ? JSON.stringify(value) : value };
    if (this.#bound !== null && this.#compare(entry, this.#bound) >= 0) return false;
    this.#kept.push(entry);
    return true;
  }

  async shrink(slices: Slices): Promise<void> {
    this.#kept = (await sortSliced(this.#kept, (a, b) => this.#compare(a, b), slices)).slice(0, this.keep);
    if (this.#kept.length === this.keep) this.#bound = this.#kept[this.keep - 1] ?? null;
  }

  /** After `shrink`: in order, no more than wanted. */
  items(): T[] {
    return this.#kept.map((e) => e.item);
  }

  #compare(a: Sortable<T>, b: Sortable<T>): number {
    const order = a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
    return this.descending ? -order : order;
  }
}
