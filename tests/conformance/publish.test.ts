import { describe, expect, test } from "bun:test";
import { TestKit } from "../support/test_broker.ts";

describe("PUBLISH, QoS 0, 1, 2", () => {
  for (const version of [3, 4, 5] as const) {
    test(`MQTT ${version}: a message reaches its subscriber at the lower of both QoS [MQTT-3.8.4-8]`, () => {
      const kit = new TestKit();
      const sub = kit.connected("sub", version);
      sub.subscribe("a/+", 1).take();
      const pub = kit.connected("pub", version);
      pub.publish("a/b", "zero", 0).publish("a/b", "one", 1).publish("a/b", "two", 2);
      expect(sub.messages().map((m) => [m.payload, m.qos, m.topic, m.dup, m.retain])).toEqual([
        ["zero", 0, "a/b", false, false],
        ["one", 1, "a/b", false, false],
        ["two", 1, "a/b", false, false],
      ]);
      expect(pub.take().map((p) => p.cmd)).toEqual(["puback", "pubrec"]);
      expect(kit.log.errors).toEqual([]);
    });
  }

  test("between versions: 3.1.1 to 5 and back, properties only where they exist", () => {
    const kit = new TestKit();
    const v4 = kit.connected("v4", 4);
    const v5 = kit.connected("v5", 5);
    v4.subscribe("t", 2).take();
    v5.subscribe("t", 2).take();
    kit.connected("p5", 5).publish("t", "x", 1, { properties: { userProperties: { a: "1" }, contentType: "text" } });
    expect(v4.messages().map((m) => m.payload)).toEqual(["x"]);
    const [got] = v5.messages();
    expect(got?.properties).toMatchObject({ contentType: "text", userProperties: { a: "1" } });
    kit.connected("p4", 4).publish("t", "y", 2);
    expect(v4.messages().map((m) => [m.payload, m.qos])).toEqual([["y", 2]]);
    expect(v5.messages().map((m) => [m.payload, m.qos])).toEqual([["y", 2]]);
  });

  test("packet identifiers of each receiver count up from 1 [MQTT-2.2.1-3]", () => {
    const kit = new TestKit();
    const a = kit.connected("a");
    const b = kit.connected("b");
    a.subscribe("t", 1).take();
    b.subscribe("t", 1).take();
    const p = kit.connected("p");
    p.publish("t", "1", 1, { messageId: 900 }).publish("t", "2", 1, { messageId: 901 });
    expect(a.messages().map((m) => m.messageId)).toEqual([1, 2]);
    expect(b.messages().map((m) => m.messageId)).toEqual([1, 2]);
  });

  test("QoS 2 outgoing: PUBLISH, PUBREC, PUBREL, PUBCOMP [MQTT-4.3.3]", () => {
    const kit = new TestKit();
    const s = kit.connected("s");
    s.subscribe("t", 2).take();
    kit.connected("p").publish("t", "x", 2);
    expect(s.messages()[0]).toMatchObject({ qos: 2, messageId: 1 });
    s.send({ cmd: "pubrec", messageId: 1 });
    expect(s.take()).toMatchObject([{ cmd: "pubrel", messageId: 1 }]);
    s.send({ cmd: "pubcomp", messageId: 1 });
    expect(s.take()).toEqual([]);
    expect(kit.broker.sessions.get("s")?.inflightLen).toBe(0);
  });

  test("QoS 2 incoming: a repeated PUBLISH is acknowledged again and delivered once [MQTT-4.3.3-10]", () => {
    const kit = new TestKit();
    const s = kit.connected("s");
    s.subscribe("t").take();
    const p = kit.connected("p");
    p.publish("t", "x", 2, { messageId: 5 }).publish("t", "x", 2, { messageId: 5, dup: true });
    expect(p.take().map((x) => x.cmd)).toEqual(["pubrec", "pubrec"]);
    expect(s.messages()).toHaveLength(1);
    p.send({ cmd: "pubrel", messageId: 5 });
    expect(p.take()).toMatchObject([{ cmd: "pubcomp", messageId: 5 }]);
    p.publish("t", "y", 2, { messageId: 5 });
    expect(s.messages().map((m) => m.payload)).toEqual(["y"]);
  });

  test("unknown PUBREC is answered with PUBREL, unknown PUBREL with PUBCOMP, both 0x92 in 5.0; unknown PUBACK and PUBCOMP are ignored", () => {
    const kit = new TestKit();
    const c = kit.connected("c", 5);
    c.send({ cmd: "pubrec", messageId: 7, reasonCode: 0 } as never);
    c.send({ cmd: "pubrel", messageId: 8, reasonCode: 0 } as never);
    c.send({ cmd: "puback", messageId: 9, reasonCode: 0 } as never).send({ cmd: "pubcomp", messageId: 10, reasonCode: 0 } as never);
    expect(c.take()).toMatchObject([
      { cmd: "pubrel", messageId: 7, reasonCode: 0x92 },
      { cmd: "pubcomp", messageId: 8, reasonCode: 0x92 },
    ]);
    expect(kit.metrics.all()).toMatchObject({
      "packets/pubrec/missed": 1,
      "packets/pubrel/missed": 1,
      "packets/puback/missed": 1,
      "packets/pubcomp/missed": 1,
    });
  });

  for (const version of [3, 4, 5] as const) {
    test(`MQTT ${version}: an answer of the wrong kind is a protocol error (1.2), one that came twice is not`, () => {
      const wrong: [string, 1 | 2, string[]][] = [
        ["PUBREC for QoS 1", 1, ["pubrec"]],
        ["PUBACK for QoS 2", 2, ["puback"]],
        ["PUBCOMP for QoS 1", 1, ["pubcomp"]],
        ["PUBCOMP before PUBREC", 2, ["pubcomp"]],
        ["PUBACK behind PUBREC", 2, ["pubrec", "puback"]],
      ];
      const answer = (cmd: string): never => ({ cmd, messageId: 1, reasonCode: 0 }) as never;
      for (const [name, qos, cmds] of wrong) {
        const kit = new TestKit();
        const s = kit.connected("s", version);
        s.subscribe("t", 2).take();
        kit.connected("p").publish("t", "x", qos);
        for (const cmd of cmds) {
          s.take();
          expect(s.transport.ended).toBe(false);
          s.send(answer(cmd));
        }
        expect([name, s.transport.ended]).toEqual([name, true]);
        expect(s.take()).toMatchObject(version === 5 ? [{ cmd: "disconnect", reasonCode: 0x82 }] : []);
      }
      const kit = new TestKit();
      const s = kit.connected("s", version);
      s.subscribe("t", 2).take();
      kit.connected("p").publish("t", "x", 2);
      for (const cmd of ["pubrec", "pubrec", "pubcomp", "pubcomp", "puback"]) s.send(answer(cmd));
      expect(s.transport.ended).toBe(false);
      expect(kit.broker.sessions.get("s")?.inflightLen).toBe(0);
    });
  }

  test("3.1: DUP on PUBREL, SUBSCRIBE and UNSUBSCRIBE (2.1 of 3.1)", () => {
    const kit = new TestKit();
    const c = kit.connected("c", 3);
    c.publish("t", "x", 2, { messageId: 7 });
    expect(c.take()).toMatchObject([{ cmd: "pubrec" }]);
    c.raw([0x6a, 2, 0, 7]).raw([0x8a, 6, 0, 1, 0, 1, 97, 1]).raw([0xaa, 5, 0, 2, 0, 1, 97]);
    expect(c.take().map((p) => p.cmd)).toEqual(["pubcomp", "suback", "unsuback"]);
    for (const version of [4, 5] as const) {
      const d = kit.connected("d", version).raw([0x6a, 2, 0, 7]);
      expect(d.transport.ended).toBe(true);
    }
  });

  test("a reserved packet type is refused at its first byte", () => {
    for (const [version, first] of [
      [3, 0x0a],
      [4, 0x00],
      [5, 0x0f],
      [3, 0xf0],
      [4, 0xf0],
      [4, 0x63],
    ] as const) {
      const kit = new TestKit();
      const c = kit.connected("c", version).raw([first]);
      expect([version, first, c.transport.ended]).toEqual([version, first, true]);
    }
  });

  test("PUBACK of 5.0 says when nobody subscribes [MQTT-3.4.2.1]", () => {
    const kit = new TestKit();
    const p = kit.connected("p", 5);
    p.publish("nobody", "x", 1).publish("nobody", "x", 2, { messageId: 2 });
    expect(p.take()).toMatchObject([
      { cmd: "puback", reasonCode: 0x10 },
      { cmd: "pubrec", reasonCode: 0x10 },
    ]);
    expect(kit.metrics.messagesDropped).toBe(2);
  });

  test("the publisher's acknowledgement comes before its own copy", () => {
    const kit = new TestKit();
    const c = kit.connected("c");
    c.subscribe("t", 2).take();
    c.publish("t", "x", 2);
    expect(c.take().map((p) => p.cmd)).toEqual(["pubrec", "publish"]);
  });

  for (const version of [3, 4, 5] as const) {
    test(`MQTT ${version}: a PUBLISH to $share/… or $queue/… goes nowhere, with an answer; one to any other $ topic is a message`, () => {
      const kit = new TestKit();
      const dropped: unknown[] = [];
      kit.hooks.add("message.dropped", "test", (m, reason, id) => dropped.push([m.topic, reason, id]));
      const watcher = kit.connected("w");
      watcher.subscribe("#").subscribe("$queue/x").subscribe("$share/g/x").take();
      const c = kit.connected("c", version);
      const code = version === 5 ? { reasonCode: 0x87 } : {};
      for (const topic of ["$share/g/x", "$queue/x"]) {
        c.publish(topic, "x", 0).publish(topic, "x", 1, { messageId: 1 }).publish(topic, "x", 2, { messageId: 2 });
        expect(c.take()).toMatchObject([
          { cmd: "puback", messageId: 1, ...code },
          { cmd: "pubrec", messageId: 2, ...code },
        ]);
        if (version !== 5) {
          c.send({ cmd: "pubrel", messageId: 2 });
          expect(c.take()).toMatchObject([{ cmd: "pubcomp", messageId: 2 }]);
        }
      }
      expect(dropped).toHaveLength(6);
      expect(dropped[0]).toEqual(["$share/g/x", "shared_topic", "c"]);
      expect(kit.metrics.messagesDropped).toBe(6);
      expect(watcher.take()).toEqual([]);
      c.publish("$other/x", "x", 1);
      expect(c.take()).toMatchObject([{ cmd: "puback" }]);
      expect(c.transport.ended).toBe(false);
    });
  }

  test("an alias for such a topic is one: its next use goes nowhere too", () => {
    const kit = new TestKit({ zone: { maxTopicAlias: 2 } });
    const c = kit.connected("c", 5);
    c.publish("$share/g/x", "x", 1, { properties: { topicAlias: 1 } }).publish("", "x", 1, { messageId: 2, properties: { topicAlias: 1 } });
    expect(c.take()).toMatchObject([
      { cmd: "puback", reasonCode: 0x87 },
      { cmd: "puback", reasonCode: 0x87 },
    ]);
  });

  test("wildcards and emptiness in a topic name end the connection [MQTT-3.3.2-2]", () => {
    for (const topic of ["a/#", "+", "a/+/b"]) {
      const kit = new TestKit();
      const c = kit.connected("c", 5);
      const body = Buffer.from(topic);
      c.raw([0x30, body.length + 3, 0, body.length, ...body, 0]);
      expect(c.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x90 }]);
      expect(c.transport.ended).toBe(true);
    }
  });

  test("messages cut anywhere arrive whole", () => {
    const kit = new TestKit();
    const s = kit.connected("s");
    s.subscribe("t/#", 1).take();
    const p = kit.connected("p");
    const bytes = Buffer.concat([
      Buffer.from([0x30, 5, 0, 3]),
      Buffer.from("t/1"),
      Buffer.from([0x32, 10, 0, 3]),
      Buffer.from("t/2"),
      Buffer.from([0, 9]),
      Buffer.from("abc"),
      Buffer.from([0x30, 0xc8, 0x01, 0, 3]),
      Buffer.from("t/3"),
      Buffer.alloc(195, "z"),
    ]);
    for (const b of bytes) p.raw([b]);
    expect(s.messages().map((m) => [m.topic, m.payload.length])).toEqual([
      ["t/1", 0],
      ["t/2", 3],
      ["t/3", 195],
    ]);
    for (let cut = 1; cut < bytes.length; cut++) p.raw(bytes.subarray(0, cut)).raw(bytes.subarray(cut));
    expect(s.messages().length + (kit.broker.sessions.get("s")?.mqueueLen ?? 0)).toBeGreaterThan(0);
    expect(kit.log.errors).toEqual([]);
    expect(p.transport.ended).toBe(false);
  });

  test("big payloads go through every path unchanged", () => {
    const kit = new TestKit();
    const s4 = kit.connected("s4", 4);
    const s5 = kit.connected("s5", 5);
    s4.subscribe("t", 1).take();
    s5.subscribe("t", 2).take();
    const big = Buffer.alloc(300_000, 7);
    const p = kit.connected("p", 5);
    p.publish("t", big, 0).publish("t", big, 1).publish("t", big, 2, { messageId: 2 });
    for (const s of [s4, s5]) {
      const got = s.take().filter((x) => x.cmd === "publish");
      expect(got).toHaveLength(3);
      for (const g of got) expect(big.equals(g.payload as Buffer)).toBe(true);
    }
  });
});

