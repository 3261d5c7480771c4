import { describe, expect, test } from "bun:test";
import { MemoryStore } from "../support/memory_store.ts";
import { TestClock, TestKit } from "../support/test_broker.ts";

const forever = { clean: false, properties: { sessionExpiryInterval: 0xffffffff } };

describe("sessions", () => {
  test("session present only when there is one and the client wants it [MQTT-3.2.2-2], [MQTT-3.2.2-3]", () => {
    const kit = new TestKit();
    const flags: boolean[] = [];
    for (const clean of [false, false, true, false]) {
      const c = kit.client(4).connect("c", { clean });
      flags.push((c.take()[0] as { sessionPresent: boolean }).sessionPresent);
      c.disconnect();
    }
    expect(flags).toEqual([false, true, false, false]);
  });

  test("QoS 1 and 2 wait for an offline persistent session, QoS 0 too by mqueue_store_qos0", () => {
    const kit = new TestKit();
    kit.connected("s", 4, { clean: false }).subscribe("t", 2).disconnect();
    const p = kit.connected("p");
    p.publish("t", "0").publish("t", "1", 1).publish("t", "2", 2, { messageId: 2 });
    const s = kit.client(4).connect("s", { clean: false });
    expect(s.messages().map((m) => [m.payload, m.qos, m.dup])).toEqual([
      ["0", 0, false],
      ["1", 1, false],
      ["2", 2, false],
    ]);
    const none = new TestKit({ zone: { mqueueStoreQos0: false } });
    none.connected("s", 4, { clean: false }).subscribe("t", 2).disconnect();
    none.connected("p").publish("t", "0").publish("t", "1", 1);
    expect(
      none
        .client(4)
        .connect("s", { clean: false })
        .messages()
        .map((m) => m.payload),
    ).toEqual(["1"]);
  });

  test("unacknowledged messages come again with DUP and the same identifier, PUBREL where PUBREC was seen [MQTT-4.4.0-1]", () => {
    for (const version of [4, 5] as const) {
      const kit = new TestKit();
      const s = kit.connected("s", version, version === 5 ? forever : { clean: false });
      s.subscribe("t", 2).take();
      const p = kit.connected("p", version);
      p.publish("t", "a", 1).publish("t", "b", 2, { messageId: 2 }).publish("t", "c", 2, { messageId: 3 });
      s.take();
      s.send({ cmd: "pubrec", messageId: 2 });
      s.drop();
      const again = kit.client(version).connect("s", version === 5 ? forever : { clean: false });
      expect(again.take().map((x) => [x.cmd, (x as { dup?: boolean }).dup ?? null, x.messageId ?? null])).toEqual([
        ["connack", false, null],
        ["publish", true, 1],
        ["pubrel", false, 2],
        ["publish", true, 3],
      ]);
    }
  });

  test("an incoming QoS 2 handshake goes on after a reconnect: no second delivery", () => {
    const kit = new TestKit();
    const s = kit.connected("s");
    s.subscribe("t").take();
    const p = kit.connected("p", 4, { clean: false });
    p.publish("t", "x", 2, { messageId: 9 });
    p.drop();
    const again = kit.client(4).connect("p", { clean: false });
    again.take();
    again.publish("t", "x", 2, { messageId: 9, dup: true }).send({ cmd: "pubrel", messageId: 9 });
    expect(again.take().map((x) => x.cmd)).toEqual(["pubrec", "pubcomp"]);
    expect(s.messages()).toHaveLength(1);
  });

  test("session expiry: kept until then, gone after; a new value on DISCONNECT counts [MQTT-3.1.2-23]", () => {
    const kit = new TestKit();
    const c = kit.connected("c", 5, { clean: false, properties: { sessionExpiryInterval: 10 } });
    c.subscribe("t", 1);
    c.disconnect();
    kit.pass(9000);
    expect(kit.broker.sessions.has("c")).toBe(true);
    const again = kit.client(5).connect("c", { clean: false, properties: { sessionExpiryInterval: 10 } });
    expect(again.take()).toMatchObject([{ sessionPresent: true }]);
    again.send({ cmd: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 60 } } as never);
    kit.pass(50_000);
    expect(kit.broker.sessions.has("c")).toBe(true);
    kit.pass(11_000);
    expect(kit.broker.sessions.has("c")).toBe(false);
    expect(kit.broker.router.size).toBe(0);
  });

  test("session expiry 0 may not become more on DISCONNECT [MQTT-3.14.2-2]", () => {
    const kit = new TestKit();
    const c = kit.connected("c", 5);
    c.send({ cmd: "disconnect", reasonCode: 0, properties: { sessionExpiryInterval: 60 } } as never);
    expect(c.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x82 }]);
  });

  test("the same client id again: the old connection hears 0x8E and is closed [MQTT-3.1.4-3]", () => {
    const kit = new TestKit();
    const old = kit.connected("c", 5);
    old.subscribe("t");
    old.take();
    const fresh = kit.client(5).connect("c");
    expect(old.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x8e }]);
    expect(old.transport.ended).toBe(true);
    expect(fresh.take()).toMatchObject([{ cmd: "connack", sessionPresent: false }]);
    expect(kit.broker.connections).toBe(1);
    expect(kit.broker.router.size).toBe(0);
    expect([...kit.listener.shutdowns]).toEqual([["discarded", 1]]);
    kit.client(5).connect("c", { clean: false });
    expect([...kit.listener.shutdowns]).toEqual([
      ["discarded", 1],
      ["conflict", 1],
    ]);
  });

  test("a full queue loses its oldest message and says so", () => {
    const kit = new TestKit({ zone: { maxMqueueLen: 2 } });
    kit.connected("s", 4, { clean: false }).subscribe("t", 1).disconnect();
    const p = kit.connected("p");
    for (let i = 1; i <= 4; i++) p.publish("t", String(i), 1, { messageId: i });
    expect(kit.broker.sessions.get("s")?.mqueueDropped).toBe(2);
    expect(
      kit
        .client(4)
        .connect("s", { clean: false })
        .messages()
        .map((m) => m.payload),
    ).toEqual(["3", "4"]);
  });

  test("a reader that does not read: QoS 1 waits in its session, QoS 0 is dropped, others are unharmed, and it gets the rest later", () => {
    const kit = new TestKit({ zone: { maxMqueueLen: 100 } });
    const slow = kit.connected("slow");
    slow.subscribe("t", 1).take();
    const good = kit.connected("good");
    good.subscribe("t", 1).take();
    slow.transport.room = 0;
    const p = kit.connected("p");
    const big = Buffer.alloc(200_000, 1);
    for (let i = 1; i <= 12; i++) {
      p.publish("t", big, 0);
      p.publish("t", "q1", 1, { messageId: i });
      good.send({ cmd: "puback", messageId: i });
    }
    expect(good.messages()).toHaveLength(24);
    expect(kit.metrics.dropSlowReader).toBeGreaterThan(0);
    expect(kit.broker.sessions.get("slow")?.mqueueLen).toBeGreaterThan(0);
    expect(slow.channel.sendPend).toBeLessThan(2_000_000);
    slow.transport.room = Number.POSITIVE_INFINITY;
    slow.channel.onDrain();
    kit.settle();
    for (let i = 1; i <= 12; i++) slow.send({ cmd: "puback", messageId: i });
    expect(slow.messages().filter((m) => m.qos === 1)).toHaveLength(12);
  });

  test("3.x clients get unacknowledged messages again after retry_interval, 5.0 clients never on a living connection", () => {
    const kit = new TestKit();
    const v4 = kit.connected("v4", 4);
    const v5 = kit.connected("v5", 5);
    v4.subscribe("t", 1).take();
    v5.subscribe("t", 1).take();
    kit.connected("p").publish("t", "x", 1);
    v4.take();
    v5.take();
    kit.pass(21_000);
    expect(v4.messages()).toMatchObject([{ payload: "x", dup: true, messageId: 1 }]);
    expect(v5.take()).toEqual([]);
  });

  test("QoS 2 messages never released are forgotten after await_rel_timeout", () => {
    const kit = new TestKit();
    const c = kit.connected("c", 4, { keepalive: 600 });
    c.publish("t", "x", 2);
    expect(kit.broker.sessions.get("c")?.awaitingRelLen).toBe(1);
    kit.pass(301_000 + 600_000);
    expect(kit.metrics.qos2Expired + Number(!kit.broker.sessions.has("c"))).toBeGreaterThan(0);
  });

  test("mountpoint: clients of a zone live in their own topics", () => {
    const kit = new TestKit({ zone: { mountpoint: "dev/%c/" } });
    const a = kit.connected("a", 5);
    a.subscribe("t", 1).take();
    expect([...kit.broker.router.topics()]).toEqual(["dev/a/t"]);
    kit.connected("b", 5).publish("t", "not for a");
    a.publish("t", "own", 1).publish("t", "own0");
    expect(a.messages().map((m) => [m.topic, m.payload])).toEqual([
      ["t", "own"],
      ["t", "own0"],
    ]);
    a.send({ cmd: "unsubscribe", messageId: 3, unsubscriptions: ["t"] });
    expect(kit.broker.router.size).toBe(0);
  });
});

