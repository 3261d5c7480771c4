/** The rule engine on a real core in memory: what rules see, what actions do, what is kept, what goes wrong. */
import { afterAll, describe, expect, test } from "bun:test";
import { delayedPublish } from "../../../../server/plugins/delayed_publish/index.ts";
import type { ActionEvent, AnyPlugin } from "../../../../server/plugins/plugin.ts";
import { definePlugin } from "../../../../server/plugins/plugin.ts";
import { retainer } from "../../../../server/plugins/retainer/index.ts";
import { ruleEngine } from "../../../../server/plugins/rule_engine/index.ts";
import type { RuleEngineService, RuleRow } from "../../../../server/plugins/rules.ts";
import { TestKit } from "../../../support/test_broker.ts";
import { type Managed, manage, removeTempDirs, turns, type Wishes } from "../harness.ts";

afterAll(removeTempDirs);

/** A plugin that brings an action with a resource; `seen`: rows it was given. */
function provider() {
  const seen: { row: unknown; topic: unknown; clientId: string; peerhost: unknown }[] = [];
  const log: string[] = [];
  /** With each row it is sent. */
  let each = (): void => {};
  const slow = (fn: () => void): void => {
    each = fn;
  };
  const plugin: AnyPlugin = definePlugin({
    name: "test_provider",
    description: "",
    version: "v1",
    activeByDefault: false,
    config: {},
    start(ctx) {
      ctx.offer({
        resources: [
          {
            name: "test_server",
            title: "Server",
            description: "",
            params: {
              server: { type: "string", required: true, title: "", description: "its address" },
              password: { type: "string", secret: true, title: "", description: "" },
            },
            open(config) {
              if (config.server === "bad") throw new Error("such an address cannot be");
              log.push(`open ${config.server}`);
              return { status: () => [], close: () => void log.push(`close ${config.server}`) };
            },
            test: async (config) => [{ step: "connect", verdict: "ok", why: `with ${config.password}`, ms: 0, asked: [] }],
          },
        ],
        actions: [
          {
            name: "test:send",
            for: "$any",
            type: "test_server",
            title: "Send",
            description: "",
            params: { what: { type: "string", default: "all", title: "", description: "" } },
            open: (params, host) => ({
              run(row, event: ActionEvent) {
                if (params.what === "throw") throw new Error("out of order");
                if (params.what === "refuse") return host.failed(1, "refused there");
                each();
                seen.push({ row, topic: event.column("topic"), clientId: event.clientId, peerhost: event.column("peerhost") });
                host.done(1, 0);
              },
              close: () => void log.push(`end ${params.what}`),
            }),
          },
        ],
      });
    },
  });
  return { plugin, seen, log, slow };
}

async function start(wishes: Wishes = {}, more: readonly AnyPlugin[] = []) {
  const p = provider();
  const m = manage([ruleEngine, p.plugin, ...more], wishes);
  await m.manager.load("test_provider");
  await m.manager.load("emqx_rule_engine");
  return { ...m, ...p, service: serviceOf(m) };
}
const serviceOf = (m: Managed): RuleEngineService => m.manager.service("emqx_rule_engine") as RuleEngineService;

const INSPECT = { name: "built_in:inspect_action", params: {} };
const to = (topic: string, more: object = {}) => ({ name: "built_in:republish_action", params: { target_topic: topic, ...more } });
const rows = (service: RuleEngineService, { id }: RuleRow): unknown[] =>
  (service.inspected(id) ?? []).map((r) => JSON.parse(r.selected)).reverse();
const rule = (rawsql: string, ...actions: object[]) => ({ name: "r", rawsql, actions });

