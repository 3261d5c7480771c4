/** What actions have on the disk: each a directory of its own, whatever its id is. */
import { afterAll, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ActionHost } from "../../../../server/plugins/actions.ts";
import { definePlugin } from "../../../../server/plugins/plugin.ts";
import { ruleEngine } from "../../../../server/plugins/rule_engine/index.ts";
import type { RuleEngineService } from "../../../../server/plugins/rules.ts";
import { manage, removeTempDirs } from "../harness.ts";

afterAll(removeTempDirs);

let lastHost: ActionHost | null = null;

/** An action that writes a file when it is opened. */
const keeper = definePlugin({
  name: "test_keeper",
  description: "",
  version: "v1",
  activeByDefault: false,
  config: {},
  start(ctx) {
    ctx.offer({
      resources: [],
      actions: [
        {
          name: "test:keep",
          for: "$any",
          type: "built_in",
          title: "Keep",
          description: "",
          params: {},
          open: (_, host) => {
            lastHost = host;
            writeFileSync(join(host.directory(), "kept"), "");
            return { run: () => host.done(1, 0), close: () => {} };
          },
        },
      ],
    });
  },
});

async function start() {
  const m = manage([ruleEngine, keeper]);
  await m.manager.load("test_keeper");
  await m.manager.load("emqx_rule_engine");
  const service = m.manager.service("emqx_rule_engine") as RuleEngineService;
  const kept = (): string[] => readdirSync(join(m.dataDir, "rules")).sort();
  return { ...m, service, kept };
}
const file = (...rules: [id: string, action: string][]) => ({
  version: 1,
  rules: rules.map(([id, action]) => ({
    id,
    name: id,
    rawsql: 'SELECT * FROM "t"',
    actions: [{ id: action, name: "test:keep", params: {} }],
  })),
});

test.each(["..", ".", "...", "a..b", ":"])(
  "an action whose id is %p has a directory below the one for rules, and takes nothing else with it",
  async (id) => {
    const { service, dataDir, kept } = await start();
    writeFileSync(join(dataDir, "baomq.db"), "everything");
    await service.imported(file(["one", id], ["two", "other"]), false);
    expect(kept()).toHaveLength(2);
    await service.removeRule("one");
    expect(kept()).toEqual([expect.stringMatching(/^other-/)]);
    expect(readdirSync(dataDir)).toContain("baomq.db");
  },
);

test("actions of two rules that have the same id, or almost, share nothing", async () => {
  const { service, kept } = await start();
  const long = "a".repeat(299);
  await service.imported(file(["one", "x:1"], ["two", "x:1"], ["three", "x_1"], ["four", `${long}1`], ["five", `${long}2`]), false);
  expect(kept()).toHaveLength(5);
  await service.removeRule("one");
  await service.removeRule("four");
  expect(kept()).toHaveLength(3);
});

test("of two rules that come in with one id for an action the second gets another one: alarms call actions by it", async () => {
  const { service } = await start();
  const actionOf = (id: string): string | undefined => service.rule(id)?.actions[0]?.id;
  await service.imported(file(["one", "x"], ["two", "x"]), false);
  await service.imported(file(["three", "x"], ["one", "x"]), false);
  expect(actionOf("one")).toBe("x");
  const others = [actionOf("two"), actionOf("three")];
  expect(new Set(["x", ...others]).size).toBe(3);
  expect(others).toEqual([expect.stringMatching(/^test:keep_\d+$/), expect.stringMatching(/^test:keep_\d+$/)]);
});

test("a rule that is created has ids of its own for its actions: a copy of another one's are not taken", async () => {
  const { service } = await start();
  const first = await service.createRule({ name: "r", rawsql: 'SELECT * FROM "t"', actions: [{ name: "test:keep", params: {} }] });
  const copy = await service.createRule({ ...first, id: undefined });
  expect(copy.actions[0]?.id).not.toBe(first.actions[0]?.id as string);
  const same = await service.updateRule(copy.id, { actions: copy.actions });
  expect(same.actions[0]?.id).toBe(copy.actions[0]?.id as string);
});

test("what an action's host says of its directory and of the node's memory, and what it is told", async () => {
  const { service, kit } = await start();
  await service.createRule({ name: "r", rawsql: 'SELECT * FROM "t"', actions: [{ name: "test:keep", params: {} }] });
  const host = lastHost as unknown as ActionHost;
  expect([host.hasDirectory(), host.memoryShort]).toEqual([true, false]);
  const { memory } = kit.broker;
  memory.short = true;
  expect(host.memoryShort).toBe(true);
  const before = memory.bytes().queues;
  const forget = host.countWaiting(() => 1_000_000);
  expect(memory.bytes().queues).toBe(before + 1_000_000);
  forget();
  expect(memory.bytes().queues).toBe(before);
});
