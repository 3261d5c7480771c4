import { describe, expect, test } from "bun:test";
import { TestKit } from "../support/test_broker.ts";

const will = (more: Record<string, unknown> = {}): never =>
  ({ will: { topic: "will", payload: Buffer.from("gone"), qos: 1, retain: false, ...more } }) as never;

describe("CONNECT", () => {
  test("the first packet must be CONNECT, and only the first [MQTT-3.1.0-1], [MQTT-3.1.0-2]", () => {
    const kit = new TestKit();
    const c = kit.client(4).send({ cmd: "pingreq" });
    expect(c.transport.ended).toBe(true);
    expect(c.take()).toEqual([]);
    const d = kit.connected("d", 5);
    d.connect("d");
    expect(d.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x82 }]);
  });

  test("empty client identifiers: 3.1 refused, 3.1.1 only with a clean session, 5.0 assigned [MQTT-3.1.3-6 to -9]", () => {
    const kit = new TestKit();
    expect(
      kit
        .client(3)
        .raw([0x10, 14, 0, 6, ...Buffer.from("MQIsdp"), 3, 2, 0, 0, 0, 0])
        .take(),
    ).toMatchObject([{ cmd: "connack", returnCode: 2 }]);
    expect(
      kit
        .client(4)
        .raw([0x10, 12, 0, 4, ...Buffer.from("MQTT"), 4, 0, 0, 0, 0, 0])
        .take(),
    ).toMatchObject([{ cmd: "connack", returnCode: 2 }]);
    expect(kit.client(4).connect("").take()).toMatchObject([{ cmd: "connack", returnCode: 0 }]);
    const [ack] = kit.client(5).connect("").take() as { reasonCode: number; properties: { assignedClientIdentifier: string } }[];
    expect(ack?.reasonCode).toBe(0);
    expect(kit.broker.sessions.has(ack?.properties.assignedClientIdentifier ?? "")).toBe(true);
    expect(kit.broker.connections).toBe(2);
  });

  test("3.1 client identifiers may be longer than 23 characters, as with EMQ X; max_clientid_len counts", () => {
    const kit = new TestKit({ zone: { maxClientidLen: 40 } });
    expect(kit.client(3).connect("x".repeat(40)).take()).toMatchObject([{ returnCode: 0 }]);
    expect(kit.client(3).connect("x".repeat(41)).take()).toMatchObject([{ returnCode: 2 }]);
    expect(kit.client(5).connect("x".repeat(41)).take()).toMatchObject([{ reasonCode: 0x85 }]);
  });

  test("an unknown protocol level is answered and closed [MQTT-3.1.2-2]", () => {
    const kit = new TestKit();
    const c = kit.client(4).raw([0x10, 12, 0, 4, ...Buffer.from("MQTT"), 9, 2, 0, 0, 0, 0]);
    expect(c.take()).toMatchObject([{ cmd: "connack" }]);
    expect(c.transport.ended).toBe(true);
    const five = kit.client(5).raw([0x10, 13, 0, 4, ...Buffer.from("MQTT"), 5, 3, 0, 0, 0, 0, 0]);
    expect(five.take()).toMatchObject([{ cmd: "connack", reasonCode: 0x81 }]);
    const http = kit.client(4).raw(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
    expect(http.transport.chunks).toEqual([]);
    expect(http.transport.ended).toBe(true);
  });

  test("CONNECT cut at any place is one CONNECT [MQTT-6.0.0-3]", () => {
    const bytes = [0x10, 13, 0, 4, ...Buffer.from("MQTT"), 4, 2, 0, 0, 0, 1, 98];
    for (let cut = 1; cut < bytes.length; cut++) {
      for (let second = cut; second < bytes.length; second++) {
        const c = new TestKit().client(4);
        for (const piece of [bytes.slice(0, cut), bytes.slice(cut, second), bytes.slice(second)]) if (piece.length > 0) c.raw(piece);
        expect(c.take()).toMatchObject([{ cmd: "connack", returnCode: 0 }]);
      }
    }
  });

  test("the bridge bit of the protocol level is taken and remembered", () => {
    const kit = new TestKit();
    const c = kit.client(4).raw([0x10, 13, 0, 4, ...Buffer.from("MQTT"), 0x84, 2, 0, 0, 0, 1, 98]);
    expect(c.take()).toMatchObject([{ cmd: "connack", returnCode: 0 }]);
    expect(c.channel.client).toMatchObject({ isBridge: true, version: 4 });
  });

  test("CONNACK of 5.0 tells the limits", () => {
    const kit = new TestKit({ zone: { maxTopicAlias: 7, serverKeepalive: 33, wildcardSubscription: false, sharedSubscription: false } });
    expect(kit.client(5).connect("c", { keepalive: 100 }).take()).toMatchObject([
      {
        properties: {
          receiveMaximum: 100,
          retainAvailable: true,
          maximumPacketSize: 1048576,
          topicAliasMaximum: 7,
          wildcardSubscriptionAvailable: false,
          subscriptionIdentifiersAvailable: true,
          sharedSubscriptionAvailable: false,
          serverKeepAlive: 33,
        },
      },
    ]);
  });

  test("max_server_keepalive: who asks for more, or for none, is told and held to it; 3.x keeps its own [MQTT-3.1.2-21]", () => {
    const kit = new TestKit({ zone: { maxServerKeepalive: 100 } });
    const asks = (version: 4 | 5, keepalive: number) => {
      const c = kit.client(version).connect(`${version}/${keepalive}`, { keepalive });
      const [ack] = c.take() as { properties?: Record<string, unknown> }[];
      return [ack?.properties?.serverKeepAlive, c.channel.keepaliveMs];
    };
    expect(asks(5, 60)).toEqual([undefined, 90_000]);
    expect(asks(5, 100)).toEqual([undefined, 150_000]);
    expect(asks(5, 101)).toEqual([100, 150_000]);
    expect(asks(5, 0)).toEqual([100, 150_000]);
    expect(asks(4, 600)).toEqual([undefined, 900_000]);
    expect(asks(4, 0)).toEqual([undefined, 0]);
    // A fixed value goes before.
    kit.zone.serverKeepalive = 300;
    expect(asks(5, 10)).toEqual([300, 450_000]);
  });

  test("3.1 does not use the bits of CONNECT that later versions reserve", () => {
    const body = [0, 6, ...Buffer.from("MQIsdp"), 3, 3, 0, 0, 0, 1, 97];
    const c = new TestKit().client(3).raw([0x14, body.length, ...body]);
    expect(c.take()).toMatchObject([{ cmd: "connack", returnCode: 0 }]);
    const v4 = [0, 4, ...Buffer.from("MQTT"), 4, 2, 0, 0, 0, 1, 97];
    const d = new TestKit().client(4).raw([0x14, v4.length, ...v4]);
    expect(d.transport.ended).toBe(true);
    expect(d.take()).toEqual([]);
  });

  test("a client's Maximum Packet Size counts for every packet [MQTT-3.1.2-24]", () => {
    const kit = new TestKit({ zone: { maxTopicAlias: 7 } });
    const connack = (maximumPacketSize: number, more: Record<string, unknown> = {}) => {
      const c = kit.client(5).connect("c", { properties: { maximumPacketSize, requestResponseInformation: true, ...more } });
      const bytes = c.transport.chunks.reduce((n, chunk) => n + chunk.length, 0);
      expect(bytes).toBeLessThanOrEqual(maximumPacketSize);
      return { bytes, ended: c.transport.ended, packets: c.take() as { reasonCode?: number; properties?: Record<string, unknown> }[] };
    };
    expect(connack(100).packets[0]?.properties).toMatchObject({ responseInformation: "response/c", retainAvailable: true });
    // What may be left out is left out.
    const small = connack(20);
    expect(small).toMatchObject({ ended: false, packets: [{ reasonCode: 0 }] });
    expect(small.packets[0]?.properties).toEqual({ receiveMaximum: 100, maximumPacketSize: 1048576, topicAliasMaximum: 7 });
    // The rest must not be: the client hears why it cannot be let in, as long as that fits.
    expect(connack(10)).toMatchObject({ ended: true, packets: [{ reasonCode: 0x95 }] });
    expect(connack(4)).toMatchObject({ ended: true, packets: [] });
    expect(kit.broker.sessions.size).toBe(1);
  });

  test("a reason string goes only where it fits [MQTT-3.2.2-19], [MQTT-3.14.2-3]", () => {
    for (const [maximumPacketSize, text] of [
      [100, "topic name"],
      [16, undefined],
    ] as const) {
      const kit = new TestKit({ zone: { maxAwaitingRel: 0, maxPacketSize: 0 } });
      const c = kit.connected("c", 5, { properties: { maximumPacketSize } });
      c.raw([0x30, 6, 0, 3, ...Buffer.from("a/+"), 0]);
      const [packet] = c.take() as { reasonCode: number; properties?: { reasonString?: string } }[];
      expect(packet?.reasonCode).toBe(0x90);
      expect(packet?.properties?.reasonString).toBe(text as string);
      kit.banned.add({ who: "b", as: "client_id", reason: null, desc: null, by: null, until: null });
      const [refused] = kit
        .client(5)
        .connect("b", { properties: { maximumPacketSize: maximumPacketSize - 6 } })
        .take() as (typeof packet)[];
      expect(refused?.reasonCode).toBe(0x8a);
      expect(refused?.properties?.reasonString).toBe((text && "banned") as string);
    }
  });

  test("an acknowledgement that does not fit ends the connection, without a DISCONNECT that does not fit either", () => {
    const kit = new TestKit({ zone: { maxAwaitingRel: 0, maxPacketSize: 0 } });
    const c = kit.connected("c", 5, { properties: { maximumPacketSize: 5 } });
    c.publish("t", "x", 1);
    expect(c.take()).toMatchObject([{ cmd: "puback", reasonCode: 0x10 }]);
    c.channel.maxPacket = 4;
    c.publish("t", "x", 1);
    expect(c.take().map((p) => p.cmd)).toEqual(["disconnect"]);
    const d = kit.connected("d", 5, { properties: { maximumPacketSize: 5 } });
    d.channel.maxPacket = 2;
    d.publish("t", "x", 1);
    expect(d.take()).toEqual([]);
    expect(d.transport.ended).toBe(true);
  });

  test("response information is given when asked for [MQTT-3.1.2-28]", () => {
    const kit = new TestKit();
    const [yes] = kit
      .client(5)
      .connect("r", { properties: { requestResponseInformation: true } })
      .take() as { properties: Record<string, unknown> }[];
    const [no] = kit.client(5).connect("s").take() as { properties: Record<string, unknown> }[];
    expect(yes?.properties.responseInformation).toBe("response/r");
    expect(no?.properties.responseInformation).toBeUndefined();
  });

  test("authentication: refused by the chain with its code, mapped for 3.x", () => {
    const kit = new TestKit();
    kit.hooks.add("client.authenticate", "test", (c) =>
      c.username === "good" ? { allow: true } : { allow: false, code: 0x86, why: "no" },
    );
    expect(
      kit
        .client(4)
        .connect("a", { username: "bad", password: Buffer.from("x") })
        .take(),
    ).toMatchObject([{ returnCode: 4 }]);
    expect(
      kit
        .client(5)
        .connect("a", { username: "bad", password: Buffer.from("x") })
        .take(),
    ).toMatchObject([{ reasonCode: 0x86 }]);
    expect(
      kit
        .client(4)
        .connect("a", { username: "good", password: Buffer.from("x") })
        .take(),
    ).toMatchObject([{ returnCode: 0 }]);
    // Counted under the words of EMQ X 3.1, which differ by version.
    expect([...kit.listener.shutdowns]).toEqual([
      ["malformed_username_or_password", 1],
      ["bad_username_or_password", 1],
    ]);
  });

  test("an asynchronous answer makes this connection wait, in order, and no other", async () => {
    const kit = new TestKit();
    let let_in = (): void => {};
    kit.hooks.add("client.authenticate", "slow", (c) =>
      c.username === "slow" ? new Promise((r) => (let_in = () => r({ allow: true }))) : null,
    );
    const slow = kit.client(4).connect("slow", { username: "slow", password: Buffer.from("x") });
    slow.subscribe("t", 1);
    expect(slow.take()).toEqual([]);
    expect(kit.client(4).connect("quick").take()).toHaveLength(1);
    let_in();
    await Bun.sleep(0);
    kit.settle();
    expect(slow.take().map((p) => p.cmd)).toEqual(["connack", "suback"]);
  });

  test("a handler that throws denies", () => {
    const kit = new TestKit();
    kit.hooks.add("client.authenticate", "broken", () => {
      throw new Error("boom");
    });
    const c = kit.client(5).connect("c", { username: "u", password: Buffer.from("x") });
    expect((c.take()[0] as { reasonCode: number }).reasonCode).toBeGreaterThanOrEqual(0x80);
  });

  test("banned clients are refused: 0x8A in 5.0, 5 in 3.x", () => {
    const kit = new TestKit();
    kit.banned.add({ who: "bad", as: "client_id", reason: null, desc: null, by: null, until: null });
    kit.banned.add({ who: "10.9.9.9", as: "ip_address", reason: null, desc: null, by: null, until: null });
    expect(kit.client(5).connect("bad").take()).toMatchObject([{ reasonCode: 0x8a }]);
    expect(kit.client(4).connect("bad").take()).toMatchObject([{ returnCode: 5 }]);
    expect(kit.client(5, "10.9.9.9").connect("good").take()).toMatchObject([{ reasonCode: 0x8a }]);
    expect(kit.client(5).connect("good").take()).toMatchObject([{ reasonCode: 0 }]);
  });

  test("CONNECT must come within idle_timeout, also when bytes trickle", () => {
    const kit = new TestKit();
    const c = kit.client(5);
    for (let i = 0; i < 12; i++) {
      kit.pass(1000);
      if (i === 0) c.raw([0x10]);
    }
    expect(c.transport.ended).toBe(false);
    kit.pass(4000);
    expect(c.transport.ended).toBe(true);
    expect([...kit.listener.shutdowns]).toEqual([["idle_timeout", 1]]);
  });

  test("keep alive: silence of one and a half times ends the connection, and its will is sent [MQTT-3.1.2-22]", () => {
    const kit = new TestKit();
    const w = kit.connected("w");
    w.subscribe("will", 1).take();
    const c = kit.client(5).connect("c", { keepalive: 2, ...(will() as object) });
    c.take();
    kit.pass(2500);
    c.send({ cmd: "pingreq" });
    expect(c.take()).toMatchObject([{ cmd: "pingresp" }]);
    kit.pass(2500);
    expect(c.transport.ended).toBe(false);
    kit.pass(1500);
    expect(c.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x8d }]);
    expect(w.messages().map((m) => m.payload)).toEqual(["gone"]);
  });
});

