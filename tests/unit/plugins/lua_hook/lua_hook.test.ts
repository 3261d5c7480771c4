/** The plugin in a real core: callbacks, what they get, what their results do, and the life of the files. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { luaHook } from "../../../../server/plugins/lua_hook/index.ts";
import type { ScriptRowView, ScriptsService } from "../../../../server/plugins/plugin.ts";
import type { TestClient } from "../../../support/test_broker.ts";
import { until } from "../../../support/until.ts";
import { logIn, type Managed, removeTempDirs, running, tempDir, turns } from "../harness.ts";

afterAll(removeTempDirs);
const open: Managed[] = [];
afterEach(async () => {
  for (const m of open.splice(0)) await m.manager.unload("emqx_lua_hook").catch(() => {});
});

type Files = Record<string, string>;

/** These tests share the machine with others: what they are about is not the budget. */
async function start(files: Files, settings: Record<string, string> = {}) {
  const dataDir = tempDir();
  const dir = join(dataDir, "scripts");
  mkdirSync(dir);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const m = await running(luaHook, { dataDir, flags: { "lua_hook.budget": "1s", ...settings } });
  open.push(m);
  const service = m.manager.service("emqx_lua_hook") as ScriptsService;
  const row = (name: string): ScriptRowView => service.list().find((r) => r.name === name) as ScriptRowView;
  /** Looks at the directory until it has seen what was to be seen. */
  const seen = (there: () => boolean, what: string): Promise<void> =>
    until(() => {
      m.kit.pass(1000);
      return there();
    }, what);
  return { ...m, service, row, seen, dir, file: (name: string) => join(dir, name) };
}
const got = (c: TestClient): [topic: string, payload: string, qos: number, retain: boolean][] =>
  c.messages().map((m) => [m.topic, m.payload, m.qos, m.retain]);

const script = (names: string, functions: string): string =>
  `function register_hook() return ${names
    .split(" ")
    .map((n) => `"${n}"`)
    .join(", ")} end\n${functions}`;

/** Publishes what it was called with to nobody: kept in the log. */
const TELLER = (name: string): string =>
  script(
    name,
    `function ${name}(...) local t = {} for i, v in ipairs({...}) do t[i] = type(v) == "number" and ("%d"):format(v) or tostring(v) end print(table.concat(t, "|")) end`,
  );

