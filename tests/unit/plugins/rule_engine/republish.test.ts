/** What rules publish again goes to whoever subscribes, so that all of it has to be what a packet can have. */
import { afterAll, expect, test } from "bun:test";
import { ruleEngine } from "../../../../server/plugins/rule_engine/index.ts";
import type { RuleEngineService } from "../../../../server/plugins/rules.ts";
import { manage, removeTempDirs, turns } from "../harness.ts";

afterAll(removeTempDirs);

async function start() {
  const { manager, kit } = manage([ruleEngine]);
  await manager.load("emqx_rule_engine");
  const service = manager.service("emqx_rule_engine") as RuleEngineService;
  const create = (params: object) =>
    service.createRule({
      name: "r",
      rawsql: 'SELECT payload.x AS x FROM "in/#"',
      actions: [{ name: "built_in:republish_action", params: { payload_tmpl: "-", ...params } }],
    });
  const pub = kit.connected("pub", 5);
  return { service, kit, create, send: (x: string) => pub.publish("in/a", JSON.stringify({ x })) };
}

test("a user property that no packet can have: the row fails, with its name and why, and nobody gets anything", async () => {
  const { service, kit, create, send } = await start();
  const { id } = await create({ target_topic: "out", target_retain: "true", user_properties: { fine: "y", x: "$" + "{x}" } });
  const sub = kit.connected("sub", 5).subscribe("out");
  sub.take();
  for (const x of ["x".repeat(70_000), "ü".repeat(32_768), "a\u0001", "\ud800", "good"]) send(x);
  await turns(kit);
  expect(sub.take()).toMatchObject([{ cmd: "publish", topic: "out", properties: { userProperties: { fine: "y", x: "good" } } }]);
  expect(service.rule(id)?.metrics).toMatchObject({ actions_success: 1, actions_failed: 4 });
  const [control, long] = [
    "user_properties.x has control characters, or others that MQTT does not allow",
    "user_properties.x is longer than 65,535 bytes",
  ];
  expect(service.errors(id)?.map((e) => e.error)).toEqual([control, control, long, long] as string[]);
});

test("a topic with control characters is none to publish to", async () => {
  const { service, kit, create, send } = await start();
  const { id } = await create({ target_topic: "out/$" + "{x}" });
  const sub = kit.connected("sub", 5).subscribe("out/#");
  sub.take();
  for (const x of ["a\u0001", "a\n", "b"]) send(x);
  await turns(kit);
  expect(sub.take()).toMatchObject([{ cmd: "publish", topic: "out/b" }]);
  expect(service.errors(id)?.map((e) => e.error)).toEqual([
    '"out/a\\n" is no topic that can be published to',
    '"out/a\\u0001" is no topic that can be published to',
  ]);
});

test("a name or a topic that is wrong in every row is refused when the rule is made", async () => {
  const { create } = await start();
  for (const name of ["x".repeat(65_536), "a\u0001"])
    await expect(create({ target_topic: "out", user_properties: { [name]: "x" } })).rejects.toThrow("user_properties: the name");
  await expect(create({ target_topic: "out\u0007" })).rejects.toThrow("is no topic that can be published to");
});
