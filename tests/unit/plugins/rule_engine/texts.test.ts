// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
/** What rows become: how long it may be, how it says what is base64, what they have in common. */
import { afterAll, describe, expect, test } from "bun:test";
import { definePlugin } from "../../../../server/plugins/plugin.ts";
import { ruleEngine } from "../../../../server/plugins/rule_engine/index.ts";
import type { RuleEngineService } from "../../../../server/plugins/rules.ts";
import { manage, removeTempDirs, turns } from "../harness.ts";

afterAll(removeTempDirs);

async function start() {
  const m = manage([ruleEngine]);
  await m.manager.load("emqx_rule_engine");
  return { kit: m.kit, service: m.manager.service("emqx_rule_engine") as RuleEngineService };
}

const to = (topic: string, payload_tmpl = "") => ({ name: "built_in:republish_action", params: { target_topic: topic, payload_tmpl } });

describe("a template that has the payload in it thousands of times", () => {
  test("is not filled: the action has failed and says why, and the broker goes on", async () => {
    const { service, kit } = await start();
    const rule = await service.createRule({
      name: "r",
      rawsql: 'SELECT payload FROM "in"',
      actions: [to("much", "${payload}".repeat(6500)), to("little", "${payload}${payload}")],
    });
    const seen = kit.connected("sub").subscribe("#");
    kit.connected("pub").publish("in", "x".repeat(256 * 1024));
    await turns(kit);
    const topics = seen.take().flatMap((p) => (p.cmd === "publish" ? [p.topic] : []));
    expect(topics).toEqual(["in", "little"]);
    expect(service.errors(rule.id)?.map(({ where, error }) => [where, error])).toEqual([
      [expect.any(String), "what the row would become has more than 33554432 characters"],
    ]);
    expect(service.rule(rule.id)?.metrics).toMatchObject({ actions_failed: 1, actions_success: 1 });
  });
});

describe("a payload that is no UTF-8", () => {
  const bytes = Buffer.from([0xff, 0xfe]);
  const told = { payload: "//4=", payload_encoding: "base64" };

  test("is base64 in what actions make of the whole row, which says so; alone it is the bytes", async () => {
    const { service, kit } = await start();
    const inspect = { name: "built_in:inspect_action", params: {} };
    const actions = [to("row"), to("whole", "${.}"), to("alone", "${payload}"), inspect];
    const rule = await service.createRule({ name: "r", rawsql: 'SELECT payload FROM "in"', actions });
    const seen = kit.connected("sub").subscribe("row").subscribe("whole").subscribe("alone");
    const pub = kit.connected("pub");
    for (const payload of [bytes, "text"]) pub.publish("in", payload as string);
    await turns(kit);
    const got = seen.take().flatMap((p) => (p.cmd === "publish" ? [[p.topic, Buffer.from(p.payload as Buffer)] as const] : []));
    const rows = got.filter(([topic]) => topic !== "alone").map(([topic, payload]) => [topic, JSON.parse(payload.toString())]);
    expect(rows).toEqual([
      ["row", told],
      ["whole", told],
      ["row", { payload: "text" }],
      ["whole", { payload: "text" }],
    ]);
    expect(got.filter(([topic]) => topic === "alone").map(([, payload]) => payload)).toEqual([bytes, Buffer.from("text")]);
    expect(service.inspected(rule.id)?.map((r) => JSON.parse(r.selected))).toEqual([{ payload: "text" }, told]);
  });

  test("is so in a trial too", async () => {
    const { service } = await start();
    const { rows, columns } = await service.test({ rawsql: 'SELECT payload FROM "in"', sample: told });
    expect(rows).toEqual([told]);
    expect(columns).toMatchObject(told);
  });
});

test("what is republished of one event has its user properties, copied once for all rows", async () => {
  const seen: unknown[] = [];
  const watch = definePlugin({
    name: "watch",
    description: "",
    version: "v1",
    activeByDefault: false,
    config: {},
    start: (ctx) =>
      void ctx.hook("message.publish", (m) => {
        if (m.topic === "out") seen.push(m.properties);
        return m;
      }),
  });
  const { kit, manager } = manage([ruleEngine, watch]);
  await manager.load("watch");
  await manager.load("emqx_rule_engine");
  const service = manager.service("emqx_rule_engine") as RuleEngineService;
  await service.createRule({ name: "r", rawsql: 'FOREACH json_decode(payload) DO item FROM "in"', actions: [to("out")] });
  const pub = kit.connected("pub", 5);
  for (const v of ["1", "2"]) pub.publish("in", "[1,2]", 0, { properties: { userProperties: { k: v } } });
  await turns(kit);
  const of = (v: string) => ({ userProperties: [["k", v]] });
  expect(seen).toEqual([of("1"), of("1"), of("2"), of("2")]);
  expect(seen[1]).toBe(seen[0]);
});
