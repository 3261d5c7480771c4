/** emqx_lua_hook in the executable: scripts in all three languages, commands over `ctl` and REST, what they cost when they are bad. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Script, ScriptErrorRow } from "../../server/api/contract.ts";
import { RawClient } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { until } from "../support/until.ts";

const APP = { id: "app", secret: "s3cret" };
const LUA = `
function register_hook()
  return "on_message_publish"
end
function on_message_publish(clientid, username, topic, payload, qos, retain)
  if topic == "loop" then while true do end end
  if topic == "drop" then return false end
  if topic == "lua" then payload = 10 / 2 .. os.date("!%Y", 0) end
  return topic, payload .. "|" .. clientid, qos, retain
end`;
const TS = `
let seen: number = 0;
export function on_message_publish(clientid: string, username: string | null, topic: string, payload: Buffer, qos: number, retain: boolean) {
  seen++;
  return [topic, \`\${payload}|\${seen}\`, qos, retain];
}`;
const JS = `export function on_client_check_acl(clientid, username, peername, password, pubsub, topic) { return topic === "secret" ? "deny" : "ignore"; }`;

let baomq: Installation;
let broker: RunningBroker;
const file = (name: string): string => join(baomq.dataDir(), "scripts", name);

beforeAll(async () => {
  baomq = new Installation();
  mkdirSync(join(baomq.dataDir(), "scripts"), { recursive: true });
  writeFileSync(file("1.lua"), LUA);
  writeFileSync(file("2.ts"), TS);
  writeFileSync(file("3.js"), JS);
  broker = await baomq.start({
    // These tests share the machine with others: a script that is no fault's is not to be ended.
    set: { "lua_hook.budget": "500ms", "management.default_application.id": APP.id, "management.default_application.secret": APP.secret },
  });
});
afterAll(() => baomq.remove());

async function ask<T>(method: string, path: string): Promise<{ status: number; code?: number; message?: string; data?: T }> {
  const response = await fetch(`http://127.0.0.1:${broker.ports.api}/api/v3${path}`, {
    method,
    headers: { authorization: `Basic ${btoa(`${APP.id}:${APP.secret}`)}` },
  });
  const text = await response.text();
  return { status: response.status, ...(text.startsWith("{") ? (JSON.parse(text) as object) : {}) };
}
const ctl = async (...words: string[]): Promise<string> => (await baomq.run(["ctl", "-d", baomq.dataDir(), ...words])).stdout;
const scripts = async (): Promise<Script[]> => (await ask<Script[]>("GET", "/lua_hook/scripts")).data ?? [];

test("off: no route, no command, no script", async () => {
  expect((await ask("GET", "/lua_hook/scripts")).status).toBe(404);
  expect(await ctl("luahook", "list")).toContain("emqx_lua_hook is not running");
  expect(await ctl("luahook", "load", "1.lua")).toBe('Load "1.lua" error\nemqx_lua_hook is not running\n');
});

test("on: all three run, and survive a restart of the node; what is bad costs its budget", async () => {
  expect(await ctl("plugins", "load", "emqx_lua_hook")).toContain("loaded successfully");
  const client = await RawClient.connected(broker.ports.tcp, "c1", 4);
  await client.subscribe("#", 0);
  const said = async (topic: string, payload: string | Buffer = "x"): Promise<string> => {
    client.publish(topic, payload, 0);
    return (await client.next("publish")).payload.toString("latin1");
  };
  expect(await said("t")).toBe("x|c1|1");
  client.publish("drop", "x", 0);
  client.publish("secret", "x", 0);
  expect(await said("t", "")).toBe("|c1|2");
  expect((await scripts()).map((s) => [s.name, s.language, s.state, s.calls, s.error])).toEqual([
    ["1.lua", "lua", "running", 3, null],
    ["2.ts", "typescript", "running", 2, null],
    ["3.js", "javascript", "running", expect.any(Number) as never, null],
  ]);

  expect(await said("loop")).toBe("x|3");
  expect(await said("lua")).toBe("51970|c1|4");
  await until(async () => ((await ask<ScriptErrorRow[]>("GET", "/lua_hook/scripts/1.lua/errors")).data?.length ?? 0) > 0);
  const errors = (await ask<ScriptErrorRow[]>("GET", "/lua_hook/scripts/1.lua/errors")).data;
  expect(errors?.[0]).toMatchObject({ callback: "on_message_publish", line: 6, kind: "time", message: "the call took more than 500 ms" });
  expect(await ctl("luahook", "errors", "1.lua")).toContain("on_message_publish, line 6: the call took more than 500 ms");
  await client.ping();
  client.drop();

  await broker.stop();
  broker = await broker.restart();
  const again = await RawClient.connected(broker.ports.tcp, "c2", 4);
  await again.subscribe("#", 0);
  again.publish("t", "x", 0);
  expect((await again.next("publish")).payload.toString()).toBe("x|c2|1");
  again.drop();
});

test("the access chain says what becomes of whoever a script that fails is asked about", async () => {
  expect(await ctl("access")).toMatch(/emqx_lua_hook +- +deny/);
});

test("the commands of EMQ X 3.1, in its words", async () => {
  expect(await ctl("luahook", "disable", "2.ts")).toBe('Disable "2.ts" successfully\n');
  expect([existsSync(file("2.ts")), existsSync(file("2.ts.x"))]).toEqual([false, true]);
  expect(await ctl("luahook", "disable", "2.ts")).toBe('Fail to disable "2.ts" due to eexist\n');
  expect(await ctl("luahook", "enable", "2.ts")).toBe('Enable "2.ts" successfully\n');
  expect(await ctl("luahook", "enable", "nosuch.lua")).toBe('Fail to enable "nosuch.lua" due to enoent\n');
  expect(await ctl("luahook", "unload", "1.lua")).toBe('Unload "1.lua" successfully\n');
  expect(await ctl("luahook", "load", "1.lua")).toBe('Load "1.lua" successfully\n');
  writeFileSync(file("1.lua"), "function register_hook( end");
  expect(await ctl("luahook", "reload", "1.lua")).toMatch(/^Reload "1.lua" error\nline 1: /);
  expect((await scripts())[0]).toMatchObject({ state: "running", error: expect.stringContaining("line 1") });
  writeFileSync(file("1.lua"), LUA);
  expect(await ctl("luahook", "reload", "1.lua")).toBe('Reload "1.lua" successfully\n');
  expect(await ctl("luahook")).toContain("luahook reload <Script>");
  expect(await ctl("luahook", "load", "../../etc/passwd")).toContain("bad name: expected a file name");
});

test("one that was too slow to be loaded says when it is tried again", async () => {
  writeFileSync(file("9.lua"), "while true do end");
  expect(await ctl("luahook", "load", "9.lua")).toBe('Load "9.lua" error\nline 1: loading it took more than 2000 ms\n');
  await until(async () => (await scripts()).some((s) => s.name === "9.lua" && s.state === "failed" && s.retry_ms > 0));
  expect(await ctl("luahook", "list")).toMatch(/9\.lua, state=(failed|loading)/);
  await until(async () => /9\.lua, state=failed.*\n {2}line 1: .*\n {2}it is tried again at \d{4}-/.test(await ctl("luahook", "list")));
  writeFileSync(file("9.lua"), 'function register_hook() return "on_client_connected" end function on_client_connected() end');
  await until(async () => (await scripts()).some((s) => s.name === "9.lua" && s.state === "running" && s.retry_ms === 0));
  expect(await ctl("luahook", "disable", "9.lua")).toContain("successfully");
});

test("figures for Prometheus, under the names that the README has", async () => {
  const response = await fetch(`http://127.0.0.1:${broker.ports.api}/api/v3/prometheus/metrics`, {
    headers: { authorization: `Basic ${btoa(`${APP.id}:${APP.secret}`)}` },
  });
  const text = await response.text();
  expect(text).toContain('baomq_script_up{script="1.lua"} 1\n');
  const words = /`baomq_script_up`(.*)\./.exec(readFileSync(join(import.meta.dir, "../../README.md"), "utf8"))?.[1] ?? "";
  const names = [...words.matchAll(/`(_\w+)`/g)].map(([, name]) => `baomq_script${name}`);
  expect(names).toHaveLength(6);
  expect(names.filter((name) => !text.includes(`# TYPE ${name.replace(/_total$/, "")}`))).toEqual([]);
});

test("the same over REST", async () => {
  expect(await ask("POST", "/lua_hook/scripts/3.js/disable")).toEqual({ status: 200, code: 0 });
  expect((await scripts()).find((s) => s.name === "3.js")?.state).toBe("disabled");
  expect(await ask("POST", "/lua_hook/scripts/3.js/enable")).toEqual({ status: 200, code: 0 });
  expect(await ask("POST", "/lua_hook/scripts/nosuch.lua/load")).toEqual({ status: 200, code: 102, message: "enoent" });
  expect(await ask("GET", "/lua_hook/scripts/nosuch.lua/errors")).toEqual({ status: 200, code: 102, message: "not_found" });
  expect((await ask("POST", "/lua_hook/scripts/%2e%2e%2fx.lua/load")).message).toContain("bad name");
  expect((await ask("POST", "/lua_hook/scripts/1.lua/explode")).status).toBe(404);
});

test("what the README says to type, typed", async () => {
  const block = readFileSync(join(import.meta.dir, "../../README.md"), "utf8").split("\n### Scripts\n")[1];
  const typed = block?.split("```sh\n")[1]?.split("```")[0] ?? "";
  const ts = block?.split("```ts\n")[1]?.split("```")[0] ?? "";
  expect(typed).toContain("luahook list");
  for (const name of ["1.lua", "2.ts"]) expect(await ctl("luahook", "disable", name)).toContain("successfully");
  await ctl("plugins", "unload", "emqx_lua_hook");
  const bin = join(baomq.dir, "words");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "baomq"), `#!/bin/sh\nexec ${baomq.path} "$@"\n`, { mode: 0o755 });
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH ?? ""}` };
  const child = Bun.spawn(["bash", "-e", "-c", typed], { cwd: baomq.dir, env, stdio: ["ignore", "pipe", "pipe"] });
  const [out, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  expect({ out, code }).toEqual({ out: expect.stringContaining("Script(celsius.lua, state=running") as never, code: 0 });

  const client = await RawClient.connected(broker.ports.tcp, "reader", 4);
  await client.subscribe("room/#", 0);
  const said = async (payload: string): Promise<string> => {
    client.publish("room/temperature", payload, 0);
    return (await client.next("publish")).payload.toString();
  };
  expect(await said("212")).toBe("100.0");
  client.publish("room/temperature", "hot", 0);
  expect(await said("32")).toBe("0.0");
  await ctl("luahook", "disable", "celsius.lua");
  writeFileSync(file("celsius.ts"), ts);
  expect(await ctl("luahook", "load", "celsius.ts")).toBe('Load "celsius.ts" successfully\n');
  expect(await said("-40")).toBe("-40.0");
  client.drop();
});
