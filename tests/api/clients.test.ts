/** Connections, sessions, subscriptions, routes: of real MQTT clients. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import mqtt, { type MqttClient } from "mqtt";
import type { AclCacheEntry, Connection, Session, Subscription } from "../../server/api/contract.ts";
import { closed, NODE, TestNode } from "./support/node.ts";
import { scenarios, unauthorized, wrongMethod } from "./support/table.ts";

let node: TestNode;
let kept: MqttClient;
/** An id that every part of a URL would like to take for itself. */
const ODD = "odd c/ü:%+#";
const odd = encodeURIComponent(ODD);
const it = () => node;

beforeAll(async () => {
  node = await TestNode.start();
  const first = await node.mqtt("first", {
    username: "bob",
    will: { topic: "will/first", payload: Buffer.from("gone"), qos: 0, retain: false },
  });
  await first.subscribeAsync({ "a/b": { qos: 1 }, "a/+": { qos: 2 }, "$share/g/s/t": { qos: 0 } });
  kept = await node.mqtt("kept", { clean: false, username: "bob", protocolVersion: 4 });
  await kept.subscribeAsync("kept/#", { qos: 1 });
  const away = await node.mqtt("away", { clean: false });
  await away.subscribeAsync("away/x", { qos: 1 });
  await away.endAsync();
  await node.mqtt(ODD, { protocolVersion: 5, username: "" });
});
afterAll(() => node.stop());

/** Its session is no more when it resolves. */
async function gone(client: MqttClient, id: string): Promise<void> {
  await client.endAsync();
  while (node.node.broker.sessions.has(id)) await Bun.sleep(1);
}

describe("refusals", () => {
  const routes = [
    "/connections",
    `/nodes/${NODE}/connections`,
    "/connections/first",
    "/connection/username/bob",
    "/sessions",
    `/nodes/${NODE}/sessions/first`,
    "/subscriptions",
    "/subscriptions/first",
    "/routes",
    "/routes/a%2Fb",
    "/connections/first/acl",
  ];
  unauthorized(it, [...routes.map((r) => ["GET", r] as const), ["DELETE", "/connections/first"], ["DELETE", "/sessions/persistent/away"]]);
  wrongMethod(it, [
    ["POST", "/connections"],
    ["DELETE", "/connections/first/more"],
    ["DELETE", "/sessions/first"],
    ["PUT", "/subscriptions"],
    ["POST", "/routes"],
    ["DELETE", `/nodes/${NODE}/connections/first`],
  ]);
  scenarios(it, [
    { name: "page is no number", method: "GET", path: "/connections?_page=x", code: 108 },
    { name: "limit is no number", method: "GET", path: "/sessions?_limit=1e3", code: 108 },
    { name: "limit 0", method: "GET", path: "/subscriptions?_limit=0", code: 108 },
    { name: "limit below 0", method: "GET", path: "/routes?_limit=-1", code: 108 },
    { name: "limit without value", method: "GET", path: "/routes?_limit", code: 108 },
    { name: "limit too large for a number", method: "GET", path: "/routes?_limit=99999999999999999999", code: 108 },
    { name: "sort by nothing known", method: "GET", path: "/connections?_sort=nonsense", code: 108 },
    { name: "sort by what every object has", method: "GET", path: "/connections?_sort=constructor", code: 108 },
    { name: "kick nobody", method: "DELETE", path: "/connections/nobody", code: 112, message: "not_found" },
    { name: "kick who is away", method: "DELETE", path: "/connections/away", code: 112, message: "not_found" },
    {
      name: "kick many: no list",
      method: "DELETE",
      path: "/connections",
      body: {},
      code: 107,
      message: "missing mandatory params: ['client_ids']",
    },
    { name: "kick many: wrong type", method: "DELETE", path: "/connections", body: { client_ids: "first" }, code: 108 },
    { name: "kick many: wrong elements", method: "DELETE", path: "/connections", body: { client_ids: [1] }, code: 108 },
    { name: "ACL cache of who is away", method: "DELETE", path: "/connections/away/acl/t", code: 112, message: "not_found" },
    { name: "session of who is here", method: "DELETE", path: "/sessions/persistent/kept", code: 102, message: "running_session" },
    { name: "no such session", method: "DELETE", path: "/sessions/persistent/nobody", code: 102, message: "not_found" },
  ]);
});

