/** The tool's MQTT codec against mqtt-packet, and its client against a socket that is an object. */
import { describe, expect, test } from "bun:test";
import mqttPacket from "mqtt-packet";
import { createMqttClient, type SocketLike } from "../../dashboard/src/mqtt/client.ts";
import type { Publish } from "../../dashboard/src/mqtt/packets.ts";
import * as packets from "../../dashboard/src/mqtt/packets.ts";
import { connackReason, reason } from "../../dashboard/src/mqtt/reasons.ts";

/** mqtt-packet's reading of our bytes. */
function read(bytes: Uint8Array, protocolVersion: 4 | 5): Record<string, unknown> {
  const parser = mqttPacket.parser({ protocolVersion });
  let got: unknown;
  parser.on("packet", (p) => {
    got = p;
  });
  parser.parse(Buffer.from(bytes));
  return got as Record<string, unknown>;
}

const write = (p: object, version: 4 | 5): Uint8Array =>
  new Uint8Array(mqttPacket.generate(p as mqttPacket.Packet, { protocolVersion: version }));

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

describe("what the client sends", () => {
  test("CONNECT of both versions", () => {
    const base = { clientId: "c", keepalive: 30, clean: true, username: "u", password: "p" };
    expect(read(packets.connect({ ...base, version: 4 }), 4)).toMatchObject({
      cmd: "connect",
      protocolVersion: 4,
      clientId: "c",
      keepalive: 30,
      clean: true,
      username: "u",
    });
    const will = { topic: "w", payload: text("gone"), qos: 1 as const, retain: true, props: { willDelay: 5 } };
    expect(read(packets.connect({ ...base, version: 5, will, props: { sessionExpiry: 60 } }), 5)).toMatchObject({
      protocolVersion: 5,
      properties: { sessionExpiryInterval: 60 },
      will: { topic: "w", qos: 1, retain: true, properties: { willDelayInterval: 5 } },
    });
  });

  test("PUBLISH with every property a form offers", () => {
    const props = {
      payloadFormat: 1,
      contentType: "text/plain",
      responseTopic: "r",
      correlationData: text("k"),
      messageExpiry: 9,
      user: [
        ["a", "1"],
        ["a", "2"],
      ] as [string, string][],
    };
    const got = read(packets.publish({ topic: "t", payload: text("x".repeat(300)), qos: 2, retain: true, dup: false, id: 7, props }, 5), 5);
    expect(got).toMatchObject({
      topic: "t",
      qos: 2,
      retain: true,
      messageId: 7,
      properties: { contentType: "text/plain", responseTopic: "r", messageExpiryInterval: 9, payloadFormatIndicator: true },
    });
    expect((got.properties as { userProperties: { a: string[] } }).userProperties.a).toEqual(["1", "2"]);
    expect(read(packets.publish({ topic: "t", payload: text("x"), qos: 0, retain: false, dup: false, id: 0 }, 4), 4)).toMatchObject({
      topic: "t",
      qos: 0,
    });
  });

  test("SUBSCRIBE, UNSUBSCRIBE, acknowledgements", () => {
    expect(read(packets.subscribe(3, "a/#", { qos: 1, nl: true, rap: true, rh: 2 }, 5), 5)).toMatchObject({
      messageId: 3,
      subscriptions: [{ topic: "a/#", qos: 1, nl: true, rap: true, rh: 2 }],
    });
    expect(read(packets.subscribe(3, "a", { qos: 2, nl: true, rap: true, rh: 2 }, 4), 4)).toMatchObject({
      subscriptions: [{ topic: "a", qos: 2 }],
    });
    expect(read(packets.unsubscribe(4, "a", 5), 5)).toMatchObject({ cmd: "unsubscribe", unsubscriptions: ["a"] });
    for (const type of ["puback", "pubrec", "pubrel", "pubcomp"] as const)
      expect(read(packets.ack(type, 9), 5)).toMatchObject({ cmd: type, messageId: 9 });
    expect(read(packets.pingreq(), 5)).toMatchObject({ cmd: "pingreq" });
    expect(read(packets.disconnect(), 5)).toMatchObject({ cmd: "disconnect" });
  });
});

