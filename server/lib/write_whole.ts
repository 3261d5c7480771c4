/** A file written so that a crash leaves the one or the other, never a part. */
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";

/**
 * Whoever may read the file may read the new one, and nobody else: it has its owner, as far as we may give files away, and its rights, or those of
 * `like`. A symbolic link stays, what it leads to is replaced. @throws Error of the file system
 */
export function writeWhole(file: string, content: string | Uint8Array, like = file): void {
  const path = placeOf(file);
  const draft = `${path}.draft`;
  try {
    // Left by a crash, or a link of somebody's: never written through.
    rmSync(draft, { force: true });
    const fd = openSync(draft, "wx", 0o600);
    try {
      const bytes = Buffer.from(content);
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      takeRights(fd, like);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
  } catch (err) {
    rmSync(draft, { force: true });
    throw err;
  }
}

function placeOf(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

function takeRights(fd: number, like: string): void {
  const its = statSync(like, { throwIfNoEntry: false });
  const own = fstatSync(fd);
  if (its !== undefined && (its.uid !== own.uid || its.gid !== own.gid)) {
    try {
      fchownSync(fd, its.uid, its.gid);
    } catch {
      // Only root may give a file away: then it is ours.
    }
  }
  fchmodSync(fd, its === undefined ? 0o644 : its.mode & 0o777);
}
