import { describe, expect, test } from "bun:test";
import { HIGH_WATER } from "../../../server/core/out.ts";
import { memoryStore } from "../../support/memory_store.ts";
import { type TestClient, TestKit } from "../../support/test_broker.ts";

const HOUR = 3_600_000;
const isOpen = (c: TestClient): boolean => !c.transport.ended && !c.transport.destroyed;

describe("somebody sets the wall clock", () => {
  for (const jump of [HOUR, -HOUR]) {
    const way = jump > 0 ? "forwards" : "backwards";

    test(`an hour ${way}: who pings stays, who is silent goes, in its own time`, () => {
      const kit = new TestKit();
      const alive = kit.connected("alive", 4, { keepalive: 10 });
      const silent = kit.connected("silent", 4, { keepalive: 10 });
      kit.pass(9000);
      alive.send({ cmd: "pingreq" });
      kit.clock.jump(jump);
      kit.pass(5900);
      expect([isOpen(alive), isOpen(silent)]).toEqual([true, true]);
      kit.pass(600);
      expect([isOpen(alive), isOpen(silent)]).toEqual([true, false]);
    });

    test(`an hour ${way}: a connection without CONNECT is closed after idle_timeout`, () => {
      const kit = new TestKit({ zone: { idleTimeoutMs: 15_000 } });
      const c = kit.client();
      kit.clock.jump(jump);
      kit.pass(14_400);
      expect(isOpen(c)).toBe(true);
      kit.pass(700);
      expect(isOpen(c)).toBe(false);
      expect(kit.listener.shutdowns.get("idle_timeout")).toBe(1);
    });

    test(`an hour ${way}: redelivery to a 3.x client comes after retry_interval`, () => {
      const kit = new TestKit({ zone: { retryIntervalMs: 20_000 } });
      const c = kit.connected("r").subscribe("t", 1);
      c.take();
      kit.connected("p").publish("t", "x", 1);
      expect(c.messages()).toHaveLength(1);
      kit.clock.jump(jump);
      kit.pass(19_000);
      expect(c.messages()).toHaveLength(0);
      kit.pass(1600);
      expect(c.messages()).toMatchObject([{ payload: "x", dup: true }]);
    });

    test(`an hour ${way}: a publisher within its publish_limit is read on`, () => {
      const kit = new TestKit({ zone: { publishLimit: { count: 10, intervalMs: 1000 } } });
      const c = kit.connected("p");
      c.publish("t");
      kit.clock.jump(jump);
      c.publish("t");
      expect(c.transport.paused).toBe(false);
      for (let i = 0; i < 20; i++) c.publish("t");
      expect(c.transport.paused).toBe(true);
      kit.pass(3000);
      expect(c.transport.paused).toBe(false);
    });

    test(`an hour ${way}: an ACL verdict is kept for its time`, () => {
      const kit = new TestKit({ zone: { aclCacheTtlMs: 60_000 } });
      let asked = 0;
      kit.hooks.add("client.check_acl", "t", () => {
        asked++;
        return { verdict: "allow" };
      });
      const c = kit.connected("p");
      c.publish("t");
      kit.clock.jump(jump);
      c.publish("t");
      expect(asked).toBe(1);
      kit.pass(60_100);
      c.publish("t");
      expect(asked).toBe(2);
    });

    test(`an hour ${way}: a queued message expires after its own time`, () => {
      const kit = new TestKit();
      const away = kit.connected("away", 5, { clean: false, properties: { sessionExpiryInterval: 7200 } }).subscribe("t", 1);
      away.drop();
      const p = kit.connected("p", 5);
      p.publish("t", "short", 1, { properties: { messageExpiryInterval: 10 } });
      p.publish("t", "long", 1, { messageId: 2, properties: { messageExpiryInterval: 60 } });
      kit.clock.jump(jump);
      kit.pass(20_000);
      const back = kit.client(5).connect("away", { clean: false, properties: { sessionExpiryInterval: 7200 } });
      expect(back.messages()).toMatchObject([{ payload: "long", properties: { messageExpiryInterval: 40 } }]);
    });

    test(`an hour ${way}: session expiry and will delay run on`, () => {
      const kit = new TestKit();
      const watcher = kit.connected("watcher").subscribe("will/#");
      watcher.take();
      const will = { topic: "will/x", payload: Buffer.from("gone"), qos: 0 as const, retain: false, properties: { willDelayInterval: 5 } };
      kit.connected("c", 5, { properties: { sessionExpiryInterval: 30 }, will }).drop();
      kit.clock.jump(jump);
      kit.pass(4800);
      expect(watcher.messages()).toEqual([]);
      kit.pass(300);
      expect(watcher.messages()).toMatchObject([{ topic: "will/x", payload: "gone" }]);
      expect(kit.broker.sessions.has("c")).toBe(true);
      kit.pass(25_100);
      expect(kit.broker.sessions.has("c")).toBe(false);
    });
  }
});

