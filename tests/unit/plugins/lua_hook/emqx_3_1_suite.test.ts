/**
 * The scripts of EMQ X 3.1's own test suite, word for word (emqx_3_1_suite.lua): its callbacks run unchanged, and what they return does what the
 * suite says. It asks the hooks; here clients publish and subscribe. Where it sees only that a hook chain is stopped, what 3.1's README says of
 * `false` holds: the message is not published, the topic neither subscribed nor unsubscribed.
 */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { luaHook } from "../../../../server/plugins/lua_hook/index.ts";
import type { ScriptRowView, ScriptsService } from "../../../../server/plugins/plugin.ts";
import { until } from "../../../support/until.ts";
import { logIn, type Managed, removeTempDirs, running, tempDir } from "../harness.ts";

afterAll(removeTempDirs);
const open: Managed[] = [];
afterEach(async () => {
  for (const m of open.splice(0)) await m.manager.unload("emqx_lua_hook");
});

/** By case, by file. */
const SUITE = new Map<string, Map<string, string>>();
for (const part of readFileSync(join(import.meta.dir, "emqx_3_1_suite.lua"), "utf8")
  .split("\n-- >>> ")
  .slice(1)) {
  const [, name = "", file = "", text = ""] = /^(\S+) (\S+)\n(.*)$/s.exec(part) ?? [];
  SUITE.set(name, (SUITE.get(name) ?? new Map<string, string>()).set(file, text));
}

/** With the scripts of a case. Other tests run beside these: what they are about is not the budget. */
async function start(name: string) {
  const scripts = SUITE.get(name);
  if (scripts === undefined) throw new Error(`the suite has no ${name}`);
  const dataDir = tempDir();
  const dir = join(dataDir, "scripts");
  mkdirSync(dir);
  for (const [file, text] of scripts) writeFileSync(join(dir, file), text);
  const m = await running(luaHook, { dataDir, flags: { "lua_hook.budget": "1s" } });
  open.push(m);
  const { kit } = m;
  const service = m.manager.service("emqx_lua_hook") as ScriptsService;
  const row = (file = "abc.lua"): ScriptRowView => service.list().find((r) => r.name === file) as ScriptRowView;
  const published: [topic: string, payload: string, qos: number, retain: boolean][] = [];
  /** What becomes of the message of the suite. */
  const publish = (from = "myclient"): typeof published => {
    const client = kit.connected(from, 4, { username: "tester", password: Buffer.from("x") });
    published.length = 0;
    const spy = kit.hooks.add(
      "message.publish",
      "spy",
      (message) => {
        published.push([message.topic, new TextDecoder().decode(message.payload), message.qos, message.retain]);
        return message;
      },
      -500,
    );
    client.publish("a/b/c", "123", 2, { retain: true, messageId: 1 });
    spy();
    return published;
  };
  const client = () => kit.connected("myclient", 4, { username: "myuser", password: Buffer.from("x") });
  const filters = (): string[] => [...(kit.broker.sessions.get("myclient")?.subscriptions() ?? [])].map((s) => s.filter).sort();
  const subscribe = (c = client()): string[] => {
    const subscriptions = ["a/b/c", "d/+/e"].map((topic, i) => ({ topic, qos: (i + 1) as 1 | 2 }));
    c.send({ cmd: "subscribe", messageId: 1, subscriptions } as never);
    return filters();
  };
  /** Its callback was called so often, and so many of the calls came to nothing. */
  const called = async (callback: string, calls: number, errors: number): Promise<void> => {
    await until(() => row().callbacks.some((c) => c.name === callback && c.calls === calls), `${callback} is called`);
    expect([row().state, row().callbacks.map((c) => [c.name, c.errors])]).toEqual(["running", [[callback, errors]]]);
  };
  return { ...m, service, row, publish, client, filters, subscribe, called, file: (file: string) => join(dir, file) };
}

const SAME = [["a/b/c", "123", 2, true]];

describe("on_message_publish", () => {
  test.each<[name: string, published: unknown[], errors: number]>([
    ["case01", [["a/b/c", "hello", 2, true]], 0],
    ["case02", [], 0],
    ["case03", SAME, 1],
    ["case110", [["changed/topic", "hello", 2, true]], 0],
  ])("%s", async (name, published, errors) => {
    const { publish, called } = await start(name);
    expect(publish()).toEqual(published as never);
    await called("on_message_publish", 1, errors);
  });

  test("case204: registered twice, it is called once", async () => {
    const { publish, subscribe } = await start("case204");
    expect(publish()).toEqual([["a/b/c", "123_Z", 2, true]]);
    expect(subscribe()).toEqual(["play/football"]);
  });

  test("case04: only the one who is called broker", async () => {
    const { publish } = await start("case04");
    expect(publish()).toEqual([]);
    expect(publish("broker")).toEqual([["a/b/c", "hello broker", 2, true]]);
  });

  test("case101: with another script for subscriptions", async () => {
    const { publish, subscribe } = await start("case101");
    expect(publish()).toEqual([["a/b/c", "hello", 2, true]]);
    expect(subscribe()).toEqual(["a1/b1/c1", "d/+/e"]);
  });
});

