/** The scenarios of EMQ X 3.1's own test suites, in their order. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Connection, Plugin, PluginConfigRow, User } from "../../server/api/contract.ts";
import { APP, basic, closed, NODE, nextMessage, TestNode } from "./support/node.ts";

let node: TestNode;
beforeAll(async () => {
  node = await TestNode.start();
});
afterAll(() => node.stop());

/** `data` as what it is. */
const dataOf = <T>(answer: { json: { data?: unknown } | undefined }): T => answer.json?.data as T;

/** Only HTTP success is asked for. */
const fine = async (method: string, path: string, body?: unknown) => {
  const answer = await node.ask(method, path, body === undefined ? {} : { body });
  expect([200, 201]).toContain(answer.status);
  return answer;
};

describe("management", () => {
  test("1 alarms", async () => {
    node.node.broker.alarms.set("suite", { severity: "error", title: "alarm title", summary: "alarm summary" });
    expect((await fine("GET", "/alarms")).text).toContain('"severity":"error"');
    expect((await fine("GET", `/alarms/${NODE}`)).text).toContain('"severity":"error"');
    node.node.broker.alarms.clear("suite");
  });

  test("2 apps", async () => {
    await fine("POST", "/apps", { app_id: "123456", name: "test", status: true });
    await fine("GET", "/apps");
    await fine("GET", "/apps/123456");
    await fine("PUT", "/apps/123456", { name: "test 2", status: true });
    expect((await fine("GET", "/apps/123456")).json?.data).toMatchObject({ name: "test 2" });
    await fine("DELETE", "/apps/123456");
    expect((await fine("GET", "/apps")).json?.data).toMatchObject([{ app_id: APP.id }]);
  });

  test("3 banned", async () => {
    const until = Math.floor(Date.now() / 1000) + 10;
    await fine("POST", "/banned", { who: "myclient", as: "client_id", reason: "test", by: "dashboard", desc: "hello world", until });
    expect((await fine("GET", "/banned")).json?.data).toEqual([
      { who: "myclient", as: "client_id", reason: "test", by: "dashboard", desc: "hello world", until },
    ]);
    await fine("DELETE", "/banned/myclient", { as: "client_id" });
    expect((await fine("GET", "/banned")).json?.data).toEqual([]);
  });

  test("4 brokers", async () => {
    await fine("GET", "/brokers");
    await fine("GET", `/brokers/${NODE}`);
  });

  test("5 configs", async () => {
    await fine("GET", "/configs");
    await fine("GET", `/nodes/${NODE}/configs`);
    const path = `/nodes/${NODE}/plugin_configs/emqx_reloader`;
    await fine("PUT", path, { "reloader.interval": "60s", "reloader.logfile": "reloader.log" });
    const rows = dataOf<PluginConfigRow[]>(await fine("GET", path));
    expect(rows.find((r) => r.key === "reloader.interval")?.value).toBe("60s");
  });

  test("6 connections and sessions", async () => {
    const one = await node.mqtt("client1", { username: "test_name" });
    const two = await node.mqtt("client2", { username: "test_name" });
    expect(dataOf<unknown[]>(await fine("GET", `/nodes/${NODE}/connection/username/test_name`)).length).toBe(2);
    const list = await fine("GET", "/connections?_limit=100&_page=1");
    expect(list.json?.meta?.count).toBe(2);
    expect((await fine("GET", `/nodes/${NODE}/connections?_limit=100&_page=1`)).text).toBe(list.text);
    const single = await fine("GET", `/nodes/${NODE}/connections/client1`);
    expect(dataOf<Connection[]>(single).map((c) => c.client_id)).toEqual(["client1"]);
    expect((await fine("GET", "/connections/client1")).text).toBe(single.text);
    const sessions = await fine("GET", "/sessions");
    expect(dataOf<Connection[]>(sessions).map((s) => s.client_id)).toEqual(["client1", "client2"]);
    expect((await fine("GET", `/nodes/${NODE}/sessions`)).text).toBe(sessions.text);
    expect((await fine("GET", `/nodes/${NODE}/sessions/client1`)).text).toBe((await fine("GET", "/sessions/client1")).text);
    const ends = [closed(one), closed(two)];
    await fine("DELETE", "/connections/client1");
    await fine("DELETE", "/connections/client2");
    await Promise.all(ends);
    expect((await fine("GET", "/connections")).json?.data).toEqual([]);
    expect((await fine("GET", "/sessions")).json?.data).toEqual([]);
  });

  test("7 listeners, 8 metrics, 9 nodes, 13 stats", async () => {
    for (const path of ["/listeners", `/nodes/${NODE}/listeners`, "/metrics", `/nodes/${NODE}/metrics`]) await fine("GET", path);
    for (const path of ["/nodes", `/nodes/${NODE}`, "/stats", `/nodes/${NODE}/stats`]) await fine("GET", path);
  });

  test("10 plugins", async () => {
    const own = async () => dataOf<Plugin[]>(await fine("GET", `/nodes/${NODE}/plugins`)).find((p) => p.name === "emqx_reloader");
    await fine("PUT", `/nodes/${NODE}/plugins/emqx_reloader/load`);
    await fine("PUT", `/nodes/${NODE}/plugins/emqx_reloader/unload`);
    expect((await own())?.active).toBe(false);
    await fine("PUT", `/nodes/${NODE}/plugins/emqx_reloader/load`);
    const [all] = dataOf<[{ plugins: Plugin[] }]>(await fine("GET", "/plugins"));
    const listed = all.plugins.find((p) => p.name === "emqx_reloader");
    expect(listed?.active).toBe(true);
    expect(await own()).toEqual(listed as Plugin);
  });

  test("11 publish and subscribe", async () => {
    const client = await node.mqtt("client1", { protocolVersion: 5 });
    await client.subscribeAsync("mytopic", { qos: 2 });
    const subscribed = await fine("POST", "/mqtt/subscribe", { client_id: "client1", topic: "mytopic", qos: 2 });
    expect(subscribed.json).toEqual({ code: 0 });
    const came = nextMessage(client);
    expect((await fine("POST", "/mqtt/publish", { client_id: "client1", topic: "mytopic", qos: 1, payload: "hello" })).text).toBe(
      subscribed.text,
    );
    expect((await came).payload.toString()).toBe("hello");
    expect((await fine("POST", "/mqtt/unsubscribe", { client_id: "client1", topic: "mytopic" })).text).toBe(subscribed.text);
    await client.endAsync();
  });

  test("12 routes and subscriptions", async () => {
    expect((await fine("GET", "/routes")).json?.data).toEqual([]);
    const client = await node.mqtt("myclient");
    await client.subscribeAsync("mytopic", { qos: 0 });
    const routes = await fine("GET", "/routes");
    expect(routes.json?.data).toEqual([{ topic: "mytopic", node: NODE }]);
    expect((await fine("GET", "/routes/mytopic")).json?.data).toEqual(routes.json?.data);
    const all = await fine("GET", "/subscriptions");
    expect(all.json?.data).toMatchObject([{ client_id: "myclient", topic: "mytopic" }]);
    expect((await fine("GET", `/nodes/${NODE}/subscriptions`)).text).toBe(all.text);
    const own = await fine("GET", "/subscriptions/myclient");
    expect(own.json?.data).toEqual(all.json?.data);
    expect((await fine("GET", `/nodes/${NODE}/subscriptions/myclient`)).text).toBe(own.text);
    await client.endAsync();
  });
});

