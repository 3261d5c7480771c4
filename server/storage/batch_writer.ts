/**
 * Batches on their way to the database, one at a time, in transactions. A batch of the redo log's is written in slices, one in each turn of the
 * event loop: until the last one is through, the log has it.
 */
import type { Statement } from "bun:sqlite";
import type { Connection } from "./connection.ts";
import type { Part, Share } from "./part.ts";

export interface Batch {
  shares: readonly Share[];
  bytes: number;
  /** The last record of the redo log whose operations are in it. */
  record: number;
  /** To be called when the database has it on the disk. */
  onDisk: () => void;
}

/** What the parts have to write. */
export function takeBatch(parts: readonly Part[], record: number, onDisk: () => void): Batch {
  const shares = parts.filter((p) => p.dirty).map((p) => p.take());
  return { shares, bytes: shares.reduce((n, s) => n + s.bytes, 0), record, onDisk };
}

export class BatchWriter {
  readonly #begin: Statement;
  readonly #applied: Statement<unknown, [number]>;
  readonly #end: Statement;
  /** Kept until it is through, over failures, too. */
  #batch: Batch | null = null;
  /** Its transaction is open, and so far. */
  #rows: Iterator<void> | null = null;

  constructor(
    private readonly c: Connection,
    /** Before a transaction. */
    private readonly before: () => void,
    /** A batch is through. */
    private readonly done: (b: Batch) => void,
  ) {
    this.#begin = c.prepare("BEGIN IMMEDIATE");
    this.#applied = c.prepare("UPDATE redo SET applied = ?");
    this.#end = c.prepare("COMMIT");
  }

  get busy(): boolean {
    return this.#batch !== null;
  }
  get bytes(): number {
    return this.#batch === null ? 0 : this.#batch.bytes;
  }

  /** Only while it is not `busy`. */
  start(b: Batch): void {
    this.#batch = b;
  }

  /** Write for so many ms. True = nothing is left. @throws what SQLite says; the next call begins the batch again */
  slice(ms: number): boolean {
    const until = performance.now() + ms;
    return this.#write(() => performance.now() < until);
  }

  /** @throws like `slice` */
  finish(): void {
    this.#write(() => true);
  }

  #write(goOn: () => boolean): boolean {
    const batch = this.#batch;
    if (batch === null) return true;
    try {
      this.#rows ??= this.#open(batch);
      while (!this.#rows.next().done) if (!goOn()) return false;
      this.#applied.run(batch.record);
      this.#end.run();
    } catch (err) {
      this.#rows = null;
      this.#rollback();
      throw err;
    }
    this.#rows = null;
    this.#batch = null;
    for (const s of batch.shares) s.written?.();
    this.done(batch);
    return true;
  }

  #open(batch: Batch): Iterator<void> {
    this.before();
    this.#begin.run();
    return rowsOf(batch.shares);
  }

  /** Some errors end the transaction by themselves. */
  #rollback(): void {
    if (this.c.inTransaction) this.c.exec("ROLLBACK");
  }
}

function* rowsOf(shares: readonly Share[]): Generator<void> {
  for (const s of shares) {
    const rows = s.write();
    while (!rows.next().done) yield;
  }
}
