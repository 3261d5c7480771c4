/** Plugins: which run, and how they are configured. */
import { type AdminDeps, AdminError } from "./deps.ts";
import type { ConfigItem, NodeConfigs, NodePlugins, Plugin, PluginConfigRow } from "./rows.ts";

export function createPlugins({ broker, plugins }: AdminDeps) {
  const node = broker.node.nodeName;

  /** Plugins write to the store and publish when they start: let it out. */
  async function flushed<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } finally {
      broker.flush();
    }
  }

  return {
    has: (name: string): boolean => plugins.has(name),
    isRunning: (name: string): boolean => plugins.isRunning(name),
    list: (): Plugin[] => plugins.list(),
    all: (): NodePlugins[] => [{ node, plugins: plugins.list() }],

    /** @throws AdminError 102 already_started, not_found */
    load: (name: string): Promise<void> => flushed(plugins.load(name)),
    /** @throws AdminError 102 not_started, not_found, or that the plugin is required */
    unload: (name: string): Promise<void> => flushed(plugins.unload(name)),
    /** @throws AdminError 102 */
    reload: (name: string): Promise<void> => flushed(plugins.reload(name)),

    configs: (): ConfigItem[] => plugins.liveItems(),
    allConfigs: (): NodeConfigs[] => [{ node, config: plugins.liveItems() }],

    /** One setting of a running plugin, at once and until it is set again. @throws AdminError 102, 107, 108 */
    setConfig(plugin: string, key: unknown, value: unknown): Promise<void> {
      const missing = [key === undefined ? "'key'" : "", value === undefined ? "'value'" : ""].filter((n) => n !== "");
      if (missing.length > 0) throw new AdminError(107, `missing mandatory params: [${missing.join(", ")}]`);
      if (typeof key !== "string" || typeof value !== "string") throw new AdminError(108, "'key' and 'value' must be strings");
      return flushed(plugins.setLive(plugin, key, value));
    },

    pluginConfig: (plugin: string): PluginConfigRow[] => plugins.configRows(plugin),

    /** The whole set; keys left out fall back to their defaults. @throws AdminError 102 */
    replacePluginConfig(plugin: string, values: Readonly<Record<string, unknown>>): Promise<void> {
      for (const [key, value] of Object.entries(values)) {
        if (typeof value !== "string") throw new AdminError(102, `unknown_error: value of '${key}' must be a string`);
      }
      return flushed(plugins.replaceConfig(plugin, values as Readonly<Record<string, string>>));
    },
  };
}
