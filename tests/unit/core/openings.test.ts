/** What clients cost before they are connected: a limit each, a budget for all, and nothing once they are in or gone. */
import { describe, expect, test } from "bun:test";
import mqttPacket, { type IConnectPacket } from "mqtt-packet";
import { TestKit } from "../../support/test_broker.ts";

const KIB = 1024;

/** A CONNECT of exactly `length` bytes: its will is as long as need be. */
function connectOf(length: number, version: 4 | 5 = 4, clientId = "c"): Buffer {
  const make = (n: number): Buffer =>
    mqttPacket.generate(
      {
        cmd: "connect",
        protocolId: "MQTT",
        protocolVersion: version,
        clean: true,
        clientId,
        keepalive: 0,
        will: { topic: "t", payload: Buffer.alloc(n, 120), qos: 0, retain: false },
      } as IConnectPacket,
      { protocolVersion: version },
    );
  const bytes = make(length - make(60_000).length + 60_000);
  expect(bytes.length).toBe(length);
  return bytes;
}

describe("one client", () => {
  for (const [name, pieces] of [
    ["whole", 1],
    ["in pieces", 7],
  ] as const) {
    test(`a CONNECT of 64 KiB is taken, one byte more is refused before it is there: ${name}`, () => {
      const kit = new TestKit();
      const send = (bytes: Buffer, version: 4 | 5) => {
        const c = kit.client(version);
        const step = Math.ceil(bytes.length / pieces);
        for (let at = 0; at < bytes.length; at += step) c.raw(bytes.subarray(at, at + step));
        return c;
      };
      expect(send(connectOf(64 * KIB), 4).take()).toMatchObject([{ cmd: "connack", returnCode: 0 }]);
      const three = send(connectOf(64 * KIB + 1), 4);
      expect(three.take()).toEqual([]);
      expect(three.transport.ended).toBe(true);
      const five = send(connectOf(64 * KIB + 1, 5), 5);
      expect(five.take()).toMatchObject([{ cmd: "connack", reasonCode: 0x95 }]);
      expect(five.transport.ended).toBe(true);
      expect(kit.broker.openings.size).toBe(0);
      expect(kit.log.errors).toEqual([]);
    });
  }

  test("a zone may allow less, never more; connected clients have the zone's own limit", () => {
    const kit = new TestKit({ zone: { maxPacketSize: 1000 } });
    const c = kit.client().raw(connectOf(64 * KIB).subarray(0, 20));
    expect(c.transport.ended).toBe(true);
    kit.zone.maxPacketSize = 0;
    expect(kit.client().raw(connectOf(64 * KIB + 1).subarray(0, 20)).transport.ended).toBe(true);
    const big = kit.connected("big");
    big.subscribe("t").take();
    big.publish("t", Buffer.alloc(100 * KIB));
    expect(big.messages()).toHaveLength(1);
    // CONNECT and a large packet in one chunk.
    const both = kit.client();
    both.raw(
      Buffer.concat([
        connectOf(60_500, 4, "both"),
        mqttPacket.generate({ cmd: "publish", topic: "t", payload: Buffer.alloc(100 * KIB), qos: 0, dup: false, retain: false }),
      ]),
    );
    expect(both.transport.ended).toBe(false);
    expect(big.messages()).toHaveLength(1);
  });

  test("what it holds is counted, and given back when it is in, refused or gone", () => {
    const kit = new TestKit();
    const { openings } = kit.broker;
    const whole = connectOf(60_500);
    const a = kit.client().raw(whole.subarray(0, 30_000));
    expect(openings.bytes).toBeGreaterThanOrEqual(30_000);
    expect(openings.bytes).toBeLessThanOrEqual(64 * KIB);
    a.raw(whole.subarray(30_000));
    expect(a.take()).toMatchObject([{ cmd: "connack", returnCode: 0 }]);
    expect([openings.size, openings.bytes]).toEqual([0, 0]);
    const b = kit.client().raw(whole.subarray(0, 30_000));
    b.drop();
    expect([openings.size, openings.bytes]).toEqual([0, 0]);
    const c = kit.client().raw(whole.subarray(0, 30_000));
    kit.pass(20_000);
    expect(c.transport.ended).toBe(true);
    expect([openings.size, openings.bytes]).toEqual([0, 0]);
  });
});

describe("all together", () => {
  test("the budget is kept: whoever has held bytes longest is closed and counted, connected clients are not touched", () => {
    const kit = new TestKit();
    const { openings } = kit.broker;
    const there = kit.connected("there");
    const part = connectOf(64 * KIB).subarray(0, 60_000);
    const all = Array.from({ length: 600 }, () => kit.client().raw(part));
    const closed = all.map((c) => c.transport.ended);
    expect(openings.bytes).toBeLessThanOrEqual(16 * KIB * KIB);
    const alive = closed.filter((x) => !x).length;
    expect(alive).toBeGreaterThanOrEqual(256);
    expect(closed).toEqual(all.map((_, i) => i < 600 - alive));
    expect(kit.metrics.extra()["packets/connect/dropped"]).toBe(600 - alive);
    expect(kit.listener.shutdowns.get("connect_incomplete")).toBe(600 - alive);
    expect(there.send({ cmd: "pingreq" }).take()).toMatchObject([{ cmd: "pingresp" }]);
    // The next one, which sends its CONNECT as people do, comes in.
    expect(kit.client().connect("next").take()).toMatchObject([{ cmd: "connack", returnCode: 0 }]);
    expect(kit.log.errors).toEqual([]);
  });

  test("what is sent behind a CONNECT that is being checked counts too", async () => {
    const kit = new TestKit();
    const { openings } = kit.broker;
    let answer = (_: { allow: true }): void => {};
    kit.hooks.add(
      "client.authenticate",
      "slow",
      () =>
        new Promise((done) => {
          answer = done;
        }),
    );
    const c = kit.client().connect("c", { username: "u" });
    const pings = Buffer.alloc(100_000, Buffer.from([0xc0, 0]));
    c.raw(pings);
    expect(openings.bytes).toBe(100_000);
    answer({ allow: true });
    for (let i = 0; i < 5; i++) await Promise.resolve();
    kit.settle();
    expect(openings.bytes).toBe(0);
    expect(c.take()).toHaveLength(50_001);
  });
});
