import { afterAll, describe, expect, spyOn, test } from "bun:test";
import { Message } from "../../../../server/core/message.ts";
import type { StoredMessage } from "../../../../server/core/ports.ts";
import type { Session } from "../../../../server/core/session.ts";
import { sysMessage } from "../../../../server/core/watch/sys_message.ts";
import { integer } from "../../../../server/lib/config_entry.ts";
import { definePlugin, type RetainerService } from "../../../../server/plugins/plugin.ts";
import { retainer } from "../../../../server/plugins/retainer/index.ts";
import type { MemoryStore } from "../../../support/memory_store.ts";
import { type TestClient, TestKit } from "../../../support/test_broker.ts";
import { until } from "../../../support/until.ts";
import { type Managed, manage, removeTempDirs, running, turns } from "../harness.ts";

afterAll(removeTempDirs);

interface Kept extends Managed {
  service: RetainerService;
  /** Connected publisher. */
  from: TestClient;
}
async function start(settings: Record<string, string> = {}, kit = new TestKit()): Promise<Kept> {
  const m = await running(retainer, { settings, kit });
  const service = m.manager.service("emqx_retainer") as RetainerService;
  return { ...m, service, from: m.kit.connected("publisher", 5) };
}
const retain = (c: TestClient, topic: string, payload: string | Buffer = "x", qos: 0 | 1 | 2 = 0, more: Record<string, unknown> = {}) =>
  c.publish(topic, payload, qos, { retain: true, ...more });
const stored = (kit: TestKit): StoredMessage[] => {
  kit.store.commit();
  return [...kit.store.retained.load()].map((r) => r.message);
};
const kept = (service: RetainerService, filter?: string): (string | undefined)[] => [...service.messages(filter)].map((m) => m?.topic);
/** As the broker tells of itself. */
const ownOne = (kit: TestKit, topic: string): void => {
  kit.broker.publish(sysMessage(topic, "n", kit.clock.time, 0, true));
};
/** As the API publishes for whoever names no sender. */
const fromApi = (kit: TestKit, topic: string, payload: string): Message => {
  const m = new Message(topic, Buffer.from(payload), 0, true, "", null, kit.clock.time, 0, null);
  kit.broker.publish(m);
  return m;
};
const topicsOf = (c: TestClient): string[] => c.messages().map((m) => m.topic);

