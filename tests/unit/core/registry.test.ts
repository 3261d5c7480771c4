import { describe, expect, test } from "bun:test";
import type { HookPoint } from "../../../server/core/hooks.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { TestKit } from "../../support/test_broker.ts";

const options = { qos: 1, nl: false, rap: false, rh: 0, subId: 0 } as const;
const persistent: never = { clean: false, properties: { sessionExpiryInterval: 1000 } } as never;

/** Nothing is left of a client that is gone. */
function gone(kit: TestKit, session: "kept" | "ended"): void {
  expect(kit.broker.connections).toBe(0);
  const s = kit.broker.sessions.get("c");
  expect(s === undefined).toBe(session === "ended");
  expect(s?.channel ?? null).toBeNull();
  if (session === "ended") expect([kit.broker.router.size, kit.broker.router.subscriptionCount]).toEqual([0, 0]);
  expect(kit.log.errors).toEqual([]);
}

test("a session is created once and resumed whenever its client comes back", () => {
  const kit = new TestKit();
  for (let i = 0; i < 3; i++) kit.connected("c", 5, persistent).drop();
  expect([kit.metrics.sessionsCreated, kit.metrics.sessionsResumed]).toEqual([1, 2]);
});

describe("a hook that ends the client it is told of", () => {
  const POINTS: HookPoint[] = [
    "session.created",
    "session.resumed",
    "client.connected",
    "client.subscribe",
    "session.subscribed",
    "client.unsubscribe",
    "session.unsubscribed",
  ];
  for (const point of POINTS) {
    for (const how of ["kicks", "drops the session"] as const) {
      for (const kept of [false, true]) {
        if (point === "session.resumed" && !kept) continue;
        test(`${point} ${how}${kept ? ", persistent session" : ""}`, () => {
          const kit = new TestKit();
          const connect = kept ? persistent : {};
          if (kept && point === "session.resumed") kit.connected("c", 5, persistent).disconnect();
          let ended = 0;
          let connected = 0;
          if (point.startsWith("session.")) kit.hooks.add("client.connected", "count", () => connected++, 1);
          kit.hooks.add(point, "test", () => {
            if (ended++ > 0) return;
            if (how === "kicks") kit.broker.kick("c");
            else kit.broker.dropSession("c");
          });
          const c = kit.client(5).connect("c", connect);
          c.subscribe("t", 1);
          c.send({ cmd: "unsubscribe", messageId: 9, unsubscriptions: ["t"] });
          expect(ended).toBeGreaterThan(0);
          // Who is gone already is not told of as connected.
          if (point === "session.created" || point === "session.resumed") expect(connected).toBe(0);
          expect(c.channel.phase).toBe("closed");
          expect(c.transport.ended).toBe(true);
          const packets = c.take();
          expect(packets.at(0)).toMatchObject({ cmd: "connack", reasonCode: 0 });
          expect(packets.at(-1)).toMatchObject({ cmd: "disconnect", reasonCode: 0x98 });
          expect(packets.filter((p) => p.cmd === "disconnect")).toHaveLength(1);
          gone(kit, kept && how === "kicks" ? "kept" : "ended");
          expect(kit.metrics.clientsConnected - kit.metrics.clientsDisconnected).toBe(0);
          // The next one finds a broker in order.
          const next = kit.client(5).connect("c");
          next.subscribe("x", 1);
          kit.connected("p").publish("x", "x", 1);
          expect(next.messages()).toHaveLength(1);
        });
      }
    }
  }

  test("client.disconnected and session.terminated may do it again", () => {
    const kit = new TestKit();
    for (const point of ["client.disconnected", "session.terminated"] as const)
      kit.hooks.add(point, "test", () => {
        kit.broker.kick("c");
        kit.broker.dropSession("c");
      });
    const c = kit.connected("c", 5);
    c.subscribe("t").take();
    c.drop();
    gone(kit, "ended");
  });

  test("session.created hears of a client that can be written to, behind its CONNACK", () => {
    const kit = new TestKit();
    kit.hooks.add("session.created", "test", (id) => {
      kit.broker.subscribe(id, "t", options);
      kit.broker.publish(
        kit.broker.restored({
          topic: "t",
          payload: Buffer.from("hello"),
          qos: 1,
          retain: false,
          from: "",
          username: null,
          timestamp: 0,
          expiresAt: 0,
          properties: null,
        }),
      );
    });
    expect(kit.client(5).connect("c").take()).toMatchObject([{ cmd: "connack" }, { cmd: "publish", topic: "t" }]);
  });

  test("a will's message that ends the session of its client leaves nothing in the journal", () => {
    const kit = new TestKit();
    kit.hooks.add("message.publish", "test", (m) => {
      if (m.topic === "will") kit.broker.dropSession("c");
      return m;
    });
    const c = kit.connected("c", 5, {
      ...(persistent as object),
      will: { topic: "will", payload: Buffer.from("x"), qos: 0, retain: false },
    });
    c.drop();
    gone(kit, "ended");
    kit.store.commit();
    expect(kit.store.sessions.load()).toEqual([]);
  });
});

