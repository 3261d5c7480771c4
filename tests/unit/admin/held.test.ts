/** Messages the broker holds: retained, delayed. */
import { expect, test } from "bun:test";
import { everyTurn } from "../../support/turns.ts";
import { administer } from "./harness.ts";

test("a delayed message: its row, sent before its time, taken back", async () => {
  const { admin, kit } = await administer();
  const client = kit.connected("c", 5);
  client.subscribe("t/#");
  client.take();
  await admin.pubsub.publish({ topic: "$delayed/60/t/1", payload: "four", qos: 1, retain: true, client_id: "me" });
  kit.connected("them", 5).publish("$delayed/90/t/2", "xy");
  const now = kit.clock.time;
  expect(await admin.delayed.list({})).toEqual({
    rows: [
      { id: 1, topic: "t/1", qos: 1, retain: true, from: "me", payload_size: 4, due_at_ms: now + 60_000 },
      { id: 2, topic: "t/2", qos: 0, retain: false, from: "them", payload_size: 2, due_at_ms: now + 90_000 },
    ],
    meta: { page: 1, limit: 10_000, count: 2 },
  });
  for (const id of ["3", "x", "", "1x", "-1", "1.0"]) {
    expect(() => admin.delayed.send(id)).toThrow("not_found");
    expect(() => admin.delayed.remove(id)).toThrow("not_found");
  }
  admin.delayed.send("1");
  admin.delayed.remove("2");
  kit.settle();
  expect(client.messages().map((m) => m.topic)).toEqual(["t/1"]);
  expect((await admin.delayed.list({})).rows).toEqual([]);
  expect(() => admin.delayed.send("1")).toThrow("not_found");
});

test("retained messages: sizes, expiry, one with its payload", async () => {
  const { admin, kit } = await administer();
  const properties = { message_expiry: 10, content_type: "text/plain" };
  await admin.pubsub.publish({ topic: "r/1", payload: "héllo", retain: true, client_id: "me", properties });
  await admin.pubsub.publish({ topic: "r/2", payload: "/w==", encoding: "base64", retain: true, qos: 2 });
  const row = { topic: "r/1", qos: 0, payload_size: 6, from: "me", ts_ms: kit.clock.time, expires_at_ms: kit.clock.time + 10_000 };
  const { rows } = await admin.retained.list({ _filter: "r/#" });
  expect(rows).toEqual([row, { topic: "r/2", qos: 2, payload_size: 1, from: "", ts_ms: kit.clock.time, expires_at_ms: 0 }] as never);
  expect(admin.retained.lookup("r/1", "auto")).toEqual({ ...row, payload: "héllo", encoding: "plain", properties } as never);
  expect(admin.retained.lookup("r/2", "auto")).toMatchObject({ payload: "/w==", encoding: "base64" });
  expect(admin.retained.lookup("r/2", "auto")).not.toHaveProperty("properties");
  expect(() => admin.retained.lookup("r/3", "auto")).toThrow("not_found");
  expect(() => admin.retained.remove("r/3")).toThrow("not_found");
  await expect(async () => admin.retained.removeMatching("a#")).toThrow("bad_topic");
  await expect(async () => admin.retained.list({ _filter: "a#" })).toThrow("bad_topic");
  expect(await admin.retained.removeMatching("r/+")).toBe(2);
});

for (const [name, n] of [
  ["few", 2000],
  ["more than are looked for level by level", 12_000],
] as const) {
  test(`retained messages are deleted in slices, ${name}: what comes meanwhile stays`, async () => {
    const { admin, kit } = await administer();
    const from = kit.connected("from", 5);
    const retain = (topic: string, payload: string) => from.publish(topic, payload, 0, { retain: true });
    for (let i = 0; i < n; i++) retain(`d/${i}`, "old");
    retain("other", "x");
    let ticks = 0;
    // Each look at the clock is a millisecond later.
    kit.clock.mono = () => ++ticks as never;
    let turns = 0;
    const stop = everyTurn(() => {
      turns++;
      // The last one is not deleted yet; a new one goes to the end of the order, and so would never be reached the last.
      retain(`d/${n - 1}`, "new");
      retain(`d/new-${turns}`, "new");
    });
    const deleted = await admin.retained.removeMatching("d/#");
    stop();
    expect(turns).toBeGreaterThan(3);
    expect(deleted).toBe(n - 1);
    expect((await admin.retained.list({ _filter: "d/#" })).meta.count).toBe(turns + 1);
    expect(admin.retained.lookup("other", "auto").payload).toBe("x");
  });
}

test("a deletion ends with the plugin: what its successor has read is not touched", async () => {
  const { admin, kit, manager } = await administer();
  const from = kit.connected("from", 5);
  for (let i = 0; i < 12_000; i++) from.publish(`d/${i}`, "old", 0, { retain: true });
  let ticks = 0;
  kit.clock.mono = () => ++ticks as never;
  const deletion = admin.retained.removeMatching("#");
  await manager.unload("emqx_retainer");
  await manager.load("emqx_retainer");
  const deleted = await deletion;
  expect(deleted).toBeLessThan(12_000);
  expect((await admin.retained.list({ _filter: "d/#" })).meta.count).toBe(12_000 - deleted);
});

