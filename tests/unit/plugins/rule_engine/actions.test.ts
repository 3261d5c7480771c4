/** Actions that write to a server: what they tell of how that goes. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { removeTempDirs } from "../harness.ts";
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
