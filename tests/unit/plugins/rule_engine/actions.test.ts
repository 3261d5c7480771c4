/** Actions that write to a server: what they tell of how that goes. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { removeTempDirs, turns } from "../harness.ts";
import { startServers, stopServers, write } from "./servers.ts";

afterEach(stopServers);
afterAll(removeTempDirs);

test("how many rows an action takes a second is counted, and how long its server takes; of what is done at once nothing is measured", async () => {
  const s = await startServers();
  await s.resource("db");
  const { id } = await s.rule(write("db"), { name: "built_in:do_nothing" });
  const { promise, resolve: go } = Promise.withResolvers<void>();
  s.servers.writing.set("db", promise);
  s.publish(1, 2, 3, 4, 5);
  await s.passing(() => s.action(id).metrics.rate_max === 5, "a second");
  expect(s.action(id).metrics).toMatchObject({ taken: 5, success: 0, p95_ms: null });
  go();
  await s.passing(() => s.action(id).metrics.success === 5, "all of them");
  expect(s.action(id).metrics).toMatchObject({ rate_max: 5, rate_5m: expect.any(Number) });
  expect(s.action(id).metrics.p95_ms).toBeGreaterThanOrEqual(100);
  await s.passing(() => s.action(id).metrics.rate === 0, "another second");
  expect(s.action(id, 1).metrics).toMatchObject({ success: 5, rate_max: 5, p95_ms: null });
  s.service.resetMetrics(id);
  expect(s.action(id).metrics).toMatchObject({ rate: 0, rate_5m: 0, rate_max: 0, p95_ms: null });
});

test("of dead letters of an action whose plugin does not run nobody says that there are none", async () => {
  const s = await startServers();
  await s.resource("db");
  const made = await s.rule(write("db", { disk_size: 1 }));
  const { id } = s.action(made.id);
  await s.manager.unload("test_servers");
  await s.passing(() => s.row(made.id).state === "broken", "its plugin has gone");
  const why = `action ${id} does not run: there is no action test:write now`;
  expect(() => s.service.deadLetters(made.id, id)).toThrow(why);
  expect(() => s.service.resendDeadLetters(made.id, id)).toThrow(why);
  expect(() => s.service.removeDeadLetters(made.id, id)).toThrow(why);
});

describe.each([
  ["in memory", {}],
  ["with a queue on the disk", { disk_size: 1 }],
])("the errors of a rule, %s", (_, queue) => {
  test("have the message of each row that its server refuses, or that was too old, also over a change of the action", async () => {
    const s = await startServers();
    await s.resource("db");
    const { id } = await s.rule(write("db", queue));
    const of = (n: number, more: object = {}) => ({
      event: "message.publish",
      client_id: "c1",
      topic: "t",
      payload: `{"n":${n}}`,
      ...more,
    });
    s.servers.states.set("db", "refuses");
    s.publish(1, 2);
    await s.passing(() => s.action(id).metrics.failed === 2, "both are refused");
    expect(s.service.errors(id)).toMatchObject([of(2, { error: "no" }), of(1, { error: "no" })]);
    s.servers.states.set("db", "down");
    const c = s.kit.connected("c9");
    c.publish("t", `{"n":3,"long":"${"x".repeat(1000)}"}`);
    await s.passing(() => s.action(id).metrics.waiting === 1, "it waits");
    await s.service.updateRule(id, { actions: [{ ...write("db", { ...queue, queue_size: 64 }), id: s.action(id).id }] });
    s.servers.states.set("db", "refuses");
    await s.passing(() => s.action(id).metrics.failed === 3, "it is refused, too");
    const [last] = s.service.errors(id) ?? [];
    expect(last).toMatchObject({ error: "no", client_id: "c9", topic: "t" });
    expect(last?.payload).toMatch(/^\{"n":3,"long":"x{49}… \(1017 bytes\)$/);
  });
});

test("what is kept of a message is counted with what waits", async () => {
  const s = await startServers();
  await s.resource("db");
  const { id } = await s.rule(write("db"));
  s.servers.states.set("db", "down");
  const c = s.kit.connected("c1");
  c.publish("t", '{"n":1}');
  await s.passing(() => s.action(id).metrics.waiting === 1, "it waits");
  const { waiting_bytes: small } = s.action(id).metrics;
  c.publish("t", `{"n":1,"x":"${"x".repeat(1000)}"}`);
  await s.passing(() => s.action(id).metrics.waiting === 2, "the other one, too");
  expect(s.action(id).metrics.waiting_bytes - 2 * small).toBe(64 + "… (1017 bytes)".length - 7);
});

test("the errors of a rule have the message of a row that was held while its action was changed, and cannot be made", async () => {
  const s = await startServers();
  await s.resource("db");
  const made = await s.service.createRule({
    name: "r",
    rawsql: 'SELECT payload.n AS n, payload.bad AS bad FROM "t"',
    actions: [write("db")],
  });
  const { promise, resolve: go } = Promise.withResolvers<void>();
  s.servers.writing.set("db", promise);
  const c = s.kit.connected("c1");
  c.publish("t", '{"n":1}');
  await turns(s.kit);
  const changed = s.service.updateRule(made.id, { actions: [{ ...write("db", { queue_size: 64 }), id: s.action(made.id).id }] });
  await s.passing(() => s.action(made.id).state === "broken", "it closes");
  c.publish("t", '{"n":2,"bad":true}');
  await s.passing(() => s.action(made.id).metrics.waiting === 1, "it is held");
  go();
  await changed;
  await s.passing(() => s.action(made.id).metrics.failed === 1, "it cannot be made");
  expect(s.service.errors(made.id)).toMatchObject([
    { error: "such a row cannot be", client_id: "c1", topic: "t", payload: '{"n":2,"bad":true}' },
  ]);
});
