/** What storage refuses, in words for the operator: the file, what is wrong with it, what to do. */
import { wordsOf } from "../lib/errors.ts";

export type StoreErrorCode =
  /** Another process has the data directory. */
  | "locked"
  /** Not readable as a database, or readable only in part. */
  | "damaged"
  /** Written by a newer version. */
  | "newer"
  /** A database, but not ours. */
  | "foreign"
  /** Directory or file cannot be created, read or written. */
  | "access"
  /** A batch could not be written; it is kept. */
  | "write";

export class StoreError extends Error {
  override readonly name = "StoreError";

  constructor(
    readonly code: StoreErrorCode,
    message: string,
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** SQLite's result code by name ("SQLITE_BUSY"), or the system's ("EACCES"); "" when there is none. */
export function codeOf(err: unknown): string {
  const code = (err as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

export function damaged(file: string, what: string, cause?: unknown): StoreError {
  return new StoreError(
    "damaged",
    `${file} is damaged (${what}): move it, ${file}-wal and the baomq.redo files to another place, then put a backup in its place or start without one, empty`,
    cause,
  );
}

/** The clear form of an error met while reading `file`. */
export function readError(file: string, err: unknown): StoreError {
  if (err instanceof StoreError) return err;
  const code = codeOf(err);
  if (code === "SQLITE_NOTADB") return damaged(file, "it is not a database", err);
  if (code.startsWith("SQLITE_CORRUPT") || err instanceof SyntaxError) return damaged(file, wordsOf(err), err);
  if (code.startsWith("SQLITE_FULL")) return new StoreError("access", `${file} cannot be opened: the disk is full`, err);
  return new StoreError("access", `${file} cannot be read: ${wordsOf(err)}`, err);
}

/** The clear form of a failed commit. */
export function writeError(file: string, err: unknown): StoreError {
  return new StoreError(
    "write",
    `${file} cannot be written: ${whyUnwritten(err)}. The data is kept in memory and written when that works again`,
    err,
  );
}

/** The same for the commit after which there is no other one. `err`: that of `commit`. */
export function lastError(file: string, err: unknown): StoreError {
  return new StoreError("write", `${file} cannot be written: ${whyUnwritten((err as Error).cause)}`, err);
}

function whyUnwritten(err: unknown): string {
  const code = codeOf(err);
  let why = wordsOf(err);
  if (code.startsWith("SQLITE_FULL") || code === "ENOSPC") why = "the disk is full";
  else if (code.startsWith("SQLITE_IOERR")) why = `input/output error (${code})`;
  else if (code.startsWith("SQLITE_READONLY")) why = "the file or its disk is read-only";
  return why;
}
