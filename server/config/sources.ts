/** Where settings are written: files (`key = value`, `##` comments) and the environment. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { whyUnreadable } from "../lib/file_errors.ts";
import type { Origin } from "./types.ts";

/** One setting as somebody wrote it. */
export interface Written {
  key: string;
  text: string;
  origin: Origin;
  /** For messages: "etc/emqx.conf:12", "EMQX_MQTT__MAX_PACKET_SIZE", "--set mqtt.max_packet_size". */
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

/** The lines of a file; what is wrong with it goes to `errors`. */
export function readFile(file: string, errors: ConfigError[]): Written[] {
  let textOfFile: string;
  try {
    textOfFile = readFileSync(file, "utf8");
  } catch (err) {
    errors.push(new ConfigError(`configuration file ${file} cannot be read: ${whyUnreadable(err)}`));
    return [];
  }
  return parseFile(file, textOfFile, errors);
}

function parseFile(file: string, content: string, errors: ConfigError[]): Written[] {
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

/** One file of the plugins' directory. */
export interface PluginFile {
  path: string;
  /** The plugin it is for, going by its name: "emqx_retainer" of emqx_retainer.conf. */
  app: string;
  lines: Written[];
  errors: ConfigError[];
}

/** The plugins' files, when the directory is there. */
export function readDirectory(dir: string): PluginFile[] {
  let names: string[];
  try {
    names = readdirSync(dir)
      .filter((n) => n.endsWith(".conf"))
      .sort();
  } catch {
    return [];
  }
  return names.map((name) => {
    const path = join(dir, name);
    const errors: ConfigError[] = [];
    return { path, app: name.replace(/\.conf$/, ""), lines: readFile(path, errors), errors };
  });
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