describe("keeping", () => {
  test("of two rows of one topic the later is kept, and the other does not come back when that is deleted", async () => {
    const kit = new TestKit();
    const row = (payload: string, timestamp: number): StoredMessage => ({
      topic: "t", payload: Buffer.from(payload), qos: 0, retain: true, from: "", username: null, timestamp, expiresAt: 0, properties: null,
    }); // biome-ignore format: one thing
    kit.store.retained.put(1, row("later", 2));
    kit.store.retained.put(2, row("earlier", 1));
    const { service } = await start({}, kit);
    expect(stored(kit).map((m) => Buffer.from(m.payload).toString())).toEqual(["later"]);
    service.delete("t");
    expect(stored(kit)).toEqual([]);
  });

  test("an exception for one receiver ends its connection: it would miss what is left, and never know", async () => {
    const { from, kit } = await start();
    retain(from, "a");
    const [bad, good] = [kit.connected("bad"), kit.connected("good")];
    (kit.broker.sessions.get("bad") as Session).qosOf = () => {
      throw new Error("a bug");
    };
    for (const c of [bad, good]) c.subscribe("a", 1);
    await turns(kit);
    expect(topicsOf(good)).toEqual(["a"]);
    expect(kit.broker.sessions.get("bad")?.channel ?? null).toBeNull();
    expect(kit.log.errors.join()).toContain("connection failed");
  });

  test("the last retained message of a topic, with what came with it, and the publisher's chunk let go", async () => {
    const { service, from, kit } = await start();
    retain(from, "a/b", "old");
    from.publish("a/b", "not retained");
    const properties = { correlationData: Buffer.from([1, 2]), userProperties: { k: "v" }, contentType: "t" };
    retain(from, "a/b", "new", 1, { properties });
    const m = service.get("a/b") as Message;
    expect([Buffer.from(m.payload).toString(), m.qos, m.retain, m.from]).toEqual(["new", 1, true, "publisher"]);
    expect(m.properties).toEqual({ correlationData: Uint8Array.of(1, 2), userProperties: [["k", "v"]], contentType: "t" });
    expect(m.payload.buffer.byteLength).toBe(3);
    expect(service.count).toBe(1);
    expect(stored(kit).map((r) => [r.topic, Buffer.from(r.payload).toString()])).toEqual([["a/b", "new"]]);
  });

  test("an empty payload takes it away, and still reaches subscribers [MQTT-3.3.1-6]", async () => {
    const { service, from, kit } = await start();
    const live = kit.connected("live").subscribe("a");
    live.take();
    retain(from, "a", "x");
    retain(from, "a", "");
    expect(service.get("a")).toBeUndefined();
    expect(stored(kit)).toEqual([]);
    expect(live.messages().map((m) => [m.payload, m.retain])).toEqual([
      ["x", false],
      ["", false],
    ]);
  });

  test("exactly max_retained_messages topics, replacing allowed, $SYS not counted", async () => {
    const { service, from, kit } = await start({ "retainer.max_retained_messages": "2" });
    ownOne(kit, "$SYS/brokers");
    for (const t of ["a", "b", "c"]) retain(from, t, "1");
    retain(from, "a", "2");
    expect(kept(service).sort()).toEqual(["$SYS/brokers", "a", "b"]);
    expect(Buffer.from(service.get("a")?.payload ?? []).toString()).toBe("2");
    retain(from, "b", "");
    retain(from, "c", "1");
    expect(kept(service)).toContain("c");
    expect(kit.metrics.get("retained/refused/full")).toBe(1);
    expect(kit.log.lines.filter((l) => l.message === "message not retained")).toHaveLength(1);
  });

  test("beyond max_retained_bytes messages are delivered, not kept; smaller ones in the place of old ones are", async () => {
    const { service, from, kit } = await start({ "retainer.max_retained_bytes": "3KB" });
    const live = kit.connected("live").subscribe("#");
    live.take();
    for (const t of ["a", "b", "c"]) retain(from, t, Buffer.alloc(1000));
    expect(kept(service)).toEqual(["a"]);
    retain(from, "a", Buffer.alloc(900));
    retain(from, "b", Buffer.alloc(500));
    expect(topicsOf(live)).toEqual(["a", "b", "c", "a", "b"]);
    expect(kept(service)).toEqual(["a", "b"]);
    expect(kit.metrics.get("retained/refused/full")).toBe(2);
    retain(from, "a", "");
    retain(from, "c", Buffer.alloc(1000));
    expect(kept(service)).toEqual(["b", "c"]);
  });

  for (const qos of [1, 2] as const) {
    test(`no memory to spare: MQTT 5 hears Quota exceeded for QoS ${qos} and nobody gets it; what nobody can be told is delivered`, async () => {
      const { kit } = await start();
      const s = kit.connected("s", 5).subscribe("#");
      s.take();
      const p = kit.connected("p", 5, { clean: false, properties: { sessionExpiryInterval: 60 } });
      const old = kit.connected("old");
      kit.broker.memory.watch({ read: () => ({ used: 80, limit: 100, container: false }), collect() {} });
      p.take();
      p.publish("t", "x", qos, { retain: true, messageId: 7 });
      expect(p.take()).toMatchObject([{ cmd: qos === 1 ? "puback" : "pubrec", messageId: 7, reasonCode: 0x97 }]);
      expect(p.channel.session?.awaitingRelLen).toBe(0);
      expect(s.messages()).toEqual([]);
      p.publish("t", "0", 0, { retain: true });
      old.publish("t", "1", qos, { retain: true });
      expect(s.messages().map((m) => m.payload)).toEqual(["0", "1"]);
      expect(kit.metrics.get("retained/refused/memory")).toBe(3);
    });
  }

  test("no memory to spare: nothing new is kept, what does not grow is replaced, anything may be taken away", async () => {
    const { service, from, kit, manager } = await start();
    retain(from, "a", "12345");
    retain(from, "b", "1");
    expect(kit.broker.memory.bytes().retained).toBeGreaterThan(0);
    kit.broker.memory.watch({ read: () => ({ used: 80, limit: 100, container: false }), collect() {} });
    retain(from, "new", "1");
    retain(from, "a", "123");
    retain(from, "a", "123456789");
    retain(from, "b", "");
    expect(kept(service)).toEqual(["a"]);
    expect(Buffer.from(service.get("a")?.payload ?? []).toString()).toBe("123");
    expect(kit.metrics.get("retained/refused/memory")).toBe(2);
    expect(kit.log.errors).toEqual([]);
    await manager.unload("emqx_retainer");
    expect(kit.broker.memory.bytes().retained).toBe(0);
  });

  test("$SYS of a client has the limits of any other topic", async () => {
    const few = await start({ "retainer.max_retained_messages": "1" });
    for (const t of ["$SYS/mine/1", "$SYS/mine/2"]) retain(few.from, t);
    expect(kept(few.service)).toEqual(["$SYS/mine/1"]);
    ownOne(few.kit, "$SYS/own");
    retain(few.from, "$SYS/own", "taken over");
    expect(few.service.get("$SYS/own")?.from).toBe("");
    ownOne(few.kit, "$SYS/mine/1");
    retain(few.from, "$SYS/mine/2");
    expect(kept(few.service)).toEqual(["$SYS/own", "$SYS/mine/1", "$SYS/mine/2"]);

    const small = await start({ "retainer.max_retained_bytes": "3KB" });
    for (const t of ["$SYS/mine/1", "$SYS/mine/2", "$SYS/mine/3"]) retain(small.from, t, Buffer.alloc(1000));
    expect(kept(small.service)).toEqual(["$SYS/mine/1"]);

    const short = await start();
    short.kit.broker.memory.watch({ read: () => ({ used: 80, limit: 100, container: false }), collect() {} });
    retain(short.from, "$SYS/mine/1", "x", 1, { messageId: 7 });
    expect(short.from.take()).toMatchObject([{ cmd: "puback", messageId: 7, reasonCode: 0x97 }]);
    expect(short.service.count).toBe(0);
    ownOne(short.kit, "$SYS/own");
    expect(kept(short.service)).toEqual(["$SYS/own"]);
  });

  test("nor is $SYS of the API the broker's own, where it names no sender", async () => {
    const few = await start({ "retainer.max_retained_messages": "1" });
    for (const t of ["$SYS/mine/1", "$SYS/mine/2"]) fromApi(few.kit, t, "x");
    expect(kept(few.service)).toEqual(["$SYS/mine/1"]);
    const short = await start();
    short.kit.broker.memory.watch({ read: () => ({ used: 80, limit: 100, container: false }), collect() {} });
    expect([fromApi(short.kit, "$SYS/mine", "x").refusedWith, short.service.count]).toEqual([0x97, 0]);
  });

  test("a payload above max_payload_size is delivered, not kept; the limit itself is kept", async () => {
    const { service, from, kit } = await start({ "retainer.max_payload_size": "4" });
    const live = kit.connected("live").subscribe("#");
    live.take();
    retain(from, "small", "1234");
    retain(from, "large", "12345");
    expect(kept(service)).toEqual(["small"]);
    expect(topicsOf(live)).toEqual(["small", "large"]);
    expect(kit.metrics.get("retained/refused/too_large")).toBe(1);
  });

  test("limits set while running count from the next message on", async () => {
    const { service, from, setLive } = await start();
    retain(from, "a", "12345");
    await setLive("emqx_retainer", "retainer.max_payload_size", "2");
    await setLive("emqx_retainer", "retainer.max_retained_messages", "2");
    for (const [t, text] of [
      ["b", "123"],
      ["c", "12"],
      ["d", "1"],
    ] as const)
      retain(from, t, text);
    expect(kept(service)).toEqual(["a", "c"]);
  });
});

