/** A text file written so that a crash leaves the one or the other, never a part. */
import { chmodSync, closeSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync, writeSync } from "node:fs";

/** Whoever may read the file may read the new one. A symbolic link stays, what it leads to is replaced. @throws Error of the file system */
export function writeWhole(file: string, text: string): void {
  const at = placeOf(file);
  const draft = `${at.path}.draft`;
  try {
    const fd = openSync(draft, "w", at.mode);
    try {
      const bytes = Buffer.from(text);
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    chmodSync(draft, at.mode);
    renameSync(draft, at.path);
  } catch (err) {
    rmSync(draft, { force: true });
    throw err;
  }
}

function placeOf(file: string): { path: string; mode: number } {
  try {
    const path = realpathSync(file);
    return { path, mode: statSync(path).mode & 0o777 };
  } catch {
    return { path: file, mode: 0o644 };
  }
}
