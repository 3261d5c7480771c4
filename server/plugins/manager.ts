/**
 * Loads and unloads plugins, and keeps what was decided about them: explicit loads and unloads and settings survive a restart.
 * A plugin that fails never takes the broker down: its error is logged, kept and shown.
 */

import { wordsOf } from "../lib/errors.ts";
import { ActionKinds } from "./actions.ts";
import { type ContextParts, createContext, type Running } from "./context.ts";
import { type ExternalFile, externalFiles, importExternal, linesBeside, unusable } from "./external.ts";
import type { AnyPlugin, PluginReport, PluginServices, TestContext, TestRequest, TestStep } from "./plugin.ts";
import { Remembered } from "./remembered.ts";
import { type Described, type PluginConfiguration, reread } from "./reread.ts";
import type { LiveConfigRow, PluginRow } from "./rows.ts";
import type { ServiceName } from "./services.ts";
import { type PluginConfigRow, PluginError, PluginSettings, type SettingChanges, type SettingSource } from "./settings.ts";
import { Trials } from "./trials.ts";

export { type PluginConfigRow, PluginError, type SettingChanges, type SettingSource } from "./settings.ts";

export interface PluginManagerOptions extends ContextParts {
  plugins: readonly AnyPlugin[];
  configuration: PluginConfiguration;
  /** `plugins.expand_plugins_dir`; "" = no plugins of other people. */
  expandPluginsDir: string;
  /** What runs at the first start on a data directory; null = what does by default. */
  firstLoaded?: ReadonlySet<string> | null;
}

/** What came of new settings. */
export interface SettingsUpdate {
  /** Keys with another value now. */
  changed: string[];
  /** Plugin -> why it goes on with its old settings. */
  refused: Map<string, string>;
}

interface Slot extends Described {
  running: Running | null;
  error: string | null;
  failures: number;
}

const REPORT_EVERY = 1000;

export class PluginManager {
  private readonly slots = new Map<string, Slot>();
  private readonly remembered;
  private readonly kinds = new ActionKinds();
  private readonly trials: Trials;
  /** One change at a time. */
  private queue: Promise<unknown> = Promise.resolve();
  /** The node stops: what has stopped is not started again. */
  private ending = false;

  constructor(private readonly o: PluginManagerOptions) {
    this.remembered = new Remembered(o.store);
    this.trials = new Trials(o.clock);
    for (const plugin of o.plugins) this.add(plugin, null);
  }

  private add(plugin: AnyPlugin, file: ExternalFile | null): Slot {
    const settings = new PluginSettings(plugin, this.o.configuration.texts(plugin.name));
    const slot: Slot = { plugin, settings, file, running: null, error: null, failures: 0 };
    this.slots.set(plugin.name, slot);
    return slot;
  }

  /** Find the plugins of other people and start all that should run. Returns those that did not; `required`: the node needs it, or it guards it. */
  async startAll(): Promise<{ name: string; required: boolean; error: string }[]> {
    for (const file of externalFiles(this.o.expandPluginsDir)) await this.discover(file);
    // At the first start on a data directory. Plugins that EMQ X never had are not in its list.
    const { firstLoaded = null } = this.o;
    const builtIn = [...this.slots.values()].flatMap((slot) => (slot.file === null ? [slot.plugin] : []));
    if (firstLoaded !== null && !this.remembered.isDecided) this.remembered.takeOver(builtIn, firstLoaded);
    const failed: { name: string; required: boolean; error: string }[] = [];
    for (const slot of this.remembered.inOrder(this.slots.values())) {
      const { name, required = false, guards = false } = slot.plugin;
      const wanted = this.remembered.isWanted(slot.plugin);
      if (wanted && slot.error === null) await this.exclusive(() => this.start(slot)).catch(() => {});
      if (wanted && slot.error !== null) failed.push({ name, required: required || guards, error: slot.error });
    }
    const loaded = this.remembered.inOrder(this.slots.values()).flatMap(({ plugin, running }) => (running ? [plugin.name] : []));
    this.o.log.notice("plugins loaded", { plugins: loaded });
    return failed;
  }