describe("on disk", () => {
  test("what was committed is there after a crash, in order of time; $SYS is not written", async () => {
    const { from, kit } = await start();
    for (const t of ["z", "m", "a"]) {
      retain(from, t, t);
      kit.pass(100);
    }
    retain(from, "m", "m2");
    ownOne(kit, "$SYS/x");
    kit.store.commit();
    const next = await start({}, new TestKit({ store: (kit.store as MemoryStore).crash(), clock: kit.clock }));
    expect(kept(next.service)).toEqual(["z", "a", "m"]);
    expect([next.service.count, next.service.max]).toEqual([3, 3]);
    const late = next.kit.connected("late").subscribe("#");
    expect(late.messages().map((m) => [m.topic, m.payload, m.retain])).toEqual([
      ["z", "z", true],
      ["a", "a", true],
      ["m", "m2", true],
    ]);
  });

  test("ram: nothing is written, and what an earlier disc left is gone", async () => {
    const { from, kit } = await start();
    retain(from, "old");
    kit.store.commit();
    const next = await start({ "retainer.storage_type": "ram" }, new TestKit({ store: (kit.store as MemoryStore).crash() }));
    retain(next.from, "new");
    expect(kept(next.service)).toEqual(["new"]);
    expect(stored(next.kit)).toEqual([]);
  });
});

