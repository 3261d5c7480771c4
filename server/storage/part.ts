/** How the stores of one file share its write batch. */

/** The store as its parts see it. */
export interface Owner {
  /** Set by every part that has something to write. */
  pending: boolean;
  /** Write what is pending now: reads from the file call it first, so that they see everything put before. */
  commit(): void;
  /** Wrap an error met while reading. */
  readError(err: unknown): Error;
}

/** One store's share of the batch. `write` runs inside the transaction and may run again after a failure; `written` forgets the batch. */
export interface Part {
  readonly dirty: boolean;
  /** Memory of its share, about. */
  readonly bytes: number;
  write(): void;
  written(): void;
}
