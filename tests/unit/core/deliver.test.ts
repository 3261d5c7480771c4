import { describe, expect, test } from "bun:test";
import mqttPacket, { type IPublishPacket } from "mqtt-packet";
import { Message } from "../../../server/core/message.ts";
import type { Session } from "../../../server/core/session.ts";
import { plainTerms } from "../../../server/core/terms.ts";
import type { SubscribeOptions } from "../../../server/core/types.ts";
import { later } from "../../../server/lib/time.ts";
import { TestClient, TestKit } from "../../support/test_broker.ts";

const options = (qos: 0 | 1 | 2 = 0, more: Partial<SubscribeOptions> = {}): SubscribeOptions => ({
  qos,
  nl: false,
  rap: false,
  rh: 0,
  subId: 0,
  ...more,
});
const persistent: never = { clean: false, properties: { sessionExpiryInterval: 1000 } } as never;

/** What a handler does to one client while a message is on its way to others. */
const ACTS: Record<string, (kit: TestKit, id: string) => void> = {
  unsubscribes: (kit, id) => void kit.broker.unsubscribe(id, "t"),
  kicks: (kit, id) => void kit.broker.kick(id),
  "drops the session": (kit, id) => void kit.broker.dropSession(id),
};

describe("a list that changes while it is walked", () => {
  for (const [what, act] of Object.entries(ACTS)) {
    for (const qos of [0, 1] as const) {
      for (const overlap of [false, true]) {
        test(`message.delivered ${what}, QoS ${qos}${overlap ? ", overlapping filters" : ""}: everybody else gets it, once`, () => {
          const kit = new TestKit();
          const clients = ["a", "b", "c", "d"].map((id) => {
            const c = kit.connected(id, 5);
            c.subscribe("t", qos).take();
            if (overlap) c.subscribe("+", qos).take();
            return c;
          });
          let done = false;
          kit.hooks.add("message.delivered", "test", (id) => {
            if (done || id !== "a") return;
            done = true;
            act(kit, "a");
          });
          kit.broker.refreshRaw();
          const p = kit.connected("p", 5);
          p.publish("t", "x", qos);
          expect(clients.map((c) => c.messages().length)).toEqual([1, 1, 1, 1]);
          expect(done).toBe(true);
          p.publish("t", "y", qos);
          const rest = what === "unsubscribes" && overlap ? 1 : 0;
          expect(clients.map((c) => c.messages().length)).toEqual([rest, 1, 1, 1]);
          expect(kit.log.errors).toEqual([]);
        });
      }
      test(`message.delivered ${what} somebody who comes later, QoS ${qos}: that one gets nothing any more`, () => {
        const kit = new TestKit();
        const [a, b, c] = ["a", "b", "c"].map((id) => {
          const x = kit.connected(id);
          x.subscribe("t", qos).take();
          return x;
        }) as [TestClient, TestClient, TestClient];
        kit.hooks.add("message.delivered", "test", (id) => {
          if (id === "a") act(kit, "b");
        });
        kit.broker.refreshRaw();
        kit.connected("p").publish("t", "x", qos);
        expect([a, b, c].map((x) => x.messages().length)).toEqual([1, 0, 1]);
        expect(kit.broker.router.subscriptionCount).toBe(2);
      });
    }
  }

  test("message.dropped unsubscribes: everybody else gets it", () => {
    const kit = new TestKit({ zone: { mqueueStoreQos0: false } });
    kit.connected("off", 4, { clean: false }).subscribe("t").disconnect();
    const [b, c] = ["b", "c"].map((id) => kit.connected(id).subscribe("t")) as [TestClient, TestClient];
    kit.hooks.add("message.dropped", "test", () => void kit.broker.unsubscribe("off", "t"));
    kit.connected("p").publish("t", "x");
    expect([b, c].map((x) => x.messages().length)).toEqual([1, 1]);
  });

  test("a virtual client that closes itself, or another one, in the middle", () => {
    const kit = new TestKit();
    const got: string[] = [];
    const first = kit.broker.attach("v1", () => {
      got.push("v1");
      first.close();
      second.close();
    });
    const second = kit.broker.attach("v2", () => got.push("v2"));
    const third = kit.broker.attach("v3", () => got.push("v3"));
    for (const v of [first, second, third]) v.subscribe("t", options());
    const c = kit.connected("c");
    c.subscribe("t").take();
    const p = kit.connected("p");
    p.publish("t", "x");
    p.publish("t", "y");
    expect(got).toEqual(["v1", "v3", "v3"]);
    expect(c.messages()).toHaveLength(2);
  });

  test("a virtual client that subscribes others and publishes in the middle: nothing is lost, nothing doubled", () => {
    const kit = new TestKit();
    const clients = ["a", "b", "c"].map((id) => {
      const x = kit.connected(id);
      x.subscribe("t").take();
      return x;
    });
    let depth = 0;
    const v = kit.broker.attach("v", (m) => {
      if (++depth > 2) return;
      kit.broker.subscribe("late", "t", options());
      kit.broker.unsubscribe(depth === 1 ? "a" : "b", "t");
      kit.broker.publish(m.with({ payload: Buffer.from(`inner${depth}`) }));
    });
    const late = kit.connected("late");
    v.subscribe("#", options());
    kit.connected("p").publish("t", "outer");
    // v is the first: a and b have ended before their turn, the inner messages reach the others first, the late one gets no outer one.
    expect(late.messages().map((m) => m.payload)).toEqual(["inner2", "inner1"]);
    expect(clients.map((x) => x.messages().map((m) => m.payload))).toEqual([[], [], ["inner2", "inner1", "outer"]]);
    expect(kit.log.errors).toEqual([]);
  });

  test("a group whose members go while it is their turn", () => {
    const kit = new TestKit({ node: { sharedStrategy: "round_robin" } });
    for (const id of ["a", "b"]) kit.connected(id).subscribe("$share/g/t", 1).subscribe("$share/h/t", 1).take();
    const seen: string[] = [];
    kit.hooks.add("message.delivered", "test", (id) => {
      seen.push(id);
      kit.broker.unsubscribe("a", "$share/h/t");
    });
    kit.broker.refreshRaw();
    kit.connected("p").publish("t", "x", 1);
    expect(seen).toEqual(["a", "b"]);
  });
});