describe("limits advertised and enforced", () => {
  test("maximum QoS, retain not available: 0x9B and 0x9A [MQTT-3.2.2-11], [MQTT-3.2.2-14]", () => {
    const kit = new TestKit({ zone: { maxQosAllowed: 1, retainAvailable: false } });
    const c = kit.client(5).connect("c");
    expect(c.take()).toMatchObject([{ cmd: "connack", properties: { maximumQoS: 1, retainAvailable: false } }]);
    c.publish("t", "x", 2);
    expect(c.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x9b }]);
    const d = kit.connected("d", 5);
    d.publish("t", "x", 0, { retain: true });
    expect(d.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x9a }]);
  });

  test("packets larger than max_packet_size: 0x95, before their body is read", () => {
    const kit = new TestKit({ zone: { maxPacketSize: 1000 } });
    const c = kit.connected("c", 5);
    c.raw([0x30, 0xff, 0xff, 0x7f]);
    expect(c.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x95 }]);
  });

  test("topic alias from the client: within the limit it works, beyond it 0x94 [MQTT-3.3.2-9]", () => {
    const kit = new TestKit({ zone: { maxTopicAlias: 2 } });
    const s = kit.connected("s", 5);
    s.subscribe("#").take();
    const c = kit.client(5).connect("c");
    expect(c.take()).toMatchObject([{ properties: { topicAliasMaximum: 2 } }]);
    c.publish("long/topic", "1", 0, { properties: { topicAlias: 1 } }).publish("", "2", 0, { properties: { topicAlias: 1 } });
    c.publish("other", "3", 0, { properties: { topicAlias: 1 } }).publish("", "4", 0, { properties: { topicAlias: 1 } });
    expect(s.messages().map((m) => [m.topic, m.payload, m.properties?.topicAlias])).toEqual([
      ["long/topic", "1", undefined],
      ["long/topic", "2", undefined],
      ["other", "3", undefined],
      ["other", "4", undefined],
    ]);
    c.publish("x", "5", 0, { properties: { topicAlias: 3 } });
    expect(c.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x94 }]);
  });

  test("an alias that is not set is a protocol error", () => {
    const kit = new TestKit({ zone: { maxTopicAlias: 5 } });
    const c = kit.connected("c", 5);
    c.publish("", "x", 0, { properties: { topicAlias: 4 } });
    expect(c.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x82 }]);
  });

  test("topic alias towards the client, from the first message, within its maximum [MQTT-3.1.2-26]", () => {
    const kit = new TestKit();
    const s = kit.connected("s", 5, { properties: { topicAliasMaximum: 1 } });
    s.subscribe("#", 1).take();
    const p = kit.connected("p", 5);
    p.publish("a", "1").publish("a", "2").publish("b", "3").publish("a", "4", 1);
    expect(s.messages().map((m) => [m.topic, m.properties?.topicAlias])).toEqual([
      ["a", 1],
      ["", 1],
      ["b", undefined],
      ["", 1],
    ]);
  });

  test("a message larger than the client's Maximum Packet Size is not sent to it [MQTT-3.1.2-24]", () => {
    const kit = new TestKit();
    const s = kit.connected("s", 5, { properties: { maximumPacketSize: 100 } });
    s.subscribe("t", 2).take();
    const p = kit.connected("p", 5);
    p.publish("t", Buffer.alloc(200), 1).publish("t", "small", 1).publish("t", Buffer.alloc(200), 0).publish("t", "s", 0);
    expect(s.messages().map((m) => m.payload)).toEqual(["small", "s"]);
    expect(kit.metrics.dropTooLarge).toBe(2);
  });

  test("Receive Maximum of the client bounds what is in flight [MQTT-3.3.4-9]", () => {
    const kit = new TestKit();
    const s = kit.connected("s", 5, { properties: { receiveMaximum: 2 } });
    s.subscribe("t", 1).take();
    const p = kit.connected("p", 5);
    for (let i = 1; i <= 5; i++) p.publish("t", String(i), 1, { messageId: i });
    expect(s.messages().map((m) => m.payload)).toEqual(["1", "2"]);
    s.send({ cmd: "puback", messageId: 1 });
    expect(s.messages().map((m) => m.payload)).toEqual(["3"]);
    s.send({ cmd: "puback", messageId: 2 }).send({ cmd: "puback", messageId: 3 });
    expect(s.messages().map((m) => m.payload)).toEqual(["4", "5"]);
  });

  test("more QoS 2 messages than max_awaiting_rel: 0x93 [MQTT-3.3.4-9]", () => {
    const kit = new TestKit({ zone: { maxAwaitingRel: 2 } });
    const c = kit.client(5).connect("c");
    expect(c.take()).toMatchObject([{ properties: { receiveMaximum: 2 } }]);
    for (let i = 1; i <= 3; i++) c.publish("t", "x", 2, { messageId: i });
    expect(c.take().map((p) => [p.cmd, (p as { reasonCode?: number }).reasonCode])).toEqual([
      ["pubrec", 0x10],
      ["pubrec", 0x10],
      ["disconnect", 0x93],
    ]);
    expect(kit.metrics.qos2Dropped).toBe(1);
  });

  test("the message beyond it was not taken: sent again later it is a new one", () => {
    const kit = new TestKit({ zone: { maxAwaitingRel: 1 } });
    const s = kit.connected("s");
    s.subscribe("t").take();
    const persistent = { clean: false, properties: { sessionExpiryInterval: 100 } };
    kit.connected("c", 5, persistent).publish("t", "1", 2, { messageId: 1 }).publish("t", "2", 2, { messageId: 2 });
    const c = kit.connected("c", 5, persistent);
    c.send({ cmd: "pubrel", messageId: 1 }).publish("t", "2", 2, { messageId: 2, dup: true });
    expect(s.messages().map((m) => m.payload)).toEqual(["1", "2"]);
  });

  for (const version of [3, 4] as const) {
    test(`MQTT ${version}: more QoS 2 messages than max_awaiting_rel in one burst: all are taken, the client is read slowly`, () => {
      const kit = new TestKit({ zone: { maxAwaitingRel: 100 } });
      const s = kit.connected("s");
      s.subscribe("t").take();
      const c = kit.connected("c", version);
      for (let i = 1; i <= 100; i++) c.publish("t", `${i}`, 2, { messageId: i });
      expect(c.transport.paused).toBe(false);
      for (let i = 101; i <= 500; i++) c.publish("t", `${i}`, 2, { messageId: i });
      expect(c.transport.paused).toBe(true);
      expect(c.take().map((p) => [p.cmd, p.messageId])).toEqual(Array.from({ length: 500 }, (_, i) => ["pubrec", i + 1]));
      expect(s.messages().map((m) => m.payload)).toEqual(Array.from({ length: 500 }, (_, i) => `${i + 1}`));
      // Its PUBRELs come behind: they are read all the same, a while later.
      kit.pass(200);
      expect(c.transport.paused).toBe(false);
      for (let i = 1; i <= 500; i++) c.send({ cmd: "pubrel", messageId: i });
      expect(c.take()).toHaveLength(500);
      expect(kit.broker.sessions.get("c")?.awaitingRelLen).toBe(0);
      expect(kit.metrics.qos2Dropped).toBe(0);
    });
  }

  test("messages of a 3.x client without the right are bounded alike, and forgotten in time", () => {
    const kit = new TestKit({ zone: { maxAwaitingRel: 2 } });
    kit.hooks.add("client.check_acl", "test", () => ({ verdict: "deny" }));
    const c = kit.connected("c", 4);
    for (let i = 1; i <= 3; i++) c.publish("t", "x", 2, { messageId: i });
    expect(c.take()).toHaveLength(3);
    expect(c.transport.paused).toBe(true);
    for (let i = 1; i <= 3; i++) c.send({ cmd: "pubrel", messageId: i });
    expect(c.take().map((p) => p.cmd)).toEqual(["pubcomp", "pubcomp", "pubcomp"]);
    expect(kit.metrics.all()["packets/pubrel/missed"]).toBe(0);
  });

  test("5.0 without the right: PUBREC 0x87 ends the handshake, its identifier is not remembered", () => {
    const kit = new TestKit();
    kit.hooks.add("client.check_acl", "test", () => ({ verdict: "deny" }));
    const c = kit.connected("c", 5);
    c.publish("t", "x", 2, { messageId: 9 });
    expect(c.take()).toMatchObject([{ cmd: "pubrec", reasonCode: 0x87 }]);
    expect(kit.broker.sessions.get("c")?.awaitingRelLen).toBe(0);
  });

  test("new rules count for the next message of a topic that was allowed before", () => {
    const kit = new TestKit();
    let verdict: "allow" | "deny" = "allow";
    kit.hooks.add("client.check_acl", "test", () => ({ verdict }));
    const c = kit.connected("c", 5);
    const send = (): unknown => (c.publish("t", "x", 1).take()[0] as { reasonCode: number }).reasonCode;
    expect([send(), send()]).toEqual([0x10, 0x10]);
    verdict = "deny";
    kit.access.invalidate();
    expect(send()).toBe(0x87);
  });

  test("message expiry: the rest of it goes with the message, expired ones are not sent [MQTT-3.3.2-5], [MQTT-3.3.2-6]", () => {
    const kit = new TestKit();
    const s = kit.connected("s", 5, { clean: false, properties: { sessionExpiryInterval: 1000 } });
    s.subscribe("t", 1).take();
    s.drop();
    const p = kit.connected("p", 5);
    p.publish("t", "short", 1, { properties: { messageExpiryInterval: 2 } });
    p.publish("t", "long", 1, { messageId: 2, properties: { messageExpiryInterval: 60 } });
    kit.pass(10_000);
    const again = kit.client(5).connect("s", { clean: false, properties: { sessionExpiryInterval: 1000 } });
    expect(again.messages().map((m) => [m.payload, m.properties?.messageExpiryInterval])).toEqual([["long", 50]]);
    expect(kit.metrics.messagesExpired).toBe(1);
  });

  test("payload format indicator 1 with bytes that are not UTF-8: 0x99", () => {
    const kit = new TestKit();
    const c = kit.connected("c", 5);
    c.publish("t", Buffer.from([0xff, 0xfe]), 0, { properties: { payloadFormatIndicator: true } });
    expect(c.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x99 }]);
  });

  test("publish_limit slows the client down and takes nothing away", () => {
    const kit = new TestKit({ zone: { publishLimit: { count: 3, intervalMs: 1000 } } });
    const c = kit.connected("c");
    for (let i = 0; i < 3; i++) c.publish("t", "x");
    expect(c.transport.paused).toBe(true);
    kit.pass(1500);
    expect(c.transport.paused).toBe(false);
    expect(kit.metrics.qos0Received).toBe(3);
  });
});
