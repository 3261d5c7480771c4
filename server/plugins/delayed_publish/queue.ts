/**
 * What waits for its time, with look-up by id. A delay in seconds runs on the monotonic clock, a time of day on the wall clock:
 * somebody who sets the clock moves the second kind only.
 */
import { Heap, type HeapEntry } from "../../lib/heap.ts";
import type { MonoMs, WallMs } from "../../lib/time.ts";
import type { DelayedRowView } from "../plugin.ts";

type Waiting = { entry: HeapEntry<DelayedRowView>; heap: Heap<DelayedRowView>; size: number };

/** A row, its place in a heap and its place by id. */
const ROW_BYTES = 300;

export class DelayQueue {
  readonly #byDelay = new Heap<DelayedRowView>();
  readonly #byTime = new Heap<DelayedRowView>();
  readonly #waiting = new Map<number, Waiting>();

  /** Memory that what waits takes. */
  bytes = 0;

  get size(): number {
    return this.#waiting.size;
  }

  /** Rows held, cancelled ones that still lie in the heaps included. */
  get held(): number {
    return this.#byDelay.held + this.#byTime.held;
  }

  get(id: number): DelayedRowView | undefined {
    return this.#waiting.get(id)?.entry.value;
  }

  /** Due at that point of the monotonic clock; `row.dueAt` is what is shown. */
  addDelay(row: DelayedRowView, at: MonoMs): void {
    this.#add(this.#byDelay, row, at);
  }

  /** Due at `row.dueAt` of the wall clock. */
  addTime(row: DelayedRowView): void {
    this.#add(this.#byTime, row, row.dueAt);
  }

  /** False = it does not wait. */
  cancel(id: number): boolean {
    const w = this.#waiting.get(id);
    return w !== undefined && this.#remove(id, w) && w.heap.cancel(w.entry);
  }

  /** Take the next row that is due. */
  take(now: WallMs, mono: MonoMs): DelayedRowView | undefined {
    const a = this.#byDelay.due(mono);
    const b = this.#byTime.due(now);
    const aFirst = a !== undefined && (b === undefined || before(a.value, b.value));
    const row = (aFirst ? this.#byDelay.take(mono) : this.#byTime.take(now))?.value;
    if (row !== undefined) this.#remove(row.id, this.#waiting.get(row.id) as Waiting);
    return row;
  }

  /** In order of arrival, without a copy of them all; goes on while they come and go. */
  *rows(): Generator<DelayedRowView> {
    for (const w of this.#waiting.values()) yield w.entry.value;
  }

  #add(heap: Heap<DelayedRowView>, row: DelayedRowView, at: number): void {
    const size = ROW_BYTES + row.message.size;
    this.bytes += size;
    this.#waiting.set(row.id, { heap, entry: heap.add(at, row.id, row), size });
  }

  #remove(id: number, { size }: Waiting): boolean {
    this.bytes -= size;
    return this.#waiting.delete(id);
  }
}

function before(a: DelayedRowView, b: DelayedRowView): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.id < b.id);
}