describe("connections", () => {
  scenarios(it, [
    { name: "unknown: an empty list", method: "GET", path: "/connections/nobody", text: '{"code":0,"data":[]}' },
    { name: "away: an empty list", method: "GET", path: "/connections/away", data: [] },
    {
      name: "odd id, encoded",
      method: "GET",
      path: `/connections/${odd}`,
      data: [expect.objectContaining({ client_id: ODD, username: "", proto_ver: 5 })],
    },
    { name: "slash at the end", method: "GET", path: "/connections/first/", data: [expect.objectContaining({ client_id: "first" })] },
    {
      name: "by user name",
      method: "GET",
      path: `/nodes/${NODE}/connection/username/bob`,
      data: [expect.objectContaining({ username: "bob" }), expect.objectContaining({ username: "bob" })],
    },
    { name: "by unknown user name", method: "GET", path: "/connection/username/nobody", data: [] },
  ]);

  test("a row has its 29 fields, live", async () => {
    const [row] = await node.get<[Connection]>("/connections/first");
    expect(row).toMatchObject({
      client_id: "first",
      username: "bob",
      node: NODE,
      ipaddress: "127.0.0.1",
      proto_name: "MQTT",
      proto_ver: 4,
      clean_start: true,
      keepalive: 60,
      is_bridge: false,
      zone: "external",
      peercert: "nossl",
      is_super: false,
      mountpoint: "undefined",
      will_topic: "will/first",
      conn_mod: "emqx_connection",
      subscriptions_count: 3,
    });
    expect(row.connected_at).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    const counted = ["port", "recv_oct", "recv_cnt", "recv_pkt", "send_oct", "send_cnt", "send_pkt"] as const;
    for (const name of counted) expect(row[name]).toBeGreaterThan(0);
    for (const name of ["recv_msg", "send_msg", "send_pend", "mailbox_len", "heap_size", "reductions"] as const)
      expect(row[name]).toBeNumber();
  });

  test("lists of cluster and node are the same, with meta", async () => {
    const all = await node.ask("GET", "/connections?_page=1&_limit=100");
    expect(all.json?.meta).toEqual({ page: 1, limit: 100, count: 3 });
    expect((await node.ask("GET", `/nodes/${NODE}/connections?_page=1&_limit=100`)).text).toBe(all.text);
  });

  const names = (rows: unknown): string[] => (rows as Connection[]).map((c) => c.client_id);
  scenarios(it, [
    {
      name: "default limit",
      method: "GET",
      path: "/connections",
      check: (a) => expect(a.json?.meta).toEqual({ page: 1, limit: 10_000, count: 3 }),
    },
    { name: "pages", method: "GET", path: "/connections?_page=2&_limit=2", check: (a) => expect(names(a.json?.data)).toEqual([ODD]) },
    {
      name: "page 0 is the first, and echoed",
      method: "GET",
      path: "/connections?_page=0&_limit=1",
      check: (a) => {
        expect(names(a.json?.data)).toEqual(["first"]);
        expect(a.json?.meta).toEqual({ page: 0, limit: 1, count: 3 });
      },
    },
    {
      name: "past the end",
      method: "GET",
      path: "/connections?_page=9&_limit=2",
      data: [],
      check: (a) => expect(a.json?.meta).toEqual({ page: 9, limit: 2, count: 3 }),
    },
    { name: "filter", method: "GET", path: "/connections?username=bob", check: (a) => expect(a.json?.meta?.count).toBe(2) },
    {
      name: "filter by address",
      method: "GET",
      path: "/connections?ip_address=127.0.0.1",
      check: (a) => expect(a.json?.meta?.count).toBe(3),
    },
    {
      name: "filter by version",
      method: "GET",
      path: "/connections?proto_ver=5",
      check: (a) => expect(names(a.json?.data)).toEqual([ODD]),
    },
    {
      name: "filter by id",
      method: "GET",
      path: `/connections?client_id=${odd}`,
      check: (a) => expect(names(a.json?.data)).toEqual([ODD]),
    },
    {
      name: "part of an id",
      method: "GET",
      path: "/connections?_like_client_id=KEP",
      check: (a) => expect(names(a.json?.data)).toEqual(["kept"]),
    },
    {
      name: "filters are ANDed",
      method: "GET",
      path: "/connections?username=bob&clean_start=false",
      check: (a) => expect(names(a.json?.data)).toEqual(["kept"]),
    },
    {
      name: "sorted",
      method: "GET",
      path: "/connections?_sort=client_id",
      check: (a) => expect(names(a.json?.data)).toEqual(["first", "kept", ODD]),
    },
    {
      name: "sorted downwards, second page",
      method: "GET",
      path: "/connections?_sort=-client_id&_limit=2&_page=2",
      check: (a) => expect(names(a.json?.data)).toEqual(["first"]),
    },
  ]);

  test("ACL cache: shown, a topic forgotten, all forgotten", async () => {
    const client = await node.mqtt("cached");
    await client.publishAsync("cache/one", "x", { qos: 1 });
    await client.publishAsync("cache/two", "x", { qos: 1 });
    const topics = async () =>
      (await node.get<AclCacheEntry[]>("/connections/cached/acl")).map((e) => `${e.action} ${e.topic} ${e.verdict}`);
    expect(await topics()).toEqual(["publish cache/one allow", "publish cache/two allow"]);
    expect((await node.ask("DELETE", "/connections/cached/acl/cache%2Fone")).text).toBe('{"code":0}');
    expect(await topics()).toEqual(["publish cache/two allow"]);
    expect((await node.ask("DELETE", "/connections/cached/acl/cache/two")).text).toBe('{"code":0}');
    expect(await topics()).toEqual([]);
    expect((await node.ask("DELETE", "/connections/cached/acl")).text).toBe('{"code":0}');
    await gone(client, "cached");
  });

  test("a cleaned cache is asked again at the very next PUBLISH, also to the topic that was published to last", async () => {
    const client = await node.mqtt("asked-again", { protocolVersion: 5 });
    let asked = 0;
    const { hooks } = node.node.broker;
    const takeBack = hooks.add("client.check_acl", "count", (c) => {
      if (c.clientId === "asked-again") asked++;
      return null;
    });
    const publish = () => client.publishAsync("again/x", "1", { qos: 1 });
    for (const [path, times] of [
      [null, 1],
      [null, 1],
      ["/connections/asked-again/acl/again%2Fx", 2],
      ["/connections/asked-again/acl", 3],
    ] as const) {
      if (path !== null) expect((await node.ask("DELETE", path)).text).toBe('{"code":0}');
      await publish();
      expect(asked).toBe(times);
    }
    takeBack();
    await gone(client, "asked-again");
  });
});

