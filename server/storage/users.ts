/** Users of the dashboard. */
import type { UserRow } from "../core/ports.ts";
import type { Connection } from "./connection.ts";
import type { Owner } from "./part.ts";
import { SqliteTable, type TableSpec } from "./table.ts";

interface Columns {
  username: string;
  password_hash: string;
  tags: string | null;
}

const SPEC: TableSpec<UserRow, Columns> = {
  table: "users",
  scopeColumns: [],
  keyColumn: "username",
  columns: ["password_hash", "tags"],
  key: (r) => r.username,
  pack: (r) => [r.passwordHash, r.tags],
  read: (c) => ({ username: c.username, passwordHash: c.password_hash, tags: c.tags }),
};

export const users = (c: Connection, owner: Owner): SqliteTable<UserRow, Columns> => new SqliteTable(c, owner, SPEC);
