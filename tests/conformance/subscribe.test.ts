import { describe, expect, test } from "bun:test";
import { TestKit } from "../support/test_broker.ts";

const codes = (packets: unknown[]): unknown => (packets[0] as { granted: unknown }).granted;

describe("SUBSCRIBE and UNSUBSCRIBE", () => {
  test("one code for each filter, in order [MQTT-3.8.4-6]; what the zone does not allow 0x8F, 0x80 in 3.x", () => {
    for (const version of [4, 5] as const) {
      const kit = new TestKit({ zone: { maxTopicLevels: 2 } });
      const c = kit.connected("c", version);
      c.send({
        cmd: "subscribe",
        messageId: 5,
        subscriptions: [
          { topic: "a", qos: 0, rh: 0 },
          { topic: "a/b/c", qos: 1, rh: 0 },
          { topic: "b", qos: 2, rh: 0 },
        ],
      } as never);
      expect(codes(c.take())).toEqual([0, version === 5 ? 0x8f : 0x80, 2]);
    }
  });

  const malformed = [
    "",
    "a#",
    "#/a",
    "a/#/b",
    "a+",
    "a/+b",
    "a/b+/c",
    "$share/+/x",
    "$share/#",
    "$share/g/",
    "$share//x",
    "$share/g",
    "$queue/",
  ];
  for (const version of [3, 4, 5] as const) {
    test(`MQTT ${version}: malformed filters end the connection, in SUBSCRIBE and UNSUBSCRIBE [MQTT-4.7.1-1 to -3], [MQTT-4.7.3-1], [MQTT-4.8.2-1], [MQTT-4.8.2-2], [MQTT-4.13.1-1]`, () => {
      for (const bad of malformed) {
        const filters = ["good", bad].map((f) => [0, f.length, ...Buffer.from(f)]);
        const properties = version === 5 ? [0] : [];
        for (const [first, more] of [
          [0x82, [0]],
          [0xa2, []],
        ] as const) {
          const kit = new TestKit();
          const c = kit.connected("c", version, { clean: false });
          const body = [0, 1, ...properties, ...filters.flatMap((f) => [...f, ...more])];
          c.raw([first, body.length, ...body]);
          expect([bad, c.transport.ended]).toEqual([bad, true]);
          expect(c.take()).toMatchObject(version === 5 ? [{ cmd: "disconnect", reasonCode: 0x8f }] : []);
          // Nothing of it was done.
          expect(kit.broker.router.size).toBe(0);
        }
      }
    });
  }

  test("a packet of many filters takes several turns: others have theirs, and nothing is lost", async () => {
    const kit = new TestKit();
    const c = kit.connected("c", 5);
    const topics = Array.from({ length: 1700 }, (_, i) => `f/${i}`);
    const seen: string[] = [];
    kit.hooks.add("session.subscribed", "test", (id, filter) => {
      if (id === "c") seen.push(filter);
    });
    c.send({ cmd: "subscribe", messageId: 5, subscriptions: topics.map((topic) => ({ topic, qos: 1, rh: 0 })) } as never);
    expect(kit.broker.router.size).toBe(500);
    expect(c.take()).toEqual([]);
    const other = kit.connected("other");
    other.subscribe("x").take();
    other.publish("x", "not held up");
    expect(other.messages()).toHaveLength(1);
    c.send({ cmd: "pingreq" });
    const answers: unknown[] = [];
    for (let turn = 0; turn < 100 && answers.length < 2; turn++) {
      await Promise.resolve();
      kit.settle();
      answers.push(...c.take());
    }
    expect(answers).toMatchObject([{ cmd: "suback" }, { cmd: "pingresp" }]);
    expect(codes(answers)).toEqual(topics.map(() => 1));
    expect(seen).toEqual(topics);
    c.send({ cmd: "unsubscribe", messageId: 6, unsubscriptions: topics });
    for (let turn = 0; turn < 100 && answers.length < 3; turn++) {
      await Promise.resolve();
      kit.settle();
      answers.push(...c.take());
    }
    expect(codes(answers.slice(2))).toEqual(topics.map(() => 0));
    expect(kit.broker.router.size).toBe(1);
    expect(kit.log.errors).toEqual([]);
  });

  test("a connection that ends in the middle of such a packet: it is done to its end, but for one that is sent away", async () => {
    for (const [how, left] of [
      ["drops", 0],
      ["is kicked", 1200],
    ] as const) {
      const kit = new TestKit();
      const c = kit.connected("c", 4, { clean: false });
      const topics = Array.from({ length: 1700 }, (_, i) => `f/${i}`);
      for (const t of topics) kit.broker.subscribe("c", t, { qos: 0, nl: false, rap: false, rh: 0, subId: 0 });
      c.send({ cmd: "unsubscribe", messageId: 6, unsubscriptions: topics });
      if (how === "drops") c.drop();
      else kit.broker.kick("c");
      for (let turn = 0; turn < 20; turn++) {
        await Promise.resolve();
        kit.settle();
      }
      expect([how, kit.broker.sessions.get("c")?.subscriptionCount, kit.broker.connections]).toEqual([how, left, 0]);
    }
  });

  test("an answer larger than the client takes: nothing is done, 0x95 [MQTT-3.1.2-24]", () => {
    for (const cmd of ["subscribe", "unsubscribe"] as const) {
      const kit = new TestKit();
      const c = kit.connected("c", 5, { clean: false, properties: { maximumPacketSize: 20, sessionExpiryInterval: 100 } });
      const topics = Array.from({ length: 16 }, (_, i) => `f/${i}`);
      const subscriptions = topics.map((topic) => ({ topic, qos: 1, rh: 0 }));
      c.send({ cmd, messageId: 5, subscriptions: subscriptions.slice(1), unsubscriptions: topics.slice(1) } as never);
      expect(c.take()).toMatchObject([{ cmd: cmd === "subscribe" ? "suback" : "unsuback" }]);
      kit.broker.subscribe("c", "kept", { qos: 0, nl: false, rap: false, rh: 0, subId: 0 });
      const before = kit.broker.router.size;
      c.send({ cmd, messageId: 5, subscriptions, unsubscriptions: topics } as never);
      expect(c.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x95 }]);
      expect(kit.broker.router.size).toBe(before);
    }
  });

  test("UNSUBACK says what there was [MQTT-3.11.3-1]", () => {
    const kit = new TestKit();
    const c = kit.connected("c", 5);
    c.subscribe("a").take();
    c.send({ cmd: "unsubscribe", messageId: 6, unsubscriptions: ["a", "b"] });
    expect(codes(c.take())).toEqual([0, 0x11]);
    expect(kit.broker.router.size).toBe(0);
  });

  test("limits of the zone: wildcard, shared, QoS, levels, count", () => {
    const kit = new TestKit({
      zone: { wildcardSubscription: false, sharedSubscription: false, maxQosAllowed: 1, maxTopicLevels: 2, maxSubscriptions: 1 },
    });
    const c = kit.connected("c", 5);
    const ask = (topic: string): unknown => codes(c.subscribe(topic, 2).take());
    expect(ask("a/+")).toEqual([0xa2]);
    expect(ask("$share/g/a")).toEqual([0x9e]);
    expect(ask("a/b/c")).toEqual([0x8f]);
    expect(ask("a")).toEqual([1]);
    expect(ask("b")).toEqual([0x97]);
    expect(ask("a")).toEqual([1]);
  });

  test("denied by the ACL: 0x87, 0x80 in 3.x; acl_deny_action = disconnect closes", () => {
    const kit = new TestKit();
    kit.hooks.add("client.check_acl", "test", (_c, _a, topic) => (topic.startsWith("no") ? { verdict: "deny" } : null));
    const v4 = kit.connected("v4", 4);
    const v5 = kit.connected("v5", 5);
    expect(codes(v4.subscribe("no/x").take())).toEqual([0x80]);
    expect(codes(v5.subscribe("no/x").take())).toEqual([0x87]);
    v5.publish("no/x", "x", 1).publish("yes", "x", 1);
    expect(v5.take()).toMatchObject([
      { cmd: "puback", reasonCode: 0x87 },
      { cmd: "puback", reasonCode: 0x10 },
    ]);
    kit.zone.aclDenyAction = "disconnect";
    v5.publish("no/x");
    expect(v5.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x87 }]);
  });

  test("No Local [MQTT-3.8.3-3]; on a shared subscription a protocol error [MQTT-3.8.3-4]", () => {
    const kit = new TestKit();
    const c = kit.connected("c", 5);
    c.subscribe("t", 0, { nl: true }).take();
    c.publish("t", "own");
    kit.connected("d", 5).publish("t", "other");
    expect(c.messages().map((m) => m.payload)).toEqual(["other"]);
    c.subscribe("$share/g/t", 0, { nl: true });
    expect(c.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x82 }]);
  });

  test("No Local on one of two overlapping subscriptions: the other one delivers", () => {
    const kit = new TestKit();
    const c = kit.connected("c", 5);
    c.subscribe("t", 2, { nl: true, subId: 1 }).take();
    c.subscribe("+", 1, { subId: 2 }).take();
    c.publish("t", "own", 2);
    expect(c.messages().map((m) => [m.payload, m.qos, m.properties?.subscriptionIdentifier])).toEqual([["own", 1, 2]]);
  });

  test("Retain As Published [MQTT-3.3.1-12], [MQTT-3.3.1-13]", () => {
    const kit = new TestKit();
    const plain = kit.connected("plain", 5);
    const rap = kit.connected("rap", 5);
    plain.subscribe("t").take();
    rap.subscribe("t", 0, { rap: true }).take();
    kit.connected("p", 5).publish("t", "x", 0, { retain: true });
    expect(plain.messages().map((m) => m.retain)).toEqual([false]);
    expect(rap.messages().map((m) => m.retain)).toEqual([true]);
  });

  test("subscription identifiers of all matching subscriptions [MQTT-3.3.4-3 to -5]", () => {
    const kit = new TestKit();
    const c = kit.connected("c", 5);
    c.subscribe("a/b", 0, { subId: 10 }).take();
    c.subscribe("a/#", 1, { subId: 20 }).take();
    kit.connected("p", 5).publish("a/b", "x", 1);
    const got = c.messages();
    expect(got).toHaveLength(1);
    expect([got[0]?.properties?.subscriptionIdentifier].flat().sort()).toEqual([10, 20]);
  });

  test("subscribing again replaces the options [MQTT-3.8.4-3]", () => {
    const kit = new TestKit();
    const c = kit.connected("c", 5);
    c.subscribe("t", 0, { subId: 1 }).take();
    c.subscribe("t", 1, { subId: 2 }).take();
    kit.connected("p", 5).publish("t", "x", 1);
    expect(c.messages()).toMatchObject([{ qos: 1, properties: { subscriptionIdentifier: 2 } }]);
    expect(kit.broker.router.subscriptionCount).toBe(1);
  });

  test("session.subscribed tells new from replaced, for Retain Handling 1", () => {
    const kit = new TestKit();
    const seen: unknown[] = [];
    kit.hooks.add("session.subscribed", "test", (id, filter, o, isNew) => seen.push([id, filter, o.rh, isNew]));
    const c = kit.connected("c", 5);
    c.subscribe("t", 0, { rh: 1 });
    c.subscribe("t", 0, { rh: 1 });
    expect(seen).toEqual([
      ["c", "t", 1, true],
      ["c", "t", 1, false],
    ]);
  });

  test("upgrade_qos takes the higher of both, ignore_loop_deliver hides one's own messages", () => {
    const kit = new TestKit({ zone: { upgradeQos: true, ignoreLoopDeliver: true } });
    const c = kit.connected("c");
    const d = kit.connected("d");
    c.subscribe("t", 1).take();
    d.subscribe("t", 1).take();
    c.publish("t", "x", 0);
    expect(c.messages()).toEqual([]);
    expect(d.messages()).toMatchObject([{ payload: "x", qos: 1 }]);
  });
});

