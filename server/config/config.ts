/** The configuration: file, then environment, then flags, then what was changed through the API; each value knows where it is from. */
import { existsSync } from "node:fs";
import { ValueError } from "../lib/units.ts";
import { type KeyRow, Keys, type NamedTable } from "./keys.ts";
import { listenersOf } from "./listeners.ts";
import { CORE_KEYS } from "./schema.ts";
import { ConfigError, ConfigErrors, readDirectory, readEnvironment, readFile, type Written } from "./sources.ts";
import type { ListenerConfig, NodeConfig, Origin, ZoneConfig } from "./types.ts";
import { fillNode, fillZone } from "./zones.ts";

export type { NamedTable } from "./keys.ts";
export { ConfigError, ConfigErrors } from "./sources.ts";

export interface LoadOptions {
  /** The plugins' tables. */
  tables: readonly NamedTable[];
  /** Main configuration file; null = none. */
  file: string | null;
  env?: Readonly<Record<string, string | undefined>>;
  flags?: ReadonlyMap<string, string>;
}

export interface ConfigRow {
  key: string;
  /** As text; "" = unset. */
  value: string;
  default: string;
  type: string;
  expects: string;
  doc: string;
  origin: Origin;
  live: boolean;
  app: string;
  choices: readonly string[] | null;
  secret: boolean;
}

/** Later ones stand above earlier ones. */
const LAYERS: readonly Origin[] = ["file", "env", "flag", "api"];
const API_VERSION = "v3.1.0";

/** @throws ConfigErrors */
export function loadConfig(o: LoadOptions): Config {
  const keys = new Keys([{ app: "emqx", table: CORE_KEYS }, ...o.tables]);
  const errors: ConfigError[] = [];
  const main = o.file === null ? [] : readFile(o.file, errors);
  const env = readEnvironment(o.env ?? {}, (k) => keys.find(k) !== undefined);
  const flags = [...(o.flags ?? [])].map(([key, text]): Written => ({ key, text, origin: "flag", where: `--set ${key}` }));
  const config = new Config(keys, o);
  const etcDir = [...main, ...env, ...flags].findLast((w) => w.key === "plugins.etc_dir")?.text ?? "etc/plugins/";
  for (const w of [...readDirectory(etcDir, errors), ...main, ...env, ...flags]) {
    const error = config.write(w);
    if (error !== null) errors.push(error);
  }
  if (errors.length === 0) config.resolve(errors);
  if (errors.length > 0) throw new ConfigErrors(errors);
  return config;
}

export class Config {
  readonly #layers: Record<string, Map<string, string>> = Object.fromEntries(LAYERS.map((l) => [l, new Map()]));
  readonly #values = new Map<string, unknown>();
  readonly #zones = new Map<string, ZoneConfig>();
  readonly #node = { apiVersion: API_VERSION } as NodeConfig;
  readonly #watchers = new Set<{ prefix: string; fn: (key: string) => void }>();

  constructor(
    readonly keys: Keys,
    private readonly loaded: LoadOptions,
  ) {}

  // ---- values