  private async discover(file: ExternalFile): Promise<void> {
    const { log } = this.o;
    try {
      const plugin = await importExternal(file);
      const taken = this.slots.get(plugin.name);
      if (taken) throw new Error(`the name ${plugin.name} is taken by ${taken.file?.path ?? "a built-in plugin"}`);
      this.o.configuration.adopt(plugin, linesBeside(file));
      this.add(plugin, file);
    } catch (err) {
      const error = wordsOf(err);
      log.error("plugin file cannot be used", { file: file.path, error });
      const name = this.slots.has(file.stem) ? `${file.stem} (${file.path})` : file.stem;
      this.add(unusable(file, name), file).error = error;
    }
  }

  /** Unload everything; what is to run at the next start stays as it is. */
  async stopAll(): Promise<void> {
    this.ending = true;
    for (const slot of this.remembered.inEndOrder(this.slots.values())) await this.exclusive(() => this.stop(slot));
  }

  // ---- what there is

  list(): PluginRow[] {
    return this.sorted().map(({ plugin, running, error, failures, file }) => ({
      name: plugin.name,
      version: plugin.version,
      description: plugin.description,
      active: running !== null,
      error,
      failures,
      required: plugin.required ?? false,
      testable: plugin.test !== undefined,
      onErrorOf: plugin.onErrorOf ?? null,
      file: file?.path ?? null,
    }));
  }

  has = (name: string): boolean => this.slots.has(name);
  isRunning = (name: string): boolean => this.slots.get(name)?.running != null;

  /** The door of a running plugin. */
  service<N extends ServiceName>(name: N): PluginServices[N] | undefined {
    return this.slots.get(name)?.running?.service as PluginServices[N] | undefined;
  }

  /** What a running plugin tells of itself; null = it does not run, or has nothing to tell. */
  report(name: string): PluginReport | null {
    return this.slots.get(name)?.running?.report() ?? null;
  }

  /** Try settings that are not saved. `texts`: what is to be different from now; the mask stands for the secret as it is. @throws PluginError, QueueFull */
  async test(
    name: string,
    texts: Readonly<Record<string, unknown>>,
    request: TestRequest,
    client: TestContext["client"],
  ): Promise<TestStep[]> {
    const { plugin, settings } = this.find(name);
    return this.trials.run(plugin, settings, texts, request, client);
  }

  // ---- load and unload; each rejects with a PluginError

  load(name: string): Promise<void> {
    return this.exclusive(async () => {
      const slot = this.find(name);
      if (slot.running) throw new PluginError("already_started");
      await this.startAnew(slot);
      this.o.log.notice("plugin loaded", { plugin: slot.plugin.name });
      this.remember(slot, "loaded");
    });
  }

  unload(name: string): Promise<void> {
    return this.exclusive(async () => {
      const slot = this.find(name);
      if (slot.plugin.required) throw new PluginError("refused", `refused: ${name} serves this interface and cannot be unloaded`);
      if (!slot.running) throw new PluginError("not_started");
      await this.stop(slot);
      this.o.log.notice("plugin unloaded", { plugin: name });
      slot.error = null;
      this.remember(slot, "unloaded");
    });
  }

  /** With the settings of its file as that is now; a plugin of other people is read again from its own file. One that is stopped is started. */
  reload(name: string): Promise<void> {
    return this.exclusive(async () => {
      const slot = this.find(name);
      if (slot.running) await this.again(slot);
      else await this.startAnew(slot);
      slot.error = null;
      this.o.log.notice("plugin reloaded", { plugin: slot.plugin.name });
      this.remember(slot, "loaded");
    });
  }

