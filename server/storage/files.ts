/** Small steps on files that the database's opening and its backup share. */
import { closeSync, fsyncSync, linkSync, openSync, renameSync, statSync } from "node:fs";
import { codeOf } from "./errors.ts";

/** Bytes; -1 = there is no such file. */
export function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? -1;
}

/**
 * Give a finished file its name. False = the name is taken. A link never replaces a file that came meanwhile; file systems without links get
 * a rename. The draft may remain.
 */
export function putInPlace(draft: string, file: string): boolean {
  if (sizeOf(file) >= 0) return false;
  try {
    linkSync(draft, file);
  } catch (err) {
    if (codeOf(err) === "EEXIST") return false;
    renameSync(draft, file);
  }
  return true;
}

/** Makes the names of new files durable, where the system can do that. */
export function syncDirectory(dir: string): void {
  try {
    const fd = openSync(dir, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Windows has no handle on a directory.
  }
}
