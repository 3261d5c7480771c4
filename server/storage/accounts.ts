/** MQTT accounts of the authentication plugins that keep their own. */
import type { AccountRow } from "../core/ports.ts";
import type { Connection } from "./connection.ts";
import type { Owner } from "./part.ts";
import { SqliteTable, type TableSpec } from "./table.ts";

type Columns = AccountRow;

const SPEC: TableSpec<AccountRow, Columns> = {
  table: "accounts",
  scopeColumns: ["plugin"],
  keyColumn: "name",
  columns: ["kind", "salt", "hash"],
  key: (r) => r.name,
  pack: (r) => [r.kind, r.salt, r.hash],
  read: (c) => ({ name: c.name, kind: c.kind, salt: c.salt, hash: c.hash }),
};

export const accounts = (c: Connection, owner: Owner, plugin: string): SqliteTable<AccountRow, Columns> =>
  new SqliteTable(c, owner, SPEC, [plugin]);
