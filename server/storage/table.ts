/** A small table held in memory, written through: look-ups never touch the file. */
import type { SQLQueryBindings, Statement } from "bun:sqlite";
import type { TableStore } from "../core/ports.ts";
import { Changes, mayBeThere } from "./changes.ts";
import type { Connection } from "./connection.ts";
import type { Owner } from "./part.ts";

/** How rows of one kind lie in their table. `scope` fills the leading columns that all rows of this store share. */
export interface TableSpec<Row, Columns> {
  table: string;
  /** Leading columns that select this store's rows, e.g. ["plugin"]. */
  scopeColumns: readonly string[];
  /** The key's column. */
  keyColumn: string;
  /** The other columns. */
  columns: readonly string[];
  key(row: Row): string;
  /** Values of `columns`. */
  pack(row: Row): SQLQueryBindings[];
  read(columns: Columns): Row;
}

export class SqliteTable<Row extends object, Columns> extends Changes<string, Row> implements TableStore<Row> {
  readonly #rows = new Map<string, Row>();
  readonly #put: Statement<unknown, SQLQueryBindings[]>;
  readonly #delete: Statement<unknown, SQLQueryBindings[]>;
  readonly #find: Statement<unknown, SQLQueryBindings[]>;

  constructor(
    c: Connection,
    owner: Owner,
    private readonly spec: TableSpec<Row, Columns>,
    private readonly scope: readonly string[] = [],
  ) {
    super(owner);
    const lead = [...spec.scopeColumns, spec.keyColumn];
    const all = [...lead, ...spec.columns];
    this.#put = c.prepare(`REPLACE INTO ${spec.table} (${all.join(", ")}) VALUES (${all.map(() => "?").join(", ")})`);
    const row = lead.map((x) => `${x} = ?`).join(" AND ");
    this.#delete = c.prepare(`DELETE FROM ${spec.table} WHERE ${row}`);
    this.#find = c.prepare(`SELECT 1 FROM ${spec.table} WHERE ${row}`);
    const where = spec.scopeColumns.map((x) => `${x} = ?`).join(" AND ") || "true";
    try {
      for (const r of c.rows<Columns>(`SELECT * FROM ${spec.table} WHERE ${where} ORDER BY ${spec.keyColumn}`, ...scope)) {
        const row = spec.read(r);
        this.#rows.set(spec.key(row), row);
      }
    } catch (err) {
      throw owner.readError(err);
    }
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  put(row: Row): void {
    const copy = { ...row };
    const key = this.spec.key(copy);
    this.#rows.set(key, copy);
    this.change(key, copy);
  }

  delete(key: string): boolean {
    if (!this.#rows.delete(key)) return false;
    this.change(key, null);
    return true;
  }

  all(): Row[] {
    return [...this.#rows.values()];
  }

  get size(): number {
    return this.#rows.size;
  }

  protected override inFile(key: string): boolean {
    return mayBeThere(this.#find, ...this.scope, key);
  }

  protected override putRow(key: string, row: Row): void {
    this.#put.run(...this.scope, key, ...this.spec.pack(row));
  }

  protected override deleteRow(key: string): void {
    this.#delete.run(...this.scope, key);
  }
}
