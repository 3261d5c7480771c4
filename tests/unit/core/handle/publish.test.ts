import { describe, expect, test } from "bun:test";
import type { AclStep } from "../../../../server/core/types.ts";
import { memoryStore } from "../../../support/memory_store.ts";
import { type TestClient, TestKit } from "../../../support/test_broker.ts";

test("a denied QoS 2 message of a 3.x client: its handshake is journalled like any other and survives a kill", () => {
  const store = memoryStore();
  const acl = '{deny, all, publish, ["no"]}.';
  const kit = new TestKit({ store, acl });
  const c = kit.connected("c", 4, { clean: false });
  expect(c.publish("no", "x", 2, { messageId: 7 }).take()).toMatchObject([{ cmd: "pubrec", messageId: 7 }]);
  expect(store.counts().awaitingRel).toBe(1);

  const next = new TestKit({ store: store.crash(), acl });
  next.broker.registry.restore();
  const again = next.connected("c", 4, { clean: false });
  expect(next.broker.sessions.get("c")?.awaitingRelLen).toBe(1);
  expect(again.send({ cmd: "pubrel", messageId: 7 }).take()).toMatchObject([{ cmd: "pubcomp", messageId: 7 }]);
  expect(next.broker.sessions.get("c")?.awaitingRelLen).toBe(0);

  expect(c.send({ cmd: "pubrel", messageId: 7 }).take()).toMatchObject([{ cmd: "pubcomp", messageId: 7 }]);
  expect(store.problems).toEqual([]);
});

test("a QoS 2 message that was taken and comes again after the rules have changed: its handshake goes on [MQTT-4.3.3-10]", () => {
  const kit = new TestKit({ zone: { maxAwaitingRel: 2 } });
  const session = { clean: false, properties: { sessionExpiryInterval: 60 } };
  const s = kit.connected("s", 5).subscribe("t");
  s.take();
  kit.connected("c", 5, session).publish("t", "x", 2, { messageId: 7 }).drop();
  kit.hooks.add("client.check_acl", "deny", () => ({ verdict: "deny", why: "test" }));
  kit.access.invalidate();
  const c = kit.connected("c", 5, session);
  const again = c.publish("t", "x", 2, { messageId: 7, dup: true }).take();
  expect(again).toMatchObject([{ cmd: "pubrec", messageId: 7, reasonCode: 0 }]);
  expect(c.publish("t", "y", 2, { messageId: 8 }).take()).toMatchObject([{ cmd: "pubrec", messageId: 8, reasonCode: 0x87 }]);
  expect(c.send({ cmd: "pubrel", messageId: 7 }).take()).toMatchObject([{ cmd: "pubcomp", messageId: 7, reasonCode: 0 }]);
  expect(s.messages().map((m) => m.payload)).toEqual(["x"]);
});

test("a message with an expiry that comes right after the wall clock was set is stored by the new time", () => {
  const store = memoryStore();
  const kit = new TestKit({ store });
  const session = { clean: false, properties: { sessionExpiryInterval: 3600 } };
  kit.connected("s", 5, session).subscribe("t", 1).drop();
  const p = kit.connected("p", 5);
  kit.clock.jump(24 * 3_600_000);
  p.publish("t", "x", 1, { properties: { messageExpiryInterval: 60 } });
  const next = new TestKit({ store: store.crash(), clock: kit.clock });
  next.broker.registry.restore();
  const s = next.client(5).connect("s", session);
  expect(s.messages().map((m) => m.payload)).toEqual(["x"]);
});

describe("QoS 2 messages of a 3.x client that wait for PUBREL, more than the zone wants", () => {
  const LIMIT = { zone: { maxAwaitingRel: 2 } };
  const LITTLE = { read: () => ({ used: 80, limit: 100, container: false }), collect: () => undefined };
  const send = (kit: TestKit, n: number, memory = false): TestClient => {
    const c = kit.connected("c", 4, { clean: false });
    if (memory) kit.broker.memory.watch(LITTLE);
    for (let i = 1; i <= n; i++) c.publish("t", "x", 2, { messageId: i });
    return c;
  };

  test("are taken, and their identifiers count towards what is held in memory, until they are released or the session ends", () => {
    const kit = new TestKit(LIMIT);
    const c = send(kit, 100);
    expect(c.take()).toHaveLength(100);
    const { held } = kit.broker;
    const all = held.bytes;
    expect(all).toBeGreaterThanOrEqual(100 * 50);
    for (let i = 1; i <= 50; i++) c.send({ cmd: "pubrel", messageId: i }).send({ cmd: "pubrel", messageId: i });
    expect(held.bytes).toBe(all / 2);
    // Sent again they are no more.
    c.publish("t", "x", 2, { messageId: 51, dup: true });
    expect(held.bytes).toBe(all / 2);
    c.drop();
    expect(held.bytes).toBe(all / 2);
    kit.connected("c").drop();
    expect(held.bytes).toBe(0);
  });

  test("… unless memory is short: then the client has to go, and what it sent last is not taken", () => {
    const kit = new TestKit(LIMIT);
    const s = kit.connected("s").subscribe("t", 0);
    s.take();
    const c = send(kit, 3, true);
    expect(c.take()).toMatchObject([
      { cmd: "pubrec", messageId: 1 },
      { cmd: "pubrec", messageId: 2 },
    ]);
    expect([c.channel.phase, kit.listener.shutdowns.get("memory"), kit.metrics.qos2Dropped]).toEqual(["closed", 1, 1]);
    expect([s.messages().length, kit.broker.sessions.get("c")?.awaitingRelLen]).toEqual([2, 2]);
  });

  test("… also those that were denied", () => {
    const store = memoryStore();
    const kit = new TestKit({ ...LIMIT, store, acl: '{deny, all, publish, ["t"]}.' });
    const c = send(kit, 3, true);
    expect([c.take().length, c.channel.phase, kit.broker.sessions.get("c")?.awaitingRelLen]).toEqual([2, "closed", 2]);
    // The journal knows no more of it than the session.
    expect([store.counts().awaitingRel, store.problems]).toEqual([2, []]);
  });
});