describe("a later connection that takes less", () => {
  const puback = (messageId: number | undefined): never => ({ cmd: "puback", messageId, reasonCode: 0 }) as never;
  const persistent = (more: Record<string, unknown> = {}): never =>
    ({ clean: false, properties: { sessionExpiryInterval: 1000, ...more } }) as never;

  /** A session with QoS 1 and 2 messages in flight, in turn, whose client is gone. */
  function inFlight(kit: TestKit, n: number): void {
    const s = kit.connected("s", 5, persistent());
    s.subscribe("t", 2).take();
    const p = kit.connected("p", 5);
    for (let i = 1; i <= n; i++) p.publish("t", `${i}`, i % 2 === 0 ? 2 : 1, { messageId: i });
    expect(s.messages()).toHaveLength(n);
    s.drop();
  }

  test("Receive Maximum: no more than that again at a time, in order, new messages behind them [MQTT-3.3.4-9], [MQTT-4.4.0-1]", () => {
    const kit = new TestKit();
    inFlight(kit, 5);
    const s = kit.client(5).connect("s", persistent({ receiveMaximum: 2 }));
    const seen = s.messages();
    expect(seen.map((m) => [m.payload, m.dup])).toEqual([
      ["1", true],
      ["2", true],
    ]);
    kit.connected("q", 5).publish("t", "new", 1).publish("t", "zero", 0);
    // QoS 0 takes no part in this (section 4.9).
    expect(s.messages().map((m) => m.payload)).toEqual(["zero"]);
    s.send(puback(1));
    expect(s.messages().map((m) => [m.payload, m.messageId, m.dup])).toEqual([["3", 3, true]]);
    // PUBREC frees no room, PUBCOMP does.
    s.send({ cmd: "pubrec", messageId: 2 });
    expect(s.take()).toMatchObject([{ cmd: "pubrel", messageId: 2 }]);
    s.send({ cmd: "pubcomp", messageId: 2 });
    expect(s.messages().map((m) => m.payload)).toEqual(["4"]);
    s.send(puback(3));
    expect(s.messages().map((m) => m.payload)).toEqual(["5"]);
    s.send(puback(5));
    expect(s.messages().map((m) => [m.payload, m.messageId, m.dup])).toEqual([["new", 6, false]]);
  });

  test("a PUBREL sent again takes no room (section 4.9)", () => {
    const kit = new TestKit();
    const first = kit.connected("s", 5, persistent());
    first.subscribe("t", 2).take();
    const p = kit.connected("p", 5);
    for (let i = 1; i <= 3; i++) p.publish("t", `${i}`, 2, { messageId: i });
    first.send({ cmd: "pubrec", messageId: 1 }).send({ cmd: "pubrec", messageId: 2 });
    first.drop();
    const s = kit.client(5).connect("s", persistent({ receiveMaximum: 1 }));
    expect(s.take().map((x) => [x.cmd, x.messageId ?? null])).toEqual([
      ["connack", null],
      ["pubrel", 1],
      ["pubrel", 2],
      ["publish", 3],
    ]);
    p.publish("t", "4", 1, { messageId: 4 });
    // Their PUBCOMPs give back nothing that was not taken.
    s.send({ cmd: "pubcomp", messageId: 1 }).send({ cmd: "pubcomp", messageId: 2 });
    expect(s.take()).toEqual([]);
    s.send({ cmd: "pubrec", messageId: 3 }).send({ cmd: "pubcomp", messageId: 3 });
    expect(s.messages().map((m) => m.payload)).toEqual(["4"]);
  });

  test("a second reconnect in the middle begins again with what is left", () => {
    const kit = new TestKit();
    inFlight(kit, 4);
    const s = kit.client(5).connect("s", persistent({ receiveMaximum: 2 }));
    s.take();
    s.send(puback(1));
    expect(s.messages().map((m) => m.payload)).toEqual(["3"]);
    s.drop();
    const again = kit.client(5).connect("s", persistent({ receiveMaximum: 10 }));
    expect(again.messages().map((m) => [m.payload, m.dup])).toEqual([
      ["2", true],
      ["3", true],
      ["4", true],
    ]);
  });

  test("a reader that does not read: the rest is sent again when it reads", () => {
    const kit = new TestKit();
    const s = kit.connected("s", 5, persistent());
    s.subscribe("t", 1).take();
    const p = kit.connected("p", 5);
    const big = Buffer.alloc(200_000, 1);
    for (let i = 1; i <= 12; i++) p.publish("t", big, 1, { messageId: i });
    s.drop();
    const again = kit.client(5);
    again.transport.room = 1000;
    again.connect("s", persistent());
    for (let i = 13; i <= 15; i++) p.publish("t", big, 1, { messageId: i });
    expect(again.channel.sendPend).toBeLessThan(1_500_000);
    again.transport.room = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 10; i++) {
      again.channel.onDrain();
      kit.settle();
    }
    const seen = again.messages();
    expect(seen.map((m) => m.messageId)).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
    expect(seen.filter((m) => m.dup)).toHaveLength(12);
  });

  for (const keep of ["connected", "crashed"] as const) {
    test(`Maximum Packet Size: what does not fit any more is done with, ${keep} [MQTT-3.1.2-24], [MQTT-3.1.2-25]`, () => {
      const clock = new TestClock();
      const store = new MemoryStore();
      let kit = new TestKit({ store, clock });
      const s = kit.connected("s", 5, persistent());
      s.subscribe("t", 2).take();
      const p = kit.connected("p", 5);
      p.publish("t", Buffer.alloc(200), 1, { messageId: 1 }).publish("t", Buffer.alloc(200), 2, { messageId: 2 });
      p.publish("t", "small", 1, { messageId: 3 });
      s.drop();
      if (keep === "crashed") {
        kit = new TestKit({ store: store.crash(), clock });
        kit.broker.registry.restore();
      }
      const dropped: unknown[] = [];
      kit.hooks.add("message.dropped", "test", (_m, reason, id) => dropped.push([reason, id]));
      const again = kit.client(5).connect("s", persistent({ receiveMaximum: 1, maximumPacketSize: 100 }));
      expect(again.messages().map((m) => [m.payload, m.messageId])).toEqual([["small", 3]]);
      expect(dropped).toEqual([
        ["too_large", "s"],
        ["too_large", "s"],
      ]);
      again.send(puback(3));
      kit.connected("q", 5).publish("t", "next", 1);
      expect(again.messages().map((m) => m.payload)).toEqual(["next"]);
      again.send(puback(4));
      again.drop();
      // The journal knows nothing of it either.
      const after = new TestKit({ store: (kit.store as MemoryStore).crash(), clock });
      after.broker.registry.restore();
      expect(after.broker.sessions.get("s")?.inflightLen).toBe(0);
    });
  }

  test("a message that an alias would make too large goes without, and takes no room for ever", () => {
    const kit = new TestKit();
    const s = kit.connected("s", 5, { properties: { maximumPacketSize: 50, topicAliasMaximum: 5, receiveMaximum: 1 } });
    s.subscribe("t", 1).take();
    const p = kit.connected("p", 5);
    // Fixed header 2, topic 3, identifier 2, property length 1: 42 bytes of payload make 50.
    p.publish("t", Buffer.alloc(42), 1).publish("t", "next", 1);
    expect(s.messages().map((m) => [m.payload.length, m.properties?.topicAlias])).toEqual([[42, undefined]]);
    s.send(puback(1));
    expect(s.messages().map((m) => [m.payload, m.properties?.topicAlias])).toEqual([["next", 1]]);
  });

  test("as in EMQ X 3.1: max_inflight of the zone for 3.x, Receive Maximum for 5.0", () => {
    for (const [version, maxInflight, receiveMaximum, inWindow] of [
      [4, 3, undefined, 3],
      [4, 0, undefined, 40],
      [5, 3, undefined, 40],
      [5, 0, 7, 7],
      [5, 3, 7, 7],
    ] as const) {
      const kit = new TestKit({ zone: { maxInflight } });
      const s = kit.connected("s", version, receiveMaximum === undefined ? {} : { properties: { receiveMaximum } });
      s.subscribe("t", 1).take();
      const p = kit.connected("p");
      for (let i = 1; i <= 40; i++) p.publish("t", "x", 1, { messageId: i });
      expect([version, maxInflight, s.messages().length]).toEqual([version, maxInflight, inWindow]);
    }
  });

  test("retry_interval sends again what is that old, and nothing younger", () => {
    const kit = new TestKit();
    const s = kit.connected("s", 4);
    s.subscribe("t", 2).take();
    const p = kit.connected("p");
    p.publish("t", "old", 2, { messageId: 1 }).publish("t", "released", 2, { messageId: 2 });
    s.send({ cmd: "pubrec", messageId: 2 });
    kit.pass(15_000);
    p.publish("t", "young", 1, { messageId: 3 });
    s.take();
    kit.pass(6000);
    expect(s.take().map((x) => [x.cmd, x.messageId])).toEqual([
      ["publish", 1],
      ["pubrel", 2],
    ]);
    kit.pass(20_000);
    expect(s.messages().map((m) => [m.payload, m.dup])).toContainEqual(["young", true]);
  });
});

