/** Timers without an event loop: a binary heap that the broker's tick empties. Resolution is the tick (100 ms). */

interface Entry {
  at: number;
  order: number;
  fn: (() => void) | null;
}

export class Timers {
  readonly #heap: Entry[] = [];
  #order = 0;

  /** Run `fn` at `at` (ms of the same clock as `run`). Returns the function that cancels it. */
  add(at: number, fn: () => void): () => void {
    const e: Entry = { at, order: this.#order++, fn };
    this.#heap.push(e);
    this.#up(this.#heap.length - 1);
    return () => {
      e.fn = null;
    };
  }

  /** Run everything that is due; errors go to `failed`, the rest still runs. */
  run(now: number, failed: (err: unknown) => void): void {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined || top.at > now) return;
      this.#pop();
      if (top.fn === null) continue;
      try {
        top.fn();
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
  /** Slot time of the visit that counts; older ones are ignored. 0 = none. */
  visitAt: number;
}

const SLOT_MS = 500;
const SLOTS = 512;

/** One check per connection now and then (keep alive, retries), without a timer each: a wheel of half-second slots. */
export class Wheel<T extends Visitable> {
  readonly #slots: T[][] = Array.from({ length: SLOTS }, () => []);
  #done: number;

  constructor(now: number) {
    this.#done = Math.floor(now / SLOT_MS);
  }

  /** Visit at or shortly after `at`, unless an earlier visit is already planned. */
  plan(t: T, at: number): void {
    let slot = Math.ceil(at / SLOT_MS);
    if (slot <= this.#done) slot = this.#done + 1;
    // Beyond one turn: visited early, and planned again from there.
    if (slot - this.#done >= SLOTS) slot = this.#done + SLOTS - 1;
    const time = slot * SLOT_MS;
    if (t.visitAt !== 0 && t.visitAt <= time) return;
    t.visitAt = time;
    (this.#slots[slot % SLOTS] as T[]).push(t);
  }

  run(now: number, visit: (t: T) => void): void {
    const until = Math.floor(now / SLOT_MS);
    if (until - this.#done > SLOTS) this.#done = until - SLOTS;
    while (this.#done < until) {
      this.#done++;
      const k = this.#done % SLOTS;
      const list = this.#slots[k] as T[];
      if (list.length === 0) continue;
      this.#slots[k] = [];
      const time = this.#done * SLOT_MS;
      for (const t of list) {
        if (t.visitAt === 0 || t.visitAt > time) continue;
        t.visitAt = 0;
        visit(t);
      }
    }
  }
}
