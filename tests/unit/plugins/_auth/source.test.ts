/** A source's life with its plugin: what is still answered, and what is closed, when settings change and when the plugin goes. */
import { describe, expect, test } from "bun:test";
import type { Log } from "../../../../server/core/ports.ts";
import type { AlarmDetails } from "../../../../server/core/watch/alarms.ts";
import type { OnError } from "../../../../server/plugins/_auth/outside.ts";
import type { SourceHost } from "../../../../server/plugins/_auth/source.ts";
import { defineOutside, startOutside } from "../../../../server/plugins/_auth/source.ts";
import { Backend } from "../../../../server/plugins/_backend/backend.ts";
import { BackendError } from "../../../../server/plugins/_backend/errors.ts";
import type { PluginContext } from "../../../../server/plugins/plugin.ts";
import { aClient, FakeClock, recordingLog, silentLog } from "../../../support/access.ts";

const settle = async (): Promise<void> => {
  for (let i = 0; i < 30; i++) await Promise.resolve();
};

/** A plugin's context: its timers and its end are in the test's hand. */
function context(log: Log = silentLog) {
  const alarms: [what: string, title: string | null][] = [];

  const closing: (() => void | Promise<void>)[] = [];
  const changed: (() => void)[] = [];
  const timers = new Set<() => void>();
  const hooks = new Map<string, (...args: never[]) => unknown>();
  const clock = new FakeClock();
  const ctx = {
    clock,
    log,
    config: {},
    broker: { count() {}, aclChanged() {}, aclEpoch: 0, allowsAnonymous: true },
    every(_ms: number, fn: () => void) {
      timers.add(fn);
      return () => void timers.delete(fn);
    },
    alarm: (what: string, desc: AlarmDetails | null) => void alarms.push([what, desc?.title ?? null]),
    report() {},
    hook: (name: string, fn: (...args: never[]) => unknown) => void hooks.set(name, fn),
    changed: (fn: () => void) => void changed.push(fn),
    closing: (fn: () => void | Promise<void>) => void closing.push(fn),
  } as unknown as PluginContext;
  const login = (): unknown =>
    hooks.get("client.authenticate")?.(...([aClient(), { password: new Uint8Array(1), wanted: () => true }] as unknown as never[]));
  const passes = (ms: number): void => {
    clock.forward(ms);
    for (const fn of [...timers]) fn();
  };
  return { ctx, closing, changed, timers, alarms, login, passes };
}

interface FakeDriver {
  readonly asked: string[];
  closed: boolean;
}

