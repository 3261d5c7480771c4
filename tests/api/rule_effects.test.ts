/** What rules, and trials of them, do to those who are connected: one that is too much work holds them up no longer than it takes to see that. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { MqttClient } from "mqtt";
import type { InspectedRow, RuleRow, RuleTestResult } from "../../server/api/contract.ts";
import { until } from "../support/until.ts";
import { TestNode } from "./support/node.ts";

let node: TestNode;
beforeAll(async () => {
  node = await TestNode.start();
});
afterAll(() => node.stop());

const seg = encodeURIComponent;
const pong = (c: MqttClient): Promise<void> =>
  new Promise((resolve) => {
    const look = ({ cmd }: { cmd: string }): void => {
      if (cmd !== "pingresp") return;
      c.off("packetreceive", look);
      resolve();
    };
    c.on("packetreceive", look);
    c.sendPing();
  });

test("a rule that is too much work for each event is paused; the others' answers do not wait for it; enabled, it goes on", async () => {
  const rawsql = `SELECT ${Array.from({ length: 40 }, (_, i) => `upper(payload.s) AS f${i}`).join(", ")} FROM "effects/heavy"`;
  const made = await node.data<RuleRow>("POST", "/rules", { body: { name: "heavy", rawsql, actions: [] } });
  const where = `/rules/${seg(made.id)}`;
  const row = (): Promise<RuleRow> => node.get<RuleRow>(where);
  const alarms = async (): Promise<unknown[]> =>
    (await node.get<{ alarms: { id: string; desc: unknown }[] }[]>("/alarms/present"))
      .flatMap((of) => of.alarms)
      .filter(({ id }) => id.startsWith("emqx_rule_engine_rule_"))
      .map(({ desc }) => desc);
  const loud = await node.mqtt("effects-loud");
  const calm = await node.mqtt("effects-calm");
  const payload = JSON.stringify({ s: "x".repeat(600_000) });
  const say = (n: number): Promise<unknown> =>
    Promise.all(Array.from({ length: n }, () => loud.publishAsync("effects/heavy", payload, { qos: 1 })));

  await say(12);
  await until(async () => (await row()).state === "broken", "it is paused");
  const [listed] = await node.get<RuleRow[]>("/rules?condition=broken");
  expect(listed).toMatchObject({ id: made.id, enabled: true, reason: expect.stringContaining("enable it to try again") });
  expect(await alarms()).toMatchObject([{ title: 'rule "heavy" is paused', summary: expect.stringContaining(made.id) }]);
  await until(async () => {
    const { failed, dropped } = (await row()).metrics;
    return failed + dropped === 12;
  }, "what waited is given up");
  const { matched } = (await row()).metrics;
  expect(matched).toBe(10);

  for (let i = 0; i < 20; i++) {
    await say(1);
    await pong(calm);
  }
  // All of them have passed by it: no turn of the event loop went to it.
  expect((await row()).metrics).toMatchObject({ matched, failed: matched, dropped: 2 });

  expect(await node.data<RuleRow>("PUT", `${where}/enable`)).toMatchObject({ state: "running", reason: null });
  expect(await alarms()).toEqual([]);
  await loud.publishAsync("effects/heavy", '{"s":"x"}', { qos: 1 });
  await until(async () => (await row()).metrics.passed === 1, "it goes on");
  await node.ask("DELETE", where);
});

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
