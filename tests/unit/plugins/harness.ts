/** Plugins under a real manager and a real core in memory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HttpServerConfig } from "../../../server/config/types.ts";
import { PluginManager, type PluginManagerOptions, type SettingSource } from "../../../server/plugins/manager.ts";
import type { AnyPlugin, Host } from "../../../server/plugins/plugin.ts";
import { createPluginBroker } from "../../../server/plugins/plugin_broker.ts";
import { TestKit } from "../../support/test_broker.ts";

export class HostRecorder implements Host {
  readonly calls: [what: string, settings: unknown][] = [];
  /** What `reload` tells. */
  reloaded: string[] = [];
  refusing = false;
  readonly http = {
    start: ({ which, ...settings }: HttpServerConfig): void => {
      if (this.refusing) throw new Error("port 8080 is in use");
      this.calls.push([`start ${which}`, structuredClone(settings)]);
    },
    stop: (which: string): void => {
      this.calls.push([`stop ${which}`, null]);
    },
  };
  reload(): string[] {
    this.calls.push(["reload", null]);
    return this.reloaded;
  }
}

export interface Managed {
  kit: TestKit;
  manager: PluginManager;
  host: HostRecorder;
  dataDir: string;
}

export interface Wishes extends Partial<Pick<PluginManagerOptions, "expandPluginsDir" | "dataDir">> {
  settings?: Record<string, string>;
  kit?: TestKit;
}

export const texts = (o: Record<string, string>): SettingSource =>
  new Map(Object.entries(o).map(([key, text]) => [key, { text, origin: "file" as const }]));

export function manage(plugins: readonly AnyPlugin[], { settings = {}, kit = new TestKit(), ...more }: Wishes = {}): Managed {
  const host = new HostRecorder();
  const dataDir = more.dataDir ?? tempDir();
  const manager = new PluginManager({
    plugins,
    settings: texts(settings),
    expandPluginsDir: more.expandPluginsDir ?? "",
    broker: createPluginBroker(kit.broker),
    store: kit.store,
    clock: kit.clock,
    log: kit.log,
    host,
    dataDir,
  });
  return { kit, manager, host, dataDir };
}

/** A manager with one plugin, which runs. */
export async function running(plugin: AnyPlugin, wishes: Wishes = {}): Promise<Managed> {
  const m = manage([plugin], wishes);
  await m.manager.load(plugin.name).catch((err: Error) => {
    throw new Error(`${plugin.name} does not start: ${err.message}`);
  });
  return m;
}

const dirs = new Set<string>();

/** Goes with `afterAll(removeTempDirs)`. */
export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "baomq-plugins-"));
  dirs.add(dir);
  return dir;
}
export function removeTempDirs(): void {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
  dirs.clear();
}

/** Let what was put off to later turns of the event loop happen, then flush. */
export async function turns(kit: TestKit, n = 3): Promise<void> {
  for (let i = 0; i < n; i++) await new Promise((done) => setImmediate(done));
  kit.broker.flush();
  kit.settle();
}