describe("on_message_publish", () => {
  const PUBLISH = script(
    "on_message_publish",
    `function on_message_publish(clientid, username, topic, payload, qos, retain)
       if topic == "drop" then return false end
       if topic == "nothing" then return end
       if topic == "fail" then error("no") end
       if topic == "bad" then return topic, payload end
       if topic == "who" then return topic, clientid .. "/" .. username .. "/" .. qos .. "/" .. tostring(retain), qos, retain end
       if topic == "up" then return "down", payload, 1, retain end
       if topic == "same" then return topic, payload, qos, retain end
       if topic == "binary" then return topic, payload .. "\\0\\255", qos, retain end
       return topic, payload .. "!", qos, retain
     end`,
  );
  test("what comes of each result", async () => {
    const { kit, row, service } = await start({ "a.lua": PUBLISH });
    const from = kit.connected("pub", 4, { username: "joe", password: Buffer.from("x") });
    const to = kit.connected("sub").subscribe("#", 2);
    to.take();
    for (const topic of ["drop", "nothing", "fail", "bad", "who", "up", "same", "other"]) from.publish(topic, "hi");
    expect(got(to)).toEqual([
      ["nothing", "hi", 0, false],
      ["fail", "hi", 0, false],
      ["bad", "hi", 0, false],
      ["who", "pub/joe/0/false", 0, false],
      ["down", "hi", 1, false],
      ["same", "hi", 0, false],
      ["other", "hi!", 0, false],
    ]);
    from.publish("drop", "hi", 1);
    expect(from.take().map((p) => p.cmd)).toEqual(["puback"]);
    await until(() => (service.errors("a.lua")?.length ?? 0) === 3);
    expect(row("a.lua")).toMatchObject({ state: "running", callbacks: [{ name: "on_message_publish", calls: 9, errors: 3 }] });
  });

  test("bytes, empty payloads, topics that begin with $, messages of the broker", async () => {
    const { kit } = await start({ "a.lua": PUBLISH });
    const from = kit.connected("pub", 5);
    const to = kit.connected("sub", 5).subscribe("#", 0).subscribe("$x/#", 0);
    to.take();
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    from.publish("binary", all).publish("same", "").publish("other", "").publish("$x/y", "as it was");
    const packets = to.take().flatMap((p) => (p.cmd === "publish" ? [p.payload as Buffer] : []));
    expect(packets.map((p) => p.toString("latin1"))).toEqual([`${all.toString("latin1")}\0\xff`, "", "!", "as it was"]);
  });

  test("several scripts: one after the other, in order of their names, each with what the one before made", async () => {
    const add = (c: string): string =>
      script("on_message_publish", `function on_message_publish(c, u, t, p, q, r) return t, p .. "${c}", q, r end`);
    const { kit, service } = await start({
      "b.lua": add("b"),
      "a.lua": add("a"),
      "c.js": 'export const on_message_publish = (c, u, t, p, q, r) => (p.includes("quiet") ? undefined : [t, p + "c", q, r]);',
      "d.ts":
        "export function on_message_publish(c: string, u: string | null, t: string, p: Buffer, q: number, r: boolean) { return [t, p.toString() + (u === null ? 'd' : '?'), q, r] }",
    });
    expect(service.list().map((r) => [r.name, r.language])).toEqual([
      ["a.lua", "lua"],
      ["b.lua", "lua"],
      ["c.js", "javascript"],
      ["d.ts", "typescript"],
    ]);
    const from = kit.connected("pub");
    const to = kit.connected("sub").subscribe("#");
    to.take();
    from.publish("t", "").publish("t", "quiet ");
    expect(got(to).map(([, payload]) => payload)).toEqual(["abcd", "quiet abd"]);
  });

  test("no script that has it: no message is looked at", async () => {
    const { kit, service } = await start({ "a.lua": TELLER("on_client_connected") });
    const hung = (): string[] =>
      Object.entries(kit.hooks.at).flatMap(([point, all]) => all.flatMap((h) => (h.id.startsWith("emqx_lua_hook") ? [point] : [])));
    expect(hung()).toEqual(["client.connected"]);
    await service.command("unload", "a.lua");
    expect(hung()).toEqual([]);
  });
});

describe("what is only told", () => {
  const said = (m: Managed): string[] => m.kit.log.lines.flatMap((l) => (l.message === "script" ? [String(l.fields?.text)] : []));
  const cases: [name: string, act: (m: Managed) => void, told: string[]][] = [
    ["on_client_connected", (m) => m.kit.connected("c1", 4, { username: "joe", password: Buffer.from("x") }), ["c1|joe|0"]],
    ["on_client_connected", (m) => m.kit.connected("c1"), ["c1|undefined|0"]],
    ["on_client_disconnected", (m) => m.kit.connected("c1").disconnect(), ["c1|undefined|normal"]],
    [
      "on_session_subscribed",
      (m) => m.kit.connected("c1").subscribe("a/+").subscribe("$SYS/x").subscribe("$share/g/b"),
      ["c1|undefined|a/+", "c1|undefined|b"],
    ],
    [
      "on_session_unsubscribed",
      (m) =>
        m.kit
          .connected("c1")
          .subscribe("a/+")
          .send({ cmd: "unsubscribe", messageId: 1, unsubscriptions: ["a/+"] }),
      ["c1|undefined|a/+"],
    ],
    [
      "on_message_deliver",
      (m) => m.kit.connected("c1").subscribe("#").publish("t", "hi").publish("$x", "no"),
      ["c1|undefined|t|hi|0|false"],
    ],
    [
      "on_message_acked",
      (m) => m.kit.connected("c1").subscribe("#", 1).publish("t", "hi", 1).send({ cmd: "puback", messageId: 1 }),
      ["c1|undefined|t|hi|1|false"],
    ],
  ];
  for (const [name, act, told] of cases) {
    test(`${name}: ${told.join(" ")}`, async () => {
      const m = await start({ "a.lua": TELLER(name) });
      act(m);
      await until(() => said(m).length >= told.length);
      expect(said(m)).toEqual(told);
    });
  }
});

