/** While nothing can be stored, no answer says that something was. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../support/until.ts";
import { type Ask, TestNode } from "./support/node.ts";

let node: TestNode;
beforeAll(async () => {
  node = await TestNode.start();
  await node.ask("PUT", "/plugins/emqx_auth_username/load");
});
afterAll(() => node.stop());

/** From now on; the next request that changes something is the first to find out. */
async function fails(): Promise<void> {
  const { broker, store } = node.node;
  await until(() => !store.pending && !broker.durability.failed, "all is stored");
  store.commit = () => {
    throw new Error("the disk is full");
  };
}
async function works(): Promise<void> {
  // Back to the method of the class.
  delete (node.node.store as { commit?: unknown }).commit;
  await until(() => !node.node.broker.durability.failed, "stored again");
}
afterEach(works);

const ask = async (method: string, path: string, body?: unknown, as?: Ask["as"]) => {
  const { json } = await node.ask(method, path, { ...(body === undefined ? {} : { body }), ...(as === undefined ? {} : { as }) });
  return [json?.code, json?.message ?? ""] as const;
};
const REFUSED = /^storage_failed: nothing was changed, because it could not be kept; the alarm storage_failed says why/;
const TOLD = /^storage_failed: changed in memory only, and lost if the node ends before data can be stored again/;
const PUBLISHED = /^storage_failed: published, but kept in memory only/;
const PUBLISH = /^storage_failed: not published, because it could not be kept/;

const CHANGES: [method: string, path: string, body: unknown, as?: Ask["as"]][] = [
  ["POST", "/apps", { app_id: "kept", name: "n" }],
  ["PUT", "/apps/there", { name: "other" }],
  ["POST", "/users", { username: "kept", password: "secret-1", tags: "" }, "user"],
  ["PUT", "/users/admin", { tags: "other" }, "user"],
  ["POST", "/auth_username", { username: "kept", password: "p" }],
  ["PUT", "/plugins/emqx_auth_clientid/load", undefined],
  ["POST", "/mqtt/subscribe", { client_id: "away", topic: "kept", qos: 1 }],
];
const SHOWN: [path: string, what: string, as?: Ask["as"]][] = [
  ["/apps", "kept"],
  ["/users", "kept", "user"],
  ["/auth_username", "kept"],
  ["/subscriptions/away", "kept"],
];

