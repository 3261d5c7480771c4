import { afterAll, describe, expect, test } from "bun:test";
import { Message } from "../../../server/core/message.ts";
import { duration, integer, optional, parsed, secret, stays, text } from "../../../server/lib/config_entry.ts";
import { MASK_ALONE } from "../../../server/lib/mask.ts";
import { QueueFull } from "../../../server/lib/work_queue.ts";
import { RC } from "../../../server/mqtt/reason_codes.ts";
import { serverAddress, serverUrlOrNone } from "../../../server/plugins/_backend/address.ts";
import { PluginError } from "../../../server/plugins/manager.ts";
import { type AnyPlugin, definePlugin, type PluginContext } from "../../../server/plugins/plugin.ts";
import { aClient } from "../../support/access.ts";
import { TestKit } from "../../support/test_broker.ts";
import { manage, removeTempDirs, running, turns } from "./harness.ts";

afterAll(removeTempDirs);

/** What a plugin's start was given, each time it started. */
interface Probe {
  plugin: AnyPlugin;
  starts: PluginContext[];
  closed: string[];
}

function probe(name = "probe", change: Partial<AnyPlugin> = {}, body: (ctx: PluginContext) => void = () => {}): Probe {
  const starts: PluginContext[] = [];
  const closed: string[] = [];
  const plugin: AnyPlugin = {
    name,
    description: "A probe",
    version: "v3.1.0",
    activeByDefault: false,
    config: {
      "probe.limit": integer(5, "A limit."),
      "probe.pause": duration("10s", "A pause."),
      "probe.word": optional(text("word", "A word.")),
      "probe.key": secret("public", "A secret."),
      "probe.rule.$n": optional(text("rule", "Rules.")),
    },
    liveKeys: { "probe.limit": "integer" },
    start(ctx) {
      starts.push(ctx);
      ctx.closing(() => void closed.push("first"));
      ctx.closing(async () => void closed.push("second"));
      body(ctx);
    },
    ...change,
  };
  return { plugin, starts, closed };
}

const failure = async (work: Promise<unknown>): Promise<PluginError> => {
  const err = await work.then(
    () => new Error("it did not fail"),
    (e: unknown) => e,
  );
  expect(err).toBeInstanceOf(PluginError);
  return err as PluginError;
};
const message = (topic: string, retain = false): Message => new Message(topic, new Uint8Array([1]), 0, retain, "c", null, 0, 0, null);

describe("load and unload", () => {
  test("rows in order of names, with what the API shows", () => {
    const { manager } = manage([probe("zz").plugin, probe("aa").plugin]);
    expect(manager.list().map((r) => r.name)).toEqual(["aa", "zz"]);
    expect(manager.list()[0]).toEqual({
      name: "aa",
      version: "v3.1.0",
      description: "A probe",
      active: false,
      error: null,
      failures: 0,
      required: false,
      testable: false,
      onErrorOf: null,
      file: null,
    });
  });

  test("the words of EMQ X 3.1 for what cannot be done", async () => {
    const { manager } = manage([probe().plugin]);
    expect((await failure(manager.unload("probe"))).message).toBe("not_started");
    await manager.load("probe");
    expect((await failure(manager.load("probe"))).message).toBe("already_started");
    for (const verb of ["load", "unload", "reload"] as const) expect((await failure(manager[verb]("nope"))).message).toBe("not_found");
    expect(manager.has("probe") && manager.isRunning("probe")).toBe(true);
  });

  test("a required plugin starts whatever was remembered, and stays", async () => {
    const { manager, kit } = manage([probe("probe", { required: true }).plugin]);
    kit.store.kv("plugins").set("state/probe", "unloaded");
    expect(await manager.startAll()).toEqual([]);
    expect((await failure(manager.unload("probe"))).message).toStartWith("refused: ");
    expect(manager.isRunning("probe")).toBe(true);
  });

  test("what was loaded and unloaded is remembered; the others follow their default", async () => {
    const kit = new TestKit();
    const set = () => [
      probe("off").plugin,
      probe("on", { activeByDefault: true }).plugin,
      probe("stays", { activeByDefault: true }).plugin,
    ];
    const first = manage(set(), { kit }).manager;
    await first.startAll();
    expect(first.list().map((r) => r.active)).toEqual([false, true, true]);
    await first.load("off");
    await first.unload("on");
    await first.stopAll();
    const second = manage(set(), { kit }).manager;
    await second.startAll();
    expect(second.list().map((r) => r.active)).toEqual([true, false, true]);
  });

  test("at the first start on a data directory another list decides; later what was loaded and unloaded", async () => {
    const kit = new TestKit();
    const set = () => [
      probe("listed").plugin,
      probe("default", { activeByDefault: true }).plugin,
      probe("must", { required: true }).plugin,
    ];
    const firstLoaded = new Set(["listed", "unknown"]);
    const active = async (): Promise<string[]> => {
      const { manager } = manage(set(), { kit, firstLoaded });
      await manager.startAll();
      return manager.list().flatMap((r) => (r.active ? [r.name] : []));
    };
    expect(await active()).toEqual(["listed", "must"]);
    const { manager } = manage(set(), { kit });
    await manager.load("default");
    expect(await active()).toEqual(["default", "listed", "must"]);
    const fresh = manage(set(), { firstLoaded: null }).manager;
    await fresh.startAll();
    expect(fresh.list().flatMap((r) => (r.active ? [r.name] : []))).toEqual(["default", "must"]);
  });

  test("everything registered is taken back, last first", async () => {
    let ticks = 0;
    const p = probe("probe", {}, (ctx) => {
      ctx.hook("message.publish", () => null, { prefix: "stop/" });
      ctx.hook("message.publish", (m) => m);
      ctx.hook("client.connected", () => {});
      ctx.every(100, () => void ticks++);
      ctx.after(100, () => {
        ticks += 10;
      });
      ctx.closing(() => void p.closed.push("third"));
    });
    const { manager, kit } = await running(p.plugin);
    expect(kit.hooks.at["message.publish"].map((h) => h.id)).toEqual(["probe", "probe#2"]);
    expect(kit.broker.publish(message("stop/x"))).toBe(0);
    kit.pass(300);
    expect(ticks).toBe(13);
    await manager.unload("probe");
    for (const handlers of Object.values(kit.hooks.at)) expect(handlers.filter((h) => h.id.startsWith("probe"))).toEqual([]);
    kit.pass(500);
    expect(ticks).toBe(13);
    expect(p.closed).toEqual(["third", "second", "first"]);
    // An answer that comes late registers nothing any more.
    p.starts[0]?.hook("client.connected", () => {});
    expect(kit.hooks.at["client.connected"].filter((h) => h.id.startsWith("bad"))).toEqual([]);
  });

  test("a hook that is hung anew has the place and the name it had", async () => {
    const on = (name: string): { plugin: AnyPlugin; hang: () => () => void } => {
      const p = probe(name);
      return { plugin: p.plugin, hang: () => p.starts[0]?.hook("message.publish", (m) => m) as () => void };
    };
    const [a, b] = [on("a"), on("b")];
    const { manager, kit } = manage([a.plugin, b.plugin]);
    for (const { plugin } of [a, b]) await manager.load(plugin.name);
    const ids = (): string[] => kit.hooks.at["message.publish"].map((h) => h.id);
    b.hang();
    const off = a.hang();
    expect(ids()).toEqual(["a", "b"]);
    for (let i = 0; i < 3; i++) a.hang();
    off();
    a.hang();
    expect(ids()).toEqual(["a#2", "a#3", "a#4", "a", "b"]);
  });

  test("a cancelled timer does not fire, and `every` can be cancelled from within", async () => {
    const fired: string[] = [];
    const { kit } = await running(
      probe("probe", {}, (ctx) => {
        ctx.after(200, () => fired.push("never"))();
        const stop = ctx.every(100, () => {
          fired.push("once");
          stop();
        });
      }).plugin,
    );
    kit.pass(1000);
    expect(fired).toEqual(["once"]);
  });

  test("the service is there while the plugin runs", async () => {
    const door = { reloadNow: async () => ({ done: ["x"], failed: [] }) };
    const plugin = definePlugin({
      name: "emqx_reloader",
      description: "",
      version: "",
      activeByDefault: true,
      config: {},
      start: () => door,
    });
    const { manager } = manage([plugin]);
    expect(manager.service("emqx_reloader")).toBeUndefined();
    await manager.startAll();
    expect(manager.service("emqx_reloader")).toBe(door);
    await manager.unload("emqx_reloader");
    expect(manager.service("emqx_reloader")).toBeUndefined();
    expect(manager.service("emqx_retainer")).toBeUndefined();
  });
});

