/** What is said before, while and after the store cannot be written. */
import { describe, expect, test } from "bun:test";
import mqttPacket, { type Packet } from "mqtt-packet";
import type { NodeConfig } from "../../../server/config/types.ts";
import type { AclStep } from "../../../server/core/types.ts";
import { until } from "../../support/clients.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { type TestClient, TestKit } from "../../support/test_broker.ts";

const V5_FOREVER = { clean: false, properties: { sessionExpiryInterval: 0xffffffff } };
const FULL = new Error("disk full");

class Scene {
  readonly store = new MemoryStore();
  readonly kit: TestKit;
  constructor(node: Partial<NodeConfig> = {}) {
    this.kit = new TestKit({ store: this.store, node });
  }
  /** A persistent session that is subscribed and away. */
  away(clientId: string, filter: string, qos: 0 | 1 | 2 = 1): this {
    this.kit.connected(clientId, 4, { clean: false }).subscribe(filter, qos).disconnect();
    return this;
  }
  fails(): this {
    this.store.failure = FULL;
    this.kit.broker.store.kv("test").set("touched", "");
    this.kit.broker.flush();
    this.kit.settle();
    expect(this.kit.alarms.has("storage_failed")).toBe(true);
    return this;
  }
  /** However much is written, it takes no time. */
  fast(): this {
    Object.defineProperty(this.store, "bytes", { get: () => 0 });
    return this;
  }
  works(): this {
    this.store.failure = null;
    this.kit.pass(200);
    expect(this.kit.alarms.has("storage_failed")).toBe(false);
    return this;
  }
  queued(clientId: string): number {
    return this.kit.broker.sessions.get(clientId)?.mqueueLen ?? -1;
  }
}

const words = (c: TestClient): string[] =>
  c.take().map((p) => {
    const code = (p as { reasonCode?: number }).reasonCode;
    return code === undefined || code === 0 ? p.cmd : `${p.cmd} ${code}`;
  });
const is = (c: TestClient): string => (c.transport.destroyed ? "cut" : c.transport.ended ? "closed" : "open");

function burst(n: number, topic: string): Buffer {
  const one = (i: number): Buffer =>
    mqttPacket.generate({ cmd: "publish", topic, payload: "x", qos: 1, messageId: i + 1, dup: false, retain: false } as Packet);
  return Buffer.concat(Array.from({ length: n }, (_, i) => one(i)));
}

describe("the time of a commit", () => {
  test("is a part of the turn: as much comes into it as a slow disk writes in its share, and nothing is lost", async () => {
    const scene = new Scene();
    const { kit, store } = scene;
    for (const id of ["a", "b", "c"]) scene.away(id, "t");
    const p = kit.connected("p");
    const sizes: number[] = [];
    const commit = store.commit.bind(store);
    store.commit = () => {
      sizes.push(store.bytes);
      // A tenth of a millisecond for a row.
      kit.clock.time += store.bytes / 1000;
      commit();
    };
    for (let i = 0; i < 12; i++) {
      for (const session of kit.broker.sessions.values()) session.mqueue?.clear();
      p.channel.onData(burst(900, "t"));
      do {
        kit.settle();
        await Promise.resolve();
      } while (p.transport.paused);
      kit.settle();
      // Nothing is known of the disk yet.
      if (i === 0) expect(Math.max(...sizes)).toBeGreaterThan(250_000);
      if (i < 11) sizes.length = 0;
    }
    expect(sizes.length).toBeGreaterThan(2);
    // What comes between two looks.
    expect(Math.max(...sizes)).toBeLessThan(120_000);
    expect(scene.queued("a")).toBe(900);
    expect(p.take()).toHaveLength(12 * 900);
  });

  test("of small batches says nothing about large ones", () => {
    const scene = new Scene().away("a", "t");
    const { kit, store } = scene;
    const commit = store.commit.bind(store);
    store.commit = () => {
      kit.clock.time += 1000;
      commit();
    };
    const p = kit.connected("p");
    for (let i = 0; i < 20; i++) p.publish("t", "x", 1);
    p.channel.onData(burst(600, "t"));
    expect(p.transport.paused).toBe(false);
    expect(kit.broker.durability.cost).toBe(0);
    // Not a small one.
    p.channel.onData(burst(600, "t"));
    kit.settle();
    p.publish("t", "x", 1);
    p.channel.onData(burst(3, "t"));
    expect(kit.broker.durability.cost).toBeGreaterThan(0);
    kit.settle();
    expect(kit.broker.durability.cost).toBe(0);
  });
});