describe("will", () => {
  test("sent when the network goes, not after DISCONNECT [MQTT-3.1.2-8], [MQTT-3.14.4-3]", () => {
    const kit = new TestKit();
    const w = kit.connected("w");
    w.subscribe("will", 1).take();
    kit.connected("a", 4, will()).disconnect();
    expect(w.messages()).toEqual([]);
    kit.connected("b", 4, will()).drop();
    expect(w.messages()).toMatchObject([{ payload: "gone", qos: 1 }]);
  });

  test("DISCONNECT 0x04 of 5.0 sends it", () => {
    const kit = new TestKit();
    const w = kit.connected("w");
    w.subscribe("will", 1).take();
    kit.connected("a", 5, will()).send({ cmd: "disconnect", reasonCode: 4 } as never);
    expect(w.messages()).toHaveLength(1);
  });

  test("will delay: sent after it, not at all when the client is back before [MQTT-3.1.3-9]", () => {
    const kit = new TestKit();
    const w = kit.connected("w");
    w.subscribe("will", 1).take();
    const options = {
      clean: false,
      properties: { sessionExpiryInterval: 100 },
      ...(will({ properties: { willDelayInterval: 5 } }) as object),
    };
    kit.connected("a", 5, options as never).drop();
    kit.pass(4000);
    const back = kit.connected("a", 5, options as never);
    kit.pass(10_000);
    expect(w.messages()).toEqual([]);
    back.drop();
    kit.pass(4800);
    expect(w.messages()).toEqual([]);
    kit.pass(400);
    expect(w.messages()).toHaveLength(1);
  });

  test("the session's end is the latest time for it", () => {
    const kit = new TestKit();
    const w = kit.connected("w");
    w.subscribe("will", 1).take();
    kit
      .connected("a", 5, {
        clean: false,
        properties: { sessionExpiryInterval: 2 },
        ...(will({ properties: { willDelayInterval: 50 } }) as object),
      } as never)
      .drop();
    kit.pass(2500);
    expect(w.messages()).toHaveLength(1);
  });

  test("properties and user properties of the will arrive, in order", () => {
    const kit = new TestKit();
    const w = kit.connected("w", 5);
    w.subscribe("will", 1).take();
    kit.connected("a", 5, will({ properties: { contentType: "text/plain", userProperties: { k: ["1", "2"], l: "3" } } })).drop();
    expect(w.messages()[0]?.properties).toMatchObject({ contentType: "text/plain", userProperties: { k: ["1", "2"], l: "3" } });
  });

  test("take-over sends the old connection's will when its delay is 0", () => {
    const kit = new TestKit();
    const w = kit.connected("w");
    w.subscribe("will", 1).take();
    kit.connected("a", 4, { clean: false, ...(will() as object) } as never);
    kit.connected("a", 4, { clean: false });
    expect(w.messages()).toHaveLength(1);
  });

  test("a will beyond the limits is refused in CONNACK", () => {
    const kit = new TestKit({ zone: { maxQosAllowed: 0, retainAvailable: false } });
    expect(kit.client(5).connect("a", will()).take()).toMatchObject([{ reasonCode: 0x9b }]);
    expect(
      kit
        .client(5)
        .connect("a", will({ qos: 0, retain: true }))
        .take(),
    ).toMatchObject([{ reasonCode: 0x9a }]);
  });
});