describe("the log tells", () => {
  /** Lines that the default level shows. */
  const told = ({ kit }: { kit: TestKit }): string[] =>
    kit.log.lines.filter((l) => l.level !== "info").map((l) => `${l.level} ${l.message} ${JSON.stringify(l.fields)}`);

  test("what was loaded at the start in one line, and each load, unload and reload", async () => {
    const on = (name: string): AnyPlugin => probe(name, { activeByDefault: true }).plugin;
    const m = manage([on("zz"), on("aa"), probe().plugin]);
    await m.manager.startAll();
    expect(told(m)).toEqual(['notice plugins loaded {"plugins":["aa","zz"]}']);
    await m.manager.load("probe");
    await m.manager.reload("probe");
    await m.manager.unload("probe");
    expect(told(m).slice(1)).toEqual(["loaded", "reloaded", "unloaded"].map((word) => `notice plugin ${word} {"plugin":"probe"}`));
  });

  test("settings that take a restart, and that the plugin is read again in place", async () => {
    const m = await running(probe().plugin);
    await m.replaceConfig("probe", { "probe.pause": "20s" });
    expect(told(m).at(-1)).toBe('notice plugin reloaded {"plugin":"probe","why":"its settings have changed"}');
    const other = await running(probe("probe", { inPlace: true }).plugin);
    await other.manager.reload("probe");
    expect(told(other)).toEqual(["loaded", "reloaded"].map((word) => `notice plugin ${word} {"plugin":"probe"}`));
  });

  test("what did not come about, and why, each time", async () => {
    const world = { fails: true, refuses: true };
    const p = probe("probe", { inPlace: true }, (ctx) => {
      if (world.fails) throw new Error("no such database");
      ctx.changed(() => {
        if (world.refuses) throw new Error("no such table");
      });
    });
    const m = manage([p.plugin]);
    for (const verb of ["load", "reload"] as const) await failure(m.manager[verb]("probe"));
    expect(told(m)).toEqual(Array.from({ length: 2 }, () => 'error plugin does not start {"plugin":"probe","error":"no such database"}'));
    m.rewrite("probe.limit : 5");
    await failure(m.manager.load("probe"));
    expect(told(m).at(-1)).toMatch(/^error plugin (?:file cannot be used|does not start) \{"plugin":"probe","error":".*probe\.conf:1/);
    m.rewrite("");
    world.fails = false;
    await m.manager.load("probe");
    await failure(m.manager.reload("probe"));
    expect(told(m).at(-1)).toBe('error plugin goes on as it was {"plugin":"probe","error":"no such table"}');
    for (const limit of ["6", "7"]) {
      const before = told(m).length;
      await m.setLive("probe", "probe.limit", limit).catch(() => {});
      expect(told(m).slice(before)).toEqual([expect.stringMatching(/^error plugin failed .*"where":"config".*no such table/)]);
    }
  });
});

describe("what a plugin tells", () => {
  test("alarms of its own, gone with it", async () => {
    const down = { severity: "error", title: "down", summary: "no answer" } as const;
    const p = probe("probe", {}, (ctx) => {
      ctx.alarm("down", down);
      ctx.alarm("slow", down);
      ctx.alarm("slow", null);
      ctx.alarm("never", null);
    });
    const { manager, kit } = await running(p.plugin);
    expect(kit.broker.alarms.present().map((a) => a.id)).toEqual(["probe_down"]);
    await manager.unload("probe");
    expect(kit.broker.alarms.present()).toEqual([]);
    // An answer that comes too late raises nothing.
    p.starts[0]?.alarm("down", down);
    expect(kit.broker.alarms.present()).toEqual([]);
  });

  test("a report while it runs, null else and of those that have none", async () => {
    const report = { servers: [], authentication: null, acl: null };
    const { manager } = await running(probe("probe", {}, (ctx) => ctx.report(() => report)).plugin);
    expect(manager.report("probe")).toBe(report);
    await manager.unload("probe");
    expect([manager.report("probe"), manager.report("nobody")]).toEqual([null, null]);
    const silent = await running(probe().plugin);
    expect(silent.manager.report("probe")).toBeNull();
  });

  test("four tests run at a time, a bounded number waits, and who finds no place is told so", async () => {
    const request = { clientId: "c", username: null, password: null, ip: "127.0.0.1", action: null, topic: null };
    const under: (() => void)[] = [];
    const { manager } = await running(probe("probe", { test: () => new Promise((done) => void under.push(() => done([]))) }).plugin);
    const run = () => manager.test("probe", {}, request, () => aClient());
    const all = Array.from({ length: 36 }, run);
    await expect(run()).rejects.toBeInstanceOf(QueueFull);
    let ended = 0;
    for (; under.length > 0; ended++) {
      expect(under.length).toBeLessThanOrEqual(4);
      under.shift()?.();
      await new Promise((done) => setImmediate(done));
    }
    await Promise.all(all);
    expect(ended).toBe(36);
  });

  test("a test is given the settings in force with the changes, and changes nothing", async () => {
    const given: unknown[] = [];
    const request = { clientId: "c", username: null, password: null, ip: "127.0.0.1", action: null, topic: null };
    const p = probe("probe", {
      async test(ctx) {
        given.push({ ...ctx.config });
        return [];
      },
    });
    const { manager } = await running(p.plugin, { settings: { "probe.limit": "7", "probe.key": "own" } });
    const run = (texts: Record<string, unknown>) => manager.test("probe", texts, request, () => aClient());
    expect(await run({ "probe.word": "w", "probe.key": "******" })).toEqual([]);
    expect(given).toEqual([expect.objectContaining({ "probe.limit": 7, "probe.word": "w", "probe.key": "own" })]);
    expect(p.starts[0]?.config).toMatchObject({ "probe.word": null });
    expect((await failure(run({ "probe.limit": "x" }))).kind).toBe("bad_value");
    expect((await failure(run({ "probe.limit": 5 }))).kind).toBe("bad_value");
    expect((await failure(run({ "probe.nothing": "x" }))).kind).toBe("unknown_key");
    expect((await failure(manager.test("nobody", {}, request, () => aClient()))).kind).toBe("not_found");
    const silent = await running(probe().plugin);
    expect((await failure(silent.manager.test("probe", {}, request, () => aClient()))).kind).toBe("refused");
  });
});

describe("plugins that fail", () => {
  test("a start that throws: inactive, error shown, what it had registered is gone, others run", async () => {
    const bad = probe("bad", { activeByDefault: true }, (ctx) => {
      ctx.hook("client.connected", () => {});
      throw new Error("no such database");
    });
    const { manager, kit } = manage([bad.plugin, probe("good", { activeByDefault: true }).plugin]);
    expect(await manager.startAll()).toEqual([{ name: "bad", required: false, error: "no such database" }]);
    expect(manager.list().map((r) => [r.name, r.active, r.error])).toEqual([
      ["bad", false, "no such database"],
      ["good", true, null],
    ]);
    expect(kit.hooks.at["client.connected"].filter((h) => h.id.startsWith("bad"))).toEqual([]);
    expect(bad.closed).toEqual(["second", "first"]);
    expect((await failure(manager.load("bad"))).kind).toBe("failed");
  });

  test("a start that rejects is a start that throws", async () => {
    const { manager } = manage([probe("bad", { start: () => Promise.reject(new Error("later")) }).plugin]);
    expect((await failure(manager.load("bad"))).message).toBe("later");
  });

  test("a hook, a timer and a close that throw are noted and harm nobody", async () => {
    let publishing: unknown = null;
    const { manager, kit } = await running(
      probe("bad", {}, (ctx) => {
        ctx.hook("client.connected", () => {
          throw new Error("hook");
        });
        ctx.hook("client.disconnected", async () => {
          throw new Error("late hook");
        });
        ctx.hook("message.publish", () => publishing as Message, { prefix: "p/" });
        ctx.every(100, () => {
          throw new Error("timer");
        });
        ctx.closing(() => {
          throw new Error("close");
        });
      }).plugin,
    );
    const client = kit.connected("c");
    expect(manager.list()[0]).toMatchObject({ active: true, error: "client.connected: hook", failures: 1 });
    kit.pass(300);
    expect(manager.list()[0]).toMatchObject({ error: "timer: timer", failures: 4 });
    client.disconnect();
    await turns(kit);
    expect(manager.list()[0]).toMatchObject({ error: "client.disconnected: late hook", failures: 5 });
    // A forgotten return passes the message on; a promise stops it.
    const got = kit.connected("d");
    got.subscribe("p/#").take();
    publishing = undefined;
    expect(kit.broker.publish(message("p/1"))).toBe(1);
    publishing = Promise.resolve(message("p/2"));
    expect(kit.broker.publish(message("p/2"))).toBe(0);
    await manager.unload("bad");
    expect(manager.list()[0]).toMatchObject({ active: false });
    expect(kit.log.errors.some((l) => l.includes('"where":"close"'))).toBe(true);
  });

  test("an authentication that rejects denies, and is noted", async () => {
    const { manager, kit } = await running(
      probe("auth", {}, (ctx) => ctx.hook("client.authenticate", () => Promise.reject(new Error("database down")))).plugin,
    );
    const c = kit.client(5).connect("c", { username: "u" });
    await turns(kit);
    expect(c.take()).toMatchObject([{ cmd: "connack", reasonCode: 0x88 }]);
    expect(manager.list()[0]).toMatchObject({ error: "client.authenticate: database down", failures: 1 });
  });
});

describe("settings", () => {
  test("ctx.config has the values of file and defaults, ctx.many those of numbered keys in order", async () => {
    const p = probe();
    await running(p.plugin, { settings: { "probe.limit": "7", "probe.rule.10": "b", "probe.rule.2": "a" } });
    const ctx = p.starts[0] as PluginContext;
    expect(ctx.config).toMatchObject({ "probe.limit": 7, "probe.pause": 10_000, "probe.word": null, "probe.key": "public" });
    expect([...ctx.many("probe.rule.$n")]).toEqual([
      ["2", "a"],
      ["10", "b"],
    ]);
  });

  test("the file is read when the plugin is loaded, as EMQ X does it: what was written meanwhile holds, what is wrong in it is told", async () => {
    const p = probe();
    const { manager, rewrite, config } = manage([p.plugin], { settings: { "probe.limit": "7" } });
    rewrite("probe.limit = 8\n");
    await manager.load("probe");
    expect(p.starts[0]?.config).toMatchObject({ "probe.limit": 8 });
    rewrite("probe.limit = 9\n");
    await manager.reload("probe");
    expect(p.starts[1]?.config).toMatchObject({ "probe.limit": 9 });
    await manager.unload("probe");
    rewrite("probe.limit = nine\n");
    expect((await failure(manager.load("probe"))).message).toContain("probe.conf:1: probe.limit = nine: expected");
    rewrite("probe.limit = 10\n");
    await manager.load("probe");
    expect([p.starts[2]?.config, config.faults.size]).toEqual([expect.objectContaining({ "probe.limit": 10 }), 0]);
  });

  test("a bad value from a file: the plugin does not start, the key is named", async () => {
    const { manager } = manage([probe().plugin], { settings: { "probe.pause": "soon" } });
    const err = await failure(manager.load("probe"));
    expect(err.kind).toBe("failed");
    expect(err.message).toMatch(/\/probe\.conf:1: probe\.pause = soon: expected a duration/);
    expect(manager.list()[0]).toMatchObject({ active: false });
  });

  test("rows: what 3.1's file has is required, optional keys are empty, the wildcard stands for itself", () => {
    const { manager } = manage([probe().plugin], { settings: { "probe.limit": "7" } });
    const rows = manager.configRows("probe");
    expect(rows.map((r) => [r.key, r.value, r.required, r.origin])).toEqual([
      ["probe.limit", "7", true, "file"],
      ["probe.pause", "10s", true, "default"],
      ["probe.key", "public", true, "default"],
      ["probe.word", "", false, "default"],
      ["probe.rule.$n", "", false, "default"],
    ]);
    expect(rows[0]).toMatchObject({ desc: "", type: "integer", default: "5", live: true, doc: "A limit." });
    expect(rows[2]).toMatchObject({ secret: true, live: false });
  });

  test("replaceConfig replaces the whole set, restarts, and survives a restart of the node", async () => {
    const p = probe();
    const { manager, kit, replaceConfig } = await running(p.plugin, { settings: { "probe.limit": "7", "probe.word": "hi" } });
    await replaceConfig("probe", { "probe.pause": "1m", "probe.rule.1": "r" });
    expect(p.starts).toHaveLength(2);
    expect(p.starts[1]?.config).toMatchObject({ "probe.limit": 5, "probe.pause": 60_000, "probe.word": null });
    expect([...(p.starts[1] as PluginContext).many("probe.rule.$n")]).toEqual([["1", "r"]]);
    expect(manager.configRows("probe").map((r) => [r.key, r.value, r.required, r.origin])).toEqual([
      ["probe.pause", "1m", true, "api"],
      ["probe.rule.1", "r", true, "api"],
      ["probe.limit", "", false, "default"],
      ["probe.word", "", false, "default"],
      ["probe.key", "", false, "default"],
      ["probe.rule.$n", "", false, "default"],
    ]);
    const again = probe();
    const next = await running(again.plugin, { kit, settings: { "probe.limit": "7" } });
    expect(again.starts[0]?.config).toMatchObject({ "probe.limit": 5, "probe.pause": 60_000 });
    await next.replaceConfig("probe", null);
    expect(again.starts[1]?.config).toMatchObject({ "probe.limit": 7, "probe.pause": 10_000 });
  });

  test("a bad set changes nothing and names the key", async () => {
    const p = probe();
    const { manager, replaceConfig } = await running(p.plugin);
    for (const [set, key] of [
      [{ "probe.pause": "1m", "probe.nope": "1" }, "probe.nope"],
      [{ "probe.pause": "1m", "probe.limit": "many" }, "probe.limit"],
      [{ "probe.pause": "1m", "probe.limit": 3 as unknown as string }, "probe.limit"],
      [{ "probe.rule.x": "not a number" }, "probe.rule.x"],
    ] as const) {
      expect((await failure(replaceConfig("probe", set))).message).toContain(key);
    }
    expect((await failure(replaceConfig("nope", {}))).kind).toBe("not_found");
    expect(p.starts).toHaveLength(1);
    expect(manager.configRows("probe")[0]).toMatchObject({ key: "probe.limit", origin: "default" });
  });

  test("a secret is hidden once it is not the default, and stays when its stars are sent back", async () => {
    const p = probe();
    const { manager, replaceConfig } = await running(p.plugin);
    await replaceConfig("probe", { "probe.key": "s3cret" });
    expect(manager.configRows("probe")[0]).toMatchObject({ key: "probe.key", value: "******" });
    await replaceConfig("probe", { "probe.key": "******", "probe.limit": "1" });
    expect(p.starts.at(-1)?.config).toMatchObject({ "probe.key": "s3cret", "probe.limit": 1 });
  });

  test("when it does not start with the new set, the old one is back in force", async () => {
    const p = probe("probe", {}, (ctx) => {
      if (ctx.config["probe.word"] === "bad") throw new Error("word refused");
    });
    const { manager, replaceConfig, config, kit } = await running(p.plugin, { settings: { "probe.limit": "7" } });
    await expect(replaceConfig("probe", { "probe.word": "bad" })).rejects.toThrow("probe does not run with it: word refused");
    expect(manager.list()[0]).toMatchObject({ active: true, error: "config: word refused" });
    expect(p.starts.at(-1)?.config).toMatchObject({ "probe.limit": 7, "probe.word": null });
    expect([config.raw("probe.limit"), config.raw("probe.word"), config.override("probe.word")]).toEqual(["7", "", undefined]);
    expect(kit.store.kv("settings").entries()).toEqual([]);
  });

  test("a required plugin is restarted before the answer: whether it runs is part of it", async () => {
    const p = probe("probe", { required: true }, (ctx) => {
      if (ctx.config["probe.word"] === "bad") throw new Error("word refused");
    });
    const { manager, replaceConfig } = await running(p.plugin);
    await replaceConfig("probe", { "probe.pause": "1s" });
    expect(p.starts.map((ctx) => ctx.config["probe.pause"])).toEqual([10_000, 1000]);
    await expect(replaceConfig("probe", { "probe.word": "bad" })).rejects.toThrow("word refused");
    expect(manager.isRunning("probe")).toBe(true);
    expect(p.starts.at(-1)?.config).toMatchObject({ "probe.pause": 1000, "probe.word": null });
  });

  test("environment and flags stand above what the API says", async () => {
    const p = probe();
    const { manager, replaceConfig, setLive } = await running(p.plugin, { flags: { "probe.limit": "8", "probe.word": "flag" } });
    await replaceConfig("probe", { "probe.pause": "1m", "probe.limit": "8" });
    expect(p.starts.at(-1)?.config).toMatchObject({ "probe.limit": 8, "probe.pause": 60_000, "probe.word": "flag" });
    expect(manager.configRows("probe").find((r) => r.key === "probe.word")).toMatchObject({ value: "flag", origin: "flag" });
    await expect(replaceConfig("probe", { "probe.word": "mine" })).rejects.toThrow(
      "probe.word is set by --set probe.word, which stands above",
    );
    await expect(setLive("probe", "probe.limit", "9")).rejects.toThrow("probe.limit is set by --set probe.limit");
    expect(p.starts.at(-1)?.config).toMatchObject({ "probe.limit": 8, "probe.pause": 60_000, "probe.word": "flag" });
  });

  test("names that every object has are keys of no plugin", async () => {
    const { replaceConfig, setLive } = await running(probe().plugin);
    for (const name of ["constructor", "toString", "hasOwnProperty", "valueOf", "__proto__", "probe.constructor"]) {
      const set = JSON.parse(`{"${name}":"1"}`) as Record<string, unknown>;
      expect(await failure(replaceConfig("probe", set))).toMatchObject({ kind: "unknown_key", message: `probe has no key ${name}` });
      expect((await failure(setLive("probe", name, "1"))).kind).toBe("unknown_key");
    }
  });

  test("live keys: set at once, in base units, kept, and only while the plugin runs", async () => {
    const p = probe();
    const { manager, kit, setLive } = manage([p.plugin]);
    expect(manager.liveItems()).toEqual([]);
    expect((await failure(setLive("probe", "probe.limit", "9"))).kind).toBe("not_started");
    await manager.load("probe");
    await setLive("probe", "probe.limit", "9");
    expect(p.starts[0]?.config).toMatchObject({ "probe.limit": 9 });
    expect(manager.liveItems()).toEqual([{ key: "probe.limit", value: "9", datatpye: "integer", datatype: "integer", app: "probe" }]);
    expect(manager.configRows("probe")[0]).toMatchObject({ key: "probe.limit", value: "9", origin: "api", required: true });
    expect((await failure(setLive("probe", "probe.pause", "1s"))).kind).toBe("unknown_key");
    expect((await failure(setLive("probe", "probe.limit", "x"))).kind).toBe("bad_value");
    expect((await failure(setLive("nope", "probe.limit", "1"))).kind).toBe("not_found");
    const again = probe();
    await running(again.plugin, { kit });
    expect(again.starts[0]?.config).toMatchObject({ "probe.limit": 9 });
  });

  test("a plugin hears of live keys when it has their values; those it refuses are as before", async () => {
    const heard: [keys: readonly string[], limit: unknown][] = [];
    const p = probe("probe", {}, (ctx) => {
      ctx.changed((keys) => {
        heard.push([keys, ctx.config["probe.limit"]]);
        if (ctx.config["probe.limit"] === 13) throw new Error("not 13");
      });
    });
    const { manager, setLive } = await running(p.plugin);
    await setLive("probe", "probe.limit", "9");
    await expect(setLive("probe", "probe.limit", "13")).rejects.toThrow("not 13");
    expect(heard).toEqual([
      [["probe.limit"], 9],
      [["probe.limit"], 13],
    ]);
    expect(p.starts[0]?.config).toMatchObject({ "probe.limit": 9 });
    expect(manager.liveItems()).toMatchObject([{ key: "probe.limit", value: "9" }]);
  });

  test("live keys are shown as they are written: never a secret, nor the inside of a value", async () => {
    const p = probe("probe", {
      config: {
        "probe.key": secret("public", "A secret."),
        "probe.where": parsed("a:1", "host and port", (t) => ({ host: t }), "Where."),
        "probe.none": optional(text("x", "Nothing.")),
      },
      liveKeys: { "probe.key": "string", "probe.where": "string", "probe.none": "string" },
    });
    const { manager, setLive } = await running(p.plugin, { settings: { "probe.key": "own", "probe.where": "b:2" } });
    const shown = () => manager.liveItems().map((r) => `${r.key}=${r.value}`);
    expect(shown()).toEqual(["probe.key=******", "probe.none=", "probe.where=b:2"]);
    await setLive("probe", "probe.key", "******");
    expect(p.starts[0]?.config).toMatchObject({ "probe.key": "own" });
    await setLive("probe", "probe.key", "new");
    expect([p.starts[0]?.config, shown()[0]]).toEqual([expect.objectContaining({ "probe.key": "new" }), "probe.key=******"]);
  });

  test("a test has the settings as they would be: what is not named, and what is masked, is as now", async () => {
    const given: unknown[] = [];
    const p = probe("probe", {
      config: {
        "probe.server": text("a", "Where."),
        "probe.key": secret("", "A secret."),
        "probe.rule.$n": optional(text("", "A rule.")),
      },
      liveKeys: {},
      async test(ctx) {
        given.push([ctx.config["probe.server"], ctx.config["probe.key"], [...ctx.many("probe.rule.$n").values()]]);
        return [];
      },
    });
    const { manager } = await running(p.plugin, { settings: { "probe.key": "own", "probe.rule.1": "one" } });
    const request = { clientId: "c", username: null, password: null, ip: "127.0.0.1", action: null, topic: null };
    const run = (texts: Record<string, string>) => manager.test("probe", texts, request, () => aClient());
    await run({});
    await run({ "probe.server": "b", "probe.key": "******", "probe.rule.2": "two" });
    await run({ "probe.key": "again", "probe.rule.1": "other" });
    expect(given).toEqual([
      ["a", "own", ["one"]],
      ["b", "own", ["one", "two"]],
      ["a", "again", ["other"]],
    ]);
    expect((await failure(run({ "probe.nothing": "x" }))).kind).toBe("unknown_key");
  });

  test("a plugin that takes its settings over in place is never stopped for them, nor for a reload; what cannot be used changes nothing", async () => {
    const heard: unknown[] = [];
    const p = probe("probe", { inPlace: true }, (ctx) => {
      ctx.changed(() => {
        if (ctx.config["probe.word"] === "bad") throw new Error("not bad");
        heard.push(ctx.config["probe.word"]);
      });
    });
    const { manager, reread, replaceConfig } = await running(p.plugin);
    expect((await reread({ "probe.word": "new" })).changed).toEqual(["probe.word"]);
    await manager.reload("probe");
    await expect(replaceConfig("probe", { "probe.word": "bad" })).rejects.toThrow("not bad");
    expect(heard).toEqual(["new", "new"]);
    expect([p.starts.length, p.closed, manager.isRunning("probe")]).toEqual([1, [], true]);
    expect(p.starts[0]?.config).toMatchObject({ "probe.word": "new" });
  });

  test("a reload that is refused leaves nothing behind: neither for the next change to bring in, nor for it to be refused for", async () => {
    const p = probe("probe", { inPlace: true }, (ctx) => {
      ctx.changed(() => {
        if (ctx.config["probe.word"] === "bad") throw new Error("not bad");
      });
    });
    const other = probe("other", { inPlace: true, config: { "other.limit": integer(5, "A limit.") } });
    const { manager, config, settings, rewrite } = manage([p.plugin, other.plugin], { settings: { "probe.word": "good" } });
    for (const { name } of manager.list()) await manager.load(name);
    for (const [lines, why, minutes] of [
      ["probe.word = new\nprobe.limit = 9\nprobe.pause = soon\n", "probe.pause = soon: expected a duration", 1],
      ["probe.word = bad\nprobe.limit = 9\n", "not bad", 2],
    ] as const) {
      rewrite(lines);
      expect((await failure(manager.reload("probe"))).message).toContain(why);
      expect([config.raw("probe.word"), config.raw("probe.limit"), config.faults.size]).toEqual(["good", "5", 0]);
      await settings.apply(new Map([["probe.pause", `${minutes}m`]]));
      await settings.apply(new Map([["other.limit", `${minutes}`]]));
      expect(p.starts[0]?.config).toMatchObject({ "probe.word": "good", "probe.limit": 5, "probe.pause": minutes * 60_000 });
      expect(other.starts[0]?.config).toEqual({ "other.limit": minutes });
    }
    rewrite("probe.word = mended\n");
    await manager.reload("probe");
    expect([p.starts.length, p.starts[0]?.config["probe.word"]]).toEqual([1, "mended"]);
  });

  test("a reload that has to stop the plugin: with a file that is wrong it is not stopped, and one it does not start with is left for the former", async () => {
    const p = probe("probe", {}, (ctx) => {
      if (ctx.config["probe.word"] === "bad") throw new Error("not bad");
    });
    const m = await running(p.plugin, { settings: { "probe.word": "good" } });
    const { manager, config, settings, rewrite } = m;
    for (const [lines, why, starts] of [
      ["probe.word = new\nprobe.limit = 9\nprobe.pause = soon\n", "probe.pause = soon: expected a duration", 1],
      ["nonsense\n", "probe.conf:1: expected key = value", 1],
      ["probe.word = bad\nprobe.limit = 9\n", "not bad", 3],
    ] as const) {
      rewrite(lines);
      expect((await failure(manager.reload("probe"))).message).toContain(why);
      expect(manager.list()[0]).toMatchObject({ active: true, error: expect.stringContaining(why) });
      expect(m.kit.log.errors.at(-1)).toStartWith("plugin goes on as it was");
      expect([p.starts.length, p.starts.at(-1)?.config["probe.word"], p.starts.at(-1)?.config["probe.limit"]]).toEqual([starts, "good", 5]);
      expect([config.raw("probe.word"), config.raw("probe.limit"), config.faults.size]).toEqual(["good", "5", 0]);
    }
    await settings.apply(new Map([["probe.pause", "1m"]]));
    expect(p.starts.at(-1)?.config).toMatchObject({ "probe.word": "good", "probe.pause": 60_000 });
    rewrite("probe.word = mended\n");
    await manager.reload("probe");
    expect(manager.list()[0]).toMatchObject({ active: true, error: null });
    expect(p.starts.at(-1)?.config["probe.word"]).toBe("mended");
  });

  test("what is taken back are the plugin's own lines: those of others stay as they are by then", async () => {
    const other = probe("other", { config: { "other.limit": integer(5, "A limit.") } });
    const p = probe("probe", {}, (ctx) => {
      if (ctx.config["probe.word"] !== "bad") return;
      m.rewrite("probe.word = bad\nother.limit = 7\n");
      m.config.rereadOf("other");
      throw new Error("not bad");
    });
    const m = manage([p.plugin, other.plugin], { settings: { "probe.word": "good" } });
    await m.manager.load("probe");
    m.rewrite("probe.word = bad\n");
    await failure(m.manager.reload("probe"));
    expect([m.config.raw("probe.word"), m.config.raw("other.limit")]).toEqual(["good", "7"]);
  });

  test("what is taken back is taken back once: what was read while it was started again stays", async () => {
    const p = probe("probe", {}, (ctx) => {
      if (ctx.config["probe.word"] === "bad") throw new Error("not bad");
      if (p.starts.length < 3) return;
      m.rewrite("probe.word = newer\n");
      m.config.reread(() => true);
    });
    const m = await running(p.plugin, { settings: { "probe.word": "good" } });
    m.rewrite("probe.word = bad\n");
    await failure(m.manager.reload("probe"));
    expect([m.config.raw("probe.word"), p.starts.length]).toEqual(["newer", 3]);
  });

  test("where it does not start as it was before either, it says that it has stopped, and why", async () => {
    const world = { fails: false };
    const p = probe("probe", {}, (ctx) => {
      if (ctx.config["probe.word"] === "bad") throw new Error("not bad");
      if (world.fails) throw new Error("the port is in use");
    });
    const { manager, rewrite, replaceConfig } = await running(p.plugin, { settings: { "probe.word": "good" } });
    const why = "not bad; it has stopped: as it was before it does not start either (the port is in use)";
    world.fails = true;
    rewrite("probe.word = bad\n");
    expect((await failure(manager.reload("probe"))).message).toBe(why);
    expect(manager.list()[0]).toMatchObject({ active: false, error: why });
    world.fails = false;
    rewrite("");
    await manager.load("probe");
    world.fails = true;
    await expect(replaceConfig("probe", { "probe.word": "bad" })).rejects.toThrow(`probe does not run with it: ${why}`);
    expect(manager.list()[0]).toMatchObject({ active: false, error: `config: ${why}` });
  });

  test("while it is started again whoever it may refuse is refused; where it starts neither way nobody is any more, which is said", async () => {
    const world = { gate: Promise.resolve(), fails: false };
    const { plugin } = probe("probe", {
      async start(ctx) {
        await world.gate;
        if (world.fails) throw new Error("the port is in use");
        ctx.hook("client.authenticate", () => ({ allow: false, code: RC.NOT_AUTHORIZED, why: "a stranger" }));
        ctx.hook("client.check_acl", () => ({ verdict: "deny" }));
      },
    });
    const { manager, kit } = await running(plugin);
    const { access, metrics } = kit;
    /** What somebody with a name, and somebody without one, hears at the door, and what may be done behind it. */
    async function answers(): Promise<unknown[]> {
      const results = [aClient(), aClient({ username: null })].map((client) => access.authenticate(client, { password: null }));
      const doors = (await Promise.all(results)).map((result) => result.allow || result.why);
      return [...doors, await access.checkAcl(aClient(), "publish", "t")];
    }
    const failed = (): number[] => [metrics.authError, metrics.aclError];
    expect(await answers()).toEqual(["a stranger", true, "deny"]);
    const inUse = "the port is in use";
    const stopped = `${inUse}; it has stopped, and refuses nobody any more: as it was before it does not start either (${inUse})`;
    for (const [fails, behind, why] of [
      [false, ["a stranger", true, "deny"], null],
      [true, [true, true, "allow"], stopped],
    ] as const) {
      const before = failed();
      const gate = Promise.withResolvers<void>();
      Object.assign(world, { gate: gate.promise, fails });
      const reloading = manager.reload("probe").then(
        () => null,
        (err: Error) => err.message,
      );
      await turns(kit);
      expect(await answers()).toEqual(["probe is being started again", true, "deny"]);
      expect(failed()).toEqual(before.map((n) => n + 1));
      gate.resolve();
      expect([await reloading, await answers()]).toEqual([why, [...behind]]);
      expect(manager.list()[0]).toMatchObject({ active: !fails, error: why });
    }
  });

  test("who waits for another plugin while one is started again meets the one that was there, which refuses him", async () => {
    const asked = Promise.withResolvers<null>();
    const slow = probe("a_slow", { start: (ctx) => ctx.hook("client.authenticate", () => asked.promise) });
    const guard = probe("probe", {
      start: (ctx) => ctx.hook("client.authenticate", () => ({ allow: false, code: RC.NOT_AUTHORIZED, why: "a stranger" })),
    });
    const { manager, kit } = manage([slow.plugin, guard.plugin]);
    for (const name of ["a_slow", "probe"]) await manager.load(name);
    const result = kit.access.authenticate(aClient(), { password: null });
    await manager.reload("probe");
    asked.resolve(null);
    expect(await result).toMatchObject({ allow: false, why: "probe is being started again" });
  });

  test("who does not run with what its file says is asked about its own keys alone", async () => {
    const p = probe("probe", {}, (ctx) => {
      if (ctx.config["probe.word"] === "bad") throw new Error("word refused");
    });
    const other = probe("other", { config: { "other.limit": integer(5, "A limit.") }, liveKeys: { "other.limit": "integer" } });
    const { manager, settings, reread } = manage([p.plugin, other.plugin], { settings: { "probe.word": "good" } });
    for (const { name } of manager.list()) await manager.load(name);
    expect([...(await reread({ "probe.word": "bad" })).refused]).toEqual([["probe", "word refused"]]);
    const starts = p.starts.length;
    expect(await settings.apply(new Map([["other.limit", "6"]]))).toEqual({ applied: ["other.limit"], restart: [] });
    expect([other.starts[0]?.config["other.limit"], p.starts.length]).toEqual([6, starts]);
    await expect(settings.apply(new Map([["probe.limit", "6"]]))).rejects.toThrow("word refused");
  });

  test("files read again: live keys change in place, others restart the plugin, those set by the API stay", async () => {
    const p = probe();
    const { reread, replaceConfig } = await running(p.plugin);
    const changed = async (texts: Record<string, string>): Promise<string[]> => (await reread(texts)).changed;
    expect(await changed({ "probe.limit": "8" })).toEqual(["probe.limit"]);
    expect(p.starts).toHaveLength(1);
    expect(p.starts[0]?.config).toMatchObject({ "probe.limit": 8 });
    expect(await changed({ "probe.limit": "8", "probe.word": "new" })).toEqual(["probe.word"]);
    expect(p.starts).toHaveLength(2);
    expect(await changed({ "probe.limit": "8", "probe.word": "new", "probe.rule.1": "r" })).toEqual(["probe.rule.$n"]);
    await replaceConfig("probe", { "probe.word": "mine" });
    expect(await changed({ "probe.limit": "3" })).toEqual([]);
    expect(p.starts.at(-1)?.config).toMatchObject({ "probe.limit": 5, "probe.word": "mine" });
  });

  test("files read again with what the plugin does not take: it runs on as before", async () => {
    const p = probe("probe", {}, (ctx) => {
      if (ctx.config["probe.word"] === "bad") throw new Error("word refused");
    });
    const { manager, reread } = await running(p.plugin, { settings: { "probe.word": "good" } });
    const { changed, refused } = await reread({ "probe.word": "bad" });
    expect([changed, [...refused]]).toEqual([[], [["probe", "word refused"]]]);
    expect(manager.list()[0]).toMatchObject({ active: true, error: "config: word refused" });
    expect(p.starts.at(-1)?.config).toMatchObject({ "probe.word": "good" });
    // A file that is wrong while its plugin runs changes nothing; while it does not run, it keeps it from starting.
    await expect(reread({ "probe.limit": "many" })).rejects.toThrow("probe.limit = many: expected a whole number");
    expect(p.starts.at(-1)?.config).toMatchObject({ "probe.limit": 5, "probe.word": "good" });
    await manager.unload("probe");
    await reread({ "probe.limit": "many" });
    expect((await failure(manager.load("probe"))).message).toContain("probe.conf:1: probe.limit = many");
    await reread({});
    await manager.load("probe");
  });
});

describe("secrets that are kept", () => {
  const request = { clientId: "c", username: null, password: null, ip: "127.0.0.1", action: null, topic: null };
  const asking = () =>
    probe("probe", {
      inPlace: true,
      config: {
        "probe.server": serverAddress("127.0.0.1:1", 1),
        "probe.url": serverUrlOrNone("http://a.example/x", "A service.", {}),
        "probe.key": secret("public", "A secret."),
        "probe.own": stays(secret("", "One that stays here.")),
        "probe.header.$name": optional(secret("", "Others.")),
        "probe.word": optional(text("word", "A word.")),
      },
      liveKeys: { "probe.server": "string", "probe.word": "string" },
      test: async () => [],
    });
  const other = /^probe\.(?:server|url) names another server: probe\.(?:key|header\.h) has to be typed again, together with it$/;

  test("are sent to no other server, neither to try it nor by a change, unless they are typed again", async () => {
    const p = asking();
    const { manager, settings, replaceConfig, setLive } = await running(p.plugin, {
      settings: { "probe.server": "a:1", "probe.key": "s3cret", "probe.own": "0wn", "probe.header.h": "t0ken" },
    });
    const tried = (texts: Record<string, string>) => manager.test("probe", texts, request, () => aClient());
    const saved = { "probe.server": "a:1", "probe.key": "******", "probe.own": "******", "probe.header.h": "******" };
    const moves: Record<string, string>[] = [
      { "probe.server": "b:1" },
      { "probe.server": "b:1", "probe.key": "s3cret" },
      { "probe.server": "b:1", "probe.key": "******", "probe.header.h": "t0ken" },
      { "probe.url": "http://b.example/x" },
      { "probe.url": "http://a.example/y" },
    ];
    for (const move of moves) {
      const err = await failure(tried(move));
      expect([err.kind, err.message]).toEqual(["bad_value", expect.stringMatching(other)]);
      for (const change of [replaceConfig("probe", { ...saved, ...move }), settings.apply(new Map(Object.entries(move)))])
        expect(await change.catch((e: unknown) => e)).toMatchObject({ code: 108, message: expect.stringMatching(other) });
    }
    expect(await setLive("probe", "probe.server", "b:1").catch((e: unknown) => e)).toMatchObject({ code: 108 });
    expect(p.starts[0]?.config).toMatchObject({ "probe.server": { host: "a" }, "probe.key": "s3cret" });

    const typed = { "probe.server": "b:1", "probe.key": "s3cret", "probe.header.h": "n3w" };
    expect(await tried(typed)).toEqual([]);
    await replaceConfig("probe", { ...saved, ...typed });
    expect(p.starts[0]?.config).toMatchObject({ "probe.server": { host: "b" }, "probe.key": "s3cret", "probe.own": "0wn" });
  });

  test("stay as they are when something else is changed, a server is asked no more, or only spelt otherwise", async () => {
    const p = asking();
    const { settings, replaceConfig, setLive } = await running(p.plugin, {
      settings: { "probe.server": "a:1", "probe.key": "s3cret" },
    });
    await setLive("probe", "probe.server", "A");
    await replaceConfig("probe", { "probe.server": "a:1", "probe.key": "******", "probe.word": "w", "probe.url": "" });
    await setLive("probe", "probe.word", "v");
    expect(p.starts[0]?.config).toMatchObject({ "probe.server": { host: "a", port: 1 }, "probe.url": "none", "probe.key": "s3cret" });
    await settings.apply(new Map([["probe.key", ""]]));
    await setLive("probe", "probe.server", "b:1");
    expect(p.starts[0]?.config).toMatchObject({ "probe.server": { host: "b" }, "probe.key": "" });
  });

  test("in a URL, too: with another path its password has to be typed again, asterisks are nobody's", async () => {
    const p = asking();
    const { manager, settings, replaceConfig } = await running(p.plugin, { settings: { "probe.url": "http://joe:s3cret@a.example/x" } });
    const why = `probe.url: ${MASK_ALONE}`;
    const now = (): unknown => String(p.starts[0]?.config["probe.url"]);
    for (const url of ["http://joe:******@a.example/y", "http://jim:******@a.example/x", "http://******@a.example/x"]) {
      const err = await failure(manager.test("probe", { "probe.url": url }, request, () => aClient()));
      expect([err.kind, err.message]).toEqual(["bad_value", why]);
      for (const change of [settings.apply(new Map([["probe.url", url]])), replaceConfig("probe", { "probe.url": url })])
        expect(await change.catch((e: unknown) => e)).toMatchObject({ code: 108, message: why });
    }
    await settings.apply(new Map([["probe.url", "http://joe:******@a.example/x"]]));
    expect(now()).toBe("http://joe:s3cret@a.example/x");
    await settings.apply(new Map([["probe.url", "http://joe:***@a.example/y"]]));
    expect(now()).toBe("http://joe:***@a.example/y");
  });

  test("go with the server that the files name, whatever was changed meanwhile", async () => {
    const p = asking();
    const { settings } = await running(p.plugin, { settings: { "probe.server": "a:1", "probe.key": "s3cret" } });
    await settings.apply(
      new Map([
        ["probe.server", "b:1"],
        ["probe.key", "other"],
      ]),
    );
    await settings.apply(
      new Map([
        ["probe.server", null],
        ["probe.key", null],
      ]),
    );
    expect(p.starts[0]?.config).toMatchObject({ "probe.server": { host: "a" }, "probe.key": "s3cret" });
  });

  test("of the files do not come back to a server that was given with others", async () => {
    const p = asking();
    const { settings, replaceConfig } = await running(p.plugin, { settings: { "probe.server": "a:1", "probe.key": "s3cret" } });
    const apply = (changes: Record<string, string | null>) => settings.apply(new Map(Object.entries(changes)));
    for (const mine of ["mine", ""]) {
      await apply({ "probe.server": "b:1", "probe.key": mine });
      for (const change of [apply({ "probe.key": null }), apply({ "probe.key": null, "probe.server": "b:1" })])
        expect(await change.catch((e: unknown) => e)).toMatchObject({ code: 108, message: expect.stringMatching(other) });
      expect(p.starts[0]?.config).toMatchObject({ "probe.server": { host: "b" }, "probe.key": mine });
    }
    await replaceConfig("probe", null);
    expect(p.starts[0]?.config).toMatchObject({ "probe.server": { host: "a" }, "probe.key": "s3cret" });
  });

  test("of those of the flags and the environment no more is sent elsewhere", async () => {
    const { settings, replaceConfig } = await running(asking().plugin, { flags: { "probe.key": "s3cret" } });
    for (const change of [replaceConfig("probe", { "probe.server": "b:1" }), settings.apply(new Map([["probe.server", "b:1"]]))])
      await expect(change).rejects.toThrow(other);
    await replaceConfig("probe", { "probe.server": "b:1", "probe.key": "s3cret" });
  });
});
