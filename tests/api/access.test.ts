/** Applications, users, bans, accounts, explain: who may do what. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import mqtt from "mqtt";
import type { AppRow, Banned, ExplainResult, User, WhoAmI } from "../../server/api/contract.ts";
import { ADMIN, APP, basic, closed, NODE, TestNode } from "./support/node.ts";
import { type Scenario, scenarios, unauthorized, wrongMethod } from "./support/table.ts";

let node: TestNode;
const it = () => node;
beforeAll(async () => {
  node = await TestNode.start();
});
afterAll(() => node.stop());

describe("applications", () => {
  unauthorized(it, [
    ["GET", "/apps"],
    ["POST", "/apps"],
    ["GET", "/apps/x"],
    ["PUT", "/apps/x"],
    ["DELETE", "/apps/x"],
  ]);
  wrongMethod(it, [
    ["PUT", "/apps"],
    ["POST", "/apps/x"],
    ["DELETE", "/apps"],
  ]);
  const post = (body: unknown) => ({ method: "POST", path: "/apps", body });
  const put = (id: string, body?: unknown) => ({ method: "PUT", path: `/apps/${id}`, body });
  scenarios(it, [
    { name: "no id", ...post({ name: "x" }), code: 107 },
    { name: "id is a number", ...post({ app_id: 5, name: "x" }), code: 107 },
    { name: "id is empty", ...post({ app_id: "" }), code: 107 },
    { name: "name is a number", ...post({ app_id: "bad", name: 5 }), code: 108 },
    { name: "status is 1", ...post({ app_id: "bad", status: 1 }), code: 108 },
    { name: "expired is text", ...post({ app_id: "bad", expired: "tomorrow" }), code: 108 },
    { name: "secret is a list", ...post({ app_id: "bad", secret: ["x"] }), code: 108 },
    { name: "no JSON", method: "POST", path: "/apps", raw: '{"app_id":"x"', status: 400 },
    {
      name: "create, all fields",
      ...post({ app_id: "full", name: "Full", secret: "fullsecret", desc: "all", status: true, expired: 4102444800 }),
      text: '{"code":0,"data":{"secret":"fullsecret"}}',
    },
    { name: "create, as little as possible", ...post({ app_id: "min" }), data: { secret: expect.stringMatching(/^[A-Za-z0-9]{47}$/) } },
    {
      name: "empty secret: generated",
      ...post({ app_id: "empty", secret: "" }),
      data: { secret: expect.stringMatching(/^[A-Za-z0-9]{47}$/) },
    },
    { name: "never expires", ...post({ app_id: "null", secret: "s", expired: null }), code: 0 },
    { name: "switched off", ...post({ app_id: "off", secret: "s", status: false }), code: 0 },
    { name: "expired", ...post({ app_id: "late", secret: "s", expired: 1000000000 }), code: 0 },
    { name: "reserved characters", ...post({ app_id: "a/b c%", secret: "s:t" }), code: 0 },
    { name: "there already", ...post({ app_id: "full" }), code: 102, message: "alread_existed" },
    {
      name: "look-up",
      method: "GET",
      path: "/apps/full",
      text: '{"code":0,"data":{"app_id":"full","secret":"fullsecret","name":"Full","desc":"all","status":true,"expired":4102444800}}',
    },
    {
      name: "look-up, unset fields",
      method: "GET",
      path: "/apps/min",
      data: { app_id: "min", secret: expect.any(String), name: "undefined", desc: "undefined", status: true, expired: "undefined" },
    },
    {
      name: "look-up, encoded",
      method: "GET",
      path: `/apps/${encodeURIComponent("a/b c%")}`,
      data: expect.objectContaining({ app_id: "a/b c%" }),
    },
    { name: "look-up, unknown", method: "GET", path: "/apps/nosuch", text: '{"code":0,"data":[]}' },
    {
      name: "the list shows no secret",
      method: "GET",
      path: "/apps/",
      check: (a) => {
        expect(a.text).not.toContain("secret");
        expect(a.json?.meta).toBeUndefined();
        expect((a.json?.data as AppRow[] | undefined)?.map((r) => r.app_id)).toContain("full");
      },
    },
    { name: "update, unknown", ...put("nosuch", { name: "x" }), code: 102, message: "ont_found" },
    { name: "update, wrong type", ...put("min", { status: "yes" }), code: 108 },
    { name: "update, one field", ...put("full", { name: "Fuller" }), ok: true },
    {
      name: "the others stay",
      method: "GET",
      path: "/apps/full",
      data: expect.objectContaining({ name: "Fuller", desc: "all", secret: "fullsecret", expired: 4102444800 }),
    },
    {
      name: "update, the row as shown",
      ...put("min", { app_id: "x", name: "undefined", desc: "undefined", status: true, expired: "undefined", secret: "no" }),
      ok: true,
    },
    {
      name: "id and secret stay",
      method: "GET",
      path: "/apps/min",
      data: expect.objectContaining({ app_id: "min", expired: "undefined" }),
    },
    { name: "update, nothing", ...put("min"), ok: true },
    { name: "delete", method: "DELETE", path: "/apps/empty", ok: true },
    { name: "delete, unknown", method: "DELETE", path: "/apps/empty", ok: true },
  ]);

  const as = (id: string, secret: string, status: number): Scenario => ({
    name: `${id} gets ${status}`,
    method: "GET",
    path: "/brokers",
    authorization: basic(id, secret),
    status,
  });
  scenarios(it, [
    as("full", "fullsecret", 200),
    as("null", "s", 200),
    as("a/b c%", "s:t", 200),
    as("off", "s", 401),
    as("late", "s", 401),
    as("full", "", 401),
  ]);

  test("switching off and deleting act at once", async () => {
    const status = async () => (await node.ask("GET", "/brokers", { authorization: basic("null", "s") })).status;
    await node.ask("PUT", "/apps/null", { body: { status: false } });
    expect(await status()).toBe(401);
    await node.ask("PUT", "/apps/null", { body: { status: true } });
    expect(await status()).toBe(200);
    await node.ask("DELETE", "/apps/null");
    expect(await status()).toBe(401);
  });

  test("the default secret, and an application of the configuration", async () => {
    const own = await TestNode.start({ "management.application.default_secret": "shared" });
    try {
      expect(await own.data("POST", "/apps", { body: { app_id: "d" } })).toEqual({ secret: "shared" });
      expect((await own.ask("GET", "/brokers", { authorization: basic(APP.id, APP.secret) })).status).toBe(200);
    } finally {
      await own.stop();
    }
  });
});

describe("users", () => {
  const as = "user" as const;
  unauthorized(
    it,
    [
      ["GET", "/users"],
      ["POST", "/users"],
      ["PUT", "/users/admin"],
      ["DELETE", "/users/admin"],
      ["PUT", "/change_pwd/admin"],
      ["GET", "/auth"],
      ["POST", "/authentic"],
      ["GET", "/auth_username"],
    ],
    as,
  );
  wrongMethod(
    it,
    [
      ["GET", "/users/admin"],
      ["POST", "/change_pwd/admin"],
      ["PUT", "/users/admin/password"],
    ],
    as,
  );
  scenarios(
    it,
    (["/users", "/auth", "/change_pwd/admin"] as const).map((path) => ({
      name: "not on 8080",
      method: path === "/users" ? "GET" : "PUT",
      path,
      status: 404,
    })),
  );

  const login = (body: unknown, more: Partial<Scenario>): Scenario => ({
    name: "log in",
    method: "POST",
    path: "/auth",
    as,
    authorization: null,
    body,
    ...more,
  });
  scenarios(it, [
    login({ username: "admin", password: "public" }, { ok: true }),
    login(undefined, { name: "log in by the query", path: "/auth?username=admin&password=public", ok: true }),
    login({ username: "admin", password: "nope" }, { name: "wrong password", code: 103, message: "Password Error" }),
    login({ username: "nobody", password: "x" }, { name: "unknown user", code: 103, message: "Username Not Found" }),
    login({ username: "admin" }, { name: "no password", code: 104, message: "Password undefined" }),
    login({ username: "admin", password: "" }, { name: "empty password", code: 103, message: "Password Error" }),
    login({ password: "x" }, { name: "no user name", code: 104, message: "Username undefined" }),
    login(undefined, { name: "no body", code: 104, message: "Username undefined" }),
    login({ username: "admin", password: 5 }, { name: "password is a number", code: 108 }),
    { name: "no JSON", method: "POST", path: "/auth", as, authorization: null, raw: "{", status: 400 },
  ]);

  const user = (method: string, path: string, body: unknown, more: Partial<Scenario>): Scenario => ({
    name: "user",
    method,
    path,
    as,
    body,
    ...more,
  });
  const add = (body: unknown, more: Partial<Scenario>): Scenario => user("POST", "/users", body, more);
  scenarios(it, [
    { name: "the list", method: "GET", path: "/users/", as, data: [{ username: "admin", tags: "administrator" }] },
    add({ username: "ann" }, { name: "no password", code: 104, message: "Username or password undefined" }),
    add({ password: "x" }, { name: "no user name", code: 104, message: "Username or password undefined" }),
    add({ username: "", password: "x" }, { name: "empty user name", code: 104 }),
    add({ username: "ann", password: "" }, { name: "empty password", code: 104 }),
    add({ username: 5, password: "x" }, { name: "user name is a number", code: 108 }),
    add({ username: "ann", password: "x", tags: 5 }, { name: "tags are a number", code: 108 }),
    add({ username: "ann", password: "pw", tags: "viewer", newPassword: "pw", repeatPassword: "pw" }, { name: "create", ok: true }),
    add({ username: "ann", password: "pw" }, { name: "there already", code: 113, message: "Username Already Exist" }),
    add({ username: "b/ü b", password: "pw" }, { name: "create without tags, odd name", ok: true }),
    user("PUT", "/users/nobody", { tags: "x" }, { name: "tags of nobody", code: 105, message: "Username Not Found" }),
    user("PUT", "/users/ann", { tags: "boss" }, { name: "tags", ok: true }),
    user("PUT", `/users/${encodeURIComponent("b/ü b")}`, undefined, { name: "no tags", ok: true }),
    {
      name: "the list",
      method: "GET",
      path: "/users",
      as,
      data: [
        { username: "admin", tags: "administrator" },
        { username: "ann", tags: "boss" },
        { username: "b/ü b", tags: "undefined" },
      ],
    },
    user("PUT", "/change_pwd/ann", { old_pwd: "nope", new_pwd: "n" }, { name: "wrong old password", code: 114, message: "Password Error" }),
    user(
      "PUT",
      "/change_pwd/nobody",
      { old_pwd: "x", new_pwd: "n" },
      { name: "password of nobody", code: 105, message: "Username Not Found" },
    ),
    user("PUT", "/change_pwd/ann", { new_pwd: "n" }, { name: "no old password", code: 104, message: "Password undefined" }),
    user("PUT", "/change_pwd/ann", { old_pwd: "pw" }, { name: "no new password", code: 107 }),
    user("PUT", "/change_pwd/ann", { old_pwd: "pw", new_pwd: 5 }, { name: "new password is a number", code: 108 }),
    user("PUT", "/change_pwd/ann", { old_pwd: "pw", new_pwd: "pw2" }, { name: "change", ok: true }),
    { name: "the old one is out", method: "GET", path: "/brokers", as, authorization: basic("ann", "pw"), status: 401 },
    { name: "the new one is in", method: "GET", path: "/brokers", as, authorization: basic("ann", "pw2"), code: 0 },
    user("DELETE", "/users/admin", undefined, { name: "admin stays", code: 106, message: "Cannot delete admin" }),
    user("DELETE", "/users/ann", undefined, { name: "delete", ok: true }),
    { name: "who was deleted is out", method: "GET", path: "/brokers", as, authorization: basic("ann", "pw2"), status: 401 },
    user("DELETE", "/users/ann", undefined, { name: "delete nobody", code: 105, message: "Username Not Found" }),
    user("DELETE", `/users/${encodeURIComponent("b/ü b")}`, undefined, { name: "delete, encoded", ok: true }),
  ]);

  test("no answer holds a password or its hash", async () => {
    for (const path of ["/users", "/whoami"]) {
      const { text } = await node.ask("GET", path, { as });
      expect(text).not.toMatch(/argon2|"public"/);
    }
  });
});

describe("the default password", () => {
  const far = { "x-forwarded-for": "203.0.113.9" };

  test("is told, is refused from elsewhere, and is no longer the default when changed", async () => {
    const own = await TestNode.start();
    try {
      const who = () => own.get<WhoAmI>("/whoami", { as: "user" });
      expect(await who()).toMatchObject({ kind: "user", name: "admin", tags: "administrator", must_change_password: true, node: NODE });
      const refused = await own.ask("GET", "/brokers", { as: "user", headers: far });
      expect(refused.status).toBe(403);
      expect(refused.text).toMatch(/default password/i);
      const login = await own.ask("POST", "/auth", {
        as: "user",
        authorization: null,
        headers: far,
        body: { username: "admin", password: "public" },
      });
      expect(login.status).toBe(403);
      await own.ask("PUT", "/change_pwd/admin", { as: "user", body: { old_pwd: "public", new_pwd: "better" } });
      const better = { as: "user", authorization: basic("admin", "better") } as const;
      expect(await own.get<WhoAmI>("/whoami", better)).toMatchObject({ must_change_password: false });
      expect((await own.ask("GET", "/brokers", { ...better, headers: far })).status).toBe(200);
    } finally {
      await own.stop();
    }
  });

  test("another one by configuration is no default", async () => {
    const own = await TestNode.start({ "dashboard.default_user.login": "root", "dashboard.default_user.password": "own1" });
    try {
      const ask = { as: "user", authorization: basic("root", "own1") } as const;
      expect(await own.get<WhoAmI>("/whoami", ask)).toMatchObject({ name: "root", must_change_password: false });
      expect((await own.ask("GET", "/brokers", { as: "user" })).status).toBe(401);
    } finally {
      await own.stop();
    }
  });

  test("who asks is told to applications and at the socket too", async () => {
    expect(await node.get<WhoAmI>("/whoami")).toMatchObject({ kind: "app", name: APP.id, must_change_password: false });
    expect(await node.get<WhoAmI>("/whoami", { as: "ctl" })).toMatchObject({ kind: "ctl" });
  });
});

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
        expect(node.mqtt(options("secret").clientId, options("secret"))).rejects.toThrow();
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
    { name: "unknown action", ...post({ client_id: "x", action: "eat", topic: "t" }), code: 108 },
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
  const { mkdtempSync, rmSync } = await import("node:fs");
  const { tmpdir } = await import("node:os");
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
