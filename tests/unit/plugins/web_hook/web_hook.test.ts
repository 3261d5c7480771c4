/** emqx_web_hook on the core: what it hangs on, what it tells of clients that come, speak and go, settings that change, its test. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { DeadLetters } from "../../../../server/plugins/actions.ts";
import { webHook } from "../../../../server/plugins/web_hook/index.ts";
import { aClient } from "../../../support/access.ts";
import { until } from "../../../support/until.ts";
import { type Managed, removeTempDirs, running } from "../harness.ts";

interface Told {
  action: string;
  [field: string]: unknown;
}
let told: Told[] = [];
let status = 200;
let server: Bun.Server<undefined>;

beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(req) {
      const body = (await req.json()) as Told | Told[];
      if (status === 200) told.push(...(Array.isArray(body) ? body : [body]));
      return new Response("", { status });
    },
  });
});
afterAll(() => {
  server.stop(true);
  removeTempDirs();
});
const NAME = "emqx_web_hook";
const rule = (hook: string, topic?: string): [string, string] => [
  `web.hook.rule.${hook}.1`,
  JSON.stringify({ action: `on_${hook.replace(".", "_")}`, ...(topic !== undefined && { topic }) }),
];

let m: Managed | null = null;
afterEach(async () => {
  await m?.manager.unload(NAME);
  m = null;
  told = [];
  status = 200;
});
async function start(settings: Record<string, string> = {}): Promise<Managed> {
  m = await running(webHook, { settings: { "web.hook.api.url": `http://127.0.0.1:${server.port}/`, ...settings } });
  return m;
}
/** Timers of the core's clock, and what is to happen in later turns. */
const toldOf = (count: number): Promise<void> =>
  until(() => {
    m?.kit.pass(100);
    return told.length >= count;
  }, `${count} requests`);
const handlers = (b: Managed): string[] =>
  Object.entries(b.kit.broker.hooks.at).flatMap(([point, list]) => list.flatMap(({ id }) => (id.startsWith(NAME) ? [point] : [])));

describe("what it hangs on", () => {
  test("with no rule written: all eleven", async () => {
    const b = await start();
    expect(handlers(b).length).toBe(11);
  });
  test("nobody to tell: nothing", async () => {
    const b = await start({ "web.hook.api.url": "" });
    expect(handlers(b)).toEqual([]);
    expect(b.manager.report(NAME)?.servers).toEqual([]);
  });
  test("the points of its rules, and messages that no rule is for stay on the fast path", async () => {
    const b = await start(Object.fromEntries([rule("message.publish", "a/#")]));
    expect(handlers(b)).toEqual(["message.publish"]);
    const { hooks } = b.kit.broker;
    expect([hooks.unfilteredPublish, hooks.seesPublish("a/b"), hooks.seesPublish("b"), hooks.seesPublish("$SYS/a")]).toEqual([
      0,
      true,
      false,
      false,
    ]);
  });
  test("other settings: other points, at once; unloaded: none", async () => {
    const b = await start(Object.fromEntries([rule("message.publish", "a/#")]));
    await b.replaceConfig(NAME, {
      "web.hook.api.url": `http://127.0.0.1:${server.port}/`,
      ...Object.fromEntries([rule("client.connected")]),
    });
    expect(handlers(b)).toEqual(["client.connected"]);
    await b.manager.unload(NAME);
    expect(handlers(b)).toEqual([]);
    await b.manager.load(NAME);
  });
});

test("a client comes, subscribes, speaks, hears, leaves: in this order, and each as 3.1 says", async () => {
  const b = await start();
  const c = b.kit.connected("c1", 4, { username: "joe" });
  c.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "a/#", qos: 1 }] } as never);
  c.send({ cmd: "publish", topic: "a/b", payload: "hello", qos: 1, dup: false, retain: false, messageId: 2 } as never);
  c.send({ cmd: "puback", messageId: 1 } as never);
  c.send({ cmd: "unsubscribe", messageId: 3, unsubscriptions: ["a/#"] } as never);
  c.send({ cmd: "disconnect" } as never);
  await toldOf(11);
  expect(told.map((t) => t.action)).toEqual([
    "session_created",
    "client_connected",
    "client_subscribe",
    "session_subscribed",
    "message_publish",
    "message_deliver",
    "message_acked",
    "client_unsubscribe",
    "session_unsubscribed",
    "session_terminated",
    "client_disconnected",
  ]);
  expect(told.find((t) => t.action === "session_created")).toEqual({ action: "session_created", client_id: "c1", username: "joe" });
  expect(told.find((t) => t.action === "message_deliver")).toMatchObject({
    client_id: "c1",
    username: "joe",
    from_client_id: "c1",
    payload: "hello",
  });
});

test("of an UNSUBSCRIBE that another hook took something out of, what is left is told", async () => {
  const b = await start();
  b.kit.hooks.add("client.unsubscribe", "takes the first one out", (_client, filters) => void delete filters[0], 10);
  const c = b.kit.connected("c1", 5).subscribe("a", 1).subscribe("b", 1);
  c.send({ cmd: "unsubscribe", messageId: 3, unsubscriptions: ["a", "b"] } as never);
  c.send({ cmd: "disconnect" } as never);
  const said = (): unknown[] => told.filter((t) => t.action === "client_unsubscribe").map((t) => t.topic);
  await until(() => told.some((t) => t.action === "client_disconnected"), "all is told");
  expect(said()).toEqual(["b"]);
});

