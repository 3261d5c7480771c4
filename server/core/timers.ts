/** Timers without an event loop: a binary heap that the broker's tick empties. Resolution is the tick (100 ms). */

interface Entry {
  at: number;
  order: number;
  fn: (() => void) | null;
}

/** From so many cancelled entries on they are cleared away once they are the majority. */
const CLEAR_FROM = 1024;

export class Timers {
  #heap: Entry[] = [];
  #order = 0;
  /** Entries that wait for nothing any more. */
  #cancelled = 0;

  /** Entries held, cancelled ones included. */
  get size(): number {
    return this.#heap.length;
  }

  /** Run `fn` at `at` (ms of the same clock as `run`). Returns the function that cancels it. */
  add(at: number, fn: () => void): () => void {
    const e: Entry = { at, order: this.#order++, fn };
    this.#heap.push(e);
    this.#up(this.#heap.length - 1);
    return () => {
      if (e.fn === null) return;
      e.fn = null;
      this.#cancelled++;
      this.#clear();
    };
  }

  /** A session that comes and goes leaves a timer of hours or years each time: they must not wait for their hour. */
  #clear(): void {
    if (this.#cancelled < CLEAR_FROM || this.#cancelled * 2 < this.#heap.length) return;
    // A sorted array is a heap.
    this.#heap = this.#heap.filter((e) => e.fn !== null).sort((a, b) => (before(a, b) ? -1 : 1));
    this.#cancelled = 0;
  }

  /** Run everything that is due; errors go to `failed`, the rest still runs. */
  run(now: number, failed: (err: unknown) => void): void {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined || top.at > now) return;
      this.#pop();
      const fn = top.fn;
      if (fn === null) {
        this.#cancelled--;
        continue;
      }
      // To cancel it from here on means nothing.
      top.fn = null;
      try {
        fn();
      } catch (err) {
        failed(err);
      }
    }
  }

  #pop(): void {
    const h = this.#heap;
    const last = h.pop() as Entry;
    if (h.length === 0) return;
    h[0] = last;
    let i = 0;
    for (;;) {
      const l = 2 * i + 1;
      const r = l + 1;
      let min = i;
      if (l < h.length && before(h[l] as Entry, h[min] as Entry)) min = l;
      if (r < h.length && before(h[r] as Entry, h[min] as Entry)) min = r;
      if (min === i) return;
      [h[i], h[min]] = [h[min] as Entry, h[i] as Entry];
      i = min;
    }
  }

  #up(i: number): void {
    const h = this.#heap;
    while (i > 0) {
      const p = (i - 1) >> 1;
      if (!before(h[i] as Entry, h[p] as Entry)) return;
      [h[i], h[p]] = [h[p] as Entry, h[i] as Entry];
      i = p;
    }
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

interface Visitable {
  /** Time of the slot it is in; 0 = in none. Owned by the wheel. */
  visitAt: number;
}

const SLOT_MS = 500;
const SLOTS = 512;

/** One check per connection now and then (keep alive, retries), without a timer each: a wheel of half-second slots. */
export class Wheel<T extends Visitable> {
  readonly #slots: Set<T>[] = Array.from({ length: SLOTS }, () => new Set());
  #done: number;

  constructor(now: number) {
    this.#done = Math.floor(now / SLOT_MS);
  }

  /** Visits planned. */
  get size(): number {
    return this.#slots.reduce((n, slot) => n + slot.size, 0);
  }

  /** Visit at or shortly after `at`, unless an earlier visit is already planned. */
  plan(t: T, at: number): void {
    let slot = Math.ceil(at / SLOT_MS);
    if (slot <= this.#done) slot = this.#done + 1;
    // Beyond one turn: visited early, and planned again from there.
    if (slot - this.#done >= SLOTS) slot = this.#done + SLOTS - 1;
    const time = slot * SLOT_MS;
    if (t.visitAt !== 0 && t.visitAt <= time) return;
    this.remove(t);
    t.visitAt = time;
    this.#slot(time).add(t);
  }

  /** No visit any more. What is closed must not wait here for its time: with what hangs on it, it is kilobytes. */
  remove(t: T): void {
    if (t.visitAt === 0) return;
    this.#slot(t.visitAt).delete(t);
    t.visitAt = 0;
  }

  #slot(time: number): Set<T> {
    return this.#slots[(time / SLOT_MS) % SLOTS] as Set<T>;
  }

  run(now: number, visit: (t: T) => void): void {
    const until = Math.floor(now / SLOT_MS);
    if (until - this.#done > SLOTS) this.#done = until - SLOTS;
    while (this.#done < until) {
      this.#done++;
      const k = this.#done % SLOTS;
      const due = this.#slots[k] as Set<T>;
      if (due.size === 0) continue;
      this.#slots[k] = new Set();
      for (const t of due) {
        // Removed meanwhile by another one's visit.
        if (t.visitAt === 0) continue;
        t.visitAt = 0;
        visit(t);
      }
    }
  }
}
