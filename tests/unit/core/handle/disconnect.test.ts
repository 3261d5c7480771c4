/** How the connection of a client that says DISCONNECT is closed: at once where nobody waits for anything, slowly everywhere else. */
import { describe, expect, test } from "bun:test";
import mqttPacket, { type Packet } from "mqtt-packet";
import { TestKit } from "../../../support/test_broker.ts";

const bytes = (...packets: Packet[]): Buffer => Buffer.concat(packets.map((p) => mqttPacket.generate(p)));
const DISCONNECT = [0xe0, 0];
const publish = (qos: 0 | 1): Packet => ({ cmd: "publish", topic: "t", payload: "x", qos, dup: false, retain: false, messageId: 1 });
const CONNECT: Packet = { cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true, clientId: "c", keepalive: 0 };

/** Was it closed, and without waiting for the client? */
const way = (c: { transport: { ended: boolean; finished: boolean } }): string =>
  c.transport.finished ? "at once" : c.transport.ended ? "slowly" : "open";

describe("after the client's DISCONNECT the connection is closed", () => {
  test("at once when nothing is to be written", () => {
    const kit = new TestKit();
    expect(way(kit.connected("c").raw(DISCONNECT))).toBe("at once");
    expect(way(kit.connected("c", 5).raw([0xe0, 2, 0x04, 0]))).toBe("at once");
    expect(way(kit.connected("c", 4, { clean: false }).raw(DISCONNECT))).toBe("at once");
  });

  test("at once behind messages that are not answered", () => {
    const kit = new TestKit();
    expect(way(kit.connected("c").raw(Buffer.concat([bytes(publish(0)), Buffer.from(DISCONNECT)])))).toBe("at once");
  });

  test("at once when it was cut in two", () => {
    const kit = new TestKit();
    expect(way(kit.connected("c").raw([0xe0]).raw([0]))).toBe("at once");
    expect(way(kit.connected("c", 5).raw([0xe0, 2]).raw([0x04, 0]))).toBe("at once");
  });

  test("slowly when an answer leaves with it", () => {
    const kit = new TestKit();
    const c = kit.connected("c").raw(Buffer.concat([bytes(publish(1)), Buffer.from(DISCONNECT)]));
    expect(way(c)).toBe("slowly");
    expect(c.take().map((p) => p.cmd)).toEqual(["puback"]);
    expect(way(kit.client().raw(Buffer.concat([bytes(CONNECT), Buffer.from(DISCONNECT)])))).toBe("slowly");
  });

  test("slowly when the client has not read everything yet", () => {
    const kit = new TestKit();
    const c = kit.connected("c").subscribe("t");
    c.transport.room = 3;
    kit.connected("p").publish("t");
    expect(way(c.raw(DISCONNECT))).toBe("slowly");
  });

  test("slowly when it sends on", () => {
    const kit = new TestKit();
    const c = kit.connected("c");
    c.take();
    expect(way(c.raw([...DISCONNECT, 0xc0, 0]))).toBe("slowly");
    expect(c.take()).toEqual([]);
    expect(way(kit.connected("c").raw([0xe0]).raw([0, 0xc0, 0]))).toBe("slowly");
  });

  test("slowly when it is no valid one, and when we say the last word", () => {
    const kit = new TestKit();
    expect(way(kit.connected("c", 5).raw([0xe0, 1, 0x01]))).toBe("slowly");
    const kicked = kit.connected("k", 5);
    kit.broker.kick("k");
    kit.broker.flush();
    expect(way(kicked)).toBe("slowly");
  });
});