describe("hooks that end what is being delivered to", () => {
  test("message.delivered publishes to the same session while unacknowledged messages go out again: behind them", () => {
    const kit = new TestKit();
    const first = kit.connected("s", 5, persistent);
    first.subscribe("t", 1).take();
    const p = kit.connected("p", 5);
    for (let i = 1; i <= 3; i++) p.publish("t", `${i}`, 1, { messageId: i });
    first.drop();
    let done = false;
    kit.hooks.add("message.delivered", "test", (_id, m) => {
      if (done) return;
      done = true;
      kit.broker.publish(m.with({ payload: Buffer.from("new") }));
    });
    const s = kit.client(5).connect("s", persistent);
    expect(s.messages().map((m) => [m.payload, m.messageId])).toEqual([
      ["1", 1],
      ["2", 2],
      ["3", 3],
      ["new", 4],
    ]);
  });

  for (const [what, act] of Object.entries(ACTS).slice(1)) {
    test(`message.delivered ${what} while queued messages go out: no byte behind DISCONNECT, the rest is kept or ended with it`, () => {
      const kit = new TestKit();
      kit.connected("s", 5, persistent).subscribe("t", 1).disconnect();
      const p = kit.connected("p", 5);
      for (let i = 1; i <= 5; i++) p.publish("t", `${i}`, 1, { messageId: i });
      let seen = 0;
      kit.hooks.add("message.delivered", "test", (id) => {
        if (id === "s" && ++seen === 2) act(kit, "s");
      });
      const s = kit.client(5).connect("s", persistent);
      expect(s.take().map((x) => x.cmd)).toEqual(["connack", "publish", "publish", "disconnect"]);
      const kept = what === "kicks" ? 5 : undefined;
      const session = kit.broker.sessions.get("s");
      expect(session && session.inflightLen + session.mqueueLen).toBe(kept as number);
      seen = 10;
      const again = kit.client(5).connect("s", persistent);
      expect(again.messages().map((m) => m.payload)).toEqual(kept ? ["1", "2", "3", "4", "5"] : []);
    });

    test(`message.delivered ${what} while unacknowledged messages go out again`, () => {
      const kit = new TestKit();
      const first = kit.connected("s", 5, persistent);
      first.subscribe("t", 1).take();
      const p = kit.connected("p", 5);
      for (let i = 1; i <= 4; i++) p.publish("t", `${i}`, 1, { messageId: i });
      first.drop();
      let seen = 0;
      kit.hooks.add("message.delivered", "test", () => {
        if (++seen === 2) act(kit, "s");
      });
      const s = kit.client(5).connect("s", persistent);
      expect(s.take().map((x) => x.cmd)).toEqual(["connack", "publish", "publish", "disconnect"]);
      expect(kit.broker.sessions.get("s")?.inflightLen).toBe(what === "kicks" ? 4 : (undefined as never));
      expect(kit.log.errors).toEqual([]);
    });

    test(`message.acked ${what}: nothing goes out behind it`, () => {
      const kit = new TestKit({ zone: { maxInflight: 1 } });
      const s = kit.connected("s", 4, { clean: false });
      s.subscribe("t", 1).take();
      const p = kit.connected("p");
      for (let i = 1; i <= 3; i++) p.publish("t", `${i}`, 1, { messageId: i });
      kit.hooks.add("message.acked", "test", () => act(kit, "s"));
      s.take();
      s.send({ cmd: "puback", messageId: 1 });
      expect(s.take()).toEqual([]);
      expect(s.channel.phase).toBe("closed");
      expect(kit.broker.sessions.get("s")?.mqueueLen).toBe(what === "kicks" ? 2 : (undefined as never));
    });

    test(`message.publish ${what} the publisher: its message reaches the others, it hears nothing behind DISCONNECT`, () => {
      const kit = new TestKit();
      const s = kit.connected("s");
      s.subscribe("t", 2).take();
      const p = kit.connected("p", 5);
      kit.hooks.add("message.publish", "test", (m) => {
        act(kit, "p");
        return m;
      });
      p.publish("t", "x", 2);
      expect(p.take().map((x) => x.cmd)).toEqual(["disconnect"]);
      expect(s.messages()).toHaveLength(1);
      expect(kit.log.errors).toEqual([]);
    });
  }

  test("message.publish unsubscribes a receiver, or subscribes one: that counts for this message", () => {
    const kit = new TestKit();
    const [a, b] = ["a", "b"].map((id) => kit.connected(id)) as [TestClient, TestClient];
    a.subscribe("t").subscribe("+").take();
    const p = kit.connected("p");
    kit.hooks.add("message.publish", "test", (m) => {
      kit.broker.unsubscribe("a", "t");
      kit.broker.unsubscribe("a", "+");
      kit.broker.subscribe("b", "t", options());
      return m;
    });
    p.publish("t", "x");
    expect([a, b].map((x) => x.messages().length)).toEqual([0, 1]);
  });
});

