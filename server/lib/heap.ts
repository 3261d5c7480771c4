/** A binary heap with entries that can be cancelled: what is cancelled is cleared away once it is the majority. */

/** An entry of the heap; the heap owns `live`. */
export interface HeapEntry<T> {
  readonly at: number;
  /** Decides between equal `at`: the lower one comes first. */
  readonly order: number;
  readonly value: T;
  live: boolean;
}

/** From so many cancelled entries on it is worth looking whether they are the majority. */
const CLEAR_FROM = 1024;

export class Heap<T> {
  #heap: HeapEntry<T>[] = [];
  #cancelled = 0;

  /** Entries held, cancelled ones that still lie there included. */
  get held(): number {
    return this.#heap.length;
  }

  /** Entries that wait. */
  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  add(at: number, order: number, value: T): HeapEntry<T> {
    const e: HeapEntry<T> = { at, order, value, live: true };
    this.#heap.push(e);
    this.#up(this.#heap.length - 1);
    return e;
  }

  /** False = it was taken or cancelled before. */
  cancel(e: HeapEntry<T>): boolean {
    if (!e.live) return false;
    e.live = false;
    this.#cancelled++;
    if (this.#cancelled >= CLEAR_FROM && this.#cancelled * 2 >= this.#heap.length) this.#clear();
    return true;
  }

  /** The next entry with `at` up to `until`, left where it is; undefined = none is due. */
  due(until: number): HeapEntry<T> | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return undefined;
      if (top.live) return top.at > until ? undefined : top;
      this.#pop();
      this.#cancelled--;
    }
  }

  /** As `due`, taken out. */
  take(until: number): HeapEntry<T> | undefined {
    const top = this.due(until);
    if (top === undefined) return undefined;
    this.#pop();
    top.live = false;
    return top;
  }

  /** What waits, in order. */
  sorted(): HeapEntry<T>[] {
    return this.#heap.filter((e) => e.live).sort((a, b) => (before(a, b) ? -1 : 1));
  }

  #clear(): void {
    // A sorted array is a heap.
    this.#heap = this.sorted();
    this.#cancelled = 0;
  }

  #pop(): void {
    const h = this.#heap;
    const last = h.pop() as HeapEntry<T>;
    const n = h.length;
    if (n === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= n) break;
      if (child + 1 < n && before(h[child + 1] as HeapEntry<T>, h[child] as HeapEntry<T>)) child++;
      if (!before(h[child] as HeapEntry<T>, last)) break;
      h[i] = h[child] as HeapEntry<T>;
      i = child;
    }
    h[i] = last;
  }

  #up(from: number): void {
    const h = this.#heap;
    const e = h[from] as HeapEntry<T>;
    let i = from;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(e, h[parent] as HeapEntry<T>)) break;
      h[i] = h[parent] as HeapEntry<T>;
      i = parent;
    }
    h[i] = e;
  }
}

function before(a: HeapEntry<unknown>, b: HeapEntry<unknown>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
