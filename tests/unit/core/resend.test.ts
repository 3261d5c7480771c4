import { expect, test } from "bun:test";
import mqttPacket from "mqtt-packet";
import { PUMP_SLICE } from "../../../server/core/resend.ts";
import { TestKit } from "../../support/test_broker.ts";

const CONNECT = { protocolId: "MQTT", protocolVersion: 5, clean: false, clientId: "s", keepalive: 0 };

/** Until its window has been sent. */
async function goOn(kit: TestKit, id: string): Promise<void> {
  for (let turns = 0; kit.broker.sessions.get(id)?.pumping === true; turns++) {
    expect(turns).toBeLessThan(20);
    kit.settle();
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }
  kit.settle();
}

test("a long window that a client left unacknowledged comes again in parts, one a turn, all of it before what is new", async () => {
  const kit = new TestKit();
  const many = 2 * PUMP_SLICE + 100;
  const properties = { sessionExpiryInterval: 3600 };
  kit.connected("s", 5, { clean: false, properties }).subscribe("t", 1);
  const p = kit.connected("p");
  for (let i = 1; i <= many; i++) p.publish("t", String(i), 1, { messageId: i });
  const session = kit.broker.sessions.get("s");
  expect(session?.inflightLen).toBe(many);
  session?.channel?.onClose("closed");
  kit.settle();
  const again = kit.client(5);
  const sent: number[] = [];
  const before = kit.metrics.qos1Sent;
  const { pieces } = kit.broker;
  const add = pieces.add.bind(pieces);
  pieces.add = (piece) => {
    sent.push(kit.metrics.qos1Sent - before);
    add(piece);
  };
  again.connect("s", { clean: false, properties });
  await goOn(kit, "s");
  const messages = again.messages();
  expect(messages.map((m) => [m.payload, m.messageId])).toEqual(Array.from({ length: many }, (_, i) => [String(i + 1), i + 1]));
  expect(messages.every((m) => m.dup)).toBe(true);
  expect(sent).toEqual([PUMP_SLICE, 2 * PUMP_SLICE]);
  p.publish("t", "new", 1, { messageId: 1 });
  expect(again.messages().map((m) => [m.payload, m.dup])).toEqual([["new", false]]);
});

test("… and what is published meanwhile waits behind it; acknowledgements do not hurry it", async () => {
  const kit = new TestKit();
  const many = PUMP_SLICE + 10;
  const properties = { sessionExpiryInterval: 3600 };
  kit.connected("s", 5, { clean: false, properties }).subscribe("t", 1);
  const p = kit.connected("p");
  for (let i = 1; i <= many; i++) p.publish("t", String(i), 1, { messageId: i });
  kit.broker.sessions.get("s")?.channel?.onClose("closed");
  const again = kit.client(5);
  again.channel.onData(mqttPacket.generate({ cmd: "connect", ...CONNECT, properties } as never, { protocolVersion: 5 }));
  const sent = kit.metrics.qos1Sent - many;
  expect(sent).toBe(PUMP_SLICE);
  again.channel.onData(Buffer.from([0x40, 2, 0, 1, 0x40, 2, 0, 2]));
  p.channel.onData(Buffer.from([0x32, 7, 0, 1, 116, 0, 9, 110, 101]));
  expect(kit.metrics.qos1Sent - many).toBe(sent);
  expect(kit.broker.sessions.get("s")?.mqueueLen).toBe(1);
  await goOn(kit, "s");
  expect(again.messages().map((m) => m.payload)).toEqual([...Array.from({ length: many }, (_, i) => String(i + 1)), "ne"]);
});