describe("No Local, merged", () => {
  test("its own messages by the other filters, those of others by all", () => {
    const kit = new TestKit();
    const c = kit.connected("c", 5);
    c.subscribe("t", 2, { nl: true, subId: 1 }).subscribe("+", 1, { subId: 2 }).subscribe("#", 0, { subId: 3, nl: true }).take();
    c.publish("t", "own", 2);
    kit.connected("d", 5).publish("t", "other", 2);
    expect(c.messages().map((m) => [m.payload, m.qos, [m.properties?.subscriptionIdentifier].flat().toSorted()])).toEqual([
      ["own", 1, [2]],
      ["other", 2, [1, 2, 3]],
    ]);
  });
});

describe("what leaves before the commit", () => {
  const bytesOf = (c: TestClient): number => c.transport.chunks.reduce((n, chunk) => n + chunk.length, 0);
  const large = Buffer.alloc(90_000, "x");

  for (const [qos, left] of [
    [1, true],
    [2, false],
  ] as const) {
    test(`a large PUBLISH of QoS ${qos} to a journalled session ${left ? "may" : "must not"}`, () => {
      const kit = new TestKit();
      const s = kit.connected("s", 5, persistent);
      s.subscribe("t", 2).take();
      // Who is alone is not given a copy that would have to leave.
      kit.connected("other", 5).subscribe("t", 2);
      const p = kit.connected("p", 5);
      const before = bytesOf(s);
      p.channel.onData(
        mqttPacket.generate(
          { cmd: "publish", topic: "t", payload: large, qos, messageId: 1, dup: false, retain: false },
          { protocolVersion: 5 },
        ),
      );
      expect(kit.store.pending).toBe(true);
      expect(bytesOf(s) > before).toBe(left);
      kit.settle();
      expect(s.messages()).toHaveLength(1);
    });
  }
});

describe("a frame with one receiver is sent on where it lies", () => {
  for (const version of [4, 5] as const) {
    test(`with the receiver's identifier and without DUP, several in one write: ${version === 5 ? "5.0" : "3.1.1"}`, () => {
      const kit = new TestKit();
      const s = kit.connected("s", version).subscribe("t", 1);
      s.take();
      const p = kit.connected("p", version);
      const { writes } = s.transport;
      const frames = ["a", "b", "c"].map((payload, i) =>
        mqttPacket.generate(
          { cmd: "publish", topic: "t", payload, qos: 1, messageId: 700 + i, dup: true, retain: false },
          { protocolVersion: version },
        ),
      );
      p.raw(Buffer.concat(frames));
      expect(s.transport.writes - writes).toBe(1);
      const got = s.take() as IPublishPacket[];
      expect(got.map((m) => [String(m.payload), m.messageId, m.dup])).toEqual([
        ["a", 1, false],
        ["b", 2, false],
        ["c", 3, false],
      ]);
      expect(p.take().map((x) => (x as { messageId?: number }).messageId)).toEqual([700, 701, 702]);
    });
  }

  test("and is what it was in the window: sent again with DUP and its own identifier", () => {
    const kit = new TestKit();
    const s = kit.connected("s", 4, { clean: false }).subscribe("t", 1);
    s.take();
    kit.connected("p", 4).publish("t", "payload", 1, { messageId: 700 });
    expect(s.take()).toMatchObject([{ payload: Buffer.from("payload"), messageId: 1, dup: false }]);
    s.drop();
    const back = kit.client(4).connect("s", { clean: false });
    expect(back.take()).toMatchObject([{ cmd: "connack" }, { payload: Buffer.from("payload"), messageId: 1, dup: true }]);
  });

  test("once: whoever a hook gives the same message meanwhile gets bytes of its own", () => {
    const kit = new TestKit();
    const s = kit.connected("s", 4).subscribe("t", 1);
    const o = kit.connected("o", 4);
    const other = kit.broker.sessions.get("o") as Session;
    // So that its identifiers are others.
    const x = new Message("x", Buffer.from("x"), 1, false, "", null, 0, 0, null);
    for (let i = 0; i < 2; i++) kit.broker.delivery.send(other, x, plainTerms(1, false), "x");
    kit.broker.flush();
    kit.settle();
    s.take();
    o.take();
    let left = 1;
    kit.hooks.add("message.delivered", "test", (_id, m) => {
      if (left-- > 0) kit.broker.delivery.send(other, m, plainTerms(1, false), "t");
    });
    kit.connected("p", 4).publish("t", "both", 1, { messageId: 9 });
    expect(s.take()).toMatchObject([{ payload: Buffer.from("both"), messageId: 1 }]);
    expect(o.take()).toMatchObject([{ payload: Buffer.from("both"), messageId: 3 }]);
  });
});

test("who can be given the publisher's own bytes: those who asked for no form of their own", () => {
  const kit = new TestKit();
  const formOf = (id: string, version: 4 | 5, properties?: { topicAliasMaximum?: number; maximumPacketSize?: number }): number => {
    const { channel } = kit.connected(id, version, properties && { properties });
    return channel.rawForm;
  };
  expect([formOf("a", 4), formOf("b", 5), formOf("c", 5, { topicAliasMaximum: 1 }), formOf("d", 5, { maximumPacketSize: 1000 })]).toEqual([
    4, 5, 0, 0,
  ]);
});

describe("settings of the zone that change", () => {
  for (const [field, got] of [
    ["upgradeQos", [[1], [1]]],
    ["ignoreLoopDeliver", [[0], []]],
  ] as const) {
    test(`${field}: connections that are there already follow`, () => {
      const kit = new TestKit();
      const [a, p] = [kit.connected("a"), kit.connected("p")];
      for (const c of [a, p]) c.subscribe("t", 1).take();
      kit.zone[field] = true;
      kit.core.refresh();
      p.publish("t", "x", 0);
      expect([a, p].map((c) => c.messages().map((m) => m.qos))).toEqual(got.map((x) => [...x]));
    });
  }
});