describe("events", () => {
  test("a message: its columns, those of its publisher, those of MQTT 5", async () => {
    const { service, kit } = await start();
    const made = await service.createRule(rule('SELECT * FROM "t/#"', INSPECT));
    kit.connected("pub", 5, { username: "joe", password: Buffer.from("x") }).publish("t/1", '{"a":1}', 1, {
      retain: true,
      properties: { userProperties: { k: "v" }, contentType: "x/y" },
      messageId: 3,
    });
    await turns(kit);
    expect(rows(service, made)).toEqual([
      {
        client_id: "pub",
        clientid: "pub",
        username: "joe",
        event: "message.publish",
        id: expect.stringMatching(/^[0-9A-F]{32}$/),
        payload: '{"a":1}',
        peername: "127.0.0.1:40000",
        peerhost: "127.0.0.1",
        topic: "t/1",
        qos: 1,
        flags: { retain: true, dup: false },
        retain: true,
        timestamp: kit.clock.time,
        publish_received_at: kit.clock.time,
        pub_props: { "Content-Type": "x/y", "User-Property": { k: "v" }, "User-Property-Pairs": [{ key: "k", value: "v" }] },
        node: kit.node.nodeName,
      },
    ]);
  });

  test("clients and sessions come and go; a message is delivered, acknowledged, dropped", async () => {
    const { service, kit } = await start();
    const all = [
      ...["client_connected", "client_disconnected", "client_subscribe", "client_unsubscribe"],
      ...["session_created", "session_subscribed", "session_unsubscribed", "session_terminated"],
      ...["message_delivered", "message_acked", "message_dropped"],
    ];
    const made = await service.createRule(
      rule(`SELECT event, clientid, topic, reason FROM ${all.map((t) => `"$events/${t}"`).join(", ")}`, INSPECT),
    );
    expect(made.events).toHaveLength(all.length);
    const c = kit.connected("c1", 5).subscribe("t/1", 1);
    c.publish("t/1", "x", 1, { messageId: 5 }).publish("nobody", "x");
    await turns(kit);
    const got = c.take().find((p) => p.cmd === "publish");
    c.send({ cmd: "puback", messageId: (got as { messageId: number }).messageId, reasonCode: 0 });
    c.send({ cmd: "unsubscribe", messageId: 9, unsubscriptions: ["t/1"] });
    c.send({ cmd: "disconnect", reasonCode: 0 });
    await turns(kit);
    const events = (rows(service, made) as { event: string; clientid: string; topic?: string; reason?: string }[]).map((r) =>
      [r.event, r.clientid, r.topic ?? ""].join(" ").trim(),
    );
    expect(events.sort()).toEqual(
      [
        ...["client.connected c1", "client.disconnected c1", "client.subscribe c1 t/1", "client.unsubscribe c1 t/1"],
        ...["message.acked c1 t/1", "message.delivered c1 t/1", "message.dropped c1 nobody"],
        ...["session.created c1", "session.subscribed c1 t/1", "session.terminated c1", "session.unsubscribed c1 t/1"],
      ].sort(),
    );
  });

  test("a filter that another hook took out of an UNSUBSCRIBE is none", async () => {
    const { service, kit } = await start();
    const made = await service.createRule(rule('SELECT topic, topic_filters FROM "$events/client_unsubscribe"', INSPECT));
    kit.hooks.add("client.unsubscribe", "takes the first one out", (_client, filters) => void delete filters[0]);
    const c = kit.connected("c1", 5).subscribe("t/1", 1).subscribe("t/2", 1);
    c.send({ cmd: "unsubscribe", messageId: 9, unsubscriptions: ["t/1", "t/2"] });
    await turns(kit);
    expect(rows(service, made)).toEqual([{ topic: "t/2", topic_filters: ["t/2"] }]);
  });

  test("with no rule there is no hook; a hook goes with the last rule that needs it; $SYS is nobody's business", async () => {
    const { service, kit } = await start();
    const hooked = (): string[] =>
      Object.entries(kit.hooks.at).flatMap(([point, list]) => list.filter((h) => h.id.startsWith("emqx_rule_engine")).map(() => point));
    expect(hooked()).toEqual([]);
    const a = await service.createRule(rule('SELECT topic FROM "#", "$SYS/#"', INSPECT));
    const b = await service.createRule(rule('SELECT topic FROM "$events/message_acked"', INSPECT));
    const off = await service.createRule({ ...rule('SELECT topic FROM "$events/client_connected"'), enabled: false });
    expect(hooked().sort()).toEqual(["message.acked", "message.publish"]);
    kit.connected("c").publish("t").publish("$SYS/x");
    await turns(kit);
    expect(rows(service, a)).toEqual([{ topic: "t" }]);
    await service.enableRule(off.id, true);
    expect(hooked()).toContain("client.connected");
    for (const { id } of [a, b, off]) await service.removeRule(id);
    expect(hooked()).toEqual([]);
  });

  test("a payload that is no text, no JSON, or nothing at all", async () => {
    const { service, kit } = await start();
    const plain = await service.createRule(rule('SELECT payload FROM "t"', INSPECT));
    const json = await service.createRule(rule('SELECT payload.a AS a FROM "t"', INSPECT));
    const c = kit.connected("c");
    for (const payload of [Buffer.from([0xff, 0, 0x80]), Buffer.from("é"), Buffer.from(""), Buffer.from('{"a":2}')])
      c.publish("t", payload);
    await turns(kit);
    const [bytes, ...texts] = rows(service, plain);
    expect(bytes).toEqual({ payload: "/wCA", payload_encoding: "base64" });
    expect(texts).toEqual([{ payload: "é" }, { payload: "" }, { payload: '{"a":2}' }]);
    expect(rows(service, json)).toEqual([{ a: 2 }]);
    expect(service.rule(json.id)?.metrics).toMatchObject({ matched: 4, passed: 1, failed: 3, last_error: "the payload is no JSON" });
    expect(service.errors(json.id)?.map((e) => [e.where, e.topic, e.client_id])).toEqual(Array(3).fill(["sql", "t", "c"]));
  });
});

