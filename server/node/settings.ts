/** Settings changed through the API or dashboard: validated, applied where they can be, and kept for the next start. */

import { CODE } from "../admin/codes.ts";
import type { ConfigView } from "../admin/config_view.ts";
import type { Setting } from "../admin/extra_rows.ts";
import { AdminError } from "../admin/index.ts";
import type { Config, ConfigRow } from "../config/config.ts";
import type { Core } from "../core/core.ts";
import type { Log, Store } from "../core/ports.ts";
import type { PluginManager, SettingText } from "../plugins/manager.ts";
import type { SqliteStore } from "../storage/sqlite.ts";

const NAMESPACE = "settings";
const HIDDEN = "******";

/** What was changed through the API in earlier runs, put on top of file and environment. A key that is gone is left alone, and told. */
export function restoreSettings(config: Config, store: Store, log: Log): void {
  for (const [key, text] of store.kv(NAMESPACE).entries()) {
    const error = config.set(key, text, "api");
    if (error !== null) log.warn("a setting made through the API is not used any more", { key, error });
  }
}

/** The plugins' keys as files, environment and flags have them. */
export function pluginTexts(config: Config): ReadonlyMap<string, SettingText> {
  const texts = new Map<string, SettingText>();
  for (const row of config.entries()) {
    if (row.app !== "emqx" && row.origin !== "default") texts.set(row.key, { text: config.raw(row.key), origin: row.origin });
  }
  return texts;
}

export function createSettings(config: Config, store: SqliteStore, core: Core, plugins: PluginManager): ConfigView {
  const kv = store.kv(NAMESPACE);
  return {
    list: () => [
      ...config
        .entries()
        .filter((r) => r.app === "emqx")
        .map(toSetting),
      ...pluginSettings(plugins),
    ],

    async apply(changes) {
      const rows = new Map(config.entries().map((r) => [r.key, r]));
      const applied: string[] = [];
      const restart: string[] = [];
      for (const [key, value] of Object.entries(changes)) {
        const error = config.check(key, value);
        if (error !== null) throw new AdminError(CODE.BAD_PARAMETER, error);
      }
      for (const [key, value] of Object.entries(changes)) {
        if (value === HIDDEN) continue;
        config.set(key, value, "api");
        if (value === null) kv.delete(key);
        else kv.set(key, value);
        const row = rows.get(key);
        // Plugins take their settings at once, the core where it can.
        (row?.live === true || (row !== undefined && row.app !== "emqx") ? applied : restart).push(key);
      }
      if (Object.keys(changes).some((key) => rows.get(key)?.app !== "emqx")) await plugins.updateSettings(pluginTexts(config));
      store.setSync(config.get("storage.sync") === "always" ? "always" : "normal");
      core.refresh();
      core.broker.flush();
      return { applied, restart };
    },
  };
}

function toSetting(row: ConfigRow): Setting {
  return {
    key: row.key,
    value: row.secret && row.value !== "" ? HIDDEN : row.value,
    default: row.default,
    type: row.type,
    doc: row.doc,
    origin: row.origin,
    live: row.live,
    app: row.app,
    ...(row.choices !== null && { enum: [...row.choices] }),
    ...(row.secret && { secret: true }),
  };
}

/** Read only here: a plugin's settings are changed where the plugin is. */
function pluginSettings(plugins: PluginManager): Setting[] {
  return plugins.list().flatMap((p) =>
    plugins.configRows(p.name).map((r) => ({
      key: r.key,
      value: r.value,
      default: r.default,
      type: r.type,
      doc: r.doc,
      origin: r.origin,
      live: r.live,
      app: p.name,
      ...(r.enum !== undefined && { enum: r.enum }),
      ...(r.secret === true && { secret: true }),
    })),
  );
}