describe("rules", () => {
  test("two that a topic fits: told twice, as 3.1 did", async () => {
    const b = await start({
      "web.hook.rule.message.publish.1": '{"action":"on_message_publish","topic":"a/#"}',
      "web.hook.rule.message.publish.2": '{"action":"on_message_publish","topic":"+/b"}',
    });
    const c = b.kit.connected("c1");
    for (const topic of ["a/b", "c/c", "a/c", "$SYS/a"])
      c.send({ cmd: "publish", topic, payload: topic, qos: 0, dup: false, retain: false } as never);
    await toldOf(3);
    expect(told.map((t) => t.topic)).toEqual(["a/b", "a/b", "a/c"]);
  });
});

describe("settings", () => {
  const refused: readonly [name: string, settings: Record<string, string>, why: string][] = [
    ["binary CloudEvents have no batches", { "web.hook.cloudevents": "binary", "web.hook.batch": "2" }, "web.hook.batch: expected 1"],
    ["a file that is not there", { "web.hook.ssl.cacertfile": "/none" }, "web.hook.ssl.cacertfile = /none"],
    [
      "a log-in that is not percent-encoded",
      { "web.hook.api.url": "http://u:50%@127.0.0.1/" },
      "web.hook.api.url: expected user and password",
    ],
    ["no header", { "web.hook.headers.a(b": "x" }, "web.hook.headers.a(b"],
  ];
  for (const [name, settings, why] of refused) test(name, async () => expect(start(settings)).rejects.toThrow(why));

  test("a change that cannot be leaves what was", async () => {
    const b = await start(Object.fromEntries([rule("client.connected")]));
    const url = `http://127.0.0.1:${server.port}/`;
    await expect(
      b.replaceConfig(NAME, { "web.hook.api.url": url, "web.hook.cloudevents": "binary", "web.hook.batch": "2" }),
    ).rejects.toThrow();
    expect(handlers(b)).toEqual(["client.connected"]);
    b.kit.connected("c1");
    await toldOf(1);
  });

  test("secrets are not shown", async () => {
    const b = await start({ "web.hook.secret": "s3cret", "web.hook.headers.authorization": "Bearer t0ken" });
    const shown = JSON.stringify([b.manager.configRows(NAME), b.manager.liveItems(), b.manager.report(NAME)]);
    expect(shown).not.toContain("s3cret");
    expect(shown).not.toContain("t0ken");
  });
});

test("what the service does not take is a dead letter, and can be sent again", async () => {
  const b = await start(Object.fromEntries([rule("client.connected")]));
  status = 400;
  b.kit.connected("c1");
  const letters = (): DeadLetters => b.manager.service(NAME)?.deadLetters as DeadLetters;
  await until(() => {
    b.kit.pass(100);
    return letters().list().length === 1;
  }, "it is a letter");
  expect(letters().list()).toMatchObject([{ id: 1, why: "http 400", tries: 1 }]);
  expect(b.manager.report(NAME)?.deadLetters).toBe(1);
  expect(b.kit.broker.metrics.get("web_hook/failed")).toBe(1);
  status = 200;
  expect(letters().resend()).toBe(1);
  await toldOf(1);
  expect(told[0]).toMatchObject({ action: "client_connected", client_id: "c1" });
});

describe("its test", () => {
  const request = { clientId: "c", username: "joe", password: null, ip: "127.0.0.1", action: null, topic: null };
  const steps = async (texts: Record<string, string>) =>
    (m as Managed).manager.test(NAME, texts, request, () => aClient({ clientId: "c" }));

  test("a sample of each hook that a rule is for", async () => {
    await start();
    const found = await steps({});
    expect(found.map((s) => `${s.step} ${s.verdict}`)).toEqual(["settings ok", ...told.map((t) => `${t.action.replace("_", ".")} ok`)]);
    expect(told.length).toBe(11);
  });
  test("of a service that says no, and of one that is not there", async () => {
    await start(Object.fromEntries([rule("client.connected"), rule("message.publish", "a/+/#")]));
    status = 403;
    expect((await steps({})).map((s) => [s.step, s.verdict, s.why])).toEqual([
      ["settings", "ok", "the settings can be used"],
      ["client.connected", "error", "http 403; see web.hook.headers.$name"],
      ["message.publish", "error", "http 403; see web.hook.headers.$name"],
    ]);
    const away = await steps({ "web.hook.api.url": "http://127.0.0.1:1/" });
    expect(away.map((s) => s.verdict)).toEqual(["ok", "error"]);
    expect(await steps({ "web.hook.api.url": "" })).toMatchObject([{ verdict: "ignore" }]);
    expect(await steps({ "web.hook.ssl.cacertfile": "/none" })).toMatchObject([
      { verdict: "error", why: expect.stringContaining("/none") },
    ]);
  });
});
