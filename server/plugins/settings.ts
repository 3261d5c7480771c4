/**
 * The values of one plugin's keys, and what a change through the API comes to. Whose word counts (file, API, environment, flag)
 * is the configuration's affair: it says for each key what stands on top.
 */
import type { Origin, SettingText } from "../config/types.ts";
import { hasMask, MASK, MASK_ALONE } from "../lib/mask.ts";
import { ValueError } from "../lib/units.ts";
import type { AnyPlugin, ConfigTable } from "./plugin.ts";

/** The keys of one plugin that anybody said something about. */
export type SettingSource = ReadonlyMap<string, SettingText>;
type Entry = ConfigTable[string];
/** Whoever starts the node has written it. */
const OF_FILES: ReadonlySet<Origin> = new Set(["file", "env", "flag"]);
/** One row of `GET plugin_configs`. */
export interface PluginConfigRow {
  key: string;
  /** Text as configured; "" when nothing stands for it in the file. */
  value: string;
  desc: string;
  required: boolean;
  type: string;
  default: string;
  enum?: string[];
  secret?: boolean;
  /** What the key is for, in words. */
  doc: string;
  origin: Origin;
  /** Set at once by `PUT /configs/:app`, without a restart of the plugin. */
  live: boolean;
}

export type PluginErrorKind = "already_started" | "not_started" | "not_found" | "refused" | "failed" | "unknown_key" | "bad_value";

/** Why the manager did not do what it was asked to. The message is for people and for the API, which knows `already_started` and the like. */
export class PluginError extends Error {
  override readonly name = "PluginError";
  constructor(
    readonly kind: PluginErrorKind,
    message: string = kind,
  ) {
    super(message);
  }
}

/** What a change of settings comes to: a text, null = as by default whatever the files say, undefined = what lies below. */
export type SettingChanges = ReadonlyMap<string, string | null | undefined>;

export class PluginSettings {
  private readonly table: ReadonlyMap<string, Entry>;
  /** Its `$name` keys: a change may have a thousand keys, and every plugin is asked for each whether it is one of those. */
  private readonly wild: readonly { row: string; like: RegExp }[];

  constructor(
    private readonly plugin: AnyPlugin,
    private written: SettingSource,
  ) {
    this.table = new Map(Object.entries(plugin.config));
    this.wild = [...this.table.keys()].flatMap((row) => {
      const like = wildcard(row);
      return like === null ? [] : [{ row, like }];
    });
  }

  /** As it stands in files, environment, flags and the API's layer. */
  get source(): SettingSource {
    return this.written;
  }

  /** Text and origin in force; null = nothing but the default. */
  private given(key: string): { text: string; origin: Origin } | null {
    const found = this.written.get(key);
    return found === undefined || found.text === null ? null : { text: found.text, origin: found.origin };
  }

  /** Every key's value. @throws PluginError naming the first bad one. */
  values(): Record<string, unknown> {
    return Object.fromEntries([...this.table.keys()].map((key) => [key, this.value(key)]));
  }

  /**
   * As they would be with these texts; the mask stands for a secret as it is. @throws PluginError naming the first bad one, or the secret that has
   * to be typed again
   */
  trial(texts: Readonly<Record<string, unknown>>): PluginSettings {
    const written = new Map(this.written);
    const typed = new Set<string>();
    for (const [key, given] of keyed(texts)) {
      const row = this.keyOf(key);
      if (typeof given !== "string") throw new PluginError("bad_value", `${key}: expected text`);
      if (this.isKept(key, row, given)) continue;
      this.parse(row, given, key);
      const isSecret = this.table.get(row)?.type === "secret";
      if (!isSecret && given !== this.given(key)?.text && hasMask(given, (t) => this.shownText(row, t)))
        throw new PluginError("bad_value", `${key}: ${MASK_ALONE}`);
      written.set(key, { text: given, origin: "api" });
      typed.add(key);
    }
    const astray = this.astray(() => written, typed);
    if (astray !== null) throw new PluginError("bad_value", astray);
    return new PluginSettings(this.plugin, written);
  }

