/** Rules that are changed: what waits in the line for them, what they look at, what is stored of them. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { definePlugin } from "../../../../server/plugins/plugin.ts";
import { ruleEngine } from "../../../../server/plugins/rule_engine/index.ts";
import type { RuleEngineService } from "../../../../server/plugins/rules.ts";
import { TestKit } from "../../../support/test_broker.ts";
import { manage, removeTempDirs, turns, type Wishes } from "../harness.ts";
import { startServers, stopServers, write } from "./servers.ts";

afterEach(stopServers);
afterAll(removeTempDirs);

/** With an action that closes when the test says so, and makes a directory. */
async function start(wishes: Wishes = {}) {
  const seen: unknown[] = [];
  let mayClose = (): void => {};
  const closing = new Promise<void>((resolve) => {
    mayClose = resolve;
  });
  const slow = definePlugin({
    name: "test_slow",
    description: "",
    version: "v1",
    activeByDefault: false,
    config: {},
    start(ctx) {
      const text = { type: "string", title: "", description: "" } as const;
      const kind = { for: "$any", type: "built_in", title: "", description: "", params: { what: text } } as const;
      ctx.offer({
        actions: [
          { ...kind, name: "test:slow", open: (_, host) => ({ run: () => host.done(1, 0), close: () => closing }) },
          { ...kind, name: "test:see", open: () => ({ run: (row) => void seen.push(row), close: () => {} }) },
          {
            ...kind,
            name: "test:held",
            open({ what }) {
              if (what === "refused") throw new Error("it cannot be");
              queueMicrotask(() => void seen.push(`later ${what}`));
              const on = (which: string) => (): void => void seen.push(`${which} ${what}`);
              return { run: () => {}, close: on("close"), hold: on("hold"), begin: on("begin") };
            },
          },
          {
            ...kind,
            name: "test:keep",
            open(_, host) {
              host.directory();
              return { run: () => {}, close: () => {} };
            },
          },
        ],
      });
    },
  });
  const m = manage([ruleEngine, slow], wishes);
  await m.manager.load("test_slow");
  await m.manager.load("emqx_rule_engine");
  const service = m.manager.service("emqx_rule_engine") as RuleEngineService;
  return { ...m, service, seen, mayClose };
}
const SEE = { name: "test:see", params: {} };
const SLOW = { name: "test:slow", params: {} };
const KEEP = { name: "test:keep", params: {} };

describe("what waits in the line", () => {
  test("is looked at by the changed rule where that looks at the same, and counted where it does not", async () => {
    const { service, kit, seen } = await start();
    const made = await service.createRule({ name: "r", rawsql: 'SELECT payload AS p FROM "t"', actions: [SEE] });
    const c = kit.connected("c").publish("t", "1");
    await service.updateRule(made.id, { description: "another" });
    c.publish("t", "2");
    await service.updateRule(made.id, { rawsql: 'SELECT payload AS q FROM "t"' });
    await turns(kit);
    expect(seen).toEqual([{ q: "1" }, { q: "2" }]);
    await service.updateRule(made.id, { rawsql: 'SELECT payload AS q FROM "t", "t"' });
    c.publish("t", "3");
    const changed = await service.updateRule(made.id, { rawsql: 'SELECT payload AS q FROM "t", "u"' });
    await turns(kit);
    expect(changed.topics).toEqual(["t", "u"]);
    expect(service.rule(made.id)?.metrics).toMatchObject({ matched: 2, dropped: 1 });
  });

  test("stays where a rule that is enabled is enabled", async () => {
    const { service, kit, seen } = await start();
    const made = await service.createRule({ name: "r", rawsql: 'SELECT payload AS p FROM "t"', actions: [SEE] });
    kit.connected("c").publish("t", "1");
    expect(await service.enableRule(made.id, true)).toMatchObject({ enabled: true });
    await turns(kit);
    expect([seen.length, service.rule(made.id)?.metrics.dropped]).toEqual([1, 0]);
  });
});

test("while actions that it has no more are closing a changed rule looks at what is new", async () => {
  const { service, kit, seen, mayClose } = await start();
  const made = await service.createRule({ name: "r", rawsql: 'SELECT topic FROM "t"', actions: [SLOW] });
  // The broker remembers of this topic that nobody looks at it.
  const c = kit.connected("c").publish("u").publish("u");
  const changed = service.updateRule(made.id, { rawsql: 'SELECT topic FROM "u"', actions: [SEE] });
  await turns(kit);
  c.publish("u");
  await turns(kit);
  expect(seen).toEqual([{ topic: "u" }]);
  mayClose();
  await changed;
});

