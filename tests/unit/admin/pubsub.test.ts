import { describe, expect, test } from "bun:test";
import type { Admin } from "../../../server/admin/index.ts";
import type { PubSubParams } from "../../../server/admin/pubsub.ts";
import type { RetainerService } from "../../../server/plugins/plugin.ts";
import { everyTurn } from "../../support/turns.ts";
import { until } from "../../support/until.ts";
import { administer } from "./harness.ts";

const LONG = "t".repeat(4097);

describe("publish", () => {
  test("to each name of a list; the number of receivers", async () => {
    const { admin, kit } = await administer();
    const a = kit.connected("a", 5);
    const b = kit.connected("b", 5);
    a.subscribe("x/#", 1);
    b.subscribe("x/1");
    for (const c of [a, b]) c.take();
    expect(await admin.pubsub.publish({ topic: "x/1,x/2,y", payload: "p", qos: 1 })).toBe(3);
    kit.settle();
    expect(a.messages().map((m) => [m.topic, m.payload, m.qos])).toEqual([
      ["x/1", "p", 1],
      ["x/2", "p", 1],
    ]);
    expect(b.messages().map((m) => [m.topic, m.qos])).toEqual([["x/1", 0]]);
  });

  test("under $SYS: sent to whom it is sent, in no sum, received and dropped by nobody, as EMQ X 3.1 counts it", async () => {
    const { admin, kit } = await administer();
    const reader = kit.connected("reader", 5);
    reader.subscribe("$SYS/mine/#", 1);
    reader.take();
    const names = ["packets/publish/sent", "messages/sent", "messages/qos1/sent", "packets/sent", "messages/received", "messages/dropped"];
    const counted = (): number[] => names.map((name) => kit.metrics.get(name) ?? -1);
    const before = counted();
    for (const client_id of [undefined, "joe"]) {
      expect(
        await admin.pubsub.publish({ topic: "$SYS/mine/1", payload: "p", qos: 1, ...(client_id !== undefined && { client_id }) }),
      ).toBe(1);
      expect(await admin.pubsub.publish({ topic: "$SYS/nobody", payload: "p" })).toBe(0);
    }
    kit.settle();
    expect(reader.messages().map((m) => [m.topic, m.qos])).toEqual([
      ["$SYS/mine/1", 1],
      ["$SYS/mine/1", 1],
    ]);
    expect([counted(), kit.metrics.get("packets/publish/sys_sent")]).toEqual([before, 2]);
    expect(before).not.toContain(-1);
  });

  test("retained under $SYS without a sender: kept as any other, also over a crash", async () => {
    const { admin, store } = await administer();
    expect(await admin.pubsub.publish({ topic: "$SYS/mine", payload: "p", retain: true })).toBe(0);
    const stored = [...store.crash().retained.load()];
    expect(stored.map(({ message: m }) => [m.topic, Buffer.from(m.payload).toString(), m.from])).toEqual([["$SYS/mine", "p", ""]]);
  });

  test("topic goes before topics; names with wildcards are left out while one is left", async () => {
    const { admin, kit } = await administer();
    const all = kit.connected("all", 5);
    all.subscribe("#");
    all.take();
    await admin.pubsub.publish({ topic: "a", topics: "b" });
    await admin.pubsub.publish({ topics: "c" });
    await admin.pubsub.publish({ topic: "d,e/+,e/#" });
    kit.settle();
    expect(all.messages().map((m) => m.topic)).toEqual(["a", "c", "d"]);
  });

  test.each([
    {},
    { topic: "" },
    { topic: "a," },
    { topic: ",a" },
    { topic: 5 },
    { topic: null, topics: "b" },
    { topic: "a/+" },
    { topic: "a/#/b" },
    { topic: "a,b#" },
    { topic: LONG },
    { topic: "é".repeat(2049) },
    { topic: "a\u0000" },
  ])("%j: bad_topic", async (params) => {
    const { admin } = await administer();
    await expect(async () => admin.pubsub.publish(params as PubSubParams)).toThrow(
      expect.objectContaining({ code: 115, message: "bad_topic" }),
    );
  });

  test("the longest topic is 4096 bytes", async () => {
    const { admin } = await administer();
    for (const topic of [LONG.slice(1), "é".repeat(2048)]) expect(await admin.pubsub.publish({ topic })).toBe(0);
  });

  test("payloads: text, JSON as its text, base64; nothing at all", async () => {
    const { admin, kit } = await administer();
    const client = kit.connected("c", 5);
    client.subscribe("t");
    client.take();
    for (const payload of ["é", 5, true, [1, "a"], { a: 1 }, undefined]) await admin.pubsub.publish({ topic: "t", payload });
    await admin.pubsub.publish({ topic: "t", payload: "aGk=", encoding: "base64" });
    kit.settle();
    expect(client.messages().map((m) => m.payload)).toEqual(["é", "5", "true", '[1,"a"]', '{"a":1}', "", "hi"]);
    for (const [params, message] of [
      [{ payload: null }, "value of 'payload' must be a string"],
      [{ payload: "é", encoding: "base64" }, "value of 'payload' must be base64"],
      [{ encoding: "hex" }, "value of 'encoding' must be one of: ['plain', 'base64']"],
      [{ qos: 3 }, "value of 'qos' must be one of: [0, 1, 2]"],
      [{ qos: "1" }, "value of 'qos' must be one of: [0, 1, 2]"],
    ] as const)
      await expect(async () => admin.pubsub.publish({ topic: "t", ...params })).toThrow(expect.objectContaining({ code: 108, message }));
  });

  test("retained only when true; expiry counts from now; the sender is named", async () => {
    const { admin, kit } = await administer();
    for (const [topic, retain] of [
      ["no/1", 1],
      ["no/2", "true"],
      ["no/3", undefined],
      ["yes", true],
    ] as const)
      await admin.pubsub.publish({ topic, retain, payload: "x", client_id: topic === "yes" ? "me" : 5, properties: { message_expiry: 7 } });
    const { rows } = await admin.retained.list({});
    expect(rows.map((r) => [r.topic, r.from, r.expires_at_ms])).toEqual([["yes", "me", kit.clock.time + 7000]]);
  });
});