  /** The value in the form of its type (ms, bytes, booleans …); null = unset. */
  get(key: string): unknown {
    if (!this.#values.has(key)) this.#values.set(key, this.#row(key).entry.parse(this.raw(key)));
    return this.#values.get(key);
  }

  /** As text; the default when nobody set it, "" for an unset optional key. */
  raw(key: string): string {
    const origin = this.origin(key);
    if (origin !== "default") return (this.#layers[origin] as Map<string, string>).get(key) as string;
    const { entry } = this.#row(key);
    return entry.optional ? "" : entry.default;
  }

  origin(key: string): Origin {
    return LAYERS.findLast((l) => (this.#layers[l] as Map<string, string>).has(key)) ?? "default";
  }

  #row(key: string): KeyRow {
    const row = this.keys.find(key);
    if (row === undefined) throw new Error(`unknown configuration key ${key}`);
    return row;
  }

  // ---- changes

  /** What is wrong with a value for a key; null = nothing. `text` null = back to what lower layers say. */
  check(key: string, text: string | null): string | null {
    const row = this.keys.find(key);
    if (row === undefined) return unknown(this.keys, key);
    if (text === null) return null;
    try {
      row.entry.parse(text);
      return null;
    } catch (err) {
      if (!(err instanceof ValueError)) throw err;
      return `${key} = ${row.entry.type === "secret" ? "******" : text}: expected ${row.entry.expects}`;
    }
  }

  /** Set (or, with null, unset) in a layer. Zones and node settings follow at once. Returns what is wrong, or null. */
  set(key: string, text: string | null, origin: Exclude<Origin, "default">): string | null {
    const error = this.check(key, text);
    if (error !== null) return error;
    const layer = this.#layers[origin] as Map<string, string>;
    if (text === null) layer.delete(key);
    else layer.set(key, text);
    this.#values.clear();
    this.resolve([]);
    for (const w of this.#watchers) if (key.startsWith(w.prefix)) w.fn(key);
    return null;
  }

  /**
   * Read the configuration files again; environment, flags and the API's changes stand above them as before. Returns the keys whose
   * value is another one now. @throws ConfigErrors when a file is bad; then everything stays as it was.
   */
  reread(): string[] {
    const fresh = loadConfig(this.loaded);
    const before = new Map([...this.written(), ...fresh.written()].map((key) => [key, this.raw(key)]));
    this.#layers.file = fresh.#layers.file as Map<string, string>;
    this.#values.clear();
    this.resolve([]);
    const changed = [...before].filter(([key, text]) => this.raw(key) !== text).map(([key]) => key);
    for (const key of changed) for (const w of this.#watchers) if (key.startsWith(w.prefix)) w.fn(key);
    return changed;
  }

  /** Take over one line of a source, without resolving. */
  write(w: Written): ConfigError | null {
    const error = this.check(w.key, w.text);
    if (error !== null) return new ConfigError(`${w.where}: ${error}`);
    (this.#layers[w.origin] as Map<string, string>).set(w.key, w.text);
    return null;
  }

  /** Hear of every change of a key that begins so. Returns the function that ends it. */
  onChange(prefix: string, fn: (key: string) => void): () => void {
    const watcher = { prefix, fn };
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  // ---- views

  /** Bring zones and node settings up to date; the objects stay the same, so everybody sees it. */
  resolve(errors: ConfigError[]): void {
    for (const name of new Set(["external", "internal", ...this.#namesOf("zone", 1)])) {
      const zone = this.#zones.get(name) ?? ({ name } as ZoneConfig);
      fillZone(this, zone);
      this.#zones.set(name, zone);
    }
    fillNode(this, this.#node);
    for (const l of this.listeners()) {
      if (!this.#zones.has(l.zone))
        errors.push(
          new ConfigError(`listener.${l.kind}.${l.name}.zone = ${l.zone}: there is no such zone; set zone.${l.zone}.* or use external`),
        );
    }
  }

  zones(): ReadonlyMap<string, ZoneConfig> {
    return this.#zones;
  }
  node(): NodeConfig {
    return this.#node;
  }
  listeners(): ListenerConfig[] {
    return listenersOf(this, existsSync);
  }

  /** Keys somebody set, of all layers. */
  written(): Set<string> {
    return new Set(LAYERS.flatMap((l) => [...(this.#layers[l] as Map<string, string>).keys()]));
  }

  /** Keys that were set and have no meaning here. */
  ignored(): { key: string; reason: string }[] {
    return [...this.written()].flatMap((key) => {
      const reason = this.#row(key).entry.ignored;
      return reason === null ? [] : [{ key, reason }];
    });
  }

  /** Every concrete key: placeholders are filled with the names there are. */
  entries(): ConfigRow[] {
    const seen = new Map<string, ConfigRow>();
    const written = this.written();
    for (const row of this.keys.rows) for (const key of this.#concrete(row.pattern)) if (!seen.has(key)) seen.set(key, this.#describe(key));
    for (const key of written) if (!seen.has(key)) seen.set(key, this.#describe(key));
    return [...seen.values()].filter((r) => this.#row(r.key).entry.ignored === null);
  }

  #describe(key: string): ConfigRow {
    const { entry, app } = this.#row(key);
    return {
      key,
      value: this.raw(key),
      default: entry.optional ? "" : entry.default,
      type: entry.type,
      expects: entry.expects,
      doc: entry.doc,
      origin: this.origin(key),
      live: entry.live,
      app,
      choices: entry.choices,
      secret: entry.type === "secret",
    };
  }

  #concrete(pattern: string): string[] {
    if (!pattern.includes("$")) return [pattern];
    if (pattern.includes("$n.") || pattern.endsWith("$n") || pattern.includes("$id")) return [];
    const parts = pattern.split(".");
    if (parts[0] === "zone") return [...this.#zones.keys()].map((n) => pattern.replace("$name", n));
    if (parts[0] !== "listener") return [];
    const names = new Set(this.#namesOf(`listener.${parts[1]}`, 2));
    names.add("external");
    if (parts[1] === "tcp") names.add("internal");
    return [...names].map((n) => pattern.replace("$name", n));
  }

  #namesOf(prefix: string, index: number): string[] {
    return [...this.written()].filter((k) => k.startsWith(`${prefix}.`)).map((k) => k.split(".")[index] as string);
  }

  /** Numbers of rows such as module.rewrite.rule.N that are set, in order. */
  numbers(prefix: string): number[] {
    const found = new Set<number>();
    for (const key of this.written()) {
      const n = key.startsWith(`${prefix}.`) ? Number(key.slice(prefix.length + 1).split(".")[0]) : Number.NaN;
      if (Number.isInteger(n)) found.add(n);
    }
    return [...found].sort((a, b) => a - b);
  }

  /** Names of the listeners of a kind that are set or shipped. */
  listenerNames(kind: string): string[] {
    const names = new Set(kind === "tcp" ? ["external", "internal"] : ["external"]);
    for (const n of this.#namesOf(`listener.${kind}`, 2)) names.add(n);
    return [...names];
  }
}

function unknown(keys: Keys, key: string): string {
  const like = keys.nearest(key);
  return `unknown key ${key}${like === null ? "; baomq config sample shows all keys" : `; did you mean ${like}?`}`;
}
