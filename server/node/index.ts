/** The composition root: an ordered list of start steps; a stop runs it backwards. */
import { noFTL } from "bun:jsc";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Admin, createAdmin } from "../admin/index.ts";
import { createHttp, type Http } from "../api/server.ts";
import type { Config } from "../config/config.ts";
import type { HttpTlsConfig } from "../config/types.ts";
import type { Broker } from "../core/broker.ts";
import { buildCore, type Core } from "../core/core.ts";
import { buildInfo } from "../lib/build_info.ts";
import { systemClock } from "../lib/clock.ts";
import { CTL_SOCKET } from "../lib/ctl_socket.ts";
import { stackOf } from "../lib/errors.ts";
import type { Logger } from "../lib/log.ts";
import { systemRandom } from "../lib/random.ts";
import { seldomRun } from "../lib/seldom.ts";
import { Listeners } from "../listeners/index.ts";
import { loadTls, stampOf } from "../listeners/tls.ts";
import { createSystem } from "../machine/machine.ts";
import { fittingKinds } from "../plugins/_auth/fitting.ts";
import { plugins as builtIn } from "../plugins/index.ts";
import { PluginManager } from "../plugins/manager.ts";
import { createPluginBroker } from "../plugins/plugin_broker.ts";
import { Remembered } from "../plugins/remembered.ts";
import { openStore, type SqliteStore, StoreError } from "../storage/sqlite.ts";
import { aclFilePort } from "./acl_file.ts";
import { aclText } from "./acl_text.ts";
import { closedPortsOf, located } from "./checks.ts";
import { loadedPlugins } from "./loaded_plugins.ts";
import { createLogControl, createTraces } from "./logging.ts";
import { pluginsDir } from "./plugins_dir.ts";
import { createReload, tellOverridden } from "./reload.ts";
import { type ApiLayer, restoreSettings, settingsPorts, syncOf } from "./settings.ts";
import { startTicking } from "./ticking.ts";

/** How often the certificate files are looked at. */
const CERTIFICATES_MS = 10_000;

export interface NodeOptions {
  config: Config;
  log: Logger;
  dataDir: string;
}

export interface RunningNode {
  readonly config: Config;
  readonly broker: Broker;
  readonly admin: Admin;
  readonly http: Http;
  readonly listeners: Listeners;
  readonly plugins: PluginManager;
  readonly store: SqliteStore;
  readonly dataDir: string;
  /** Plugins that ran in the tree this node has just taken over, and are not part of this build. */
  readonly missingPlugins: readonly string[];
  /** Clients are told, data is flushed, ports are closed. False = something went wrong, or is lost; the log says what. */
  stop(): Promise<boolean>;
}

// Who connects does not pay for a compiler.
for (const fn of seldomRun()) noFTL(fn);

/** A step of the stop; false = it did not do all it should. */
type Undo = () => unknown;

/** Start a node: store, core, sessions, plugins (retained messages, APIs), listeners last. Throws one clear line when it cannot. */
export async function startNode(o: NodeOptions): Promise<RunningNode> {
  const { config, log } = o;
  const dataDir = resolve(o.dataDir);
  const undo: Undo[] = [];
  const stop = async (): Promise<boolean> => {
    let whole = true;
    for (let step = undo.pop(); step; step = undo.pop()) {
      try {
        if ((await step()) === false) whole = false;
      } catch (err) {
        whole = false;
        log.error("stopping failed", { error: stackOf(err) });
      }
    }
    return whole;
  };
  try {
    const store = openStore({ dir: dataDir, sync: syncOf(config), log });
    undo.push(() => closeStore(store, log));
    const layer = restoreSettings(config, store, log);
    config.begin();
    const core = buildCore({
      node: config.node(),
      zones: config.zones(),
      store,
      log,
      clock: systemClock,
      random: systemRandom,
      defer: (fn) => void setImmediate(fn),
      aclText: () => aclText(config),
    });
    const { broker } = core;
    const restored = broker.registry.restore();
    if (restored > 0) log.info("sessions restored", { sessions: restored });
    if (store.damage.length > 0) {
      broker.metrics.storageDamaged += store.damage.length;
      broker.alarms.set("storage_damaged", store.damage.join(" "));
    }
    const listeners = new Listeners({
      accept: (t, l, cert) => broker.accept(t, l, cert),
      log,
      clock: systemClock,
      dataDir,
      maxPacketSize: (zone) => broker.zone(zone).maxPacketSize,
      openingBudget: () => (broker.memory.short ? 0 : broker.memory.high / 4),
      rejected: (reason) => broker.metrics.count(`connections/rejected/${reason}`),
      flush: () => broker.flush(),
    });
    const parts = await openManagement(o, dataDir, core, store, layer, listeners, undo);
    undo.push(startTicking(core, config, dataDir, listeners));
    undo.push(() => {
      broker.flush();
      // While the disk fails, closing the store is the last attempt.
      if (!broker.durability.failed) store.commit();
    });
    await listeners.start(config.listeners());
    undo.push(async () => {
      listeners.close();
      broker.shutdown();
      await listeners.stop();
    });
    return { config, broker, listeners, store, dataDir, stop, ...parts };
  } catch (err) {
    await stop();
    throw err;
  }
}

