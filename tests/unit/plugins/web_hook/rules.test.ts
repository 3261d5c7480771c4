/** Rules as they are written, and what they are for. */
import { afterAll, describe, expect, test } from "bun:test";
import { webHook } from "../../../../server/plugins/web_hook/index.ts";
import { HOOK_NAMES, type HookName, matching, ruleKey, rulesOf, wantsSys } from "../../../../server/plugins/web_hook/rules.ts";
import { removeTempDirs, running } from "../harness.ts";

afterAll(removeTempDirs);

const read = (hook: HookName, text: string): unknown => webHook.config[ruleKey(hook)]?.parse(text);

describe("a rule", () => {
  test("of EMQ X 3.1's file, for each hook", () => {
    for (const hook of HOOK_NAMES) expect(read(hook, `{"action": "on_${hook.replace(".", "_")}"}`)).toEqual({ topic: null });
    expect(read("message.publish", '{"action": "on_message_publish", "topic": "a/+/#"}')).toEqual({ topic: "a/+/#" });
  });

  const bad: readonly [hook: HookName, text: string, expected: RegExp][] = [
    ["client.connected", '{"action": "on_client_connected"', /expected JSON such as \{"action":"on_client_connected"\}: /],
    ["client.connected", "on_client_connected", /JSON such as/],
    ["client.connected", "[1]", /an object/],
    ["client.connected", "null", /an object/],
    ["client.connected", '{"action": "on_client_gone"}', /"action" is "on_client_connected"/],
    ["client.connected", "{}", /"action" is "on_client_connected"/],
    ["client.connected", '{"action": "on_client_connected", "topic": "a"}', /client\.connected has no topic/],
    ["message.acked", '{"action": "on_message_acked", "topic": "a/#/b"}', /"topic" is a topic filter/],
    ["message.acked", '{"action": "on_message_acked", "topic": 1}', /"topic" is a topic filter/],
    ["message.acked", '{"action": "on_message_acked", "topik": "a"}', /there is no "topik", but "action" and "topic"/],
  ];
  for (const [hook, text, expected] of bad) test(`refused: ${text}`, () => expect(() => read(hook, text)).toThrow(expected));

  test("a bad one in a file: the plugin does not start, and says which key it is and what was expected", async () => {
    const settings = { "web.hook.rule.message.publish.7": '{"action": "on_message_publish", "topic": "a/#/b"}' };
    await expect(running(webHook, { settings })).rejects.toThrow(
      /web\.hook\.rule\.message\.publish\.7.*expected JSON such as .*: "topic" is a topic filter/,
    );
  });
});

describe("rules", () => {
  const all = { topic: null };
  test("none written: all eleven, as 3.1's file has them; some written: those", () => {
    expect([...rulesOf(() => [])].map(([hook, rules]) => [hook, rules])).toEqual(HOOK_NAMES.map((hook) => [hook, [all]]));
    const some = rulesOf((hook) => (hook === "message.publish" ? [{ topic: "a" }, null, { topic: "b" }] : []));
    expect([...some]).toEqual([["message.publish", [{ topic: "a" }, { topic: "b" }]]]);
  });

  const cases: readonly [filters: (string | null)[], topic: string, count: number][] = [
    [[null], "a", 1],
    [[null], "$SYS/brokers", 0],
    [["a/#"], "a/b", 1],
    [["a/#"], "b", 0],
    [["a/#", null, "+/b"], "a/b", 3],
    [["#"], "$SYS/brokers", 0],
    [["$SYS/#"], "$SYS/brokers", 1],
    [["#"], "$other", 0],
  ];
  for (const [filters, topic, count] of cases)
    test(`${filters.join(", ")} and ${topic}: ${count}`, () =>
      expect(
        matching(
          filters.map((f) => ({ topic: f })),
          topic,
        ),
      ).toBe(count));

  test("what the node says of itself is looked at only where a rule names it", () => {
    expect([[all], [{ topic: "#" }], [{ topic: "$SYS/#" }]].map(wantsSys)).toEqual([false, false, true]);
  });
});