describe("dashboard", () => {
  const as = "user" as const;
  const ok = async (method: string, path: string, body: unknown, authorization?: string) =>
    expect((await node.ask(method, path, { as, body, ...(authorization !== undefined && { authorization }) })).text).toBe('{"code":0}');

  test("1 every page's data", async () => {
    for (const what of [
      "alarms",
      "banned",
      "brokers",
      "stats",
      "metrics",
      "listeners",
      "connections",
      "sessions",
      "subscriptions",
      "routes",
      "plugins",
    ]) {
      expect((await node.ask("GET", `/${what}`, { as })).status).toBe(200);
    }
  });

  test("2 users", async () => {
    const count = async () => (await node.get<User[]>("/users", { as })).length;
    await ok("POST", "/users", { username: "username", password: "password", tags: "tag" });
    await ok("POST", "/users", { username: "username1", password: "password1", tags: "tag1" });
    expect(await count()).toBe(3);
    await ok("DELETE", "/users/username1", undefined);
    expect(await count()).toBe(2);
    await ok("PUT", "/change_pwd/username", { old_pwd: "password", new_pwd: "newpwd" });
    const brokers = () => node.ask("GET", "/brokers", { as, authorization: basic("username", "newpwd") });
    expect((await brokers()).status).toBe(200);
    await ok("DELETE", "/users/username", undefined);
    expect((await brokers()).status).toBe(401);
  });

  test("3 exact answers", async () => {
    expect((await node.ask("GET", "/users", { as })).json?.data).toEqual([{ username: "admin", tags: "administrator" }]);
    await ok("PUT", "/users/admin", { tags: "administrator" });
    await ok("POST", "/users", { username: "usera", password: "passwd" });
    await ok("POST", "/auth", { username: "usera", password: "passwd" });
    await ok("DELETE", "/users/usera", undefined);
    await ok("PUT", "/change_pwd/admin", { old_pwd: "public", new_pwd: "newpwd" });
    await ok("POST", "/auth", { username: "admin", password: "newpwd" });
    await ok("PUT", "/change_pwd/admin", { old_pwd: "newpwd", new_pwd: "public" }, basic("admin", "newpwd"));
  });
});
