/** What the pages of rules and resources do: the list, the editor with its playground, dead letters, import, forms of resources. */
import { describe, expect, test } from "bun:test";
import type { RuleRow } from "../../dashboard/src/api/client.ts";
import { ApiError } from "../../dashboard/src/api/transport.ts";
import { actionOf, defaultsOf, faultOf, isMain, missingParams, type Specs, sentParams, typesOf } from "../../dashboard/src/lib/params.ts";
import { createDeadLetters } from "../../dashboard/src/models/dead_letters.ts";
import { createResourceForm, createResources, freeName } from "../../dashboard/src/models/resources.ts";
import { createRuleEditor, type RuleEditorModel } from "../../dashboard/src/models/rule_editor.ts";
import { topicFor } from "../../dashboard/src/models/rule_trial.ts";
import { createImport, createRules, oneLine, withSecrets } from "../../dashboard/src/models/rules.ts";
import { until } from "../support/until.ts";
import { loggedIn, settle, type World } from "./support.ts";

const specs: Specs = {
  $resource: { type: "string", required: true, title: "Resource", description: "" },
  server: { type: "string", default: "127.0.0.1:5432", title: "Server", description: "" },
  database: { type: "string", required: true, title: "Database", description: "" },
  pool: { type: "number", default: 8, title: "Pool", description: "" },
  pool_size: { type: "number", default: 8, title: "Pool", description: "" },
  password: { type: "string", default: "", secret: true, title: "Password", description: "" },
};

describe("parameters", () => {
  test("what a form begins with, asks for, and sends", () => {
    expect(defaultsOf(specs)).toEqual({ server: "127.0.0.1:5432", pool: 8, pool_size: 8, password: "" });
    expect(Object.keys(specs).filter((n) => isMain(n, specs[n] as Specs[string]))).toEqual(["$resource", "server", "database", "password"]);
    expect(missingParams({ $resource: "x" }, specs)).toEqual(["database"]);
    expect(sentParams({ server: "", database: "d", pool: "", password: "", more: undefined, own: 1 }, specs)).toEqual({
      server: "",
      database: "d",
      own: 1,
    });
  });

  test("which of them an error speaks of", () => {
    const table: [string, string | null][] = [
      ["Bad Arguments: database is missing: The database", "database"],
      ["Bad Arguments: pool_size must be a number", "pool_size"],
      ["Bad Arguments: actions[2]: server = x: expected a host", "server"],
      ["Bad Arguments: serverless", null],
      ["the disk is full", null],
    ];
    for (const [message, field] of table) expect([message, faultOf(message, specs)?.field ?? null]).toEqual([message, field]);
    expect([actionOf("Bad Arguments: actions[2]: x"), actionOf("Bad Arguments: x")]).toEqual([1, null]);
  });

  test("resources that will do", () => {
    const kind = { types: ["redis"] };
    expect([
      typesOf({ ...kind, params: {} }),
      typesOf({ ...kind, params: specs }),
      typesOf({ ...kind, params: specs, types: ["a", "b"] }),
    ]).toEqual([[], ["redis"], ["a", "b"]]);
  });
});

describe("the list", () => {
  const open = async () => {
    const w = await loggedIn();
    const model = createRules(w.app);
    await settle();
    const rule = model.table.rows.value?.[0] as RuleRow;
    return { ...w, model, rule };
  };

  test("a page of those that are looked for, by a word and how they really are", async () => {
    const { model, rule, app, broker } = await open();
    expect(rule.condition).toBe("failing");
    expect(broker.requests.at(-1)).toBe("GET /rules?_page=1&_limit=50");
    const found = async (q: string, state: string): Promise<number> => {
      app.router.patch({ q, state });
      await settle();
      return model.table.count.value;
    };
    expect([
      await found("PLANT-1", ""),
      await found("data_to_pg", ""),
      await found("nothing", ""),
      await found("", "failing"),
      await found("", "disabled"),
    ]).toEqual([1, 1, 0, 1, 0]);
    expect(broker.requests.at(-1)).toContain("condition=disabled");
    model.dispose();
  });

  test("SQL in one line, without what is only said of it", () => {
    expect([oneLine("-- why\n\nSELECT a\nFROM b"), oneLine("SELECT\n  a,\n  b FROM c"), oneLine("")]).toEqual([
      "SELECT a FROM b",
      "SELECT a, b FROM c",
      "",
    ]);
  });

  test("the last page has gone with its last rule: the one before is shown", async () => {
    const w = await loggedIn("#/rules?page=2&limit=1");
    const { rawsql } = (await w.app.api.rules({})).rows[0] as RuleRow;
    const second = await w.app.api.createRule({ name: "second", description: "", rawsql, actions: [], enabled: true });
    const model = createRules(w.app);
    await settle();
    expect(model.table.rows.value?.map((r) => r.id)).toEqual([second.id]);
    const yes = model.remove(second);
    w.app.notices.answer(true);
    await yes;
    await settle();
    expect([model.table.page.value, model.table.rows.value?.map((r) => r.name)]).toEqual([1, ["temperature above 30"]]);
    model.dispose();
  });

  test("switched off and on, deleted only when asked for", async () => {
    const { model, rule, app } = await open();
    await model.toggle(rule);
    expect(model.table.rows.value?.[0]).toMatchObject({ enabled: false, state: "disabled" });
    const no = model.remove(rule);
    app.notices.answer(false);
    expect([await no, model.table.count.value]).toEqual([false, 1]);
    const yes = model.remove(rule);
    app.notices.answer(true);
    expect([await yes, model.table.count.value]).toEqual([true, 0]);
    model.dispose();
  });
});