describe("actions", () => {
  test("published again: topic and payload templates, QoS, retain, user properties", async () => {
    const { service, kit } = await start();
    await service.createRule(
      rule(
        'SELECT payload.n AS n, topic FROM "in/#"',
        to("out/${n}"),
        to("tmpl", { target_qos: 1, payload_tmpl: "n=${n} of ${topic}", target_retain: "true", user_properties: { k: "${n}" } }),
      ),
    );
    const sub = kit.connected("sub", 5).subscribe("#", 2, { rap: true });
    sub.take();
    kit.connected("pub", 5).publish("in/a", '{"n":7}', 2, { messageId: 4, properties: { userProperties: { own: "1" } } });
    await turns(kit);
    const got = sub.take().filter((p) => p.cmd === "publish") as {
      topic: string;
      payload: Buffer;
      qos: number;
      retain: boolean;
      properties?: { userProperties?: object };
    }[];
    expect(got.map((p) => [p.topic, String(p.payload), p.qos, p.retain, { ...p.properties?.userProperties }])).toEqual([
      ["in/a", '{"n":7}', 2, false, { own: "1" }],
      ["out/7", '{"n":7,"topic":"in/a"}', 2, false, { own: "1" }],
      ["tmpl", "n=7 of in/a", 1, true, { k: "7" }],
    ]);
  });

  test("a loop is found and stopped, alone or through one another, and counted", async () => {
    const { service, kit } = await start();
    const own = await service.createRule(rule('SELECT * FROM "loop"', to("loop")));
    const ping = await service.createRule(rule('SELECT 1 AS x FROM "ping"', to("pong")));
    const pong = await service.createRule(rule("SELECT 1 AS x FROM \"$events/message_delivered\" WHERE topic = 'pong'", to("ping")));
    kit.connected("sub").subscribe("pong");
    kit.connected("pub").publish("loop").publish("ping");
    await turns(kit, 30);
    const of = ({ id }: RuleRow) => service.rule(id)?.metrics as RuleRow["metrics"];
    expect(of(own)).toMatchObject({ matched: 6, actions_success: 5, actions_failed: 1 });
    expect(service.errors(own.id)?.[0]?.error).toContain("a loop");
    expect(of(ping).actions_failed + of(pong).actions_failed).toBe(1);
    expect(of(ping).actions_success + of(pong).actions_success).toBe(5);
  });

  test("a loop through a delay is found too", async () => {
    const { service, kit, manager } = await start({}, [delayedPublish]);
    await manager.load("emqx_delayed_publish");
    const own = await service.createRule(rule('SELECT * FROM "loop"', to("$delayed/1/loop")));
    kit.connected("pub").publish("loop");
    for (let second = 0; second < 20; second++) {
      kit.pass(1100);
      await turns(kit);
    }
    expect(service.rule(own.id)?.metrics).toMatchObject({ matched: 6, actions_success: 5, actions_failed: 1 });
    expect(service.errors(own.id)?.[0]?.error).toContain("a loop");
  });

  test("rules that each make many messages of what rules have made come to an end; what comes of the next event is counted anew", async () => {
    const { service, kit } = await start();
    const own = await service.createRule(
      rule('FOREACH payload.a DO item AS n, payload FROM "loop"', to("loop", { payload_tmpl: "${payload}" })),
    );
    const payload = JSON.stringify({ a: [...Array(20).keys()] });
    const pub = kit.connected("pub");
    const run = async (): Promise<number> => {
      pub.publish("loop", payload);
      for (let before = -1, now = 0; before < now; now = service.rule(own.id)?.metrics.matched ?? 0) {
        before = now;
        await turns(kit, 50);
      }
      return service.rule(own.id)?.metrics.actions_success ?? 0;
    };
    expect(await run()).toBe(20 + 100_000);
    expect(service.errors(own.id)?.[0]?.error).toContain("a loop: rules have made 100000 messages");
    expect(await run()).toBe(2 * (20 + 100_000));
  });

  test("a message that was retained is nobody's child: what is done when it is delivered does not add up", async () => {
    const { service, kit, manager } = await start({}, [retainer]);
    await manager.load("emqx_retainer");
    await service.createRule(rule('SELECT * FROM "in"', to("kept", { target_retain: "true" })));
    const told = await service.createRule(rule("SELECT * FROM \"$events/message_delivered\" WHERE topic = 'kept'", to("told")));
    kit.connected("pub").publish("in");
    await turns(kit);
    for (let i = 0; i < 3; i++) {
      kit.connected(`sub${i}`).subscribe("kept");
      await turns(kit);
    }
    expect(service.rule(told.id)?.metrics).toMatchObject({ matched: 3, actions_success: 3 });
    const kept = kit.connected("last").subscribe("kept");
    await turns(kit);
    expect(service.rule(told.id)?.metrics).toMatchObject({ matched: 4, actions_success: 4, actions_failed: 0 });
    expect(kept.take().filter((p) => p.cmd === "publish")).toHaveLength(1);
  });

  test("one that fails counts its own; the others, and other rules, go on", async () => {
    const { service, kit, seen } = await start();
    await service.createResource({ name: "s", type: "test_server", config: { server: "x" } });
    const send = (what: string) => ({ name: "test:send", params: { $resource: "test_server:s", what } });
    const made = await service.createRule(rule('SELECT topic FROM "t"', send("throw"), send("refuse"), to("no/${missing}"), send("all")));
    kit.connected("c").publish("t");
    await turns(kit);
    expect(seen).toEqual([{ row: { topic: "t" }, topic: "t", clientId: "c", peerhost: "127.0.0.1" }]);
    expect(service.rule(made.id)?.actions.map((a) => [a.metrics.success, a.metrics.failed, a.metrics.last_error])).toEqual([
      [0, 1, "out of order"],
      [0, 1, "refused there"],
      [0, 1, "the row has not all of no/${missing}"],
      [1, 0, null],
    ]);
    expect(service.errors(made.id)).toHaveLength(3);
    expect(service.resetMetrics(made.id)).toBe(true);
    expect(service.rule(made.id)?.metrics).toMatchObject({ matched: 0, actions_failed: 0, last_error: null });
  });

  test("a plugin that brings them goes and comes: rows are counted as dropped, then they go on", async () => {
    const { service, kit, manager, seen, log } = await start();
    await service.createResource({ name: "s", type: "test_server", config: { server: "x", password: "pw" } });
    const made = await service.createRule(
      rule('SELECT topic FROM "t"', { name: "test:send", params: { $resource: "test_server:s" } }, INSPECT),
    );
    await manager.unload("test_provider");
    expect(service.rule(made.id)).toMatchObject({ state: "broken", reason: expect.stringContaining("test:send") });
    expect(service.resource("test_server:s")).toMatchObject({ config: { server: "x", password: "******" }, status: [{ is_alive: false }] });
    const c = kit.connected("c").publish("t");
    await turns(kit);
    expect([seen.length, service.rule(made.id)?.metrics.actions_dropped, rows(service, made).length]).toEqual([0, 1, 1]);
    await manager.load("test_provider");
    await turns(kit);
    expect(service.rule(made.id)).toMatchObject({ state: "running", reason: null });
    c.publish("t");
    await turns(kit);
    expect(seen).toHaveLength(1);
    expect(log).toEqual(["open x", "end all", "close x", "open x"]);
  });
});