  /** With its files as they are now. What cannot be used leaves it running as it was. @throws PluginError */
  private async again(slot: Slot): Promise<void> {
    let restore = (): void => {};
    try {
      // While it runs: it may be the one that keeps strangers out, and is stopped for nothing that has still to be read.
      restore = await this.read(slot);
      const { plugin, settings, running } = slot;
      const fault = this.o.configuration.fault(plugin.name);
      if (fault !== null) throw new PluginError("failed", fault);
      if (plugin.inPlace === true) running?.apply(Object.keys(plugin.config), (key) => settings.value(key));
      else await this.restart(slot, restore);
    } catch (err) {
      // Else the next change of anything else would bring it in again, whole or in part.
      restore();
      slot.error = wordsOf(err);
      const { plugin, file, running, error } = slot;
      if (running) this.o.log.error("plugin goes on as it was", { plugin: plugin.name, file: file?.path, error });
      throw err instanceof PluginError ? err : new PluginError("failed", slot.error);
    }
  }

  private find(name: string): Slot {
    const slot = this.slots.get(name);
    if (!slot) throw new PluginError("not_found");
    return slot;
  }

  /** Its files as they are now. Returns what takes it back. @throws Error in words; then it is as it was */
  private async read(slot: Slot): Promise<() => void> {
    const takeBack = await reread(slot, this.o.configuration, (name) => this.slots.has(name) && this.slots.get(name) !== slot);
    this.rename(slot);
    return () => {
      takeBack();
      this.rename(slot);
    };
  }

  /** A file may bring its plugin under another name. */
  private rename(slot: Slot): void {
    for (const [name, other] of this.slots) if (other === slot) this.slots.delete(name);
    this.slots.set(slot.plugin.name, slot);
  }

  /** With its files as they are now, as EMQ X 3.1 does it. @throws PluginError */
  private async startAnew(slot: Slot): Promise<void> {
    try {
      await this.read(slot);
    } catch (err) {
      slot.error = wordsOf(err);
      this.o.log.error("plugin file cannot be used", { plugin: slot.plugin.name, file: slot.file?.path, error: slot.error });
      throw new PluginError("failed", slot.error);
    }
    await this.start(slot);
  }

  private async start(slot: Slot): Promise<void> {
    const { plugin, settings } = slot;
    let running: Running | null = null;
    try {
      const fault = this.o.configuration.fault(plugin.name);
      if (fault !== null) throw new PluginError("failed", fault);
      running = createContext(plugin, this.o, {
        values: settings.values(),
        many: (key) => settings.many(key),
        kinds: this.kinds,
        failed: (where, err) => this.failed(slot, where, err),
      });
      running.service = await plugin.start(running.ctx);
      slot.running = running;
      slot.error = null;
      slot.failures = 0;
    } catch (err) {
      await running?.close();
      slot.error = wordsOf(err);
      this.o.log.error("plugin does not start", { plugin: plugin.name, error: slot.error });
      throw err instanceof PluginError ? err : new PluginError("failed", slot.error);
    } finally {
      this.o.broker.flush();
    }
  }

  private async stop(slot: Slot): Promise<void> {
    const { running } = slot;
    if (!running) return;
    slot.running = null;
    await running.close();
    this.o.broker.flush();
  }

  private failed(slot: Slot, where: string, err: unknown): void {
    slot.failures++;
    slot.error = `${where}: ${wordsOf(err)}`;
    // Hooks fail as often as clients act: the first of a thousand tells it all. (The hook chain itself logs each.)
    if (where === "timer" || where === "close" || where === "config" || slot.failures % REPORT_EVERY === 1) {
      this.o.log.error("plugin failed", { plugin: slot.plugin.name, where, failures: slot.failures, error: wordsOf(err) });
    }
  }

  private remember({ plugin }: Slot, state: "loaded" | "unloaded"): void {
    this.remembered[state](plugin);
    this.o.broker.flush();
  }

  // ---- settings

  configRows(name: string): PluginConfigRow[] {
    return this.find(name).settings.rows();
  }

  /** What it takes to put these texts in place of the configuration file's. null = the file's again. @throws PluginError */
  replacement(name: string, texts: Readonly<Record<string, unknown>> | null): SettingChanges {
    return this.find(name).settings.replacement(texts);
  }

  /** What it takes to set a live key of a running plugin. @throws PluginError */
  liveChange(app: string, key: string, text: string): SettingChanges {
    const slot = this.find(app);
    if (!slot.running) throw new PluginError("not_started", `${app} is not running`);
    return slot.settings.liveChange(key, text);
  }

