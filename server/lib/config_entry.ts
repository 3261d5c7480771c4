/**
 * One row of a configuration table: what a key holds, its default, its words. The core's table and every plugin's are made of these:
 *
 *   config: {
 *     "retainer.max_payload_size": bytes("1MB", "Larger retained payloads are not stored."),
 *     "retainer.storage_type": oneOf(["ram", "disc", "disc_only"], "disc", "Where retained messages live."),
 *     "auth.mysql.password": optional(secret("", "Password of the database account.")),
 *     "web.hook.rule.client.connected.$name": optional(text("", "One rule.")),
 *   }
 *
 * A `$name` or `$n` part of a key stands for any one part ($n: digits only).
 */
import { MASK, withoutSecrets } from "./mask.ts";
import {
  type Address,
  type ByteRate,
  EXPECTS_ADDRESS,
  EXPECTS_BYTE_RATE,
  EXPECTS_BYTES,
  EXPECTS_DURATION,
  EXPECTS_FLAG,
  EXPECTS_PERCENT,
  EXPECTS_RATE,
  expectsInteger,
  parseAddress,
  parseByteRate,
  parseBytes,
  parseDuration,
  parseFlag,
  parseInteger,
  parseList,
  parseNumber,
  parsePercent,
  parseRate,
  type Rate,
  ValueError,
} from "./units.ts";

export type EntryType =
  | "text"
  | "secret"
  | "enum"
  | "flag"
  | "integer"
  | "number"
  | "bytes"
  | "duration"
  | "percent"
  | "rate"
  | "byte_rate"
  | "address"
  | "list";

export interface EntryOptions {
  /** False: a change takes effect at the next start. Default true. */
  live?: boolean;
  /** True: needed before the store is open, so that what the API keeps there cannot change it. Default false. */
  early?: boolean;
  /** False: the key has a default but does not stand in the shipped file (the API lists it as not required). Default true. */
  required?: boolean;
  /** True: never listed by the API's plugin configuration. */
  hidden?: boolean;
  /** The description EMQ X 3.1's API gave for the key, where it gave one. */
  desc?: string;
  /** What it is where a plugin has a file that leaves it out: EMQ X 3.1 had no default, the line stood in the shipped file. */
  unset?: string;
}

export interface Entry<T> {
  readonly type: EntryType;
  /** Reads on after "expected ". */
  readonly expects: string;
  /** In the form of the file. Of an optional key: the example, while the default is unset (null). */
  readonly default: string;
  /** Unset unless given: `parse("")` is null. */
  readonly optional: boolean;
  readonly doc: string;
  readonly live: boolean;
  readonly early: boolean;
  readonly required: boolean;
  readonly hidden: boolean;
  readonly desc: string;
  /** null = its default. */
  readonly unset: string | null;
  readonly choices: readonly string[] | null;
  /** Why the key has no effect here and is not shown among the settings; null when it has one. */
  readonly ignored: string | null;
  /** Why the key, though checked and shown, changes nothing here; null when it does. */
  readonly inert: string | null;
  /** The servers outside that a text names, each in one spelling: secrets of the same table are sent there. null = it names none. */
  readonly servers: ((text: string) => readonly string[]) | null;
  /** Of a secret: it is sent to nobody. */
  readonly stays: boolean;
  /** What is shown of a text: of a secret nothing. Sent back as it is, it leaves what stands there. */
  shown(text: string): string;
  /** @throws ValueError */
  parse(text: string): T;
}

/** A table may hold any entries: the value type is recovered per key by `ValueOf`. */
export type ConfigTable = Readonly<Record<string, Entry<unknown>>>;
export type ValueOf<E> = E extends Entry<infer T> ? T : never;
/** Key -> value type of a table, e.g. `ValuesOf<typeof manifest.config>`. */
export type ValuesOf<Table> = { readonly [K in keyof Table]: ValueOf<Table[K]> };

interface Spec<T> {
  type: EntryType;
  expects: string;
  choices?: readonly string[];
  shown?(text: string): string;
  parse(text: string): T;
}