describe("sessions", () => {
  test("a row has its 21 fields, live", async () => {
    const [row] = await node.get<[Session]>("/sessions/kept");
    expect(row).toMatchObject({
      client_id: "kept",
      node: NODE,
      username: "bob",
      clean_start: false,
      binding: "local",
      expiry_interval: 7200,
      subscriptions_count: 1,
      max_subscriptions: 0,
      inflight_len: 0,
      max_inflight: 32,
      mqueue_len: 0,
      max_mqueue: 1000,
      mqueue_dropped: 0,
      awaiting_rel_len: 0,
      max_awaiting_rel: 100,
      deliver_msg: 0,
      enqueue_msg: 0,
      mailbox_len: 0,
      heap_size: 0,
      reductions: 0,
      connected: true,
    });
    expect(row.created_at).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  });

  const names = (rows: unknown): string[] => (rows as Session[]).map((s) => s.client_id);
  scenarios(it, [
    {
      name: "who is away is listed",
      method: "GET",
      path: "/sessions",
      check: (a) => expect(names(a.json?.data)).toEqual(["first", "kept", "away", ODD]),
    },
    { name: "filter", method: "GET", path: "/sessions?connected=false", check: (a) => expect(names(a.json?.data)).toEqual(["away"]) },
    { name: "unknown", method: "GET", path: "/sessions/nobody", text: '{"code":0,"data":[]}' },
    {
      name: "node form",
      method: "GET",
      path: `/nodes/${NODE}/sessions/away`,
      data: [expect.objectContaining({ client_id: "away", binding: "local" })],
    },
  ]);
});

