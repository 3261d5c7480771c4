/** A source's life with its plugin: what is still answered, and what is closed, when settings change and when the plugin goes. */
import { expect, test } from "bun:test";
import type { SourceHost } from "../../../../server/plugins/_auth/source.ts";
import { startOutside } from "../../../../server/plugins/_auth/source.ts";
import { Backend } from "../../../../server/plugins/_backend/backend.ts";
import { BackendError } from "../../../../server/plugins/_backend/errors.ts";
import type { PluginContext } from "../../../../server/plugins/plugin.ts";
import { FakeClock, silentLog } from "../../../support/access.ts";

const settle = async (): Promise<void> => {
  for (let i = 0; i < 30; i++) await Promise.resolve();
};

/** A plugin's context: its timers and its end are in the test's hand. */
function context() {
  const closing: (() => void | Promise<void>)[] = [];
  const changed: (() => void)[] = [];
  const timers = new Set<() => void>();
  const ctx = {
    clock: new FakeClock(),
    log: silentLog,
    config: {},
    broker: { count() {}, aclChanged() {}, aclEpoch: 0 },
    every(_ms: number, fn: () => void) {
      timers.add(fn);
      return () => void timers.delete(fn);
    },
    alarm() {},
    report() {},
    hook() {},
    changed: (fn: () => void) => void changed.push(fn),
    closing: (fn: () => void | Promise<void>) => void closing.push(fn),
  } as unknown as PluginContext;
  return { ctx, closing, changed, timers };
}

test("unloaded while a former server still answers: its callers are told, its driver is closed", async () => {
  const { ctx, closing, changed, timers } = context();
  const drivers: { closed: boolean }[] = [];
  const backends: Backend<{ closed: boolean }>[] = [];
  const open = (host: SourceHost) => {
    const backend = new Backend<{ closed: boolean }>(host, {
      what: "Server",
      open() {
        const driver = { closed: false };
        drivers.push(driver);
        return driver;
      },
      close(driver) {
        driver.closed = true;
      },
      probe: async () => {},
      judge: () => "down",
      pool: 1,
      perConnection: 1,
      timeoutMs: 1000,
      alarm: "down",
      retries: 0,
      probeProves: true,
    });
    backends.push(backend);
    return { auth: { authenticate: () => null }, backends: [backend] };
  };
  startOutside(ctx, { open, onError: () => "deny" });
  await settle();
  const asked = backends[0]
    ?.ask(() => new Promise<never>(() => {}))
    .catch((err: unknown) => (err instanceof BackendError ? err.kind : "other"));
  await settle();
  for (const fn of changed) fn();
  await settle();
  // The timers go with the plugin, before or behind what it closes.
  timers.clear();
  await Promise.all(closing.map((fn) => fn()));
  await settle();
  expect(await Promise.race([asked, settle().then(() => "never told")])).toBe("gone");
  expect(drivers.map((d) => d.closed)).toEqual([true, true]);
});
