/** A copy of the whole database as one file, made while it is in use. */
import { closeSync, fdatasyncSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { wordsOf } from "../lib/errors.ts";
import { Connection } from "./connection.ts";
import { StoreError } from "./errors.ts";
import { putInPlace, syncDirectory } from "./files.ts";

/**
 * `path` must not exist. It appears complete or not at all; as baomq.db in a data directory it can be started from.
 * @throws StoreError
 */
export function backup(c: Connection, path: string): void {
  const draft = `${path}.new-${process.pid}`;
  try {
    // SQLite fills an empty file, which is the way to give it our permissions.
    const fd = openSync(draft, "wx", 0o600);
    try {
      c.rows("VACUUM INTO ?", draft);
      disown(draft);
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (!putInPlace(draft, path)) throw new Error("there is such a file already");
    syncDirectory(dirname(path));
  } catch (err) {
    throw new StoreError("access", `backup ${path} cannot be written: ${wordsOf(err)}`, err);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The copy has no redo log: that of the broker it was made of tells what came later, which is not to be back with it. */
function disown(draft: string): void {
  const copy = new Connection(draft);
  try {
    copy.exec("UPDATE redo SET id = '', applied = 0");
  } finally {
    copy.close();
  }
}
