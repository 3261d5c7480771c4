/**
 * What the database file was when it was closed: its length and a hash of its bytes, in a file beside it while nobody has it open. SQLite
 * finds damage of its structure; a byte that has changed within a stored value is found by this alone.
 */
import { closeSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from "node:fs";
import { sizeOf } from "./files.ts";

const MIB = 1024 * 1024;
/** Reading and hashing takes about 1 ms a MiB; a start and a stop are not to wait longer than a quarter of a second for it. */
const SEALED_MAX = 256 * MIB;

export type SealState =
  /** There is none: the last end was unclean, or the file is large. */
  | "none"
  | "intact"
  /** The file is another than the one that was closed. */
  | "broken";

interface Seal {
  inode: number;
  /** Bytes. */
  size: number;
  hash: string;
}

function readSeal(name: string): Seal | null {
  try {
    return JSON.parse(readFileSync(name, "utf8")) as Seal;
  } catch {
    return null;
  }
}

const nameOf = (file: string): string => `${file}.seal`;

/** After the file is closed. A disk that takes no seal leaves the file without one. */
export function seal(file: string): void {
  if (sizeOf(file) > SEALED_MAX) return;
  try {
    const s: Seal = { inode: statSync(file).ino, ...sealOf(file) };
    writeFileSync(nameOf(file), `${JSON.stringify(s)}\n`, { mode: 0o600 });
  } catch {
    rmSync(nameOf(file), { force: true });
  }
}

/**
 * Before the database is opened: whoever closes a file of which the same process holds locks gives those up, and a second broker could open
 * the database.
 */
export function checkSeal(file: string): SealState {
  const told = readSeal(nameOf(file));
  if (told === null || sizeOf(file) > SEALED_MAX) return "none";
  const now = statSync(file);
  // Something else was put in its place, e.g. a backup.
  if (told.inode !== now.ino || !now.isFile()) return "none";
  const found = sealOf(file);
  return told.size === found.size && told.hash === found.hash ? "intact" : "broken";
}

/** From here on the file changes. */
export function breakSeal(file: string): void {
  rmSync(nameOf(file), { force: true });
}

function sealOf(file: string): Pick<Seal, "size" | "hash"> {
  const fd = openSync(file, "r");
  try {
    const buf = Buffer.allocUnsafe(4 * MIB);
    let hash = 0n;
    let size = 0;
    for (;;) {
      const n = readSync(fd, buf, 0, buf.length, size);
      if (n === 0) return { size, hash: hash.toString(16) };
      hash = Bun.hash.xxHash64(buf.subarray(0, n), hash);
      size += n;
    }
  } finally {
    closeSync(fd);
  }
}
