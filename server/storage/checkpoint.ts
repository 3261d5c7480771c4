/**
 * The database's journal goes to the database now and then. SQLite would do that within a commit and wait for the disk twice, on the main thread;
 * here only the copying is done there:
 *
 * | state    | what goes on                                              | a transaction that cannot wait             |
 * | -------- | --------------------------------------------------------- | ------------------------------------------ |
 * | idle     | nothing                                                   | begins                                     |
 * | journal  | the journal is on its way to the disk                     | begins; this checkpoint is given up        |
 * | database | its pages are copied, the database is on its way to there | waits for the disk                         |
 * | broken   | the disk has failed                                       | fails, until the next start                |
 *
 * The order is SQLite's own: no page is copied before the journal is on the disk, and the journal is not begun again, which the first
 * transaction after the copying does, before the database is there. Meanwhile the redo log takes what is committed. What the disk has failed
 * to take once it never gets: the system forgets it, and says yes the next time. So the journal stays as it is then, for the next start.
 */
import { closeSync, fdatasync, fstatSync, fsync, fsyncSync, openSync } from "node:fs";
import type { Log } from "../core/ports.ts";
import { wordsOf } from "../lib/errors.ts";
import type { Connection } from "./connection.ts";

/** A journal of more bytes than this is copied: about 1000 pages, 4 ms. */
const LONG = 4 * 1024 * 1024;
/** Transactions that could not wait have kept one from being copied up to here: then it is copied while they wait. */
const OVERDUE = 4 * LONG;

const COPY = "PRAGMA wal_checkpoint(PASSIVE)";

type State = "idle" | "journal" | "database" | "broken";

export class Checkpoint {
  #state: State = "idle";
  /** Tells callbacks of one that was given up. */
  #round = 0;
  readonly #journal: number;
  readonly #database: number;

  constructor(
    private readonly c: Connection,
    private readonly log: Log,
  ) {
    // To be closed behind the database only: with any descriptor of a file a process gives up its locks on it.
    this.#database = openSync(c.file, "r+");
    this.#journal = openSync(`${c.file}-wal`, "r+");
    // With the first transaction after a checkpoint the journal is as long as what is in it.
    c.exec("PRAGMA journal_size_limit = 0");
    c.exec("PRAGMA wal_autocheckpoint = 0");
  }

  /** No transaction is to begin that can wait. */
  get busy(): boolean {
    return this.#state === "journal" || this.#state === "database";
  }

  /** After a transaction: begins when the journal has grown long. */
  consider(): void {
    if (this.#state !== "idle") return;
    const { size } = fstatSync(this.#journal);
    if (size < LONG) return;
    if (size > OVERDUE) {
      this.#tryCopy(() => this.c.exec(COPY));
      return;
    }
    this.#state = "journal";
    const round = ++this.#round;
    fdatasync(this.#journal, (err) => {
      if (round === this.#round) this.#copy(err);
    });
  }

  /** For a transaction that cannot wait. @throws what the system says when the disk fails */
  makeWay(): void {
    this.#round++;
    if (this.#state === "broken") throw new Error("the disk has failed to take what was written: start the broker again");
    if (this.#state === "database") this.#wait();
    this.#state = "idle";
  }

  #wait(): void {
    try {
      fsyncSync(this.#database);
    } catch (err) {
      this.failed(err);
      throw err;
    }
  }

  /**
   * Before the database is closed: SQLite takes pages that are copied for pages that are on the disk, and removes the journal. False = it must
   * not be closed.
   */
  end(): boolean {
    try {
      this.makeWay();
      return true;
    } catch {
      return false;
    }
  }

  /** After the database is closed. */
  close(): void {
    this.#round++;
    closeSync(this.#journal);
    closeSync(this.#database);
  }

  #copy(err: Error | null): void {
    const round = this.#round;
    if (err !== null) {
      this.failed(err);
      return;
    }
    if (!this.#tryCopy(() => this.#copyPages())) {
      this.#state = "idle";
      return;
    }
    this.#state = "database";
    fsync(this.#database, (why) => {
      if (round !== this.#round) return;
      if (why === null) this.#state = "idle";
      else this.failed(why);
    });
  }

  /** One that fails loses nothing: the journal is whole, and not begun again. */
  #tryCopy(copy: () => void): boolean {
    try {
      copy();
      return true;
    } catch (err) {
      this.log.warn("the database's journal could not be brought to the database", { file: this.c.file, error: wordsOf(err) });
      return false;
    }
  }

  /** Without waiting for the disk. */
  #copyPages(): void {
    const mode = Number(this.c.value("PRAGMA synchronous"));
    this.c.exec("PRAGMA synchronous = OFF");
    try {
      this.c.exec(COPY);
    } finally {
      this.c.exec(`PRAGMA synchronous = ${mode}`);
    }
  }

  private failed(err: unknown): void {
    this.#state = "broken";
    this.log.error("the disk has failed to take the database; it is as it was, start the broker again", {
      file: this.c.file,
      error: wordsOf(err),
    });
  }
}