describe("shared subscriptions", () => {
  const group = (strategy: "random" | "round_robin" | "sticky" | "hash", random = () => 0) => {
    const kit = new TestKit({ node: { sharedStrategy: strategy }, random });
    const members = ["a", "b", "c"].map((id) => {
      const c = kit.connected(id, 4);
      c.subscribe("$share/g/t", 1).take();
      return c;
    });
    return { kit, members };
  };
  const counts = (members: { messages(): unknown[] }[]): number[] => members.map((m) => m.messages().length);

  test("round_robin begins with the first member, and goes on behind the last that got one", () => {
    const { kit, members } = group("round_robin");
    const p = kit.connected("p");
    const turns: string[] = [];
    const next = (): void => {
      p.publish("t", "x");
      for (const [i, m] of members.entries()) if (m.messages().length > 0) turns.push("abc"[i] as string);
    };
    for (let i = 0; i < 4; i++) next();
    members[1]?.drop();
    for (let i = 0; i < 4; i++) next();
    expect(turns.join("")).toBe("abcacaca");
  });

  test("each message goes to one member; 3.1.1 clients may share [MQTT-4.8.2-4]", () => {
    const { kit, members } = group("round_robin");
    const p = kit.connected("p");
    for (let i = 0; i < 6; i++) p.publish("t", "x");
    expect(counts(members)).toEqual([2, 2, 2]);
  });

  test("sticky stays, hash goes by publisher, random by chance", () => {
    const sticky = group("sticky");
    for (let i = 0; i < 5; i++) sticky.kit.connected(`p${i}`).publish("t", "x");
    expect(counts(sticky.members).sort()).toEqual([0, 0, 5]);
    const hash = group("hash");
    for (const id of ["p1", "p1", "p2", "p2"]) hash.kit.connected(id).publish("t", "x");
    expect(counts(hash.members).every((n) => n % 2 === 0)).toBe(true);
    let r = 0;
    const random = group("random", () => (r++ % 3) / 3 + 0.01);
    for (let i = 0; i < 9; i++) random.kit.connected("p").publish("t", "x");
    expect(counts(random.members)).toEqual([3, 3, 3]);
  });

  test("$queue/ is a group; groups and plain subscribers each get their copy", () => {
    const kit = new TestKit();
    const q1 = kit.connected("q1");
    const q2 = kit.connected("q2");
    const plain = kit.connected("plain");
    q1.subscribe("$queue/t").take();
    q2.subscribe("$queue/t").take();
    plain.subscribe("t").take();
    kit.connected("p").publish("t", "x");
    expect(q1.messages().length + q2.messages().length).toBe(1);
    expect(plain.messages()).toHaveLength(1);
  });

  test("a member that goes away with unacknowledged messages: another one gets them [MQTT-4.8.2-5]", () => {
    const { kit, members } = group("sticky");
    kit.connected("p").publish("t", "x", 1);
    const [first, ...others] = members as [(typeof members)[0], ...typeof members];
    expect(first.messages()).toHaveLength(1);
    first.drop();
    expect(others.flatMap((m) => m.messages()).map((m) => m.payload)).toEqual(["x"]);
  });

  test("offline members are passed over while another is there, and queue when none is", () => {
    const kit = new TestKit();
    kit.connected("off", 4, { clean: false }).subscribe("$share/g/t", 1).disconnect();
    const on = kit.connected("on");
    on.subscribe("$share/g/t", 1).take();
    const p = kit.connected("p");
    p.publish("t", "1", 1).publish("t", "2", 1);
    expect(on.messages()).toHaveLength(2);
    on.disconnect();
    p.publish("t", "3", 1);
    expect(
      kit
        .client(4)
        .connect("off", { clean: false })
        .messages()
        .map((m) => m.payload),
    ).toContain("3");
  });
});