describe("looked at by the wheel", () => {
  test("idle_timeout is judged at its very moment", () => {
    const kit = new TestKit({ zone: { idleTimeoutMs: 2000 } });
    const c = kit.client();
    kit.pass(1900);
    expect(isOpen(c)).toBe(true);
    kit.pass(100);
    expect(isOpen(c)).toBe(false);
  });

  test("after a halt of the process, what came meanwhile is read before silence is judged", () => {
    const kit = new TestKit();
    const c = kit.connected("c", 4, { keepalive: 10 });
    const silent = kit.connected("silent", 4, { keepalive: 10 });
    kit.clock.time += 60_000;
    kit.broker.tick();
    c.send({ cmd: "pingreq" });
    kit.pass(600);
    expect([isOpen(c), isOpen(silent)]).toEqual([true, false]);
    expect(kit.metrics.keepaliveTimeouts).toBe(1);
  });
});

test("the kernel looks after those alone that nobody else does: without a keep alive", () => {
  const kit = new TestKit();
  const probed = (c: TestClient): boolean => c.transport.probed;
  expect([probed(kit.client()), probed(kit.connected("a", 4, { keepalive: 60 })), probed(kit.connected("b"))]).toEqual([
    false,
    false,
    true,
  ]);
  kit.zone.serverKeepalive = 30;
  expect([probed(kit.connected("c", 5)), probed(kit.connected("d", 4))]).toEqual([false, true]);
});

describe("QoS 2 messages never released", () => {
  test("are forgotten after await_rel_timeout, also without keep alive and with nothing in flight", () => {
    const kit = new TestKit({ zone: { awaitRelTimeoutMs: 300_000 } });
    const c = kit.connected("c", 4, { keepalive: 0 });
    c.publish("t", "1", 2, { messageId: 1 });
    kit.pass(100_000);
    c.publish("t", "2", 2, { messageId: 2 });
    const { session } = c.channel;
    kit.pass(200_600);
    expect([...(session?.awaitingRel?.keys() ?? [])]).toEqual([2]);
    kit.pass(100_000);
    expect(session?.awaitingRelLen).toBe(0);
    expect(kit.metrics.qos2Expired).toBe(2);
  });

  test("the journal forgets them too", () => {
    const store = memoryStore();
    const kit = new TestKit({ store, zone: { awaitRelTimeoutMs: 10_000 } });
    kit.connected("c", 4, { clean: false }).publish("t", "1", 2, { messageId: 9 });
    kit.pass(11_000);
    expect(store.problems).toEqual([]);
    const next = new TestKit({ store: store.crash() });
    next.broker.registry.restore();
    expect(next.broker.sessions.get("c")?.awaitingRelLen).toBe(0);
  });

  test("a client that was away has the whole time again; what it sends again is no new message", () => {
    const store = memoryStore();
    const kit = new TestKit({ store, zone: { awaitRelTimeoutMs: 10_000 } });
    const listener = kit.connected("l").subscribe("t", 0);
    listener.take();
    kit.connected("c", 4, { clean: false }).publish("t", "1", 2, { messageId: 9 }).drop();
    kit.pass(60_000);
    const c = kit.connected("c", 4, { clean: false });
    c.publish("t", "1", 2, { messageId: 9, dup: true });
    expect(listener.messages()).toHaveLength(1);
    expect(c.take()).toMatchObject([{ cmd: "pubrec", messageId: 9 }]);
    kit.pass(9000);
    expect(c.channel.session?.awaitingRelLen).toBe(1);
    kit.pass(2000);
    expect(c.channel.session?.awaitingRelLen).toBe(0);
  });

  test("… counted from when it came back, whatever brings somebody to look", () => {
    const kit = new TestKit({ zone: { awaitRelTimeoutMs: 10_000 } });
    const left = (c: TestClient): number[] => [...(c.channel.session?.awaitingRel?.keys() ?? [])];
    kit.connected("c", 4, { clean: false }).publish("t", "1", 2, { messageId: 9 });
    kit.pass(6000);
    // Its keep alive is looked at after 6 s.
    const c = kit.connected("c", 4, { clean: false, keepalive: 4 });
    kit.pass(3000);
    c.publish("t", "2", 2, { messageId: 10 });
    kit.pass(4000);
    expect(left(c)).toEqual([9, 10]);
    c.send({ cmd: "pingreq" });
    kit.pass(3500);
    expect(left(c)).toEqual([10]);
  });
});

