// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
/** What rules can do with the web hook: parameters as EMQ X 3.1 has them, bodies, and a service that is told. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Action, ActionEvent, ActionHost, ActionKind, Params, Resource, ResourceKind } from "../../../../server/plugins/actions.ts";
import { webHookKinds } from "../../../../server/plugins/web_hook/actions.ts";
import { FakeClock, silentLog } from "../../../support/access.ts";
import { ConnectorHost } from "../../../support/connector_host.ts";
import { until } from "../../../support/until.ts";

const { actions = [], resources = [] } = webHookKinds("n1");
const [kind] = resources as [ResourceKind];
const [publish, event] = actions as [ActionKind, ActionKind];

let told: { method: string; body: string; key: string | null }[] = [];
let status = 200;
/** Requests are answered behind it. */
let answering: Promise<void> | null = null;
let server: Bun.Server<undefined>;
beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(req) {
      told.push({ method: req.method, body: await req.text(), key: req.headers.get("x-key") });
      await answering;
      return new Response("", { status });
    },
  });
});
afterAll(() => server.stop(true));
beforeEach(() => {
  told = [];
  status = 200;
  answering = null;
  causes = [];
});

const counts = { done: 0, failed: 0, dropped: 0 };
/** Of rows that have failed. */
let causes: unknown[] = [];
const host: ActionHost = {
  clock: new FakeClock(),
  log: silentLog,
  directory: () => "/nonexistent",
  hasDirectory: () => false,
  memoryShort: false,
  countWaiting: () => () => {},
  every: () => () => {},
  alarm: () => {},
  done(rows) {
    counts.done += rows;
  },
  failed(rows, _why, all = []) {
    counts.failed += rows;
    causes.push(...all);
  },
  dropped(rows) {
    counts.dropped += rows;
  },
};
/** Defaults filled in, as by whoever checks parameters. */
const filled = (spec: ActionKind["params"], given: Params): Params => ({
  ...Object.fromEntries(Object.entries(spec).flatMap(([name, p]) => ("default" in p ? [[name, p.default]] : []))),
  ...given,
});
const open = (config: Params): Resource => kind.open(filled(kind.params, config), host);
const act = (of: ActionKind, params: Params, resource: Resource): Action => of.open(filled(of.params, params), host, resource);
const from = (clientId: string): ActionEvent => ({
  event: "message.publish",
  ruleId: "r",
  clientId,
  lineage: { depth: 0, family: { made: 0 } },
  column: () => undefined,
  cause: () => ({ event: "message.publish", clientId, topic: null, payload: null }),
});
const url = (): string => `http://127.0.0.1:${server.port}/x`;

test("names, parameters and descriptions are those of 3.1, before ours", () => {
  expect([kind.name, kind.description, Object.keys(kind.params).slice(0, 3)]).toEqual([
    "web_hook",
    "WebHook Resource",
    ["url", "headers", "method"],
  ]);
  expect(kind.params.method).toMatchObject({ type: "string", enum: ["PUT", "POST"], default: "POST", title: "Request Method" });
  expect(actions.map((a) => [a.name, a.type, a.description, Object.keys(a.params).slice(0, 2)])).toEqual([
    ["web_hook:publish_action", "web_hook", "Forward Messages to Web Server", ["$resource", "body"]],
    ["web_hook:event_action", "web_hook", "Forward Events to Web Server", ["$resource", "template"]],
  ]);
});

test("a log-in in the URL that is not percent-encoded is refused, and the key is named", () => {
  expect(() => open({ url: "http://u:50%@127.0.0.1/x" })).toThrow(/^url: expected user and password .* percent-encoded/);
  expect(() => open({ url: "http://u:50%25@127.0.0.1/x" })).not.toThrow();
});

describe("bodies", () => {
  const row = {
    event: "client.connected",
    client_id: "c1",
    username: "joe",
    payload: { t: [1, { x: "ä" }] },
    n: 7,
    raw: new Uint8Array([255]),
  };
  const cases: readonly [name: string, of: ActionKind, params: Params, body: string][] = [
    [
      "the row",
      publish,
      {},
      '{"event":"client.connected","client_id":"c1","username":"joe","payload":{"t":[1,{"x":"ä"}]},"n":7,"raw":"/w==","raw_encoding":"base64"}',
    ],
    ["of an event, three fields", event, {}, '{"event":"client.connected","client_id":"c1","username":"joe"}'],
    ["3.1's template", event, { template: { who: "${client_id}", more: ["${n}", "x", "${none}"] } }, '{"who":"c1","more":[7,"x",null]}'],
    ["text of ours", publish, { body: "t=${payload.t[1]} ${client_id}" }, "t=1 c1"],
  ];
  for (const [name, of, params, body] of cases)
    test(name, async () => {
      const resource = open({ url: url(), headers: { "X-Key": "k" } });
      const action = act(of, params, resource);
      action.run(row, from("c1"));
      await until(() => told.length === 1, "the service is told");
      expect(told).toEqual([{ method: "POST", body, key: "k" }]);
      await action.close();
      await resource.close();
    });
});