describe("enhanced authentication [MQTT-4.12]", () => {
  const kitWithMethod = (): TestKit => {
    const kit = new TestKit();
    kit.broker.authMethods.set("TWO-STEP", {
      name: "TWO-STEP",
      step: (_client, data, state) => {
        if (state.asked !== true) {
          state.asked = true;
          return { status: "continue", data: Buffer.from("name?") };
        }
        return Buffer.from(data ?? []).toString() === "me"
          ? { status: "success", data: Buffer.from("hello"), isSuper: true }
          : { status: "failure", code: 0x87, why: "not you" };
      },
    });
    return kit;
  };
  const connect = { properties: { authenticationMethod: "TWO-STEP" } };
  const auth = (data: string, reasonCode = 0x18): never =>
    ({ cmd: "auth", reasonCode, properties: { authenticationMethod: "TWO-STEP", authenticationData: Buffer.from(data) } }) as never;

  test("what is no clear success of a method is none, and what has no code of a refusal is one: at CONNECT and behind it", () => {
    for (const nonsense of [{ status: "failure" }, { status: "failure", code: 0 }, { status: "yes" }, {}]) {
      const kit = new TestKit();
      let answer: unknown = nonsense;
      kit.broker.authMethods.set("TWO-STEP", { name: "TWO-STEP", step: () => answer as never });
      expect(kit.client(5).connect("c", connect).take()).toMatchObject([{ cmd: "connack", reasonCode: 0x87 }]);
      answer = { status: "success", data: null };
      const c = kit.client(5).connect("c", connect);
      expect(c.take()).toMatchObject([{ cmd: "connack", reasonCode: 0 }]);
      answer = nonsense;
      c.send(auth("again", 0x19));
      expect(c.take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x87 }]);
    }
  });

  test("challenge and answer, then CONNACK with the method's data", () => {
    const c = kitWithMethod().client(5).connect("c", connect);
    expect(c.take()).toMatchObject([{ cmd: "auth", reasonCode: 0x18 }]);
    c.send(auth("me"));
    const [ack] = c.take() as {
      cmd: string;
      reasonCode: number;
      properties: { authenticationMethod: string; authenticationData: Buffer };
    }[];
    expect(ack).toMatchObject({ cmd: "connack", reasonCode: 0, properties: { authenticationMethod: "TWO-STEP" } });
    expect(String(ack?.properties.authenticationData)).toBe("hello");
    expect(c.channel.client?.isSuper).toBe(true);
  });

  test("a wrong answer, an unknown method, an AUTH without a method", () => {
    const c = kitWithMethod().client(5).connect("c", connect);
    c.take();
    expect(c.send(auth("you")).take()).toMatchObject([{ cmd: "connack", reasonCode: 0x87 }]);
    expect(
      kitWithMethod()
        .client(5)
        .connect("c", { properties: { authenticationMethod: "X" } })
        .take(),
    ).toMatchObject([{ cmd: "connack", reasonCode: 0x8c }]);
    const d = kitWithMethod().connected("d", 5);
    expect(d.send(auth("me")).take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x82 }]);
  });

  test("re-authentication on a living connection [MQTT-4.12.1-1]", () => {
    const c = kitWithMethod().client(5).connect("c", connect);
    c.send(auth("me")).take();
    expect(c.send(auth("", 0x19)).take()).toMatchObject([{ cmd: "auth", reasonCode: 0x18 }]);
    expect(c.send(auth("me")).take()).toMatchObject([{ cmd: "auth", reasonCode: 0 }]);
    c.send(auth("", 0x19)).take();
    expect(c.send(auth("you")).take()).toMatchObject([{ cmd: "disconnect", reasonCode: 0x87 }]);
  });
});
