/**
 * Entries in the order of their numbers, which count up: they come at the end and go anywhere. Iterators are live. In blocks, so that it
 * never has to be copied as a whole, however many there are.
 */
interface Numbered {
  /** Not changed while it is in the order. */
  seq: number;
}

/** Numbers of a block. */
const BLOCK = 1024;

interface Block<T> {
  /** Of the entries, ascending. */
  seqs: number[];
  /** null = it is gone. */
  entries: (T | null)[];
  live: number;
}

export class SeqOrder<T extends Numbered> {
  /** By number / BLOCK, in the order in which they were begun. */
  readonly #blocks = new Map<number, Block<T>>();

  /** Its number is above all that there have been. */
  add(entry: T): void {
    const at = Math.floor(entry.seq / BLOCK);
    let block = this.#blocks.get(at);
    if (block === undefined) {
      block = { seqs: [], entries: [], live: 0 };
      this.#blocks.set(at, block);
    }
    block.seqs.push(entry.seq);
    block.entries.push(entry);
    block.live++;
  }

  /** It is in the order. */
  remove({ seq }: T): void {
    const at = Math.floor(seq / BLOCK);
    const block = this.#blocks.get(at) as Block<T>;
    block.entries[firstFrom(block.seqs, seq)] = null;
    if (--block.live === 0) this.#blocks.delete(at);
    else if (block.live * 2 < block.entries.length) shrink(block);
  }

  clear(): void {
    // An iterator may be in one of them.
    for (const block of this.#blocks.values()) {
      block.seqs = [];
      block.entries = [];
    }
    this.#blocks.clear();
  }

  *[Symbol.iterator](): Generator<T> {
    for (const block of this.#blocks.values()) {
      for (let next = 0; ; ) {
        const i = firstFrom(block.seqs, next);
        if (i === block.seqs.length) break;
        next = (block.seqs[i] as number) + 1;
        const entry = block.entries[i] as T | null;
        if (entry !== null) yield entry;
      }
    }
  }
}

/** Index of the first number that is not below `seq`. */
function firstFrom(seqs: readonly number[], seq: number): number {
  let low = 0;
  let high = seqs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((seqs[middle] as number) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

function shrink<T>(block: Block<T>): void {
  block.seqs = block.seqs.filter((_, i) => block.entries[i] !== null);
  block.entries = block.entries.filter((e) => e !== null);
}
