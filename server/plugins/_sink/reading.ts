/** What waits on the disk alone comes to memory as there is room, in order. */
import type { Spool } from "./spool.ts";
import type { Stored } from "./types.ts";

/** At a time. */
const ROWS = 1000;

export interface ReadingOwner {
  isOpen(): boolean;
  /** Half of memory is free for it. */
  hasRoom(): boolean;
  bounds(): { readonly rowsMax: number; readonly bytesMax: number };
  /** In order; at least one. */
  found(stored: readonly Stored[]): void;
  /** So many have gone from the disk meanwhile, and nobody takes them. */
  dropped(rows: number): void;
}

export class Reading {
  /** What is being read is not in memory yet. */
  isUnderWay = false;
  #isHeld = false;

  constructor(private readonly owner: ReadingOwner) {}

  /** Nothing is read until `begin`: something older may still come from whoever was here before. Call it in the turn in which the spool is opened. */
  hold(): void {
    this.#isHeld = true;
  }

  begin(): void {
    this.#isHeld = false;
  }

  on(spool: Spool): void {
    const { owner } = this;
    if (this.#isHeld || this.isUnderWay || spool.caughtUp || !owner.isOpen() || !owner.hasRoom()) return;
    this.isUnderWay = true;
    const { rowsMax, bytesMax } = owner.bounds();
    void spool.read(Math.min(ROWS, Math.max(1, rowsMax >> 1)), Math.max(1, bytesMax >> 1)).then((found) => {
      this.isUnderWay = false;
      // Nothing can be read just now: the next tick tries again.
      if (found.length === 0) return;
      if (owner.isOpen()) owner.found(found);
      else owner.dropped(spool.unload(found.map(({ seq }) => seq)));
    });
  }
}
