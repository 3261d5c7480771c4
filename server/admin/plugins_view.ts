/** What the admin layer needs of the plugin manager. */
import type { PluginServices } from "../plugins/services.ts";
import type { ConfigItem, Plugin, PluginConfigRow } from "./rows.ts";

export type PluginOutcome = "ok" | "already_started" | "not_started" | "not_found" | "refused";

export interface PluginsView {
  list(): Plugin[];
  has(name: string): boolean;
  isRunning(name: string): boolean;
  load(name: string): Promise<void>;
  unload(name: string): Promise<void>;
  reload(name: string): Promise<void>;
  service<N extends keyof PluginServices>(name: N): PluginServices[N] | undefined;
  /** Keys that may be set while running, with their values in base units. */
  liveItems(): ConfigItem[];
  setLive(plugin: string, key: string, value: string): Promise<void>;
  configRows(plugin: string): PluginConfigRow[];
  replaceConfig(plugin: string, values: Readonly<Record<string, string>>): Promise<void>;
}
