import { describe, expect, test } from "bun:test";
import { TestKit } from "../../../support/test_broker.ts";

const PUBACK = 0x40;
const PUBREC = 0x50;
const PUBREL = 0x62;
const PUBCOMP = 0x70;
const ack = (first: number, id: number): number[] => [first, 2, id >> 8, id & 255];
const acks = (first: number, from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ack(first, from + i)).flat();

/** A subscriber that has been sent messages 1 to `sent` and acknowledged none; as many more wait. */
function receiver(kit: TestKit, sent: number, waiting: number, qos: 1 | 2 = 1, version: 4 | 5 = 4) {
  kit.zone.maxInflight = sent;
  const properties = version === 5 ? { properties: { receiveMaximum: sent } } : {};
  const s = kit.connected("s", version, properties).subscribe("t", qos);
  const p = kit.connected("p");
  for (let i = 1; i <= sent + waiting; i++) p.publish("t", String(i), qos, { messageId: i });
  const session = kit.broker.sessions.get("s");
  expect([s.messages().length, session?.inflightLen, session?.mqueueLen]).toEqual([sent, sent, waiting]);
  return { s, window: () => [session?.inflightLen, session?.mqueueLen] };
}

describe("acknowledgements that come one behind another", () => {
  test("make room once: what waits goes out in order, in one write", () => {
    const kit = new TestKit();
    const { s, window } = receiver(kit, 10, 25);
    const { writes } = s.transport;
    const packets = s.channel.recvPkt;
    s.raw(acks(PUBACK, 1, 10));
    expect(s.messages().map((m) => m.payload)).toEqual(Array.from({ length: 10 }, (_, i) => String(11 + i)));
    expect([s.transport.writes - writes, s.channel.recvPkt - packets]).toEqual([1, 10]);
    expect(window()).toEqual([10, 15]);
    expect([kit.metrics.pubackReceived, kit.metrics.pubackMissed]).toEqual([10, 0]);
  });

  test("are counted one by one, also those of nothing, and those cut in two", () => {
    const kit = new TestKit();
    const { s, window } = receiver(kit, 10, 0);
    const bytes = [...acks(PUBACK, 1, 3), ...acks(PUBACK, 2, 6), ...ack(PUBACK, 7)];
    s.raw(bytes.slice(0, -2));
    expect(window()).toEqual([4, 0]);
    s.raw([...bytes.slice(-2), ...ack(PUBACK, 8)]);
    expect(window()).toEqual([2, 0]);
    expect([kit.metrics.pubackReceived, kit.metrics.pubackMissed]).toEqual([10, 2]);
  });

  test("of all kinds, with other packets between them", () => {
    const kit = new TestKit();
    const { s, window } = receiver(kit, 4, 4, 2);
    s.raw([...acks(PUBREC, 1, 4), 0xc0, 0, ...acks(PUBCOMP, 1, 2), ...ack(PUBREC, 3)]);
    const sent = s.take().map((p) => `${p.cmd} ${(p as { messageId?: number }).messageId ?? ""}`);
    expect(sent).toEqual(["pubrel 1", "pubrel 2", "pubrel 3", "pubrel 4", "pingresp ", "publish 5", "publish 6", "pubrel 3"]);
    expect(window()).toEqual([4, 2]);
    expect([kit.metrics.pubrecReceived, kit.metrics.pubcompReceived]).toEqual([5, 2]);
  });

  test("PUBRELs of a publisher, each answered", () => {
    const kit = new TestKit();
    const p = kit.connected("p");
    for (let id = 1; id <= 3; id++) p.publish("t", "x", 2, { messageId: id });
    p.take();
    p.raw(acks(PUBREL, 1, 4));
    expect(p.take().map((x) => [x.cmd, (x as { messageId?: number }).messageId])).toEqual([1, 2, 3, 4].map((id) => ["pubcomp", id]));
    expect([kit.metrics.pubrelReceived, kit.metrics.pubrelMissed]).toEqual([4, 1]);
  });

  test("5.0: with and without a reason code", () => {
    const kit = new TestKit();
    const { s, window } = receiver(kit, 6, 6, 1, 5);
    s.raw([...ack(PUBACK, 1), PUBACK, 3, 0, 2, 0x10, ...acks(PUBACK, 3, 4), PUBACK, 4, 0, 5, 0x00, 0]);
    expect(window()).toEqual([6, 1]);
    expect(kit.metrics.pubackReceived).toBe(5);
  });

  test.each([
    ["an identifier of 0 [MQTT-2.2.1-3]", ack(PUBACK, 0), "protocol_error"],
    ["one of the wrong kind", ack(PUBREC, 3), "protocol_error"],
    ["flags [MQTT-2.1.3-1]", [0x41, 2, 0, 3], "malformed_packet"],
    ["a wrong length", [PUBACK, 3, 0, 3, 0], "malformed_packet"],
  ])("%s among them ends the connection there: what came before it counts, what comes behind it does not", (_, bad, reason) => {
    const kit = new TestKit();
    const { s } = receiver(kit, 10, 5);
    const acked: number[] = [];
    kit.hooks.add("message.acked", "test", (_id, m) => void acked.push(Number(Buffer.from(m.payload).toString())));
    s.raw([...acks(PUBACK, 1, 2), ...bad, ...acks(PUBACK, 4, 6)]);
    expect([s.channel.phase, acked]).toEqual(["closed", [1, 2]]);
    expect(kit.listener.shutdowns.get(reason)).toBe(1);
  });

  test("a hook that ends the connection in the middle: the rest is not handled, and nothing more is sent", () => {
    const kit = new TestKit();
    const { s } = receiver(kit, 10, 5);
    const acked: string[] = [];
    kit.hooks.add("message.acked", "test", (id, m) => {
      acked.push(Buffer.from(m.payload).toString());
      if (acked.length === 3) kit.broker.kick(id);
    });
    s.raw(acks(PUBACK, 1, 10));
    expect([s.channel.phase, acked, s.messages()]).toEqual(["closed", ["1", "2", "3"], []]);
  });
});
