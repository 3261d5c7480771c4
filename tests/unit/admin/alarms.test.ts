import { expect, test } from "bun:test";
import { administer } from "./harness.ts";

test("what stands, and what has been; the cluster's forms say the same of the node", async () => {
  const { admin, kit } = await administer();
  const raised = kit.clock.time;
  for (const id of ["a", "b", "c"]) kit.alarms.set(id, `about ${id}`);
  kit.clock.time += 1000;
  for (const id of ["a", "b"]) kit.alarms.clear(id);
  const { alarms } = admin;
  expect(alarms.list()).toEqual([{ id: "c", desc: "about c", raised_at_ms: raised }]);
  expect(alarms.all()).toEqual([{ node: admin.node, alarms: alarms.list() }]);
  const history = alarms.history();
  expect(history.map((a) => a.id).sort()).toEqual(["a", "b"]);
  expect(history[0]).toMatchObject({ raised_at_ms: raised, clear_at_ms: raised + 1000, clear_at: expect.stringMatching(/^\d{4}-/) });
  expect(alarms.history(1)).toEqual(history.slice(0, 1));
  expect(alarms.allHistory(1)).toEqual([{ node: admin.node, alarms: history.slice(0, 1) }]);
  expect(alarms.allHistory()).toEqual([{ node: admin.node, alarms: history }]);
  alarms.clearHistory();
  expect(alarms.history()).toEqual([]);
  expect(alarms.list()).toHaveLength(1);
});
