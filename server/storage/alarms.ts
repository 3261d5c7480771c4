/** Alarms that are over: the newest thousand, in memory and in the file. */
import type { Statement } from "bun:sqlite";
import type { AlarmRow, AlarmStore } from "../core/ports.ts";
import type { Connection } from "./connection.ts";
import type { Owner, Part, Share } from "./part.ts";

const KEPT = 1000;
/** Memory of a row, about. */
const ROW_BYTES = 300;

interface Columns {
  seq: number;
  id: string;
  description: string;
  raised_at: number;
  cleared_at: number;
}

export class SqliteAlarms implements AlarmStore, Part {
  dirty = false;
  readonly #insert: Statement<unknown, [string, string, number, number]>;
  readonly #clear: Statement<unknown, []>;
  readonly #trim: Statement<unknown, []>;
  /** Oldest first; the last `#fresh` ones are not in the file yet. */
  #rows: AlarmRow[];
  #fresh = 0;
  #cleared = false;

  constructor(
    c: Connection,
    private readonly owner: Owner,
  ) {
    this.#insert = c.prepare("INSERT INTO alarms (id, description, raised_at, cleared_at) VALUES (?, ?, ?, ?)");
    this.#clear = c.prepare("DELETE FROM alarms");
    this.#trim = c.prepare(`DELETE FROM alarms WHERE seq <= (SELECT max(seq) FROM alarms) - ${KEPT}`);
    this.#rows = c
      .rows<Columns>("SELECT * FROM alarms ORDER BY seq")
      .map((r) => ({ id: r.id, desc: r.description, raisedAt: r.raised_at, clearedAt: r.cleared_at }));
  }

  get bytes(): number {
    return this.#fresh * ROW_BYTES;
  }

  add(row: AlarmRow): void {
    this.#rows.push({ ...row });
    if (this.#rows.length > KEPT) this.#rows.shift();
    this.#fresh = Math.min(this.#fresh + 1, KEPT);
    this.#touch();
  }

  history(limit: number): AlarmRow[] {
    return this.#rows.toReversed().slice(0, Math.max(0, limit));
  }

  clear(): void {
    this.#rows = [];
    this.#fresh = 0;
    this.#cleared = true;
    this.#touch();
  }

  take(): Share {
    const { bytes } = this;
    const rows = this.#rows.slice(this.#rows.length - this.#fresh);
    const cleared = this.#cleared;
    this.dirty = false;
    this.#fresh = 0;
    this.#cleared = false;
    return { bytes, write: () => this.#write(rows, cleared) };
  }

  *#write(rows: readonly AlarmRow[], cleared: boolean): Generator<void> {
    if (cleared) this.#clear.run();
    for (const r of rows) this.#insert.run(r.id, r.desc, r.raisedAt, r.clearedAt);
    this.#trim.run();
    yield;
  }

  #touch(): void {
    this.dirty = true;
    this.owner.pending = this.owner.direct = true;
  }
}
