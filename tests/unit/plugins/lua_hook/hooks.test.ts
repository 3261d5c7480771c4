/** Scripts that decide about access, and give no answer: `lua_hook.on_failure`, what is told of it, what is kept. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ExplainResult, explain } from "../../../../server/core/access/explain.ts";
import { luaHook } from "../../../../server/plugins/lua_hook/index.ts";
import type { ScriptRowView, ScriptsService } from "../../../../server/plugins/plugin.ts";
import { aClient } from "../../../support/access.ts";
import { until } from "../../../support/until.ts";
import { logIn, removeTempDirs, running, tempDir } from "../harness.ts";

afterAll(removeTempDirs);
const open: { manager: { unload(name: string): Promise<unknown> } }[] = [];
afterEach(async () => {
  for (const m of open.splice(0)) await m.manager.unload("emqx_lua_hook").catch(() => {});
});

const FAILURE = "lua_hook.on_failure";

async function start(files: Record<string, string>, settings: Record<string, string> = {}) {
  const dataDir = tempDir();
  mkdirSync(join(dataDir, "scripts"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dataDir, "scripts", name), text);
  const m = await running(luaHook, { dataDir, flags: { "lua_hook.budget": "1s", ...settings } });
  open.push(m);
  m.kit.zone.aclNomatch = "allow";
  const service = m.manager.service("emqx_lua_hook") as ScriptsService;
  const row = (name: string): ScriptRowView => service.list().find((r) => r.name === name) as ScriptRowView;
  return {
    ...m,
    service,
    row,
    file: (name: string) => join(dataDir, "scripts", name),
    set: (key: string, value: string) => m.replaceConfig("emqx_lua_hook", { ...settings, "lua_hook.budget": "1s", [key]: value }),
    logIn: (username = "joe") => logIn(m.kit, username, "x"),
    /** May a client publish there? */
    may: async (topic: string): Promise<string> => m.kit.access.checkAcl(aClient({ zone: m.kit.zone, username: "joe" }), "publish", topic),
    explained: (topic = "t", username = "joe"): Promise<ExplainResult> =>
      explain(m.kit.broker, aClient({ zone: m.kit.zone, username }), { password: Buffer.from("x") }, { action: "publish", topic }),
  };
}

const why = (result: ExplainResult): (string | undefined)[] =>
  [result.authentication.steps, result.acl?.steps ?? []].map((steps) => steps.find((s) => s.step === "emqx_lua_hook")?.why);

const script = (auth: string, acl = ""): string => `
function register_hook() return "on_client_authenticate", "on_client_check_acl", "on_message_publish" end
function on_client_authenticate(clientid, username, peername, password) ${auth} end
function on_client_check_acl(clientid, username, peername, password, pubsub, topic) ${acl} end
function on_message_publish(c, u, t, p, q, r) if t == "loop" then while true do end end return t, p, q, r end`;