describe("a client that comes back", () => {
  test("a message that a hook publishes while it is connected is sent once, behind what was unacknowledged", () => {
    const kit = new TestKit();
    kit.connected("s", 5, persistent).subscribe("t", 1).drop();
    const p = kit.connected("p", 5);
    p.publish("t", "old", 1);
    const first = kit.connected("s", 5, persistent);
    expect(first.transport.chunks.length).toBeGreaterThan(0);
    first.drop();
    kit.hooks.add("client.connected", "test", (c) => {
      if (c.clientId === "s") kit.broker.publish(new Message("t", Buffer.from("new"), 1, false, "", null, kit.broker.now, 0, null));
    });
    const again = kit.client(5).connect("s", persistent);
    expect(again.messages().map((m) => [m.payload, m.dup])).toEqual([
      ["old", true],
      ["new", false],
    ]);
  });

  for (const qos of [0, 1] as const) {
    test(`QoS 0 published to it now (as QoS ${qos}) does not overtake QoS 0 that waits behind a full window`, () => {
      const kit = new TestKit({ zone: { maxInflight: 1 } });
      kit.connected("s", 4, { clean: false }).subscribe("a", 1).subscribe("t", 0).drop();
      const p = kit.connected("p");
      p.publish("a", "1", 1).publish("a", "2", 1).publish("t", "first", qos);
      const s = kit.connected("s", 4, { clean: false });
      p.publish("t", "second", qos);
      s.send({ cmd: "puback", messageId: 1 });
      expect(s.messages().map((m) => m.payload)).toEqual(["2", "first", "second"]);
      p.publish("t", "third", qos);
      expect(s.messages().map((m) => m.payload)).toEqual(["third"]);
    });
  }

  test("QoS 0 waits behind QoS 0 although the zone has just stopped to queue it", () => {
    const kit = new TestKit({ zone: { maxInflight: 1 } });
    kit.connected("s", 4, { clean: false }).subscribe("a", 1).subscribe("t", 0).drop();
    const p = kit.connected("p");
    p.publish("a", "1", 1).publish("a", "2", 1).publish("t", "first");
    kit.zone.mqueueStoreQos0 = false;
    const s = kit.connected("s", 4, { clean: false });
    p.publish("t", "second");
    s.send({ cmd: "puback", messageId: 1 });
    expect(s.messages().map((m) => m.payload)).toEqual(["2", "first", "second"]);
    s.drop();
    p.publish("t", "lost");
    const again = kit.client(4).connect("s", { clean: false });
    expect(again.messages().map((m) => m.payload)).toEqual(["2"]);
  });
});