describe("a change that cannot be kept", () => {
  test("is told with the request that finds out, and refused from then on", async () => {
    expect(await ask("POST", "/apps", { app_id: "there", name: "n" })).toEqual([0, ""]);
    await (await node.mqtt("away", { clean: false })).endAsync();
    await fails();
    const [code, message] = await ask("POST", "/banned", { who: "first", as: "client_id" });
    expect(code).toBe(102);
    expect(message).toMatch(TOLD);
    for (const [method, path, body, as] of CHANGES) {
      const [code, message] = await ask(method, path, body, as);
      expect([method, path, code]).toEqual([method, path, 102]);
      expect(message).toMatch(REFUSED);
    }
    for (const [path, what, as = "app"] of SHOWN) expect((await node.ask("GET", path, { as })).text).not.toContain(`"${what}"`);
    await works();
    for (const [method, path, body, as] of CHANGES) expect([path, ...(await ask(method, path, body, as))]).toEqual([path, 0, ""]);
    for (const [path, what, as = "app"] of SHOWN) expect((await node.ask("GET", path, { as })).text).toContain(`"${what}"`);
    // The one that was only in memory has been stored as well.
    expect((await node.ask("GET", "/banned")).text).toContain('"first"');
  });

  test("is made all the same, and told, where it may help: what is deleted, and settings", async () => {
    expect(await ask("POST", "/mqtt/publish", { topic: "r/1", payload: "x", retain: true })).toEqual([0, ""]);
    expect(await ask("POST", "/banned", { who: "gone", as: "client_id" })).toEqual([0, ""]);
    await (await node.mqtt("left", { clean: false })).endAsync();
    const present = await node.mqtt("present", { clean: false });
    await present.subscribeAsync("p", { qos: 1 });
    await fails();
    expect((await ask("DELETE", "/retained", { _filter: "r/#" }))[1]).toMatch(TOLD);
    expect((await ask("DELETE", "/banned/gone?as=client_id"))[1]).toMatch(TOLD);
    for (const [method, path, body] of [
      ["POST", "/banned", { who: "at-once", as: "client_id" }],
      ["DELETE", "/sessions/persistent/left", undefined],
      ["DELETE", "/alarms/history", undefined],
      ["PUT", "/plugins/emqx_auth_username/reload", undefined],
      ["PUT", "/configs/emqx_retainer", { key: "retainer.max_retained_messages", value: "1000" }],
      ["POST", "/mqtt/unsubscribe", { client_id: "present", topic: "p" }],
    ] as const) {
      const [code, message] = await ask(method, path, body);
      expect([path, code]).toEqual([path, 102]);
      expect(message).toMatch(TOLD);
    }
    await expect(node.mqtt("at-once")).rejects.toThrow();
    // A session that ends with its connection is kept nowhere: nothing is amiss with its subscriptions.
    await node.mqtt("passing");
    expect(await ask("POST", "/mqtt/subscribe", { client_id: "passing", topic: "p" })).toEqual([0, ""]);
    expect(await ask("POST", "/mqtt/unsubscribe", { client_id: "passing", topic: "p" })).toEqual([0, ""]);
    expect((await node.ask("GET", "/retained")).text).not.toContain("r/1");
    expect((await node.ask("GET", "/banned")).text).not.toContain('"gone"');
    expect((await ask("PUT", "/settings", { "zone.external.max_inflight": "7" }))[1]).toMatch(TOLD);
    expect(node.node.broker.zone("external").maxInflight).toBe(7);
  });

  test("is made and answered when memory will do (storage.on_error = accept)", async () => {
    await fails();
    expect((await ask("PUT", "/settings", { "storage.on_error": "accept" }))[0]).toBe(0);
    expect(await ask("POST", "/banned", { who: "accepted", as: "client_id" })).toEqual([0, ""]);
    // As much as may waits: what would help then is not what is set already.
    expect((await ask("PUT", "/settings", { "storage.pending_limit": "1KB" }))[0]).toBe(0);
    for (let i = 0; i < 50; i++) await ask("POST", "/banned", { who: `many-${i}`, as: "client_id", reason: "r".repeat(100) });
    const [code, message] = await ask("POST", "/apps", { app_id: "full", name: "n" });
    expect([code, message]).toEqual([
      102,
      "storage_failed: nothing was changed, because it could not be kept; the alarm storage_failed says why, as much waits in memory as storage.pending_limit allows",
    ]);
    expect((await ask("PUT", "/settings", { "storage.on_error": "refuse" }))[1]).toMatch(TOLD);
    await works();
    expect(await ask("PUT", "/settings", { "storage.pending_limit": null })).toEqual([0, ""]);
    expect(await ask("PUT", "/settings", { "storage.on_error": null })).toEqual([0, ""]);
  });
});

test("the request that finds out says what it made: a generated secret is told nowhere else", async () => {
  await fails();
  const { json } = await node.ask("POST", "/apps", { body: { app_id: "finder", name: "n" } });
  expect(json?.code).toBe(102);
  expect(json?.message).toMatch(TOLD);
  const { secret } = (json?.data ?? {}) as { secret?: string };
  expect((await node.get<{ secret: string }>("/apps/finder")).secret).toBe(secret ?? "none was told");
});

test("a change is refused when what others changed before it, in the same turn, cannot be kept", async () => {
  await fails();
  node.node.store.kv("test").set("touched", "");
  const [code, message] = await ask("POST", "/apps", { app_id: "behind", name: "n" });
  expect([code, message]).toEqual([102, expect.stringMatching(REFUSED)]);
  expect(await node.get("/apps/behind")).toEqual([]);
});

test("a message that had to be kept, and with which it is found out, is not answered with success", async () => {
  const sleeper = await node.mqtt("sleeper", { clean: false });
  await sleeper.subscribeAsync("s/#", { qos: 1 });
  await sleeper.endAsync();
  await until(() => node.node.broker.sessions.get("sleeper")?.channel === null, "it is away");
  await fails();
  const [code, message] = await ask("POST", "/mqtt/publish", { topic: "s/1", payload: "x", qos: 1 });
  expect([code, message]).toEqual([102, expect.stringMatching(PUBLISHED)]);
  await works();
  await fails();
  const batch = await node.ask("POST", "/mqtt/publish_batch", {
    body: [{ topic: "s/1", qos: 1 }, { topic: "s/1" }, { topic: "other", qos: 1 }],
  });
  const results = batch.json?.data as { code: number; message?: string }[];
  expect(results.map((r) => r.code)).toEqual([102, 0, 0]);
  expect(results[0]?.message).toMatch(PUBLISHED);
});

