/** Bans by client id, user name or address. */
import type { Statement } from "bun:sqlite";
import type { BannedRow, BannedStore } from "../core/ports.ts";
import { Changes, mayBeThere } from "./changes.ts";
import type { Connection } from "./connection.ts";
import type { Owner } from "./part.ts";

interface Columns {
  kind: BannedRow["as"];
  who: string;
  reason: string | null;
  description: string | null;
  by: string | null;
  until: number | null;
}
type Nullable = string | null;

/** Keyed by kind and name: no kind contains a slash. */
export class SqliteBanned extends Changes<string, BannedRow> implements BannedStore {
  readonly #put: Statement<unknown, [string, string, Nullable, Nullable, Nullable, number | null]>;
  readonly #delete: Statement<unknown, [string, string]>;
  readonly #find: Statement<unknown, [string, string]>;

  constructor(
    private readonly c: Connection,
    owner: Owner,
  ) {
    super(owner);
    this.#put = c.prepare("REPLACE INTO banned (kind, who, reason, description, by, until) VALUES (?, ?, ?, ?, ?, ?)");
    this.#delete = c.prepare("DELETE FROM banned WHERE kind = ? AND who = ?");
    this.#find = c.prepare("SELECT 1 FROM banned WHERE kind = ? AND who = ?");
  }

  load(): BannedRow[] {
    const rows = this.read(() => this.c.rows<Columns>("SELECT * FROM banned"));
    return rows.map((r) => ({ who: r.who, as: r.kind, reason: r.reason, desc: r.description, by: r.by, until: r.until }));
  }

  put(row: BannedRow): void {
    this.change(`${row.as}/${row.who}`, { ...row });
  }

  delete(as: BannedRow["as"], who: string): void {
    this.change(`${as}/${who}`, null);
  }

  protected override putRow(_key: string, r: BannedRow): void {
    this.#put.run(r.as, r.who, r.reason, r.desc, r.by, r.until);
  }

  protected override inFile(key: string): boolean {
    return mayBeThere(this.#find, ...split(key));
  }

  protected override deleteRow(key: string): void {
    this.#delete.run(...split(key));
  }
}

function split(key: string): [kind: string, who: string] {
  const slash = key.indexOf("/");
  return [key.slice(0, slash), key.slice(slash + 1)];
}
