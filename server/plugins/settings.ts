/**
 * The values of one plugin's keys and where each comes from. Layers, later ones win: default, file or environment, what
 * `PUT plugin_configs` put in place of the file (all keys at once), what `PUT /configs/:app` set one by one.
 */
import type { Origin } from "../config/types.ts";
import type { KvStore } from "../core/ports.ts";
import { ValueError } from "../lib/units.ts";
import type { AnyPlugin, ConfigTable } from "./plugin.ts";

export interface SettingText {
  text: string;
  origin: Origin;
}
/** Keys as written in files, environment and flags; those of other owners are ignored. */
export type SettingSource = ReadonlyMap<string, SettingText>;

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

/** Shown instead of a secret; sent back, it leaves the secret as it is. */
const HIDDEN = "******";

export class PluginSettings {
  private readonly table: ConfigTable;

  constructor(
    private readonly plugin: AnyPlugin,
    private written: SettingSource,
    private readonly kv: KvStore,
  ) {
    this.table = plugin.config;
  }

  /** As files and environment have it. */
  get source(): SettingSource {
    return this.written;
  }

  /** Text and origin in force; null = nothing but the default. */
  private given(key: string): SettingText | null {
    const live = this.live()[key];
    if (live !== undefined) return { text: live, origin: "api" };
    const put = this.put();
    if (put !== null) {
      const text = put[key];
      return text === undefined ? null : { text, origin: "api" };
    }
    return this.written.get(key) ?? null;
  }

  /** Every key's value. @throws PluginError naming the first bad one. */
  values(): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    for (const key of Object.keys(this.table)) out[key] = this.value(key);
    return out;
  }

  value(key: string): unknown {
    const given = this.given(key);
    return given === null ? this.fallback(key) : this.parse(key, given.text);
  }

  private fallback(key: string): unknown {
    const entry = this.table[key];
    return entry?.parse(entry.optional ? "" : entry.default);
  }

  /** Keys that a `$name` key stands for: the part in its place -> value. */
  many(key: string): Map<string, unknown> {
    const found: [string, unknown][] = [];
    const like = wildcard(key);
    const put = this.put();
    const texts = put ? Object.entries(put) : [...this.written].map(([k, s]): [string, string] => [k, s.text]);
    for (const [k, text] of texts) {
      const part = like?.exec(k)?.[1];
      if (part !== undefined) found.push([part, this.parse(key, text, k)]);
    }
    return new Map(found.sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true })));
  }

  /** @throws PluginError bad_value */
  private parse(key: string, text: string, shownAs: string = key): unknown {
    try {
      return this.table[key]?.parse(text);
    } catch (err) {
      if (err instanceof ValueError) throw new PluginError("bad_value", `${shownAs}: ${err.message}`);
      throw err;
    }
  }

  /** The table's key that a written key belongs to. @throws PluginError unknown_key */
  private keyOf(written: string): string {
    if (Object.hasOwn(this.table, written)) return written;
    const like = Object.keys(this.table).find((k) => wildcard(k)?.test(written));
    if (like === undefined) throw new PluginError("unknown_key", `${this.plugin.name} has no key ${written}`);
    return like;
  }

  rows(): PluginConfigRow[] {
    const put = this.put();
    const rows: PluginConfigRow[] = [];
    for (const [key, entry] of Object.entries(this.table)) {
      if (entry.hidden) continue;
      const given = this.given(key);
      // Where the shipped file of 3.1 has a line, ours would have the default.
      const required = given !== null || (put === null && entry.required && !entry.optional);
      const secret = entry.type === "secret";
      const value = given === null ? (required ? entry.default : "") : secret && given.text !== "" ? HIDDEN : given.text;
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
        live: this.plugin.liveKeys?.[key] !== undefined,
      });
    }
    return rows.sort((a, b) => Number(b.required) - Number(a.required));
  }

  /**
   * Put all keys in place of the file's; keys left out fall back to their defaults. null = the file's again.
   * Returns the function that restores what was before. @throws PluginError, then nothing is changed.
   */
  replace(texts: Readonly<Record<string, unknown>> | null): () => void {
    const before = { put: this.kv.get(this.id("config")), live: this.kv.get(this.id("live")) };
    const checked: Record<string, string> = {};
    for (const [written, given] of Object.entries(texts ?? {})) {
      const key = this.keyOf(written);
      if (typeof given !== "string") throw new PluginError("bad_value", `${written}: expected text`);
      const kept = this.table[key]?.type === "secret" && given === HIDDEN ? (this.given(written)?.text ?? this.table[key].default) : given;
      this.parse(key, kept, written);
      checked[written] = kept;
    }
    this.set("config", texts === null ? undefined : JSON.stringify(checked));
    this.set("live", undefined);
    return () => {
      this.set("config", before.put);
      this.set("live", before.live);
    };
  }

  /** Set one live key; returns its value. @throws PluginError, then nothing is changed. */
  setLive(key: string, text: string): unknown {
    if (!Object.hasOwn(this.plugin.liveKeys ?? {}, key)) {
      throw new PluginError("unknown_key", `${key} is no key of ${this.plugin.name} that can be set while it runs`);
    }
    const value = this.parse(key, text);
    this.set("live", JSON.stringify({ ...this.live(), [key]: text }));
    return value;
  }

  /** The files were read again. Returns the keys whose text in force has changed. */
  refresh(source: SettingSource): string[] {
    const text = (key: string): string | undefined => this.given(key)?.text;
    const wild = (): string => JSON.stringify(Object.keys(this.table).map((k) => (wildcard(k) ? [...this.many(k)] : 0)));
    const before = Object.keys(this.table).map(text);
    const wildBefore = wild();
    this.written = source;
    const changed = Object.keys(this.table).filter((key, i) => text(key) !== before[i]);
    if (wild() !== wildBefore) changed.push(...Object.keys(this.table).filter((k) => wildcard(k)));
    return changed;
  }

  private put(): Record<string, string> | null {
    const text = this.kv.get(this.id("config"));
    return text === undefined ? null : (JSON.parse(text) as Record<string, string>);
  }
  private live(): Record<string, string> {
    const text = this.kv.get(this.id("live"));
    return text === undefined ? {} : (JSON.parse(text) as Record<string, string>);
  }
  private id(what: string): string {
    return `${what}/${this.plugin.name}`;
  }
  private set(what: string, text: string | undefined): void {
    if (text === undefined) this.kv.delete(this.id(what));
    else this.kv.set(this.id(what), text);
  }
}

/** "a.$name.b" -> what fits it, the part in question captured; null for a plain key. `$n` is digits only. */
function wildcard(key: string): RegExp | null {
  if (!key.includes("$")) return null;
  const parts = key.split(".").map((p) => (p === "$n" ? "(\\d+)" : p.startsWith("$") ? "([^.]+)" : p.replace(/\W/g, "\\$&")));
  return new RegExp(`^${parts.join("\\.")}$`);
}