describe("on behalf of a session", () => {
  test("subscribe and unsubscribe from outside, also while the client is away", () => {
    const kit = new TestKit();
    kit.connected("c", 4, { clean: false }).disconnect();
    const o = { qos: 1, nl: false, rap: false, rh: 0, subId: 0 } as const;
    expect(kit.broker.subscribe("c", "t", o)).toBe(true);
    expect(kit.broker.subscribe("nobody", "t", o)).toBe(false);
    kit.connected("p").publish("t", "x", 1);
    expect(kit.client(4).connect("c", { clean: false }).messages()).toHaveLength(1);
    expect(kit.broker.unsubscribe("c", "t")).toBe(true);
    expect(kit.broker.unsubscribe("c", "t")).toBe(false);
    expect(kit.broker.unsubscribe("nobody", "t")).toBeNull();
  });

  test("a virtual client receives without a connection and leaves no trace", () => {
    const kit = new TestKit();
    const got: string[] = [];
    const v = kit.broker.attach("virtual", (m) => got.push(m.topic));
    v.subscribe("t/+", { qos: 0, nl: false, rap: false, rh: 0, subId: 0 });
    kit.connected("p").publish("t/1", "x");
    v.close();
    kit.connected("p").publish("t/2", "x");
    expect(got).toEqual(["t/1"]);
    expect(kit.broker.router.size).toBe(0);
    expect(kit.broker.sessions.has("virtual")).toBe(false);
  });
});