describe("subscriptions and routes", () => {
  scenarios(it, [
    {
      name: "of a client, without the share group's prefix",
      method: "GET",
      path: "/subscriptions/first",
      data: [
        expect.objectContaining({ client_id: "first", node: NODE, topic: "a/b", qos: 1, share: "undefined" }),
        expect.objectContaining({ client_id: "first", node: NODE, topic: "a/+", qos: 2 }),
        expect.objectContaining({ client_id: "first", node: NODE, topic: "s/t", qos: 0, share: "g" }),
      ],
    },
    {
      name: "of who is away",
      method: "GET",
      path: `/nodes/${NODE}/subscriptions/away`,
      data: [expect.objectContaining({ topic: "away/x", qos: 1 })],
    },
    { name: "unknown", method: "GET", path: "/subscriptions/nobody", text: '{"code":0,"data":[]}' },
    { name: "list", method: "GET", path: "/subscriptions", check: (a) => expect(a.json?.meta?.count).toBe(5) },
    {
      name: "a late page",
      method: "GET",
      path: "/subscriptions?_page=3&_limit=2",
      check: (a) => expect((a.json?.data as Subscription[] | undefined)?.map((s) => s.topic)).toEqual(["away/x"]),
    },
    { name: "by topic", method: "GET", path: "/subscriptions?topic=s/t", check: (a) => expect(a.json?.meta?.count).toBe(1) },
    { name: "part of a topic", method: "GET", path: "/subscriptions?_like_topic=way", check: (a) => expect(a.json?.meta?.count).toBe(1) },
    { name: "routes", method: "GET", path: "/routes", check: (a) => expect(a.json?.meta?.count).toBe(5) },
    { name: "route, encoded", method: "GET", path: "/routes/a%2Fb", data: [{ topic: "a/b", node: NODE }] },
    { name: "route, as it is", method: "GET", path: "/routes/a/b", data: [{ topic: "a/b", node: NODE }] },
    { name: "route with wildcard", method: "GET", path: "/routes/kept%2F%23", data: [{ topic: "kept/#", node: NODE }] },
    { name: "route of a shared subscription", method: "GET", path: "/routes/s%2Ft", data: [{ topic: "s/t", node: NODE }] },
    { name: "exact text, not a match", method: "GET", path: "/routes/kept%2Fx", data: [] },
    { name: "slash in front counts", method: "GET", path: "/routes//a/b", data: [] },
    { name: "part of a topic", method: "GET", path: "/routes?_like_topic=a/", check: (a) => expect(a.json?.meta?.count).toBe(2) },
  ]);

  test("a topic that begins or ends with a slash", async () => {
    const client = await node.mqtt("slashes");
    await client.subscribeAsync(["/test", "end/"]);
    expect(await node.get<unknown>("/routes//test")).toEqual([{ topic: "/test", node: NODE }]);
    expect(await node.get<unknown>("/routes/%2Ftest")).toEqual([{ topic: "/test", node: NODE }]);
    expect(await node.get<unknown>("/routes/end/")).toEqual([{ topic: "end/", node: NODE }]);
    await client.endAsync();
  });
});

describe("commands act", () => {
  test("kick: the connection is closed, its will published, the session of a clean client gone", async () => {
    const watcher = await node.mqtt("watcher");
    await watcher.subscribeAsync("will/#");
    const will = new Promise<string>((resolve) => watcher.once("message", (topic) => resolve(topic)));
    expect((await node.ask("DELETE", "/connections/first")).text).toBe('{"code":0}');
    expect(await will).toBe("will/first");
    expect(await node.get<unknown>("/connections/first")).toEqual([]);
    expect(await node.get<unknown>("/sessions/first")).toEqual([]);
    expect((await node.ask("DELETE", "/connections/first")).json).toEqual({ code: 112, message: "not_found" });
  });

  test("kick: a persistent session stays", async () => {
    const end = closed(kept);
    expect((await node.ask("DELETE", "/connections/kept")).text).toBe('{"code":0}');
    await end;
    expect(await node.get<unknown>("/sessions/kept")).toEqual([expect.objectContaining({ client_id: "kept", connected: false })]);
  });

  test("kick many", async () => {
    const one = closed(await node.mqtt("many1"));
    const two = closed(await node.mqtt("many2"));
    const result = await node.data("DELETE", "/connections", { body: { client_ids: ["many1", "nobody", "many2"] } });
    expect(result).toEqual({ kicked: ["many1", "many2"], not_found: ["nobody"] });
    await Promise.all([one, two]);
  });

  test("kick by an odd id", async () => {
    expect((await node.ask("DELETE", `/connections/${odd}`)).text).toBe('{"code":0}');
    expect(await node.get<unknown>(`/connections/${odd}`)).toEqual([]);
  });

  test("the session of an absent client is forgotten", async () => {
    expect((await node.ask("DELETE", `/nodes/${NODE}/sessions/persistent/away`)).text).toBe('{"code":0}');
    expect(await node.get<unknown>("/sessions/away")).toEqual([]);
    expect(await node.get<unknown>("/routes/away%2Fx")).toEqual([]);
  });

  test("WebSocket and TLS clients are told apart", async () => {
    const web = mqtt.connect(`ws://127.0.0.1:${node.mqttPort("mqtt:ws")}/mqtt`, { clientId: "web", reconnectPeriod: 0 });
    const tls = mqtt.connect(`mqtts://127.0.0.1:${node.mqttPort("mqtt:ssl")}`, {
      clientId: "tls",
      rejectUnauthorized: false,
      reconnectPeriod: 0,
    });
    await Promise.all(
      [web, tls].map((c) => new Promise<void>((resolve, reject) => c.once("connect", () => resolve()).once("error", reject))),
    );
    expect(await node.get<unknown>("/connections/web")).toEqual([
      expect.objectContaining({ conn_mod: "emqx_ws_connection", peercert: "undefined", listener: "mqtt:ws" }),
    ]);
    expect(await node.get<unknown>("/connections/tls")).toEqual([
      expect.objectContaining({ conn_mod: "emqx_connection", peercert: "undefined", listener: "mqtt:ssl" }),
    ]);
    await Promise.all([web.endAsync(), tls.endAsync()]);
  });
});
