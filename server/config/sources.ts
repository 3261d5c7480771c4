/** Where settings are written: files (`key = value`, `##` comments) and the environment. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { whyUnreadable } from "../lib/file_errors.ts";
import type { Origin } from "./types.ts";

/** Those who need no plugin's file need not have it. */
const PLUGIN_FILES = "etc/plugins/";

/** One setting as somebody wrote it. */
export interface Written {
  key: string;
  text: string;
  origin: Origin;
  /** For messages: "etc/emqx.conf:12", "EMQX_MQTT__MAX_PACKET_SIZE", "--set mqtt.max_packet_size". */
  where: string;
  /** The plugin whose file it is in. */
  app?: string | undefined;
}

export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** `about`: the applications whose settings it concerns; null = it may be any's: a file that cannot be read, a key that nobody has. */
  constructor(
    message: string,
    readonly about: readonly string[] | null = null,
  ) {
    super(message);
  }
}

/** Those of the applications that are known; null = none is. */
export function aboutOf(...apps: (string | undefined)[]): string[] | null {
  const known = apps.filter((app) => app !== undefined);
  return known.length === 0 ? null : known;
}

/** All that is wrong, not only the first of it. */
export class ConfigErrors extends Error {
  override readonly name = "ConfigErrors";
  constructor(readonly errors: readonly ConfigError[]) {
    super(errors.map((e) => e.message).join("\n"));
  }
}

/** The lines of a file; what is wrong with it goes to `errors`. `app`: the plugin that it is for. */
function readFile(file: string, errors: ConfigError[], app?: string): Written[] {
  let textOfFile: string;
  try {
    textOfFile = readFileSync(file, "utf8");
  } catch (err) {
    errors.push(new ConfigError(`configuration file ${file} cannot be read: ${whyUnreadable(err)}`, aboutOf(app)));
    return [];
  }
  return parseFile(file, textOfFile, errors, app);
}

function parseFile(file: string, content: string, errors: ConfigError[], app?: string): Written[] {
  const rows: Written[] = [];
  for (const [i, raw] of content
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const where = `${file}:${i + 1}`;
    const [, key, text] = /^([^\s=]+)\s*=(.*)$/s.exec(line) ?? [];
    if (key === undefined || text === undefined) {
      const beginning = quotable(line);
      const found = beginning === "" ? "" : `, found ${JSON.stringify(cutShort(beginning, line))}`;
      errors.push(new ConfigError(`${where}: expected key = value${found}`, aboutOf(app)));
    } else rows.push({ key, text: unquoted(text.trim()), origin: "file", where, app });
  }
  return rows;
}

/**
 * The beginning that may be quoted of a line, or of a key that nobody has; "" = nothing. Whoever has the files read again hears of it: behind a key may
 * be a password, and what has no dot may be one, or the rest of one.
 */
export function quotable(text: string): string {
  const key = /^[\w.$-]{0,60}/.exec(text)?.[0] ?? "";
  return key.includes(".") ? key : "";
}

/** With what shows that there is more. */
export const cutShort = (quoted: string, text: string): string => (quoted === text ? quoted : `${quoted} …`);

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

/** `named`: where somebody says which it is. One that was meant and is not there would leave an authentication plugin without its settings. */
function readDirectory(named: Written | undefined, errors: ConfigError[]): PluginFile[] {
  const dir = named?.text ?? PLUGIN_FILES;
  let names: string[];
  try {
    names = readdirSync(dir)
      .filter((n) => n.endsWith(".conf"))
      .sort();
  } catch (err) {
    // Also where it is named: EMQ X's own file does.
    const isNotNeeded = (err as { code?: string }).code === "ENOENT" && resolve(dir) === resolve(PLUGIN_FILES);
    const where = named === undefined ? "" : `${named.where}: `;
    const why = `${where}plugins.etc_dir = ${dir}: expected the directory of the plugins' files, but it cannot be read: ${whyUnreadable(err)}`;
    if (!isNotNeeded) errors.push(new ConfigError(why));
    return [];
  }
  return names.map((name) => {
    const path = join(dir, name);
    const errors: ConfigError[] = [];
    const app = name.replace(/\.conf$/, "");
    return { path, app, lines: readFile(path, errors, app), errors };
  });
}

const PREFIXES = ["EMQX_", "BAOMQ_"];

/**
 * `EMQX_MQTT__MAX_PACKET_SIZE` is mqtt.max_packet_size. Names that are no key and have no `__` are somebody else's
 * (container platforms put EMQX_PORT and the like there).
 */
function readEnvironment(env: Readonly<Record<string, string | undefined>>, known: (key: string) => boolean): Written[] {
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

export interface SourceOptions {
  /** Main configuration file; null = none. */
  file: string | null;
  env?: Readonly<Record<string, string | undefined>>;
  flags?: ReadonlyMap<string, string>;
}

/** All that is written, and what cannot be read of it. `lines`: of the main file, then environment, then flags. */
export function readSources(
  o: SourceOptions,
  known: (key: string) => boolean,
): { lines: Written[]; files: PluginFile[]; errors: ConfigError[] } {
  const errors: ConfigError[] = [];
  const main = o.file === null ? [] : readFile(o.file, errors);
  const flags = [...(o.flags ?? [])].map(([key, text]): Written => ({ key, text, origin: "flag", where: `--set ${key}` }));
  const lines = [...main, ...readEnvironment(o.env ?? {}, known), ...flags];
  const files = readDirectory(
    lines.findLast((w) => w.key === "plugins.etc_dir"),
    errors,
  );
  return { lines, files, errors };
}