describe("nothing leaves before the commit", () => {
  test("a commit in the middle of a turn that fails: what clients would have been promised at its end is not said", () => {
    const { kit, store } = new Scene().away("s", "t");
    const [p, other] = [kit.connected("p"), kit.connected("other")];
    p.channel.onData(burst(3, "t"));
    other.channel.onData(Buffer.from([0xc0, 0]));
    store.failure = FULL;
    kit.broker.output.commit();
    kit.settle();
    expect([is(p), words(p)]).toEqual(["cut", []]);
    expect([is(other), words(other)]).toEqual(["open", ["pingresp"]]);
  });

  test("a long SUBSCRIBE of a session that is kept is committed slice by slice", async () => {
    const { kit, store } = new Scene();
    const c = kit.connected("c", 5, V5_FOREVER);
    let commits = 0;
    const commit = store.commit.bind(store);
    store.commit = () => {
      commits++;
      commit();
    };
    const subscriptions = Array.from({ length: 5000 }, (_, i) => ({
      topic: `f/${i}`,
      qos: 1 as const,
      nl: false,
      rap: false,
      rh: 0 as const,
    }));
    c.send({ cmd: "subscribe", messageId: 1, subscriptions });
    for (let turns = 0; words(c).length === 0; turns++) {
      expect(turns).toBeLessThan(100);
      kit.settle();
      await Promise.resolve();
    }
    expect(commits).toBeGreaterThanOrEqual(4);
  });

  test("a commit in the middle of a turn that works: they are told at its end", () => {
    const { kit, store } = new Scene().away("s", "t");
    const p = kit.connected("p");
    p.channel.onData(burst(3, "t"));
    kit.broker.output.commit();
    expect(store.pending).toBe(false);
    kit.settle();
    expect([is(p), words(p)]).toEqual(["open", ["puback", "puback", "puback"]]);
  });

  test("more acknowledgements than the staging buffer holds, and a drain event before the turn's end", () => {
    const { kit, store } = new Scene().fast().away("s", "t");
    const p = kit.connected("p");
    const had = p.transport.chunks.length;
    p.channel.onData(burst(20_000, "t"));
    p.channel.onDrain();
    expect(p.transport.chunks.length).toBe(had);
    const commits = store.commits;
    kit.settle();
    expect(store.commits).toBe(commits + 1);
    expect(p.take().filter((x) => x.cmd === "puback")).toHaveLength(20_000);
  });

  test("… and when that commit fails, none of them", () => {
    const { kit, store } = new Scene().fast().away("s", "t");
    const p = kit.connected("p");
    store.failure = FULL;
    p.channel.onData(burst(20_000, "t"));
    p.channel.onDrain();
    kit.settle();
    expect([p.take(), is(p)]).toEqual([[], "cut"]);
  });

  test("CONNACK of a session that is kept, however much is sent behind it in the same turn", () => {
    const { kit, store } = new Scene().away("s", "t");
    const p = kit.connected("p");
    for (let i = 1; i < 5; i++) p.publish("t", Buffer.alloc(50_000), 1, { messageId: i });
    const back = kit.client(4);
    const connect: Packet = { cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: false, clientId: "s", keepalive: 0 };
    const commits = store.commits;
    back.channel.onData(mqttPacket.generate(connect));
    expect(back.transport.chunks).toEqual([]);
    kit.settle();
    expect(store.commits).toBe(commits + 1);
    expect(back.take().map((x) => x.cmd)).toEqual(["connack", "publish", "publish", "publish", "publish"]);
  });

  test("SUBACK, UNSUBACK and CONNACK of kept sessions are cut off by a failed commit, those of others are not touched", () => {
    const { kit, store } = new Scene();
    const kept = kit.connected("kept", 4, { clean: false });
    const other = kit.connected("other", 4);
    store.failure = FULL;
    const subscribe = mqttPacket.generate({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "a", qos: 1 }] } as Packet);
    for (const c of [kept, other]) c.channel.onData(subscribe);
    kit.settle();
    expect([is(kept), kept.take()]).toEqual(["cut", []]);
    expect([is(other), words(other)]).toEqual(["open", ["suback"]]);
  });

  test("whoever is cut is gone for the broker too: no session without a connection looks connected", () => {
    const { kit, store } = new Scene().away("s", "t");
    const p = kit.connected("p", 4, { clean: false });
    const willing = kit.connected("w");
    willing.subscribe("wills/#");
    willing.take();
    store.failure = FULL;
    p.publish("t", "x", 1);
    expect(is(p)).toBe("cut");
    expect(kit.broker.sessions.get("p")?.channel).toBe(null);
    expect(kit.broker.connections).toBe(1);
    expect(kit.listener.shutdowns.get("storage_failed")).toBe(1);
  });
});

