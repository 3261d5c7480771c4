/** The bytes that sessions hold: what comes in goes out again, by whatever way. */
import { describe, expect, test } from "bun:test";
import { Message } from "../../../server/core/message.ts";
import { memoryStore } from "../../support/memory_store.ts";
import { TestKit } from "../../support/test_broker.ts";

const KIB = 1024;

/** Persistent subscribers of `t`, offline. */
function away(kit: TestKit, n: number): void {
  for (let i = 0; i < n; i++) kit.connected(`s${i}`, 4, { clean: false }).subscribe("t", 1).drop();
}

describe("bytes held by sessions", () => {
  test("a message counts once however many sessions wait for it, their entries each", () => {
    const one = new TestKit();
    away(one, 1);
    one.connected("p").publish("t", Buffer.alloc(100 * KIB), 1);
    const ten = new TestKit();
    away(ten, 10);
    ten.connected("p").publish("t", Buffer.alloc(100 * KIB), 1);
    expect(one.broker.held.bytes).toBeGreaterThan(100 * KIB);
    expect(ten.broker.held.bytes - one.broker.held.bytes).toBe(9 * 100);
  });

  test("nothing is left when they have been acknowledged: QoS 1 and 2, queued and in flight", () => {
    const kit = new TestKit({ zone: { maxInflight: 2 } });
    kit.connected("s", 4, { clean: false }).subscribe("t", 2).drop();
    const p = kit.connected("p");
    for (let id = 1; id <= 6; id++) p.publish("t", Buffer.alloc(KIB), id % 2 === 0 ? 1 : 2, { messageId: id });
    for (const id of [1, 3, 5]) p.send({ cmd: "pubrel", messageId: id });
    expect(kit.broker.held.bytes).toBeGreaterThan(6 * KIB);
    const s = kit.client().connect("s", { clean: false });
    for (let round = 0; round < 20; round++) {
      for (const m of s.take()) {
        if (m.cmd === "publish" && m.qos > 0) s.send({ cmd: m.qos === 1 ? "puback" : "pubrec", messageId: m.messageId as number });
        else if (m.cmd === "pubrel") s.send({ cmd: "pubcomp", messageId: m.messageId as number });
      }
    }
    expect(kit.broker.held.bytes).toBe(0);
  });

  test("nor when the session ends, the message expires, or the queue overflows", () => {
    const kit = new TestKit({ zone: { maxMqueueLen: 3 } });
    away(kit, 2);
    const s5 = kit.connected("five", 5, { clean: false, properties: { sessionExpiryInterval: 1000 } });
    s5.subscribe("t", 1).drop();
    const p = kit.connected("p", 5);
    for (let i = 0; i < 10; i++) p.publish("t", Buffer.alloc(KIB), 1, { properties: { messageExpiryInterval: 10 } });
    const full = kit.broker.held.bytes;
    expect(full).toBeLessThan(5 * KIB);
    kit.broker.dropSession("s0");
    kit.broker.dropSession("s1");
    expect(kit.broker.held.bytes).toBe(full - 6 * 100);
    kit.pass(20_000);
    kit.client(5).connect("five", { clean: false, properties: { sessionExpiryInterval: 1000 } });
    expect(kit.broker.held.bytes).toBe(0);
  });

  test("what the journal brings back is held again", () => {
    const store = memoryStore();
    const kit = new TestKit({ store });
    away(kit, 3);
    kit.connected("p").publish("t", Buffer.alloc(KIB), 1);
    const { bytes } = kit.broker.held;
    store.commit();
    const next = new TestKit({ store: store.crash() });
    next.broker.registry.restore();
    expect(next.broker.held.bytes).toBe(bytes);
    for (const id of ["s0", "s1", "s2"]) next.broker.dropSession(id);
    expect(next.broker.held.bytes).toBe(0);
  });

  test("topic, payload and properties are in a message's size", () => {
    const size = (topic: string, payload: number, properties: Message["properties"]): number =>
      new Message(topic, new Uint8Array(payload), 0, false, "", null, 0, 0, properties).size;
    const base = size("", 0, null);
    expect(size("abc", 1000, null) - base).toBe(1003);
    expect(size("", 0, { userProperties: [["k".repeat(100), "v".repeat(900)]] }) - base).toBeGreaterThan(1000);
    expect(size("", 0, { correlationData: new Uint8Array(500), responseTopic: "r".repeat(300) }) - base).toBeGreaterThan(800);
  });
});