describe("a message that only one window holds", () => {
  const long = "ü".repeat(20_000);
  const rich = {
    contentType: "text/ü",
    responseTopic: "re/x",
    correlationData: Buffer.from([0, 255]),
    userProperties: { a: ["1", "2"], ü: "3" },
  };
  for (const [what, publish] of Object.entries({
    plain: { payload: Buffer.from("x") },
    "without payload": { payload: Buffer.alloc(0) },
    "with a name that is not ASCII": { topic: "q/ü/❤", payload: Buffer.from("x") },
    "with a long name": { topic: `q/${"n".repeat(60)}`, payload: Buffer.from("x") },
    "with a name of more bytes than characters": { topic: `q/${long}`, payload: Buffer.from("x") },
    "with properties": { payload: Buffer.from("x"), properties: rich },
    "with an expiry": { payload: Buffer.from("x"), properties: { messageExpiryInterval: 100 } },
    "of 60 KiB": { payload: Buffer.alloc(60 * 1024, 7) },
    "of 300 KB": { payload: Buffer.alloc(300_000, 7) },
  }) as [string, { topic?: string; payload: Buffer; properties?: Record<string, unknown> }][]) {
    for (const version of [4, 5] as const) {
      for (const subId of version === 5 ? [0, 300_000] : [0]) {
        for (const qos of [1, 2] as const) {
          test(`${what}, to ${version === 5 ? "5.0" : "3.1.1"}, QoS ${qos}${subId > 0 ? ", subscription identifier" : ""}: from the queue as it was published`, () => {
            const kit = new TestKit({ zone: { maxInflight: 1 } });
            const s = kit.connected("s", version, version === 5 ? { properties: { receiveMaximum: 1 } } : {});
            s.subscribe("q/#", qos, subId > 0 ? { subId } : {});
            const p = kit.connected("p", 5);
            const { topic = "q/t", payload, properties } = publish;
            p.publish("q/first", "", qos).publish(topic, payload, qos, { messageId: 2, ...(properties ? { properties } : {}) });
            s.take();
            kit.pass(30_000);
            s.take();
            if (qos === 1) s.send({ cmd: "puback", messageId: 1 });
            else s.send({ cmd: "pubrec", messageId: 1 }).send({ cmd: "pubcomp", messageId: 1 });
            const got = s.take().filter((x) => x.cmd === "publish") as mqttPacket.IPublishPacket[];
            expect(got).toHaveLength(1);
            const [m] = got as [mqttPacket.IPublishPacket];
            expect([m.topic, m.qos, m.dup, m.retain, m.messageId]).toEqual([topic, qos, false, false, 2]);
            expect(payload.equals(m.payload as Buffer)).toBe(true);
            const expiry = properties && "messageExpiryInterval" in properties ? { messageExpiryInterval: 70 } : {};
            const wanted = { ...properties, ...expiry, ...(subId > 0 ? { subscriptionIdentifier: subId } : {}) };
            expect({ ...m.properties }).toEqual(version === 5 ? (wanted as never) : {});
            expect(kit.log.errors).toEqual([]);
          });
        }
      }
    }
  }

  for (const from of [4, 5] as const) {
    for (const size of [3, 61 * 1024]) {
      test(`in the queues of many, from ${from === 5 ? "5.0" : "3.1.1"}, ${size} bytes: to each in its form, with its QoS and identifier, as retained to whoever asked`, () => {
        const kit = new TestKit({ zone: { maxInflight: 1, retainAvailable: true } });
        const subs = ([4, 5] as const).flatMap((version) =>
          ([1, 2] as const).flatMap((qos) =>
            [false, true].map((rap) => {
              const c = kit.connected(`${version}${qos}${rap}`, version, version === 5 ? { properties: { receiveMaximum: 1 } } : {});
              return { version, qos, rap, c: c.subscribe("q/#", qos, version === 5 ? { rap } : {}) };
            }),
          ),
        );
        const p = kit.connected("p", from);
        const payload = Buffer.alloc(size, 7);
        p.publish("q/first", "", 1);
        const sent = [1, 2].flatMap((qos) => [false, true].map((retain) => ({ qos: qos as 1 | 2, retain })));
        for (const [i, { qos, retain }] of sent.entries()) p.publish("q/t", payload, qos, { messageId: 10 + i, retain, dup: true });
        for (const { version, qos, rap, c } of subs) {
          const got: mqttPacket.IPublishPacket[] = [];
          for (let rounds = 0; rounds < 10; rounds++) {
            for (const x of c.take()) {
              if (x.cmd === "publish") got.push(x);
              const messageId = "messageId" in x ? x.messageId : 0;
              if (x.cmd === "publish") c.send({ cmd: x.qos === 1 ? "puback" : "pubrec", messageId });
              else if (x.cmd === "pubrel") c.send({ cmd: "pubcomp", messageId });
            }
          }
          expect(got.slice(1).map((m) => [m.qos, m.retain, m.dup, m.messageId, payload.equals(m.payload as Buffer)])).toEqual(
            sent.map((s, i) => [Math.min(s.qos, qos), s.retain && rap && version === 5, false, i + 2, true]),
          );
        }
        // With the identifiers of its own that it has not released.
        p.drop();
        expect(kit.log.errors).toEqual([]);
        expect(kit.broker.held.bytes).toBe(0);
      });
    }
  }

  test("holds on to the chunk it came in if that is small, and to a copy of its payload if not; a queue always to a copy", () => {
    const kit = new TestKit({ zone: { maxInflight: 1 } });
    kit.connected("s").subscribe("t", 1);
    const p = kit.connected("p");
    const chunk = (payload: string, fill: number): Buffer =>
      Buffer.concat([
        mqttPacket.generate({ cmd: "publish", topic: "t", payload, qos: 1, dup: false, retain: false, messageId: 1 }),
        ...Array.from({ length: fill }, () => mqttPacket.generate({ cmd: "pingreq" })),
      ]);
    const session = kit.broker.sessions.get("s");
    const small = chunk("small", 900);
    p.channel.onData(small);
    kit.settle();
    expect(session?.inflight?.message(0).buf).toBe(small);
    const queued = chunk("queued", 0);
    p.channel.onData(queued);
    kit.settle();
    const item = session?.mqueue?.peek()?.message;
    expect(item?.buf).not.toBe(queued);
    expect(Buffer.from(item?.payload ?? []).toString()).toBe("queued");
    session?.mqueue?.clear();
    session?.inflight?.clear();
    const large = chunk("large", 1100);
    p.channel.onData(large);
    kit.settle();
    const m = session?.inflight?.message(1);
    expect(m?.buf).not.toBe(large);
    expect(Buffer.from(m?.payload ?? []).toString()).toBe("large");
  });
});

test("many messages to several receivers of another version: each with its own identifiers, beyond one byte", () => {
  const kit = new TestKit({ zone: { maxInflight: 0 } });
  const subs = ["a", "b"].map((id) => kit.connected(id, 5).subscribe("t", 1));
  // A head start, so that the same message has different identifiers.
  const head = kit.connected("a2", 5).subscribe("#", 1);
  const p = kit.connected("p", 4);
  for (let i = 0; i < 10; i++) p.publish("other", "", 1);
  for (let i = 0; i < 600; i++) p.publish("t", String(i), 1);
  for (const s of subs)
    expect(s.messages().map((m) => [m.messageId, m.payload])).toEqual(Array.from({ length: 600 }, (_, i) => [i + 1, String(i)]));
  expect(
    head
      .messages()
      .slice(10)
      .map((m) => [m.messageId, m.payload]),
  ).toEqual(Array.from({ length: 600 }, (_, i) => [i + 11, String(i)]));
});

test("what expired while the client did not read is not sent when it reads on", () => {
  const kit = new TestKit();
  const s = kit.connected("s", 5).subscribe("t", 1);
  const p = kit.connected("p", 5);
  s.take();
  s.transport.room = 0;
  for (let i = 0; i < 3; i++) p.publish("t", Buffer.alloc(600 * 1024), 1);
  p.publish("t", "late", 1, { properties: { messageExpiryInterval: 10 } }).publish("t", "still good", 1);
  expect(kit.broker.sessions.get("s")?.mqueueLen).toBeGreaterThanOrEqual(2);
  kit.clock.time += 20_000;
  s.transport.room = Number.POSITIVE_INFINITY;
  s.channel.onDrain();
  kit.settle();
  expect(
    s
      .messages()
      .map((m) => m.payload.slice(0, 10))
      .filter((x) => !x.startsWith("\0")),
  ).toEqual(["still good"]);
  expect(kit.metrics.messagesExpired).toBe(1);
});

