import { afterAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Message } from "../../../../server/core/message.ts";
import { delayedPublish } from "../../../../server/plugins/delayed_publish/index.ts";
import { DelayQueue } from "../../../../server/plugins/delayed_publish/queue.ts";
import type { DelayedService } from "../../../../server/plugins/plugin.ts";
import { retainer } from "../../../../server/plugins/retainer/index.ts";
import type { MemoryStore } from "../../../support/memory_store.ts";
import { type TestClient, TestKit } from "../../../support/test_broker.ts";
import { mono, wall } from "../../../support/time.ts";
import { manage, removeTempDirs, running, turns, type Wishes } from "../harness.ts";

afterAll(removeTempDirs);

async function start(wishes: Wishes = {}) {
  const m = await running(delayedPublish, wishes);
  const service = m.manager.service("emqx_delayed_publish") as DelayedService;
  const from = m.kit.connected("publisher", 5);
  const to = m.kit.connected("subscriber", 5).subscribe("#", 2);
  to.take();
  return { ...m, service, from, to };
}
const got = (c: TestClient): [topic: string, payload: string][] => c.messages().map((m) => [m.topic, m.payload]);

test("the queue gives what is due, in order of time and then of arrival", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(50), fc.boolean(), fc.boolean())), (rows) => {
      const queue = new DelayQueue();
      const message = new Message("t", Buffer.from("x"), 0, false, "", null, 0, 0, null);
      rows.forEach(([dueAt, , byTime], id) => {
        if (byTime) queue.addTime({ id, dueAt, message });
        else queue.addDelay({ id, dueAt, message }, mono(1000 + dueAt));
      });
      const left = rows.map(([dueAt, stays], id) => ({ id, dueAt, stays })).filter((r) => r.stays || !queue.cancel(r.id));
      expect([...queue.rows()].map((r) => r.id)).toEqual(left.map((r) => r.id));
      const sorted = left.sort((a, b) => a.dueAt - b.dueAt || a.id - b.id).map((r) => r.id);
      const due = sorted.filter((id) => (rows[id]?.[0] ?? 0) <= 25);
      for (const id of due) expect(queue.take(wall(25), mono(1025))?.id).toBe(id);
      expect(queue.take(wall(25), mono(1025))).toBeUndefined();
      expect(queue.size).toBe(sorted.length - due.length);
    }),
    { numRuns: 200, seed: 3 },
  );
});

test("the rows are walked while they come and go: each once, none that has gone", () => {
  const queue = new DelayQueue();
  const message = new Message("t", Buffer.from("x"), 0, false, "", null, 0, 0, null);
  for (let id = 0; id < 5; id++) queue.addTime({ id, dueAt: 100 - id, message });
  const seen: number[] = [];
  for (const { id } of queue.rows()) {
    seen.push(id);
    if (id !== 1) continue;
    queue.cancel(0);
    queue.cancel(2);
    queue.take(wall(96), mono(0));
    queue.addTime({ id: 9, dueAt: 1, message });
  }
  expect(seen).toEqual([0, 1, 3, 9]);
});

test("cancelled rows do not wait in memory for their time", () => {
  const queue = new DelayQueue();
  const message = new Message("t", Buffer.from("x"), 0, false, "", null, 0, 0, null);
  for (let id = 0; id < 100_000; id++) {
    queue.addDelay({ id, dueAt: 1e12 + id, message }, mono(1e9 + id));
    queue.cancel(id);
  }
  expect(queue.size).toBe(0);
  expect(queue.held).toBeLessThan(2500);
  expect(queue.cancel(5)).toBe(false);
});

