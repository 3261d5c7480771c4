/** What rules, and trials of them, do to those who are connected. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { InspectedRow, RuleRow, RuleTestResult } from "../../server/api/contract.ts";
import { until } from "../support/until.ts";
import { TestNode } from "./support/node.ts";

let node: TestNode;
beforeAll(async () => {
  node = await TestNode.start();
});
afterAll(() => node.stop());

const seg = encodeURIComponent;
test("trying a rule does nothing of what its actions would do", async () => {
  const body = {
    name: "tried",
    rawsql: 'SELECT payload.t AS t FROM "effects/in"',
    actions: [
      { name: "built_in:republish_action", params: { target_topic: "effects/out", payload_tmpl: "t is ${t}" } },
      { name: "built_in:inspect_action", params: {} },
    ],
  };
  const made = await node.data<RuleRow>("POST", "/rules", { body });
  const c = await node.mqtt("effects-out");
  const got: string[] = [];
  c.on("message", (topic, payload) => void got.push(`${topic} ${payload}`));
  await c.subscribeAsync("effects/#", { qos: 1 });

  const tried = await node.data<RuleTestResult>("POST", "/rules/test", { body: { ...body, sample: { payload: { t: 31 } } } });
  expect(tried).toMatchObject({
    rows: [{ t: 31 }],
    actions: [{ rendered: [{ target_topic: "effects/out", payload_tmpl: "t is 31" }], error: null }, { error: null }],
  });
  // Behind whatever the trial would have published: a message of the same kind, by the rule itself.
  await c.publishAsync("effects/in", '{"t":32}', { qos: 1 });
  await until(() => got.some((line) => line.startsWith("effects/out")), "what the rule publishes");
  expect(got).toEqual(['effects/in {"t":32}', "effects/out t is 32"]);
  const inspected = (): Promise<InspectedRow[]> => node.get<InspectedRow[]>(`/rules/${seg(made.id)}/inspected`);
  expect((await inspected()).map((r) => r.selected)).toEqual(['{"t":32}']);
  expect((await node.get<RuleRow>(`/rules/${seg(made.id)}`)).metrics).toMatchObject({ matched: 1, actions_success: 2 });
  await node.ask("DELETE", `/rules/${seg(made.id)}`);
});