test("$SYS of a client, and of the API, is on disk, the broker's own is not, whichever replaces the other", async () => {
  const { from, kit } = await start();
  fromApi(kit, "$SYS/of-api", "0");
  retain(from, "$SYS/mine", "1");
  ownOne(kit, "$SYS/becomes-mine");
  retain(from, "$SYS/becomes-mine", "2");
  retain(from, "$SYS/becomes-own", "3");
  ownOne(kit, "$SYS/becomes-own");
  kit.store.commit();
  const next = await start({}, new TestKit({ store: (kit.store as MemoryStore).crash(), clock: kit.clock }));
  expect(kept(next.service)).toEqual(["$SYS/of-api", "$SYS/mine", "$SYS/becomes-mine"]);
  ownOne(next.kit, "$SYS/mine");
  for (const topic of ["$SYS/becomes-mine", "$SYS/of-api"]) next.service.delete(topic);
  expect(stored(next.kit)).toEqual([]);
});

describe("expiry", () => {
  test("$SYS of a client expires like any other", async () => {
    const { service, from, kit } = await start({ "retainer.expiry_interval": "10s" });
    retain(from, "$SYS/mine");
    kit.clock.time += 10_000;
    expect(service.get("$SYS/mine")).toBeUndefined();
  });

  test("a message's own expiry goes before the setting, $SYS has none", async () => {
    const { service, from, kit } = await start({ "retainer.expiry_interval": "10s" });
    retain(from, "by-setting");
    retain(from, "sooner", "x", 0, { properties: { messageExpiryInterval: 5 } });
    retain(from, "later", "x", 0, { properties: { messageExpiryInterval: 30 } });
    ownOne(kit, "$SYS/x");
    const left = (): string[] => ["by-setting", "sooner", "later", "$SYS/x"].filter((t) => service.get(t) !== undefined);
    kit.clock.time += 4999;
    expect(left()).toEqual(["by-setting", "sooner", "later", "$SYS/x"]);
    kit.clock.time += 1;
    expect(left()).toEqual(["by-setting", "later", "$SYS/x"]);
    kit.clock.time += 5000;
    expect(left()).toEqual(["later", "$SYS/x"]);
    kit.clock.time += 20_000;
    expect(left()).toEqual(["$SYS/x"]);
    expect(stored(kit)).toEqual([]);
    expect(kit.metrics.get("retained/expired")).toBe(3);
  });

  test("what nobody asks for is swept away", async () => {
    const { service, from, kit } = await start();
    for (let i = 0; i < 50; i++) retain(from, `t/${i}`, "x", 0, { properties: { messageExpiryInterval: (i % 2) + 1 } });
    kit.pass(3000);
    expect(service.count).toBe(0);
    expect(service.max).toBe(50);
  });

  test("an expired one is not sent, a living one tells what is left of its time [MQTT-3.3.2-6]", async () => {
    const { from, kit } = await start();
    retain(from, "dead", "x", 0, { properties: { messageExpiryInterval: 2 } });
    retain(from, "alive", "x", 0, { properties: { messageExpiryInterval: 60 } });
    kit.clock.time += 10_000;
    const late = kit.connected("late", 5).subscribe("#");
    expect(late.messages()).toMatchObject([{ topic: "alive", properties: { messageExpiryInterval: 50 } }]);
  });
});