describe("rules and resources are changed as a whole or not at all", () => {
  test("a rule's new actions cannot be opened: the old ones go on", async () => {
    const { service, kit } = await start();
    const made = await service.createRule(rule('SELECT topic FROM "t"', to("a")));
    for (const actions of [[to("x/#")], [{ name: "no:such" }], [to("ok"), to("a/+")]])
      await expect(service.updateRule(made.id, { actions })).rejects.toThrow();
    await expect(service.updateRule(made.id, { rawsql: "SELECT" })).rejects.toThrow(/^Bad Arguments: line 1, column/);
    const sub = kit.connected("sub").subscribe("a");
    sub.take();
    kit.connected("c").publish("t");
    await turns(kit);
    expect(sub.messages()).toHaveLength(1);
    const changed = await service.updateRule(made.id, { rawsql: 'SELECT topic FROM "u"', description: "d" });
    expect(changed).toMatchObject({
      id: made.id,
      topics: ["u"],
      description: "d",
      actions: [{ id: made.actions[0]?.id }],
      metrics: { matched: 1 },
    });
  });

  test("a resource that is replaced by one that cannot be: it stays; in use, it is not deleted", async () => {
    const { service, log } = await start();
    const config = { server: "x", password: "pw" };
    await service.createResource({ name: "s", type: "test_server", config });
    await expect(service.createResource({ name: "s", type: "test_server", config: { server: "bad", password: "pw" } })).rejects.toThrow(
      "Bad Arguments: such an address cannot be",
    );
    const made = await service.createRule(rule('SELECT * FROM "t"', { name: "test:send", params: { $resource: "test_server:s" } }));
    await expect(service.removeResource("test_server:s")).rejects.toThrow('Bad Arguments: {dependency_exists,{rule_name,<<"r">>}}');
    await expect(
      service.createResource({ name: "s", type: "test_server", config: { server: "evil", password: "******" } }),
    ).rejects.toThrow("server has changed");
    await service.createResource({ name: "s", type: "test_server", config: { server: "y", password: "pw" } });
    expect(service.rule(made.id)?.state).toBe("running");
    expect(log.filter((l) => l.startsWith("open"))).toEqual(["open x", "open y"]);
    expect(log.at(-1)).toBe("close x");
    await service.restartResource("test_server:s");
    await service.removeRule(made.id);
    await service.removeResource("test_server:s");
    expect(service.resource("test_server:s")).toBeUndefined();
    expect(await service.testResource({ type: "test_server", config: { server: "z", password: "typed" } })).toMatchObject([
      { why: "with typed" },
    ]);
  });

  test("they survive a restart; rows that cannot be read are told, kept, and can be deleted", async () => {
    const kit = new TestKit();
    const kv = kit.store.kv("plugin/emqx_rule_engine");
    const first = await start({ kit });
    await first.service.createResource({ name: "s", type: "test_server", config: { server: "x" } });
    const made = await first.service.createRule(rule('SELECT * FROM "t"', { name: "test:send", params: { $resource: "test_server:s" } }));
    await first.manager.unload("emqx_rule_engine");
    kv.set("rule/torn", '{"id": "to');
    kv.set("rule/old", JSON.stringify({ name: "old", rawsql: 'SELECT gone(1) FROM "t"', actions: [], for: null }));
    kv.set("resource/torn", "[]");
    await first.manager.load("emqx_rule_engine");
    const service = serviceOf(first);
    expect(service.rule(made.id)).toMatchObject({ name: "r", state: "running", actions: [{ id: made.actions[0]?.id }] });
    expect(service.rule("torn")).toMatchObject({ state: "broken", reason: expect.stringContaining("cannot be read") });
    expect(service.rule("old")).toMatchObject({ state: "broken", reason: expect.stringContaining("no function gone") });
    expect(service.resource("torn")).toMatchObject({ reason: expect.stringContaining("cannot be read") });
    expect(kv.get("rule/torn")).toBe('{"id": "to');
    await service.removeRule("torn");
    await service.removeResource("torn");
    expect([kv.get("rule/torn"), kv.get("resource/torn")]).toEqual([undefined, undefined]);
  });
});

