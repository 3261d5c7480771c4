/** `baomq config`: the configuration without a running broker. */
import type { Config } from "../config/config.ts";
import { DEFAULTED, OVERRIDES, Overrides, overridesOf, takeOverrides } from "../config/overrides.ts";
import { sampleConfig } from "../config/sample.ts";
import { plugins, pluginTables } from "../plugins/index.ts";
import { peekKv } from "../storage/peek.ts";
import { openStore, StoreError } from "../storage/sqlite.ts";
import { located, problemsOf } from "./checks.ts";
import { optionsOf, UsageError } from "./command_line.ts";
import { loadedPlugins } from "./loaded_plugins.ts";

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const complain = (line: string): void => void process.stderr.write(`baomq: ${line}\n`);
const QUIET = { error: () => {}, warn: () => {}, notice: () => {}, info: () => {}, debug: () => {} };

/** Returns the exit code. */
export function configCommand(argv: string[]): number {
  const [what, ...rest] = argv;
  switch (what) {
    case "sample":
      process.stdout.write(sampleConfig(pluginTables));
      return 0;
    case "check":
      return check(rest);
    case "unset":
      return unset(rest);
    default:
      throw new UsageError(`${what === undefined ? "config" : `config ${what}`}: expected sample, check or unset`);
  }
}

/** Good = a node would start with it, and with all of it. Ports are not tried. */
function check(argv: string[]): number {
  const { config, dataDir } = optionsOf(argv);
  const stored = peek(dataDir);
  const aside = takeOverrides(config, stored.overrides, problemsOf);
  const faults = runningFaults(config, dataDir, stored.states);
  for (const { key, reason } of config.ignored()) say(`ignored: ${key} (${reason})`);
  for (const file of config.foreignFiles) say(`ignored: ${file} (its plugin is not part of this build)`);
  for (const [plugin, why] of config.faults) if (!faults.includes(why)) say(`ignored: ${plugin} does not run, and would not: ${why}`);
  if (stored.busy)
    say(`A broker runs on ${dataDir}: what was changed through its API is not looked at (baomq ctl settings list shows it).`);
  for (const [key, { why }] of aside) {
    complain(`${why} (${key} was set through the API: the node starts with what lies below; baomq config unset ${key} takes it back)`);
  }
  const problems = problemsOf(config);
  for (const p of problems) complain(located(config, p));
  for (const why of faults) complain(why);
  if (aside.size + problems.length + faults.length > 0) return 1;
  say("The configuration is good.");
  return 0;
}

interface Stored {
  overrides: Map<string, string | null>;
  states: Map<string, string>;
  /** A broker runs on the data directory: it cannot be read. */
  busy: boolean;
}

function peek(dataDir: string): Stored {
  try {
    const rows = peekKv(dataDir, [OVERRIDES, DEFAULTED, "plugins"]);
    const states = (rows.get("plugins") ?? []).filter(([key]) => key.startsWith("state/"));
    return {
      overrides: overridesOf(rows.get(OVERRIDES) ?? [], rows.get(DEFAULTED) ?? []),
      states: new Map(states.map(([key, state]) => [key.slice("state/".length), state])),
      busy: false,
    };
  } catch (err) {
    if (err instanceof StoreError && err.code === "locked") return { overrides: new Map(), states: new Map(), busy: true };
    throw err;
  }
}

/** What is wrong with the files of plugins that would run. */
function runningFaults(config: Config, dataDir: string, states: ReadonlyMap<string, string>): string[] {
  const first = states.size === 0 ? loadedPlugins(config, dataDir, QUIET) : null;
  const runs = (name: string): boolean => {
    const state = states.get(name);
    if (state !== undefined) return state === "loaded";
    return first?.has(name) ?? plugins.some((p) => p.name === name && p.activeByDefault);
  };
  return [...config.faults].filter(([name]) => runs(name)).map(([, why]) => why);
}

/** Take back what was set through the API, of a broker that does not run (and may not start). */
function unset(argv: string[]): number {
  const isAll = argv.includes("--all");
  const { config, dataDir, words } = optionsOf(
    argv.filter((a) => a !== "--all"),
    true,
  );
  const { overrides, busy } = peek(dataDir);
  if (busy) throw new UsageError(`a broker runs on ${dataDir}: baomq ctl settings reset <Key> takes a setting back there`);
  const keys = isAll ? [...overrides.keys()] : words;
  const unknown = keys.filter((key) => !overrides.has(key));
  if (unknown.length > 0 || (keys.length === 0 && !isAll)) {
    const there = [...overrides.keys()].join(", ");
    const what = keys.length === 0 ? "expected a key, or --all" : `${unknown.join(", ")}: not set through the API`;
    throw new UsageError(`config unset: ${what}; ${there === "" ? `nothing was set in ${dataDir}` : `set in ${dataDir}: ${there}`}`);
  }
  if (keys.length === 0) say(`Nothing was set through the API in ${dataDir}.`);
  else takeBack(dataDir, keys);
  for (const key of keys) {
    const row = config.keys.find(key);
    const shown = row && config.shown(key, config.raw(key));
    say(
      row === undefined
        ? `${key} is taken back.`
        : `${key} is taken back: ${shown === "" ? "unset" : shown} is in force (set ${config.where(key)}).`,
    );
  }
  return 0;
}

function takeBack(dataDir: string, keys: readonly string[]): void {
  const store = openStore({ dir: dataDir, sync: "always", log: QUIET });
  try {
    new Overrides((namespace) => store.kv(namespace)).write(new Map(keys.map((key) => [key, undefined])));
  } finally {
    store.close();
  }
}
