/** Plugins: which run, and how they are configured. */
import type { SettingChanges } from "../plugins/settings.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import { commandError, configError, settingError } from "./plugins_view.ts";
import { missing } from "./refusals.ts";
import type { ConfigItem, NodeConfigs, NodePlugins, Plugin, PluginConfigRow } from "./rows.ts";
import type { Settings } from "./settings.ts";

export function createPlugins({ broker, plugins }: AdminDeps, settings: Pick<Settings, "commit">) {
  const node = broker.node.nodeName;

  async function translated(work: Promise<void>, words: (err: unknown) => unknown): Promise<void> {
    try {
      await work;
    } catch (err) {
      throw words(err);
    } finally {
      // Plugins write to the store and publish when they start: let it out.
      broker.flush();
    }
  }

  const committed = async (changes: () => SettingChanges): Promise<void> => void (await settings.commit(changes()));

  const list = (): Plugin[] =>
    plugins.list().map((p) => ({
      name: p.name,
      version: p.version,
      description: p.description,
      active: p.active,
      required: p.required,
      error: p.error ?? "undefined",
      failures: p.failures,
    }));

  return {
    has: (name: string): boolean => plugins.has(name),
    isRunning: (name: string): boolean => plugins.isRunning(name),
    list,
    all: (): NodePlugins[] => [{ node, plugins: list() }],

    /** @throws AdminError 102 already_started, not_found, or why it does not start */
    load: (name: string): Promise<void> => translated(plugins.load(name), commandError),
    /** @throws AdminError 102 not_started, not_found, or that the plugin is required */
    unload: (name: string): Promise<void> => translated(plugins.unload(name), commandError),
    /** @throws AdminError 102 */
    reload: (name: string): Promise<void> => translated(plugins.reload(name), commandError),

    configs: (): ConfigItem[] => plugins.liveItems(),
    allConfigs: (): NodeConfigs[] => [{ node, config: plugins.liveItems() }],

    /** One setting of a running plugin, at once. @throws AdminError 102, 107, 108 */
    setConfig(plugin: string, key: unknown, value: unknown): Promise<void> {
      const absent = Object.entries({ key, value }).filter(([, v]) => v === undefined);
      if (absent.length > 0) throw missing(...absent.map(([name]) => name));
      if (typeof key !== "string" || typeof value !== "string")
        throw new AdminError(CODE.BAD_PARAMETER, "'key' and 'value' must be strings");
      return translated(
        committed(() => plugins.liveChange(plugin, key, value)),
        settingError,
      );
    },

    pluginConfig: (plugin: string): PluginConfigRow[] => plugins.configRows(plugin),

    /** The whole set; keys left out fall back to their defaults. @throws AdminError 102 */
    replacePluginConfig: (plugin: string, values: Readonly<Record<string, unknown>>): Promise<void> =>
      translated(
        committed(() => plugins.replacement(plugin, values)),
        configError,
      ),
  };
}
