/** One open database file with its prepared statements. */
import { Database, type SQLQueryBindings, type Statement } from "bun:sqlite";

export class Connection {
  readonly #db: Database;
  /** All are finalized at close: an open statement would keep the file, and its lock, open. */
  readonly #statements: Statement[] = [];

  constructor(readonly file: string) {
    this.#db = new Database(file, { readwrite: true, create: false });
  }

  prepare<Row, Args extends SQLQueryBindings[]>(sql: string): Statement<Row, Args> {
    const s = this.#db.prepare(sql) as unknown as Statement<Row, Args>;
    this.#statements.push(s);
    return s;
  }

  /** Run statements that take nothing and whose rows nobody reads. */
  exec(sql: string): void {
    this.#db.run(sql);
  }

  /** All rows of a statement that is used once. */
  rows<Row>(sql: string, ...args: SQLQueryBindings[]): Row[] {
    const s = this.#db.prepare<Row, SQLQueryBindings[]>(sql);
    try {
      return s.all(...args);
    } finally {
      s.finalize();
    }
  }

  /** Rows one by one; the statement is closed when the loop ends. */
  *each<Row>(sql: string): Generator<Row> {
    const s = this.#db.prepare<Row, []>(sql);
    try {
      yield* s.iterate();
    } finally {
      s.finalize();
    }
  }

  /** First column of the first row, e.g. of a PRAGMA. */
  value(sql: string): unknown {
    const s = this.#db.prepare(sql);
    try {
      return s.values()[0]?.[0];
    } finally {
      s.finalize();
    }
  }

  get inTransaction(): boolean {
    return this.#db.inTransaction;
  }

  /** Run `fn` in a transaction of its own. */
  transaction(fn: () => void): void {
    this.exec("BEGIN IMMEDIATE");
    try {
      fn();
      this.exec("COMMIT");
    } catch (err) {
      if (this.#db.inTransaction) this.exec("ROLLBACK");
      throw err;
    }
  }

  close(): void {
    for (const s of this.#statements) s.finalize();
    this.#statements.length = 0;
    this.#db.close();
  }
}
