/** The rule engine's routes: those of EMQ X 3.1 word for word, those of 3.2, and ours. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { RuleRow } from "../../server/api/contract.ts";
import { until } from "../support/until.ts";
import { type Answer, NODE, nextMessage, TestNode } from "./support/node.ts";
import { scenarios, unauthorized, wrongMethod } from "./support/table.ts";

let node: TestNode;
beforeAll(async () => {
  node = await TestNode.start();
});
afterAll(() => node.stop());
const of = (): TestNode => node;

const SQL = 'SELECT payload.t AS t FROM "api/#" WHERE t > 20';
const RULE = {
  name: "r/1 a",
  for: "message.publish",
  rawsql: SQL,
  actions: [{ name: "built_in:inspect_action", params: { a: 1 } }],
  description: "d",
};
const seg = encodeURIComponent;

unauthorized(of, [
  ["GET", "/rules/"],
  ["POST", "/rules/"],
  ["GET", "/rules/x"],
  ["PUT", "/rules/x"],
  ["DELETE", "/rules/x"],
  ["POST", "/rules/test"],
  ["GET", "/rules_export"],
  ["POST", "/rules_import"],
  ["GET", "/actions/"],
  ["GET", "/resources/"],
  ["POST", "/resources/"],
  ["GET", "/resource_types/"],
]);
wrongMethod(of, [
  ["PUT", "/rules/"],
  ["POST", "/actions/"],
  ["DELETE", "/resource_types/"],
]);

test("the 14 routes of EMQ X 3.1 are in the list, with their names and paths", async () => {
  const listed = (await node.get<{ name: string; method: string; path: string; descr: string }[]>("/")).map(
    (r) => `${r.name} ${r.method} ${r.path}`,
  );
  for (const row of [
    "create_rule POST /rules/",
    "list_rules GET /rules/",
    "show_rule GET /rules/:id",
    "delete_rule DELETE /rules/:id",
    "list_actions GET /actions/",
    "show_action GET /actions/:name",
    "list_resources GET /resources/",
    "create_resource POST /resources/",
    "show_resource GET /resources/:id",
    "delete_resource DELETE /resources/:id",
    "list_resource_types GET /resource_types/",
    "show_resource_type GET /resource_types/:name",
    "list_resources_by_type GET /resource_types/:type/resources",
    "list_actions_by_type GET /resource_types/:type/actions",
  ])
    expect(listed).toContain(row);
});

describe("refusals in the words of EMQ X 3.1: HTTP 200, the code in the body", () => {
  const create = (name: string, more: object, code: number, message: string | RegExp) => ({
    name,
    method: "POST",
    path: "/rules/",
    body: { ...RULE, ...more },
    code,
    message,
  });
  scenarios(of, [
    create("no such action", { actions: [{ name: "no:action" }] }, 400, "Action no:action Not Found"),
    create("no such hook", { for: "no.hook" }, 400, "Hook no.hook Not Found"),
    create("no SQL", { rawsql: undefined }, 400, "Bad Arguments: rawsql is missing"),
    create("SQL that is none", { rawsql: "SELECT FROM" }, 400, /^Bad Arguments: line 1, column 8/),
    create("no name", { name: undefined }, 400, "Bad Arguments: name is missing"),
    create("actions that are no list", { actions: {} }, 400, "Bad Arguments: actions must be an array of {name, params}"),
    create("too many actions", { actions: Array(33).fill(RULE.actions[0]) }, 400, "Bad Arguments: a rule has at most 32 actions"),
    create("SQL without end", { rawsql: `SELECT '${"x".repeat(70_000)}'` }, 400, "Bad Arguments: rawsql has at most 65536 characters"),
    create(
      "a parameter is missing",
      { actions: [{ name: "built_in:republish_action", params: {} }] },
      400,
      /^Bad Arguments: actions\[1\]: target_topic is missing/,
    ),
    create(
      "FROM that is no filter",
      { rawsql: 'SELECT * FROM "a/#/b"' },
      400,
      /^Bad Arguments: line 1, column 15: "a\/#\/b" is no topic filter: /,
    ),
    { name: "unknown", method: "GET", path: "/rules/nope", code: 404, message: "Not Found" },
    { name: "unknown", method: "PUT", path: "/rules/nope", body: {}, code: 404, message: "Not Found" },
    { name: "unknown", method: "PUT", path: "/rules/nope/enable", code: 404, message: "Not Found" },
    { name: "unknown", method: "PUT", path: "/rules/nope/reset_metrics", code: 404, message: "Not Found" },
    { name: "unknown", method: "GET", path: "/rules/nope/errors", code: 404, message: "Not Found" },
    { name: "unknown", method: "GET", path: "/rules/nope/actions/x/dead_letters", code: 404, message: "Not Found" },
    { name: "unknown is gone", method: "DELETE", path: "/rules/nope", ok: true },
    { name: "unknown", method: "GET", path: "/actions/nope", code: 404, message: "Not Found" },
    { name: "unknown class", method: "GET", path: "/actions/?for=nope", code: 400, message: "Hook nope Not Found" },
    { name: "unknown", method: "GET", path: "/resources/nope", code: 404, message: "Not Found" },
    { name: "unknown", method: "GET", path: "/resource_status/nope", code: 400, message: "Resource nope Not Found" },
    { name: "unknown", method: "POST", path: "/resources/nope", code: 400, message: "Resource nope Not Found" },
    { name: "unknown is gone", method: "DELETE", path: "/resources/nope", ok: true },
    {
      name: "unknown type",
      method: "POST",
      path: "/resources/",
      body: { name: "a", type: "no" },
      code: 400,
      message: "Resource Type no Not Found",
    },
    { name: "unknown type", method: "GET", path: "/resource_types/no", code: 404, message: "Not Found" },
    { name: "of an unknown type there are none", method: "GET", path: "/resource_types/no/resources", data: [] },
    { name: "of an unknown type there are none", method: "GET", path: "/resource_types/no/actions", data: [] },
    {
      name: "no such file",
      method: "POST",
      path: "/rules_import",
      body: { version: 3 },
      code: 400,
      message: /^Bad Arguments: this is no file/,
    },
    {
      name: "nothing to look at",
      method: "POST",
      path: "/rules/capture",
      body: {},
      code: 400,
      message: /^Bad Arguments: topic is missing/,
    },
  ]);
});

describe("a rule's life", () => {
  test("made, shown, looked at, changed, switched, deleted", async () => {
    const made = await node.data<RuleRow>("POST", "/rules", { body: RULE });
    expect(made.id).toMatch(/^r\/1 a:\d{19}$/);
    expect(made).toMatchObject({
      ...RULE,
      actions: [{ name: "built_in:inspect_action", params: { a: 1 } }],
      enabled: true,
      state: "running",
    });
    const where = `/rules/${seg(made.id)}`;
    expect(await node.get<RuleRow>(where)).toMatchObject({ id: made.id });
    expect(await node.get<RuleRow[]>("/rules/?_=1")).toHaveLength(1);
    const list = await node.ask("GET", "/rules");
    expect(list.json).not.toHaveProperty("meta");
    const c = await node.mqtt("rules-pub");
    c.publish("api/1", '{"t": 25}');
    c.publish("api/1", '{"t": 5}');
    c.publish("api/1", "no json");
    const metrics = async (): Promise<RuleRow["metrics"]> => (await node.get<RuleRow>(where)).metrics;
    // Rates are looked at once a second.
    await until(async () => (await metrics()).failed === 1 && (await metrics()).rate_max > 0);
    const { rate_max, p95_ms, ...counted } = await metrics();
    expect(counted).toMatchObject({ matched: 3, passed: 1, no_result: 1, failed: 1, actions_success: 1 });
    expect(rate_max).toBeLessThanOrEqual(3);
    // The first evaluation is measured.
    expect(p95_ms).toBeGreaterThanOrEqual(0);
    expect(await node.get(`${where}/inspected`)).toMatchObject([{ client_id: "rules-pub", selected: '{"t":25}', params: { a: 1 } }]);
    expect(await node.get(`${where}/errors`)).toMatchObject([{ where: "sql", topic: "api/1", payload: "no json" }]);
    const text = (await node.ask("GET", "/prometheus/metrics")).text;
    expect(text).toContain(`baomq_rule_events_total{rule="${made.id}",result="passed"} 1\n`);
    expect(text).toContain(`baomq_rule_events_total{rule="${made.id}",result="no_result"} 1\n`);
    expect(text).toContain('baomq_rule_action_rows_total{rule="');
    const letters = await node.ask("GET", `${where}/actions/${seg(made.actions[0]?.id ?? "")}/dead_letters`);
    expect(letters.json).toMatchObject({ code: 400, message: expect.stringContaining("keeps nothing") });
    expect(await node.data<RuleRow>("PUT", where, { body: { description: "new" } })).toMatchObject({ description: "new", rawsql: SQL });
    expect(await node.data<RuleRow>("PUT", `${where}/disable`)).toMatchObject({ enabled: false, state: "disabled" });
    expect((await node.ask("PUT", `${where}/reset_metrics`)).text).toBe('{"code":0}');
    expect((await node.get<RuleRow>(where)).metrics).toMatchObject({
      ...{ matched: 0, no_result: 0, failed: 0, rate_max: 0, p95_ms: null, last_error: null },
    });
    for (let i = 0; i < 2; i++) expect((await node.ask("DELETE", where)).text).toBe('{"code":0}');
    expect(await node.get<RuleRow[]>("/rules/")).toEqual([]);
  });

  test("without a query all of them and no meta, as EMQ X 3.1; with one a page", async () => {
    const made: RuleRow[] = [];
    for (const name of ["one", "two", "three"]) made.push(await node.data<RuleRow>("POST", "/rules", { body: { ...RULE, name } }));
    const ids = (json: Answer["json"]): string[] => ((json?.data ?? []) as RuleRow[]).map((r) => r.name);
    const all = await node.ask("GET", "/rules/?_=17");
    expect([ids(all.json), all.json?.meta]).toEqual([["one", "two", "three"], undefined]);
    const page = await node.ask("GET", "/rules?_page=2&_limit=2");
    expect([ids(page.json), page.json?.meta]).toEqual([["three"], { page: 2, limit: 2, count: 3 }]);
    const found = await node.ask("GET", `/rules?_like_any=${seg("API/#")}&condition=running&_limit=2`);
    expect([ids(found.json), found.json?.meta?.count]).toEqual([["one", "two"], 3]);
    expect((await node.ask("GET", "/rules?condition=failing")).json).toMatchObject({ data: [], meta: { count: 0 } });
    expect((await node.ask("GET", "/rules?_limit=0")).json).toMatchObject({ code: 108 });
    for (const { id } of made) await node.ask("DELETE", `/rules/${seg(id)}`);
  });

  test("what the inspect action was given is listed without secrets", async () => {
    const actions = [{ name: "built_in:inspect_action", params: { a: 1, headers: { "X-Auth": "s3cret" } } }];
    const made = await node.data<RuleRow>("POST", "/rules", { body: { ...RULE, actions } });
    const c = await node.mqtt("rules-secret");
    c.publish("api/1", '{"t": 25}');
    const inspected = async (): Promise<unknown[]> => node.get<unknown[]>(`/rules/${seg(made.id)}/inspected`);
    await until(async () => (await inspected()).length === 1);
    expect(await inspected()).toMatchObject([{ params: { a: 1, headers: { "X-Auth": "******" } } }]);
    expect(made.actions[0]?.params).toEqual({ a: 1, headers: { "X-Auth": "******" } });
    await node.ask("DELETE", `/rules/${seg(made.id)}`);
  });

  test("one that runs and of which something has failed is found as failing", async () => {
    const made = await node.data<RuleRow>("POST", "/rules", { body: RULE });
    const c = await node.mqtt("rules-failing");
    c.publish("api/1", "no json");
    const failing = async (): Promise<RuleRow[]> => node.get<RuleRow[]>("/rules?condition=failing");
    await until(async () => (await failing()).length === 1);
    expect(await failing()).toMatchObject([{ id: made.id, state: "running", condition: "failing" }]);
    await node.ask("DELETE", `/rules/${seg(made.id)}`);
  });

  test("dead letters: all of them have to be meant, and a field that is misspelt means nothing", async () => {
    await node.data("POST", "/resources", { body: { name: "letters", type: "file", config: { path: "letters.txt" } } });
    const made = await node.data<RuleRow>("POST", "/rules", {
      body: { ...RULE, actions: [{ name: "data_to_file", params: { $resource: "file:letters" } }] },
    });
    const where = `/rules/${seg(made.id)}/actions/${seg(made.actions[0]?.id ?? "")}/dead_letters`;
    expect(await node.get(where)).toEqual([]);
    for (const body of [{ id: [1] }, { ids: [] }, { ids: ["x"] }, { all: false }, { all: true, ids: [1] }, [1]]) {
      expect((await node.ask("DELETE", where, { body })).json).toMatchObject({ code: 108 });
      expect((await node.ask("POST", `${where}/resend`, { body })).json).toMatchObject({ code: 108 });
    }
    for (const way of [where, `${where}?id=1`]) expect((await node.ask("DELETE", way)).json).toMatchObject({ code: 108 });
    expect((await node.ask("POST", `${where}/resend?id=1`)).json).toMatchObject({ code: 108 });
    expect(await node.data("DELETE", where, { body: { all: true } })).toEqual({ deleted: 0 });
    expect(await node.data("DELETE", where, { body: { ids: [1] } })).toEqual({ deleted: 0 });
    expect(await node.data("POST", `${where}/resend`, { body: {} })).toEqual({ resent: 0 });
    for (const path of [`/rules/${seg(made.id)}`, "/resources/file:letters"]) await node.ask("DELETE", path);
  });

  test("dead letters of an action whose plugin does not run: it is said so", async () => {
    await node.ask("PUT", `/nodes/${NODE}/plugins/emqx_web_hook/load`);
    await node.data("POST", "/resources", { body: { name: "gone", type: "web_hook", config: { url: "http://127.0.0.1:1" } } });
    const made = await node.data<RuleRow>("POST", "/rules", {
      body: { ...RULE, actions: [{ name: "web_hook:publish_action", params: { $resource: "web_hook:gone" } }] },
    });
    const where = `/rules/${seg(made.id)}/actions/${seg(made.actions[0]?.id ?? "")}/dead_letters`;
    expect(await node.get(where)).toEqual([]);
    await node.ask("PUT", `/nodes/${NODE}/plugins/emqx_web_hook/unload`);
    for (const [method, path] of [
      ["GET", where],
      ["POST", `${where}/resend`],
    ] as const)
      expect((await node.ask(method, path)).json).toMatchObject({
        code: 400,
        message: expect.stringContaining("does not run: there is no action"),
      });
    for (const path of [`/rules/${seg(made.id)}`, "/resources/web_hook:gone"]) await node.ask("DELETE", path);
  });

  test("while the plugin does not run there are no such routes; loaded again, its rules go on", async () => {
    const made = await node.data<RuleRow>("POST", "/rules", {
      body: {
        ...RULE,
        rawsql: 'SELECT topic FROM "in"',
        actions: [{ name: "built_in:republish_action", params: { target_topic: "out" } }],
      },
    });
    await node.ask("PUT", `/nodes/${NODE}/plugins/emqx_rule_engine/unload`);
    for (const path of ["/rules/", "/actions/", "/resources/", "/rules_export"]) expect((await node.ask("GET", path)).status).toBe(404);
    await node.ask("PUT", `/nodes/${NODE}/plugins/emqx_rule_engine/load`);
    const c = await node.mqtt("rules-again");
    await new Promise<void>((done) => c.subscribe("out", () => done()));
    const got = nextMessage(c);
    c.publish("in", "x");
    expect((await got).topic).toBe("out");
    await node.ask("DELETE", `/rules/${seg(made.id)}`);
  });
});

describe("what 3.1's own pages read", () => {
  scenarios(of, [
    {
      name: "actions of messages",
      method: "GET",
      path: "/actions/?for=$messages&_=1",
      check: ({ json }) => {
        expect(json).not.toHaveProperty("meta");
        const names = ((json?.data ?? []) as { name: string }[]).map((a) => a.name);
        expect(names).toEqual(expect.arrayContaining(["built_in:inspect_action", "built_in:republish_action"]));
        for (const a of (json?.data ?? []) as object[])
          expect(Object.keys(a)).toEqual(expect.arrayContaining(["name", "app", "for", "type", "params", "description"]));
      },
    },
    {
      name: "a type",
      method: "GET",
      path: "/resource_types/built_in",
      data: expect.objectContaining({
        name: "built_in",
        provider: "emqx_rule_engine",
        params: {},
        description: "The built in resource type for debug purpose",
      }),
    },
    {
      name: "a resource is made",
      method: "POST",
      path: "/resources/",
      body: { name: "mine", type: "built_in", config: { a: "b" }, description: "x" },
      data: expect.objectContaining({
        id: "built_in:mine",
        name: "mine",
        type: "built_in",
        config: { a: "b" },
        attrs: "undefined",
        description: "x",
      }),
    },
    {
      name: "of its type",
      method: "GET",
      path: "/resource_types/built_in/resources",
      data: [expect.objectContaining({ id: "built_in:mine" })],
    },
    {
      name: "its status, as 3.2",
      method: "GET",
      path: "/resource_status/built_in%3Amine",
      data: { is_alive: true, reason: null, servers: [] },
    },
    { name: "started, as 3.2", method: "POST", path: "/resources/built_in%3Amine", ok: true },
    {
      name: "its figures for Prometheus",
      method: "GET",
      path: "/prometheus/metrics",
      check: ({ text }) => {
        const lines = text.split("\n").filter((line) => line.startsWith("baomq_rule_resource_"));
        const of = 'resource="built_in:mine",type="built_in"';
        expect(lines).toContain(`baomq_rule_resource_up{${of}} 1`);
        expect(lines).toContain(`baomq_rule_resource_state{${of},state="up"} 1`);
        expect(lines).toContain(`baomq_rule_resource_calls_total{${of},result="failed"} 0`);
        expect(lines.map((line) => line.slice(0, line.indexOf("{")))).toEqual(
          expect.arrayContaining(["running", "waiting", "pool", "retries_total"].map((name) => `baomq_rule_resource_${name}`)),
        );
      },
    },
    { name: "deleted", method: "DELETE", path: "/resources/built_in%3Amine", ok: true },
    { name: "it is gone", method: "GET", path: "/resources/", data: [] },
    {
      name: "an event rule of 3.1, whose FROM means nothing",
      method: "POST",
      path: "/rules/",
      body: { ...RULE, name: "ev", for: "client.connected", rawsql: 'SELECT * FROM "client.connected"' },
      check: async ({ json }) => {
        const row = json?.data as RuleRow;
        expect(row).toMatchObject({ for: "client.connected", events: ["client.connected"], topics: [] });
        await node.ask("DELETE", `/rules/${seg(row.id)}`);
      },
    },
    {
      name: "events, as 3.2",
      method: "GET",
      path: "/rule_events",
      check: ({ json }) => expect(((json?.data ?? []) as object[]).length).toBeGreaterThan(10),
    },
  ]);
});

test("a resource whose server is away, and one whose plugin does not run, for Prometheus", async () => {
  const config = { server: "127.0.0.1:1", database: "d" };
  await node.data("POST", "/resources", { body: { name: "away", type: "pgsql", config } });
  await node.ask("PUT", `/nodes/${NODE}/plugins/emqx_web_hook/load`);
  await node.data("POST", "/resources", { body: { name: "off", type: "web_hook", config: { url: "http://127.0.0.1:1/" } } });
  await node.ask("PUT", `/nodes/${NODE}/plugins/emqx_web_hook/unload`);
  const lines = async (): Promise<string[]> => (await node.ask("GET", "/prometheus/metrics")).text.split("\n");
  const down = ['resource="pgsql:away",type="pgsql"', 'resource="web_hook:off",type="web_hook"'].flatMap((labels) => [
    `baomq_rule_resource_up{${labels}} 0`,
    `baomq_rule_resource_state{${labels},state="down"} 1`,
  ]);
  await until(async () => (await lines()).includes(down[1] ?? ""));
  expect(await lines()).toEqual(expect.arrayContaining(down));
  expect(await lines()).toContain('baomq_rule_resource_pool{resource="pgsql:away",type="pgsql"} 8');
  for (const id of ["pgsql:away", "web_hook:off"]) await node.ask("DELETE", `/resources/${seg(id)}`);
  expect((await lines()).filter((line) => line.startsWith("baomq_rule_resource_up"))).toEqual([]);
});

describe("tried on an example", () => {
  const tried = (body: object, result: object, name: string) => ({
    name,
    method: "POST",
    path: "/rules/test",
    body,
    data: expect.objectContaining(result),
  });
  scenarios(of, [
    tried({ rawsql: SQL, sample: { payload: { t: 25 } } }, { rows: [{ t: 25 }], error: null, event: "message.publish" }, "a row"),
    tried({ sql: SQL, context: { payload: '{"t":1}' } }, { rows: [], fields: [["t"]], error: null }, "WHERE says no"),
    tried(
      { rawsql: SQL, sample: { payload: "x" } },
      { rows: null, error: expect.objectContaining({ stage: "run", message: "the payload is no JSON" }) },
      "no JSON",
    ),
    tried(
      { rawsql: 'SELECT lowr(topic) FROM "t"' },
      {
        rows: null,
        error: expect.objectContaining({ stage: "sql", line: 1, column: 8, length: 4, hint: expect.stringContaining("lower") }),
      },
      "the place of a mistake",
    ),
    tried(
      {
        rawsql: 'SELECT * FROM "$events/client_connected"',
        actions: [{ name: "built_in:republish_action", params: { target_topic: "c/${clientid}" } }],
      },
      {
        event: "client.connected",
        actions: [{ name: "built_in:republish_action", rendered: [expect.objectContaining({ target_topic: "c/c_emqx" })], error: null }],
      },
      "an event, with an action that is not done",
    ),
    { name: "no SQL", method: "POST", path: "/rules/test", body: {}, code: 400, message: "Bad Arguments: rawsql must be a text" },
    tried(
      { rawsql: 'SELECT clientidd, t FROM "t"', sample: { payload: '{"t":1}' } },
      {
        rows: [{}],
        warnings: [
          "line 1, column 8: there is no column clientidd in message.publish (did you mean clientid?)",
          "line 1, column 19: there is no column t in message.publish (did you mean payload.t?)",
        ],
      },
      "what will hardly be meant",
    ),
    tried(
      { rawsql: 'SELECT * FROM "$events/clientconnected"' },
      { rows: null, error: expect.objectContaining({ stage: "sql", line: 1, column: 15, length: 25, hint: "$events/client_connected" }) },
      "the place of an event that is none",
    ),
    {
      name: "functions, each with an example",
      method: "GET",
      path: "/rules/functions",
      check: ({ json }) => expect(((json?.data ?? []) as object[]).length).toBeGreaterThan(100),
    },
  ]);
});
