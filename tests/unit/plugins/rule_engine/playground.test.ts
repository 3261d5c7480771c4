/** What a trial says of SQL beside its rows. */
import { afterAll, describe, expect, test } from "bun:test";
import { ruleEngine } from "../../../../server/plugins/rule_engine/index.ts";
import type { RuleEngineService } from "../../../../server/plugins/rules.ts";
import { removeTempDirs, running } from "../harness.ts";

afterAll(removeTempDirs);

test("the fields of its rows are those that the SQL names, also where WHERE says no or the example cannot be evaluated", async () => {
  const { manager } = await running(ruleEngine);
  const service = manager.service("emqx_rule_engine") as RuleEngineService;
  const fields = async (rawsql: string): Promise<string[] | null> =>
    (await service.test({ rawsql, sample: { payload: "no JSON" } })).fields?.map((path) => path.join(" ")) ?? null;
  const [message, connected] = [service.events()[0], service.events().find((e) => e.event === "client.connected")];
  const table: [sql: string, fields: string[] | null][] = [
    ['SELECT clientid, payload.t, payload.u AS u FROM "t"', ["clientid", "payload t", "u"]],
    ['SELECT clientid FROM "t" WHERE 1 = 2', ["clientid"]],
    ['SELECT qos AS a.b, qos AS a.c[1].d, qos AS "a.b", round(qos) FROM "t"', ["a b", "a c", "a.b", "round(qos)"]],
    ['SELECT qos AS x, topic AS x FROM "t"', ["x"]],
    ['SELECT *, 1 AS one FROM "t"', [...(message?.columns ?? []), "one"]],
    ['SELECT * FROM "t", "$events/client_connected"', [...new Set([...(message?.columns ?? []), ...(connected?.columns ?? [])])]],
    ['FOREACH payload.list AS e DO e.id AS id, clientid FROM "t"', ["id", "clientid"]],
    ['FOREACH payload.n AS n, payload.list FROM "$events/client_connected"', [...(connected?.columns ?? []), "n", "item"]],
    ["SELEC *", null],
  ];
  for (const [sql, expected] of table) expect([sql, (await fields(sql))?.sort() ?? null]).toEqual([sql, expected?.sort() ?? null]);
  expect(message?.columns.length).toBeGreaterThan(10);
});

test("numbers of an example that JSON has rounded before are not shown as if they were exact", async () => {
  const { manager } = await running(ruleEngine);
  const service = manager.service("emqx_rule_engine") as RuleEngineService;
  const rawsql = 'SELECT payload.id AS id FROM "t"';
  const tried = async (sample: object) => {
    const { rows, warnings } = await service.test({ rawsql, sample });
    return [rows, warnings];
  };
  const rounded = "sample has whole numbers beyond 2^53, whose last digits may be lost already: give the payload as a text of JSON";
  expect(await tried(JSON.parse('{"payload":{"id":12345678901234567890}}'))).toEqual([[{ id: "12345678901234567000" }], [rounded]]);
  expect(await tried(JSON.parse('{"payload":"{}","qos":12345678901234567890}'))).toEqual([[{}], [rounded]]);
  expect(await tried({ payload: '{"id":12345678901234567890}' })).toEqual([[{ id: "12345678901234567890" }], undefined]);
  expect(await tried({ payload: { id: 1e300, text: "12345678901234567890", n: 2 ** 53 - 1 } })).toEqual([[{ id: 1e300 }], undefined]);
});

describe("what is shown has a bound together", () => {
  const TOO_MUCH = "the rows, and what is made of them, have more than 1048576 characters, which is the most that is shown";
  const payload = "x".repeat(200_000);
  const to = (payload_tmpl: string, more: object = {}) => ({
    name: "built_in:republish_action",
    params: { target_topic: "t", payload_tmpl, ...more },
  });
  const tried = async (rawsql: string, sample: object, ...actions: object[]) => {
    const { manager } = await running(ruleEngine);
    const service = manager.service("emqx_rule_engine") as RuleEngineService;
    return service.test({ rawsql, sample, actions });
  };
  const SQL = 'SELECT payload FROM "t"';

  test("rows", async () => {
    const { rows, error } = await tried('FOREACH payload.a DO payload AS p FROM "t"', { payload: { a: [1, 2, 3, 4, 5, 6], payload } });
    expect([rows, error?.message]).toEqual([null, TOO_MUCH]);
  });

  test("and what actions make of them, each for itself", async () => {
    const { error, actions } = await tried(
      SQL,
      { payload },
      to("${payload}".repeat(6500)),
      to("${payload}"),
      to("${payload}", { user_properties: { a: "${payload}${payload}", b: "${payload}" } }),
      to("${payload}${payload}${payload}"),
    );
    expect(error).toBeNull();
    expect(actions.map((a) => a.error)).toEqual(["what the row would become has more than 33554432 characters", null, TOO_MUCH, null]);
    expect(actions.map((a) => (a.rendered[0]?.payload_tmpl as string | undefined)?.length)).toEqual([
      undefined,
      200_000,
      undefined,
      600_000,
    ]);
  });

  test("also texts that are the same for each row", async () => {
    const list = [...Array(100).keys()];
    const { actions } = await tried(
      'FOREACH payload.list DO item FROM "t"',
      { payload: { list } },
      to("y".repeat(20_000)),
      to("y".repeat(5000)),
    );
    expect(actions.map((a) => [a.error, a.rendered.length])).toEqual([
      [TOO_MUCH, 0],
      [null, 100],
    ]);
  });
});