test("PUT, several in one request, figures", async () => {
  const resource = open({ url: url(), method: "PUT" });
  const action = act(publish, { batch: 2 }, resource);
  const done = counts.done;
  for (let n = 1; n <= 4; n++) action.run({ n }, from("c1"));
  await until(() => told.length === 2, "two requests");
  expect(told.map((t) => `${t.method} ${t.body}`)).toEqual(['PUT [{"n":1},{"n":2}]', 'PUT [{"n":3},{"n":4}]']);
  await until(() => counts.done === done + 4, "counted");
  expect(resource.status()).toMatchObject([{ state: "up", answered: 2, queue: { sent: 4 } }]);
  expect(action.waiting?.()).toEqual({ rows: 0, bytes: 0, behind: null });
  await action.close();
  // What is counted of a resource never becomes less.
  expect(resource.status()).toMatchObject([{ state: "connecting", calls: 2, answered: 2, pool: 16 }]);
});

test("what ends while an action leaves its place to another one is counted with the resource", async () => {
  const resource = open({ url: url() });
  const action = act(publish, {}, resource);
  const answer = Promise.withResolvers<void>();
  answering = answer.promise;
  for (let n = 1; n <= 6; n++) action.run({ n }, from(`c${n}`));
  await until(() => told.length === 6, "all are asked");
  const left = action.handOver?.();
  expect(resource.status()).toMatchObject([{ calls: 6, answered: 0, running: 6 }]);
  answer.resolve();
  expect(await left).toMatchObject({ rows: 0 });
  expect(resource.status()).toMatchObject([{ state: "connecting", calls: 6, answered: 6, running: 0 }]);
});

test("a service that several actions send to is told of once", async () => {
  const resource = open({ url: url() });
  const [first, second] = [act(publish, {}, resource), act(event, {}, resource)];
  first.run({ n: 1 }, from("c1"));
  second.run({ event: "client.connected" }, from("c1"));
  await until(() => resource.status()[0]?.answered === 2, "both have sent");
  expect(resource.status()).toMatchObject([{ state: "up", calls: 2, pool: 32, queue: { sent: 2 } }]);
  await first.close();
  expect(resource.status()).toMatchObject([{ state: "up", calls: 2, pool: 16, queue: { sent: 1 } }]);
  await second.close();
});

test("what is not taken is a dead letter of the action's", async () => {
  status = 400;
  const resource = open({ url: url() });
  const action = act(publish, {}, resource);
  action.run({ n: 1 }, from("c1"));
  await until(() => action.deadLetters?.list().length === 1, "a letter");
  expect(action.deadLetters?.list()[0]).toMatchObject({ why: "http 400", body: '{"n":1}' });
  expect(causes).toEqual([from("c1").cause()]);
  await action.close();
});

test("while the service takes nothing an alarm says that rows cannot be sent there, not that it is down", async () => {
  const own = new ConnectorHost();
  const resource = open({ url: url() });
  const action = publish.open(filled(publish.params, {}), own, resource);
  status = 503;
  action.run({ n: 1 }, from("c1"));
  await until(() => own.alarms.has("down"), "the alarm");
  expect(own.alarms.get("down")).toMatchObject({ title: `rows cannot be sent to web hook at ${url()}` });
  status = 200;
  await until(() => own.counts.done === 1, "the row");
  expect(own.alarms.size).toBe(0);
  await action.close();
  await resource.close();
  own.remove();
});

test("the disk is not used any more: what is there is sent all the same; what waits is counted with the node's memory", async () => {
  const keeping = new ConnectorHost();
  status = 503;
  const resource = open({ url: url() });
  const first = publish.open(filled(publish.params, { queue_disk: 1_000_000 }), keeping, resource);
  for (let n = 1; n <= 3; n++) first.run({ n }, from("c1"));
  expect(keeping.counted).toBeGreaterThan(3);
  await until(() => told.length > 0, "it was tried");
  await first.close();
  expect(keeping.counted).toBeNull();
  status = 200;
  told = [];
  const second = publish.open(filled(publish.params, {}), keeping, resource);
  await until(() => keeping.counts.done === 3, "all are sent");
  expect(told.map((t) => t.body)).toEqual(['{"n":1}', '{"n":2}', '{"n":3}']);
  keeping.memoryShort = true;
  status = 503;
  for (let n = 4; n <= 12; n++) second.run({ n, text: "x".repeat(100_000) }, from("c1"));
  expect([second.waiting?.().rows, keeping.counts.dropped]).toEqual([3, 6]);
  await second.close();
  keeping.remove();
});

describe("what cannot be is said", () => {
  test("resources", () => {
    expect(() => open({ url: "ftp://x" })).toThrow("url: expected a URL");
    expect(() => open({ url: url(), headers: { "a b": "x" } })).toThrow("headers: a b: expected a header");
    expect(() => open({ url: url(), cacertfile: "/none" })).toThrow("cacertfile: /none cannot be read");
  });
  test("actions", () => {
    const resource = open({ url: url() });
    expect(() => act(publish, { body: "${a..b}" }, resource)).toThrow("no path");
    expect(() => publish.open({}, host, null)).toThrow("$resource");
  });
  test("a configuration that is not saved, tried", async () => {
    expect(await kind.test({ url: url() }, host)).toMatchObject([{ step: "connect", verdict: "ok", why: "http 200: taken" }]);
    status = 401;
    expect(await kind.test({ url: url() }, host)).toMatchObject([{ verdict: "error", why: "http 401; see headers" }]);
  });
});