describe("delayed messages", () => {
  test("a delay runs on though somebody sets the clock; a time of day moves with it", async () => {
    const { kit, from, to } = await start();
    const noon = Math.floor(kit.clock.time / 1000) + 3600;
    from.publish("$delayed/2/delay", "1").publish(`$delayed/${noon}/day`, "2");
    kit.clock.jump(3_500_000);
    kit.pass(1000);
    expect(got(to)).toEqual([]);
    kit.pass(1100);
    expect(got(to)).toEqual([["delay", "1"]]);
    kit.clock.jump(-7_200_000);
    from.publish("$delayed/3/back", "3");
    kit.pass(3200);
    expect(got(to)).toEqual([["back", "3"]]);
    kit.clock.jump(7_300_000);
    kit.pass(100);
    expect(got(to)).toEqual([["day", "2"]]);
  });

  test("come when they are due, in that order, not before, as they were published", async () => {
    const { kit, from, to, service } = await start();
    from.publish("$delayed/2/b", "second", 1, { messageId: 5, properties: { contentType: "text" } });
    from.publish("$delayed/1/a", "first");
    from.publish("plain", "now");
    expect(got(to)).toEqual([["plain", "now"]]);
    expect([...service.list()].map((d) => [d.message.topic, d.dueAt - kit.clock.time])).toEqual([
      ["b", 2000],
      ["a", 1000],
    ]);
    kit.pass(900);
    expect(got(to)).toEqual([]);
    kit.pass(200);
    expect(got(to)).toEqual([["a", "first"]]);
    kit.pass(1000);
    expect(to.messages()).toMatchObject([{ topic: "b", payload: "second", qos: 1, retain: false, properties: { contentType: "text" } }]);
    expect(service.count).toBe(0);
    expect([...kit.store.delayed.load()]).toEqual([]);
  });

  test("QoS 1 is acknowledged with success when it is taken", async () => {
    const { from } = await start();
    from.publish("$delayed/9/x", "x", 1, { messageId: 5 });
    expect(from.take()).toMatchObject([{ cmd: "puback", messageId: 5, reasonCode: 0 }]);
  });

  test("survive a crash; what is overdue then goes out at once", async () => {
    const first = await start();
    first.from.publish("$delayed/5/soon", "1").publish("$delayed/600/late", "2");
    first.kit.store.commit();
    first.kit.clock.time += 60_000;
    const kit = new TestKit({ store: (first.kit.store as MemoryStore).crash(), clock: first.kit.clock });
    const { to, service, from } = await start({ kit });
    kit.pass(100);
    expect(got(to)).toEqual([["soon", "1"]]);
    from.publish("$delayed/1/new", "3");
    expect([...service.list()].map((d) => d.message.topic)).toEqual(["late", "new"]);
    expect(new Set([...service.list()].map((d) => d.id)).size).toBe(2);
    kit.pass(540_100);
    expect(got(to)).toEqual([
      ["new", "3"],
      ["late", "2"],
    ]);
  });

  test("many that are overdue go out in parts", async () => {
    const { kit, from, service, to } = await start();
    for (let i = 0; i < 2500; i++) from.publish("$delayed/1/x", String(i));
    kit.clock.time += 5000;
    kit.pass(100);
    expect(service.count).toBe(1500);
    kit.pass(200);
    expect(service.count).toBe(0);
    expect(got(to)).toHaveLength(2500);
  });

  test("the message's expiry begins when it is published", async () => {
    const { kit, from, to } = await start();
    from.publish("$delayed/10/x", "x", 0, { properties: { messageExpiryInterval: 5 } });
    kit.pass(10_200);
    expect(to.messages()).toMatchObject([{ topic: "x", properties: { messageExpiryInterval: 5 } }]);
  });

  test("a retained one is retained when it is due, not before", async () => {
    const kit = new TestKit();
    const { manager } = manage([delayedPublish, retainer], { kit });
    await manager.startAll();
    await manager.load("emqx_delayed_publish");
    kit.connected("p").publish("$delayed/1/state", "on", 0, { retain: true });
    const retained = manager.service("emqx_retainer");
    expect([...(retained?.messages() ?? [])]).toEqual([]);
    kit.pass(1200);
    expect([...(retained?.messages() ?? [])].map((m) => m?.topic)).toEqual(["state"]);
  });

  test("cancelled and sent early through the admin's door", async () => {
    const { kit, from, to, service } = await start();
    from.publish("$delayed/9/a", "a").publish("$delayed/9/b", "b").publish("$delayed/9/c", "c");
    const [a, b] = [...service.list()].map((d) => d.id) as [number, number];
    expect([service.cancel(a), service.cancel(a), service.sendNow(a)]).toEqual([true, false, false]);
    expect([service.sendNow(b), service.sendNow(b), service.cancel(b)]).toEqual([true, false, false]);
    kit.broker.flush();
    kit.settle();
    expect(got(to)).toEqual([["b", "b"]]);
    expect([...kit.store.delayed.load()]).toHaveLength(1);
    kit.pass(10_000);
    expect(got(to)).toEqual([["c", "c"]]);
  });
});

