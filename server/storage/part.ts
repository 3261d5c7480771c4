/** How the stores of one file share its write batch. */
import type { RedoOps } from "./redo_ops.ts";

/** The store as its parts see it. */
export interface Owner {
  /** Set by every part that has something to write. */
  pending: boolean;
  /** Set by the parts whose changes are not in the redo log: the next commit brings the batch to the database. */
  direct: boolean;
  /** What the other parts do is said here, too. */
  readonly redo: RedoOps;
  /** Bring everything to the database now: reads from it call this first, so that they see everything put before. */
  settle(): void;
  /** Wrap an error met while reading. */
  readError(err: unknown): Error;
}

/** One store's part of the batch. */
export interface Part {
  readonly dirty: boolean;
  /** Memory of its part, about. */
  readonly bytes: number;
  /** What it has to write from now on belongs to the next batch. */
  take(): Share;
}

/** What one part had to write when the batch was closed. */
export interface Share {
  /** Memory, about. */
  readonly bytes: number;
  /** Within the transaction, in pieces of up to `PIECE` rows; again from its beginning after one that failed. */
  write(): Iterator<void>;
  /** The transaction is through. */
  written?(): void;
}

export const PIECE = 64;
