/** Timers without an event loop, on the monotonic clock: the broker's tick runs what is due. Resolution is the tick (100 ms). */

import { Heap } from "../lib/heap.ts";
import { seldomOf } from "../lib/seldom.ts";
import type { MonoMs } from "../lib/time.ts";

export class Timers {
  readonly #heap = new Heap<() => void>();
  #order = 0;

  /** Entries held, cancelled ones included. */
  get size(): number {
    return this.#heap.held;
  }

  /** Run `fn` at `at`. Returns the function that cancels it; once it has begun to run, that means nothing. */
  add(at: MonoMs, fn: () => void): () => void {
    const e = this.#heap.add(at, this.#order++, fn);
    return () => void this.#heap.cancel(e);
  }

  /**
   * Run what is due, in order, for as long as `more` says after each; errors go to `failed`, the rest still runs. False = there may be
   * more of it.
   */
  run(now: MonoMs, failed: (err: unknown) => void, more: () => boolean = always): boolean {
    for (let e = this.#heap.take(now); e !== undefined; e = this.#heap.take(now)) {
      try {
        e.value();
      } catch (err) {
        failed(err);
      }
      if (!more()) return false;
    }
    return true;
  }
}

interface Visitable {
  /** Time of the slot it is in, monotonic ms; 0 = in none. Owned by the wheel. */
  visitAt: number;
}

const always = (): boolean => true;

const SLOT_MS = 500;
const SLOTS = 512;

/** One check per connection now and then (keep alive, retries), without a timer each: a wheel of half-second slots. */
export class Wheel<T extends Visitable> {
  readonly #slots: Set<T>[] = Array.from({ length: SLOTS }, () => new Set());
  #done: number;

  constructor(now: MonoMs) {
    this.#done = Math.floor(now / SLOT_MS);
  }

  /** Visits planned. */
  get size(): number {
    return this.#slots.reduce((n, slot) => n + slot.size, 0);
  }

  /** Visit at or shortly after `at`, unless an earlier visit is already planned. */
  plan(t: T, at: MonoMs): void {
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

  /** Visit what is due for as long as `more` says after each visit. False = there may be more: the slot in hand keeps it. */
  run(now: MonoMs, visit: (t: T) => void, more: () => boolean = always): boolean {
    const until = Math.floor(now / SLOT_MS);
    if (until - this.#done > SLOTS) this.#done = until - SLOTS;
    for (;;) {
      // Nothing is planned into it any more, but what waits in it may still be removed.
      const due = this.#slots[this.#done % SLOTS] as Set<T>;
      // Those that were removed meanwhile would be passed over one by one.
      if (due.size > 0)
        for (const t of due) {
          due.delete(t);
          t.visitAt = 0;
          visit(t);
          if (!more()) return false;
        }
      if (this.#done >= until) return true;
      this.#done++;
    }
  }
}

seldomOf(Wheel, "plan", "remove");