describe("what waits in a queue", () => {
  test("holds on to its own bytes alone, whatever else came at the same time", () => {
    const kit = new TestKit();
    kit.connected("away", 4, { clean: false }).subscribe("+/kept", 1).drop();
    kit.connected("here", 4).subscribe("+/#", 1);
    const p = kit.connected("p");
    for (let i = 0; i < 20; i++) {
      const many = Array.from({ length: 100 }, (_, n) =>
        mqttPacket.generate({
          cmd: "publish",
          topic: n === 50 ? `${i}/kept` : `${i}/gone`,
          payload: Buffer.alloc(700),
          qos: 1,
          dup: false,
          retain: false,
          messageId: 1,
        }),
      );
      p.raw(Buffer.concat(many));
    }
    const held = [...(kit.broker.sessions.get("away")?.mqueue ?? [])].map((item) => item.message);
    expect(held).toHaveLength(20);
    const buffers = new Set(held.map((m) => m.payload.buffer));
    expect([...buffers].reduce((n, b) => n + b.byteLength, 0)).toBeLessThanOrEqual(20 * 1024);
  });

  test("is not kept in encoded forms beside it, and those who are sent it later get it as it is", () => {
    const kit = new TestKit();
    for (const id of ["a", "b"]) kit.connected(id, 4, { clean: false }).subscribe("t", 2).drop();
    const here = [
      kit.connected("v4").subscribe("t", 1),
      kit.connected("v5", 5).subscribe("t", 2),
      kit.connected("q0", 5).subscribe("t", 0),
    ];
    kit.connected("p").publish("t", "payload", 2);
    const m = kit.broker.sessions.get("a")?.mqueue?.peek()?.message;
    expect(m?.encodedForms().filter((f) => f !== undefined)).toEqual([]);
    const back = ["a", "b"].map((id) => kit.client().connect(id, { clean: false }));
    expect([...here, ...back].map((c) => c.messages().map((x) => [x.topic, x.payload, x.qos]))).toEqual(
      [1, 2, 0, 2, 2].map((qos) => [["t", "payload", qos]]),
    );
    expect(m?.encodedForms().filter((f) => f !== undefined)).toEqual([]);
  });
});

test("an exception in the middle of a dispatch leaves nothing behind: later receivers share no form", () => {
  const kit = new TestKit();
  kit.connected("away", 4, { clean: false }).subscribe("t", 1).drop();
  kit.connected("bad", 4, { clean: false }).subscribe("t", 1).drop();
  const { sessions } = kit.store;
  const enqueue = sessions.enqueue.bind(sessions);
  let calls = 0;
  sessions.enqueue = (...row) => {
    if (++calls === 2) throw new Error("a bug");
    enqueue(...row);
  };
  kit.broker.publish(new Message("t", Buffer.from("x"), 1, false, "", null, 0, 0, null));
  expect(kit.log.errors.join()).toContain("a message for a session is lost");
  kit.connected("again", 4, { clean: false }).subscribe("t", 1).drop();
  const m = kit.broker.sessions.get("away")?.mqueue?.peek()?.message;
  // Two hold it: alone in its window it would have no form in any case.
  kit.broker.delivery.send(kit.broker.sessions.get("again") as Session, m as Message, plainTerms(1, false), "t");
  kit.pass(100);
  expect(
    kit
      .client()
      .connect("away", { clean: false })
      .messages()
      .map((x) => x.payload),
  ).toEqual(["x"]);
  expect(m?.encodedForms().filter((f) => f !== undefined)).toEqual([]);
});

describe("one receiver's failure is its own", () => {
  /** The session of this client fails with whatever it is to get. */
  const failing = (kit: TestKit, clientId: string): void => {
    const session = kit.broker.sessions.get(clientId) as Session;
    session.qosOf = () => {
      throw new Error("a bug");
    };
  };
  const ways: readonly [string, (p: TestClient) => void][] = [
    ["QoS 0", (p) => p.publish("t", "x")],
    ["QoS 1", (p) => p.publish("t", "x", 1)],
    ["QoS 0 of another form", (p) => p.publish("t", "x", 0, { retain: true })],
  ];
  for (const [name, publish] of ways)
    test(`${name}: all others get it, its connection ends, and it is told in the log`, () => {
      const kit = new TestKit();
      const before = kit.connected("before").subscribe("t", 1);
      // Not as they are sent, so that the fault is met.
      kit.connected("bad", 5).subscribe("t", 1);
      kit.connected("away", 4, { clean: false }).subscribe("t", 1).drop();
      const after = kit.connected("after").subscribe("t", 1);
      const group = kit.connected("group").subscribe("$share/g/t", 1);
      failing(kit, "bad");
      failing(kit, "away");
      const p = kit.connected("p", 4);
      publish(p);
      for (const c of [before, after, group]) expect(c.messages().map((m) => m.payload)).toEqual(["x"]);
      expect(p.channel.phase).toBe("connected");
      expect(kit.log.errors.join()).toContain("a message for a session is lost");
      expect(kit.broker.sessions.get("bad")?.channel ?? null).toBeNull();
    });
});