function entry<T>(spec: Spec<T>, def: string, doc: string, o: EntryOptions): Entry<T> {
  return {
    type: spec.type,
    expects: spec.expects,
    default: def,
    optional: false,
    doc,
    live: o.live ?? true,
    early: o.early ?? false,
    required: o.required ?? true,
    hidden: o.hidden ?? false,
    desc: o.desc ?? "",
    unset: o.unset ?? null,
    choices: spec.choices ?? null,
    ignored: null,
    inert: null,
    servers: null,
    stays: false,
    shown: spec.shown ?? withoutSecrets,
    parse: spec.parse,
  };
}

/** Unset by default; the entry's default becomes the example shown commented out. Setting "" unsets it. */
export function optional<T>(e: Entry<T>): Entry<T | null> {
  const { servers } = e;
  return {
    ...e,
    optional: true,
    required: false,
    servers: servers && ((t) => (t.trim() === "" ? [] : servers(t))),
    parse: (t) => (t.trim() === "" ? null : e.parse(t)),
  };
}

/** Accepted because EMQ X 3.1 has the key, without effect here. `default` is what 3.1 shipped. */
export function ignored(def: string, reason: string, o: EntryOptions = {}): Entry<string> {
  return { ...entry({ type: "text", expects: "any text", parse: (t) => t }, def, reason, { live: false, ...o }), ignored: reason };
}

/** Checked and shown as EMQ X 3.1 did, because its answers and forms have the key, but without effect; its words say why. */
export function inert<T>(e: Entry<T>, reason: string): Entry<T> {
  return { ...e, doc: `${e.doc} Without effect: ${reason}`.trim(), inert: reason };
}

/** It says where a server outside is, or is part of that, such as a port. */
export function leadsTo<T>(e: Entry<T>, servers: (value: T) => readonly string[]): Entry<T> {
  return { ...e, servers: (t) => servers(e.parse(t)) };
}

/** A secret that never leaves the node: servers outside may be others without its being given again. */
export function stays(e: Entry<string>): Entry<string> {
  return { ...e, stays: true };
}

/** There may be secrets in it, in a form of its own. */
export function withSecrets<T>(e: Entry<T>, shown: (text: string) => string): Entry<T> {
  return { ...e, shown };
}

export function text(def: string, doc: string, o: EntryOptions = {}): Entry<string> {
  return entry({ type: "text", expects: "text", parse: (t) => t }, def, doc, o);
}

/** Text that must have a form, e.g. a URL. */
export function pattern(def: string, re: RegExp, expects: string, doc: string, o: EntryOptions = {}): Entry<string> {
  const parse = (t: string) => {
    if (!re.test(t)) throw new ValueError(t, expects);
    return t;
  };
  return entry({ type: "text", expects, parse }, def, doc, o);
}

/** Text with a meaning of its own. `read`: null = it has none; `expects` reads on after "expected ". */
export function parsed<T>(def: string, expects: string, read: (text: string) => T | null, doc: string, o: EntryOptions = {}): Entry<T> {
  const parse = (t: string): T => {
    const value = read(t.trim());
    if (value === null) throw new ValueError(t, expects);
    return value;
  };
  return entry({ type: "text", expects, parse }, def, doc, o);
}

/** Like text, but its value is never shown or logged. */
export function secret(def: string, doc: string, o: EntryOptions = {}): Entry<string> {
  const shown = (t: string): string => (t === "" ? "" : MASK);
  return entry({ type: "secret", expects: "text", shown, parse: (t) => t }, def, doc, o);
}

export function flag(def: "on" | "off" | "true" | "false", doc: string, o: EntryOptions = {}): Entry<boolean> {
  return entry({ type: "flag", expects: EXPECTS_FLAG, parse: parseFlag }, def, doc, o);
}

export function integer(def: string | number, doc: string, o: EntryOptions & { min?: number; max?: number } = {}): Entry<number> {
  const min = o.min ?? 0;
  const max = o.max ?? Number.MAX_SAFE_INTEGER;
  return entry({ type: "integer", expects: expectsInteger(min, max), parse: (t) => parseInteger(t, min, max) }, String(def), doc, o);
}

