/** What a plugin is started with, as its files are now: its lines of the configuration, and of one of other people its own file with what lies beside it. */
import { type ExternalFile, importExternal, type LineBeside, linesBeside } from "./external.ts";
import type { AnyPlugin } from "./plugin.ts";
import { PluginSettings, type SettingSource } from "./settings.ts";

/** The configuration, as far as plugins go. */
export interface PluginConfiguration {
  /** What anybody said about the keys of a plugin. */
  texts(plugin: string): SettingSource;
  /** A plugin that is not built in has come (again), with the lines of the file beside it. Returns what takes it back. @throws Error naming file and line */
  adopt(plugin: AnyPlugin, lines: readonly LineBeside[]): () => void;
  /** What is wrong with the plugin's own configuration file; null = nothing. */
  fault(plugin: string): string | null;
  /** Read the plugin's file again. Returns what takes it back. @throws Error in words */
  reread(plugin: string): () => void;
}

/** A plugin with its settings. */
export interface Described {
  plugin: AnyPlugin;
  settings: PluginSettings;
  /** null = it is built in. */
  readonly file: ExternalFile | null;
}

/**
 * Read it again into `one`; whoever runs meanwhile notices nothing. `isTaken`: another one has that name. Returns what takes all of it back, once: who
 * does so later again would take back what was read since.
 * @throws Error in words; then everything is as it was
 */
export async function reread(one: Described, configuration: PluginConfiguration, isTaken: (name: string) => boolean): Promise<() => void> {
  const { plugin: former, settings, file } = one;
  const { source } = settings;
  // Before the file, whose import runs what stands in it: for a slip in these lines nothing of it is to have happened.
  const lines = file === null ? [] : linesBeside(file);
  const plugin = file === null ? former : await importExternal(file);
  if (isTaken(plugin.name)) throw new Error(`the name ${plugin.name} is taken`);
  const undo = [configuration.reread(former.name)];
  const takeBack = (): void => {
    if (undo.length === 0) return;
    for (const back of undo.splice(0).reverse()) back();
    one.plugin = former;
    one.settings = settings;
    settings.refresh(source);
  };
  try {
    if (file !== null) undo.push(configuration.adopt(plugin, lines));
    const texts = configuration.texts(plugin.name);
    if (file === null) settings.refresh(texts);
    else one.settings = new PluginSettings(plugin, texts);
    one.plugin = plugin;
    return takeBack;
  } catch (err) {
    takeBack();
    throw err;
  }
}