/** False = what waited is lost. */
function closeStore(store: SqliteStore, log: Logger): boolean {
  const bytes = store.bytes;
  try {
    store.close();
    return true;
  } catch (err) {
    if (!(err instanceof StoreError)) throw err;
    log.error("what could not be stored is lost", { bytes, why: err.message });
    return false;
  }
}

/** Plugins, admin layer and HTTP: they refer to each other, so they are made together. */
async function openManagement(
  o: NodeOptions,
  dataDir: string,
  core: Core,
  store: SqliteStore,
  layer: ApiLayer,
  listeners: Listeners,
  undo: Undo[],
) {
  const { config, log } = o;
  const { broker } = core;
  const system = createSystem();
  let http: Http | undefined;
  const reloadCertificates = async () => [...(await listeners.reloadCertificates()), ...((await http?.reloadCertificates()) ?? [])];
  // Each time, also what was no good: a key and its certificate are seldom replaced in the same moment, and what keeps them from being read may
  // leave no trace in them.
  const watch = setInterval(() => void reloadCertificates(), CERTIFICATES_MS);
  undo.push(() => clearInterval(watch));
  const reload = createReload({ config, core, log, plugins: () => plugins, reloadCertificates });
  const firstLoaded = new Remembered(store).isDecided ? null : loadedPlugins(config, dataDir, log);
  const plugins: PluginManager = new PluginManager({
    plugins: builtIn,
    configuration: {
      texts: (plugin) => config.texts(plugin),
      adopt: ({ name, config: table }, lines) => config.adopt({ app: name, table }, lines),
      fault: (plugin) => config.faults.get(plugin) ?? null,
      reread(plugin) {
        const takeBack = config.rereadOf(plugin);
        tellOverridden(config.overridden(plugin), log);
        return takeBack;
      },
    },
    firstLoaded,
    expandPluginsDir: pluginsDir(config, dataDir),
    broker: createPluginBroker(broker),
    store,
    clock: systemClock,
    log,
    dataDir,
    host: {
      http: {
        start: (settings) => (http as Http).start(settings),
        stop: (which) => (http as Http).stop(which),
      },
      reload,
      figures: () => admin.figures(),
    },
  });
  const openPorts = (): number[] => [
    ...listeners
      .list()
      .filter((l) => l.running)
      .map((l) => l.port),
    ...(http?.list() ?? []).filter((l) => l.running).map((l) => Number(l.listen_on)),
  ];
  const admin = createAdmin({
    broker,
    stats: core.stats,
    plugins,
    settings: settingsPorts(config, layer, store, core, log, openPorts),
    listeners,
    system,
    log,
    product: { name: "BaoMQ", version: buildInfo.version },
    logControl: createLogControl(o.log),
    traces: createTraces(broker, config, log),
    reloadAcl: () => core.reloadAcl(),
    aclRules: () => core.acl.rules,
    aclFile: aclFilePort(config, () => core.reloadAcl()),
    fittingKinds,
  });
  const tls = async (label: string, c: HttpTlsConfig) => {
    const { options, files, stamp } = await loadTls(label, c, "http/1.1", dataDir, systemClock.now());
    return { options, stamp, stampNow: () => stampOf(files) };
  };
  http = createHttp({ admin, log, dashboardDir: dashboardDir(), tls });
  const opened = http;
  undo.push(() => opened.stopAll());
  undo.push(() => plugins.stopAll());
  for (const failed of await plugins.startAll()) {
    // A plugin whose file is wrong may be the one that keeps strangers out: the node does not start as if it were not there.
    const [port] = closedPortsOf(config, failed.name);
    if (failed.required && port !== undefined) throw new Error(located(config, port));
    if (failed.required || config.faults.has(failed.name)) throw new Error(failed.error);
  }
  const strangers = config.strangers().filter((key) => config.keys.find(key) === undefined);
  if (strangers.length > 0) log.notice("settings of plugins that are not here are kept", { keys: strangers });
  opened.startCtl(join(dataDir, CTL_SOCKET));
  admin.start();
  undo.push(() => admin.stop());
  const missingPlugins = [...(firstLoaded ?? [])].filter((name) => !plugins.has(name));
  return { admin, http: opened, plugins, missingPlugins };
}

/** Inside the executable the dashboard lies beside the code; from source it is where the build puts it. */
function dashboardDir(): string {
  const embedded = join(import.meta.dir, "dashboard");
  return Bun.isStandaloneExecutable || existsSync(embedded) ? embedded : resolve(import.meta.dir, "../../dist/dashboard");
}
