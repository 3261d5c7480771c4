/** A file of rules and resources brought in: all of it or nothing, also for whoever is killed in the middle of it. */
import { afterAll, afterEach, expect, test } from "bun:test";
import { removeTempDirs } from "../harness.ts";
import { startServers, stopServers, write } from "./servers.ts";

afterEach(stopServers);
afterAll(removeTempDirs);

/** A rule whose action has a row under way, and a file that changes its resource and brings another one with a rule of its own. */
async function underWay() {
  const s = await startServers();
  await s.resource("db");
  const made = await s.rule(write("db"));
  const { promise, resolve: goOn } = Promise.withResolvers<void>();
  s.servers.writing.set("db", promise);
  s.publish(1);
  await s.passing(() => s.action(made.id).metrics.waiting === 1, "a row that is under way");
  const kv = s.kit.store.kv("plugin/emqx_rule_engine");
  const rows = (): string[] => [...kv.entries()].map(([key, row]) => `${key} ${row}`).sort();
  const file = s.service.exported();
  const [resource] = file.resources;
  const [rule] = file.rules;
  const other = { ...resource, id: "test_db:other", name: "other" };
  return {
    ...s,
    made,
    rows,
    goOn,
    closing: () => s.passing(() => s.action(made.id).reason === "it is opened again", "its action closes"),
    file: (actions: object[]) => ({
      ...file,
      resources: [other, { ...resource, config: { server: "db2" }, description: "changed" }],
      rules: [{ ...rule, id: "new", name: "new", actions }],
    }),
  };
}

test("nothing of an import is stored before all of it is", async () => {
  const w = await underWay();
  const before = w.rows();
  const done = w.service.imported(w.file([{ ...write("other"), id: "x" }]), false);
  await w.closing();
  expect(w.service.resource("test_db:other")).toBeDefined();
  expect(w.rows()).toEqual(before);
  w.goOn();
  expect(await done).toMatchObject({ applied: true });
  const stored = w.rows().map((row) => row.split(" ")[0]);
  expect(stored).toEqual(["resource/test_db:db", "resource/test_db:other", "rule/new", `rule/${w.made.id}`]);
  expect(w.rows()[0]).toContain('"db2"');
});

test("an import that is refused at last has never stored anything, and resources are as they were", async () => {
  const w = await underWay();
  const [before, resources] = [w.rows(), w.service.resources()];
  const done = w.service.imported(w.file([{ name: "built_in:republish_action", id: "x", params: { target_topic: "a/#" } }]), false);
  await w.closing();
  expect(w.rows()).toEqual(before);
  w.goOn();
  await expect(done).rejects.toThrow("is no topic");
  expect(w.rows()).toEqual(before);
  expect(w.service.resources()).toEqual(resources);
  await w.passing(() => w.servers.of("db").length + w.servers.of("db2").length === 1, "the row");
});
