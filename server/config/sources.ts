/** Where settings are written: files (`key = value`, `##` comments) and the environment. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { wordsOf } from "../lib/errors.ts";
import type { Origin } from "./types.ts";

/** One setting as somebody wrote it. */
export interface Written {
  key: string;
  text: string;
  origin: Origin;
  /** For messages: "etc/emqx.conf:12", "EMQX_MQTT__MAX_PACKET_SIZE", "--set". */
  where: string;
}

export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** All that is wrong, not only the first of it. */
export class ConfigErrors extends Error {
  override readonly name = "ConfigErrors";
  constructor(readonly errors: readonly ConfigError[]) {
    super(errors.map((e) => e.message).join("\n"));
  }
}

/** @throws ConfigError when the file cannot be read */
export function readFile(file: string, errors: ConfigError[]): Written[] {
  let textOfFile: string;
  try {
    textOfFile = readFileSync(file, "utf8");
  } catch (err) {
    const code = (err as { code?: string }).code;
    const why = code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "permission denied" : wordsOf(err);
    errors.push(new ConfigError(`configuration file ${file} cannot be read: ${why}`));
    return [];
  }
  return parseFile(file, textOfFile, errors);
}

export function parseFile(file: string, content: string, errors: ConfigError[]): Written[] {
  const rows: Written[] = [];
  for (const [i, raw] of content
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const at = line.indexOf("=");
    const where = `${file}:${i + 1}`;
    if (at < 1) {
      errors.push(new ConfigError(`${where}: expected key = value, found ${JSON.stringify(line.slice(0, 60))}`));
      continue;
    }
    rows.push({ key: line.slice(0, at).trim(), text: unquoted(line.slice(at + 1).trim()), origin: "file", where });
  }
  return rows;
}

/** A comment may follow a value after a blank; quotes keep everything. */
function unquoted(t: string): string {
  const m = /^"((?:[^"\\]|\\.)*)"|^'([^']*)'/.exec(t);
  if (m) return (m[1] ?? m[2] ?? "").replace(/\\(.)/g, "$1");
  return t.replace(/\s+##.*$/, "").trim();
}

/** The plugins' files, when the directory is there. */
export function readDirectory(dir: string, errors: ConfigError[]): Written[] {
  let names: string[];
  try {
    names = readdirSync(dir)
      .filter((n) => n.endsWith(".conf"))
      .sort();
  } catch {
    return [];
  }
  return names.flatMap((n) => readFile(join(dir, n), errors));
}

const PREFIXES = ["EMQX_", "BAOMQ_"];

/**
 * `EMQX_MQTT__MAX_PACKET_SIZE` is mqtt.max_packet_size. Names that are no key and have no `__` are somebody else's
 * (container platforms put EMQX_PORT and the like there).
 */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>, known: (key: string) => boolean): Written[] {
  const rows: Written[] = [];
  for (const prefix of PREFIXES) {
    for (const [name, value] of Object.entries(env)) {
      if (!name.toUpperCase().startsWith(prefix) || value === undefined) continue;
      const key = name.slice(prefix.length).toLowerCase().replaceAll("__", ".");
      if (!known(key) && !name.includes("__")) continue;
      rows.push({ key, text: value, origin: "env", where: name });
    }
  }
  return rows;
}
