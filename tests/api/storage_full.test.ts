/** The disk fails, and as much waits for it as `storage.pending_limit` allows: nothing may make it more, and nothing acknowledged is lost. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { until } from "../support/until.ts";
import { TestNode } from "./support/node.ts";

const LIMIT = 1024 * 1024;
const LARGE = Buffer.alloc(50_000);

let node: TestNode;
beforeEach(async () => {
  node = await TestNode.start({ "storage.pending_limit": "1MB" });
});
afterEach(() => node.stop());

function fails(): void {
  const { broker, store } = node.node;
  store.commit = () => {
    throw new Error("the disk is full");
  };
  store.kv("test").set("touched", "");
  broker.output.commit();
  expect(broker.durability.failed).toBe(true);
}
async function works(): Promise<void> {
  // Back to the method of the class.
  delete (node.node.store as { commit?: unknown }).commit;
  await until(() => !node.node.broker.durability.failed, "stored again");
}

test("retained wills are published, but kept only as far as they may wait", async () => {
  const { broker, store } = node.node;
  const watcher = await node.mqtt("watcher");
  let heard = 0;
  watcher.on("message", () => heard++);
  await watcher.subscribeAsync("will/#");
  fails();
  for (let i = 0; i < 60; i++) {
    const c = await node.mqtt(`w${i}`, { will: { topic: `will/${i}`, payload: LARGE, qos: 1, retain: true } });
    c.stream.destroy();
  }
  await until(() => heard === 60, "all wills");
  expect(broker.durability.full).toBe(true);
  expect(store.bytes).toBeLessThan(LIMIT + 2 * LARGE.length);
  expect(broker.metrics.get("retained/refused/storage")).toBeGreaterThan(30);
  await works();
  await until(() => store.bytes === 0, "all is stored");
});

test("delayed messages: no more are taken, of any QoS; those that were acknowledged before wait until they can be stored", async () => {
  const { broker, store } = node.node;
  expect((await node.ask("PUT", "/plugins/emqx_delayed_publish/load")).text).toBe('{"code":0}');
  const keeper = await node.mqtt("keeper", { clean: false });
  await keeper.subscribeAsync("late/#", { qos: 1 });
  await keeper.endAsync();
  const p = await node.mqtt("p");
  await p.publishAsync("$delayed/1/late/1", "acknowledged", { qos: 1 });
  fails();
  for (let i = 0; i < 100; i++) await p.publishAsync(`$delayed/1000/x/${i}`, LARGE, { qos: 0 });
  await until(() => broker.metrics.qos0Received >= 100, "all of them");
  expect(broker.durability.full).toBe(true);
  // What one turn of the event loop brings may come on top.
  expect(store.bytes).toBeLessThan(2 * LIMIT);
  // Timers run in the order in which they are due: when this one does, the message is overdue, and was looked at.
  await new Promise<void>((looked) => void broker.after(1500, looked));
  expect([broker.sessions.get("keeper")?.mqueueLen, broker.metrics.dropUnkept]).toEqual([0, 0]);
  await works();
  await until(() => broker.sessions.get("keeper")?.mqueueLen === 1, "the acknowledged one");
});