describe("redelivery to a 3.x client", () => {
  test("of every message, also when it comes after a time without any in flight", () => {
    const kit = new TestKit({ zone: { retryIntervalMs: 20_000 } });
    const c = kit.connected("r").subscribe("t", 1);
    c.take();
    const p = kit.connected("p").publish("t", "1", 1);
    c.send({ cmd: "puback", messageId: c.messages()[0]?.messageId as number });
    kit.pass(25_000);
    p.publish("t", "2", 1);
    expect(c.messages()).toMatchObject([{ payload: "2", dup: false }]);
    kit.pass(21_000);
    expect(c.messages()).toMatchObject([{ payload: "2", dup: true }]);
  });

  test("stops where a reconnected client has not got everything again yet", () => {
    const kit = new TestKit({ zone: { retryIntervalMs: 2000, maxInflight: 10 } });
    const p = kit.connected("p");
    const first = kit.connected("r", 4, { clean: false }).subscribe("t", 1);
    for (const payload of ["1", "2", "3", "4"]) p.publish("t", payload, 1);
    first.drop();
    kit.zone.maxInflight = 2;
    const c = kit.client(4).connect("r", { clean: false });
    expect(c.messages().map((m) => m.payload)).toEqual(["1", "2"]);
    kit.pass(3000);
    expect(c.messages().map((m) => m.payload)).toEqual(["1", "2"]);
  });

  test("no more at a time than it reads", () => {
    const kit = new TestKit({ zone: { retryIntervalMs: 2000, maxInflight: 0 } });
    const c = kit.connected("r").subscribe("t", 1);
    const p = kit.connected("p");
    for (let i = 0; i < 50; i++) p.publish("t", Buffer.alloc(100_000), 1);
    c.take();
    c.transport.room = 0;
    kit.pass(3000);
    expect(c.channel.out.blocked).toBe(true);
    expect(c.channel.out.pending).toBeLessThan(HIGH_WATER + 101_000);
    c.transport.room = Number.POSITIVE_INFINITY;
    c.channel.onDrain();
    kit.pass(1000);
    expect(new Set(c.messages().map((m) => m.messageId)).size).toBe(50);
  });

  test("a connection that a hook ends in the middle of it is not looked at again", () => {
    const kit = new TestKit({ zone: { retryIntervalMs: 2000 } });
    const c = kit.connected("r", 4, { clean: false }).subscribe("t", 1);
    kit.connected("p").publish("t", "x", 1).drop();
    kit.hooks.add("message.delivered", "kick", (clientId) => void kit.broker.kick(clientId));
    kit.pass(3000);
    expect(isOpen(c)).toBe(false);
    expect(kit.broker.planned.visits).toBe(0);
  });

  test("nobody looks after a 5.0 client's messages: they are not sent again [MQTT-4.4.0-1]", () => {
    const kit = new TestKit({ zone: { retryIntervalMs: 2000 } });
    kit.connected("r", 5).subscribe("t", 1);
    kit.connected("p").publish("t", "x", 1);
    kit.pass(20_000);
    expect(kit.broker.planned.visits).toBe(0);
  });
});

