/** Plugins: which run, and how they are configured. */
import type { PluginReport, QueueReport, ServerReport } from "../plugins/reports.ts";
import type { SettingChanges } from "../plugins/settings.ts";
import { askedClient } from "./clients_asked.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import type { PluginTest, PluginTestStep } from "./extra_rows.ts";
import { commandError, configError, settingError } from "./plugins_view.ts";
import { checkAskedTopic, missing } from "./refusals.ts";
import type { ConfigItem, NodeConfigs, NodePlugins, Plugin, PluginConfigRow, PluginQueue, PluginServer, PluginStatus } from "./rows.ts";
import type { ChangedBy, Settings } from "./settings.ts";

export function createPlugins({ broker, plugins }: AdminDeps, settings: Pick<Settings, "commit" | "review">) {
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

  async function command(work: Promise<void>): Promise<void> {
    // From a file that has changed it comes with other keys.
    await translated(
      work.finally(() => settings.review()),
      commandError,
    );
  }

  const committed = async (by: ChangedBy, changes: () => SettingChanges): Promise<void> => void (await settings.commit(changes(), by));

  const list = (): Plugin[] =>
    plugins.list().map((p) => ({
      name: p.name,
      version: p.version,
      description: p.description,
      active: p.active,
      required: p.required,
      error: p.error ?? "undefined",
      failures: p.failures,
      testable: p.testable,
      on_error_of: p.onErrorOf,
      status: statusOf(plugins.report(p.name)),
    }));

  return {
    has: (name: string): boolean => plugins.has(name),
    isRunning: (name: string): boolean => plugins.isRunning(name),
    list,
    all: (): NodePlugins[] => [{ node, plugins: list() }],

    /** @throws AdminError 102 already_started, not_found, or why it does not start */
    load: (name: string): Promise<void> => command(plugins.load(name)),
    /** @throws AdminError 102 not_started, not_found, or that the plugin is required */
    unload: (name: string): Promise<void> => command(plugins.unload(name)),
    /** @throws AdminError 102 */
    reload: (name: string): Promise<void> => command(plugins.reload(name)),

    configs: (): ConfigItem[] => plugins.liveItems(),
    allConfigs: (): NodeConfigs[] => [{ node, config: plugins.liveItems() }],

    /** One setting of a running plugin, at once. @throws AdminError 102, 107, 108 */
    setConfig(plugin: string, key: unknown, value: unknown, by: ChangedBy = "ctl"): Promise<void> {
      const absent = Object.entries({ key, value }).filter(([, v]) => v === undefined);
      if (absent.length > 0) throw missing(...absent.map(([name]) => name));
      if (typeof key !== "string" || typeof value !== "string")
        throw new AdminError(CODE.BAD_PARAMETER, "'key' and 'value' must be strings");
      return translated(
        committed(by, () => plugins.liveChange(plugin, key, value)),
        settingError,
      );
    },

    /** Try settings that nobody has saved: what was done, step by step. @throws AdminError 102, 108 */
    async test(plugin: string, asked: PluginTest): Promise<PluginTestStep[]> {
      const { settings = {}, client_id = "baomq-test", username = null, password = null, ip_address = "127.0.0.1" } = asked;
      const { action = null, topic = null } = asked;
      if (action !== null && topic !== null) checkAskedTopic(action, topic);
      else if (action !== topic) throw missing(action === null ? "action" : "topic");
      const request = { clientId: client_id, username, password, ip: ip_address, action, topic };
      try {
        return await plugins.test(plugin, settings, request, ({ clientId, ip }) => askedClient(broker, { clientId, username, ip }));
      } catch (err) {
        throw settingError(err);
      }
    },

    pluginConfig: (plugin: string): PluginConfigRow[] => plugins.configRows(plugin),

    /** The whole set; keys left out fall back to their defaults. @throws AdminError 102 */
    replacePluginConfig: (plugin: string, values: Readonly<Record<string, unknown>>, by: ChangedBy = "ctl"): Promise<void> =>
      translated(
        committed(by, () => plugins.replacement(plugin, values)),
        configError,
      ),
  };
}

function statusOf(report: PluginReport | null): PluginStatus | null {
  if (report === null) return null;
  const { servers, deadLetters = null, authentication, acl } = report;
  return { servers: servers.map(serverRow), dead_letters: deadLetters, authentication, acl };
}

function serverRow({ since, lastError, lastErrorAt, notAsked, queue, ...rest }: ServerReport): PluginServer {
  const row = { ...rest, not_asked: notAsked, since_ms: since, last_error: lastError, last_error_ms: lastErrorAt };
  return queue === undefined ? row : { ...row, queue: queueRow(queue) };
}

function queueRow({ diskBytes, gaveUp, letters, diskError, ...rest }: QueueReport): PluginQueue {
  return { ...rest, disk_bytes: diskBytes, gave_up: gaveUp, dead_letters: letters, disk_error: diskError };
}