describe("subscriptions", () => {
  test.each<[name: string, filters: string[], errors: number]>([
    ["case41", ["a1/b1/c1", "d/+/e"], 0],
    ["case42", [], 0],
    ["case43", ["a/b/c", "d/+/e"], 2],
  ])("%s", async (name, filters, errors) => {
    const { subscribe, called } = await start(name);
    expect(subscribe()).toEqual(filters);
    await called("on_client_subscribe", 2, errors);
  });

  test.each<[name: string, left: string[], errors: number]>([
    ["case51", ["a/b/c"], 0],
    ["case52", ["a/b/c", "a1/b1/c1", "d/+/e"], 0],
    ["case53", ["a1/b1/c1"], 2],
  ])("%s", async (name, left, errors) => {
    const { client, subscribe, filters, called } = await start(name);
    const c = client();
    subscribe(c.subscribe("a1/b1/c1", 0));
    c.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["a/b/c", "d/+/e"] });
    expect(filters()).toEqual(left);
    await called("on_client_unsubscribe", 2, errors);
  });
});

/** Whatever they return, or fail with, is nobody's business but the list of errors. Lua 5.3 has an infinite number for 9/0. */
describe("callbacks that are only told", () => {
  test.each([
    ["on_message_deliver", ["case11", "case12", "case13"]],
    ["on_message_acked", ["case21", "case22", "case23"]],
    ["on_client_connected", ["case31", "case32"]],
    ["on_client_disconnected", ["case61", "case62"]],
    ["on_session_subscribed", ["case71", "case72", "case73"]],
    ["on_session_unsubscribed", ["case81", "case82", "case83"]],
  ])("%s", async (callback, names) => {
    for (const name of names) {
      const { client, called } = await start(name);
      const c = client().subscribe("a/b/c", 1).publish("a/b/c", "123", 1, { messageId: 1 });
      expect(c.messages().map((m) => [m.topic, m.payload])).toEqual([["a/b/c", "123"]]);
      c.send({ cmd: "puback", messageId: 1 });
      c.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["a/b/c"] });
      c.disconnect();
      await called(callback, 1, 0);
    }
  });
});

describe("commands", () => {
  const CHANGED = [["changed/topic", "hello", 2, true]];

  test("case111: unloaded", async () => {
    const { service, publish } = await start("case111");
    expect(await service.command("unload", "abc.lua")).toBeNull();
    expect(publish()).toEqual(SAME as never);
  });

  test("case112: unloaded, and loaded again", async () => {
    const { service, publish } = await start("case112");
    for (const word of ["unload", "load"] as const) expect(await service.command(word, "abc.lua")).toBeNull();
    expect(publish()).toEqual(CHANGED as never);
  });

  test("case113: disabled, it is renamed", async () => {
    const { service, publish, file } = await start("case113");
    expect(await service.command("disable", "abc.lua")).toBeNull();
    expect(publish()).toEqual(SAME as never);
    expect([existsSync(file("abc.lua.x")), existsSync(file("abc.lua"))]).toEqual([true, false]);
  });

  test("case114: one that is disabled, enabled", async () => {
    const { service, publish } = await start("case114");
    expect(await service.command("enable", "abc.lua")).toBeNull();
    expect(publish()).toEqual(CHANGED as never);
  });

  test("case115: reloaded, with two callbacks", async () => {
    const { service, publish, subscribe } = await start("case115");
    expect(await service.command("reload", "abc.lua")).toBeNull();
    expect(publish()).toEqual(CHANGED as never);
    expect(subscribe()).toEqual(["play/football"]);
  });
});

describe("scripts that are no good", () => {
  test.each([
    ["case201", "register_hook"],
    ["case202", "9"],
    ["case205", "end_with_error"],
  ])("%s: it is said so, and nothing else happens", async (name, word) => {
    const { row, subscribe, publish, service } = await start(name);
    expect(row().state).not.toBe("running");
    expect(JSON.stringify(service.errors("abc.lua"))).toContain(word);
    expect(subscribe()).toEqual(["a/b/c", "d/+/e"]);
    expect(publish("other")).toEqual(SAME as never);
  });
});

describe("access", () => {
  test("case301: ok lets in", async () => {
    const { kit } = await start("case301");
    kit.zone.allowAnonymous = false;
    expect(await logIn(kit, "test", "mqtt")).toBe(0);
  });

  test("case302: allow allows", async () => {
    const { kit, publish } = await start("case302");
    kit.zone.aclNomatch = "deny";
    expect(publish()).toEqual(SAME as never);
  });
});

test("no script of the suite is left out", () => {
  const here = readFileSync(import.meta.path, "utf8");
  expect(SUITE.size).toBe(39);
  expect([...SUITE.keys()].filter((name) => !here.includes(`"${name}"`))).toEqual([]);
});
