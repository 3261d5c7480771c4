/** The configuration: file, then the API's changes, then environment, then flags; each value knows where it is from. */
import { existsSync } from "node:fs";
import { withoutSecrets } from "../lib/mask.ts";
import { ValueError } from "../lib/units.ts";
import { byDefault, type KeyRow, Keys, type NamedTable } from "./keys.ts";
import { type Given, type Layer, Layers, type Overridden } from "./layers.ts";
import { listenersOf } from "./listeners.ts";
import { rowOf, rowsOf } from "./rows.ts";
import { CORE_KEYS } from "./schema.ts";
import { aboutOf, ConfigError, ConfigErrors, type PluginFile, quotable, readSources, type SourceOptions, type Written } from "./sources.ts";
import type { ConfigRow, ListenerConfig, NodeConfig, Origin, SettingText, ZoneConfig } from "./types.ts";
import { fillNode, fillZone, keysByZone, plainZone, zoneOf } from "./zones.ts";

export type { NamedTable } from "./keys.ts";
export { ConfigError, ConfigErrors } from "./sources.ts";
export type { ConfigRow } from "./types.ts";

export interface LoadOptions extends SourceOptions {
  /** The plugins' tables. */
  tables: readonly NamedTable[];
}

const API_VERSION = "v3.1.0";
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for; tabs are harmless.
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;

/** @throws ConfigErrors */
export function loadConfig(o: LoadOptions): Config {
  const { config, errors } = readAll(o);
  if (errors.length > 0) throw new ConfigErrors(errors);
  config.resolve();
  return config;
}

/** With what is right of it, not resolved. */
function readAll(o: LoadOptions): { config: Config; errors: ConfigError[] } {
  const keys = new Keys([{ app: "emqx", table: CORE_KEYS }, ...o.tables]);
  const { lines, files, errors } = readSources(o, (k) => keys.find(k) !== undefined);
  const config = new Config(keys, o);
  for (const file of files) errors.push(...config.takePluginFile(file));
  errors.push(...lines.flatMap((w) => config.write(w) ?? []));
  return { config, errors };
}

export class Config {
  /** Files of the plugins' directory that nobody here can read: plugins that are not part of this build. */
  readonly foreignFiles: string[] = [];
  /** Plugins the node can do without -> what is wrong with their files. It counts when they are to run. */
  readonly faults = new Map<string, string>();
  readonly #layers: Layers;
  /** The API's words that wait for somebody who can use them: keys of plugins that are not built in are known when those are found. */
  readonly #strangers: Map<string, string | null>;
  readonly #values = new Map<string, unknown>();
  readonly #zones = new Map<string, ZoneConfig>();
  readonly #node = { apiVersion: API_VERSION } as NodeConfig;
  #hasBegun = false;
  readonly #isCopy: boolean;
  readonly #watchers = new Set<{ prefix: string; fn: (key: string) => void }>();

  constructor(
    readonly keys: Keys,
    private readonly loaded: LoadOptions,
    from: Config | null = null,
  ) {
    this.#layers = new Layers(from === null ? null : from.#layers);
    this.#strangers = new Map(from === null ? [] : from.#strangers);
    this.#isCopy = from !== null;
    for (const [name, zone] of from?.zones() ?? []) this.#zones.set(name, { ...zone });
  }

  // ---- values