test("a client of many topics whose rules are the same for all is asked no more, until they change", () => {
  const kit = new TestKit({ acl: "{allow, all}.", zone: { aclCacheMaxSize: 4 } });
  const s = kit.connected("s").subscribe("#");
  const p = kit.connected("p");
  s.take();
  const publish = (from: number, to: number): number => {
    for (let i = from; i < to; i++) p.publish(`t/${i}`, "x");
    return s.messages().length;
  };
  expect(publish(0, 100)).toBe(100);
  // Four by topic, the fifth for all.
  expect(kit.metrics.aclCacheMiss - 1).toBe(5);
  kit.hooks.add("client.check_acl", "deny", (_c, _a, topic) => (topic.endsWith("7") ? { verdict: "deny", why: "test" } : null));
  kit.access.invalidate();
  expect(publish(100, 200)).toBe(90);
  kit.hooks.remove("client.check_acl", "deny");
  kit.access.invalidate();
  expect(publish(200, 300)).toBe(100);
  kit.pass(61_000);
  const before = kit.metrics.aclCacheMiss;
  expect(publish(300, 400)).toBe(100);
  expect(kit.metrics.aclCacheMiss - before).toBe(1);
});

for (const promised of [false, true])
  test(`while nobody can be asked, ${promised ? "which a promise tells" : "told at once"}: asked once a second about each topic`, async () => {
    const kit = new TestKit();
    let step: AclStep = { verdict: null, why: "the server is down", failed: true };
    let asked = 0;
    kit.hooks.add("client.check_acl", "outside", (_c, action) => {
      if (action === "subscribe") return null;
      asked++;
      return promised ? Promise.resolve(step) : step;
    });
    const s = kit.connected("s").subscribe("#");
    s.take();
    const p = kit.connected("p");
    const publish = async (...topics: string[]): Promise<number> => {
      for (let i = 0; i < 100; i++) p.publish(topics[i % topics.length] as string);
      for (let i = 0; i < 50; i++) {
        await Promise.resolve();
        kit.settle();
      }
      return s.messages().length;
    };
    const { metrics } = kit;
    const before = metrics.aclCacheHit;
    expect([await publish("t"), asked]).toEqual([100, 1]);
    // The channel remembers it, however it was told.
    expect(metrics.aclCacheHit - before).toBeLessThan(3);
    expect([await publish("t", "u"), asked]).toEqual([100, 2]);
    kit.pass(900);
    expect([await publish("t"), asked]).toEqual([100, 2]);
    kit.pass(100);
    expect([await publish("t"), asked]).toEqual([100, 3]);
    step = { verdict: "deny", failed: true };
    kit.pass(1000);
    expect([await publish("t"), asked, metrics.publishDenied]).toEqual([0, 4, 100]);
    kit.hooks.add("client.check_acl", "outside", () => null);
    kit.pass(900);
    expect([await publish("t"), metrics.publishDenied]).toEqual([0, 200]);
    kit.pass(100);
    expect([await publish("t"), metrics.publishDenied]).toEqual([100, 200]);
  });