test("export and import: the same again; a secret has to be typed; one mistake and nothing is changed", async () => {
  const a = await start();
  await a.service.createResource({ name: "s", type: "test_server", config: { server: "x", password: "pw" } });
  await a.service.createRule(rule('SELECT * FROM "t"', { name: "test:send", params: { $resource: "test_server:s" } }));
  const file = a.service.exported();
  expect(JSON.stringify(file)).not.toContain('"pw"');
  expect(await a.service.imported(file, true)).toMatchObject({
    applied: false,
    resources: { same: ["test_server:s"] },
    rules: { same: [file.rules[0]?.id] },
  });
  const b = await start();
  expect(await b.service.imported(file, false)).toMatchObject({ applied: false, secrets: [{ field: "password" }] });
  expect([...b.service.rules()]).toEqual([]);
  const typed = { ...file, resources: file.resources.map((r) => ({ ...r, config: { ...r.config, password: "again" } })) };
  const wrong = { ...typed, rules: [...file.rules, { ...file.rules[0], id: "other", rawsql: "SELECT nope(" }] };
  expect(await b.service.imported(wrong, false)).toMatchObject({ applied: false, errors: [{ where: "rules[2]" }] });
  expect([b.service.resources(), [...b.service.rules()]]).toEqual([[], []]);
  expect(await b.service.imported(typed, false)).toMatchObject({
    applied: true,
    rules: { create: [file.rules[0]?.id] },
    resources: { create: ["test_server:s"] },
  });
  expect(b.service.exported()).toEqual({ ...file, node: expect.any(String), exported_at_ms: expect.any(Number) });
  for (const bad of [null, [], {}, { version: 2 }, { version: 1, rules: {} }])
    await expect(b.service.imported(bad, false)).rejects.toThrow("Bad Arguments");
  expect(await b.service.imported({ version: 1, rules: [null, 5, { id: {} }], resources: [null, "x"] }, false)).toMatchObject({
    applied: false,
  });
});