export function number(def: string | number, doc: string, o: EntryOptions & { min?: number; max?: number } = {}): Entry<number> {
  const parse = (t: string) => parseNumber(t, o.min, o.max);
  return entry({ type: "number", expects: "a number such as 0.75", parse }, String(def), doc, o);
}

/** Value in bytes. */
export function bytes(def: string, doc: string, o: EntryOptions = {}): Entry<number> {
  return entry({ type: "bytes", expects: EXPECTS_BYTES, parse: parseBytes }, def, doc, o);
}

/** Value in bytes; 0 = none, else no less than `least`, a size in words. */
export function bytesFrom(least: string, def: string, doc: string, o: EntryOptions = {}): Entry<number> {
  const expects = `0, or ${EXPECTS_BYTES}, at least ${least}`;
  const min = parseBytes(least);
  const parse = (t: string): number => {
    const n = parseBytes(t);
    if (n > 0 && n < min) throw new ValueError(t, expects);
    return n;
  };
  return entry({ type: "bytes", expects, parse }, def, doc, o);
}

/** Value in milliseconds. `least` and `most`: bounds, in words such as "100ms". */
export function duration(def: string, doc: string, o: EntryOptions & { least?: string; most?: string } = {}): Entry<number> {
  const { least, most, ...rest } = o;
  if (least === undefined || most === undefined)
    return entry({ type: "duration", expects: EXPECTS_DURATION, parse: parseDuration }, def, doc, rest);
  const expects = `${EXPECTS_DURATION}, from ${least} to ${most}`;
  const [min, max] = [parseDuration(least), parseDuration(most)];
  const parse = (t: string): number => {
    const ms = parseDuration(t);
    if (ms < min || ms > max) throw new ValueError(t, expects);
    return ms;
  };
  return entry({ type: "duration", expects, parse }, def, doc, rest);
}

/** Value 0 to 100. */
export function percent(def: string, doc: string, o: EntryOptions = {}): Entry<number> {
  return entry({ type: "percent", expects: EXPECTS_PERCENT, parse: parsePercent }, def, doc, o);
}

/** "10,1m" */
export function rate(def: string, doc: string, o: EntryOptions = {}): Entry<Rate> {
  return entry({ type: "rate", expects: EXPECTS_RATE, parse: parseRate }, def, doc, o);
}

/** "1KB,4KB": bytes per second and burst. */
export function byteRate(def: string, doc: string, o: EntryOptions = {}): Entry<ByteRate> {
  return entry({ type: "byte_rate", expects: EXPECTS_BYTE_RATE, parse: parseByteRate }, def, doc, o);
}

/** Port, or address and port. Listening on it ends with a change, so it is not live unless said. */
export function address(def: string, doc: string, o: EntryOptions = {}): Entry<Address> {
  return entry({ type: "address", expects: EXPECTS_ADDRESS, parse: parseAddress }, def, doc, { live: false, ...o });
}

/** Comma-separated. */
export function list(def: string, doc: string, o: EntryOptions = {}): Entry<string[]> {
  return entry({ type: "list", expects: "a comma-separated list", parse: parseList }, def, doc, o);
}

/** Comma-separated words of a fixed list; at least one. */
export function listOf<const C extends string>(choices: readonly C[], def: string, doc: string, o: EntryOptions = {}): Entry<C[]> {
  const expects = `one or more of ${choices.join(", ")}, with commas between them`;
  const parse = (t: string) => {
    const words = parseList(t.toLowerCase()).map((w) => choices.find((c) => c === w));
    if (words.length === 0 || words.includes(undefined)) throw new ValueError(t, expects);
    return words as C[];
  };
  return entry({ type: "list", expects, parse }, def, doc, o);
}

export function oneOf<const C extends string>(choices: readonly C[], def: C, doc: string, o: EntryOptions = {}): Entry<C> {
  const expects = choices.length === 1 ? String(choices[0]) : `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  const parse = (t: string) => {
    const hit = choices.find((c) => c === t.trim().toLowerCase()) ?? choices.find((c) => c === t.trim());
    if (hit === undefined) throw new ValueError(t, expects);
    return hit;
  };
  return entry({ type: "enum", expects, choices, parse }, def, doc, o);
}