describe("sending to new subscribers", () => {
  test("after SUBACK, with the retain flag, at the lower QoS, with the subscription's identifier", async () => {
    const { from, kit } = await start();
    retain(from, "q/2", "x", 2, { messageId: 9 });
    from.send({ cmd: "pubrel", messageId: 9 });
    const late = kit.connected("late", 5).subscribe("q/+", 1, { subId: 7, rap: false });
    const packets = late.take();
    expect(packets.map((p) => p.cmd)).toEqual(["suback", "publish"]);
    expect(packets[1]).toMatchObject({ retain: true, qos: 1, properties: { subscriptionIdentifier: 7 } });
  });

  test("retain handling: 0 always, 1 for a new subscription, 2 never [MQTT-3.3.1-9 to -11]", async () => {
    const { from, kit } = await start();
    retain(from, "t");
    const c = kit.connected("c", 5);
    const again = (rh: number): number => c.subscribe("t", 0, { rh }).messages().length;
    expect([again(2), again(1), again(0), again(0), again(1)]).toEqual([0, 0, 1, 1, 0]);
    expect(kit.connected("d", 5).subscribe("t", 0, { rh: 1 }).messages()).toHaveLength(1);
  });

  test("none for shared subscriptions, none of one's own with No Local, none of $SYS for #", async () => {
    const { from, kit } = await start();
    retain(from, "t");
    ownOne(kit, "$SYS/x");
    expect(topicsOf(kit.connected("shared", 5).subscribe("$share/g/t"))).toEqual([]);
    expect(topicsOf(kit.connected("queue").subscribe("$queue/t"))).toEqual([]);
    expect(topicsOf(from.subscribe("t", 0, { nl: true }))).toEqual([]);
    expect(topicsOf(kit.connected("all").subscribe("#"))).toEqual(["t"]);
    expect(topicsOf(kit.connected("sys").subscribe("$SYS/#"))).toEqual(["$SYS/x"]);
  });

  test("a mountpoint keeps clients apart", async () => {
    const kit = new TestKit({ zone: { mountpoint: "home/" } });
    const { from, service } = await start({}, kit);
    retain(from, "t");
    kit.broker.publish(new Message("t", Buffer.from("other"), 0, true, "", null, 0, 0, null));
    expect(kept(service)).toEqual(["home/t", "t"]);
    expect(kit.connected("c").subscribe("#").messages()).toMatchObject([{ topic: "t", payload: "x" }]);
  });

  test("subscribed on behalf of a client: mounted as its own filters are, shared ones still get none; offline, they wait in the queue", async () => {
    const kit = new TestKit({ zone: { mountpoint: "home/" } });
    const { from } = await start({}, kit);
    retain(from, "t", "x", 1, { messageId: 4 });
    const options = { qos: 1, nl: false, rap: false, rh: 0, subId: 0 } as const;
    const c = kit.connected("c", 4, { clean: false });
    kit.broker.subscribe("c", "$share/g/t", options);
    kit.broker.subscribe("c", "+", options);
    kit.broker.flush();
    kit.settle();
    expect(topicsOf(c)).toEqual(["t"]);
    c.disconnect();
    kit.broker.subscribe("c", "#", options);
    expect(topicsOf(kit.client().connect("c", { clean: false }))).toEqual(["t", "t"]);
  });

  test("the node's number of retained messages is ours while we run", async () => {
    const { from, kit, manager } = await start();
    retain(from, "t");
    expect(kit.metrics.get("messages/retained")).toBe(1);
    await manager.unload("emqx_retainer");
    expect(kit.metrics.get("messages/retained")).toBe(0);
    retain(from, "u");
    expect(kit.connected("c").subscribe("#").messages()).toEqual([]);
    await manager.load("emqx_retainer");
    expect(topicsOf(kit.connected("d").subscribe("#"))).toEqual(["t"]);
  });
});

