/** Files that somebody names in a setting: a certificate, a key. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** Bytes. All certificates that a system trusts are a fifth of it. */
const SIZE_MAX = 1024 * 1024;

/**
 * Its text. A pipe or a device, which might never end, is not waited for.
 * @throws Error of the system, or in words
 */
export function smallFile(path: string): string {
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stats = fstatSync(file);
    if (stats.isDirectory()) throw Object.assign(new Error("it is a directory"), { code: "EISDIR" });
    if (!stats.isFile()) throw new Error("it is no file, but a pipe or a device");
    if (stats.size > SIZE_MAX) throw new Error(`it has ${stats.size} bytes, at most ${SIZE_MAX} are read`);
    const bytes = Buffer.alloc(SIZE_MAX);
    let length = 0;
    for (let read = -1; read !== 0 && length < SIZE_MAX; length += read) read = readSync(file, bytes, length, SIZE_MAX - length, null);
    return bytes.toString("utf8", 0, length);
  } finally {
    closeSync(file);
  }
}