describe("a call that fails", () => {
  const FAILS = script(
    'if username == "bad" then return true end error("boom")',
    'if topic == "bad" then return "maybe" end error("bang")',
  );

  test("refuses, and is told in words; nothing of it is kept", async () => {
    const m = await start({ "a.lua": FAILS });
    expect([await m.logIn(), await m.logIn("bad"), await m.may("t"), await m.may("bad")]).toEqual([0x88, 0x88, "deny", "deny"]);
    const [auth] = why(await m.explained());
    expect(auth).toBe("the script a.lua gives no answer: boom, which refuses (lua_hook.on_failure = deny)");
    expect(m.manager.report("emqx_lua_hook")).toMatchObject({
      authentication: { allowed: 0, denied: 0, ignored: 0, errors: 2 },
      acl: { allowed: 0, denied: 0, ignored: 0, errors: 2 },
    });
    expect(m.service.errors("a.lua")?.map((e) => [e.callback, e.line, e.message])).toContainEqual(["on_client_check_acl", 4, "bang"]);
  });

  test("ignore: the next one is asked, as in EMQ X 3.1, and explain says that it was", async () => {
    const m = await start({ "a.lua": FAILS }, { [FAILURE]: "ignore" });
    expect([await m.logIn(), await m.may("t")]).toEqual([0, "allow"]);
    expect(why(await m.explained())).toEqual([
      "the script a.lua gives no answer: boom, so the next one is asked (lua_hook.on_failure = ignore)",
      "the script a.lua gives no answer: bang, so the next one is asked (lua_hook.on_failure = ignore)",
    ]);
    m.kit.zone.allowAnonymous = false;
    m.kit.zone.aclNomatch = "deny";
    expect([await m.logIn(), await m.may("t")]).toEqual([0x87, "deny"]);
    // What explain asked counts nowhere.
    expect(m.manager.report("emqx_lua_hook")).toMatchObject({
      authentication: { ignored: 2, errors: 2 },
      acl: { ignored: 2, errors: 2 },
    });
  });

  test("a script behind it that decides is told with it, and what it says counts as what came of a failure", async () => {
    const m = await start({ "a.lua": FAILS, "b.lua": script('return "ok"', 'return "allow"') }, { [FAILURE]: "ignore" });
    const errors = m.kit.metrics.aclError;
    expect([await m.logIn(), await m.may("t")]).toEqual([0, "allow"]);
    expect(m.kit.metrics.aclError).toBe(errors + 1);
    expect(why(await m.explained())[1]).toBe(
      "the script a.lua gives no answer: bang, so the next one is asked (lua_hook.on_failure = ignore); the script b.lua says allow",
    );
  });

  test("to return nothing is no failure: scripts of EMQ X 3.1 that speak of some clients only go on as they did", async () => {
    const some = script('if username == "evil" then return "deny" end', 'if topic == "secret" then return "deny" end return nil');
    const m = await start({ "a.lua": some, "b.js": "export function on_client_authenticate() {}" });
    expect([await m.logIn(), await m.logIn("evil"), await m.may("t"), await m.may("secret")]).toEqual([0, 0x87, "allow", "deny"]);
    expect([m.service.errors("a.lua"), m.service.errors("b.js")]).toEqual([[], []]);
    // Of a message it is a mistake.
    writeFileSync(m.file("c.js"), "export const on_message_publish = (c, u, t) => (t === 'none' ? undefined : [t.gone])");
    expect(await m.service.command("load", "c.js")).toBeNull();
    m.kit.connected("p").publish("none", "x").publish("nil", "x");
    expect(m.service.errors("c.js")?.map((e) => e.message)).toEqual(["bad result: expected topic, payload, qos and retain, or false"]);
  });

  test("other settings count at once, for kept verdicts too, and no script is loaded again for them", async () => {
    const m = await start({ "a.lua": FAILS });
    const loaded = m.row("a.lua").loadedAt;
    const warned = (): number => m.kit.log.lines.filter((l) => l.message.startsWith("on_failure = ignore: ")).length;
    m.kit.pass(1000);
    const epoch = m.kit.access.epoch;
    await m.set(FAILURE, "ignore");
    expect([await m.logIn(), m.kit.access.epoch > epoch, m.row("a.lua").loadedAt === loaded]).toEqual([0, true, true]);
    expect(warned()).toBe(1);
    await m.set("lua_hook.max_overruns", "7");
    expect([await m.logIn(), warned()]).toEqual([0x88, 1]);
  });
});