describe("settings that change, and files that are read again, while it runs", () => {
  const RELOADS: [how: string, reload: (m: Kept) => Promise<unknown>][] = [
    ["plugins reload", ({ manager }) => manager.reload("emqx_retainer")],
    ["a limit that changes", ({ replaceConfig }) => replaceConfig("emqx_retainer", { "retainer.max_retained_bytes": "1GB" })],
    ["another place for them", ({ replaceConfig }) => replaceConfig("emqx_retainer", { "retainer.storage_type": "ram" })],
  ];
  for (const [how, reload] of RELOADS)
    test(`${how}: who reads slowly gets all that the filter has selected`, async () => {
      const m = await start({}, new TestKit({ zone: { maxInflight: 5, maxMqueueLen: 20 } }));
      for (let i = 0; i < 100; i++) retain(m.from, `t/${i}`, "x", 1);
      const slow = m.kit.connected("slow", 4).subscribe("t/#", 1);
      const seen: string[] = [];
      const read = (): { topic: string; messageId?: number }[] => {
        const came = slow.messages();
        seen.push(...came.map(({ topic }) => topic));
        return came;
      };
      const first = read();
      expect([first.length, m.kit.broker.sessions.get("slow")?.mqueueLen]).toEqual([5, 10]);
      await reload(m);
      retain(m.from, "t/0", "again", 1);
      let waiting = first;
      await until(async () => {
        for (const { messageId = 0 } of waiting) slow.send({ cmd: "puback", messageId });
        m.kit.pass(100);
        await turns(m.kit);
        waiting = read();
        return seen.length > 100;
      }, "all that was retained, and what came later");
      const all = Array.from({ length: 100 }, (_, i) => `t/${i}`);
      expect([new Set(seen).size, seen.length, seen.filter((topic) => topic !== "t/0")]).toEqual([100, 101, all.slice(1)]);
    });

  test("unloaded, it gives nobody anything any more", async () => {
    const { kit, from, manager } = await start({}, new TestKit({ zone: { maxInflight: 5, maxMqueueLen: 20 } }));
    for (let i = 0; i < 100; i++) retain(from, `t/${i}`, "x", 1);
    const slow = kit.connected("slow", 4).subscribe("t/#", 1);
    await manager.unload("emqx_retainer");
    for (let rounds = 0; rounds < 10; rounds++) {
      for (const { messageId = 0 } of slow.messages()) slow.send({ cmd: "puback", messageId });
      kit.pass(100);
      await turns(kit);
    }
    // Those that it had given before.
    expect([kit.metrics.get("messages/sent"), kit.broker.sessions.get("slow")?.mqueueLen]).toEqual([15, 0]);
  });

  test("to the disk: all that memory has is written, a part at a time; away from it: nothing is left there, and nothing is lost", async () => {
    const m = await start({ "retainer.storage_type": "ram" });
    const topics = Array.from({ length: 1200 }, (_, i) => `t/${i}`);
    for (const topic of topics) retain(m.from, topic);
    ownOne(m.kit, "$SYS/own");
    const live = (type: string) => m.replaceConfig("emqx_retainer", { "retainer.storage_type": type });
    await live("disc");
    expect(stored(m.kit).length).toBeLessThan(1200);
    // Before its turn has come, and behind it.
    retain(m.from, "t/1100", "");
    retain(m.from, "t/0", "again");
    retain(m.from, "new");
    const left = [...topics.filter((topic) => topic !== "t/1100" && topic !== "t/0"), "t/0", "new"].sort();
    await until(async () => {
      await turns(m.kit);
      return stored(m.kit).length === left.length;
    }, "all of them on disk");
    expect(
      stored(m.kit)
        .map(({ topic }) => topic)
        .sort(),
    ).toEqual(left);
    const next = await start({}, new TestKit({ store: (m.kit.store as MemoryStore).crash() }));
    expect(Buffer.from(next.service.get("t/0")?.payload ?? []).toString()).toBe("again");
    await live("ram");
    m.service.delete("t/1");
    expect([stored(m.kit).length, stored(m.kit).some(({ topic }) => topic === "t/1")]).toEqual([left.length - 1, false]);
    m.kit.pass(5000);
    expect([stored(m.kit), m.service.count]).toEqual([[], left.length]);
    // There and back before it was done: each once, and what was deleted is not back.
    await live("disc");
    await live("ram");
    await live("disc");
    await until(async () => {
      await turns(m.kit);
      return stored(m.kit).length === left.length - 1;
    }, "all of them on disk again");
    expect(
      stored(m.kit)
        .map(({ topic }) => topic)
        .sort(),
    ).toEqual(left.filter((topic) => topic !== "t/1"));
  });
});

