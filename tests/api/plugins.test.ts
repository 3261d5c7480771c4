/** Plugins, their configuration, live settings, every setting. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConfigItem, NodePlugins, Plugin, PluginConfigRow, Setting } from "../../server/api/contract.ts";
import { NODE, TestNode } from "./support/node.ts";
import { scenarios, unauthorized, wrongMethod } from "./support/table.ts";

let node: TestNode;
const it = () => node;
beforeAll(async () => {
  node = await TestNode.start();
});
afterAll(() => node.stop());

const at = (plugin: string, verb: string): string => `/nodes/${NODE}/plugins/${plugin}/${verb}`;
const conf = (plugin: string): string => `/nodes/${NODE}/plugin_configs/${plugin}`;

describe("refusals", () => {
  unauthorized(it, [
    ["GET", "/plugins"],
    ["GET", `/nodes/${NODE}/plugins`],
    ["PUT", at("emqx_recon", "load")],
    ["PUT", "/plugins/emqx_recon/unload"],
    ["GET", "/configs"],
    ["PUT", "/configs/emqx_retainer"],
    ["GET", conf("emqx_retainer")],
    ["PUT", conf("emqx_retainer")],
    ["GET", "/settings"],
    ["PUT", "/settings"],
  ]);
  wrongMethod(it, [
    ["GET", at("emqx_recon", "load")],
    ["POST", at("emqx_recon", "unload")],
    ["PUT", at("emqx_recon", "explode")],
    ["DELETE", "/configs/emqx_retainer"],
    ["POST", "/settings"],
  ]);
  scenarios(it, [
    { name: "unknown plugin", method: "PUT", path: at("emqx_nosuch", "load"), status: 404, text: "Not found." },
    { name: "unknown node", method: "PUT", path: "/nodes/x@y/plugins/emqx_recon/load", status: 404 },
    { name: "running already", method: "PUT", path: at("emqx_recon", "load"), text: '{"code":102,"message":"already_started"}' },
    { name: "running already, with a body and a slash", method: "PUT", path: `${at("emqx_recon", "load")}/`, body: {}, code: 102 },
    { name: "not running", method: "PUT", path: at("emqx_auth_username", "unload"), text: '{"code":102,"message":"not_started"}' },
    { name: "the API itself", method: "PUT", path: at("emqx_management", "unload"), code: 102, message: /refused/ },
    {
      name: "the dashboard, through itself",
      method: "PUT",
      path: at("emqx_dashboard", "unload"),
      as: "user",
      code: 102,
      message: /refused/,
    },
    { name: "configuration of an unknown plugin", method: "GET", path: conf("emqx_nosuch"), status: 404 },
    { name: "configs of an unknown application", method: "PUT", path: "/configs/emqx_nosuch", body: { key: "a", value: "b" }, status: 404 },
  ]);
});

describe("load and unload", () => {
  test("nine plugins, in order of their names; list of the node and of the cluster are the same", async () => {
    const own = await node.get<Plugin[]>(`/nodes/${NODE}/plugins`);
    const names = own.map((p) => p.name);
    expect(names).toEqual([...names].sort());
    expect(own.filter((p) => p.active).map((p) => p.name)).toEqual([
      "emqx_dashboard",
      "emqx_management",
      "emqx_recon",
      "emqx_retainer",
      "emqx_rule_engine",
    ]);
    for (const p of own) expect(p).toMatchObject({ version: "v3.1.0", description: expect.stringMatching(/\bEMQ ?X\b/) });
    expect(await node.get<NodePlugins[]>("/plugins")).toEqual([{ node: NODE, plugins: own }]);
  });

  test("load, unload, reload act, and the routes of the plugin come and go", async () => {
    const active = async () => (await node.get<Plugin[]>(`/nodes/${NODE}/plugins`)).find((p) => p.name === "emqx_auth_username")?.active;
    expect((await node.ask("GET", "/auth_username")).status).toBe(404);
    expect((await node.ask("PUT", at("emqx_auth_username", "load"))).text).toBe('{"code":0}');
    expect(await active()).toBe(true);
    expect(await node.get<unknown>("/auth_username")).toEqual([]);
    expect((await node.ask("PUT", at("emqx_auth_username", "reload"))).text).toBe('{"code":0}');
    expect(await active()).toBe(true);
    expect((await node.ask("PUT", "/plugins/emqx_auth_username/unload")).text).toBe('{"code":0}');
    expect(await active()).toBe(false);
    expect((await node.ask("GET", "/auth_username")).status).toBe(404);
  });

  test("a reload of those one administers by, with a file that is wrong: it is told, and they go on", async () => {
    const own = await TestNode.start();
    try {
      for (const [plugin, key, as] of [
        ["emqx_dashboard", "dashboard.listener.http.max_clients", "user"],
        ["emqx_management", "management.listener.http.max_clients", "app"],
      ] as const) {
        const good = readFileSync(join(own.dir, "emqx.conf"), "utf8");
        writeFileSync(join(own.dir, "emqx.conf"), `${good}${key} = many\n`);
        const { json } = await own.ask("PUT", at(plugin, "reload"), { as });
        expect([json?.code, json?.message]).toEqual([102, expect.stringContaining(`${key} = many: expected`)]);
        const row = (await own.get<Plugin[]>(`/nodes/${NODE}/plugins`, { as })).find((p) => p.name === plugin);
        expect(row).toMatchObject({ active: true, error: expect.stringContaining(`${key} = many`) });
        writeFileSync(join(own.dir, "emqx.conf"), good);
        expect((await own.ask("PUT", at(plugin, "reload"), { as })).json).toEqual({ code: 0 });
      }
    } finally {
      await own.stop();
    }
  });

  test("unloading the retainer: nothing is retained, its settings are gone, statistics go on", async () => {
    expect((await node.ask("PUT", at("emqx_retainer", "unload"))).text).toBe('{"code":0}');
    expect(await node.get<unknown>("/configs")).toEqual([{ node: NODE, config: [] }]);
    expect((await node.ask("GET", "/retained")).json).toMatchObject({ code: 0, data: [] });
    expect((await node.ask("GET", "/retained/x")).json?.code).toBe(102);
    expect((await node.ask("GET", "/stats")).json?.code).toBe(0);
    expect((await node.ask("PUT", at("emqx_retainer", "load"))).text).toBe('{"code":0}');
  });
});

describe("live settings", () => {
  test("the three of the retainer, misspelt and not", async () => {
    const items = await node.get<ConfigItem[]>(`/nodes/${NODE}/configs`);
    expect(items.map((i) => i.key)).toEqual(["retainer.expiry_interval", "retainer.max_payload_size", "retainer.max_retained_messages"]);
    for (const i of items)
      expect(i).toEqual({ key: i.key, value: expect.any(String), datatpye: i.datatype, datatype: i.datatype, app: "emqx_retainer" });
    expect(items.map((i) => i.value)).toEqual(["0", "1048576", "0"]);
    expect(await node.get<unknown>("/configs")).toEqual([{ node: NODE, config: items }]);
  });

  const put = (path: string, body: unknown) => ({ method: "PUT", path, body });
  scenarios(it, [
    {
      name: "no value",
      ...put("/configs/emqx_retainer", { key: "retainer.max_payload_size" }),
      code: 107,
      message: "missing mandatory params: ['value']",
    },
    { name: "nothing", ...put("/configs/emqx_retainer", {}), code: 107, message: "missing mandatory params: ['key', 'value']" },
    { name: "value is a number", ...put("/configs/emqx_retainer", { key: "retainer.max_payload_size", value: 5 }), code: 108 },
    { name: "value of the wrong kind", ...put("/configs/emqx_retainer", { key: "retainer.max_payload_size", value: "much" }), code: 108 },
    { name: "unknown key", ...put("/configs/emqx_retainer", { key: "retainer.nope", value: "1" }), code: 102 },
    ...["constructor", "toString", "hasOwnProperty", "valueOf", "__proto__"].map((key) => ({
      name: `${key} is no key`,
      ...put("/configs/emqx_retainer", { key, value: "1" }),
      code: 102,
      message: `${key} is no key of emqx_retainer that can be set while it runs`,
    })),
    { name: "key of another application", ...put("/configs/emqx_recon", { key: "retainer.max_payload_size", value: "1" }), code: 102 },
    { name: "application without such keys", ...put("/configs/emqx", { key: "mqtt.max_packet_size", value: "1" }), code: 102 },
    { name: "set", ...put("/configs/emqx_retainer", { key: "retainer.max_payload_size", value: "2MB" }), ok: true },
    { name: "set, node form", ...put(`/nodes/${NODE}/configs/emqx_retainer`, { key: "retainer.expiry_interval", value: "1h" }), ok: true },
    { name: "set from the query", method: "PUT", path: "/configs/emqx_retainer?key=retainer.max_retained_messages&value=7", ok: true },
    {
      name: "in force, in base units",
      method: "GET",
      path: `/nodes/${NODE}/configs`,
      check: (a) => expect((a.json?.data as ConfigItem[] | undefined)?.map((i) => i.value)).toEqual(["3600000", "2097152", "7"]),
    },
  ]);
});

describe("plugin configuration", () => {
  const rows = async (plugin: string) => node.get<PluginConfigRow[]>(conf(plugin));
  const value = async (plugin: string, key: string) => (await rows(plugin)).find((r) => r.key === key);

  test("rows have key, value, desc, required", async () => {
    for (const r of await rows("emqx_management"))
      expect(r).toMatchObject({
        key: expect.any(String),
        value: expect.any(String),
        desc: expect.any(String),
        required: expect.any(Boolean),
      });
    expect(await value("emqx_management", "management.max_row_limit")).toMatchObject({ value: "10000", required: true });
    expect(await value("emqx_management", "management.listener.https")).toMatchObject({ value: "", required: false });
  });

  const put = (body: unknown) => ({ method: "PUT", path: conf("emqx_reloader"), body });
  scenarios(it, [
    { name: "unknown key", ...put({ "reloader.nope": "1" }), code: 102, message: "emqx_reloader has no key reloader.nope" },
    {
      name: "value that does not parse",
      ...put({ "reloader.interval": "often" }),
      code: 102,
      message: /^reloader\.interval: expected/,
    },
    ...["constructor", "toString", "hasOwnProperty", "valueOf", "__proto__"].map((key) => ({
      name: `${key} is no key`,
      method: "PUT",
      path: conf("emqx_reloader"),
      raw: `{"${key}":"1"}`,
      code: 102,
      message: `emqx_reloader has no key ${key}`,
    })),
    { name: "value is a number", ...put({ "reloader.interval": 60 }), code: 102, message: /^reloader\.interval: expected/ },
    { name: "value is null", ...put({ "reloader.interval": null }), code: 102 },
    { name: "empty set", ...put({}), code: 102, message: "unknown_error" },
    { name: "no JSON", method: "PUT", path: conf("emqx_reloader"), raw: "nope", status: 400 },
    { name: "set", ...put({ "reloader.interval": "30s", "reloader.logfile": "other.log" }), ok: true },
  ]);

  test("a secret that is sent back masked stays with its server: for another one it has to be typed again", async () => {
    const [server, password, pool] = ["auth.redis.server", "auth.redis.password", "auth.redis.pool"];
    const set = (body: object) => node.ask("PUT", conf("emqx_auth_redis"), { body });
    expect((await set({ [server]: "127.0.0.1:1", [password]: "s3cret" })).text).toBe('{"code":0}');
    expect((await set({ [server]: "127.0.0.1:1", [password]: "******", [pool]: "2" })).text).toBe('{"code":0}');
    const moved = { [server]: "127.0.0.2:1", [password]: "******" };
    const refused = { code: 108, message: `${server} names another server: ${password} has to be typed again, together with it` };
    expect((await set(moved)).json).toEqual(refused);
    expect((await node.ask("PUT", "/settings", { body: { [server]: "127.0.0.2:1" } })).json).toEqual(refused);
    for (const settings of [moved, { [server]: "127.0.0.2:1" }])
      expect((await node.ask("POST", at("emqx_auth_redis", "test"), { body: { settings } })).json).toEqual(refused);
    expect(await value("emqx_auth_redis", server)).toMatchObject({ value: "127.0.0.1:1" });
    expect((await set({ ...moved, [password]: "s3cret" })).text).toBe('{"code":0}');
    expect((await node.ask("PUT", conf("emqx_auth_redis"))).text).toBe('{"code":0}');
  });

  test("a key that stands for many: its own row first, behind it those that were set; one left out is gone", async () => {
    const plugin = "emqx_auth_http";
    const set = async (body: object): Promise<unknown> => (await node.ask("PUT", conf(plugin), { body })).json;
    const headers = async (): Promise<[key: string, value: string, origin: string][]> =>
      (await rows(plugin)).filter((r) => r.key.startsWith("auth.http.header.")).map((r) => [r.key, r.value, r.origin]);
    const pattern = "auth.http.header.$name";
    const [one, two] = ["auth.http.header.x-one", "auth.http.header.x-two"];
    expect(await headers()).toEqual([[pattern, "", "default"]]);
    expect(await set({ [one]: "1", [two]: "2" })).toEqual({ code: 0 });
    expect((await headers()).sort()).toEqual([
      [pattern, "", "default"],
      [one, "******", "api"],
      [two, "******", "api"],
    ]);
    const { doc, type, secret } = (await value(plugin, pattern)) ?? {};
    expect(await value(plugin, one)).toMatchObject({ doc, type, secret, required: true });
    expect(await set({ [one]: "******" })).toEqual({ code: 0 });
    expect((await headers()).sort()).toEqual([
      [pattern, "", "default"],
      [one, "******", "api"],
    ]);
    for (const key of ["auth.http.header.", "auth.http.header.a.b", "auth.http.heade.x"])
      expect(await set({ [key]: "1" })).toEqual({ code: 102, message: `${plugin} has no key ${key}` });
    expect(await set({ "auth.http.header.x-one": 1 })).toEqual({ code: 102, message: `${one}: expected text` });
    expect((await node.ask("PUT", "/settings", { body: { [one]: null, [two]: "3" } })).json).toMatchObject({ code: 0 });
    expect((await headers()).map(([key]) => key).sort()).toEqual([pattern, two]);
    await node.ask("PUT", "/settings", { body: { [two]: null } });
    const numbered = await node.ask("PUT", conf("emqx_auth_username"), { body: { "auth.user.x.username": "joe" } });
    expect(numbered.json).toEqual({ code: 102, message: "emqx_auth_username has no key auth.user.x.username" });
  });

  test("names with a blank behind, as EMQ X 3.1 lists two of its directory's, are those without", async () => {
    const plugin = "emqx_auth_ldap";
    const [spelt, key] = ["auth.ldap.ssl.keyfile ", "auth.ldap.ssl.keyfile"];
    expect((await node.ask("PUT", conf(plugin), { body: { [spelt]: "key.pem" } })).text).toBe('{"code":0}');
    expect((await rows(plugin)).filter((r) => r.key.startsWith(key)).map((r) => [r.key, r.value])).toEqual([[key, "key.pem"]]);
    const body = { settings: { [spelt]: "no.pem", "auth.ldap.ssl": "true" } };
    expect((await node.ask("POST", at(plugin, "test"), { body })).text).toContain("auth.ldap.ssl.keyfile = no.pem: ");
    await node.ask("PUT", conf(plugin));
  });

  test("the set is read back, replaced as a whole, and reset by no body at all", async () => {
    expect(await value("emqx_reloader", "reloader.interval")).toMatchObject({ value: "30s", required: true });
    expect((await node.ask("PUT", conf("emqx_reloader"), { body: { "reloader.interval": "45s" } })).text).toBe('{"code":0}');
    expect(await value("emqx_reloader", "reloader.interval")).toMatchObject({ value: "45s", required: true });
    expect(await value("emqx_reloader", "reloader.logfile")).toMatchObject({ value: "", required: false });
    expect((await node.ask("PUT", conf("emqx_reloader"))).text).toBe('{"code":0}');
    expect(await value("emqx_reloader", "reloader.interval")).toMatchObject({ required: false });
  });

  test("a running plugin is restarted with it", async () => {
    await node.ask("PUT", conf("emqx_retainer"), { body: { "retainer.max_payload_size": "5" } });
    for (const payload of ["12345", "123456"]) {
      await node.ask("POST", "/mqtt/publish", { body: { topic: `size/${payload.length}`, payload, retain: true } });
    }
    expect((await node.ask("GET", "/retained/size/5")).json?.code).toBe(0);
    expect((await node.ask("GET", "/retained/size/6")).json?.code).toBe(102);
    await node.ask("PUT", conf("emqx_retainer"));
  });
});

describe("settings that nobody saved are tried", () => {
  const post = (body: unknown) => ({ method: "POST", path: at("emqx_auth_jwt", "test"), body });
  unauthorized(it, [["POST", at("emqx_auth_jwt", "test")]]);
  const isTried = (a: { json: { data?: unknown } | undefined }) =>
    expect(a.json?.data).toContainEqual(expect.objectContaining({ step: "settings", verdict: "ok" }));
  scenarios(it, [
    { name: "no body", method: "POST", path: at("emqx_auth_jwt", "test"), check: isTried },
    { name: "an empty one", ...post({}), check: isTried },
    { name: "what the query brings beside it", method: "POST", path: `${at("emqx_auth_jwt", "test")}?_=1`, body: {}, check: isTried },
    { name: "a list", ...post([]), code: 108, message: "the body must be an object" },
    { name: "a text", ...post("joe"), status: 400 },
    {
      name: "a name misspelt",
      ...post({ usernam: "x" }),
      code: 108,
      message: "unknown parameter 'usernam', did you mean 'username'?",
    },
    {
      name: "a name of nothing",
      ...post({ zzzzzzzz: "x" }),
      code: 108,
      message: "unknown parameter 'zzzzzzzz'; there are ['settings', 'client_id', 'username', 'password', 'ip_address', 'action', 'topic']",
    },
    {
      name: "unknown action: the words that there are",
      ...post({ action: "eat", topic: "t" }),
      code: 108,
      message: "value of 'action': expected publish or subscribe",
    },
    { name: "an action without a topic", ...post({ action: "publish" }), code: 107, message: /'topic'/ },
    { name: "a topic without an action", ...post({ topic: "t" }), code: 107, message: /'action'/ },
    { name: "nobody publishes to a filter", ...post({ action: "publish", topic: "a/#" }), code: 115 },
    { name: "a setting that is not there", ...post({ settings: { "auth.jwt.nope": "1" } }), code: 102, message: /no key auth\.jwt\.nope/ },
    { name: "a setting that is no text", ...post({ settings: { "auth.jwt.secret": 1 } }), code: 108 },
    { name: "a plugin that is not there", method: "POST", path: at("emqx_nosuch", "test"), body: {}, status: 404 },
  ]);
});

describe("settings", () => {
  const find = async (key: string) => (await node.get<Setting[]>(`/settings?_like_key=${key}`)).find((s) => s.key === key);

  test("every key with its value and where that is from", async () => {
    const all = await node.get<Setting[]>("/settings");
    expect(all.length).toBeGreaterThan(100);
    expect(new Set(all.map((s) => s.key)).size).toBe(all.length);
    for (const s of all) {
      expect(s).toMatchObject({
        key: expect.any(String),
        value: expect.any(String),
        default: expect.any(String),
        type: expect.any(String),
        live: expect.any(Boolean),
      });
      expect(["default", "file", "env", "flag", "api"]).toContain(s.origin);
    }
    expect(await find("listener.tcp.external")).toMatchObject({ value: "127.0.0.1:0", origin: "flag", app: "emqx" });
    expect(await find("mqtt.max_packet_size")).toMatchObject({ origin: "default", app: "emqx" });
    expect((await node.get<Setting[]>("/settings?app=emqx_retainer")).every((s) => s.app === "emqx_retainer")).toBe(true);
  });

  const put = (body: unknown) => ({ method: "PUT", path: "/settings", body });
  scenarios(it, [
    { name: "nothing", ...put({}), code: 107 },
    { name: "unknown key", ...put({ "mqtt.nope": "1" }), code: 108, message: /mqtt\.nope/ },
    { name: "wrong value", ...put({ "mqtt.max_packet_size": "big" }), code: 108, message: /mqtt\.max_packet_size/ },
    { name: "a list", ...put({ "mqtt.max_packet_size": ["1MB"] }), code: 108 },
    { name: "one wrong of two: none", ...put({ "mqtt.max_clientid_len": "7", "mqtt.max_packet_size": "big" }), code: 108 },
    {
      name: "… nothing was changed",
      method: "GET",
      path: "/settings?_like_key=max_clientid_len",
      check: (a) => expect(a.text).not.toContain('"value":"7"'),
    },
    {
      name: "set",
      ...put({ "zone.external.max_mqueue_len": "77" }),
      check: (a) => expect(a.json?.data).toMatchObject({ applied: ["zone.external.max_mqueue_len"] }),
    },
  ]);

  test("a change acts at once, is told as the API's, and is taken back by null", async () => {
    expect(await find("zone.external.max_mqueue_len")).toMatchObject({ value: "77", origin: "api" });
    const client = await node.mqtt("limited");
    expect(await node.get<unknown>("/sessions/limited")).toEqual([expect.objectContaining({ max_mqueue: 77 })]);
    await node.data("PUT", "/settings", { body: { "zone.external.max_mqueue_len": null } });
    expect(await find("zone.external.max_mqueue_len")).toMatchObject({ origin: "default" });
    expect(await node.get<unknown>("/sessions/limited")).toEqual([expect.objectContaining({ max_mqueue: 1000 })]);
    await client.endAsync();
  });

  test("no secret is shown", async () => {
    const own = await TestNode.start({ "dashboard.default_user.password": "topsecret1" });
    try {
      expect((await own.ask("GET", "/settings")).text).not.toContain("topsecret1");
      expect((await own.ask("GET", conf("emqx_dashboard"))).text).not.toContain("topsecret1");
    } finally {
      await own.stop();
    }
  });
});

test("settings, plugin states and configurations survive a restart", async () => {
  const dir = mkdtempSync(`${tmpdir()}/baomq-api-`);
  try {
    const before = await TestNode.start({}, dir);
    await before.ask("PUT", at("emqx_auth_clientid", "load"));
    await before.ask("PUT", at("emqx_recon", "unload"));
    await before.ask("PUT", conf("emqx_reloader"), { body: { "reloader.interval": "31s" } });
    await before.ask("PUT", "/settings", { body: { "zone.external.max_inflight": "11" } });
    await before.stop();
    const after = await TestNode.start({}, dir);
    const active = (await after.get<Plugin[]>(`/nodes/${NODE}/plugins`)).filter((p) => p.active).map((p) => p.name);
    expect(active).toContain("emqx_auth_clientid");
    expect(active).not.toContain("emqx_recon");
    expect((await after.ask("GET", conf("emqx_reloader"))).text).toContain('"31s"');
    const [setting] = await after.get<Setting[]>("/settings?_like_key=zone.external.max_inflight");
    expect(setting).toMatchObject({ value: "11", origin: "api" });
    await after.stop();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