test("a retained or delayed message for which there is no memory is not answered with success", async () => {
  const { memory } = node.node.broker;
  // The node measures again every second.
  Object.defineProperty(memory, "short", { get: () => true, set: () => {}, configurable: true });
  try {
    expect(await ask("POST", "/mqtt/publish", { topic: "m/1", payload: "x", retain: true })).toEqual([
      102,
      "memory: delivered, but not retained: the node has no memory to spare",
    ]);
    expect((await ask("POST", "/mqtt/publish", { topic: "m/1,m/2", payload: "x", retain: true }))[1]).toContain("2 of 2 were not retained");
    expect(await ask("POST", "/mqtt/publish", { topic: "m/1", payload: "x" })).toEqual([0, ""]);
    await node.ask("PUT", "/plugins/emqx_delayed_publish/load");
    expect(await ask("POST", "/mqtt/publish", { topic: "$delayed/9/m", payload: "x" })).toEqual([
      102,
      "delayed: not taken: no more delayed messages can be kept now",
    ]);
    for (const topic of [
      "$delayed/x/m",
      "$delayed/9",
      "$delayed/9/$delayed/9/m",
      `$delayed/${Math.round(Date.now() / 1000) + 60 * 86_400}/m`,
    ])
      expect([topic, ...(await ask("POST", "/mqtt/publish", { topic, payload: "x" }))]).toEqual([
        topic,
        115,
        "delayed: not taken: expected $delayed/<seconds>/<topic>, at most 49 days ahead",
      ]);
    expect(await ask("POST", "/mqtt/publish", { topic: "$delayed/x/m,m/1", payload: "x" })).toEqual([
      115,
      expect.stringContaining("1 of 2 were"),
    ]);
    await node.ask("PUT", "/plugins/emqx_delayed_publish/unload");
  } finally {
    Object.defineProperty(memory, "short", { value: false, configurable: true, writable: true });
  }
});

test("a message that somebody's session would have to keep is refused, others are published", async () => {
  const keeper = await node.mqtt("keeper", { clean: false });
  await keeper.subscribeAsync("k/1", { qos: 1 });
  await keeper.subscribeAsync("k/0", { qos: 0 });
  const got: string[] = [];
  keeper.on("message", (topic) => void got.push(topic));
  await fails();
  expect((await ask("POST", "/banned", { who: "second", as: "client_id" }))[0]).toBe(102);
  for (const body of [
    { topic: "k/1", payload: "x", qos: 1 },
    { topic: "r", payload: "x", retain: true },
    { topics: "k/0,k/1", payload: "x", qos: 1 },
  ]) {
    const [code, message] = await ask("POST", "/mqtt/publish", body);
    expect(code).toBe(102);
    expect(message).toMatch(PUBLISH);
  }
  const batch = await node.ask("POST", "/mqtt/publish_batch", { body: [{ topic: "k/1", qos: 1 }, { topic: "k/0" }] });
  expect(((batch.json?.data ?? []) as { code: number }[]).map((x) => x.code)).toEqual([102, 0]);
  expect(await ask("POST", "/mqtt/publish", { topic: "k/0", payload: "x", qos: 1 })).toEqual([0, ""]);
  // QoS 0 is kept by nobody.
  expect(await ask("POST", "/mqtt/publish", { topic: "k/1", payload: "x" })).toEqual([0, ""]);
  // Unless its session raises it to its own.
  await ask("PUT", "/settings", { "zone.external.upgrade_qos": "on" });
  expect((await ask("POST", "/mqtt/publish", { topic: "k/1", payload: "x" }))[1]).toMatch(PUBLISH);
  expect(await ask("POST", "/mqtt/publish", { topic: "nobody", payload: "x" })).toEqual([0, ""]);
  await ask("PUT", "/settings", { "zone.external.upgrade_qos": null });
  await until(() => got.length === 3, "all three");
  expect(got).toEqual(["k/0", "k/0", "k/1"]);
});