describe("import", () => {
  const file = (value: unknown) => ({ name: "rules.json", text: async () => (typeof value === "string" ? value : JSON.stringify(value)) });

  test("what would change is shown; secrets are typed; then all of it is there", async () => {
    const { app, broker } = await loggedIn();
    const exported = await app.api.exportRules();
    const model = createImport(app);
    await model.read(file("no json"));
    expect(model.error.value).toContain("no JSON");
    await model.read(file({ version: 2 }));
    expect(model.error.value).toContain("version must be 1");
    await model.read(file(exported));
    expect(model.plan.value?.rules).toMatchObject({ create: [], same: [exported.rules[0]?.id] });
    const [rule] = exported.rules;
    const [store] = exported.resources;
    const other = { ...exported, rules: [{ ...rule, id: "new:1", name: "new" }], resources: [{ ...store, id: "pgsql:b", name: "b" }] };
    await model.read(file(other));
    expect(model.plan.value).toMatchObject({
      applied: false,
      rules: { create: ["new:1"] },
      secrets: [{ where: "resources[1] pgsql:b", field: "password" }],
    });
    expect((await app.api.rules({})).count).toBe(1);
    model.setSecret("resources[1] pgsql:b", "password", "s3cret");
    await model.check();
    expect(model.plan.value?.secrets).toEqual([]);
    expect(await model.apply()).toBe(true);
    expect((await app.api.rules({})).rows.map((r) => r.id)).toContain("new:1");
    expect(broker.requests.filter((r) => r.includes("rules_import?dry_run=false")).length).toBe(1);
  });

  test("a secret goes where the broker says, and the file stays as it is", () => {
    const given = {
      resources: [{ config: { a: 1 } }, { config: {} }],
      rules: [{ actions: [{ params: { url: "http://u:******@h/" } }, { params: {} }] }],
    };
    const before = structuredClone(given);
    expect(
      withSecrets(given, { "resources[2] x:y z password": "p", "rules[1] r:1 url": "http://u:p@h/", "rules[9] r token": "t", odd: "o" }),
    ).toEqual({
      resources: [{ config: { a: 1 } }, { config: { password: "p" } }],
      rules: [{ actions: [{ params: { url: "http://u:p@h/" } }, { params: {} }] }],
    });
    expect(given).toEqual(before);
    expect(withSecrets(null, { "resources[1] x y": "p" })).toBeNull();
  });
});

