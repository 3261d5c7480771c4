import { expect, test } from "bun:test";
import { memoryStore } from "../../support/memory_store.ts";
import { type TestClient, TestKit } from "../../support/test_broker.ts";

const will = (delay: number) => ({
  topic: "will/x",
  payload: Buffer.from("gone"),
  qos: 1 as const,
  retain: false,
  properties: { willDelayInterval: delay },
});
const lasting = (delay: number) => ({ clean: false, properties: { sessionExpiryInterval: 3600 }, will: will(delay) });
function watcher(kit: TestKit): TestClient {
  const c = kit.connected("watcher").subscribe("will/#", 1);
  c.take();
  return c;
}

test("a will with a delay is sent once, not again after a restart", () => {
  const store = memoryStore();
  const kit = new TestKit({ store });
  const w = watcher(kit);
  kit.connected("c", 5, lasting(5)).drop();
  kit.pass(5200);
  expect(w.messages()).toHaveLength(1);
  const next = new TestKit({ store: store.crash(), clock: kit.clock });
  next.broker.registry.restore();
  const w2 = watcher(next);
  next.pass(10_000);
  expect(w2.messages()).toEqual([]);
});

test("what is left of the delay runs on after a restart", () => {
  const store = memoryStore();
  const kit = new TestKit({ store });
  kit.connected("c", 5, lasting(60)).drop();
  kit.pass(10_000);
  const next = new TestKit({ store: store.crash(), clock: kit.clock });
  next.clock.time += 20_000;
  next.broker.registry.restore();
  const w = watcher(next);
  next.pass(29_800);
  expect(w.messages()).toEqual([]);
  next.pass(400);
  expect(w.messages()).toMatchObject([{ topic: "will/x", payload: "gone" }]);
});

test("a clock set back before the restart makes the delay no longer than it was", () => {
  const store = memoryStore();
  const kit = new TestKit({ store });
  kit.connected("c", 5, lasting(60)).drop();
  const next = new TestKit({ store: store.crash(), clock: kit.clock });
  next.clock.jump(-3_600_000);
  next.broker.registry.restore();
  const w = watcher(next);
  next.pass(60_200);
  expect(w.messages()).toHaveLength(1);
});

test("the client that comes back in time takes it back [MQTT-3.1.3-9]", () => {
  const kit = new TestKit();
  const w = watcher(kit);
  kit.connected("c", 5, lasting(5)).drop();
  kit.pass(4000);
  kit.connected("c", 5, { clean: false, properties: { sessionExpiryInterval: 3600 } });
  kit.pass(10_000);
  expect(w.messages()).toEqual([]);
});

test("the session's end does not wait for the delay [MQTT-3.1.2-10]", () => {
  const kit = new TestKit();
  const w = watcher(kit);
  kit.connected("c", 5, { ...lasting(600), properties: { sessionExpiryInterval: 2 } }).drop();
  kit.pass(1800);
  expect(w.messages()).toEqual([]);
  kit.pass(400);
  expect(w.messages()).toHaveLength(1);
});

test("a will that waited a second goes out then, and not again when its session ends", () => {
  const kit = new TestKit();
  const w = watcher(kit);
  kit.connected("c", 5, { clean: false, properties: { sessionExpiryInterval: 5 }, will: will(1) }).drop();
  kit.pass(800);
  expect(w.messages()).toEqual([]);
  kit.pass(400);
  expect(w.messages()).toHaveLength(1);
  kit.pass(10_000);
  expect(kit.broker.sessions.has("c")).toBe(false);
  expect(w.messages()).toEqual([]);
});
