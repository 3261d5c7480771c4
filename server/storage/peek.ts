/** Reading what the database says without a broker, and without changing it. */
import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { codeOf, readError, StoreError } from "./errors.ts";
import { DB_NAME } from "./open.ts";

/**
 * The rows of some namespaces of the data directory's database: namespace -> key -> value. Empty when there is no database.
 * @throws StoreError "locked" while a broker runs on it
 */
export function peekKv(dir: string, namespaces: readonly string[]): Map<string, [string, string][]> {
  const file = join(dir, DB_NAME);
  const rows = new Map(namespaces.map((n): [string, [string, string][]] => [n, []]));
  if (!existsSync(file)) return rows;
  let db: Database | null = null;
  try {
    db = new Database(file, { readonly: true });
    const found = db
      .query<{ namespace: string; key: string; value: string }, []>("SELECT namespace, key, value FROM kv ORDER BY key")
      .all();
    for (const r of found) rows.get(r.namespace)?.push([r.key, r.value]);
    return rows;
  } catch (err) {
    if (codeOf(err).startsWith("SQLITE_BUSY")) throw new StoreError("locked", `data directory ${dir} is in use by a running broker`, err);
    throw readError(file, err);
  } finally {
    db?.close();
  }
}
