/** What becomes of messages that do not get to somebody: under the name of EMQ X 3 all of them, under those of EMQX 4 and 5 apart. */
import { afterAll, expect, test } from "bun:test";
import { ruleEngine } from "../../../../server/plugins/rule_engine/index.ts";
import type { RuleEngineService } from "../../../../server/plugins/rules.ts";
import { TestKit } from "../../../support/test_broker.ts";
import { removeTempDirs, running, turns } from "../harness.ts";

afterAll(removeTempDirs);

const SELECT = "SELECT clientid, from_clientid, topic, reason, event";

/** Rows of a rule, after a queue was full, a message came back to its publisher, one was too large, and nobody subscribed to another one. */
async function rowsOf(given: { for?: string; from: string }): Promise<string[]> {
  const { kit, manager } = await running(ruleEngine, { kit: new TestKit({ zone: { maxMqueueLen: 1 } }) });
  const service = manager.service("emqx_rule_engine") as RuleEngineService;
  const made = await service.createRule({
    name: "r",
    ...(given.for !== undefined && { for: given.for }),
    rawsql: `${SELECT} ${given.from}`,
    actions: [{ name: "built_in:inspect_action", params: {} }],
  });
  const away = kit.connected("away", 4, { clean: false }).subscribe("q", 1);
  away.send({ cmd: "disconnect" });
  kit.connected("small", 5, { properties: { maximumPacketSize: 50 } }).subscribe("big", 0);
  const own = kit.connected("own", 5).subscribe("own", 0, { nl: true });
  own.publish("own", "x");
  const speaker = kit.connected("speaker");
  for (const payload of ["first", "second"]) speaker.publish("q", payload, 1, { messageId: 1 });
  speaker.publish("big", "x".repeat(100)).publish("nobody", "x");
  await turns(kit);
  return (service.inspected(made.id) ?? [])
    .map(({ selected }) => {
      const { clientid, from_clientid, topic, reason, event } = JSON.parse(selected) as Record<string, string | undefined>;
      expect(event).toBe("message.dropped");
      return `${topic} ${reason}: ${clientid}${from_clientid === undefined ? "" : ` from ${from_clientid}`}`;
    })
    .sort();
}

const ALL = ["big too_large: speaker", "nobody no_subscribers: speaker", "own no_local: own", "q queue_full: speaker"];

test("`for` of EMQ X 3.1: all of them, each as its publisher's", async () => {
  expect(await rowsOf({ for: "message.dropped", from: "" })).toEqual(ALL);
});

test("the hook's name in FROM, as in EMQ X 3.2: the same", async () => {
  expect(await rowsOf({ from: 'FROM "message.dropped"' })).toEqual(ALL);
});

test("EMQX 4 and 5: what nobody subscribes to, and what did not get to somebody, as that one's", async () => {
  expect(await rowsOf({ from: 'FROM "$events/message_dropped"' })).toEqual(["nobody no_subscribers: speaker"]);
  expect(await rowsOf({ from: 'FROM "$events/delivery_dropped"' })).toEqual([
    "big too_large: small from speaker",
    "own no_local: own",
    "q queue_full: away from speaker",
  ]);
});
