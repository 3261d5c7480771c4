/** Bans, accounts of MQTT clients, explain; and that all of it survives a restart. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mqtt from "mqtt";
import type { AccessView, AclCheck, AclFileRow, Banned, ExplainResult, PluginTestStep, User, WhoAmI } from "../../server/api/contract.ts";
import { ADMIN, basic, closed, NODE, TestNode } from "./support/node.ts";
import { scenarios, unauthorized, wrongMethod } from "./support/table.ts";

let node: TestNode;
const it = () => node;
beforeAll(async () => {
  node = await TestNode.start();
});
afterAll(() => node.stop());

describe("banned", () => {
  unauthorized(it, [
    ["GET", "/banned"],
    ["POST", "/banned"],
    ["DELETE", "/banned/x"],
  ]);
  wrongMethod(it, [
    ["PUT", "/banned"],
    ["GET", "/banned/x"],
    ["DELETE", "/banned"],
  ]);
  const missing = "missing mandatory params: ['who', 'as']";
  const kinds = "value of 'as' must be one of: ['client_id', 'username', 'ip_address']";
  const post = (body: unknown) => ({ method: "POST", path: "/banned", body });
  const full = { who: "full", as: "client_id", reason: "r", desc: "d", by: "me", until: 4102444800 };
  scenarios(it, [
    { name: "empty", method: "GET", path: "/banned/", text: '{"code":0,"data":[],"meta":{"page":1,"limit":10000,"count":0}}' },
    { name: "no body", method: "POST", path: "/banned/", code: 107, message: missing },
    { name: "no who", ...post({ as: "client_id" }), code: 107, message: missing },
    { name: "no as", ...post({ who: "x" }), code: 107, message: missing },
    { name: "unknown kind", ...post({ who: "x", as: "clientid" }), code: 108, message: kinds },
    { name: "kind is a number", ...post({ who: "x", as: 5 }), code: 108, message: kinds },
    { name: "no address", ...post({ who: "not-an-ip", as: "ip_address" }), code: 108 },
    { name: "who is a number", ...post({ who: 5, as: "client_id" }), code: 108 },
    { name: "until is text", ...post({ who: "x", as: "client_id", until: "tomorrow" }), code: 108 },
    { name: "reason is a list", ...post({ who: "x", as: "client_id", reason: [] }), code: 108 },
    { name: "no JSON", method: "POST", path: "/banned", raw: "{who", status: 400 },
    { name: "all fields, echoed in order", ...post(full), text: JSON.stringify({ code: 0, data: full }) },
    {
      name: "unknown fields and the query are echoed",
      method: "POST",
      path: "/banned?x=1",
      body: { as: "username", who: "bob", y: [2] },
      data: { x: "1", as: "username", who: "bob", y: [2] },
    },
    { name: "address", ...post({ who: "192.0.2.7", as: "ip_address" }), code: 0 },
    { name: "IPv6", ...post({ who: "2001:DB8::1", as: "ip_address" }), code: 0 },
    { name: "range", ...post({ who: "198.51.100.0/24", as: "ip_address" }), code: 0 },
    {
      name: "the list, unset fields as text",
      method: "GET",
      path: "/banned",
      check: (a) => {
        expect(a.json?.meta?.count).toBe(5);
        expect(a.json?.data).toContainEqual(full);
        expect(a.json?.data).toContainEqual({
          who: "bob",
          as: "username",
          reason: "undefined",
          desc: "undefined",
          by: "undefined",
          until: "undefined",
        });
      },
    },
    {
      name: "page",
      method: "GET",
      path: "/banned?_page=3&_limit=2",
      check: (a) => expect((a.json?.data as Banned[] | undefined)?.length).toBe(1),
    },
    { name: "filter", method: "GET", path: "/banned?as=ip_address", check: (a) => expect(a.json?.meta?.count).toBe(3) },
    { name: "again: replaces", ...post({ who: "full", as: "client_id" }), code: 0 },
    {
      name: "fields not sent are unset",
      method: "GET",
      path: "/banned?who=full",
      data: [{ who: "full", as: "client_id", reason: "undefined", desc: "undefined", by: "undefined", until: "undefined" }],
    },
    { name: "delete: no kind", method: "DELETE", path: "/banned/full", code: 107, message: "missing mandatory params: ['as']" },
    { name: "delete: unknown kind", method: "DELETE", path: "/banned/full?as=who", code: 108, message: kinds },
    { name: "delete: no JSON", method: "DELETE", path: "/banned/full", raw: "{", status: 400 },
    { name: "delete by a body", method: "DELETE", path: "/banned/full", body: { as: "client_id" }, ok: true },
    { name: "delete by the query", method: "DELETE", path: "/banned/bob?as=username", ok: true },
    { name: "delete an address", method: "DELETE", path: "/banned/192.0.2.7?as=ip_address", ok: true },
    { name: "delete IPv6, other spelling", method: "DELETE", path: "/banned/2001%3Adb8%3A%3A1?as=ip_address", ok: true },
    { name: "delete a range, encoded", method: "DELETE", path: "/banned/198.51.100.0%2F24?as=ip_address", ok: true },
    { name: "delete nobody", method: "DELETE", path: "/banned/nobody", body: { as: "client_id" }, ok: true },
    { name: "empty again", method: "GET", path: "/banned", data: [] },
  ]);

  const refusal = (options: object): Promise<number> =>
    new Promise((resolve) => {
      const c = mqtt.connect(`mqtt://127.0.0.1:${node.mqttPort()}`, { reconnectPeriod: 0, ...options });
      c.once("connect", () => resolve(0)).once("error", (e) => resolve(Number((e as { code?: number }).code)));
      c.once("connect", () => c.end(true));
    });

  test("bans keep out: client id, user name, address, range; not those who are in; a time that has passed does not count", async () => {
    const inside = await node.mqtt("inside", { username: "bob" });
    await node.ask("POST", "/banned", { body: { who: "evil", as: "client_id" } });
    await node.ask("POST", "/banned", { body: { who: "bob", as: "username" } });
    await node.ask("POST", "/banned", { body: { who: "past", as: "client_id", until: 1000000000 } });
    expect(await refusal({ clientId: "evil" })).toBe(5);
    expect(await refusal({ clientId: "evil", protocolVersion: 5 })).toBe(0x8a);
    expect(await refusal({ clientId: "good", username: "bob" })).toBe(5);
    expect(await refusal({ clientId: "past" })).toBe(0);
    expect(inside.connected).toBe(true);
    await node.ask("POST", "/banned", { body: { who: "127.0.0.0/8", as: "ip_address" } });
    expect(await refusal({ clientId: "good" })).toBe(5);
    for (const [who, as] of [
      ["evil", "client_id"],
      ["bob", "username"],
      ["127.0.0.0%2F8", "ip_address"],
    ])
      await node.ask("DELETE", `/banned/${who}?as=${as}`);
    expect(await refusal({ clientId: "evil" })).toBe(0);
    const end = closed(inside);
    await node.ask("POST", "/banned", { body: { who: "bob", as: "username", kick: true } });
    await end;
    await node.ask("DELETE", "/banned/bob?as=username");
  });
});

describe("accounts of the auth plugins", () => {
  const load = (plugin: string, verb: string) => node.ask("PUT", `/nodes/${NODE}/plugins/${plugin}/${verb}`);
  beforeAll(async () => {
    await load("emqx_auth_username", "load");
    await load("emqx_auth_clientid", "load");
  });
  afterAll(async () => {
    await load("emqx_auth_username", "unload");
    await load("emqx_auth_clientid", "unload");
  });

  for (const { field, existed, unknown } of [
    { field: "username", existed: "existed", unknown: "noexisted" },
    { field: "clientid", existed: "exitsted", unknown: "noexitsted" },
  ] as const) {
    const path = `/auth_${field}`;
    const post = (body: unknown) => ({ method: "POST", path, body });
    describe(path, () => {
      unauthorized(it, [
        ["GET", path],
        ["POST", path],
        ["DELETE", `${path}/x`],
      ]);
      unauthorized(it, [["GET", path]], "user");
      scenarios(it, [
        { name: "empty", method: "GET", path: `${path}/`, data: [] },
        { name: "no name", ...post({ password: "x" }), message: field, code: 107 },
        { name: "empty name", ...post({ [field]: "", password: "x" }), message: field },
        { name: "name is a number", ...post({ [field]: 5, password: "x" }), message: field },
        { name: "no password", ...post({ [field]: "x" }), message: "password" },
        { name: "empty password", ...post({ [field]: "x", password: "" }), message: "password" },
        { name: "add", ...post({ [field]: "some/one", password: "secret" }), ok: true },
        { name: "add again", ...post({ [field]: "some/one", password: "secret" }), message: existed, code: 102 },
        { name: "list", method: "GET", path, data: ["some/one"] },
        {
          name: "look-up shows no hash",
          method: "GET",
          path: `${path}/some%2Fone`,
          data: expect.objectContaining({ [field]: "some/one", password: "******" }),
        },
        { name: "look-up, unknown", method: "GET", path: `${path}/nobody`, code: 102, message: unknown },
        { name: "update, no password", method: "PUT", path: `${path}/some%2Fone`, body: {}, message: "password" },
        { name: "update, unknown", method: "PUT", path: `${path}/nobody`, body: { password: "x" }, message: unknown },
        { name: "update", method: "PUT", path: `${path}/some%2Fone`, body: { password: "new" }, ok: true },
      ]);

      test("the account is asked at CONNECT", async () => {
        const options = (password: string) =>
          field === "username" ? { clientId: "acc", username: "some/one", password } : { clientId: "some/one", username: "u", password };
        const good = await node.mqtt(options("new").clientId, options("new"));
        await good.endAsync();
        await expect(node.mqtt(options("secret").clientId, options("secret"))).rejects.toThrow();
      });

      scenarios(it, [
        { name: "delete", method: "DELETE", path: `${path}/some%2Fone`, ok: true },
        { name: "delete again", method: "DELETE", path: `${path}/some%2Fone`, ok: true },
        { name: "empty again", method: "GET", path, as: "user", data: [] },
      ]);
    });
  }
});

describe("explain", () => {
  unauthorized(it, [["POST", "/explain"]]);
  wrongMethod(it, [["GET", "/explain"]]);
  const post = (body: unknown) => ({ method: "POST", path: "/explain", body });
  scenarios(it, [
    { name: "no client id", ...post({}), code: 107, message: "missing mandatory params: ['client_id']" },
    { name: "client id is a number", ...post({ client_id: 5 }), code: 108 },
    {
      name: "unknown action: the words that there are",
      ...post({ client_id: "x", action: "eat", topic: "t" }),
      code: 108,
      message: "value of 'action': expected publish or subscribe",
    },
    {
      name: "a name misspelt",
      ...post({ client_id: "x", usernam: "u" }),
      code: 108,
      message: "unknown parameter 'usernam', did you mean 'username'?",
    },
    { name: "a list", ...post([]), code: 108, message: "the body must be an object" },
    { name: "an action without a topic", ...post({ client_id: "x", action: "publish" }), code: 107, message: /'topic'/ },
    { name: "a topic without an action", ...post({ client_id: "x", topic: "t" }), code: 107, message: /'action'/ },
    {
      name: "nobody publishes to a filter",
      ...post({ client_id: "x", action: "publish", topic: "a/+" }),
      code: 115,
      message: /^'a\/\+' is no topic/,
    },
    { name: "no filter", ...post({ client_id: "x", action: "subscribe", topic: "a#" }), code: 115, message: "'a#' is no topic filter" },
    { name: "what the query brings beside it", method: "POST", path: "/explain?_=1&x=y", body: { client_id: "x" }, code: 0 },
    { name: "unknown zone", ...post({ client_id: "x", zone: "nosuch" }), code: 108, message: /nosuch/ },
  ]);

  test("every step with its verdict, without effects", async () => {
    const ask = (body: unknown) => node.data<ExplainResult>("POST", "/explain", { body });
    const anonymous = await ask({ client_id: "x" });
    expect(anonymous.acl).toBeNull();
    expect(anonymous.authentication.allow).toBe(true);
    expect(anonymous.authentication.steps.at(-1)).toMatchObject({ step: "allow_anonymous", verdict: "allow", final: true });
    const sys = await ask({ client_id: "x", ip_address: "192.0.2.1", action: "subscribe", topic: "$SYS/#" });
    expect(sys.acl?.allow).toBe(false);
    await node.ask("POST", "/banned", { body: { who: "x", as: "client_id", reason: "because" } });
    const banned = await ask({ client_id: "x", action: "publish", topic: "a/b" });
    expect(banned).toMatchObject({ authentication: { allow: false }, acl: null });
    expect(banned.authentication.steps.at(-1)).toMatchObject({
      step: "banned",
      verdict: "deny",
      final: true,
      why: expect.stringContaining("because"),
    });
    await node.ask("DELETE", "/banned/x?as=client_id");
    expect(await node.get<unknown>("/sessions/x")).toEqual([]);
  });
});

test("applications, users and bans survive a restart", async () => {
  const dir = mkdtempSync(`${tmpdir()}/baomq-api-`);
  try {
    const before = await TestNode.start({}, dir);
    await before.ask("POST", "/apps", { body: { app_id: "kept", secret: "s" } });
    await before.ask("POST", "/users", { as: "user", body: { username: "kept", password: "p" } });
    await before.ask("PUT", "/change_pwd/admin", { as: "user", body: { old_pwd: ADMIN.password, new_pwd: "changed" } });
    await before.ask("POST", "/banned", { body: { who: "kept", as: "client_id" } });
    await before.stop();
    const after = await TestNode.start({}, dir);
    expect((await after.ask("GET", "/brokers", { authorization: basic("kept", "s") })).status).toBe(200);
    expect((await after.get<User[]>("/users", { as: "user", authorization: basic("kept", "p") })).map((u) => u.username)).toEqual([
      "admin",
      "kept",
    ]);
    expect((await after.ask("GET", "/brokers", { as: "user" })).status).toBe(401);
    expect(await after.get<WhoAmI>("/whoami", { as: "user", authorization: basic("admin", "changed") })).toMatchObject({
      must_change_password: false,
    });
    expect((await after.get<Banned[]>("/banned")).map((b) => b.who)).toEqual(["kept"]);
    await after.stop();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

describe("the access chain", () => {
  unauthorized(it, [
    ["GET", `/nodes/${NODE}/access`],
    ["GET", `/nodes/${NODE}/acl_file`],
    ["PUT", `/nodes/${NODE}/acl_file`],
    ["POST", "/acl/check"],
    ["POST", "/password_hash"],
  ]);

  test("who is asked, in which order, and what lets strangers in", async () => {
    const get = async () => await node.data<AccessView>("GET", `/nodes/${NODE}/access`);
    const before = await get();
    expect([before.authentication, before.acl.map((s) => s.step)]).toEqual([[], ["acl_file"]]);
    expect(before.zones.map((z) => [z.zone, z.allow_anonymous, z.acl_nomatch])).toContainEqual(["external", true, "allow"]);
    expect(before.warnings).toContainEqual({ what: "everybody", zone: "external" });
    // The rules of EMQ X 3.1 end with {allow, all}.
    expect(before.warnings).toContainEqual({ what: "open_rules", zone: "external", actions: ["publish", "subscribe"] });
    await node.data("PUT", `/nodes/${NODE}/plugins/emqx_auth_clientid/load`);
    await node.data("PUT", `/nodes/${NODE}/plugins/emqx_auth_username/load`);
    const both = await get();
    expect(both.authentication.map((s) => [s.step, s.plugin, s.on_error])).toEqual([
      ["emqx_auth_clientid", "emqx_auth_clientid", null],
      ["emqx_auth_username", "emqx_auth_username", null],
    ]);
    expect(both.warnings).toContainEqual({ what: "unknown", zone: "external" });
    expect([...both.authentication, ...both.acl].map((s) => [s.step, s.asks_topics])).toEqual([
      ["emqx_auth_clientid", false],
      ["emqx_auth_username", false],
      ["acl_file", true],
    ]);
    for (const name of ["emqx_auth_clientid", "emqx_auth_username"]) await node.data("PUT", `/nodes/${NODE}/plugins/${name}/unload`);
  });

  test("that outages let strangers in is warned of where they do", async () => {
    /** Is it warned of, and what comes of a log-in and of a topic meanwhile. */
    const told = async (plugin: string): Promise<unknown[]> => {
      const { warnings, authentication, acl } = await node.data<AccessView>("GET", `/nodes/${NODE}/access`);
      const step = [authentication, acl].map((half) => half.find((s) => s.plugin === plugin)?.while_down);
      return [warnings.some(({ what }) => what === "ignored_errors"), ...step];
    };
    for (const [plugin, settings, expected] of [
      ["emqx_auth_redis", { "auth.redis.server": "127.0.0.1:1", "auth.redis.on_error": "ignore" }, [true, "ignore", "ignore"]],
      ["emqx_auth_redis", { "auth.redis.server": "127.0.0.1:1", "auth.redis.on_error": "deny" }, [false, "deny", "deny"]],
      // Log-ins are refused all the same, as in EMQ X 3.1.
      ["emqx_auth_http", { "auth.http.auth_req": "http://127.0.0.1:1/auth", "auth.http.on_error": "ignore" }, [false, "deny", "ignore"]],
      // Without a URL of keys nothing of it can be down.
      ["emqx_auth_jwt", { "auth.jwt.secret": "x".repeat(40), "auth.jwt.on_error": "ignore" }, [false, null, null]],
    ] as const) {
      await node.data("PUT", "/settings", { body: settings });
      await node.data("PUT", `/nodes/${NODE}/plugins/${plugin}/load`);
      expect([plugin, settings, await told(plugin)]).toEqual([plugin, settings, [...expected]]);
      await node.data("PUT", `/nodes/${NODE}/plugins/${plugin}/unload`);
      await node.data("PUT", "/settings", { body: Object.fromEntries(Object.keys(settings).map((key) => [key, null])) });
    }
  });

  test("whether a plugin that asks others asks about topics is said, and why not", async () => {
    const plugin = "emqx_auth_jwt";
    const asks = async (): Promise<boolean[]> => {
      const { authentication, acl } = await node.data<AccessView>("GET", `/nodes/${NODE}/access`);
      return [...authentication, ...acl].filter((s) => s.plugin === plugin).map((s) => s.asks_topics);
    };
    const question = { client_id: "c", username: "joe", password: "x", action: "publish", topic: "a" };
    const why = async (): Promise<string | undefined> =>
      (await node.data<ExplainResult>("POST", "/explain", { body: question })).acl?.steps.find((s) => s.step === plugin)?.why;
    await node.data("PUT", `/nodes/${NODE}/plugins/${plugin}/load`);
    expect([await asks(), await why()]).toEqual([[false, false], "no auth.jwt.acl_claim_name is set: nothing is asked"]);
    const tested = await node.data<PluginTestStep[]>("POST", `/nodes/${NODE}/plugins/${plugin}/test`, { body: question });
    expect(tested.at(-1)).toMatchObject({ step: "acl", verdict: "ignore", why: "no auth.jwt.acl_claim_name is set: nothing is asked" });
    await node.data("PUT", `/nodes/${NODE}/plugin_configs/${plugin}`, { body: { "auth.jwt.acl_claim_name": "acl" } });
    expect([await asks(), await why()]).toEqual([[true, true], "the client's token has brought no rules"]);
    await node.data("PUT", `/nodes/${NODE}/plugins/${plugin}/unload`);
  });

  scenarios(it, [
    { name: "rules", method: "POST", path: "/acl/check", body: { text: "{allow, all}.\n{deny, all}." }, data: { rules: 2, error: null } },
    {
      name: "no rules, with the place",
      method: "POST",
      path: "/acl/check",
      body: { text: "{allow, all}.\n{allow, nobody}." },
      data: {
        rules: 0,
        error: { line: 2, column: 9, message: "expected all, or a rule of four parts: {allow, Who, pubsub, [Topics]}, found nobody" },
      },
    },
    { name: "nothing to check", method: "POST", path: "/acl/check", body: {}, code: 107 },
    { name: "no text", method: "POST", path: "/acl/check", body: { text: 7 }, code: 108 },
    { name: "bad rules are not taken", method: "PUT", path: `/nodes/${NODE}/acl_file`, body: { text: "{" }, code: 108 },
    { name: "of a node that is not there", method: "GET", path: "/nodes/nobody@nowhere/access", status: 404 },
    { name: "a hash", method: "POST", path: "/password_hash", body: { stored: "public", password: "public" }, data: ["plain"] },
    {
      name: "a hash and its salt",
      method: "POST",
      path: "/password_hash",
      body: { stored: new Bun.CryptoHasher("sha256").update("peppublic").digest("hex"), salt: "pep", password: "public" },
      data: ["salt,sha256"],
    },
    { name: "no hash", method: "POST", path: "/password_hash", body: { password: "public" }, code: 107 },
    {
      name: "too many rounds",
      method: "POST",
      path: "/password_hash",
      body: { stored: "00", salt: "s", password: "x", iterations: 1e9 },
      code: 108,
    },
    {
      name: "a cost that nobody waits for",
      method: "POST",
      path: "/password_hash",
      body: { stored: `$2a$31$${"a".repeat(53)}`, password: "x" },
      code: 108,
    },
    {
      name: "a text that can be no hash",
      method: "POST",
      path: "/password_hash",
      body: { stored: `$2a$10$${"a".repeat(53)}`, password: "x" },
      data: [],
    },
  ]);

  test("the file of access rules: replaced, in force at once, what it was before beside it", async () => {
    const dir = mkdtempSync(join(tmpdir(), "baomq-acl-"));
    const file = join(dir, "acl.conf");
    writeFileSync(file, "{allow, all}.\n");
    const own = await TestNode.start({ acl_file: file });
    const path = `/nodes/${NODE}/acl_file`;
    const may = async (topic: string): Promise<boolean | undefined> => {
      const asked = { client_id: "c", username: "u", action: "subscribe", topic };
      return (await own.data<ExplainResult>("POST", "/explain", { body: asked })).acl?.allow;
    };
    expect(await own.data<AclFileRow>("GET", path)).toEqual({ path: file, text: "{allow, all}.\n", exists: true, former: null });
    expect(await may("only/this")).toBe(true);
    const text = '{deny, {user, "u"}, subscribe, ["only/#"]}.\n{allow, all}.\n';
    expect(await own.data<AclCheck>("PUT", path, { body: { text } })).toEqual({ rules: 2, error: null });
    expect([await may("only/this"), await may("other"), readFileSync(file, "utf8")]).toEqual([false, true, text]);
    expect(await own.data<AclFileRow>("GET", path)).toMatchObject({ text, former: "{allow, all}.\n" });
    expect(await (await own.ask("PUT", path, { body: { text: "{" } })).json).toMatchObject({ code: 108 });
    expect(readFileSync(file, "utf8")).toBe(text);
    const left = async (): Promise<unknown[]> => {
      const { warnings } = await own.data<AccessView>("GET", `/nodes/${NODE}/access`);
      return warnings.filter((w) => w.zone === "external" && w.actions !== undefined);
    };
    expect(await left()).toEqual([{ what: "open_rules", zone: "external", actions: ["publish", "subscribe"] }]);
    await own.ask("PUT", path, { body: { text: '{deny, all, subscribe, ["#"]}.\n' } });
    expect(await left()).toEqual([{ what: "no_rule", zone: "external", actions: ["publish"] }]);
    await own.ask("PUT", path, { body: { text: "{deny, all}.\n" } });
    expect(await left()).toEqual([]);
    await own.stop();
    rmSync(dir, { recursive: true, force: true });
  });
});