describe("subscriptions", () => {
  const RENAME = script(
    "on_client_subscribe on_client_unsubscribe",
    `local function f(clientid, username, topic)
       if topic == "no" then return false end
       if topic == "bad" then return "a/#/b" end
       if topic == "nothing" then return end
       return "x/" .. topic
     end
     on_client_subscribe = f
     on_client_unsubscribe = f`,
  );
  test("renamed, refused, left as it is", async () => {
    const { kit, service } = await start({ "a.lua": RENAME });
    const c = kit.connected("c", 5);
    const codes = (topics: string[]): unknown =>
      (
        c
          .send({
            cmd: "subscribe",
            messageId: 1,
            subscriptions: topics.map((topic) => ({ topic, qos: 1, nl: false, rap: false, rh: 0 })),
          } as never)
          .take()[0] as { granted?: unknown }
      ).granted;
    expect(codes(["a", "no", "bad", "nothing", "$share/g/s", "$SYS/y"])).toEqual([1, 0x87, 1, 1, 1, 1]);
    const filters = (): string[] => [...(kit.broker.sessions.get("c")?.subscriptions() ?? [])].map((s) => s.filter).sort();
    expect(filters()).toEqual(["$SYS/y", "bad", "nothing", "x/a", "x/s"]);
    c.send({ cmd: "unsubscribe", messageId: 2, unsubscriptions: ["no", "a", "bad"] });
    expect((c.take()[0] as { granted?: unknown }).granted).toEqual([0x11, 0, 0]);
    expect(filters()).toEqual(["$SYS/y", "nothing", "x/s"]);
    await until(() => (service.errors("a.lua")?.length ?? 0) >= 3);
    expect(service.errors("a.lua")?.map((e) => e.message)).toContain("bad result: expected a valid topic filter");
  });
});

describe("access", () => {
  const AUTH = script(
    "on_client_authenticate on_client_check_acl",
    `function on_client_authenticate(clientid, username, peername, password)
       if username == "bad" then return true end
       if username == "fail" then error("x") end
       if password == "secret" and peername == "127.0.0.1" then return "ok" end
       return username == "evil" and "deny" or "ignore"
     end
     function on_client_check_acl(clientid, username, peername, password, pubsub, topic)
       if topic == "fail" then error("x") end
       if topic == "a/" .. pubsub then return "allow" end
       if topic == "ignore" then return "ignore" end
       return "deny"
     end`,
  );
  test("ok lets in, deny refuses (ours), ignore and failures leave it to the next one", async () => {
    const m = await start({ "a.lua": AUTH }, { "lua_hook.on_failure": "ignore" });
    m.kit.zone.allowAnonymous = false;
    expect(await logIn(m.kit, "joe", "secret")).toBe(0);
    expect(await logIn(m.kit, "joe", "wrong")).toBe(0x87);
    expect(await logIn(m.kit, "bad", "x")).toBe(0x87);
    m.kit.zone.allowAnonymous = true;
    expect(await logIn(m.kit, "joe", "wrong")).toBe(0);
    expect(await logIn(m.kit, "fail", "x")).toBe(0);
    expect(await logIn(m.kit, "bad", "x")).toBe(0);
    expect(await logIn(m.kit, "evil", "x")).toBe(0x87);
    expect(m.manager.report("emqx_lua_hook")?.authentication).toEqual({ allowed: 1, denied: 1, ignored: 5, errors: 3 });
  });

  test("allow, deny, ignore; a new version judges anew", async () => {
    const m = await start({ "a.lua": AUTH }, { "lua_hook.on_failure": "ignore" });
    m.kit.zone.aclNomatch = "deny";
    const c = m.kit.connected("c", 5);
    const code = (topic: string): unknown => (c.publish(topic, "x", 1).take()[0] as { reasonCode?: unknown }).reasonCode;
    expect(["a/publish", "a/subscribe", "ignore", "fail"].map(code)).toEqual([0x10, 0x87, 0x87, 0x87]);
    m.kit.zone.aclNomatch = "allow";
    // What came of the failure stands for a second.
    m.kit.pass(900);
    expect(code("fail")).toBe(0x87);
    m.kit.pass(100);
    expect(code("fail")).toBe(0x10);
    writeFileSync(m.file("a.lua"), script("on_client_check_acl", 'function on_client_check_acl() return "allow" end'));
    expect(await m.service.command("reload", "a.lua")).toBeNull();
    expect(code("a/subscribe")).toBe(0x10);
  });
});

