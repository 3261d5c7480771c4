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
    expect(ten.broker.held.bytes - one.broker.held.bytes).toBe(9 * 48);
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
    expect(kit.broker.held.bytes).toBe(full - 6 * 48);
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
    // Without the head of the packet it came in: two bytes of length, one of type, topic and identifier.
    expect(next.broker.held.bytes).toBe(bytes - 8);
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

describe("windows of clients that do not acknowledge", () => {
  const KB = 1024;
  const fill = (kit: TestKit, n: number, size: number): void => {
    for (let i = 0; i < n; i++) kit.broker.publish(new Message("t", Buffer.alloc(size), 1, false, "", null, 0, 0, null));
    kit.broker.flush();
    kit.settle();
  };

  test("hold no more than max_mqueue_bytes, however many messages they may; then it is the queue's turn, then the oldest go", () => {
    const kit = new TestKit({ zone: { maxMqueueBytes: 1000 * KB, maxMqueueLen: 0 } });
    const c = kit.connected("c", 5).subscribe("t", 1);
    c.transport.write = (_b, _o, n) => n;
    fill(kit, 500, 10 * KB);
    const s = kit.broker.sessions.get("c");
    const taken = s?.inflight?.count ?? 0;
    expect(taken).toBeGreaterThanOrEqual(95);
    expect(taken).toBeLessThanOrEqual(101);
    expect(s?.mqueueLen).toBeLessThanOrEqual(100);
    expect(kit.broker.held.bytes).toBeLessThan(2100 * KB);
    // Acknowledged, they make room for what waits.
    for (let id = 1; id <= taken; id++) c.send({ cmd: "puback", messageId: id });
    expect(s?.mqueueLen).toBe(0);
    expect(s?.inflight?.bytes).toBeGreaterThan(0);
    for (let id = taken + 1; s?.inflight?.count; id++) c.send({ cmd: "puback", messageId: id });
    expect(s?.inflight?.bytes).toBe(0);
    // The places of a window as large as it was; while its client is away it takes none.
    expect(kit.broker.held.bytes).toBeLessThan(10 * KB);
    c.drop();
    expect(kit.broker.held.bytes).toBe(0);
  });

  test("do not grow beyond the zone's max_inflight while memory has none to give; what cannot wait is dropped and counted", () => {
    const kit = new TestKit({ zone: { maxInflight: 32 } });
    const c = kit.connected("c", 5).subscribe("t", 1);
    const busy = kit.connected("busy", 5).subscribe("t", 1);
    fill(kit, 50, 20);
    kit.broker.held.short = kit.broker.held.full = true;
    fill(kit, 50, 20);
    const s = kit.broker.sessions.get("c");
    expect([s?.inflight?.count, s?.mqueueLen]).toEqual([50, 0]);
    // Who acknowledges goes on.
    for (let id = 1; id <= 50; id++) busy.send({ cmd: "puback", messageId: id });
    fill(kit, 10, 20);
    expect(kit.broker.sessions.get("busy")?.inflight?.count).toBe(10);
    expect(kit.metrics.dropMemory).toBe(110);
    kit.broker.held.short = kit.broker.held.full = false;
    fill(kit, 10, 20);
    expect(s?.inflight?.count).toBe(60);
    expect(c.take().filter((p) => p.cmd === "publish")).toHaveLength(60);
  });
});