describe("`for`", () => {
  const ALL = 'SELECT * FROM "message.publish"';

  test("that nobody gave is none in a file, and comes back as it was", async () => {
    const a = await start();
    const made = await a.service.createRule({ name: "r", rawsql: ALL, actions: [] });
    expect(made).toMatchObject({ for: "message.publish", topics: ["#"] });
    const file = a.service.exported();
    expect(file.rules[0]?.for).toBeNull();
    const b = await start();
    await b.service.imported(file, false);
    expect(b.service.rule(made.id)?.topics).toEqual(["#"]);
    expect(await a.service.imported(file, true)).toMatchObject({ rules: { same: [made.id] } });
  });

  test("comes back as it is shown with nothing meant by it", async () => {
    const { service } = await start();
    const made = await service.createRule({ name: "r", rawsql: ALL, actions: [] });
    expect(await service.updateRule(made.id, { ...made })).toMatchObject({ topics: ["#"] });
    expect(await service.updateRule(made.id, { ...made, rawsql: `${ALL} WHERE qos = 1` })).toMatchObject({ topics: ["#"] });
    expect(service.exported().rules[0]?.for).toBeNull();
    expect(await service.updateRule(made.id, { for: "client.connected", rawsql: 'SELECT * FROM "#"' })).toMatchObject({
      events: ["client.connected"],
    });
  });

  test("stays with other SQL, unless that names events, or somebody takes it back", async () => {
    const { service } = await start();
    const made = await service.createRule({ name: "r", for: "client.connected", rawsql: 'SELECT * FROM "#"', actions: [] });
    const events = async (given: object): Promise<string[]> => (await service.updateRule(made.id, { ...given })).events;
    expect(await events({ rawsql: `SELECT clientid FROM "#" WHERE username = 'x'` })).toEqual(["client.connected"]);
    expect(await events({ rawsql: 'SELECT * FROM "$events/client_disconnected"' })).toEqual(["client.disconnected"]);
    expect(await events({ for: "session.created", rawsql: 'SELECT * FROM "t"' })).toEqual(["session.created"]);
    expect(await events({ for: null })).toEqual(["message.publish"]);
  });

  test("that matters is a difference to a file", async () => {
    const { service } = await start();
    const made = await service.createRule({ name: "r", rawsql: ALL, actions: [] });
    const [rule] = service.exported().rules;
    const file = { version: 1, rules: [{ ...rule, for: "client.connected", rawsql: 'SELECT * FROM "#"' }] };
    await service.imported(file, false);
    expect(service.rule(made.id)?.events).toEqual(["client.connected"]);
    const other = { version: 1, rules: [{ ...file.rules[0], for: "session.created" }] };
    expect(await service.imported(other, true)).toMatchObject({ rules: { update: [made.id], same: [] } });
  });
});

describe("a stored rule that cannot be read", () => {
  async function torn() {
    const kit = new TestKit();
    const kv = kit.store.kv("plugin/emqx_rule_engine");
    kv.set("rule/torn", '{"id": "to');
    return { ...(await start({ kit })), kv };
  }

  test("is not written over by its switch, nor by a part of a rule", async () => {
    const { service, kv } = await torn();
    for (const enabled of [true, false]) await expect(service.enableRule("torn", enabled)).rejects.toThrow("cannot be read");
    for (const part of [{ description: "x" }, { rawsql: 'SELECT * FROM "t"', name: "x" }])
      await expect(service.updateRule("torn", part)).rejects.toThrow("Bad Arguments");
    expect(kv.get("rule/torn")).toBe('{"id": "to');
  });

  test("is replaced by all of one", async () => {
    const { service } = await torn();
    const made = await service.updateRule("torn", { name: "whole", rawsql: 'SELECT * FROM "t"', actions: [SEE] });
    expect(made).toMatchObject({ id: "torn", state: "running" });
    expect(await service.enableRule("torn", false)).toMatchObject({ enabled: false });
  });
});

test("a rule that is refused leaves no directory behind", async () => {
  const { service, dataDir } = await start();
  const bad = { name: "built_in:republish_action", params: { target_topic: "a/#" } };
  await expect(service.createRule({ name: "r", rawsql: 'SELECT * FROM "t"', actions: [KEEP, bad] })).rejects.toThrow("no topic");
  const directory = join(dataDir, "rules");
  expect(existsSync(directory) ? readdirSync(directory) : []).toEqual([]);
});

test("of a file the id of an action that is of another kind now is not taken: what lies under it is not its own", async () => {
  const { service } = await start();
  const file = (name: string) => ({
    version: 1,
    rules: [{ id: "r", name: "r", rawsql: 'SELECT * FROM "t"', actions: [{ id: "x", name, params: {} }] }],
  });
  await service.imported(file("test:keep"), false);
  expect(service.rule("r")?.actions[0]?.id).toBe("x");
  await service.imported(file("test:see"), false);
  expect(service.rule("r")?.actions[0]?.id).toMatch(/^test:see_\d+$/);
});

test("rules that came in one file are in its order also after a restart", async () => {
  const { service, manager } = await start();
  const ids = ["z", "a", "m", "b"];
  const rules = ids.map((id) => ({ id, name: id, rawsql: 'SELECT * FROM "t"', actions: [] }));
  await service.imported({ version: 1, rules }, false);
  await manager.unload("emqx_rule_engine");
  await manager.load("emqx_rule_engine");
  const again = manager.service("emqx_rule_engine") as RuleEngineService;
  expect([...again.rules()].map((r) => r.id)).toEqual(ids);
});

