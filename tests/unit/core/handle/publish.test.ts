import { expect, test } from "bun:test";
import { memoryStore } from "../../../support/memory_store.ts";
import { TestKit } from "../../../support/test_broker.ts";

test("a denied QoS 2 message of a 3.x client: its handshake is journalled like any other and survives a kill", () => {
  const store = memoryStore();
  const acl = '{deny, all, publish, ["no"]}.';
  const kit = new TestKit({ store, acl });
  const c = kit.connected("c", 4, { clean: false });
  expect(c.publish("no", "x", 2, { messageId: 7 }).take()).toMatchObject([{ cmd: "pubrec", messageId: 7 }]);
  expect(store.counts().awaitingRel).toBe(1);

  const next = new TestKit({ store: store.crash(), acl });
  next.broker.registry.restore();
  const again = next.connected("c", 4, { clean: false });
  expect(next.broker.sessions.get("c")?.awaitingRelLen).toBe(1);
  expect(again.send({ cmd: "pubrel", messageId: 7 }).take()).toMatchObject([{ cmd: "pubcomp", messageId: 7 }]);
  expect(next.broker.sessions.get("c")?.awaitingRelLen).toBe(0);

  expect(c.send({ cmd: "pubrel", messageId: 7 }).take()).toMatchObject([{ cmd: "pubcomp", messageId: 7 }]);
  expect(store.problems).toEqual([]);
});

test("a QoS 2 message that was taken and comes again after the rules have changed: its handshake goes on [MQTT-4.3.3-10]", () => {
  const kit = new TestKit({ zone: { maxAwaitingRel: 2 } });
  const session = { clean: false, properties: { sessionExpiryInterval: 60 } };
  const s = kit.connected("s", 5).subscribe("t");
  s.take();
  kit.connected("c", 5, session).publish("t", "x", 2, { messageId: 7 }).drop();
  kit.hooks.add("client.check_acl", "deny", () => ({ verdict: "deny", why: "test" }));
  kit.access.invalidate();
  const c = kit.connected("c", 5, session);
  const again = c.publish("t", "x", 2, { messageId: 7, dup: true }).take();
  expect(again).toMatchObject([{ cmd: "pubrec", messageId: 7, reasonCode: 0 }]);
  expect(c.publish("t", "y", 2, { messageId: 8 }).take()).toMatchObject([{ cmd: "pubrec", messageId: 8, reasonCode: 0x87 }]);
  expect(c.send({ cmd: "pubrel", messageId: 7 }).take()).toMatchObject([{ cmd: "pubcomp", messageId: 7, reasonCode: 0 }]);
  expect(s.messages().map((m) => m.payload)).toEqual(["x"]);
});

test("a message with an expiry that comes right after the wall clock was set is stored by the new time", () => {
  const store = memoryStore();
  const kit = new TestKit({ store });
  const session = { clean: false, properties: { sessionExpiryInterval: 3600 } };
  kit.connected("s", 5, session).subscribe("t", 1).drop();
  const p = kit.connected("p", 5);
  kit.clock.jump(24 * 3_600_000);
  p.publish("t", "x", 1, { properties: { messageExpiryInterval: 60 } });
  const next = new TestKit({ store: store.crash(), clock: kit.clock });
  next.broker.registry.restore();
  const s = next.client(5).connect("s", session);
  expect(s.messages().map((m) => m.payload)).toEqual(["x"]);
});