/** A back end that notes its drivers. */
function serverOf(host: SourceHost, drivers: FakeDriver[]): Backend<FakeDriver> {
  return new Backend<FakeDriver>(host, {
    what: "Server",
    open() {
      const driver = { asked: [], closed: false };
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
}

test("unloaded while a former server still answers: its callers are told, its driver is closed", async () => {
  const { ctx, closing, changed, timers } = context();
  const drivers: FakeDriver[] = [];
  const backends: Backend<FakeDriver>[] = [];
  const open = (host: SourceHost) => {
    const backend = serverOf(host, drivers);
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

test("settings change while a password is compared: the log-in's next question goes to the server that it began with", async () => {
  const { ctx, changed, login, passes } = context();
  const compared = Promise.withResolvers<void>();
  const drivers: FakeDriver[] = [];
  const open = (host: SourceHost) => {
    const backend = serverOf(host, drivers);
    const ask = (what: string) => backend.ask(async (driver) => driver.asked.push(what));
    const authenticate = async () => {
      await ask("password");
      await compared.promise;
      await ask("super");
      return { allow: true, isSuper: true } as const;
    };
    return { auth: { authenticate }, backends: [backend] };
  };
  startOutside(ctx, { open, onError: () => "deny" });
  await settle();
  const step = login();
  await settle();
  for (const fn of changed) fn();
  // Nothing of it waits for an answer, and the time limit of a question has passed.
  for (let ms = 0; ms < 3000; ms += 100) {
    passes(100);
    await settle();
  }
  compared.resolve();
  expect(await step).toEqual({ allow: true, isSuper: true });
  expect(drivers[0]?.asked).toEqual(["password", "super"]);
  await settle();
  passes(100);
  await settle();
  expect(drivers.map((d) => d.closed)).toEqual([true, false]);
});

test("settings change while two servers are down: an alarm that nobody has any more ends, the other one stands", async () => {
  const { ctx, changed, alarms } = context();
  let names = ["down_a", "down_b"];
  const open = (host: SourceHost) => ({
    auth: { authenticate: () => null },
    backends: names.map(
      (alarm) =>
        new Backend<null>(host, {
          what: `Server ${alarm}`,
          open: () => null,
          close() {},
          probe: async () => Promise.reject(new Error("ECONNREFUSED")),
          judge: () => "down",
          pool: 1,
          perConnection: 1,
          timeoutMs: 1000,
          alarm,
          retries: 0,
          probeProves: true,
        }),
    ),
  });
  startOutside(ctx, { open, onError: () => "deny" });
  await settle();
  names = ["down_b", "down_c"];
  for (const fn of changed) fn();
  expect(alarms.splice(0)).toEqual([
    ["down_a", "Server down_a is down"],
    ["down_b", "Server down_b is down"],
    ["down_a", null],
  ]);
  await settle();
  expect(alarms).toEqual([
    ["down_b", "Server down_b is down"],
    ["down_c", "Server down_c is down"],
  ]);
});

test("a test of settings takes two connections, however many are set; who serves takes all", async () => {
  const { ctx } = context();
  const pools: number[] = [];
  const open = (host: SourceHost) => {
    pools.push(host.pool(1), host.pool(256));
    return { auth: { authenticate: () => null }, backends: [] };
  };
  startOutside(ctx, { open, onError: () => "deny" });
  const plugin = defineOutside({ name: "x", description: "", config: {} }, { open, onError: () => "deny" });
  const request = { clientId: "c", username: null, password: null, ip: "127.0.0.1", action: null, topic: null };
  await plugin.test?.(
    { config: {}, many: () => new Map() as never, isSaved: () => true, clock: ctx.clock, client: () => aClient() },
    request,
  );
  expect(pools).toEqual([1, 256, 1, 2]);
});

describe("on_error = ignore is told where it lets strangers in", () => {
  const source = { auth: { authenticate: () => null }, backends: [] };

  test("at the start, and when it is set while the plugin runs, not at every change", () => {
    const log = recordingLog();
    const { ctx, changed } = context(log);
    let onError: OnError = "ignore";
    startOutside(ctx, { open: () => source, onError: () => onError });
    const change = (to: OnError): number => {
      onError = to;
      for (const fn of changed) fn();
      return log.lines.length;
    };
    expect(log.lines.map((l) => `${l.level} ${l.message}`)).toEqual([expect.stringMatching(/^warn on_error = ignore: .*unasked$/)]);
    expect([change("ignore"), change("deny"), change("deny"), change("ignore")]).toEqual([1, 1, 1, 2]);
    expect(log.lines[1]).toEqual(log.lines[0]);
  });

  test("when allow_anonymous is switched on later, too, and again when it was off between", () => {
    const log = recordingLog();
    const { ctx, timers } = context(log);
    const allow = (allowsAnonymous: boolean): number => {
      Object.assign(ctx.broker, { allowsAnonymous });
      for (const fn of timers) fn();
      return log.lines.length;
    };
    Object.assign(ctx.broker, { allowsAnonymous: false });
    startOutside(ctx, { open: () => source, onError: () => "ignore" });
    expect([log.lines.length, allow(false), allow(true), allow(true), allow(false), allow(true)]).toEqual([0, 0, 1, 1, 1, 2]);
    expect(log.lines[0]?.message).toMatch(/^on_error = ignore: .*unasked$/);
  });

  test("not where nobody comes in without being known, or log-ins are refused all the same", () => {
    const log = recordingLog();
    for (const [anonymous, passesOn] of [
      [false, undefined],
      [true, () => false],
    ] as const) {
      const { ctx, changed } = context(log);
      Object.assign(ctx.broker, { allowsAnonymous: anonymous });
      startOutside(ctx, { open: () => source, onError: () => "ignore", ...(passesOn && { passesOn }) });
      for (const fn of changed) fn();
    }
    expect(log.lines).toEqual([]);
  });
});
