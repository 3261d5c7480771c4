/** Long work in short turns: whoever walks a big table gives the event loop back every two milliseconds. */
import type { Broker } from "../core/broker.ts";

const SLICE_MS = 2;
/** Items between two looks at the clock. */
const STRIDE = 32;

export class Slices {
  #since: number;
  #count = 0;

  constructor(private readonly mono: () => number) {
    this.#since = mono();
  }

  /** Call once for each item; true = time to `await rest()`. */
  due(): boolean {
    if (++this.#count < STRIDE) return false;
    this.#count = 0;
    return this.over();
  }

  /** The same without counting: for whoever does much between two calls. */
  over(): boolean {
    return this.mono() - this.#since >= SLICE_MS;
  }

  async rest(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#since = this.mono();
  }
}

/** A rest for whoever changes the broker: what was done so far goes out first, and the time is taken anew. */
export async function restBetween(broker: Broker, slices: Slices): Promise<void> {
  broker.flush();
  await slices.rest();
  broker.beat();
}

/** Stable merge sort that rests. Returns a new array. */
export async function sortSliced<T>(items: readonly T[], compare: (a: T, b: T) => number, slices: Slices): Promise<T[]> {
  const run = 256;
  let from: T[] = [];
  for (let i = 0; i < items.length; i += run) {
    for (const t of items.slice(i, i + run).sort(compare)) from.push(t);
    if (slices.due()) await slices.rest();
  }
  let to: T[] = new Array<T>(from.length);
  for (let width = run; width < from.length; width *= 2) {
    for (let start = 0; start < from.length; start += 2 * width) {
      const middle = Math.min(start + width, from.length);
      const end = Math.min(start + 2 * width, from.length);
      let a = start;
      let b = middle;
      for (let k = start; k < end; k++) {
        const left = b >= end || (a < middle && compare(from[a] as T, from[b] as T) <= 0);
        to[k] = from[left ? a++ : b++] as T;
        if (slices.due()) await slices.rest();
      }
    }
    [from, to] = [to, from];
  }
  return from;
}