describe("a script that does not run", () => {
  const GOOD = script('return "ok"', 'return "allow"');
  const BROKEN = `${GOOD}\nfunction x( end`;

  test("it could not be loaded: refused, with an alarm, until it is mended or taken away", async () => {
    const m = await start({ "a.lua": BROKEN });
    expect([await m.logIn(), await m.may("t")]).toEqual([0x88, "deny"]);
    expect(why(await m.explained())[0]).toMatch(/^the script a\.lua gives no answer: it is not loaded: line 6: .*, which refuses/);
    const [alarm] = m.kit.alarms.present();
    expect([alarm?.id, JSON.stringify(alarm?.desc)]).toEqual([
      "emqx_lua_hook_script_a.lua",
      expect.stringContaining("whoever it is to be asked about is refused (lua_hook.on_failure = deny)") as never,
    ]);
    // The message is not held up: only what is about access is refused.
    expect(m.kit.hooks.at["message.publish"]).toEqual([]);
    await m.set(FAILURE, "ignore");
    expect([await m.logIn(), await m.may("t")]).toEqual([0, "allow"]);
    expect(JSON.stringify(m.kit.alarms.present()[0]?.desc)).toContain("it is not asked about anybody (lua_hook.on_failure = ignore)");
    expect(why(await m.explained())[1]).toContain("it is not loaded: line 6");
    await m.set(FAILURE, "deny");
    writeFileSync(m.file("a.lua"), GOOD);
    expect(await m.service.command("reload", "a.lua")).toBeNull();
    expect([await m.logIn(), m.kit.alarms.present()]).toEqual([0, []]);
    writeFileSync(m.file("b.lua"), BROKEN);
    expect(await m.service.command("load", "b.lua")).toContain("line 6");
    expect(await m.service.command("disable", "a.lua")).toBeNull();
    expect(await m.logIn()).toBe(0x88);
    expect(await m.service.command("disable", "b.lua")).toBeNull();
    expect([await m.logIn(), m.kit.alarms.present()]).toEqual([0, []]);
  });

  test("one that names no callback about access refuses nobody", async () => {
    const m = await start({ "a.lua": "function register_hook() return 'on_message_publish' end function x( end" });
    expect([m.row("a.lua").state, await m.logIn(), m.kit.alarms.present()]).toEqual(["failed", 0, []]);
  });

  test("a new version that is broken changes nothing: the former one answers", async () => {
    const m = await start({ "a.lua": GOOD });
    writeFileSync(m.file("a.lua"), BROKEN);
    expect(await m.service.command("reload", "a.lua")).toContain("line 6");
    expect([await m.logIn(), m.kit.alarms.present()]).toEqual([0, []]);
  });

  test("stopped: refused until it is reloaded; while its worker is started again, who comes waits", async () => {
    const m = await start(
      {
        "a.js": `export const on_client_authenticate = () => "ok";
      export function on_message_publish(c, u, t) { if (t === "loop") for (;;); }`,
      },
      { "lua_hook.max_overruns": "2", "lua_hook.budget": "200ms" },
    );
    const from = m.kit.connected("pub");
    expect(await m.logIn()).toBe(0);
    from.publish("loop", "x");
    expect([m.row("a.js").restarts, await m.logIn(), m.row("a.js").skipped]).toEqual([1, 0, 0]);
    await until(() => {
      m.kit.pass(100);
      from.publish("loop", "x");
      return m.row("a.js").state === "stopped";
    }, "it is stopped");
    expect(await m.logIn()).toBe(0x88);
    expect(why(await m.explained())[0]).toContain("it is stopped: it was over its budget too often");
    expect(JSON.stringify(m.kit.alarms.present()[0]?.desc)).toContain("Change its file, or reload it. Until it runs, whoever");
    expect(await m.service.command("reload", "a.js")).toBeNull();
    expect([await m.logIn(), m.kit.alarms.present()]).toEqual([0, []]);
  });

  test("a worker that does not come back: who waits for it is refused then", async () => {
    const source = `export const on_client_check_acl = (c, u, i, p, pubsub, topic) => { if (topic === "loop") for (;;); return "allow" };`;
    const m = await start({ "a.js": source }, { "lua_hook.budget": "200ms" });
    expect(await m.may("t")).toBe("allow");
    writeFileSync(m.file("a.js"), `throw new Error("no"); ${source}`);
    expect(await m.may("loop")).toBe("deny");
    expect(m.row("a.js").state).toBe("running");
    const waited = m.may("t");
    expect([await waited, m.row("a.js").state]).toEqual(["deny", "failed"]);
    expect(why(await m.explained())[1]).toBe(
      "the script a.js gives no answer: it is not loaded: line 1: no, which refuses (lua_hook.on_failure = deny)",
    );
  });

  test("unloaded while somebody waits for it: he is asked no more", async () => {
    const m = await start({
      "a.js": 'export const on_client_check_acl = (c, u, i, p, pubsub, t) => { for (; t === "loop"; ); return "deny" };',
    });
    await m.may("loop");
    const waited = m.may("t");
    const unloaded = m.service.command("unload", "a.js");
    expect([await waited, await unloaded]).toEqual([expect.stringMatching(/allow|deny/) as never, null]);
    expect([await m.may("t"), m.row("a.js").state]).toEqual(["allow", "unloaded"]);
  });
});

describe("the directory", () => {
  const DENIES = script('return "deny"');

  test("that cannot be seen for a moment takes no script away", async () => {
    const m = await start({ "a.lua": DENIES });
    renameSync(m.file(""), m.file("../elsewhere"));
    const warned = (): number => m.kit.log.lines.filter((l) => l.message === "the directory of the scripts cannot be read").length;
    await until(() => {
      m.kit.pass(1000);
      return warned() > 0;
    });
    expect([m.row("a.lua").state, await m.logIn()]).toEqual(["running", 0x87]);
    expect(await m.service.command("load", "a.lua")).toContain("cannot be read: there is no such file");
    for (let i = 0; i < 5; i++) {
      m.kit.pass(1000);
      await Bun.sleep(5);
    }
    expect(warned()).toBe(1);
    renameSync(m.file("../elsewhere"), m.file(""));
    rmSync(m.file("a.lua"));
    await until(() => {
      m.kit.pass(1000);
      return m.service.list().length === 0;
    }, "it is gone");
    expect(await m.logIn()).toBe(0);
  });

  test("that cannot be there keeps the plugin from starting", async () => {
    const dataDir = tempDir();
    writeFileSync(join(dataDir, "scripts"), "");
    await expect(running(luaHook, { dataDir })).rejects.toThrow("does not start");
  });
});