test("a rule, and SQL that is tried, say what will hardly be meant, and nothing where there is nothing", async () => {
  const { service } = await start();
  const made = await service.createRule(rule('SELECT clientidd FROM "t/#"', INSPECT));
  const warnings = ["line 1, column 8: there is no column clientidd in message.publish (did you mean clientid?)"];
  expect([made.warnings, service.rule(made.id)?.warnings, made.state]).toEqual([warnings, warnings, "running"]);
  expect(await service.test({ rawsql: made.rawsql })).toMatchObject({ rows: [{}], error: null, warnings });
  const mended = await service.updateRule(made.id, { rawsql: 'SELECT clientid FROM "t/#"' });
  expect("warnings" in mended || "warnings" in (await service.test({ rawsql: mended.rawsql }))).toBe(false);
  const tried = await service.test({ rawsql: 'SELECT msg, big FROM "t/#"', sample: { payload: { msg: 1 } } });
  expect(tried.warnings).toEqual([
    "line 1, column 8: there is no column msg in message.publish (did you mean payload.msg?)",
    "line 1, column 13: there is no column big in message.publish (did you mean payload.big?)",
  ]);
});

test("whole numbers beyond 2^53 are tried with all of their digits", async () => {
  const { service } = await start();
  const tried = await service.test({
    rawsql: 'SELECT payload.id + 1 AS next, payload.list AS list FROM "t/#"',
    sample: { payload: '{"id":9007199254740993,"list":[12345678901234567890]}' },
    actions: [to("t/${next}", { payload_tmpl: "${list}" })],
  });
  expect(tried.rows).toEqual([{ next: "9007199254740994", list: ["12345678901234567890"] }]);
  expect(tried.actions[0]?.rendered).toMatchObject([{ target_topic: "t/9007199254740994", payload_tmpl: "[12345678901234567890]" }]);
});

