/**
 * Compressed messages that have not come whole, all together: what is not compressed goes up as it comes, but these can only be
 * unpacked as a whole, and nobody needs to have logged in for it. Whoever has held bytes longest goes first, as in core/openings.ts.
 */

const BUDGET = 16 * 1024 * 1024;
/** What a piece costs beside its bytes. */
const PIECE = 100;

export interface Holder {
  /** It holds too much for too long: it is to let go of all, and of its connection. */
  giveUp(): void;
}

export class Unfinished {
  /** Bytes held now. */
  bytes = 0;
  /** In the order in which they began to hold something. */
  readonly #held = new Map<Holder, number>();

  constructor(private readonly budget = BUDGET) {}

  /** The holder holds so many bytes now, in so many pieces. */
  hold(holder: Holder, length: number, pieces: number): void {
    const bytes = length + PIECE * pieces;
    this.bytes += bytes - (this.#held.get(holder) ?? 0);
    this.#held.set(holder, bytes);
    while (this.bytes > this.budget) this.#giveUpOldest();
  }

  release(holder: Holder): void {
    this.bytes -= this.#held.get(holder) ?? 0;
    this.#held.delete(holder);
  }

  #giveUpOldest(): void {
    for (const [holder] of this.#held) {
      this.release(holder);
      holder.giveUp();
      return;
    }
  }
}