describe("while the store fails: storage.on_error = refuse", () => {
  for (const qos of [1, 2] as const) {
    test(`MQTT 5, QoS ${qos} to a kept session: Quota exceeded, nobody gets it, the connection stays`, () => {
      const scene = new Scene().away("s", "t", 2);
      const { kit } = scene;
      const live = kit.connected("live", 5).subscribe("t", 2);
      live.take();
      const p = kit.connected("p", 5);
      scene.fails();
      p.publish("t", "x", qos);
      expect(words(p)).toEqual([`${qos === 1 ? "puback" : "pubrec"} 151`]);
      expect([is(p), live.messages(), scene.queued("s")]).toEqual(["open", [], 0]);
      expect(kit.metrics.get("storage/refused")).toBe(1);
      scene.works();
      p.publish("t", "y", qos, { messageId: 1 });
      expect(words(p)).toEqual([qos === 1 ? "puback" : "pubrec"]);
      expect(live.messages().map((m) => m.payload)).toEqual(["y"]);
      expect(scene.queued("s")).toBe(1);
    });

    test(`3.1.1, QoS ${qos}: no acknowledgement; disconnected when data can be stored again, it sends again`, () => {
      const scene = new Scene().away("s", "t", 2);
      const { kit } = scene;
      const p = kit.connected("p", 4);
      scene.fails();
      p.publish("t", "x", qos);
      p.send({ cmd: "pingreq" });
      expect([words(p), is(p), scene.queued("s")]).toEqual([["pingresp"], "open", 0]);
      scene.works();
      expect([words(p), is(p)]).toEqual([[], "closed"]);
      const again = kit.connected("p", 4).publish("t", "x", qos, { dup: true });
      expect([words(again), scene.queued("s")]).toEqual([[qos === 1 ? "puback" : "pubrec"], 1]);
    });
  }

  test("what nobody has to keep goes on: QoS 0, sessions that end with their connection", () => {
    const scene = new Scene().away("s", "t", 2);
    const { kit } = scene;
    const live = kit.connected("live", 4).subscribe("#", 1);
    live.take();
    const p = kit.connected("p", 5);
    scene.fails();
    p.publish("t", "0", 0).publish("u", "1", 1).publish("u", "2", 2).publish("r", "3", 0, { retain: true });
    expect(words(p)).toEqual(["puback", "pubrec"]);
    expect(live.messages().map((m) => m.payload)).toEqual(["0", "1", "2", "3"]);
    expect(kit.metrics.get("storage/refused")).toBe(0);
  });

  test("a kept session that takes the topic with QoS 0 keeps nothing of it", () => {
    const scene = new Scene().away("s", "t", 0);
    const p = scene.kit.connected("p", 5);
    scene.fails();
    p.publish("t", "x", 1);
    expect(words(p)).toEqual(["puback"]);
  });

  test("retained messages, members of shared groups, QoS 2 of a kept publisher, topics that a plugin keeps", () => {
    const scene = new Scene().away("s", "$share/g/t", 1);
    const { kit } = scene;
    kit.hooks.add("message.publish", "keeper", () => null, 0, { prefix: "$later/" });
    const p = kit.connected("p", 5, V5_FOREVER);
    scene.fails();
    p.publish("r", "x", 1, { retain: true }).publish("t", "x", 1).publish("other", "x", 2).publish("$later/t", "x", 1);
    expect(words(p)).toEqual(["puback 151", "puback 151", "pubrec 151", "puback 151"]);
    p.publish("other", "x", 1);
    expect(words(p)).toEqual(["puback 16"]);
    expect(kit.metrics.get("storage/refused")).toBe(4);
  });

  test("a topic that a hook sends to a kept session", () => {
    const scene = new Scene().away("s", "kept", 2);
    const { kit } = scene;
    kit.hooks.add("message.publish", "rewrite", (m) => (m.topic === "t" ? m.with({ topic: "kept" }) : m));
    const p = kit.connected("p", 5);
    scene.fails();
    p.publish("t", "x", 2, { messageId: 9 });
    expect([words(p), scene.queued("s")]).toEqual([["pubrec 151"], 0]);
    scene.works();
    // The identifier is free: the message is a new one.
    p.publish("t", "x", 2, { messageId: 9 });
    expect([words(p), scene.queued("s")]).toEqual([["pubrec"], 1]);
  });

  test("a publisher whose access is asked for elsewhere", async () => {
    const scene = new Scene().away("s", "t", 2);
    const { kit } = scene;
    const asked = Promise.withResolvers<AclStep>();
    kit.hooks.add("client.check_acl", "slow", () => asked.promise);
    const p = kit.connected("p", 5);
    scene.fails();
    p.publish("t", "x", 2);
    asked.resolve({ verdict: "allow" });
    await until(() => p.transport.chunks.length > 1, "an answer");
    expect([words(p), scene.queued("s")]).toEqual([["pubrec 151"], 0]);
  });

  test("SUBSCRIBE and UNSUBSCRIBE of a kept session are refused and change nothing; of others they are not", () => {
    const scene = new Scene();
    const { kit } = scene;
    const v5 = kit.connected("v5", 5, V5_FOREVER).subscribe("old", 1);
    const v4 = kit.connected("v4", 4, { clean: false }).subscribe("old", 1);
    const other = kit.connected("other", 5);
    for (const c of [v5, v4]) c.take();
    scene.fails();
    for (const c of [v5, v4, other]) {
      c.subscribe("new", 1);
      c.send({ cmd: "unsubscribe", messageId: 3, unsubscriptions: ["old"] });
    }
    expect(v5.take()).toMatchObject([
      { cmd: "suback", granted: [0x97] },
      { cmd: "unsuback", granted: [0x83] },
    ]);
    expect(v4.take()).toMatchObject([{ cmd: "suback", granted: [0x80] }]);
    expect(other.take()).toMatchObject([
      { cmd: "suback", granted: [1] },
      { cmd: "unsuback", granted: [0x11] },
    ]);
    for (const id of ["v5", "v4"]) expect([...(kit.broker.sessions.get(id)?.subscriptions() ?? [])].map((s) => s.filter)).toEqual(["old"]);
    scene.works();
    expect([is(v5), is(v4)]).toEqual(["open", "closed"]);
  });

  test("a new session that would have to be kept is refused, and the end of one that is; one that is there goes on, one that ends with its connection too", () => {
    const scene = new Scene().away("s", "t");
    const { kit } = scene;
    const p = kit.connected("p", 4);
    p.publish("t", "queued", 1);
    scene.fails();
    expect(kit.client(5).connect("new", V5_FOREVER).take()).toMatchObject([{ cmd: "connack", reasonCode: 0x97 }]);
    expect(kit.client(4).connect("new", { clean: false }).take()).toMatchObject([{ cmd: "connack", returnCode: 3 }]);
    expect(
      kit
        .client(5)
        .connect("s", { ...V5_FOREVER, clean: true })
        .take(),
    ).toMatchObject([{ cmd: "connack", reasonCode: 0x97 }]);
    // It would be told that the old one is no more, and meet it again after a crash.
    expect(kit.client(4).connect("s").take()).toMatchObject([{ cmd: "connack", returnCode: 3 }]);
    expect(kit.client(5).connect("s", { clean: false }).take()).toMatchObject([{ cmd: "connack", reasonCode: 0x97 }]);
    expect(kit.client(4).connect("new").take()).toMatchObject([{ cmd: "connack", returnCode: 0 }]);
    const back = kit.client(4).connect("s", { clean: false });
    expect(back.take()).toMatchObject([
      { cmd: "connack", sessionPresent: true },
      { cmd: "publish", payload: Buffer.from("queued") },
    ]);
  });

  test("handshakes that began before wait: PUBREL, PUBCOMP and a repeated PUBREC come when data can be stored", () => {
    const scene = new Scene();
    const { kit } = scene;
    const c = kit.connected("c", 5, V5_FOREVER).subscribe("t", 2);
    c.take();
    c.publish("u", "x", 2, { messageId: 7 }).publish("u", "y", 2, { messageId: 8 });
    kit.connected("p").publish("t", "z", 2);
    const sent = c.take().find((p) => p.cmd === "publish");
    scene.fails();
    c.send({ cmd: "pubrec", messageId: sent?.messageId } as Packet);
    c.send({ cmd: "pubrel", messageId: 7 });
    // An impatient one asks again: the first word still counts.
    c.send({ cmd: "pubrel", messageId: 7 });
    c.publish("u", "y", 2, { messageId: 8, dup: true });
    c.send({ cmd: "pingreq" });
    expect([words(c), is(c)]).toEqual([["pingresp"], "open"]);
    scene.works();
    expect(words(c)).toEqual(["pubrel", "pubcomp", "pubrec"]);
    c.send({ cmd: "pubcomp", messageId: sent?.messageId } as Packet);
    expect(kit.broker.sessions.get("c")?.inflightLen).toBe(0);
    expect(scene.store.problems).toEqual([]);
  });

  test("a connection that ends meanwhile is owed nothing; the next one gets PUBREL when data can be stored", () => {
    const scene = new Scene();
    const { kit } = scene;
    const c = kit.connected("c", 5, V5_FOREVER).subscribe("t", 2);
    c.take();
    kit.connected("p").publish("t", "z", 2);
    const sent = c.take().find((p) => p.cmd === "publish");
    scene.fails();
    c.send({ cmd: "pubrec", messageId: sent?.messageId } as Packet);
    c.drop();
    const back = kit.client(5).connect("c", V5_FOREVER);
    expect(words(back)).toEqual(["connack"]);
    scene.works();
    expect([words(back), words(c)]).toEqual([["pubrel"], []]);
  });

  test("one line and one alarm, however often it fails; one line when it works again, and all that was taken is stored", () => {
    const scene = new Scene().away("s", "t", 2);
    const { kit, store } = scene;
    const p = kit.connected("p", 4);
    store.failure = FULL;
    p.publish("t", "before the failure was known", 1);
    for (let i = 0; i < 20; i++) {
      kit.connected(`q${i}`, 5).publish("t", "refused", 1);
      kit.pass(100);
    }
    const lines = (level: string) => kit.log.lines.filter((l) => l.level === level).map((l) => l.message);
    expect(lines("error")).toEqual([
      "data cannot be stored; clients that wait for acknowledgements are disconnected, and what would have to be stored is refused",
    ]);
    expect(kit.metrics.get("storage/failures")).toBe(1);
    scene.works();
    expect(lines("warn")).toEqual(["alarm", "data can be stored again"]);
    expect(kit.log.lines.at(-1)?.fields).toEqual({ refused: 20 });
    const after = new TestKit({ store: store.crash() });
    after.broker.registry.restore();
    expect(after.broker.sessions.get("s")?.mqueueLen).toBe(1);
    // The next time is counted anew.
    scene.fails().works();
    expect(kit.log.lines.at(-1)?.fields).toEqual({ refused: 0 });
  });

  test("a retry that takes long is not made again at once", () => {
    const scene = new Scene();
    const { kit, store } = scene;
    scene.fails();
    let tries = 0;
    store.commit = () => {
      tries++;
      kit.clock.time += 50;
      throw FULL;
    };
    kit.pass(10_000);
    // 50 ms of every 1050.
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(12);
  });
});