describe("the editor", () => {
  const tried = (model: RuleEditorModel, sql: string) =>
    until(() => model.trial.busy.value === false && model.draft.value.sql === sql && model.trial.result.value !== null);

  async function begin(id: string | null, start = "", w?: World) {
    const found = w ?? (await loggedIn());
    const model = createRuleEditor(found.app, id, start);
    await settle();
    return { ...found, model };
  }
  const firstId = async ({ app }: Pick<World, "app">): Promise<string> => (await app.api.rules({})).rows[0]?.id ?? "";

  test("a beginning is whole: example that passes, action, resource, statement; saved in one step", async () => {
    const { model, app } = await begin(null, "threshold");
    const [action] = model.draft.value.actions;
    expect(action).toMatchObject({ name: "data_to_pgsql", params: { $resource: "pgsql:warehouse" } });
    expect(String(action?.params.sql)).toContain("INSERT INTO readings (clientid, topic, temperature, timestamp)");
    expect(model.dirty.value).toBe(false);
    await tried(model, model.draft.value.sql);
    expect(model.trial.result.value?.rows).toMatchObject([{ clientid: "s1", temperature: 31.5 }]);
    expect(await model.save()).toBe(true);
    expect(app.router.place.value.path[0]).toBe("rules");
    const id = app.router.place.value.path[1] ?? "";
    expect(await app.api.rule(id)).toMatchObject({ name: "temperature above 30", enabled: true });
    model.dispose();
    // Its page goes on with the example.
    const saved = createRuleEditor(app, id, "");
    await settle();
    expect(saved.trial.sample.value.payload).toContain("31.5");
    saved.dispose();
  });

  test("the playground answers while one types: does not pass, passes, is wrong", async () => {
    const { model } = await begin(null, "threshold");
    await tried(model, model.draft.value.sql);
    model.trial.setColumn("payload", '{"temperature": 3}');
    await until(() => model.trial.result.value?.rows?.length === 0);
    model.edit({ sql: "SELEC *" });
    await until(() => model.trial.result.value?.error?.line === 1);
    expect(model.trial.result.value?.error).toMatchObject({ column: 1, length: 5 });
    model.dispose();
  });

  test("the example follows the filter until somebody types a topic; then it is told that the rule does not see it", async () => {
    const { model } = await begin(null);
    model.edit({ sql: 'SELECT * FROM "a/+/b"' });
    expect([model.trial.sample.value.topic, model.trial.unseen.value]).toEqual(["a/1/b", false]);
    model.trial.setColumn("topic", "x");
    expect(model.trial.unseen.value).toBe(true);
    model.edit({ sql: 'SELECT * FROM "$events/client_connected"' });
    expect([model.trial.hasPayload.value, model.trial.sample.value.payload, model.trial.unseen.value]).toEqual([false, undefined, false]);
    expect([topicFor("#"), topicFor("a/+/#"), topicFor("$share/g/a/+")]).toEqual(["a", "a/1/a", "a/1"]);
    model.dispose();
  });

  test("a real message is taken as the example", async () => {
    const { model, broker } = await begin(null, "threshold");
    await model.trial.capture.start();
    await until(() => model.trial.capture.row.value?.running === false);
    expect(broker.requests).toContain("POST /rules/capture");
    model.trial.capture.take(0);
    expect(model.trial.sample.value).toMatchObject({ topic: "plant-1/line-a/temperature", payload: '{"value": 31.2}' });
    model.trial.setColumn("payload", "x");
    expect(model.trial.sample.value).toMatchObject({ topic: "plant-1/line-a/temperature", payload: "x" });
    model.dispose();
  });

  test("changes survive a look elsewhere, are discarded or saved; actions keep their ids", async () => {
    const w = await loggedIn();
    const id = await firstId(w);
    const first = await begin(id, "", w);
    first.model.edit({ name: "hotter" });
    first.model.addAction("built_in:inspect_action");
    expect(first.model.dirty.value).toBe(true);
    first.model.dispose();
    const again = await begin(id, "", w);
    expect([again.model.draft.value.name, again.model.resumed.value, again.model.draft.value.actions.length]).toEqual(["hotter", true, 2]);
    expect(await again.model.save()).toBe(true);
    expect([again.model.dirty.value, again.model.row.value?.actions[0]?.id]).toEqual([false, "data_to_pgsql_1"]);
    again.model.edit({ name: "x" });
    again.model.discard();
    expect([again.model.dirty.value, again.model.draft.value.name]).toEqual([false, "hotter"]);
    again.model.dispose();
  });

  test("a refusal says why and loses nothing", async () => {
    const { model, broker } = await begin(null, "rewrite");
    const [action] = model.draft.value.actions;
    model.setAction(action?.key ?? "", { params: {} });
    expect(await model.save()).toBe(false);
    expect(model.refused.value?.message).toBe("Bad Arguments: actions[1]: target_topic is missing");
    expect(actionOf(model.refused.value?.message ?? "")).toBe(0);
    broker.fail = new ApiError("network", "gone", 0);
    expect([await model.save(), model.refused.value?.kind, model.draft.value.name]).toEqual([false, "network", "other form"]);
    model.dispose();
  });

  test("another kind in an action's place, and none", async () => {
    const { model } = await begin(null, "threshold");
    const key = model.draft.value.actions[0]?.key ?? "";
    model.replaceAction(key, "built_in:republish_action");
    expect(model.draft.value.actions).toMatchObject([{ name: "built_in:republish_action", params: { target_qos: -1 } }]);
    model.removeAction(model.draft.value.actions[0]?.key ?? "");
    expect(model.draft.value.actions).toEqual([]);
    model.dispose();
  });
});

