/** The directory of the scripts: which files are scripts, and what they are called while they are disabled. */
import { closeSync, openSync, readSync } from "node:fs";
import { readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { ACCESS, type AccessName } from "./callbacks.ts";
import type { Language } from "./messages.ts";

/** As EMQ X 3.1. */
const DISABLED = ".x";
const LANGUAGES: ReadonlyMap<string, Language> = new Map([
  ["lua", "lua"],
  ["js", "javascript"],
  ["mjs", "javascript"],
  ["ts", "typescript"],
]);
const NAME_BYTES = 128;
/** Each has a worker of its own. */
const SCRIPTS_MOST = 32;

export interface ScriptFile {
  readonly name: string;
  readonly disabled: boolean;
  /** Other than before: it has changed. */
  readonly seen: string;
}

/** null = no name of a script. */
export function languageOf(name: string): Language | null {
  if (/[/\\\0]/.test(name) || name.startsWith(".") || Buffer.byteLength(name) > NAME_BYTES || name.endsWith(".d.ts")) return null;
  return LANGUAGES.get(/\.(\w+)$/.exec(name)?.[1] ?? "") ?? null;
}

/** What is expected of a name. */
export const EXPECTED_NAME = `a file name without directories, at most ${NAME_BYTES} bytes, that ends in .lua, .js, .mjs or .ts`;

/**
 * In order of their names. `left`: scripts above the number that there may be.
 * @throws Error of the file system, also of one file: what cannot be seen now is not gone
 */
export async function scriptFiles(dir: string): Promise<{ files: ScriptFile[]; left: number }> {
  const byName = new Map<string, ScriptFile>();
  for (const entry of await readdir(dir)) {
    const disabled = entry.endsWith(DISABLED);
    const name = disabled ? entry.slice(0, -DISABLED.length) : entry;
    // Where there are both, the one that is not disabled counts.
    if (languageOf(name) === null || (disabled && byName.has(name))) continue;
    try {
      const s = await stat(join(dir, entry));
      if (s.isFile()) byName.set(name, { name, disabled, seen: `${s.ino}/${s.size}/${s.mtimeMs}` });
    } catch (err) {
      // It has gone in the meantime.
      if ((err as { code?: string }).code !== "ENOENT") throw err;
    }
  }
  const files = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { files: files.slice(0, SCRIPTS_MOST), left: Math.max(0, files.length - SCRIPTS_MOST) };
}

/** @throws Error of the file system */
export async function setDisabled(dir: string, name: string, disabled: boolean): Promise<void> {
  const [on, off] = [join(dir, name), join(dir, name + DISABLED)];
  const [from, to] = disabled ? [on, off] : [off, on];
  // Nothing is to be written over: what is there under the other name is somebody's script as well.
  const there = await stat(to).then(
    () => true,
    () => false,
  );
  if (there) throw Object.assign(new Error(`${to} exists`), { code: "EEXIST" });
  await rename(from, to);
}

/** Of a file no more is looked through, bytes. */
const LOOKED_THROUGH = 1024 * 1024;

/** Callbacks about access whose names stand in a file that cannot be loaded; all of them where it cannot be read. */
export function accessNamedIn(path: string): readonly AccessName[] {
  try {
    const file = openSync(path, "r");
    try {
      const bytes = Buffer.alloc(LOOKED_THROUGH);
      const text = bytes.toString("latin1", 0, readSync(file, bytes));
      return ACCESS.filter((name) => text.includes(name));
    } finally {
      closeSync(file);
    }
  } catch {
    return ACCESS;
  }
}