describe("storage.on_error = accept", () => {
  test("service goes on from memory, nobody is cut", () => {
    const scene = new Scene({ storageOnError: "accept" }).away("s", "t", 2);
    const { kit, store } = scene;
    const p = kit.connected("p", 5, V5_FOREVER);
    store.failure = FULL;
    p.publish("t", "x", 1).publish("t", "y", 2, { messageId: 2 }).send({ cmd: "pubrel", messageId: 2 });
    p.subscribe("more", 1);
    expect([words(p), is(p), scene.queued("s")]).toEqual([["puback", "pubrec", "pubcomp", "suback"], "open", 2]);
    expect(kit.client(5).connect("new", V5_FOREVER).take()).toMatchObject([{ cmd: "connack", reasonCode: 0 }]);
    expect(kit.log.errors[0]).toContain("service goes on from memory: what is acknowledged now is lost if the process ends");
    scene.works();
    const after = new TestKit({ store: store.crash() });
    expect(after.broker.registry.restore()).toBe(3);
    expect(after.broker.sessions.get("s")?.mqueueLen).toBe(2);
  });

  test("until storage.pending_limit: then it is refused, whoever publishes it", () => {
    const scene = new Scene({ storageOnError: "accept", storagePendingLimit: 10_000 }).away("s", "t", 1);
    const { kit } = scene;
    const p = kit.connected("p", 5);
    scene.fails();
    let taken = 0;
    for (let i = 1; i <= 500; i++) {
      p.publish("t", "x", 1, { messageId: i });
      if (words(p)[0] === "puback") taken++;
    }
    expect(taken).toBeGreaterThan(20);
    expect(taken).toBeLessThan(60);
    expect(kit.metrics.get("storage/refused")).toBe(500 - taken);
    expect(scene.queued("s")).toBe(taken);
    // Nobody can be told: dropped, and counted. A retained QoS 0 message, too.
    kit.connected("w", 4, { will: { topic: "t", payload: Buffer.from("w"), qos: 1, retain: false } }).drop();
    expect([scene.queued("s"), kit.metrics.get("delivery/dropped/storage_failed")]).toEqual([taken, 1]);
    const live = kit.connected("live").subscribe("r");
    live.take();
    p.publish("r", "x", 0, { retain: true }).publish("r", "y", 0);
    expect(live.messages().map((m) => m.payload)).toEqual(["y"]);
    expect(is(p)).toBe("open");
    scene.works();
    p.publish("t", "x", 1);
    expect(words(p)).toEqual(["puback"]);
  });

  test("the switch can be changed while it fails", () => {
    const scene = new Scene().away("s", "t", 1);
    const { kit } = scene;
    const p = kit.connected("p", 5);
    scene.fails();
    p.publish("t", "x", 1);
    expect(words(p)).toEqual(["puback 151"]);
    kit.node.storageOnError = "accept";
    kit.pass(100);
    p.publish("t", "x", 1);
    expect(words(p)).toEqual(["puback"]);
  });
});