  /** Why a change of these keys cannot be: `PluginSettings.astray`. `next`: what would be said of a plugin's keys. null = nothing is against it. */
  astray(keys: readonly string[], next: (plugin: string) => SettingSource, typed: ReadonlySet<string>): string | null {
    const touched = this.sorted().filter(({ settings }) => settings.hasAny(keys));
    return touched.reduce<string | null>((why, { plugin, settings }) => why ?? settings.astray(() => next(plugin.name), typed), null);
  }

  /**
   * As it is to be now; when it does not start so, as it was before. Whoever it may refuse is refused meanwhile: a start may take long, and hang on the
   * access chain at its end. @throws PluginError that says so where it runs no more, and then nobody is refused for it
   */
  private async restart(slot: Slot, restore: () => void): Promise<void> {
    // What cannot be read is no reason to stop it.
    slot.settings.values();
    const takeBar = slot.running?.bar() ?? null;
    const stopped = takeBar === null ? "it has stopped" : "it has stopped, and refuses nobody any more";
    try {
      await this.stop(slot);
      await this.start(slot).catch(async (err: unknown) => {
        restore();
        await this.start(slot).catch((second: unknown) => {
          throw new PluginError("failed", `${wordsOf(err)}; ${stopped}: as it was before it does not start either (${wordsOf(second)})`);
        });
        throw err;
      });
    } finally {
      takeBar?.();
    }
  }

  /** The live keys of all running plugins, in order of their names. */
  liveItems(): LiveConfigRow[] {
    const rows: LiveConfigRow[] = [];
    for (const { plugin, running, settings } of this.sorted()) {
      for (const [key, datatype] of Object.entries((running && plugin.liveKeys) ?? {})) {
        rows.push({ key, value: settings.shown(key, running?.value(key)), datatpye: datatype, datatype, app: plugin.name });
      }
    }
    return rows.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /**
   * The configuration says something else of these keys: live keys change in place, other changes restart the plugin. A plugin that has none of
   * them is not asked: what is wrong with it is no reason against the change. A function reads files for them while no plugin is between stop and
   * start; then one of these plugins that should run, and has not started with what it had, is started as well.
   */
  updateSettings(changed: readonly string[] | (() => readonly string[])): Promise<SettingsUpdate> {
    return this.exclusive(async () => {
      const keys = typeof changed === "function" ? changed() : changed;
      const update: SettingsUpdate = { changed: [], refused: new Map() };
      for (const slot of this.sorted()) {
        if (!slot.settings.hasAny(keys)) continue;
        try {
          update.changed.push(...(await this.update(slot, typeof changed === "function")));
        } catch (err) {
          this.failed(slot, "config", err);
          update.refused.set(slot.plugin.name, wordsOf(err));
        }
      }
      return update;
    });
  }

  private async update(slot: Slot, starts: boolean): Promise<string[]> {
    const { plugin, settings, running } = slot;
    const before = settings.source;
    const changed = settings.refresh(this.o.configuration.texts(plugin.name));
    const isDown = !this.ending && slot.error !== null && this.remembered.isWanted(plugin);
    if (running === null ? !starts || !isDown : changed.length === 0) return changed;
    try {
      if (running === null || (plugin.inPlace !== true && changed.some((key) => !settings.isLive(key)))) {
        await this.restart(slot, () => settings.refresh(before));
        this.o.log.notice("plugin reloaded", { plugin: plugin.name, why: running ? "its settings have changed" : "it had stopped" });
      } else running.apply(changed, (key) => settings.value(key));
      return changed;
    } catch (err) {
      settings.refresh(before);
      throw err;
    }
  }

  private sorted = (): Slot[] => [...this.slots.values()].sort((a, b) => (a.plugin.name < b.plugin.name ? -1 : 1));

  private exclusive<T>(fn: () => T | Promise<T>): Promise<T> {
    const turn = this.queue.then(fn);
    this.queue = turn.catch(() => {});
    return turn;
  }
}