describe("the end of a session", () => {
  test("hundreds of thousands of subscriptions go in several turns, nothing is delivered meanwhile, and a new session is not touched", async () => {
    const kit = new TestKit();
    const c = kit.connected("c");
    for (let i = 0; i < 3500; i++) kit.broker.subscribe("c", `f/${i}`, options);
    kit.broker.subscribe("c", "f/+", options);
    c.transport.room = 0;
    c.channel.onClose("closed");
    const { router } = kit.broker;
    expect(router.size).toBe(3501 - 32);
    const again = kit.connected("c");
    again.subscribe("f/3400", 1).take();
    const p = kit.connected("p", 5);
    p.publish("f/3400", "x", 1).publish("f/3499", "x", 1, { messageId: 2 });
    expect(again.messages()).toHaveLength(1);
    for (let turn = 0; turn < 50 && router.size > 1; turn++) {
      kit.settle();
      await Promise.resolve();
    }
    expect([...router.topics()]).toEqual(["f/3400"]);
    p.publish("f/3400", "x", 1, { messageId: 3 });
    again.send({ cmd: "puback", messageId: 1 });
    expect(again.messages()).toHaveLength(1);
  });

  test("a group that was empty in the meantime is found again: its message goes to the new members [MQTT-4.8.2-5]", () => {
    const kit = new TestKit();
    const a = kit.connected("a", 4);
    a.subscribe("$share/g/t", 1).take();
    kit.connected("p").publish("t", "x", 1);
    expect(a.messages()).toHaveLength(1);
    kit.broker.unsubscribe("a", "$share/g/t");
    const b = kit.connected("b", 4);
    b.subscribe("$share/g/t", 1).take();
    a.drop();
    expect(b.messages().map((m) => m.payload)).toEqual(["x"]);
  });

  test("what has expired meanwhile goes to nobody else", () => {
    const kit = new TestKit();
    const a = kit.connected("a", 5);
    a.subscribe("$share/g/t", 1).take();
    kit.connected("p", 5).publish("t", "x", 1, { properties: { messageExpiryInterval: 3 } });
    expect(a.messages()).toHaveLength(1);
    const b = kit.connected("b", 5);
    b.subscribe("$share/g/t", 1).take();
    kit.pass(4000);
    a.drop();
    expect(b.messages()).toEqual([]);
    expect(kit.metrics.messagesExpired).toBe(1);
  });
});

test("a window filled from a queue with priorities comes back with its identifiers and in its order", () => {
  const store = new MemoryStore();
  const zone = {
    mqueuePriorities: new Map([
      ["a", 1],
      ["b", 3],
      ["c", 2],
    ]),
  };
  const kit = new TestKit({ store, zone });
  const c = kit.connected("c", 4, { clean: false });
  for (const topic of ["a", "b", "c"]) c.subscribe(topic, 1);
  c.disconnect();
  const p = kit.connected("p");
  for (const topic of ["c", "b", "a"]) p.publish(topic, "x", 1);
  const sent = (k: TestKit): unknown[] =>
    k
      .client()
      .connect("c", { clean: false })
      .messages()
      .map((m) => [m.topic, m.messageId]);
  const before = sent(kit);
  expect(before).toEqual([
    ["b", 1],
    ["c", 2],
    ["a", 3],
  ]);
  const next = new TestKit({ store: store.crash(), zone });
  next.broker.registry.restore();
  expect(next.broker.sessions.get("c")?.inflight?.exhausted).toBe(false);
  expect(sent(next)).toEqual(before);
});

describe("a session that begins to be kept, or goes on", () => {
  const restarted = (kit: TestKit, store: MemoryStore): TestKit => {
    const next = new TestKit({ store: store.crash(), clock: kit.clock });
    next.broker.registry.restore();
    return next;
  };

  test("a connection that takes over one whose session was to end with it finds nothing of it", () => {
    const store = new MemoryStore();
    const kit = new TestKit({ store });
    kit.connected("c", 5, { clean: false }).subscribe("a", 1);
    const second = kit.client(5).connect("c", persistent);
    expect(second.take()).toMatchObject([{ cmd: "connack", sessionPresent: false }]);
    second.subscribe("b", 1);
    const session = restarted(kit, store).broker.sessions.get("c");
    expect([...(session?.subscriptions() ?? [])].map((s) => s.filter)).toEqual(["b"]);
  });

  test("one that comes back under another user name and with another expiry: the journal has them", () => {
    const store = new MemoryStore();
    const kit = new TestKit({ store });
    kit.connected("c", 5, { ...(persistent as object), username: "one" }).disconnect();
    kit.connected("c", 5, { clean: false, username: "two", properties: { sessionExpiryInterval: 5000 } });
    const session = restarted(kit, store).broker.sessions.get("c");
    expect([session?.username, session?.expiry]).toEqual(["two", 5000]);
  });

  test("a restart does not lengthen its life: gone when its expiry is over; one that never expires stays", () => {
    const store = new MemoryStore();
    const kit = new TestKit({ store });
    kit.connected("short", 5, { clean: false, properties: { sessionExpiryInterval: 60 } }).disconnect();
    kit.connected("ever", 5, { clean: false, properties: { sessionExpiryInterval: 0xffffffff } }).disconnect();
    const next = restarted(kit, store);
    next.pass(59_000);
    expect([...next.broker.sessions.keys()].sort()).toEqual(["ever", "short"]);
    next.pass(2000);
    expect([...next.broker.sessions.keys()]).toEqual(["ever"]);
  });
});

test("a subscription made for a client is new once", () => {
  const kit = new TestKit();
  kit.connected("c", 5);
  const told: [filter: string, isNew: boolean][] = [];
  kit.hooks.add("session.subscribed", "test", (_id, filter, _options, isNew) => void told.push([filter, isNew]));
  for (const filter of ["a", "$share/g/a", "a", "$share/g/a"]) expect(kit.broker.subscribe("c", filter, options)).toBe(true);
  expect(told).toEqual([
    ["a", true],
    ["$share/g/a", true],
    ["a", false],
    ["$share/g/a", false],
  ]);
});
