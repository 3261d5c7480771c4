/** `--password-file`: what is to be secret comes from a file, and so stands in no list of processes and in no shell's history. */
import { readFileSync } from "node:fs";
import { whyUnreadable } from "../lib/file_errors.ts";
import { type Command, Refused, UsageError } from "./command.ts";

/** Arguments that the file may stand for. A setting's value is one: some settings are passwords. */
const SECRET: ReadonlySet<string> = new Set(["<Password>", "<NewPassword>", "<Pwd>", "<Value>"]);
const STDIN = 0;

/** The file's text without the end of its last line; "-" = standard input. @throws Refused */
export function readPassword(file: string): string {
  try {
    return readFileSync(file === "-" ? STDIN : file, "utf8").replace(/\r?\n$/, "");
  } catch (err) {
    throw new Refused(`--password-file ${file}: ${whyUnreadable(err)}`);
  }
}

/**
 * `words` (with the command's name) with the password in the place that the usage has for it: `admins add ann viewer` is
 * `admins add ann <it> viewer`. @throws Refused when there is no such place, UsageError when what stands before it is missing
 */
export function withPassword({ name, usage }: Command, words: readonly string[], password: string): string[] {
  for (const [syntax] of usage) {
    const places = syntax.split(" ").map((place) => place.replace(/[[\]]/g, ""));
    const at = places.findIndex((place) => SECRET.has(place));
    const literal = places.slice(
      0,
      places.findIndex((place) => place.startsWith("<")),
    );
    if (at < 0 || literal.some((word, i) => words[i] !== word)) continue;
    if (words.length < at) throw new UsageError();
    return words.toSpliced(at, 0, password);
  }
  throw new Refused(`--password-file: ${name} takes no password there`);
}