  /**
   * With `next` in their place, is a secret that is kept sent to a server that it has not been sent to? Whoever may change settings may not read
   * secrets, and would have them from a server of their own; the servers of files, environment and flags are not theirs. `typed`: the keys whose
   * text was given anew. null = no, else why it cannot be.
   */
  astray(next: () => SettingSource, typed: ReadonlySet<string>): string | null {
    if (![...this.table.values()].some((entry) => entry.servers !== null)) return null;
    const then = new PluginSettings(this.plugin, next());
    const others = then.servers().filter(({ key }) => !OF_FILES.has(then.given(key)?.origin ?? "default"));
    const known = new Set(this.servers().map(({ server }) => server));
    for (const { key, entry } of then.texts()) {
      const text = then.given(key)?.text;
      if (typed.has(key) || !text || !isSent(entry, text)) continue;
      // One that comes back, such as that of a file behind another that is taken away, has not been sent to the servers given with that one.
      const isBack = text !== this.given(key)?.text;
      const other = others.find((o) => (isBack ? then.written.get(o.key)?.origin === "api" : !known.has(o.server)));
      if (other !== undefined) return `${other.key} names another server: ${key} has to be typed again, together with it`;
    }
    return null;
  }

  private servers(): { key: string; server: string }[] {
    return this.texts().flatMap(({ key, entry, text }) =>
      text === "" ? [] : (entry.servers?.(text) ?? []).map((server) => ({ key, server })),
    );
  }

  /** What is in force, of every plain key and of those that stand for a `$name` one. */
  private texts(): { key: string; entry: Entry; text: string }[] {
    return [...this.table].flatMap(([row, entry]) => {
      const keys = wildcard(row) === null ? [row] : [...this.written.keys()].filter((key) => wildcard(row)?.test(key));
      return keys.map((key) => ({ key, entry, text: this.given(key)?.text ?? (key === row ? this.unwritten(key, entry) : "") }));
    });
  }

  /** It is what is shown of a secret: that stays as it is. */
  private isKept(written: string, key: string, given: string): boolean {
    if (this.table.get(key)?.type === "secret") return given === MASK;
    const text = this.given(written)?.text ?? "";
    return text !== given && this.shownText(key, text) === given;
  }

  private shownText(key: string, text: string): string {
    return this.table.get(key)?.shown(text) ?? text;
  }

  /** Has the plain key the same text there? */
  isSame(key: string, other: PluginSettings): boolean {
    const text = (settings: PluginSettings): string | undefined => {
      const entry = settings.table.get(key);
      return settings.given(key)?.text ?? (entry && settings.unwritten(key, entry));
    };
    return text(this) === text(other);
  }

  value(key: string): unknown {
    const given = this.given(key);
    if (given !== null) return this.parse(key, given.text);
    const entry = this.table.get(key);
    return entry?.parse(this.unwritten(key, entry));
  }

  /** What counts where nobody said anything. */
  private unwritten(key: string, entry: Entry): string {
    return this.isLeftOut(key) ? (entry.unset ?? "") : entry.optional ? "" : entry.default;
  }

  /** Somebody has said which settings there are, in a file or through the API, and this one was not among them (EMQ X 3.1: then it is not set). */
  private isLeftOut(key: string): boolean {
    if (this.table.get(key)?.unset == null || this.given(key) !== null) return false;
    return this.written.get(key)?.text === null || [...this.written.values()].some((w) => w.origin === "file" && w.text !== null);
  }

