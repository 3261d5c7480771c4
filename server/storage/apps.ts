/** Applications: the management API's credentials. */
import type { AppRow } from "../core/ports.ts";
import type { Connection } from "./connection.ts";
import type { Owner } from "./part.ts";
import { SqliteTable, type TableSpec } from "./table.ts";

interface Columns {
  app_id: string;
  secret: string;
  name: string | null;
  description: string | null;
  status: number;
  expired: number | null;
}

const SPEC: TableSpec<AppRow, Columns> = {
  table: "apps",
  scopeColumns: [],
  keyColumn: "app_id",
  columns: ["secret", "name", "description", "status", "expired"],
  key: (r) => r.appId,
  pack: (r) => [r.secret, r.name, r.desc, r.status ? 1 : 0, r.expired],
  read: (c) => ({ appId: c.app_id, secret: c.secret, name: c.name, desc: c.description, status: c.status !== 0, expired: c.expired }),
};

export const apps = (c: Connection, owner: Owner): SqliteTable<AppRow, Columns> => new SqliteTable(c, owner, SPEC);