test("a client above its publish_limit is read again after what it owes, but not before 100 ms", () => {
  for (const [count, pause] of [
    [1000, 100],
    [2, 500],
  ] as const) {
    const kit = new TestKit({ zone: { publishLimit: { count, intervalMs: 1000 } } });
    const c = kit.connected("p", 4);
    for (let i = 0; i < count; i++) c.publish("t");
    expect([count, c.transport.paused]).toEqual([count, true]);
    kit.pass(pause - 100);
    expect(c.transport.paused).toBe(true);
    kit.pass(100);
    expect([count, c.transport.paused]).toEqual([count, false]);
  }
});

test("a client that reads slowly, and is not read meanwhile, is not silent as long as it reads", () => {
  const kit = new TestKit();
  const c = kit.connected("c", 4, { keepalive: 1 }).subscribe("t");
  const p = kit.connected("p");
  c.transport.room = 0;
  for (let i = 0; i < 3; i++) p.publish("t", Buffer.alloc(HIGH_WATER / 2));
  c.send({ cmd: "pingreq" });
  expect(c.transport.paused).toBe(true);
  const drains = (bytes: number): void => {
    c.transport.room = bytes;
    c.channel.onDrain();
    kit.settle();
  };
  for (let i = 0; i < 8; i++) {
    kit.pass(1000);
    drains(10_000);
    expect([isOpen(c), c.transport.paused]).toEqual([true, true]);
  }
  kit.pass(1400);
  expect(isOpen(c)).toBe(true);
  kit.pass(1100);
  expect(isOpen(c)).toBe(false);
  expect(kit.metrics.keepaliveTimeouts).toBe(1);
});

describe("a client that was not read", () => {
  // The pause ends in the very tick in which its silence is judged, or around it.
  for (const intervalMs of [1300, 1400, 1500, 1600, 1700]) {
    test(`for ${intervalMs} ms by its publish_limit is not silent: what it sent is still to be read`, () => {
      const kit = new TestKit({ zone: { publishLimit: { count: 1, intervalMs } } });
      const c = kit.connected("p", 4, { keepalive: 1 });
      c.publish("t").publish("t");
      expect(c.transport.paused).toBe(true);
      while (c.transport.paused) kit.pass(100);
      expect(isOpen(c)).toBe(true);
      kit.pass(3000);
      expect(isOpen(c)).toBe(false);
    });
  }
});

test("a timeout that is switched on counts for what has been waiting before: redelivery, and QoS 2 messages never released", () => {
  const kit = new TestKit({ zone: { retryIntervalMs: 0, awaitRelTimeoutMs: 0 } });
  const c = kit.connected("c").subscribe("t", 1);
  kit.connected("p").publish("t", "x", 1);
  c.publish("other", "y", 2);
  c.take();
  kit.pass(600_000);
  const session = kit.broker.sessions.get("c");
  expect([c.messages().length, session?.awaitingRelLen]).toEqual([0, 1]);
  kit.zone.retryIntervalMs = 20_000;
  kit.zone.awaitRelTimeoutMs = 300_000;
  kit.core.refresh();
  kit.pass(1000);
  expect(c.messages()).toMatchObject([{ payload: "x", dup: true }]);
  expect([session?.awaitingRelLen, kit.metrics.qos2Expired]).toEqual([0, 1]);
});