describe("files", () => {
  const says = (word: string): string =>
    script("on_message_publish", `function on_message_publish(c, u, t, p, q, r) return t, "${word}", q, r end`);
  const ear = (m: Managed): (() => string | undefined) => {
    const from = m.kit.connected("pub");
    const to = m.kit.connected("sub").subscribe("#");
    to.take();
    return () => got(from.publish("t", "as it was") && to)[0]?.[1];
  };

  test("a file that changes is loaded; one that is broken leaves the former version running, and says so", async () => {
    const m = await start({ "a.lua": says("one") });
    const heard = ear(m);
    expect(heard()).toBe("one");
    writeFileSync(m.file("a.lua"), says("two!"));
    await m.seen(() => heard() === "two!", "the new version");
    writeFileSync(m.file("a.lua"), "function register_hook( end");
    await m.seen(() => m.row("a.lua").error !== null, "the fault");
    expect(m.row("a.lua")).toMatchObject({ state: "running", error: expect.stringContaining("line 1") });
    expect(heard()).toBe("two!");
    expect(m.service.errors("a.lua")?.[0]).toMatchObject({ kind: "load", line: 1, callback: null });
    writeFileSync(m.file("a.lua"), says("three"));
    await m.seen(() => heard() === "three", "the mended version");
    expect(m.row("a.lua").error).toBeNull();
  });

  test("files come and go", async () => {
    const m = await start({});
    const heard = ear(m);
    expect(heard()).toBe("as it was");
    writeFileSync(m.file("a.lua"), says("one"));
    writeFileSync(m.file("notes.txt"), "no script");
    writeFileSync(m.file(".hidden.lua"), "no script");
    mkdirSync(m.file("dir.lua"));
    await m.seen(() => heard() === "one", "the new file");
    expect(m.service.list().map((r) => r.name)).toEqual(["a.lua"]);
    renameSync(m.file("a.lua"), m.file("a.lua.x"));
    await m.seen(() => m.service.list()[0]?.state === "disabled", "it was renamed by hand");
    expect(heard()).toBe("as it was");
    rmSync(m.file("a.lua.x"));
    await m.seen(() => m.service.list().length === 0, "it is gone");
  });

  test("the commands of EMQ X 3.1", async () => {
    const m = await start({ "a.lua": says("one") });
    const heard = ear(m);
    const { command } = m.service;
    expect(await command("unload", "a.lua")).toBeNull();
    expect([heard(), m.row("a.lua").state]).toEqual(["as it was", "unloaded"]);
    // A look does not bring it back.
    utimesSync(m.file("a.lua"), 1, 1);
    for (let i = 0; i < 3; i++) {
      m.kit.pass(1000);
      await turns(m.kit);
    }
    expect(await command("load", "a.lua")).toBeNull();
    expect(heard()).toBe("one");
    expect(await command("load", "a.lua")).toBeNull();
    expect(await command("disable", "a.lua")).toBeNull();
    expect([heard(), m.row("a.lua").state, existsSync(m.file("a.lua")), existsSync(m.file("a.lua.x"))]).toEqual([
      "as it was",
      "disabled",
      false,
      true,
    ]);
    expect(await command("disable", "a.lua")).toBe("eexist");
    expect(await command("load", "a.lua")).toBe("it is disabled");
    expect(await command("enable", "a.lua")).toBeNull();
    expect([heard(), m.row("a.lua").state, existsSync(m.file("a.lua"))]).toEqual(["one", "running", true]);
    expect(await command("enable", "a.lua")).toBe("eexist");
    expect(await command("reload", "nosuch.lua")).toBe("enoent");
    expect(await command("disable", "nosuch.lua")).toBe("enoent");
    expect(await command("unload", "nosuch.lua")).toBeNull();
    for (const bad of ["../a.lua", "a/b.lua", "a", "a.txt", "", ".lua", `${"a".repeat(130)}.lua`, "a\0.lua"])
      expect(await command("load", bad)).toStartWith("bad name: expected a file name");
    expect(m.service.errors("nosuch.lua")).toBeUndefined();
  });

  test("reloading under load: every message goes through one version or the other", async () => {
    const m = await start({ "a.lua": says("one") });
    const heard = ear(m);
    let reloading = true;
    const commands = (async () => {
      for (let i = 0; i < 5; i++) {
        writeFileSync(m.file("a.lua"), says(i % 2 === 0 ? "two" : "one"));
        expect(await m.service.command("reload", "a.lua")).toBeNull();
      }
      reloading = false;
    })();
    const words = new Set<string | undefined>();
    while (reloading) {
      words.add(heard());
      await new Promise((next) => setImmediate(next));
    }
    await commands;
    expect([...words].sort()).toEqual(["one", "two"]);
    expect(m.row("a.lua").skipped).toBe(0);
  });

  test("settings are taken over while it runs: no message passes a script by", async () => {
    const m = await start({ "a.lua": says("one") });
    const heard = ear(m);
    const loaded = m.row("a.lua").loadedAt;
    m.kit.pass(1000);
    await m.replaceConfig("emqx_lua_hook", { "lua_hook.memory": "8MB" });
    const words = new Set<string | undefined>();
    await until(() => {
      words.add(heard());
      return m.row("a.lua").loadedAt !== loaded;
    });
    expect([...words]).toEqual(["one"]);
  });

  test("above 32 scripts the last ones are left out, and that is said", async () => {
    const files = Object.fromEntries(Array.from({ length: 34 }, (_, i) => [`s${String(i).padStart(2, "0")}.lua.x`, ""]));
    const m = await start(files);
    expect(m.service.list()).toHaveLength(32);
    expect(m.kit.log.lines.some((l) => l.level === "warn" && l.fields?.left === 2)).toBe(true);
  });
});

