/** Names that are tokens, in lines that plugins log of messages: a client's own, and those that rules publish again. */
import { afterAll, expect, test } from "bun:test";
import { delayedPublish } from "../../../server/plugins/delayed_publish/index.ts";
import { pluginTemplate } from "../../../server/plugins/plugin_template/index.ts";
import { retainer } from "../../../server/plugins/retainer/index.ts";
import { ruleEngine } from "../../../server/plugins/rule_engine/index.ts";
import type { RuleEngineService } from "../../../server/plugins/rules.ts";
import { TestKit } from "../../support/test_broker.ts";
import { manage, removeTempDirs, turns } from "./harness.ts";

afterAll(removeTempDirs);

const TOKEN = `${btoa('{"alg":"HS256"}')}.${btoa('{"a":1}')}.abc-_`.replaceAll("=", "");
const SHOWN = `${TOKEN.slice(0, 8)}… (a token)`;

/** A client whose client id is its token, in a zone whose mountpoint is made of it. */
async function start(mountpoint: string) {
  const kit = new TestKit({ zone: { useUsernameAsClientid: true, mountpoint } });
  kit.hooks.add("client.authenticate", "jwt", () => ({ allow: true }), 0, { secretName: () => true });
  const { manager } = manage([retainer, delayedPublish, ruleEngine, pluginTemplate], {
    kit,
    settings: { "retainer.max_payload_size": "10" },
  });
  for (const name of ["emqx_retainer", "emqx_delayed_publish", "emqx_rule_engine"]) await manager.load(name);
  const client = kit.connected("c", 5, { username: TOKEN });
  const republish = (topic: string, params: object) =>
    (manager.service("emqx_rule_engine") as RuleEngineService).createRule({
      name: "r",
      rawsql: `SELECT username FROM "${topic}"`,
      actions: [{ name: "built_in:republish_action", params }],
    });
  const lines = (message: string) =>
    kit.log.lines.filter((line) => line.message === message).map(({ fields }) => [fields?.topic, fields?.from]);
  return { kit, manager, client, republish, lines };
}

test.each(["%c/", "%u/", "of-%u/"])("a message that is not retained, below a mountpoint of %s", async (mountpoint) => {
  const { kit, client, lines } = await start(mountpoint);
  client.publish("a", "x".repeat(11), 0, { retain: true });
  expect(lines("message not retained")).toEqual([[`${mountpoint.replace(/%./, SHOWN)}a`, SHOWN]]);
  expect(JSON.stringify(kit.log.lines)).not.toContain(TOKEN);
});

test("what a rule publishes again, and is not retained or not delayed", async () => {
  const { kit, client, republish, lines } = await start("");
  await republish("a", { target_topic: "b", payload_tmpl: "x".repeat(11), target_retain: "true" });
  await republish("a", { target_topic: "$delayed/no/$" + "{username}" });
  client.publish("a", "x");
  await turns(kit);
  const from = `built_in:republish_action:${SHOWN}`;
  expect(lines("message not retained")).toEqual([["b", from]]);
  expect(lines("delayed message refused")).toEqual([[`$delayed/no/${SHOWN}`, from]]);
  expect(JSON.stringify(kit.log.lines)).not.toContain(TOKEN);
});

test.each(["%u/", "of-%u/"])("the plugin that logs every hook, below a mountpoint of %s", async (mountpoint) => {
  const { kit, manager, client } = await start(mountpoint);
  await manager.load("emqx_plugin_template");
  const within = `at-${TOKEN}/+`;
  client.subscribe("#", 1).publish("a", "x").subscribe(within);
  client.send({ cmd: "unsubscribe", messageId: 3, unsubscriptions: [within] }).disconnect();
  kit.connected("d", 5, { username: TOKEN });
  const named = kit.log.lines.filter((line) => JSON.stringify(line.fields).includes(SHOWN)).map((line) => line.message);
  const hooks = [
    "client.connected",
    "client.subscribe",
    "session.subscribed",
    "message.publish",
    "client.unsubscribe",
    "session.unsubscribed",
  ];
  expect(named).toEqual(expect.arrayContaining(hooks));
  expect(JSON.stringify(kit.log.lines)).not.toContain(TOKEN);
});
