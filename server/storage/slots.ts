/**
 * An append-only list of distinct pairs of numbers with look-up: slot n holds the n-th pair. The batch keeps its columns beside it, so that a
 * journal entry costs no object, and a later change of the same row finds the earlier one.
 */
const SMALL = 256;
/** A burst's table is not kept. */
const LARGE = 1 << 16;

export class Slots {
  n = 0;
  #a: number[] = [];
  #b: number[] = [];
  /** Where each slot stands in the table. */
  #at: number[] = [];
  /** Open addressing with linear probing; slot + 1, 0 = free. Length is a power of two, at most half full. */
  #table = new Int32Array(SMALL);

  a(slot: number): number {
    return this.#a[slot] as number;
  }

  b(slot: number): number {
    return this.#b[slot] as number;
  }

  /** The slot of a pair; equals the former `n` when it is new. Pairs are whole numbers. */
  claim(a: number, b: number): number {
    const mask = this.#table.length - 1;
    let at = hash(a, b) & mask;
    for (;;) {
      const slot = (this.#table[at] as number) - 1;
      if (slot < 0) break;
      if (this.#a[slot] === a && this.#b[slot] === b) return slot;
      at = (at + 1) & mask;
    }
    const slot = this.n++;
    this.#a.push(a);
    this.#b.push(b);
    this.#at.push(at);
    this.#table[at] = slot + 1;
    if (this.n * 2 > this.#table.length) this.#rehash(this.#table.length * 2);
    return slot;
  }

  clear(): void {
    if (this.#table.length > LARGE) this.#table = new Int32Array(SMALL);
    else for (const at of this.#at) this.#table[at] = 0;
    this.n = 0;
    this.#a = [];
    this.#b = [];
    this.#at = [];
  }

  #rehash(length: number): void {
    this.#table = new Int32Array(length);
    const mask = length - 1;
    for (let slot = 0; slot < this.n; slot++) {
      let at = hash(this.#a[slot] as number, this.#b[slot] as number) & mask;
      while (this.#table[at] !== 0) at = (at + 1) & mask;
      this.#table[at] = slot + 1;
      this.#at[slot] = at;
    }
  }
}

function hash(a: number, b: number): number {
  const h = Math.imul(a | 0, 0x9e3779b1) ^ Math.imul(b | 0, 0x85ebca6b);
  return h ^ (h >>> 15);
}
