/** The last errors of a rule, as somebody who looks for the cause sees them. */
import { afterAll, expect, test } from "bun:test";
import { ruleEngine } from "../../../../server/plugins/rule_engine/index.ts";
import type { RuleEngineService } from "../../../../server/plugins/rules.ts";
import { removeTempDirs, running, turns } from "../harness.ts";

afterAll(removeTempDirs);

/** Errors nearer to one another than that, ms, are not all listed once there are fifty. */
const APART_MS = 20;

async function failing() {
  const { kit, manager } = await running(ruleEngine);
  const service = manager.service("emqx_rule_engine") as RuleEngineService;
  const made = await service.createRule({ name: "r", rawsql: 'SELECT payload.a AS a FROM "t"', actions: [] });
  const c = kit.connected("c");
  const fail = async (from: number, to: number, apart: number): Promise<void> => {
    for (let n = from; n <= to; n++) {
      kit.pass(apart);
      c.publish("t", `no JSON ${n}`);
      await turns(kit, 1);
    }
  };
  const payloads = (): (string | null)[] => (service.errors(made.id) ?? []).map((e) => e.payload);
  return { kit, service, made, fail, payloads };
}

const numbered = (from: number, to: number): string[] => Array.from({ length: from - to + 1 }, (_, i) => `no JSON ${from - i}`);

test("of sixty the last fifty, the newest first", async () => {
  const { service, made, fail, payloads } = await failing();
  await fail(1, 60, APART_MS);
  expect(payloads()).toEqual(numbered(60, 11));
  expect(service.errors(made.id)?.[0]).toMatchObject({ where: "sql", event: "message.publish", client_id: "c", topic: "t" });
  expect(service.rule(made.id)?.metrics).toMatchObject({ matched: 60, failed: 60 });
});

test("of many in one moment the first fifty, and one now and then: all of them are counted", async () => {
  const { service, made, fail, payloads } = await failing();
  await fail(1, 50, 0);
  await fail(51, 90, 1);
  expect(payloads()).toHaveLength(50);
  // One of twenty, beyond the fifty that were there at once.
  const later = payloads().filter((p) => !numbered(50, 1).includes(p ?? ""));
  expect(later).toEqual(["no JSON 90", "no JSON 70"]);
  expect(service.rule(made.id)?.metrics).toMatchObject({ matched: 90, failed: 90 });
});