describe("kept through a crash", () => {
  test("sessions, subscriptions, queued and inflight messages, QoS 2 states come back; nothing acknowledged is lost or doubled", () => {
    const clock = new TestClock();
    const store = new MemoryStore();
    const before = new TestKit({ store, clock });
    const s = before.connected("s", 5, forever);
    s.subscribe("t", 2, { subId: 3 }).take();
    const p = before.connected("p", 5, forever);
    p.publish("t", "inflight", 1, { messageId: 1 }).publish("t", "received", 2, { messageId: 2 });
    s.take();
    s.send({ cmd: "pubrec", messageId: 2 });
    s.drop();
    p.publish("t", "queued", 1, { messageId: 3 });
    expect(p.take().map((x) => x.cmd)).toEqual(["puback", "pubrec", "puback"]);

    const after = new TestKit({ store: store.crash(), clock });
    expect(after.broker.registry.restore()).toBe(2);
    expect([...after.broker.router.topics()]).toEqual(["t"]);
    const again = after.client(5).connect("s", forever);
    expect(
      again
        .take()
        .map((x) => [x.cmd, x.messageId ?? null, (x as { dup?: boolean }).dup ?? null, String((x as { payload?: Buffer }).payload ?? "")]),
    ).toEqual([
      ["connack", null, false, ""],
      ["publish", 1, true, "inflight"],
      ["pubrel", 2, false, ""],
      ["publish", 3, false, "queued"],
    ]);
    const publisher = after.client(5).connect("p", forever);
    publisher.take();
    publisher.publish("t", "received", 2, { messageId: 2, dup: true });
    expect(publisher.take()).toMatchObject([{ cmd: "pubrec" }]);
    expect(again.messages()).toEqual([]);
  });

  test("no acknowledgement leaves before the commit", () => {
    const store = new MemoryStore();
    const kit = new TestKit({ store });
    kit.connected("s", 4, { clean: false }).subscribe("t", 1).disconnect();
    const p = kit.connected("p");
    const commit = store.commit.bind(store);
    let seen = -1;
    store.commit = () => {
      seen = p.transport.chunks.length;
      commit();
    };
    const had = p.transport.chunks.length;
    p.publish("t", "x", 1);
    expect(seen).toBe(had);
    expect(p.take().map((x) => x.cmd)).toEqual(["puback"]);
  });

  test("a disk that fails acknowledges nothing: the publisher is cut, an alarm is raised, and service goes on when it works again", () => {
    const store = new MemoryStore();
    const kit = new TestKit({ store });
    kit.connected("s", 4, { clean: false }).subscribe("t", 1).disconnect();
    const commit = store.commit.bind(store);
    store.commit = () => {
      throw new Error("disk full");
    };
    const p = kit.connected("p");
    const q0 = kit.connected("q0");
    q0.subscribe("z").take();
    p.publish("t", "x", 1);
    expect(p.take()).toEqual([]);
    expect(p.transport.destroyed).toBe(true);
    expect(kit.alarms.has("storage_failed")).toBe(true);
    kit.connected("other").publish("z", "still here");
    expect(q0.messages().map((m) => m.payload)).toEqual(["still here"]);
    store.commit = commit;
    kit.pass(200);
    expect(kit.alarms.has("storage_failed")).toBe(false);
  });
});