describe("a script that takes too much", () => {
  test("JavaScript that keeps more and more gets a new worker each time, and is not stopped", async () => {
    const m = await start({
      "a.js":
        "const kept = []; export function on_message_publish(c, u, t, p, q, r) { kept.push(new Uint8Array(1e6).fill(1)); return [t, p + '!', q, r]; }",
    });
    const from = m.kit.connected("pub");
    const to = m.kit.connected("sub").subscribe("#");
    to.take();
    const words = new Set<string | undefined>();
    await until(() => {
      m.kit.pass(100);
      words.add(got(from.publish("t", "x") && to)[0]?.[1]);
      return m.row("a.js").restarts >= 3;
    }, "it was started again three times");
    expect([...words].sort()).toEqual(["x", "x!"]);
    expect(m.row("a.js").state).toBe("running");
    expect(m.service.errors("a.js")?.every((e) => e.kind === "memory" && e.callback === "on_message_publish")).toBe(true);
  });

  const LOOP = script(
    "on_message_publish",
    `function on_message_publish(c, u, t, p, q, r) if t == "loop" then while true do end end return t, p .. "!", q, r end`,
  );
  const JS_LOOP = 'export function on_message_publish(c, u, t, p, q, r) { if (t === "loop") for (;;); return [t, p + "!", q, r]; }';

  for (const [name, text] of [
    ["a.lua", LOOP],
    ["a.js", JS_LOOP],
  ] as const) {
    test(`${name}: passed over while it is away, stopped after so many, with an alarm; reload brings it back`, async () => {
      const m = await start({ [name]: text }, { "lua_hook.budget": "200ms", "lua_hook.max_overruns": "3" });
      const from = m.kit.connected("pub");
      const to = m.kit.connected("sub").subscribe("#");
      to.take();
      const say = (topic: string): string | undefined => got(from.publish(topic, "x") && to)[0]?.[1];
      const again = (): Promise<void> =>
        until(() => {
          m.kit.pass(100);
          return m.row(name).state !== "running" || say("t") === "x!";
        }, "it runs again");
      expect(say("loop")).toBe("x");
      await again();
      expect(m.row(name)).toMatchObject({ state: "running" });
      for (let i = 0; i < 50 && m.row(name).state === "running"; i++) {
        say("loop");
        await until(() => {
          m.kit.pass(100);
          return m.row(name).state !== "running" || m.row(name).restarts === 0 || m.row(name).loadedAt !== null;
        });
        await new Promise((next) => setTimeout(next, 20));
      }
      expect(m.row(name).state).toBe("stopped");
      expect(say("t")).toBe("x");
      expect(m.kit.hooks.at["message.publish"]).toEqual([]);
      const [alarm] = m.kit.alarms.present();
      expect(alarm?.id).toBe(`emqx_lua_hook_script_${name}`);
      expect(JSON.stringify(alarm?.desc)).toContain("it was over its budget too often, lastly: the call took more than 200 ms");
      expect(await m.service.command("reload", name)).toBeNull();
      expect(m.row(name).state).toBe("running");
      expect(say("t")).toBe("x!");
      expect(m.kit.alarms.present()).toEqual([]);
    });
  }

  test("a script of which every second call is over its budget is stopped, too", async () => {
    const m = await start({ "a.lua": LOOP }, { "lua_hook.budget": "200ms", "lua_hook.max_overruns": "3" });
    const from = m.kit.connected("pub");
    const to = m.kit.connected("sub").subscribe("#");
    to.take();
    const words: (string | undefined)[] = [];
    for (let i = 0; i < 4; i++) for (const topic of ["loop", "t"]) words.push(got(from.publish(topic, "x") && to)[0]?.[1]);
    expect(m.row("a.lua")).toMatchObject({ state: "stopped", overruns: 3, error: expect.stringContaining("too often") as never });
    expect(words).toEqual(["x", "x!", "x", "x!", "x", "x", "x", "x"]);
    expect(m.service.errors("a.lua")?.map((e) => e.line)).toEqual([2, 2, 2]);
  });

  test("what it is not told is counted, and logged once a minute", async () => {
    const m = await start({ "a.js": "export function on_message_deliver() { Bun.sleepSync(100) }" });
    const from = m.kit.connected("pub");
    m.kit.connected("sub").subscribe("#");
    const logged = (): unknown[] => m.kit.log.lines.flatMap((l) => (l.message === "a script is passed over" ? [l.fields?.why] : []));
    const payload = Buffer.alloc(200_000);
    const flood = (): void => {
      const before = m.row("a.js").skipped;
      while (m.row("a.js").skipped < before + 3) from.publish("t", payload);
    };
    flood();
    expect(logged()).toEqual(["it is slower than what it is told of"]);
    m.kit.clock.time += 30_000;
    flood();
    expect(logged()).toHaveLength(1);
    m.kit.clock.time += 31_000;
    flood();
    expect(logged()).toHaveLength(2);
  });

  test("a message as large as the largest packet is told, also when larger ones are taken from now on", async () => {
    const m = await start({ "a.js": "export function on_message_deliver(c, u, t, payload) { console.log(payload.length) }" });
    const from = m.kit.connected("pub");
    m.kit.connected("sub").subscribe("#");
    const heard = (): string[] => m.kit.log.lines.flatMap((l) => (l.message === "script" ? [String(l.fields?.text)] : []));
    from.publish("t", Buffer.alloc(1_000_000));
    await until(() => heard().length === 1);
    m.kit.zone.maxPacketSize = 4_000_000;
    from.publish("t", Buffer.alloc(3_900_000));
    expect(m.row("a.js").skipped).toBe(1);
    const loaded = m.row("a.js").loadedAt;
    await m.seen(() => m.row("a.js").loadedAt !== loaded, "it is loaded with room for them");
    from.publish("t", Buffer.alloc(3_900_000));
    await until(() => heard().length === 2);
    expect(heard()).toEqual(["1000000", "3900000"]);
    const tooLarge = m.kit.log.lines.filter((l) => l.fields?.why === "a message is larger than what may wait");
    expect([tooLarge.length, tooLarge[0]?.fields?.script]).toEqual([1, "a.js"]);
  });

  test("a version that ends while the next one is loaded is followed by that one", async () => {
    const m = await start({ "a.js": JS_LOOP }, { "lua_hook.budget": "100ms" });
    const from = m.kit.connected("pub");
    const to = m.kit.connected("sub").subscribe("#");
    to.take();
    const say = (topic: string): string | undefined => got(from.publish(topic, "x") && to)[0]?.[1];
    const begun = m.file("begun");
    const slow = `import { writeFileSync } from "node:fs"; writeFileSync(${JSON.stringify(begun)}, ""); Bun.sleepSync(500);`;
    writeFileSync(m.file("a.js"), slow + JS_LOOP.replace("!", "?"));
    const reloaded = m.service.command("reload", "a.js");
    await until(() => existsSync(begun));
    expect(say("loop")).toBe("x");
    expect(await reloaded).toBeNull();
    expect([say("t"), m.row("a.js").restarts]).toEqual(["x?", 0]);
  });
});