describe("subscribe and unsubscribe on behalf of a session", () => {
  test("filters of a list, at one QoS, also while the client is away", async () => {
    const { admin, kit } = await administer();
    kit.connected("c", 4, { clean: false }).send({ cmd: "disconnect" });
    await admin.pubsub.subscribe({ client_id: "c", topic: "a,$share/g/b,c/#", qos: 2 });
    expect((await admin.subscriptions.lookup("c")).map((s) => [s.topic, s.share, s.qos, s.nl, s.rap, s.rh, s.sub_id])).toEqual([
      ["a", "undefined", 2, false, false, 0, 0],
      ["b", "g", 2, false, false, 0, 0],
      ["c/#", "undefined", 2, false, false, 0, 0],
    ]);
    admin.pubsub.unsubscribe({ client_id: "c", topic: "a" });
    // Not subscribed to: fine.
    admin.pubsub.unsubscribe({ client_id: "c", topic: "nope" });
    expect((await admin.subscriptions.lookup("c")).map((s) => s.topic)).toEqual(["b", "c/#"]);
  });

  test("a shared subscription is found by its bare filter, in every group", async () => {
    const { admin, kit } = await administer();
    kit.connected("c");
    await admin.pubsub.subscribe({ client_id: "c", topic: "$share/g/t,$share/h/t,$queue/t,$share/g/other" });
    admin.pubsub.unsubscribe({ client_id: "c", topic: "t" });
    expect((await admin.subscriptions.lookup("c")).map((s) => s.topic)).toEqual(["other"]);
    await admin.pubsub.subscribe({ client_id: "c", topic: "t,$share/g/t" });
    admin.pubsub.unsubscribe({ client_id: "c", topic: "t" });
    // The plain one goes first.
    expect((await admin.subscriptions.lookup("c")).map((s) => [s.topic, s.share])).toEqual([
      ["other", "g"],
      ["t", "g"],
    ]);
    admin.pubsub.unsubscribe({ client_id: "c", topic: "$share/g/t" });
    expect((await admin.subscriptions.lookup("c")).map((s) => s.topic)).toEqual(["other"]);
  });

  test("refusals: the topic is looked at first, then the QoS, then the client", async () => {
    const { admin, kit } = await administer();
    kit.connected("c");
    for (const [params, code] of [
      [{ client_id: "nobody", topic: "a#", qos: 9 }, 115],
      [{ client_id: "nobody", topic: "a", qos: 9 }, 108],
      [{ client_id: "nobody", topic: "a" }, 112],
      [{ topic: "a" }, 112],
      [{ client_id: 5, topic: "a" }, 112],
      [{ client_id: "c", topic: "" }, 115],
      [{ client_id: "c", topic: "a,$share/+/t" }, 115],
    ] as const)
      await expect(async () => admin.pubsub.subscribe(params)).toThrow(expect.objectContaining({ code }));
    for (const [params, code] of [
      [{ client_id: "nobody", topic: "a#" }, 115],
      [{ client_id: "nobody", topic: "a" }, 112],
      [{ client_id: "c" }, 115],
      [{ client_id: "c", topic: 5 }, 115],
    ] as const)
      expect(() => admin.pubsub.unsubscribe(params)).toThrow(expect.objectContaining({ code }));
    expect(await admin.subscriptions.lookup("c")).toEqual([]);
  });

  test("batches: each element has its own answer; a fault of ours is none", async () => {
    const { admin, kit } = await administer();
    kit.connected("c");
    expect(await admin.pubsub.publishBatch([{ topic: "a" }, { topic: "a#" }, {}])).toEqual([
      { code: 0, topic: "a" },
      { code: 115, message: "bad_topic", topic: "a#" },
      { code: 115, message: "bad_topic" },
    ]);
    expect(
      await admin.pubsub.subscribeBatch([
        { client_id: "c", topic: "a" },
        { client_id: "no", topic: "a" },
      ]),
    ).toEqual([
      { code: 0, client_id: "c", topic: "a" },
      { code: 112, message: "session_not_found", client_id: "no", topic: "a" },
    ]);
    expect(await admin.pubsub.unsubscribeBatch([{ client_id: "c", topic: "a" }])).toEqual([{ code: 0, client_id: "c", topic: "a" }]);
    kit.broker.publish = () => {
      throw new RangeError("bug");
    };
    await expect(async () => admin.pubsub.publishBatch([{ topic: "a" }])).toThrow(RangeError);
  });
});