describe("refusals", () => {
  test("a bad topic is refused with 0x87, logged as no fault of a hook, and reaches nobody", async () => {
    const { kit, from, to, manager } = await start();
    from.publish("$delayed/soon/x", "x", 1, { messageId: 5 });
    expect(from.take()).toMatchObject([{ cmd: "puback", reasonCode: 0x87 }]);
    kit.pass(1000);
    expect(got(to)).toEqual([]);
    expect(kit.log.errors).toEqual([]);
    expect(manager.list()[0]?.failures).toBe(0);
  });

  test("the API's own publish of a bad one goes nowhere", async () => {
    const { kit, service } = await start();
    expect(kit.broker.publish(new Message("$delayed/x/y", Buffer.from("x"), 0, false, "api", null, 0, 0, null))).toBe(0);
    expect([service.count, kit.metrics.get("delayed/refused")]).toEqual([0, 1]);
  });

  test("what the rules deny, a delay does not allow", async () => {
    const { kit, from, service } = await start();
    kit.hooks.add("client.check_acl", "rules", (_c, _a, topic) => (topic.startsWith("secret/") ? { verdict: "deny" } : null));
    from.publish("$delayed/1/secret/x", "x", 1, { messageId: 5 });
    expect(from.take()).toMatchObject([{ cmd: "puback", reasonCode: 0x87 }]);
    kit.hooks.add("client.check_acl", "slow", async (_c, _a, topic) => (topic === "slow" ? { verdict: "deny" } : null));
    from.publish("$delayed/1/slow", "x", 1, { messageId: 6 });
    await turns(kit);
    expect(from.take()).toMatchObject([{ cmd: "puback", messageId: 6, reasonCode: 0x87 }]);
    expect(service.count).toBe(0);
    // And a rule about the delayed topic itself still counts.
    kit.hooks.add("client.check_acl", "no-delays", (_c, _a, topic) => (topic.startsWith("$delayed/") ? { verdict: "deny" } : null));
    from.publish("$delayed/1/open", "x", 1, { messageId: 7 });
    await turns(kit);
    expect(from.take()).toMatchObject([{ cmd: "puback", messageId: 7, reasonCode: 0x87 }]);
  });

  test("no more than max_delayed_messages wait", async () => {
    const { from, service } = await start({ settings: { "delayed_publish.max_delayed_messages": "2" } });
    for (let id = 1; id <= 3; id++) from.publish(`$delayed/9/${id}`, "x", 1, { messageId: id });
    expect(from.take()).toMatchObject([{ reasonCode: 0 }, { reasonCode: 0 }, { reasonCode: 0x97 }]);
    expect(service.count).toBe(2);
  });

  test("a topic that is none of a delayed message: refused with 0x90 where no access rule has done so", async () => {
    const { kit, service, to } = await start();
    for (const topic of ["$delayed/x/t", "$delayed/9", "$delayed/9/$delayed/9/t"]) {
      const m = new Message(topic, Buffer.from("x"), 1, false, "", null, 0, 0, null);
      expect([topic, kit.broker.publish(m), m.refusedWith]).toEqual([topic, 0, 0x90]);
    }
    kit.pass(20_000);
    expect([service.count, got(to), kit.metrics.get("delayed/refused")]).toEqual([0, [], 3]);
  });

  test("to one topic too: refused with 0x97 while there is no room, taken as soon as there is", async () => {
    const { kit, from, service, to } = await start({ settings: { "delayed_publish.max_delayed_messages": "2" } });
    const codes = (): (number | undefined)[] => from.take().map((p) => (p as { reasonCode?: number }).reasonCode);
    for (let id = 1; id <= 5; id++) from.publish("$delayed/1/t", String(id), 1, { messageId: id });
    expect(codes()).toEqual([0, 0, 0x97, 0x97, 0x97]);
    expect([service.count, kit.metrics.get("delayed/refused")]).toEqual([2, 3]);
    expect(kit.log.lines.filter((l) => l.message === "delayed message refused")).toHaveLength(1);
    const api = new Message("$delayed/1/t", Buffer.from("x"), 0, false, "api", null, 0, 0, null);
    kit.broker.publish(api);
    expect(api.refusedWith).toBe(0x97);
    kit.pass(1200);
    expect(got(to)).toEqual([
      ["t", "1"],
      ["t", "2"],
    ]);
    from.publish("$delayed/1/t", "6", 1, { messageId: 6 });
    expect(codes()).toEqual([0]);
  });

  test("no memory to spare: nothing more is taken, and what waits is sent", async () => {
    const { kit, from, to, service } = await start();
    from.publish("$delayed/1/t", "before");
    kit.broker.memory.watch({ read: () => ({ used: 80, limit: 100, container: false }), collect() {} });
    from.publish("$delayed/1/t", "x", 1, { messageId: 7 });
    expect(from.take()).toMatchObject([{ cmd: "puback", messageId: 7, reasonCode: 0x97 }]);
    expect(service.count).toBe(1);
    kit.pass(1200);
    expect(got(to)).toEqual([["t", "before"]]);
  });

  test("what waits is counted with what is queued, until it goes", async () => {
    const { kit, from, manager, service } = await start();
    const queues = (): number => kit.broker.memory.bytes().queues;
    const before = queues();
    from.publish("$delayed/1/t", Buffer.alloc(1000));
    const one = queues() - before;
    expect(one).toBeGreaterThan(1000);
    from.publish("$delayed/900/t", Buffer.alloc(1000)).publish("$delayed/901/t", Buffer.alloc(1000));
    expect(queues() - before).toBe(3 * one);
    kit.pass(1200);
    expect(queues() - before).toBe(2 * one);
    service.cancel([...service.list()][0]?.id as number);
    expect(queues() - before).toBe(one);
    await manager.unload("emqx_delayed_publish");
    expect(queues()).toBe(before);
    await manager.load("emqx_delayed_publish");
    expect(queues() - before).toBe(one);
  });

  test("unloaded: nothing goes out, and it comes after the next load", async () => {
    const { kit, from, to, manager } = await start();
    from.publish("$delayed/1/x", "kept");
    await manager.unload("emqx_delayed_publish");
    kit.pass(2000);
    from.publish("$delayed/1/y", "plain");
    expect(got(to)).toEqual([]);
    await manager.load("emqx_delayed_publish");
    kit.pass(200);
    expect(got(to)).toEqual([["x", "kept"]]);
  });
});