describe("on the way to the disk, and away from it", () => {
  const TOPICS = Array.from({ length: 1200 }, (_, i) => `t/${i}`);
  const byNumber = (a: string, b: string): number => Number(a.slice(2)) - Number(b.slice(2));
  /** Memory alone has them all, and one of the broker's own. */
  async function inMemory(): Promise<Kept & { store: MemoryStore; toDisk(): Promise<unknown> }> {
    const m = await start({ "retainer.storage_type": "ram" });
    for (const topic of TOPICS) retain(m.from, topic);
    ownOne(m.kit, "$SYS/own");
    const toDisk = () => m.replaceConfig("emqx_retainer", { "retainer.storage_type": "disc" });
    return { ...m, store: m.kit.store as MemoryStore, toDisk };
  }
  /** Something that is to be kept finds that the disk fails. */
  function fail({ kit, store }: { kit: TestKit; store: MemoryStore }): void {
    store.failure = new Error("ENOSPC");
    store.kv("any").set("key", "value");
    kit.broker.flush();
    kit.settle();
  }

  const ENDS: [how: string, end: (m: Kept) => Promise<unknown>][] = [
    ["the node stops", ({ manager }) => manager.stopAll()],
    ["it is unloaded", ({ manager }) => manager.unload("emqx_retainer")],
  ];
  for (const [how, end] of ENDS) {
    test(`${how} before all are there: first they are written`, async () => {
      const m = await inMemory();
      await m.toDisk();
      expect(stored(m.kit).length).toBeLessThan(TOPICS.length);
      await end(m);
      expect([stored(m.kit).map(({ topic }) => topic), m.kit.log.errors]).toEqual([TOPICS, []]);
    });

    test(`${how} while the disk fails: all of them are there for the last attempt`, async () => {
      const m = await inMemory();
      fail(m);
      await m.toDisk();
      retain(m.from, "t/0", "again");
      await end(m);
      expect(m.kit.log.errors.filter((line) => line.includes("emqx_retainer"))).toEqual([]);
      m.store.failure = null;
      m.store.commit();
      expect(
        stored(m.kit)
          .map(({ topic }) => topic)
          .toSorted(byNumber),
      ).toEqual(TOPICS);
    });

    test(`${how} while the disk fails, and more waits for it than may: the log says how many are lost`, async () => {
      const m = await inMemory();
      m.kit.node.storagePendingLimit = -1;
      fail(m);
      await m.toDisk();
      await end(m);
      expect(m.kit.log.errors.filter((line) => line.includes("emqx_retainer"))).toEqual([
        `retained messages are lost: data cannot be stored {"plugin":"emqx_retainer","messages":${TOPICS.length}}`,
      ]);
    });
  }

  test("while the disk fails nothing moves, and takes the place of what is published; then all of it does", async () => {
    const m = await inMemory();
    fail(m);
    const put = spyOn(m.store.retained, "put");
    await m.toDisk();
    m.kit.pass(3000);
    await turns(m.kit);
    expect([m.kit.broker.durability.full, put.mock.calls]).toEqual([false, []]);
    m.store.failure = null;
    await until(async () => {
      m.kit.pass(1000);
      await turns(m.kit);
      return put.mock.calls.length === TOPICS.length;
    }, "all of them written");
    expect(stored(m.kit).map(({ topic }) => topic)).toEqual(TOPICS);
  });

  test("away from it with a change that another plugin refuses: nothing is gone, not even after a crash in between", async () => {
    const kit = new TestKit();
    const store = kit.store as MemoryStore;
    const crashed: MemoryStore[] = [];
    const fussy = definePlugin({
      name: "fussy",
      description: "",
      version: "v1",
      activeByDefault: true,
      inPlace: true,
      config: { "fussy.limit": integer(0, "") },
      start(ctx) {
        ctx.changed(() => {
          store.commit();
          crashed.push(store.crash());
          throw new Error("not with me");
        });
      },
    });
    const m = manage([retainer, fussy], { kit });
    await m.manager.startAll();
    const from = kit.connected("publisher", 5);
    for (const topic of ["a", "b", "c"]) retain(from, topic);
    const changes = new Map([
      ["retainer.storage_type", "ram"],
      ["fussy.limit", "1"],
    ]);
    await expect(m.settings.apply(changes)).rejects.toThrow("not with me");
    const next = await start({}, new TestKit({ store: crashed[0] as MemoryStore }));
    expect(kept(next.service)).toEqual(["a", "b", "c"]);
    const clear = spyOn(store.retained, "clear");
    kit.pass(10_000);
    expect([stored(kit).map(({ topic }) => topic), clear.mock.calls]).toEqual([["a", "b", "c"], []]);
  });
});

describe("the admin's door", () => {
  test("what a filter selects, in order of storing; deletes reach the disk", async () => {
    const { service, from, kit } = await start();
    for (const t of ["a/1", "a/2", "b/1", "b/2", "c"]) retain(from, t);
    expect(kept(service)).toEqual(["a/1", "a/2", "b/1", "b/2", "c"]);
    expect(kept(service, "+/2")).toEqual(["a/2", "b/2"]);
    expect(kept(service, "c")).toEqual(["c"]);
    expect(kept(service, "nobody/#")).toEqual([]);
    const pauses = { due: () => false, rest: () => Promise.resolve() };
    expect([service.delete("c"), service.delete("c")]).toEqual([true, false]);
    expect([await service.deleteMatching("a/#", pauses), await service.deleteMatching("a/#", pauses)]).toEqual([2, 0]);
    expect(stored(kit).map((r) => r.topic)).toEqual(["b/1", "b/2"]);
    expect([service.clear(), service.clear(), service.count]).toEqual([2, 0, 0]);
    expect(stored(kit)).toEqual([]);
    await turns(kit);
  });
});