describe("what one request may name", () => {
  const names = (n: number): string => Array.from({ length: n }, (_, i) => `t${i}`).join(",");
  const refusal = async (command: () => Promise<unknown>): Promise<string> =>
    command().then(
      () => "",
      (err: { code: number; message: string }) => `${err.code} ${err.message}`,
    );

  test("10,000 topics in a list, elements in a batch, and topics in all its elements", async () => {
    const { admin, kit } = await administer();
    kit.connected("c");
    const { pubsub } = admin;
    expect(await pubsub.publish({ topics: names(10_000) })).toBe(0);
    const many = "value of 'topics' must be a list of no more than 10000 topics";
    expect(await refusal(() => pubsub.publish({ topics: names(10_001) }))).toBe(`108 ${many}`);
    expect(await refusal(() => pubsub.subscribe({ client_id: "c", topic: names(10_001) }))).toBe(`108 ${many.replace("topics", "topic")}`);
    const items = (n: number, topic: string) => Array.from({ length: n }, () => ({ client_id: "c", topic }));
    const long = "108 a batch has no more than 10000 elements";
    for (const command of [pubsub.publishBatch, pubsub.subscribeBatch, pubsub.unsubscribeBatch]) {
      expect(await refusal(() => command(items(10_000, "a")))).toBe("");
      expect(await refusal(() => command(items(10_001, "a")))).toBe(long);
    }
    const wide = "108 a batch names no more than 10000 topics in all its elements";
    for (const command of [pubsub.publishBatch, pubsub.subscribeBatch]) expect(await refusal(() => command(items(5001, "a,b")))).toBe(wide);
    expect(await admin.subscriptions.lookup("c")).toEqual([]);
  });

  test("a list that is too long is refused before it is made", async () => {
    const { admin } = await administer();
    const endless = "a,".repeat(4_000_000);
    const began = performance.now();
    for (let i = 0; i < 20; i++) await refusal(() => admin.pubsub.publish({ topics: endless }));
    expect(performance.now() - began).toBeLessThan(1000);
  });

  test("long ones leave others their turn", async () => {
    const { admin, kit } = await administer();
    kit.connected("c");
    let ticks = 0;
    // Each look at the clock is a millisecond later.
    kit.clock.mono = () => ++ticks as never;
    let turns = 0;
    const stop = everyTurn(() => void turns++);
    try {
      for (const command of [
        () => admin.pubsub.publish({ topics: names(1000) }),
        () => admin.pubsub.subscribe({ client_id: "c", topics: names(1000) }),
        () => admin.pubsub.unsubscribeBatch(Array.from({ length: 1000 }, (_, i) => ({ client_id: "c", topic: `t${i}` }))),
        () => admin.connections.kickAll(Array.from({ length: 1000 }, (_, i) => `nobody-${i}`)),
      ]) {
        turns = 0;
        await command();
        expect(turns).toBeGreaterThan(3);
      }
    } finally {
      stop();
    }
    expect(await admin.subscriptions.lookup("c")).toEqual([]);
  });
});