test("a capture takes what comes, as a test takes it, and ends by itself", async () => {
  const { service, kit } = await start();
  expect(service.capture()).toBeNull();
  for (const bad of [{}, { topic: "a/#/b" }, { topic: "$events/nothing" }, { topic: "t", seconds: 31 }, { topic: "t", limit: 0 }])
    expect(() => service.startCapture(bad)).toThrow("Bad Arguments");
  service.startCapture({ topic: "t/#", seconds: 2, limit: 2 });
  const c = kit
    .connected("c")
    .publish("t/1", Buffer.from([0xff]))
    .publish("u")
    .publish("t/2", "{}")
    .publish("t/3");
  await turns(kit);
  const taken = service.capture();
  expect(taken?.running).toBe(false);
  expect(taken?.samples.map((s) => s.columns.topic)).toEqual(["t/1", "t/2"]);
  const [first] = taken?.samples ?? [];
  expect(await service.test({ rawsql: 'SELECT bin2hexstr(payload) AS hex FROM "t/#"', sample: first?.columns })).toMatchObject({
    rows: [{ hex: "FF" }],
  });
  service.startCapture({ topic: "$events/client_disconnected", seconds: 1 });
  c.send({ cmd: "disconnect" });
  await turns(kit);
  expect(service.capture()).toMatchObject({ running: true, seen: 1, samples: [{ event: "client.disconnected" }] });
  kit.pass(1100);
  expect(service.capture()?.running).toBe(false);
  expect(kit.hooks.at["client.disconnected"].some((h) => h.id.startsWith("emqx_rule_engine"))).toBe(false);
});

test("an event that makes many rows holds nobody up: each is a piece of work, and a turn of the event loop has some milliseconds", async () => {
  const { service, kit, seen, slow } = await start();
  await service.createResource({ name: "s", type: "test_server", config: { server: "x" } });
  const send = { name: "test:send", params: { $resource: "test_server:s" } };
  const many = await service.createRule(rule('FOREACH payload.a DO item AS n FROM "many"', send));
  const gone = await service.createRule(rule('FOREACH payload.a DO item AS gone FROM "many"', send));
  const one = await service.createRule(rule('SELECT topic FROM "one"', send));
  let most = 0;
  let inTurn = 0;
  slow(() => {
    kit.clock.time += 1;
    if (inTurn === 0)
      queueMicrotask(() => {
        inTurn = 0;
      });
    most = Math.max(most, ++inTurn);
  });
  kit
    .connected("c")
    .publish("many", JSON.stringify({ a: [...Array(20).keys()] }))
    .publish("one");
  for (let before = -1; before < seen.length; ) {
    before = seen.length;
    await turns(kit, 1);
    // In the middle of its rows: it does no more of them.
    if (seen.length >= 25 && service.rule(gone.id) !== undefined) await service.removeRule(gone.id);
  }
  expect(most).toBeLessThanOrEqual(5);
  const made = seen.map(({ row }) => row as { n?: number; gone?: number });
  expect(made.slice(0, 20)).toEqual([...Array(20).keys()].map((n) => ({ n })));
  expect(made.slice(20, -1).every((row) => row.gone !== undefined)).toBe(true);
  expect([made.length < 40, made.at(-1)]).toEqual([true, { topic: "one" }] as never);
  for (const { id } of [many, one]) expect(service.rule(id)?.metrics).toMatchObject({ matched: 1, passed: 1, failed: 0 });
});