test("an import of many rules gives the event loop back in between", async () => {
  const { service, kit } = await start();
  const rules = Array.from({ length: 300 }, (_, i) => ({
    id: `r${i}`,
    name: `r${i}`,
    rawsql: 'SELECT * FROM "$events/client_connected"',
    actions: [SEE],
  }));
  const mono = kit.clock.mono.bind(kit.clock);
  let asked = 0;
  // Every look at the clock finds a millisecond gone.
  kit.clock.mono = () => (mono() + asked++) as ReturnType<typeof mono>;
  let isDone = false;
  const imported = service.imported({ version: 1, rules }, false).then((result) => {
    isDone = true;
    return result;
  });
  let meanwhile = 0;
  for (; !isDone && meanwhile < 10_000; meanwhile++) await turns(kit, 1);
  expect(await imported).toMatchObject({ applied: true });
  expect(meanwhile).toBeGreaterThan(50);
  expect([...service.rules()].map((r) => r.id)).toEqual(rules.map((r) => r.id));
});

test("the alarm of a resource that is down stands when another one that is down takes its place, and goes with that one's", async () => {
  const { kit, servers, service, resource, rule, passing } = await startServers();
  const alarms = (): string[] => kit.alarms.present().map((a) => a.id);
  const down = "emqx_rule_engine_test_db:db_down";
  for (const server of ["one", "two"]) servers.states.set(server, "down");
  await resource("db", "one");
  await rule(write("db"));
  await passing(() => alarms().includes(down), "the alarm");
  await resource("db", "two");
  await passing(() => service.resource("test_db:db")?.status[0]?.is_alive === false, "the second one is down");
  expect(alarms()).toContain(down);
  servers.states.set("two", "up");
  await passing(() => !alarms().includes(down), "no alarm");
});

test("the alarm of a resource that is down stands when one that was to take its place is refused", async () => {
  const { kit, servers, service, resource, rule, passing } = await startServers();
  const down = "emqx_rule_engine_test_db:db_down";
  const alarm = () => kit.alarms.present().find((a) => a.id === down);
  for (const server of ["one", "picky"]) servers.states.set(server, "down");
  await resource("db", "one");
  await rule(write("db"));
  await passing(() => alarm() !== undefined, "the alarm");
  await expect(resource("db", "picky")).rejects.toThrow("rule r cannot do with it");
  expect(JSON.stringify(alarm()?.desc)).toContain("database at one");
  servers.states.set("one", "up");
  await passing(() => alarm() === undefined, "no alarm");
  expect(service.resource("test_db:db")?.config).toEqual({ server: "one" });
});

test("what waits counts with its topics and names", async () => {
  const { service, kit } = await start();
  await service.createRule({ name: "r", rawsql: 'SELECT * FROM "$events/session_subscribed"', actions: [SEE] });
  const filter = "x".repeat(20_000);
  const c = kit.connected("c", 5, { username: "y".repeat(10_000), password: Buffer.from("x") });
  c.subscribe(filter);
  expect(service.line().bytes).toBeGreaterThan(30_000);
  await turns(kit);
});

test("actions of a change are held at once, until all of it is through; those of one that is refused never begin", async () => {
  const { service, seen } = await start();
  const held = (...whats: string[]): object[] => whats.map((what) => ({ name: "test:held", params: { what } }));
  const made = await service.createRule({ name: "r", rawsql: 'SELECT * FROM "t"', actions: held("a", "b") });
  expect(seen).toEqual(["hold a", "hold b", "later a", "later b", "begin a", "begin b"]);
  seen.length = 0;
  const ids = made.actions.map(({ id }) => id);
  const actions = held("c", "refused").map((action, i) => ({ ...action, id: ids[i] }));
  await expect(service.updateRule(made.id, { actions })).rejects.toThrow("it cannot be");
  expect(seen.filter((what) => /begin c|hold c|close c/.test(String(what)))).toEqual(["hold c", "close c"]);
});

test("when the node stops actions close, with what waits, before the plugins that bring their kinds, whichever was loaded first", async () => {
  const seen: string[] = [];
  const bringer = definePlugin({
    name: "test_bringer",
    description: "",
    version: "v1",
    activeByDefault: false,
    config: {},
    start(ctx) {
      const kind = { for: "$any", type: "built_in", title: "", description: "", params: {} } as const;
      const action = {
        run: () => {},
        close: () => void seen.push("close"),
        async handOver() {
          seen.push("hand over");
          return { rows: 1, bytes: 1, letters: 0 };
        },
      };
      ctx.offer({ actions: [{ ...kind, name: "test:waits", open: () => action }] });
    },
  });
  const m = manage([ruleEngine, bringer]);
  await m.manager.load("emqx_rule_engine");
  await m.manager.load("test_bringer");
  const service = m.manager.service("emqx_rule_engine") as RuleEngineService;
  await service.createRule({ name: "r", rawsql: 'SELECT * FROM "t"', actions: [{ name: "test:waits", params: {} }] });
  await m.manager.stopAll();
  expect(seen).toEqual(["close"]);
});