test("what a command changes of a session that is kept, and the disk does not take, is told", async () => {
  const commands: ((a: Admin) => unknown)[] = [
    (a) => a.pubsub.subscribe({ client_id: "c", topic: "new", qos: 1 }),
    async (a) => a.pubsub.unsubscribe({ client_id: "c", topic: "old" }),
    (a) => a.pubsub.publish({ topic: "old", payload: "x", qos: 1 }),
  ];
  for (const command of commands) {
    const { admin, kit, store, settled } = await administer();
    const client = kit.connected("c", 5, { clean: false, properties: { sessionExpiryInterval: 100 } });
    client.subscribe("old", 1);
    kit.broker.flush();
    expect(settled()).toBe(true);
    store.failure = new Error("no");
    expect(await Promise.resolve(command(admin)).catch((err) => err)).toMatchObject({
      code: 102,
      message: expect.stringContaining("in memory only"),
    });
  }
});

describe("listening", () => {
  test("retained messages first, then those that come; until it is stopped", async () => {
    const { admin, kit } = await administer();
    await admin.pubsub.publish({
      topic: "l/1",
      payload: "old",
      retain: true,
      qos: 1,
      client_id: "me",
      properties: { content_type: "text" },
    });
    const seen: object[] = [];
    const told: unknown[] = [];
    const stop = admin.pubsub.listen({ topic: "l/#,$share/g/l/#", qos: 1 }, "auto", {
      subscribed: (...what) => told.push(what),
      message: (m) => seen.push(m),
    });
    expect(told).toEqual([[["l/#", "$share/g/l/#"], 1]]);
    const old = { topic: "l/1", payload: "old", encoding: "plain", qos: 1, retain: true, ts: kit.clock.time, from: "me" };
    // Shared subscriptions get no retained messages [MQTT-4.8.2-7]: once, not twice.
    expect(seen).toEqual([{ ...old, properties: { content_type: "text" } }]);
    await admin.pubsub.publish({ topic: "l/2", payload: "new", retain: true });
    kit.settle();
    // Retain as published.
    expect(seen.slice(1).map((m) => (m as { retain: boolean }).retain)).toEqual([true, true]);
    expect(seen.slice(1).map((m) => (m as { topic: string }).topic)).toEqual(["l/2", "l/2"]);
    expect(seen[1]).not.toHaveProperty("properties");
    stop();
    await admin.pubsub.publish({ topic: "l/3", payload: "late" });
    kit.settle();
    expect(seen).toHaveLength(3);
  });

  test("a thousand times the same filter over many retained messages: once, and as many as a stream begins with", async () => {
    const { admin, kit, manager } = await administer();
    const from = kit.connected("from", 5);
    for (let i = 0; i < 2000; i++) from.publish(`l/${i}`, "x", 0, { retain: true });
    const retained = manager.service("emqx_retainer") as RetainerService;
    const messages = retained.messages.bind(retained);
    let taken = 0;
    retained.messages = function* (filter, until) {
      for (const m of messages(filter, until)) {
        taken++;
        yield m;
      }
    };
    const seen: string[] = [];
    const told: unknown[] = [];
    const stop = admin.pubsub.listen({ topic: Array(1000).fill("#").join(",") }, "auto", {
      subscribed: (topics) => told.push(topics),
      message: (m) => seen.push(m.topic),
    });
    await until(() => seen.length === 1000);
    expect(told).toEqual([["#"]]);
    expect(seen).toEqual(Array.from({ length: 1000 }, (_, i) => `l/${i}`));
    expect(taken).toBeLessThan(1100);
    stop();
  });

  /** Thousands of retained messages, and each look at the clock is a millisecond later. */
  const many = async () => {
    const it = await administer();
    const from = it.kit.connected("from", 5);
    for (let i = 0; i < 900; i++) from.publish(`l/${i}`, "old", 0, { retain: true });
    let ticks = 0;
    it.kit.clock.mono = () => ++ticks as never;
    const seen: string[] = [];
    const told: number[] = [];
    const listen = (topic: string) =>
      it.admin.pubsub.listen({ topic }, "auto", {
        subscribed: (topics) => told.push(topics.length),
        message: (m) => seen.push(`${m.topic} ${m.payload}`),
      });
    return { ...it, from, seen, told, listen };
  };

  test("what is retained comes a part at a time; what is replaced or new meanwhile comes once, as it is live", async () => {
    const { from, seen, listen, kit } = await many();
    const stop = listen("l/+");
    expect(seen.length).toBeLessThan(5);
    from.publish("l/500", "new", 0, { retain: true });
    from.publish("l/new", "new", 0, { retain: true });
    from.publish("l/501", "", 0, { retain: true });
    kit.settle();
    await until(() => seen.some((m) => m === "l/899 old"));
    expect(seen.filter((m) => /^l.(500|501|new) /.test(m)).sort()).toEqual(["l/500 new", "l/501 ", "l/new new"]);
    expect(seen).toHaveLength(899 + 2);
    stop();
  });

  test("many filters that select nothing take turns too", async () => {
    const { seen, listen } = await many();
    let turns = 0;
    const unwatch = everyTurn(() => turns++);
    const stop = listen([...Array.from({ length: 500 }, (_, i) => `+/nothing/${i}`), "l/7"].join(","));
    await until(() => seen.length > 0);
    unwatch();
    expect(seen).toEqual(["l/7 old"]);
    expect(turns).toBeGreaterThan(100);
    stop();
  });

  const thousand = Array.from({ length: 1000 }, (_, i) => `m/${i}`).join(",");

  test("a thousand filters are subscribed to in turns; of what is retained meanwhile each comes once; it is told when all are", async () => {
    const { from, seen, told, listen, kit } = await many();
    const { router } = kit.broker;
    let turns = 0;
    const unwatch = everyTurn(() => turns++);
    const stop = listen(thousand);
    expect([told, router.hasFilter("m/0"), router.hasFilter("m/999")]).toEqual([[], true, false]);
    // To the one it is subscribed already, not yet to the other.
    for (const topic of ["m/0", "m/999"]) from.publish(topic, "kept", 0, { retain: true });
    kit.settle();
    expect(seen).toEqual(["m/0 kept"]);
    await until(() => told.length > 0);
    unwatch();
    expect([told, router.hasFilter("m/999"), turns > 100]).toEqual([[1000], true, true]);
    await until(() => seen.includes("m/999 kept"));
    expect(seen).toEqual(["m/0 kept", "m/999 kept"]);
    stop();
  });

  test("one that ends before it is subscribed to all leaves nothing behind", async () => {
    const { told, listen, kit } = await many();
    const stop = listen(thousand);
    stop();
    for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done));
    expect([told, [...kit.broker.router.topics()].filter((filter) => filter.startsWith("m/"))]).toEqual([[], []]);
  });

  for (const [name, end] of [
    ["the stream is stopped", ({ stop }: { stop(): void }) => stop()],
    ["the retainer is unloaded", ({ manager }: { manager: { unload(name: string): Promise<unknown> } }) => manager.unload("emqx_retainer")],
  ] as const) {
    test(`nothing more of what was retained when ${name}`, async () => {
      const { seen, listen, manager } = await many();
      const stop = listen("l/+");
      await end({ stop, manager });
      const before = seen.length;
      for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done));
      expect([seen.length - before, before < 100]).toEqual([0, true]);
      stop();
    });
  }

  test("a bad filter, a bad QoS, no topic", async () => {
    const { admin } = await administer();
    for (const [params, code] of [
      [{ topic: "a#" }, 115],
      [{}, 115],
      [{ topic: "a", qos: 3 }, 108],
    ] as const)
      expect(() => admin.pubsub.listen(params, "auto", { subscribed() {}, message() {} })).toThrow(expect.objectContaining({ code }));
  });
});
