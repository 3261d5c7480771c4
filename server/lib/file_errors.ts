/** Why a file cannot be read or written, in words that read on after its name. */
import { lineOf } from "./errors.ts";

const WORDS: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "there is no such file"],
  ["EISDIR", "it is a directory"],
  ["ENOTDIR", "a part of its path is no directory"],
  ["EACCES", "this user has no permission"],
  ["EPERM", "this user has no permission"],
  ["ENAMETOOLONG", "the name is too long"],
  ["ELOOP", "its symbolic links go in a circle"],
  ["EROFS", "its file system is read-only"],
]);

export function whyUnreadable(err: unknown): string {
  return WORDS.get((err as { code?: string } | null)?.code ?? "") ?? lineOf(err);
}