describe("a QoS 2 message that waits for a client whose session is kept", () => {
  const received = (c: TestClient): string[] => c.messages().map((m) => m.payload);
  // A restart would not know its identifier, and send it again under another one [MQTT-4.3.3-10].
  test("is not sent while the disk fails, but then; with what came behind it", () => {
    const scene = new Scene().away("s", "t", 2);
    const { kit } = scene;
    kit.connected("p").publish("t", "1", 2).publish("t", "2", 1, { messageId: 2 });
    scene.fails();
    const c = kit.client().connect("s", { clean: false });
    expect([received(c), scene.queued("s")]).toEqual([[], 2]);
    scene.works();
    expect(received(c)).toEqual(["1", "2"]);
  });

  test("… also one of the broker's own, to a client that is there", () => {
    const scene = new Scene();
    const { kit } = scene;
    const c = kit.connected("s", 4, { clean: false }).subscribe("t", 2);
    c.take();
    scene.fails();
    kit.connected("w", 4, { will: { topic: "t", payload: Buffer.from("w"), qos: 2, retain: false } }).drop();
    expect(received(c)).toEqual([]);
    scene.works();
    expect(received(c)).toEqual(["w"]);
  });

  test("is sent when the switch is set to accept", () => {
    const scene = new Scene().away("s", "t", 2);
    const { kit } = scene;
    kit.connected("p").publish("t", "1", 2);
    scene.fails();
    const c = kit.client().connect("s", { clean: false });
    expect(received(c)).toEqual([]);
    kit.node.storageOnError = "accept";
    kit.pass(100);
    expect(received(c)).toEqual(["1"]);
  });
});
