/** The admin layer over a core in memory and the plugins of the build. */
import { afterAll } from "bun:test";
import { type Admin, type AdminDeps, createAdmin } from "../../../server/admin/index.ts";
import { loadConfig } from "../../../server/config/config.ts";
import { Overrides } from "../../../server/config/overrides.ts";
import { createSystem } from "../../../server/machine/machine.ts";
import { plugins, pluginTables } from "../../../server/plugins/index.ts";
import type { PluginManager } from "../../../server/plugins/manager.ts";
import { type MemoryStore, memoryStore } from "../../support/memory_store.ts";
import { TestKit } from "../../support/test_broker.ts";
import { manage, removeTempDirs } from "../plugins/harness.ts";

afterAll(removeTempDirs);

export interface Administered {
  admin: Admin;
  kit: TestKit;
  manager: PluginManager;
  store: MemoryStore;
  /** False = something was written and nobody will commit it before the next event. */
  settled(): boolean;
}

export async function administer(more: Partial<AdminDeps> = {}, store = memoryStore()): Promise<Administered> {
  const kit = new TestKit({ store });
  const { manager } = manage(plugins, { kit });
  for (const name of ["emqx_retainer", "emqx_auth_username", "emqx_auth_clientid", "emqx_delayed_publish", "emqx_recon", "emqx_reloader"]) {
    await manager.load(name);
  }
  kit.broker.flush();
  kit.settle();
  const overrides = new Overrides((namespace) => store.kv(namespace));
  const admin = createAdmin({
    broker: kit.broker,
    stats: kit.core.stats,
    plugins: manager,
    settings: {
      layers: loadConfig({ tables: pluginTables, file: null, env: {}, flags: new Map() }),
      aside: new Map(),
      review: () => {},
      problems: () => [],
      keep: (changes) => overrides.write(changes),
      changed() {
        kit.core.refresh();
        kit.broker.flush();
      },
    },
    listeners: { list: () => [], stopOne: () => false, startOne: () => Promise.resolve(false) },
    system: createSystem(),
    log: kit.log,
    product: { name: "BaoMQ", version: "0" },
    ...more,
  });
  return {
    admin,
    kit,
    manager,
    store,
    settled() {
      kit.settle();
      return !kit.store.pending;
    },
  };
}
