/**
 * Which names are surely not in a set, by their hashes: a topic that no filter without wildcards is equal to is not looked up among
 * them, which would take a string of it: 70 ns, and several times that beside a million filters. Counters instead of bits, so that names can leave.
 */

/** 256 KiB: of 100,000 names one in three others is taken for one of them, of a million nearly all are. */
const BITS = 18;
const FULL = 255;

export class NameCounts {
  #counts: Uint8Array | null = null;

  add(hash: number): void {
    this.#counts ??= new Uint8Array(1 << BITS);
    const at = hash & ((1 << BITS) - 1);
    if (this.#counts[at] !== FULL) (this.#counts[at] as number)++;
  }

  /** A counter that is full has lost count, and stays. */
  remove(hash: number): void {
    if (this.#counts === null) return;
    const at = hash & ((1 << BITS) - 1);
    if (this.#counts[at] !== FULL) (this.#counts[at] as number)--;
  }

  /** False: no name with that hash is there. */
  mayHave(hash: number): boolean {
    return this.#counts !== null && this.#counts[hash & ((1 << BITS) - 1)] !== 0;
  }
}
