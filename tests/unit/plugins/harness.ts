/** Plugins under a real manager and a real core in memory. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSettings, type Settings } from "../../../server/admin/settings.ts";
import { type Config, loadConfig } from "../../../server/config/config.ts";
import { Overrides, takeOverrides } from "../../../server/config/overrides.ts";
import type { HttpServerConfig } from "../../../server/config/types.ts";
import type { MetricFamily } from "../../../server/lib/metric_family.ts";
import { reviewOf } from "../../../server/node/settings.ts";
import { PluginManager, type PluginManagerOptions, type SettingChanges, type SettingsUpdate } from "../../../server/plugins/manager.ts";
import type { AnyPlugin, Host, Reloaded } from "../../../server/plugins/plugin.ts";
import { createPluginBroker } from "../../../server/plugins/plugin_broker.ts";
import { TestKit } from "../../support/test_broker.ts";
import { until } from "../../support/until.ts";

export class HostRecorder implements Host {
  readonly calls: [what: string, settings: unknown][] = [];
  /** What `reload` tells. */
  reloaded: string[] = [];
  failed: string[] = [];
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
  /** What `figures` answers. */
  families: MetricFamily[] = [];
  figures = (): MetricFamily[] => this.families;
  reload(isAsked: boolean): Reloaded | Promise<Reloaded> {
    this.calls.push(["reload", isAsked]);
    return { done: this.reloaded, failed: this.failed };
  }
}

export interface Managed {
  kit: TestKit;
  manager: PluginManager;
  host: HostRecorder;
  dataDir: string;
  config: Config;
  settings: Settings;
  /** As `PUT plugin_configs`. */
  replaceConfig(plugin: string, texts: Readonly<Record<string, unknown>> | null): Promise<unknown>;
  /** As `PUT /configs/:app`. */
  setLive(plugin: string, key: string, text: string): Promise<unknown>;
  /** Another text in the first plugin's configuration file. */
  rewrite(text: string): void;
  /** Other lines in the first plugin's configuration file, which is read again. */
  reread(texts: Record<string, string>): Promise<SettingsUpdate>;
}

export interface Wishes extends Partial<Pick<PluginManagerOptions, "expandPluginsDir" | "dataDir" | "firstLoaded">> {
  /** Lines of the first plugin's configuration file. */
  settings?: Record<string, string>;
  flags?: Record<string, string>;
  kit?: TestKit;
  /** What the host tells of the node. */
  families?: MetricFamily[];
}

const linesOf = (texts: Record<string, string>): string =>
  Object.entries(texts)
    .map(([key, text]) => `${key} = ${text}\n`)
    .join("");

export function manage(
  plugins: readonly AnyPlugin[],
  { settings = {}, flags = {}, kit = new TestKit(), families = [], ...more }: Wishes = {},
): Managed {
  const host = new HostRecorder();
  host.families = families;
  const dataDir = more.dataDir ?? tempDir();
  const etc = tempDir();
  const file = join(etc, `${plugins[0]?.name ?? "none"}.conf`);
  writeFileSync(file, linesOf(settings));
  const config = loadConfig({
    tables: plugins.map((p) => ({ app: p.name, table: p.config, required: p.required ?? false })),
    file: null,
    flags: new Map(Object.entries({ "plugins.etc_dir": etc, ...flags })),
  });
  const overrides = new Overrides((namespace) => kit.store.kv(namespace));
  const aside = takeOverrides(config, overrides.read(), () => []);
  const manager = new PluginManager({
    plugins,
    configuration: {
      texts: (plugin) => config.texts(plugin),
      adopt: (plugin, lines) => config.adopt({ app: plugin.name, table: plugin.config }, lines),
      fault: (plugin) => config.faults.get(plugin) ?? null,
      reread: (plugin) => config.rereadOf(plugin),
    },
    expandPluginsDir: more.expandPluginsDir ?? "",
    firstLoaded: more.firstLoaded ?? null,
    broker: createPluginBroker(kit.broker),
    store: kit.store,
    clock: kit.clock,
    log: kit.log,
    host,
    dataDir,
  });
  const ports = {
    layers: config,
    aside,
    review: reviewOf(config, aside, kit.log),
    problems: () => [],
    keep: (changes: SettingChanges) => overrides.write(changes),
    changed: () => kit.broker.flush(),
  };
  const made = createSettings(ports, manager, kit.broker.alarms);
  return {
    kit,
    manager,
    host,
    dataDir,
    config,
    settings: made,
    replaceConfig: async (plugin, texts) => made.commit(manager.replacement(plugin, texts)),
    setLive: async (plugin, key, text) => made.commit(manager.liveChange(plugin, key, text)),
    rewrite: (text) => writeFileSync(file, text),
    async reread(texts) {
      writeFileSync(file, linesOf(texts));
      return manager.updateSettings(config.reread((plugin) => manager.isRunning(plugin)).changed);
    },
  };
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

let clients = 0;

/** The reason code of CONNACK, which may come later. `passing`: so much time goes by at each look, ms. */
export async function logIn(kit: TestKit, username: string, password: string, passing = 0): Promise<number> {
  const c = kit.client(5).connect(`c${++clients}`, { username, password: Buffer.from(password) });
  let answer = -1;
  await until(() => {
    if (passing > 0) kit.pass(passing);
    kit.settle();
    const [packet] = c.take();
    if (packet?.cmd === "connack") answer = packet.reasonCode ?? -1;
    return answer !== -1;
  }, "CONNACK");
  return answer;
}