describe("a long queue", () => {
  const KEPT: never = { clean: false, properties: { sessionExpiryInterval: 1000 } } as never;
  const turn = async (kit: TestKit): Promise<void> => {
    kit.settle();
    for (let i = 0; i < 5; i++) await Promise.resolve();
  };
  function away(n: number): { kit: TestKit; p: TestClient } {
    const kit = new TestKit({ zone: { maxMqueueLen: 0 } });
    kit.connected("s", 5, KEPT).subscribe("t", 1).drop();
    const p = kit.connected("p");
    for (let i = 0; i < n; i++) kit.broker.publish(new Message("t", Buffer.from(String(i)), 1, false, "", null, 0, 0, null));
    return { kit, p };
  }
  const numbers = (n: number): string[] => Array.from({ length: n }, (_, i) => String(i));

  test("goes out over several turns, in order; what is published meanwhile comes behind it, others are served", async () => {
    const { kit, p } = away(2500);
    const s = kit.client(5);
    s.channel.onData(
      mqttPacket.generate(
        { cmd: "connect", protocolId: "MQTT", protocolVersion: 5, clientId: "s", keepalive: 0, ...(KEPT as object) } as never,
        { protocolVersion: 5 },
      ),
    );
    kit.broker.output.pool.flushAll();
    const got = s.messages().map((m) => m.payload);
    expect(got).toHaveLength(1000);
    p.channel.onData(mqttPacket.generate({ cmd: "publish", topic: "t", payload: "last", qos: 1, messageId: 5, dup: false, retain: false }));
    // Acknowledgements do not make it faster.
    s.channel.onData(mqttPacket.generate({ cmd: "puback", messageId: 1, reasonCode: 0 } as never, { protocolVersion: 5 }));
    kit.broker.output.pool.flushAll();
    expect(s.messages()).toEqual([]);
    for (let turns = 1; got.length < 2501; turns++) {
      expect(turns).toBeLessThan(5);
      await turn(kit);
      got.push(...s.messages().map((m) => m.payload));
    }
    expect(got).toEqual([...numbers(2500), "last"]);
    expect(kit.broker.sessions.get("s")?.mqueueLen).toBe(0);
    expect(kit.log.errors).toEqual([]);
  });

  test("whose client goes in the middle, and comes back before the next turn: nothing is lost, the order stays", async () => {
    const { kit } = away(2500);
    const first = kit.client(5).connect("s", KEPT);
    first.drop();
    const again = kit.client(5).connect("s", KEPT);
    const got: string[] = [];
    for (let turns = 0; turns < 6; turns++) {
      await turn(kit);
      got.push(...again.messages().map((m) => m.payload));
    }
    expect(got).toEqual(numbers(2500));
    expect(kit.log.errors).toEqual([]);
  });
});

test("a session that moves to another zone has that zone's limits for its queue", () => {
  const kit = new TestKit({ zone: { maxMqueueLen: 5 } });
  kit.internal.maxMqueueLen = 2;
  const persistent = { clean: false };
  kit.connected("s", 4, persistent).subscribe("t", 1).drop();
  const p = kit.connected("p");
  for (const payload of ["1", "2", "3"]) p.publish("t", payload, 1);
  expect(kit.broker.sessions.get("s")?.mqueueLen).toBe(3);
  const inside = new TestClient(kit, 4, { ...kit.listener, zone: "internal" }).connect("s", persistent);
  expect(inside.messages().map((m) => m.payload)).toEqual(["1", "2", "3"]);
  inside.drop();
  for (const payload of ["4", "5", "6"]) p.publish("t", payload, 1);
  expect(kit.broker.sessions.get("s")?.mqueueLen).toBe(2);
});

describe("one of a group", () => {
  /** A group of one, so that it is known who gets it. */
  function member(version: 4 | 5, opts?: Partial<SubscribeOptions>) {
    const kit = new TestKit();
    const m = kit.connected("m", version);
    kit.broker.subscribe("m", "$share/g/t", options(0, opts));
    m.take();
    return { kit, m, session: kit.broker.sessions.get("m") as Session };
  }

  for (const [publisher, receiver] of [
    [4, 4],
    [5, 5],
    [4, 5],
    [5, 4],
  ] as const) {
    test(`a message of QoS 0 from ${publisher} to ${receiver}: as it came where the form is the same, and counted once`, () => {
      const { kit, m, session } = member(receiver);
      const p = kit.connected("p", publisher);
      const before = kit.metrics.qos0Sent;
      p.publish("t", "x", 0);
      p.publish("t", "y", 0);
      expect(m.messages().map((x) => String(x.payload))).toEqual(["x", "y"]);
      expect(kit.metrics.qos0Sent - before).toBe(2);
      expect(session.deliverCount).toBe(2);
    });
  }

  test("its subscription identifier comes with it", () => {
    const { kit, m } = member(5, { subId: 7 });
    kit.connected("p", 5).publish("t", "x", 0);
    expect(m.messages().map((x) => x.properties?.subscriptionIdentifier)).toEqual([7]);
  });

  test("beside other subscribers each group has one, and nobody has it twice", () => {
    const kit = new TestKit();
    const of = (id: string, filter: string): TestClient => {
      const c = kit.connected(id);
      c.subscribe(filter, 0).take();
      return c;
    };
    const alone = of("alone", "t");
    const groups = ["g", "h"].map((g) => ["a", "b", "c"].map((n) => of(`${g}${n}`, `$share/${g}/t`)));
    const p = kit.connected("p");
    for (let n = 0; n < 30; n++) p.publish("t", String(n), 0);
    const all = Array.from({ length: 30 }, (_, n) => String(n)).sort();
    const got = (cs: TestClient[]): string[] => cs.flatMap((c) => c.messages().map((x) => String(x.payload))).sort();
    expect(got([alone])).toEqual(all);
    for (const g of groups) expect(got(g)).toEqual(all);
  });
});

test("whoever is away and gets it later is a receiver, too", () => {
  const kit = new TestKit();
  kit.connected("away", 5, persistent).subscribe("t", 1);
  kit.broker.kick("away");
  kit.connected("here", 5).subscribe("t", 1);
  const message = (topic: string) => new Message(topic, Buffer.from("x"), 1, false, "", null, kit.clock.now(), 0, null);
  expect([kit.broker.publish(message("t")), kit.broker.publish(message("nobody"))]).toEqual([2, 0]);
});