describe("what the client reads", () => {
  const stream = [
    {
      cmd: "connack",
      returnCode: 0,
      reasonCode: 0,
      sessionPresent: true,
      properties: { assignedClientIdentifier: "auto", serverKeepAlive: 20, maximumQoS: 1 },
    },
    {
      cmd: "publish",
      topic: "a",
      payload: "hi",
      qos: 1,
      messageId: 5,
      retain: true,
      dup: false,
      properties: { userProperties: { k: "v" }, subscriptionIdentifier: 3 },
    },
    { cmd: "suback", messageId: 2, granted: [1], properties: { reasonString: "ok" } },
    { cmd: "puback", messageId: 6, reasonCode: 16 },
    { cmd: "unsuback", messageId: 3, granted: [17] },
    { cmd: "pingresp" },
    { cmd: "disconnect", reasonCode: 152 },
  ];
  test("packets cut anywhere come out whole", () => {
    const bytes = Buffer.concat(stream.map((p) => write(p, 5)));
    for (const step of [1, 3, 7, bytes.length]) {
      const decode = packets.createDecoder(5);
      const got: packets.Incoming[] = [];
      for (let i = 0; i < bytes.length; i += step) got.push(...decode(bytes.subarray(i, i + step)));
      expect(got.map((p) => p.type)).toEqual(["connack", "publish", "suback", "puback", "unsuback", "pingresp", "disconnect"]);
      expect(got[0]).toMatchObject({ sessionPresent: true, props: { assignedClientId: "auto", serverKeepAlive: 20, maximumQos: 1 } });
      expect(got[1]).toMatchObject({ topic: "a", retain: true, id: 5, props: { user: [["k", "v"]], subscriptionIds: [3] } });
      expect(got[3]).toMatchObject({ id: 6, code: 16 });
      expect(got[6]).toMatchObject({ code: 152 });
    }
  });
  test("a length that cannot be is refused", () => {
    expect(() => packets.createDecoder(5)(Uint8Array.of(0x30, 255, 255, 255, 255, 1))).toThrow(RangeError);
    expect(() => packets.createDecoder(5)(Uint8Array.of(0x20, 1, 0))).toThrow(RangeError);
  });
  test("reason codes have names", () => {
    expect(reason(138)).toBe("Banned (0x8a)");
    expect(connackReason(5, 4)).toBe("Not authorized (5)");
    expect(connackReason(135, 5)).toBe("Not authorized (0x87)");
  });
});

class FakeSocket implements SocketLike {
  binaryType = "";
  readyState = 1;
  sent: Record<string, unknown>[] = [];
  onopen: (() => void) | null = null;
  onclose: ((e: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  onmessage: ((e: { data: unknown }) => void) | null = null;
  send(data: Uint8Array): void {
    this.sent.push(read(data, 5));
  }
  close(): void {
    this.readyState = 3;
    this.onclose?.({ code: 1005, reason: "" });
  }
  give(p: object): void {
    this.onmessage?.({ data: write(p, 5).buffer });
  }
}

function connected() {
  const socket = new FakeSocket();
  const seen: Publish[] = [];
  const ends: string[] = [];
  let up = 0;
  const client = createMqttClient(
    socket,
    { version: 5, clientId: "c", keepalive: 0, clean: true },
    { connected: () => up++, closed: (why) => ends.push(why), message: (p) => seen.push(p) },
  );
  socket.onopen?.();
  socket.give({ cmd: "connack", reasonCode: 0, sessionPresent: false });
  return { socket, client, seen, ends, up: () => up };
}

describe("the client", () => {
  test("QoS 2 in both directions, each message once", async () => {
    const { socket, client, seen, up } = connected();
    expect(up()).toBe(1);
    const done = client.publish({ topic: "t", payload: text("x"), qos: 2, retain: false });
    const id = socket.sent.at(-1)?.messageId;
    socket.give({ cmd: "pubrec", messageId: id });
    expect(socket.sent.at(-1)).toMatchObject({ cmd: "pubrel", messageId: id });
    socket.give({ cmd: "pubcomp", messageId: id });
    expect(await done).toBe(0);
    const incoming = { cmd: "publish", topic: "in", payload: "1", qos: 2, messageId: 11, dup: false, retain: false };
    socket.give(incoming);
    socket.give({ ...incoming, dup: true });
    expect(seen).toHaveLength(1);
    socket.give({ cmd: "pubrel", messageId: 11 });
    expect(socket.sent.at(-1)).toMatchObject({ cmd: "pubcomp", messageId: 11 });
  });

  test("a subscription is granted or refused; the end settles what waits", async () => {
    const { socket, client, ends } = connected();
    const sub = client.subscribe("a", { qos: 1, nl: false, rap: false, rh: 0 });
    socket.give({ cmd: "suback", messageId: socket.sent.at(-1)?.messageId, granted: [135] });
    expect(await sub).toBe(135);
    const waiting = client.publish({ topic: "t", payload: text("x"), qos: 1, retain: false });
    socket.give({ cmd: "disconnect", reasonCode: 152 });
    socket.close();
    expect(await waiting).toBe(0x88);
    expect(ends).toEqual(["Administrative action (0x98)"]);
  });

  test("a refused CONNECT tells why", () => {
    const socket = new FakeSocket();
    const ends: string[] = [];
    createMqttClient(
      socket,
      { version: 5, clientId: "c", keepalive: 0, clean: true },
      { connected() {}, closed: (why) => ends.push(why), message() {} },
    );
    socket.onopen?.();
    socket.give({ cmd: "connack", reasonCode: 138, sessionPresent: false });
    expect(ends).toEqual(["Banned (0x8a)"]);
  });
});
