/** Settings and states by namespace, e.g. a plugin's. */
import type { KvStore } from "../core/ports.ts";
import type { Connection } from "./connection.ts";
import type { Owner, Part } from "./part.ts";
import { SqliteTable, type TableSpec } from "./table.ts";

interface Entry {
  key: string;
  value: string;
}

const SPEC: TableSpec<Entry, Entry> = {
  table: "kv",
  scopeColumns: ["namespace"],
  keyColumn: "key",
  columns: ["value"],
  key: (r) => r.key,
  pack: (r) => [r.value],
  read: (c) => ({ key: c.key, value: c.value }),
};

export class SqliteKv implements KvStore {
  readonly #table: SqliteTable<Entry, Entry>;

  constructor(c: Connection, owner: Owner, namespace: string) {
    this.#table = new SqliteTable(c, owner, SPEC, [namespace]);
  }

  get part(): Part {
    return this.#table;
  }

  get(key: string): string | undefined {
    return this.#table.get(key)?.value;
  }

  set(key: string, value: string): void {
    this.#table.put({ key, value });
  }

  delete(key: string): void {
    this.#table.delete(key);
  }

  entries(): [string, string][] {
    return this.#table.all().map((e) => [e.key, e.value]);
  }
}