test("lists of many messages are made in several turns, and are what they would be in one", async () => {
  const { admin, kit, manager } = await administer();
  const from = kit.connected("from", 5);
  for (let i = 0; i < 3000; i++) from.publish(`d/${i}`, "x".repeat(i % 7), 0, { retain: i % 7 > 0 });
  for (let i = 0; i < 3000; i++) from.publish(`$delayed/${5000 - i}/t/${i}`, "x", 0, { messageId: 1 });
  const kept = Array.from({ length: 3000 }, (_, i) => i).filter((i) => i % 7 > 0);
  // Each look at the clock is a millisecond later, so that no turn has more than two.
  let ticks = 0;
  kit.clock.mono = () => ++ticks as never;
  const made = async (make: () => Promise<{ rows: object[]; meta: object }>, wanted: (string | number)[], count: number) => {
    let turns = 0;
    const stop = everyTurn(() => turns++);
    const { rows, meta } = await make();
    stop();
    expect(rows.map((r) => ("topic" in r ? r.topic : null))).toEqual(wanted as never);
    expect(meta).toMatchObject({ count });
    expect(turns).toBeGreaterThan(8);
  };
  const n = kept.length;
  const named = (ids: number[]): string[] => ids.map((i) => `d/${i}`);
  const { retained, delayed, topics } = admin;
  await made(() => retained.list({ _filter: "d/+", _limit: "5" }), named(kept.slice(0, 5)), n);
  await made(() => retained.list({ _filter: "d/#", _page: "3", _limit: "1000" }), named(kept.slice(2000)), n);
  await made(
    () => retained.list({ _page: "2", _limit: "1000" }),
    named(kept.slice(1000, 2000)),
    manager.service("emqx_retainer")?.count ?? 0,
  );
  const largest = kept.filter((i) => i % 7 === 6);
  await made(() => retained.list({ _filter: "d/#", _sort: "-payload_size", _limit: "9" }), named(largest.slice(0, 9)), n);
  const like = kept.filter((i) => String(i).startsWith("99"));
  await made(() => retained.list({ _like_topic: "d/99" }), named(like), like.length);
  const last = Array.from({ length: 4 }, (_, i) => `t/${2999 - i}`);
  await made(() => delayed.list({ _limit: "4" }), last, 3000);
  await made(() => delayed.list({ _sort: "id", _limit: "3" }), ["t/0", "t/1", "t/2"], 3000);
  let turns = 0;
  const stop = everyTurn(() => turns++);
  expect((await topics.tree("", 100)).nodes.find((t) => t.name === "d")?.retained).toBe(n);
  stop();
  expect(turns).toBeGreaterThan(8);
});

test("a list that is made while messages come and go: those that stay are in it once", async () => {
  const { admin, kit } = await administer();
  const from = kit.connected("from", 5);
  const retain = (topic: string, payload: string) => from.publish(topic, payload, 0, { retain: true });
  for (let i = 0; i < 5000; i++) retain(`d/${i}`, "old");
  let ticks = 0;
  kit.clock.mono = () => ++ticks as never;
  let turns = 0;
  const stop = everyTurn(() => {
    turns++;
    for (let i = 0; i < 50; i++) retain(`d/${(turns * 997 + i * 100) % 4000}`, "again");
    retain(`d/new/${turns}`, "x");
    retain(`d/${4999 - turns}`, "");
  });
  const { rows, meta } = await admin.retained.list({ _filter: "d/+" });
  stop();
  const seen = rows.map((r) => r.topic);
  expect(turns).toBeGreaterThan(20);
  expect(new Set(seen).size).toBe(seen.length);
  expect(meta.count).toBe(seen.length);
  for (let i = 0; i < 4000; i++) expect(seen).toContain(`d/${i}`);
});

test("while their plugins are off: empty lists, and commands say why", async () => {
  const { admin, manager } = await administer();
  for (const name of ["emqx_retainer", "emqx_delayed_publish", "emqx_auth_username", "emqx_recon", "emqx_reloader"])
    await manager.unload(name);
  const empty = { rows: [], meta: { page: 2, limit: 5, count: 0 } };
  for (const list of [admin.retained, admin.delayed]) expect(await list.list({ _page: "2", _limit: "5" })).toEqual(empty);
  const off: readonly (readonly [plugin: string, command: () => unknown])[] = [
    ["emqx_retainer", () => admin.retained.lookup("t", "auto")],
    ["emqx_retainer", () => admin.retained.remove("t")],
    ["emqx_retainer", () => admin.retained.removeMatching("#")],
    ["emqx_delayed_publish", () => admin.delayed.send("1")],
    ["emqx_delayed_publish", () => admin.delayed.remove("1")],
    ["emqx_auth_username", () => admin.authUsername.list()],
    ["emqx_recon", () => admin.runtime.recon("memory")],
    ["emqx_reloader", () => admin.runtime.reload()],
  ];
  for (const [plugin, command] of off)
    await expect(async () => command()).toThrow(expect.objectContaining({ code: 102, message: `${plugin} is not running` }));
  expect(admin.authClientid.list()).toEqual([]);
});