describe("dead letters", () => {
  test("chosen, sent again, and gone from the list; deleted only when asked for", async () => {
    const { app } = await loggedIn();
    const id = (await app.api.rules({})).rows[0]?.id ?? "";
    const model = createDeadLetters(app, { rule: id, action: "data_to_pgsql_1" });
    await settle();
    model.selectAll(true);
    expect([...model.selected.value]).toEqual([1]);
    const asked = model.remove();
    app.notices.answer(false);
    await asked;
    expect(model.list.data.value?.length).toBe(1);
    await model.resend();
    expect([model.list.data.value?.length, model.selected.value.size]).toEqual([0, 0]);
    model.dispose();
  });

  test("of a plugin the same: page by page, what is chosen stays so on another page, and is chosen no more when it has gone", async () => {
    const { app, broker } = await loggedIn();
    const plugin = (await app.api.plugins())[0]?.plugins.find((p) => p.status?.dead_letters != null);
    expect([plugin?.name, plugin?.status?.dead_letters]).toEqual(["emqx_web_hook", 12]);
    const model = createDeadLetters(app, { plugin: plugin?.name ?? "" });
    await settle();
    expect([model.count.value, model.shown.value.map((l) => l.id).slice(0, 2), model.pages.value]).toEqual([12, [12, 11], 2]);
    model.select(12, true);
    model.setPage(2);
    model.select(1, true);
    expect([[...model.selected.value], model.shown.value.map((l) => l.id)]).toEqual([
      [12, 1],
      [2, 1],
    ]);
    const asked = model.remove();
    app.notices.answer(true);
    await asked;
    expect(broker.requests).toContain("DELETE /web_hook/dead_letters");
    expect([model.count.value, model.selected.value.size, model.page.value]).toEqual([10, 0, 1]);
    model.selectAll(true);
    await app.api.deleteLetters({ plugin: "emqx_web_hook" }, [2]);
    await model.list.refresh();
    expect(model.selected.value.size).toBe(9);
    model.dispose();
  });

  test("not all that were chosen are sent again: the queue has no room for more, or others have taken them meanwhile", async () => {
    const { app } = await loggedIn();
    const keeper = { plugin: "emqx_web_hook" };
    const model = createDeadLetters(app, keeper);
    await settle();
    const { resendLetters: resend, deleteLetters: remove } = app.api;
    /** All that are there are chosen, `taken` of them go otherwise before the others are sent, and there is room for `room`. */
    async function told(taken: number, room: number): Promise<unknown[]> {
      model.selectAll(true);
      app.api.resendLetters = async (of, ids) => {
        await remove(of, ids.slice(0, taken));
        return resend(of, ids.slice(taken, taken + room));
      };
      await model.resend();
      const toast = app.notices.toasts.value.at(-1);
      return [toast?.tone, toast?.text, model.count.value];
    }
    expect(await told(0, 0)).toEqual(["bad", "Sent again: 0 of 12. The queue has no room for more.", 12]);
    expect(await told(1, 4)).toEqual(["ok", "Sent again: 4 of 12. The queue has no room for more.", 7]);
    expect(await told(5, 9)).toEqual(["ok", "2 are sent again", 0]);
    model.dispose();
  });
});

describe("resources", () => {
  test("made, tried, changed without its secret, not deleted while a rule uses it", async () => {
    const { app, broker } = await loggedIn();
    const list = createResources(app);
    await settle();
    const types = list.types.data.value ?? [];
    expect(types.map((k) => k.name)).toEqual(["pgsql", "web_hook"]);
    const taken = new Set(list.list.data.value?.map((r) => r.id));
    const form = createResourceForm(app, types, null, new Set([...taken, "pgsql:pgsql"]));
    expect([form.type.value, form.name.value]).toEqual(["pgsql", "pgsql-2"]);
    form.choose("web_hook");
    expect([form.name.value, form.config.value.method]).toEqual(["web_hook", "POST"]);
    await form.test();
    expect([form.steps.value, form.error.value?.message]).toEqual([null, "Bad Arguments: url is missing"]);
    form.config.value = { ...form.config.value, url: "http://127.0.0.1/" };
    await form.test();
    expect(form.steps.value).toMatchObject([{ verdict: "ok" }]);
    expect(await form.save()).toMatchObject({ id: "web_hook:web_hook" });
    await list.list.refresh();
    const warehouse = list.list.data.value?.find((r) => r.id === "pgsql:warehouse");
    if (!warehouse) throw new Error("no warehouse");
    expect([warehouse.config.password, warehouse.used_by]).toEqual(["******", ["temperature above 30"]]);
    const edit = createResourceForm(app, types, warehouse, taken);
    expect(edit.existing).toBe(true);
    await edit.save();
    expect(broker.requests.filter((r) => r === "POST /resources").length).toBe(2);
    const removing = list.remove(warehouse);
    app.notices.answer(true);
    await removing;
    expect(app.notices.toasts.value.at(-1)?.tone).toBe("bad");
    expect(list.list.data.value?.some((r) => r.id === "pgsql:warehouse")).toBe(true);
    list.dispose();
  });

  test("a name that nobody has", () => {
    expect([freeName("a", new Set()), freeName("a", new Set(["a:a", "a:a-2"])), freeName("a", new Set(["b:a"]))]).toEqual([
      "a",
      "a-3",
      "a",
    ]);
  });
});
