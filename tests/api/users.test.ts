/** Users of the dashboard, logging in, the default password. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { WhoAmI } from "../../server/api/contract.ts";
import { APP, basic, NODE, TestNode } from "./support/node.ts";
import { type Scenario, scenarios, unauthorized, wrongMethod } from "./support/table.ts";

let node: TestNode;
const it = () => node;
beforeAll(async () => {
  node = await TestNode.start();
});
afterAll(() => node.stop());

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

  test("an empty one counts from this machine only, is told so, and is set only here", async () => {
    const own = await TestNode.start();
    const why =
      "the new password must not be empty or public: such a one is accepted from this machine alone, and only there it can be set";
    try {
      const set = (old_pwd: string, new_pwd: string, headers: Record<string, string> = {}) =>
        own.ask("PUT", "/change_pwd/admin", { as: "user", authorization: basic("admin", old_pwd), headers, body: { old_pwd, new_pwd } });
      expect((await set("public", "better")).json).toEqual({ code: 0 });
      expect((await set("better", "", far)).json).toEqual({ code: 108, message: why });
      expect((await set("better", "best", far)).json).toEqual({ code: 0 });
      const add = (password: string, headers: Record<string, string> = {}) =>
        own.ask("POST", "/users", { as: "user", authorization: basic("admin", "best"), headers, body: { username: "ann", password } });
      expect((await add("public", far)).json).toEqual({ code: 108, message: why });
      expect((await add("public")).json).toEqual({ code: 0 });
      expect((await set("best", "")).json).toEqual({ code: 0 });
      const empty = { as: "user", authorization: basic("admin", "") } as const;
      expect(await own.get<WhoAmI>("/whoami", empty)).toMatchObject({ must_change_password: true });
      const refused = await own.ask("GET", "/brokers", { ...empty, headers: far });
      expect([refused.status, refused.text]).toEqual([403, expect.stringMatching(/^The default password still stands, or none is set: /)]);
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
      // Nobody could log in to make another one.
      expect((await own.ask("DELETE", "/users/root", ask)).json).toEqual({ code: 106, message: "Cannot delete the last user" });
      expect((await own.ask("DELETE", "/users/nobody", ask)).json?.code).toBe(105);
      await own.ask("POST", "/users", { ...ask, body: { username: "ann", password: "p" } });
      expect((await own.ask("DELETE", "/users/root", ask)).json).toEqual({ code: 0 });
    } finally {
      await own.stop();
    }
  });

  test("no application makes itself a user by the user whom the configuration names", async () => {
    const own = await TestNode.start();
    try {
      const login = { "dashboard.default_user.login": "eve" };
      const conf = `/nodes/${NODE}/plugin_configs/emqx_dashboard`;
      const rows = await own.get<{ key: string; value: string }[]>(conf);
      const all = Object.fromEntries(rows.flatMap(({ key, value }) => (value === "" ? [] : [[key, value]])));
      for (const [path, body] of [
        ["/settings", login],
        ["/settings", { "dashboard.default_user.password": "mine" }],
        [conf, { ...all, ...login }],
      ] as const) {
        const { json } = await own.ask("PUT", path, { body });
        expect(json?.code).not.toBe(0);
        expect(json?.message).toContain("not by an application");
      }
      expect(await own.get("/users", { as: "user" })).toEqual([{ username: "admin", tags: "administrator" }]);
      // Everything as it is shown is no change, however often.
      for (let i = 0; i < 2; i++) expect((await own.ask("PUT", conf, { body: all })).json).toEqual({ code: 0 });
      const kept = await own.get<{ value: string; origin: string }[]>("/settings?_like_key=dashboard.default_user");
      expect(kept.map(({ value, origin }) => [value, origin])).toEqual([
        ["admin", "default"],
        ["public", "default"],
      ]);
      expect((await own.ask("PUT", "/settings?_=1574", { as: "user", body: login })).json?.code).toBe(0);
    } finally {
      await own.stop();
    }
  });

  test("nobody finds it out by trying: the right one is refused as a wrong one is", async () => {
    const key = "dashboard.default_user.password";
    const own = await TestNode.start();
    const fixed = await TestNode.start({ [key]: "topsecret1" });
    try {
      expect((await own.ask("PUT", "/settings", { as: "user", body: { [key]: "topsecret1" } })).json?.code).toBe(0);
      const above = `${key} is set by --set ${key}, which stands above what is changed here: change it there`;
      const user = { as: "user", authorization: basic("admin", "topsecret1") } as const;
      for (const [node, door, why] of [
        [own, {}, `${key} can be changed in the dashboard and at the command line, not by an application`],
        [fixed, {}, above],
        [fixed, user, above],
      ] as const) {
        const set = async (text: string) => (await node.ask("PUT", "/settings", { ...door, body: { [key]: text } })).json;
        for (const guess of ["topsecret1", "topsecret2", "public", ""]) expect(await set(guess)).toEqual({ code: 108, message: why });
        expect((await set("******"))?.code).toBe(0);
      }
      // The machine's owner can read it.
      expect((await fixed.ask("PUT", "/settings", { as: "ctl", body: { [key]: "topsecret1" } })).json?.code).toBe(0);
    } finally {
      await own.stop();
      await fixed.stop();
    }
  });

  test("who asks is told to applications and at the socket too", async () => {
    expect(await node.get<WhoAmI>("/whoami")).toMatchObject({ kind: "app", name: APP.id, must_change_password: false });
    expect(await node.get<WhoAmI>("/whoami", { as: "ctl" })).toMatchObject({ kind: "ctl" });
  });
});