describe("properties that are passed on unread", () => {
  const properties = {
    contentType: "text/plain",
    responseTopic: "re/1",
    correlationData: Buffer.from([1, 0, 2]),
    userProperties: { a: ["1", "2"], b: "3" },
  };
  const publish = (p: TestClient, qos: 0 | 1 | 2, retain = false): TestClient => p.publish("t", "x", qos, { retain, properties });

  test("reach every kind of receiver, now and later", () => {
    const kit = new TestKit();
    const subs = {
      raw: kit.connected("raw", 5).subscribe("t", 1),
      aliased: kit.connected("aliased", 5, { properties: { topicAliasMaximum: 5 } }).subscribe("t", 1),
      numbered: kit.connected("numbered", 5).subscribe("t", 1, { subId: 7 }),
      shared: kit.connected("shared", 5).subscribe("$share/g/t", 1),
    };
    const old = kit.connected("old", 4).subscribe("t", 1);
    const later = { clean: false, properties: { sessionExpiryInterval: 60 } };
    kit.connected("later", 5, later).subscribe("t", 1).drop();
    for (const c of [...Object.values(subs), old]) c.take();
    const p = kit.connected("p", 5);
    // Twice: the second time the topic is known.
    for (const qos of [0, 0, 1, 1] as const) publish(p, qos);
    for (const [name, c] of Object.entries(subs)) {
      const got = c.messages().map((m) => m.properties);
      expect([name, got.length]).toEqual([name, 4]);
      for (const g of got) expect(g).toMatchObject(properties);
    }
    expect(old.messages().map((m) => m.properties)).toEqual([undefined, undefined, undefined, undefined] as never);
    const back = kit.client(5).connect("later", later).messages();
    expect(back.map((m) => m.properties)).toMatchObject([properties, properties, properties, properties]);
  });

  test("are there for hooks, and for whoever hears that nobody takes the message", () => {
    const kit = new TestKit();
    const seen: unknown[] = [];
    kit.hooks.add("message.dropped", "test", (m) => void seen.push(m.properties?.userProperties));
    const p = kit.connected("p", 5);
    publish(p, 0);
    kit.hooks.add("message.publish", "test", (m) => {
      seen.push(m.properties?.contentType);
      return m;
    });
    publish(p, 1);
    const pairs = [
      ["a", "1"],
      ["a", "2"],
      ["b", "3"],
    ];
    expect(seen).toEqual([pairs, "text/plain", pairs]);
  });

  test("with one that concerns the broker, or is not valid, they are read: expiry, alias, format, errors", () => {
    const kit = new TestKit({ zone: { maxTopicAlias: 5 } });
    const s = kit.connected("s", 5).subscribe("t", 1);
    s.take();
    const p = kit.connected("p", 5);
    p.publish("t", "x", 1, { properties: { ...properties, messageExpiryInterval: 9 } });
    p.publish("t", "y", 0, { properties: { ...properties, topicAlias: 1 } }).publish("", "z", 0, { properties: { topicAlias: 1 } });
    expect(s.messages().map((m) => [m.topic, m.payload, m.properties?.messageExpiryInterval])).toEqual([
      ["t", "x", 9],
      ["t", "y", undefined],
      ["t", "z", undefined],
    ]);
    p.publish("t", Buffer.from([0xff]), 0, { properties: { ...properties, payloadFormatIndicator: true } });
    expect(p.take().at(-1)).toMatchObject({ cmd: "disconnect", reasonCode: 0x99 });
    const q = kit.connected("q", 5).publish("t", "x", 0, { properties: { responseTopic: "a/#" } });
    expect(q.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x82 }]);
  });
});

test("below a mountpoint, the name that is remembered is the one that was sent: the next one may look like the whole", () => {
  const kit = new TestKit({ zone: { mountpoint: "m/" } });
  const seen: string[] = [];
  const p = kit.connected("p", 4);
  kit.hooks.add("message.publish", "test", (m) => {
    seen.push(m.topic);
    return m;
  });
  for (const topic of ["t", "t", "m/t", "m/t", "t", "t"]) p.publish(topic, "x");
  expect(seen).toEqual(["m/t", "m/t", "m/m/t", "m/m/t", "m/t", "m/t"]);
});

test("the name of a topic that comes again is compared, not read", () => {
  const kit = new TestKit();
  const p = kit.connected("p").publish("t", "1");
  expect(p.channel.lastTopic).toBeNull();
  p.publish("t", "2");
  expect(Buffer.from(p.channel.lastTopic ?? []).toString()).toBe("t");
  p.publish("u", "3");
  expect(p.channel.lastTopic).toBeNull();
});

test("below a mountpoint, nothing is kept of topics that come once", () => {
  const kit = new TestKit({ zone: { mountpoint: "m/" } });
  const p = kit.connected("p", 4);
  for (let i = 0; i < 20; i++) p.publish(`once/${i}`, "x");
  for (let i = 0; i < 3; i++) p.publish("twice", "x");
  expect(kit.broker.router.cached.topics.filter((t) => t.startsWith("m/"))).toEqual(["m/twice"]);
});

test("by an alias after its name, and the name again: the same topic", () => {
  const kit = new TestKit({ zone: { maxTopicAlias: 5 } });
  const s = kit.connected("s", 5).subscribe("#");
  s.take();
  const p = kit.connected("p", 5);
  for (let i = 0; i < 2; i++)
    p.publish("t", "named", 0)
      .publish("t", "sets", 0, { properties: { topicAlias: 1 } })
      .publish("", "alias", 0, { properties: { topicAlias: 1 } });
  expect(s.messages().map((m) => [m.topic, m.payload])).toEqual(["named", "sets", "alias", "named", "sets", "alias"].map((x) => ["t", x]));
});

test("whose transport is gone, though nobody has said so yet, is read on: or its end would not be seen", () => {
  const kit = new TestKit();
  const p = kit.connected("p");
  p.transport.write = () => -1;
  p.publish("t", "x", 1);
  expect([p.channel.out.closed, p.channel.out.blocked, p.channel.out.unread]).toEqual([true, true, false]);
  p.publish("t", "x", 1).send({ cmd: "pingreq" });
  expect(p.transport.paused).toBe(false);
});