test("a rule that is changed while it is at an event: what it has not done is counted as dropped, and the next event is looked at", async () => {
  const { service, kit, seen, slow } = await start();
  await service.createResource({ name: "s", type: "test_server", config: { server: "x" } });
  const send = { name: "test:send", params: { $resource: "test_server:s" } };
  const made = await service.createRule(rule('FOREACH payload.a DO item AS n FROM "many"', send));
  slow(() => {
    kit.clock.time += 1;
  });
  const payload = JSON.stringify({ a: [...Array(20).keys()] });
  kit.connected("c").publish("many", payload).publish("many", payload);
  for (let i = 0; seen.length === 0 && i < 100; i++) await turns(kit, 1);
  const had = seen.length;
  expect(had).toBeGreaterThan(0);
  expect(had).toBeLessThan(20);
  await service.updateRule(made.id, { description: "another" });
  await turns(kit, 30);
  const { metrics, actions } = service.rule(made.id) as RuleRow;
  expect(seen).toHaveLength(had + 20);
  expect(metrics).toMatchObject({ matched: 2, passed: 2, dropped: 0 });
  expect(actions[0]?.metrics).toMatchObject({ taken: 40, success: had + 20, dropped: 20 - had });
});

test("trying a FOREACH of many elements gives the event loop back in between", async () => {
  const { service, kit } = await start();
  let turnsMeanwhile = 0;
  const sample = { payload: JSON.stringify({ a: [...Array(200).keys()] }) };
  const mono = kit.clock.mono.bind(kit.clock);
  let asked = 0;
  // Every look at the clock finds a millisecond gone.
  kit.clock.mono = () => (mono() + asked++) as ReturnType<typeof mono>;
  const tried = service.test({ rawsql: 'FOREACH payload.a DO item AS n FROM "t"', sample });
  let isDone = false;
  void tried.then(() => {
    isDone = true;
  });
  for (let i = 0; !isDone && i < 1000; i++) {
    turnsMeanwhile++;
    await turns(kit, 1);
  }
  const { rows, error } = await tried;
  expect([rows?.length, error]).toEqual([100, null]);
  expect(turnsMeanwhile).toBeGreaterThan(20);
});

test("what waits is bounded: the oldest are given up and counted, and counted as memory meanwhile", async () => {
  const { service, kit } = await start({ settings: { "rule_engine.max_waiting": "10KB" } });
  const made = await service.createRule(rule('SELECT topic FROM "#"'));
  const c = kit.connected("c");
  for (let i = 0; i < 100; i++) c.publish(`t/${i}`, "x".repeat(200));
  expect(service.line().bytes).toBeLessThanOrEqual(10_240);
  expect(service.line().waiting).toBeGreaterThan(10);
  await turns(kit, 10);
  const m = service.rule(made.id)?.metrics as RuleRow["metrics"];
  expect(m.matched + m.dropped).toBe(100);
  expect(m.dropped).toBeGreaterThan(50);
  expect(service.line()).toMatchObject({ waiting: 0, bytes: 0, dropped: m.dropped });
});

test("what a client subscribes to counts as memory too, filter by filter", async () => {
  const { service, kit } = await start();
  await service.createRule(rule('SELECT topic FROM "$events/client_subscribe", "$events/client_unsubscribe"', INSPECT));
  const filters = Array.from({ length: 50 }, (_, i) => `${"x".repeat(1000)}/${i}`);
  const c = kit.connected("c");
  c.send({ cmd: "subscribe", messageId: 8, subscriptions: filters.map((topic) => ({ topic, qos: 0 })) });
  expect(service.line().bytes).toBeGreaterThan(50_000);
  c.send({ cmd: "unsubscribe", messageId: 9, unsubscriptions: filters });
  expect(service.line().bytes).toBeGreaterThan(100_000);
  await turns(kit);
  expect(service.line().bytes).toBe(0);
});

test("unloaded with events that wait: they are looked at first; loaded again, it goes on", async () => {
  const { service, kit, manager } = await start();
  const made = await service.createRule(rule('SELECT topic FROM "t"', to("out")));
  const sub = kit.connected("sub").subscribe("out");
  sub.take();
  const c = kit.connected("c").publish("t");
  await manager.unload("emqx_rule_engine");
  await turns(kit);
  expect(sub.messages()).toHaveLength(1);
  c.publish("t");
  await manager.load("emqx_rule_engine");
  c.publish("t");
  await turns(kit);
  expect(sub.messages()).toHaveLength(1);
  expect((manager.service("emqx_rule_engine") as RuleEngineService).rule(made.id)?.metrics.matched).toBe(1);
});
