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
