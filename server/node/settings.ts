/** The API's layer of the configuration: taken over at the start, and what a change of it touches. */
import type { SettingsPorts } from "../admin/config_view.ts";
import { type Config, ConfigError, ConfigErrors } from "../config/config.ts";
import { Overrides, type SetAside, takeOverrides, unusableOf } from "../config/overrides.ts";
import type { SettingProblem } from "../config/types.ts";
import type { Core } from "../core/core.ts";
import { lineOf } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { reopenLog } from "../lib/open_log.ts";
import type { SqliteStore } from "../storage/sqlite.ts";
import { located, logKeys, problemsAtStart, problemsOf, problemsOfChange } from "./checks.ts";
import { logOptions } from "./log_options.ts";

export interface ApiLayer {
  overrides: Overrides;
  /** Values the node starts without. */
  aside: SettingsPorts["aside"];
}

/**
 * What was changed through the API in earlier runs, as far as the node starts with it. The rest is kept, and told.
 * @throws ConfigErrors for what is wrong without it
 */
export function restoreSettings(config: Config, store: SqliteStore, log: Logger): ApiLayer {
  const overrides = new Overrides((namespace) => store.kv(namespace));
  const aside = takeOverrides(config, overrides.read(), (c) => {
    const problems = problemsAtStart(c);
    return problems.length > 0 ? problems : openApiLog(c, log);
  });
  const wrong = problemsOf(config);
  if (wrong.length > 0) throw new ConfigErrors(wrong.map((p) => new ConfigError(located(config, p))));
  store.setSync(syncOf(config));
  for (const [key, left] of aside) tellAside(config, key, left, log);
  return { overrides, aside };
}

function tellAside(config: Config, key: string, { text, why }: SetAside, log: Pick<Logger, "error">): void {
  const now = config.shown(key, config.raw(key));
  const value = config.shown(key, text ?? "");
  log.error("a setting made through the API is not used; what lies below it is in force", { key, value, why, now });
}

/**
 * Plugins that are not built in come after the start's look at the API's layer, and come again with other keys: a value that one of them cannot use is put
 * `aside` and told, once for each reason, and leaves it when it is in force, or its plugin has gone. Returns who looks.
 */
export function reviewOf(config: Config, aside: SettingsPorts["aside"], log: Pick<Logger, "error">): () => void {
  let known: ReadonlyMap<string, SetAside> = new Map();
  return () => {
    const found = unusableOf(config);
    for (const key of known.keys()) if (!found.has(key)) aside.delete(key);
    for (const [key, left] of found) {
      if (known.get(key)?.why !== left.why) tellAside(config, key, left, log);
      aside.set(key, left);
    }
    known = found;
  };
}

/** The log as the API's layer wants it. Whether its files can be opened is known for sure only by opening them. */
function openApiLog(config: Config, log: Logger): SettingProblem[] {
  if (![...config.entries()].some((r) => r.key.startsWith("log.") && r.origin === "api")) return [];
  try {
    reopenLog(log, logOptions(config));
    return [];
  } catch (err) {
    return [{ keys: logKeys(config), message: `log.dir = ${config.raw("log.dir")}: the log cannot be opened: ${lineOf(err)}` }];
  }
}

/** `ports`: those this node has open. */
export function settingsPorts(
  config: Config,
  layer: ApiLayer,
  store: SqliteStore,
  core: Core,
  log: Logger,
  ports: () => number[],
): SettingsPorts {
  return {
    layers: config,
    aside: layer.aside,
    review: reviewOf(config, layer.aside, log),
    problems(changes) {
      const open = new Set(ports());
      return problemsOfChange(
        config,
        config.with(changes),
        (key) => changes.has(key),
        (port) => port !== 0 && open.has(port),
      );
    },
    keep: (changes) => layer.overrides.write(changes),
    changed() {
      store.setSync(syncOf(config));
      core.refresh();
      core.broker.flush();
    },
  };
}

export function syncOf(config: Config): "always" | "normal" {
  return config.get("storage.sync") === "always" ? "always" : "normal";
}
