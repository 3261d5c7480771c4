/**
 * Plugins of other people: *.ts, *.js or *.mjs files in `plugins.expand_plugins_dir`, imported by the running program. Their
 * default export is a manifest as plain data, so that such a file needs nothing of ours:
 *
 *   export default {
 *     name: "my_plugin",
 *     description: "What it does",
 *     version: "v1.0.0",
 *     activeByDefault: true,
 *     config: { "my_plugin.greeting": { type: "text", default: "hello", doc: "What it says." } },
 *     start(ctx) { ctx.hook("client.connected", (client) => ctx.log.info(ctx.config["my_plugin.greeting"], { clientid: client.clientId })); },
 *   };
 *
 * Its keys are set through the API, or in a file of the same name beside it (my_plugin.conf), as `key = value` lines.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve, sep } from "node:path";
import * as entries from "../lib/config_entry.ts";
import { wordsOf } from "../lib/errors.ts";
import type { AnyPlugin, ConfigTable } from "./plugin.ts";

/** A configuration key as plain data. */
export interface PlainEntry {
  type: "text" | "secret" | "flag" | "integer" | "number" | "bytes" | "duration" | "percent" | "address" | "list" | "enum";
  /** In the form of the file, e.g. "10s". Without one the key is unset (null) unless given. */
  default?: string | number | boolean;
  doc?: string;
  /** Of an enum. */
  choices?: string[];
  min?: number;
  max?: number;
}

/** A file that may be a plugin: read when the node starts and each time the plugin is loaded. */
export interface ExternalFile {
  readonly path: string;
  /** Name until the manifest tells a better one. */
  readonly stem: string;
}

export function externalFiles(dir: string): ExternalFile[] {
  if (dir === "" || !existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true })
    .filter((f) => !f.isDirectory() && /\.(?:ts|js|mjs)$/.test(f.name) && !f.name.endsWith(".d.ts") && !f.name.startsWith("."))
    .map((f) => ({ path: resolve(join(dir, f.name)), stem: f.name.replace(/\.\w+$/, "") }))
    .sort((a, b) => a.path.localeCompare(b.path));
}

/** Import the file as it is now. @throws Error that says what is wrong with it. */
export async function importExternal(file: ExternalFile): Promise<AnyPlugin> {
  forget(file.path);
  let module: { default?: unknown };
  try {
    module = (await import(file.path)) as { default?: unknown };
  } catch (err) {
    throw new Error(complaintsOf(err));
  }
  return manifestOf(module.default);
}

/** What stands in the list for a file that is no plugin. */
export function unusable({ path }: ExternalFile, name: string): AnyPlugin {
  return { name, description: `Cannot be used: ${path}`, version: "", activeByDefault: false, config: {}, start: () => {} };
}

export interface LineBeside {
  key: string;
  text: string;
  /** "dir/my_plugin.conf:3" */
  where: string;
}

/** The `key = value` lines of the file of the same name beside the plugin. @throws Error with file and line */
export function linesBeside(file: ExternalFile): LineBeside[] {
  const path = join(dirname(file.path), `${file.stem}.conf`);
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split(/\r?\n/)
    .flatMap((line, i) => {
      if (/^\s*(?:#.*)?$/.test(line)) return [];
      const [, key, text] = /^\s*([\w.-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      if (key === undefined || text === undefined) throw new Error(`${path}:${i + 1}: expected key = value`);
      return [{ key, text, where: `${path}:${i + 1}` }];
    });
}

/** Modules below the file's directory are read again at the next import: a changed plugin takes effect with load or reload. */
function forget(path: string): void {
  const require = createRequire(path);
  const dir = dirname(path) + sep;
  for (const id of Object.keys(require.cache)) if (id.startsWith(dir)) delete require.cache[id];
}

/** What the loader says of a file that does not compile: all its complaints, with their places. */
function complaintsOf(err: unknown): string {
  const parts = err instanceof AggregateError ? err.errors : [err];
  return parts
    .map((e: { position?: { line?: number; column?: number } | null } | null) => {
      const at = e?.position ? ` (line ${e.position.line}, column ${e.position.column})` : "";
      // The loader's complaints are no Errors, but have a message like them.
      return `${wordsOf((e as { message?: unknown } | null)?.message ?? e)}${at}`;
    })
    .join("; ");
}

function manifestOf(value: unknown): AnyPlugin {
  if (typeof value !== "object" || value === null) throw new Error("no default export that is a plugin manifest");
  const m = value as Record<string, unknown>;
  if (typeof m.name !== "string" || !/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(m.name)) throw new Error("name: expected letters, digits and _");
  if (typeof m.start !== "function") throw new Error("start: expected a function");
  const start = m.start as AnyPlugin["start"];
  const config = tableOf(m.config ?? {});
  return {
    name: m.name,
    description: typeof m.description === "string" ? m.description : "",
    version: typeof m.version === "string" ? m.version : "",
    activeByDefault: m.activeByDefault === true,
    config,
    liveKeys: liveKeysOf(m.liveKeys ?? [], config),
    // Called on the manifest, for those who use `this`.
    start: (ctx) => start.call(value as AnyPlugin, ctx),
  };
}

function tableOf(value: unknown): ConfigTable {
  if (typeof value !== "object" || value === null) throw new Error("config: expected an object of keys");
  return Object.fromEntries(Object.entries(value).map(([key, plain]) => [key, entryOf(key, plain as PlainEntry)]));
}

function liveKeysOf(value: unknown, config: ConfigTable): Record<string, string> {
  const keys = Array.isArray(value) ? value : Object.keys(value as object);
  for (const key of keys) if (!Object.hasOwn(config, String(key))) throw new Error(`liveKeys: ${key} is no key of config`);
  return Object.fromEntries(keys.map((key) => [key, config[key]?.type ?? ""]));
}

function entryOf(key: string, plain: PlainEntry): entries.Entry<unknown> {
  const given = plain?.default;
  const def = typeof given === "boolean" ? (given ? "on" : "off") : String(given ?? "");
  const doc = String(plain?.doc ?? "");
  const range = { ...(plain?.min !== undefined && { min: plain.min }), ...(plain?.max !== undefined && { max: plain.max }) };
  const make = (): entries.Entry<unknown> => {
    switch (plain?.type) {
      case "text":
        return entries.text(def, doc);
      case "secret":
        return entries.secret(def, doc);
      case "flag":
        return entries.flag(def as "on", doc);
      case "integer":
        return entries.integer(def, doc, range);
      case "number":
        return entries.number(def, doc, range);
      case "bytes":
        return entries.bytes(def, doc);
      case "duration":
        return entries.duration(def, doc);
      case "percent":
        return entries.percent(def, doc);
      case "address":
        return entries.address(def, doc);
      case "list":
        return entries.list(def, doc);
      case "enum":
        return entries.oneOf(plain.choices ?? [], def, doc);
      default:
        throw new Error(`config: ${key} has an unknown type`);
    }
  };
  const entry = make();
  if (given === undefined) return entries.optional(entry);
  try {
    entry.parse(def);
  } catch (err) {
    throw new Error(`config: ${key}: the default is wrong: ${wordsOf(err)}`);
  }
  return entry;
}