describe("while what a filter selects is walked", () => {
  /** What is seen of `n` messages when `meanwhile` happens behind the first one. */
  const walked = async (filter: string | undefined, n: number, meanwhile: (k: Kept) => unknown, until?: number): Promise<string[]> => {
    const k = await start();
    for (let i = 0; i < n; i++) retain(k.from, `t/${i}`);
    const seen: string[] = [];
    let first = true;
    for (const m of k.service.messages(filter, until)) {
      if (m !== null) seen.push(m.topic);
      if (first) await meanwhile(k);
      first = false;
    }
    return seen;
  };
  const come = ({ service, from }: Kept): void => {
    retain(from, "t/0", "again");
    retain(from, "t/7", "again");
    retain(from, "t/7", "and again");
    retain(from, "t/8", "");
    service.delete("t/9");
    retain(from, "t/10", "again");
    retain(from, "t/10", "");
    retain(from, "t/new");
  };

  for (const [how, filter, n] of [
    ["everything", undefined, 100],
    ["few, level by level", "t/+", 100],
    ["more than are looked for level by level", "t/+", 3000],
  ] as const) {
    test(`${how}: each topic that stays once, what was deleted and what is new not`, async () => {
      const seen = await walked(filter, n, come);
      const gone = ["t/8", "t/9", "t/10"];
      const staying = Array.from({ length: n }, (_, i) => `t/${i}`).filter((t) => !gone.includes(t));
      expect(seen).toHaveLength(staying.length);
      expect(new Set(seen)).toEqual(new Set(staying));
      // In the end: it was stored last.
      if (how !== "few, level by level") expect(seen.at(-1)).toBe("t/7");
    });

    test(`${how}: with an end, what was stored behind it is left out`, async () => {
      const seen = await walked(filter, n, come, n);
      expect(seen).toHaveLength(n - 4);
      expect(seen).not.toContain("t/7");
      expect(await walked(filter, n, come, 5)).toEqual(["t/0", "t/1", "t/2", "t/3", "t/4"]);
    });

    test(`${how}: all of them cleared, or the plugin unloaded: it is over`, async () => {
      expect(await walked(filter, n, ({ service }) => service.clear())).toEqual(["t/0"]);
      expect(await walked(filter, n, ({ manager }) => manager.unload("emqx_retainer"))).toEqual(["t/0"]);
    });
  }

  test("what does not fit has its moments too", async () => {
    const { service, from } = await start();
    for (let i = 0; i < 12_000; i++) retain(from, `t/${i}/x`);
    const walk = [...service.messages("+/+/y")];
    expect(walk.every((m) => m === null)).toBe(true);
    expect(walk.length).toBeGreaterThan(150);
  });
});

describe("who gets retained messages at SUBSCRIBE", () => {
  const ask = async (topic: string, rh: 0 | 1 | 2, times: number): Promise<number[]> => {
    const { kit, from } = await start();
    retain(from, "a", "x");
    const c = kit.connected("c", 5);
    return Array.from({ length: times }, () => c.subscribe(topic, 0, { rh }).messages().length);
  };

  test("Retain Handling 0 each time, 1 for a new subscription, 2 never [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]", async () => {
    expect(await ask("a", 0, 3)).toEqual([1, 1, 1]);
    expect(await ask("a", 1, 3)).toEqual([1, 0, 0]);
    expect(await ask("a", 2, 3)).toEqual([0, 0, 0]);
  });

  test("shared subscriptions never (4.8.2)", async () => {
    expect(await ask("$share/g/a", 0, 2)).toEqual([0, 0]);
    expect(await ask("$queue/a", 0, 2)).toEqual([0, 0]);
    // Not even when the broker itself keeps a message under such a name.
    const { kit } = await start();
    for (const topic of ["$share/g/b", "$queue/b"]) {
      kit.broker.publish(new Message(topic, Buffer.from("x"), 0, true, "", null, 0, 0, null));
      expect(kit.connected("d", 5).subscribe(topic).messages()).toEqual([]);
    }
  });

  test("upgrade_qos counts for them as for all others", async () => {
    for (const [upgradeQos, qos] of [
      [false, [0, 1, 1]],
      [true, [2, 2, 2]],
    ] as const) {
      const { kit, from } = await start({}, new TestKit({ zone: { upgradeQos } }));
      retain(from, "t/0", "x", 0);
      retain(from, "t/1", "x", 1);
      retain(from, "t/2", "x", 2, { messageId: 2 });
      const c = kit.connected("c", 5);
      const seen = [2, 2, 1].map((wanted, i) => c.subscribe(`t/${i}`, wanted as 1 | 2).messages()[0]?.qos as number);
      expect(seen).toEqual([...qos]);
    }
  });
});
