/** The API's layer as the store keeps it: what was changed through the API, one row a key. */
import type { Config } from "./config.ts";
import type { SettingProblem } from "./types.ts";

/** Namespaces of the store: key -> text, and keys that are as by default whatever the files say. */
export const OVERRIDES = "settings";
export const DEFAULTED = "settings/default";

interface Rows {
  set(key: string, value: string): void;
  delete(key: string): void;
  entries(): Iterable<[string, string]>;
}
/** null = as by default; undefined = taken back. */
export type Changes = ReadonlyMap<string, string | null | undefined>;

export class Overrides {
  readonly #texts: Rows;
  readonly #defaulted: Rows;

  constructor(kv: (namespace: string) => Rows) {
    this.#texts = kv(OVERRIDES);
    this.#defaulted = kv(DEFAULTED);
  }

  read(): Map<string, string | null> {
    return overridesOf([...this.#texts.entries()], [...this.#defaulted.entries()]);
  }

  write(changes: Changes): void {
    for (const [key, text] of changes) {
      this.#texts.delete(key);
      this.#defaulted.delete(key);
      if (text === null) this.#defaulted.set(key, "");
      else if (text !== undefined) this.#texts.set(key, text);
    }
  }
}

export function overridesOf(texts: Iterable<[string, string]>, defaulted: Iterable<[string, string]>): Map<string, string | null> {
  return new Map<string, string | null>([...[...defaulted].map(([key]): [string, null] => [key, null]), ...texts]);
}

/** A value of the API's layer that the node does without. */
export interface SetAside {
  /** As set; null = as by default. */
  text: string | null;
  why: string;
}

/**
 * Put the API's layer into a configuration, as far as the node starts with it: a value that does not fit (any more), or with which
 * `problems` finds something wrong, is left out, and what lies below stands in its place. Returns those, by key.
 */
export function takeOverrides(
  config: Config,
  overrides: ReadonlyMap<string, string | null>,
  problems: (config: Config) => readonly SettingProblem[],
): Map<string, SetAside> {
  const aside = new Map<string, SetAside>();
  const fitting = new Map<string, string | null>();
  for (const [key, text] of overrides) {
    // Keys that nobody knows wait for a plugin that is not built in.
    const error = config.keys.find(key) === undefined ? null : config.checkOverride(key, text);
    if (error === null) fitting.set(key, text);
    else aside.set(key, { text, why: error });
  }
  config.change(fitting);
  for (let found = culprits(config, problems); found.size > 0; found = culprits(config, problems)) {
    for (const [key, why] of found) aside.set(key, { text: overrides.get(key) ?? null, why });
    config.change(new Map([...found.keys()].map((key) => [key, undefined])));
  }
  return aside;
}

/** Values that a plugin that is not built in has the key of, and cannot use (any more), by key: what lies below stands in their place until it can. */
export function unusableOf(config: Config): Map<string, SetAside> {
  const found = new Map<string, SetAside>();
  for (const key of config.strangers()) {
    const text = config.override(key) ?? null;
    const why = config.keys.find(key) === undefined ? null : config.check(key, text);
    if (why !== null) found.set(key, { text, why });
  }
  return found;
}

/** The keys to leave out, and why: of each problem the first, but none where a key is left out already, which may be all it takes. */
function culprits(config: Config, problems: (config: Config) => readonly SettingProblem[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { keys, message } of problems(config)) {
    if (keys.some((k) => found.has(k))) continue;
    const key = keys.find((k) => config.override(k) !== undefined && config.fixedBy(k) === null);
    if (key !== undefined) found.set(key, message);
  }
  return found;
}