test("one message in each form that a receiver may take, none in another's", () => {
  const kit = new TestKit();
  const receivers = ([4, 5] as const).flatMap((version) =>
    ([0, 1, 2] as const).flatMap((qos) =>
      [false, true].map((rap) => ({ version, qos, rap, c: kit.connected(`${version}${qos}${rap}`, version) })),
    ),
  );
  // 3.1.1 too: a session may have been made by a connection of 5.0.
  for (const { c, qos, rap } of receivers) kit.broker.subscribe(c.channel.session?.clientId as string, "t", options(qos, { rap }));
  // Of no chunk: it is encoded, once for each form.
  kit.broker.publish(new Message("t", Buffer.from("x"), 2, true, "", null, kit.broker.now, 0, null));
  kit.pass(100);
  const got = receivers.map(({ version, qos, rap, c }) => [
    version,
    qos,
    rap,
    c.messages().map((m) => [m.topic, m.payload, m.qos, m.retain]),
  ]);
  expect(got).toEqual(receivers.map(({ version, qos, rap }) => [version, qos, rap, [["t", "x", qos, rap]]]));
});

test("a journalled message is one object with its row's number, if it has one", () => {
  const { broker } = new TestKit();
  const row = {
    topic: "t",
    payload: Buffer.from("x"),
    qos: 1,
    retain: false,
    from: "p",
    username: null,
    timestamp: 0,
    expiresAt: 0,
    properties: null,
  } as const;
  const numbered = { ...row, storeId: 7 };
  const m = broker.restored(numbered);
  expect([m.storeId, broker.restored(numbered) === m, broker.restored(row).storeId]).toEqual([7, true, 0]);
  // What is left of its time counts from now.
  const until = { ...row, expiresAt: broker.now + 1000 };
  expect(broker.restored(until).expired(later(broker.mono, 999))).toBe(false);
  expect(broker.restored(until).expired(later(broker.mono, 1001))).toBe(true);
});

test("who cannot take a message because it is too large is no receiver", () => {
  const kit = new TestKit();
  kit.connected("small", 5, { properties: { maximumPacketSize: 100 } }).subscribe("t", 0);
  kit.connected("large", 5).subscribe("t", 0);
  const publish = (bytes: number): number =>
    kit.broker.publish(new Message("t", Buffer.alloc(bytes), 0, false, "", null, kit.broker.now, 0, null));
  expect([publish(10), publish(1000)]).toEqual([2, 1]);
});

describe("who has left while what it sent before is still looked at", () => {
  /** Its session is kept; it waits for a verdict about what it has published, and is gone. `later`: what its own client hears when it is back. */
  function leaving(version: 4 | 5 = 4) {
    const kit = new TestKit({ zone: { maxInflight: 2 } });
    const publisher = kit.connected("p", version);
    const options = version === 5 ? { clean: false, properties: { sessionExpiryInterval: 1000 } } : { clean: false };
    const c = kit.connected("c", version, options);
    let answer = (): void => {};
    kit.hooks.add("client.check_acl", "slow", ({ clientId }, action) => {
      if (clientId !== "c" || action === "subscribe") return { verdict: "allow" };
      return new Promise((done) => (answer = () => done({ verdict: "allow" })));
    });
    const judged = async (): Promise<void> => {
      answer();
      await Bun.sleep(0);
      kit.settle();
    };
    const leaves = (): void => c.publish("own", "x").drop();
    const back = () =>
      kit
        .client(version)
        .connect("c", options)
        .messages()
        .map((m) => [m.payload, m.qos]);
    return { kit, publisher, c, judged, leaves, back };
  }

  for (const version of [4, 5] as const)
    test(`MQTT ${version}: gets what came meanwhile when it is back, also QoS 0`, async () => {
      const { kit, publisher, c, judged, leaves, back } = leaving(version);
      c.subscribe("t", 1);
      leaves();
      expect(kit.broker.connections).toBe(2);
      publisher.publish("t", "1").publish("t", "2", 1).publish("t", "3");
      kit.broker.publish(new Message("t", Buffer.from("4"), 0, false, "", null, kit.clock.time, 0, null));
      expect(kit.metrics.get("messages/sent")).toBe(0);
      await judged();
      expect([kit.broker.connections, kit.broker.sessions.get("c")?.mqueueLen]).toEqual([1, 4]);
      expect(back()).toEqual([
        ["1", 0],
        ["2", 1],
        ["3", 0],
        ["4", 0],
      ]);
    });

  test("what waited for it stays, though its acknowledgements are still handled", async () => {
    const { kit, publisher, c, judged, back } = leaving();
    c.subscribe("t", 1).drop();
    for (const n of [1, 2, 3]) publisher.publish("t", `${n}`, 1);
    publisher.publish("t", "4");
    const again = kit.client(4).connect("c", { clean: false });
    const came = again.messages();
    expect(came.map((m) => m.payload)).toEqual(["1", "2"]);
    again.publish("own", "x");
    for (const { messageId = 0 } of came) again.send({ cmd: "puback", messageId });
    again.drop();
    await judged();
    expect(kit.broker.connections).toBe(1);
    expect(back()).toEqual([
      ["3", 1],
      ["4", 0],
    ]);
  });

  test("a shared subscription gives its messages to somebody who is there", async () => {
    const { kit, publisher, c, judged, leaves, back } = leaving();
    // The group begins with it.
    c.subscribe("$share/g/t");
    const other = kit.connected("other").subscribe("$share/g/t");
    other.take();
    leaves();
    for (const n of [1, 2, 3, 4]) publisher.publish("t", `${n}`);
    await judged();
    expect([other.messages().map((m) => m.payload), back()]).toEqual([["1", "2", "3", "4"], []]);
  });

  test("a session that is not kept ends with what was to come", async () => {
    const { kit, publisher, judged } = leaving();
    const c = kit.connected("c", 4).subscribe("t");
    c.publish("own", "x").drop();
    publisher.publish("t", "1");
    await judged();
    expect([kit.broker.sessions.has("c"), kit.broker.held.bytes]).toEqual([false, 0]);
  });
});