  /** The value in the form of its type (ms, bytes, booleans …); null = unset. */
  get(key: string): unknown {
    if (!this.#values.has(key)) this.#values.set(key, this.#row(key).entry.parse(this.raw(key)));
    return this.#values.get(key);
  }

  /** The value of a key when nobody said anything about it. */
  shipped(key: string): unknown {
    const { entry } = this.#row(key);
    return entry.parse(byDefault(entry));
  }

  /** As text; the default when nobody set it, "" for an unset optional key. */
  raw(key: string): string {
    return this.#layers.top(key)?.text ?? byDefault(this.#row(key).entry);
  }

  /** What is shown of a text for a key. */
  shown = (key: string, text: string): string => (this.keys.find(key)?.entry.shown ?? withoutSecrets)(text);

  origin(key: string): Origin {
    return this.#layers.top(key)?.text === null ? "default" : this.#layers.origin(key);
  }

  /** Where the value in force was written, in words that read on after "is set". */
  where(key: string): string {
    return this.#layers.top(key)?.where ?? "by default";
  }

  /** What a file says of a key, in force or not; undefined = nothing. */
  line(key: string): string | undefined {
    return this.#layers.line(key)?.text ?? undefined;
  }

  /** It is one of the keys that a `$name` key stands for. */
  isMember(key: string): boolean {
    return this.keys.find(key)?.pattern.includes("$") === true;
  }

  /** Lines of files about one application, of which something else is in force. */
  overridden(app: string): Overridden[] {
    return this.#layers.overridden(this.#layers.keys()).filter(({ key }) => this.#row(key).app === app);
  }

  /** What the API's layer says of a key, in force or not; undefined = nothing, null = as by default. */
  override(key: string): string | null | undefined {
    const given = this.#layers.of("api").get(key);
    return given === undefined ? this.#strangers.get(key) : given.text;
  }

  /** Of how many keys the API's layer says something. */
  overrides(): number {
    return this.#layers.of("api").size + this.#strangers.size;
  }

  /** The environment or a flag stands above the API's layer; where it was written. null = neither. */
  fixedBy(key: string): string | null {
    return (this.#layers.of("flag").get(key) ?? this.#layers.of("env").get(key))?.where ?? null;
  }

  #row(key: string): KeyRow {
    const row = this.keys.find(key);
    if (row === undefined) throw new Error(`unknown configuration key ${key}`);
    return row;
  }

  // ---- changes

  /** What is wrong with a value for a key; null = nothing. `text` null = back to what lower layers say. `quoted`: of a key that nobody has. */
  check(key: string, text: string | null, quoted: string = key): string | null {
    const row = this.keys.find(key);
    if (row === undefined) return this.keys.unknown(key, quoted);
    if (text === null) return null;
    const shown = row.entry.shown(text);
    // What no file could say; a file's name with NUL in it is refused by everybody who gets it.
    if (CONTROL.test(text)) return `${key} = ${JSON.stringify(shown)}: expected one line without control characters`;
    try {
      row.entry.parse(text);
      return null;
    } catch (err) {
      if (!(err instanceof ValueError)) throw err;
      // Some say more of this very text.
      const expected = err.expected.startsWith(row.entry.expects) ? err.expected : row.entry.expects;
      return `${key} = ${shown}: expected ${expected}`;
    }
  }

  /** As `check`, for a value of the API's layer. */
  checkOverride(key: string, text: string | null): string | null {
    const isEarly = this.keys.find(key)?.entry.early === true && text !== null;
    const early = `${key} is needed before anything kept in the data directory is read: set it in the configuration file, environment or by --set`;
    return isEarly ? early : this.check(key, text);
  }

  /**
   * The API's layer says something else of these keys: a text, null = as by default, undefined = nothing any more. Zones, node
   * settings and watchers follow at once. The values must have been checked.
   */
  change(changes: ReadonlyMap<string, string | null | undefined>): void {
    for (const [key, text] of changes) this.#override(key, text);
    this.#values.clear();
    // Other keys may stand for those of every zone.
    const isOfZones = [...changes.keys()].every((key) => key.startsWith("zone."));
    this.resolve(isOfZones ? new Set([...changes.keys()].map(zoneOf)) : null);
    for (const key of changes.keys()) for (const w of this.#watchers) if (key.startsWith(w.prefix)) w.fn(key);
  }

  #override(key: string, text: string | null | undefined): void {
    this.#layers.of("api").delete(key);
    this.#strangers.delete(key);
    if (text === undefined) return;
    const isUsable = this.keys.find(key) !== undefined && this.check(key, text) === null;
    if (isUsable) this.#layers.of("api").set(key, { text, where: "through the API" });
    else this.#strangers.set(key, text);
  }

  /** A configuration as this one would be with the changes; nobody else sees it. */
  with(changes: ReadonlyMap<string, string | null | undefined>): Config {
    const copy = new Config(this.keys, this.loaded, this);
    copy.change(changes);
    return copy;
  }

  /**
   * Read the configuration files again; what stands above them stays. `changed`: the keys whose value is another one now. `overridden`: lines that
   * are others now, but not in force.
   * @throws ConfigErrors when a file is bad (that of a plugin: when it runs); then everything stays as it was.
   */
  reread(runs: (plugin: string) => boolean): { changed: string[]; overridden: Overridden[] } {
    const fresh = loadConfig(this.loaded);
    const faults = [...fresh.faults].filter(([app]) => runs(app));
    if (faults.length > 0) throw new ConfigErrors(faults.map(([, words]) => new ConfigError(words)));
    const before = new Map([...this.written(), ...fresh.written()].map((key) => [key, this.raw(key)]));
    const others = [...fresh.#layers.of("file")].filter(([key, { text }]) => this.line(key) !== text).map(([key]) => key);
    this.#layers.replace("file", fresh.#layers.of("file"));
    this.faults.clear();
    for (const [app, words] of fresh.faults) this.faults.set(app, words);
    this.#values.clear();
    this.resolve();
    const changed = [...before].filter(([key, text]) => this.raw(key) !== text).map(([key]) => key);
    for (const key of changed) for (const w of this.#watchers) if (key.startsWith(w.prefix)) w.fn(key);
    return { changed, overridden: this.#layers.overridden(others) };
  }

  /** Read again what the files say of one application, whatever is wrong with others. Returns what takes it back. @throws ConfigErrors */
  rereadOf(app: string): () => void {
    const { config: fresh, errors } = readAll(this.loaded);
    const own = errors.filter(({ about }) => about === null || about.includes(app));
    if (own.length > 0) throw new ConfigErrors(own);
    const isOwn = ([key]: [string, unknown]): boolean => this.keys.find(key)?.app === app;
    const [before, fault] = [[...this.#layers.of("file")].filter(isOwn), this.faults.get(app)];
    this.#takeLines(app, isOwn, [...fresh.#layers.of("file")].filter(isOwn), fresh.faults.get(app));
    return () => this.#takeLines(app, isOwn, before, fault);
  }

  /** Lines of other applications stay as they are by then. */
  #takeLines(app: string, isOwn: (line: [string, Given]) => boolean, lines: [string, Given][], fault: string | undefined): void {
    const rest = [...this.#layers.of("file")].filter((line) => !isOwn(line));
    this.#layers.replace("file", new Map([...rest, ...lines]));
    this.faults.delete(app);
    if (fault !== undefined) this.faults.set(app, fault);
    this.#values.clear();
  }

  /** Take over one line of a source, without resolving. */
  write(w: Written, layer: Layer = w.origin === "default" ? "file" : w.origin): ConfigError | null {
    const error = this.check(w.key, w.text, quotable(w.key));
    if (error !== null) return new ConfigError(`${w.where}: ${error}`, aboutOf(w.app, this.keys.find(w.key)?.app));
    const where = w.origin === "file" ? `in ${w.where}` : w.origin === "env" ? `by ${w.where} in the environment` : `by ${w.where}`;
    this.#layers.of(layer).set(w.key, { text: w.text, where });
    return null;
  }

  /** Returns what is wrong with it, where that keeps the node from starting. */
  takePluginFile(file: PluginFile): ConfigError[] {
    const owner = this.keys.app(file.app);
    const isReadable = file.errors.length === 0 && file.lines.length > 0;
    const knowsNoKey = !file.lines.some((w) => this.keys.knowsFirst(w.key.split(".")[0] as string));
    if (owner === undefined && (file.app.startsWith("emqx_") || (isReadable && knowsNoKey))) {
      this.foreignFiles.push(file.path);
      return [];
    }
    const errors = [...file.errors, ...file.lines.flatMap((w) => this.write(w) ?? [])];
    if (errors.length === 0 || owner === undefined || owner.required === true) return errors;
    this.faults.set(file.app, errors.map((e) => e.message).join("; "));
    return [];
  }

  /**
   * A plugin that is not built in has come (again), with the lines of the file beside it. Returns what takes it back.
   * @throws ConfigErrors; then everything is as it was
   */
  adopt(table: NamedTable, lines: readonly Omit<Written, "origin">[]): () => void {
    const own = new Keys([table]);
    const errors = lines.filter((w) => own.find(w.key) === undefined);
    const told = (key: string): string => (quotable(key) === key ? `key ${key}` : "such key");
    if (errors.length > 0) throw new ConfigErrors(errors.map((w) => new ConfigError(`${w.where}: ${table.app} has no ${told(w.key)}`)));
    const { app } = table;
    const former = this.keys.app(app);
    const both = new Keys(former === undefined ? [table] : [former, table]);
    const isOwn = ([key]: [string, unknown]): boolean => both.find(key) !== undefined;
    const [beside, strangers] = [[...this.#layers.of("beside")].filter(isOwn), this.strangers()];
    const takeBack = (): void => {
      for (const key of strangers) this.#setAside(key);
      this.#takeTable(app, former, isOwn, beside);
    };
    this.#takeTable(app, table, isOwn, []);
    const wrong = lines.flatMap((w) => this.write({ ...w, origin: "file" }, "beside") ?? []);
    if (wrong.length === 0) return takeBack;
    takeBack();
    throw new ConfigErrors(wrong);
  }

  /** Another table, and other lines beside it. What the API says of a key waits while nobody has it, and then for somebody who can use it. */
  #takeTable(app: string, table: NamedTable | undefined, isOwn: (line: [string, unknown]) => boolean, beside: [string, Given][]): void {
    this.keys.put(app, table);
    const rest = [...this.#layers.of("beside")].filter((line) => !isOwn(line));
    this.#layers.replace("beside", new Map([...rest, ...beside]));
    // Where a key stays its value does, usable or not: whoever reads it says what is wrong, instead of going without it in silence.
    for (const key of [...this.#layers.of("api").keys()]) if (this.keys.find(key) === undefined) this.#setAside(key);
    // A copy: what stays one is put behind the others.
    for (const [key, text] of [...this.#strangers]) this.#override(key, text);
    this.#values.clear();
  }

  /** What the API says of it does not count, until somebody has the key who can use it. */
  #setAside(key: string): void {
    const given = this.#layers.of("api").get(key);
    if (given === undefined) return;
    this.#layers.of("api").delete(key);
    this.#strangers.set(key, given.text);
  }

  /** Hear of every change of a key that begins so. Returns the function that ends it. */
  onChange(prefix: string, fn: (key: string) => void): () => void {
    const watcher = { prefix, fn };
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  // ---- views

  /** Bring zones and node settings up to date; the objects stay the same, so everybody sees it. `only`: the zones that may be new or changed. */
  resolve(only: ReadonlySet<string> | null = null): void {
    const plain = plainZone(this);
    const own = keysByZone([...this.keys.exact("zone."), ...this.written()]);
    for (const name of new Set([...own.keys(), ...this.#zones.keys()])) {
      // When nobody says anything of a zone any more it stays for whoever is in it, until the next start: a copy shows what that finds.
      if (this.#isCopy && !own.has(name)) {
        this.#zones.delete(name);
        continue;
      }
      const known = this.#zones.get(name);
      if (known !== undefined && only?.has(name) === false) continue;
      const zone = known ?? ({ name } as ZoneConfig);
      fillZone(this, zone, plain, own.get(name) ?? []);
      this.#zones.set(name, zone);
    }
    fillNode(this, this.#node, this.#hasBegun);
  }

  /** A node runs with it from now on: what it is called is no longer changed by `change`. */
  begin(): void {
    this.#hasBegun = true;
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

  /** Known keys somebody set, of all layers. */
  written(): Set<string> {
    return this.#layers.keys();
  }

  /** What was said of one application's keys, by text. */
  texts(app: string): Map<string, SettingText> {
    const texts = new Map<string, SettingText>();
    for (const key of this.written()) {
      if (this.#row(key).app !== app) continue;
      texts.set(key, { text: this.#layers.top(key)?.text ?? null, origin: this.#layers.origin(key) });
    }
    return texts;
  }

  /** Keys of the API's layer that nobody knows, e.g. of a plugin that is gone, or whose plugin cannot use what was set (`unusableOf`). */
  strangers(): string[] {
    return [...this.#strangers.keys()];
  }

  /** Keys that were set, to something else than their default, and have no meaning here. */
  ignored(): { key: string; reason: string }[] {
    return [...this.written()].flatMap((key) => {
      const { entry } = this.#row(key);
      const reason = entry.ignored ?? (this.raw(key) === entry.default ? null : entry.inert);
      return reason === null ? [] : [{ key, reason }];
    });
  }

  /** Every key, as in `rowsOf`. */
  entries = (): Iterable<ConfigRow> => rowsOf(this);

  /** One key, as in `entries`; undefined = unknown, or without a meaning here. */
  row = (key: string): ConfigRow | undefined => rowOf(this, key);

  #namesOf(prefix: string, index: number, keys: Iterable<string> = this.written()): string[] {
    return [...keys].filter((k) => k.startsWith(`${prefix}.`)).map((k) => k.split(".")[index] as string);
  }

  /** What stands for the `$id` of rows such as module.rewrite.rule.$id that are set (among these keys), numbers by their size. */
  ids(prefix: string, keys?: Iterable<string>): string[] {
    const found = new Set(this.#namesOf(prefix, prefix.split(".").length, keys));
    return [...found].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  }

  /** Names of the listeners of a kind that are set or shipped. */
  listenerNames(kind: string): string[] {
    const names = new Set(kind === "tcp" ? ["external", "internal"] : ["external"]);
    for (const n of this.#namesOf(`listener.${kind}`, 2)) names.add(n);
    return [...names];
  }
}