  /** Keys that a `$name` key stands for: the part in its place -> value. */
  many(key: string): Map<string, unknown> {
    const found: [string, unknown][] = [];
    const like = wildcard(key);
    for (const [k, { text }] of this.written) {
      const part = like?.exec(k)?.[1];
      if (part !== undefined && text !== null) found.push([part, this.parse(key, text, k)]);
    }
    return new Map(found.sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true })));
  }

  /** @throws PluginError bad_value */
  private parse(key: string, text: string, shownAs: string = key): unknown {
    try {
      return this.table.get(key)?.parse(text);
    } catch (err) {
      if (err instanceof ValueError)
        throw new PluginError("bad_value", `${shownAs}: expected ${err.expected}, got ${JSON.stringify(this.shownText(key, text))}`);
      throw err;
    }
  }

  /** Is one of them a key of this plugin's? */
  hasAny(written: readonly string[]): boolean {
    return written.some((key) => this.rowOf(key) !== undefined);
  }

  private rowOf(written: string): string | undefined {
    return this.table.has(written) ? written : this.wild.find(({ like }) => like.test(written))?.row;
  }

  /** The table's key that a written key belongs to. @throws PluginError unknown_key */
  private keyOf(written: string): string {
    const like = this.rowOf(written);
    if (like === undefined) throw new PluginError("unknown_key", `${this.plugin.name} has no key ${written}`);
    return like;
  }

  rows(): PluginConfigRow[] {
    const rows: PluginConfigRow[] = [];
    for (const [key, entry] of this.named()) {
      if (entry.hidden) continue;
      const given = this.given(key);
      // Where the shipped file of 3.1 has a line, ours would have the default.
      const required = given !== null || (!this.written.has(key) && entry.required && !entry.optional && !this.isLeftOut(key));
      const secret = entry.type === "secret";
      const value = given === null ? (required ? entry.default : "") : entry.shown(given.text);
      rows.push({
        key,
        value,
        desc: entry.desc,
        required,
        type: entry.type,
        default: entry.optional ? "" : entry.default,
        ...(entry.choices && { enum: [...entry.choices] }),
        ...(secret && { secret }),
        doc: entry.doc,
        origin: given?.origin ?? "default",
        live: this.isLive(key) || this.plugin.inPlace === true,
      });
    }
    return rows.sort((a, b) => Number(b.required) - Number(a.required));
  }

  /** The table's keys, behind each `$name` key those that somebody wrote. */
  private named(): (readonly [string, Entry])[] {
    return [...this.table].flatMap(([key, entry]) => {
      const like = wildcard(key);
      const written = like === null ? [] : [...this.written.keys()].filter((k) => like.test(k) && !this.table.has(k));
      return [key, ...written].map((k) => [k, entry] as const);
    });
  }

  /** Is the key set in place while the plugin runs? */
  isLive(key: string): boolean {
    return Object.hasOwn(this.plugin.liveKeys ?? {}, key);
  }

  /**
   * What it takes to put these texts in place of the file's: keys left out fall back to their defaults. null = the file's again. The mask is for
   * whoever puts it into force: it leaves a secret as it is.
   * @throws PluginError naming the first key that is not one, or whose value is bad
   */
  replacement(texts: Readonly<Record<string, unknown>> | null): SettingChanges {
    const changes = new Map<string, string | null | undefined>();
    const mine = [...this.table.keys()].filter((key) => wildcard(key) === null);
    for (const key of new Set([...mine, ...this.written.keys()])) changes.set(key, texts === null ? undefined : null);
    for (const [written, given] of keyed(texts ?? {})) {
      const key = this.keyOf(written);
      if (typeof given !== "string") throw new PluginError("bad_value", `${written}: expected text`);
      this.parse(key, given, written);
      changes.set(written, given);
    }
    return changes;
  }

  /** A live key's value as the API shows it: numbers in base units, secrets masked, what has a form of its own as it is written. */
  shown(key: string, value: unknown): string {
    const text = this.given(key)?.text ?? this.table.get(key)?.default ?? "";
    if (value === null || value === undefined) return "";
    const isText = typeof value === "object" || this.table.get(key)?.type === "secret";
    return this.shownText(key, isText ? text : String(value));
  }

  /** What it takes to set one live key. The mask leaves a secret as it is. @throws PluginError */
  liveChange(key: string, text: string): SettingChanges {
    if (this.isLive(key) && this.isKept(key, key, text)) return new Map();
    if (!this.isLive(key)) throw new PluginError("unknown_key", `${key} is no key of ${this.plugin.name} that can be set while it runs`);
    this.parse(key, text);
    return new Map([[key, text]]);
  }

  /** Other texts are in force. Returns the keys of the table whose text has changed. */
  refresh(source: SettingSource): string[] {
    const text = (key: string): string | undefined => this.given(key)?.text;
    const wild = (key: string): string => JSON.stringify([...this.written].filter(([k, w]) => w.text !== null && wildcard(key)?.test(k)));
    const keys = [...this.table.keys()];
    const before = keys.map((key) => (wildcard(key) === null ? text(key) : wild(key)));
    this.written = source;
    return keys.filter((key, i) => (wildcard(key) === null ? text(key) : wild(key)) !== before[i]);
  }
}

/** It has secrets that other servers of the table are sent: what stands in a server's own address goes there alone. */
const isSent = ({ type, servers, stays, shown }: Entry, text: string): boolean =>
  !stays && (type === "secret" || (servers === null && shown(text) !== text));

/** EMQ X 3.1 lists `auth.ldap.ssl.keyfile` and `cacertfile` with a blank behind: who sends back what it listed means the same. */
const keyed = (texts: Readonly<Record<string, unknown>>): [key: string, given: unknown][] =>
  Object.entries(texts).map(([key, given]) => [key.trimEnd(), given]);

/** "a.$name.b" -> what fits it, the part in question captured; null for a plain key. `$n` is digits only. */
function wildcard(key: string): RegExp | null {
  if (!key.includes("$")) return null;
  const parts = key.split(".").map((p) => (p === "$n" ? "(\\d+)" : p.startsWith("$") ? "([^.]+)" : p.replace(/\W/g, "\\$&")));
  return new RegExp(`^${parts.join("\\.")}$`);
}
