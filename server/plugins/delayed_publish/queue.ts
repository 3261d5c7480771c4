/** What waits for its time: a binary heap, next due on top, with look-up by id. */
import type { DelayedRowView } from "../plugin.ts";

export class DelayQueue {
  private readonly heap: DelayedRowView[] = [];
  private readonly waiting = new Map<number, DelayedRowView>();

  get size(): number {
    return this.waiting.size;
  }

  /** Rows in memory, cancelled ones included. */
  get held(): number {
    return this.heap.length;
  }

  get(id: number): DelayedRowView | undefined {
    return this.waiting.get(id);
  }

  add(row: DelayedRowView): void {
    const h = this.heap;
    this.waiting.set(row.id, row);
    let i = h.push(row) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(row, h[parent] as DelayedRowView)) break;
      h[i] = h[parent] as DelayedRowView;
      i = parent;
    }
    h[i] = row;
  }

  /** Cancelled rows leave the heap when they come to its top. */
  cancel(id: number): boolean {
    return this.waiting.delete(id);
  }

  /** Take the next row that is due. */
  take(now: number): DelayedRowView | undefined {
    for (;;) {
      const top = this.heap[0];
      if (top === undefined || top.dueAt > now) return undefined;
      this.pop();
      if (this.waiting.get(top.id) === top) {
        this.waiting.delete(top.id);
        return top;
      }
    }
  }

  /** Next due first. */
  rows(): DelayedRowView[] {
    return [...this.waiting.values()].sort((a, b) => (before(a, b) ? -1 : 1));
  }

  private pop(): void {
    const h = this.heap;
    const last = h.pop() as DelayedRowView;
    const n = h.length;
    if (n === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= n) break;
      if (child + 1 < n && before(h[child + 1] as DelayedRowView, h[child] as DelayedRowView)) child++;
      if (!before(h[child] as DelayedRowView, last)) break;
      h[i] = h[child] as DelayedRowView;
      i = child;
    }
    h[i] = last;
  }
}

function before(a: DelayedRowView, b: DelayedRowView): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.id < b.id);
}
