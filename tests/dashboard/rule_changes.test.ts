// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
/** A rule in the editor that is changed, begun anew or deleted: statements that are written for it, and what is asked before something is lost. */
import { describe, expect, test } from "bun:test";
import type { RuleRow } from "../../dashboard/src/api/client.ts";
import { createRuleEditor } from "../../dashboard/src/models/rule_editor.ts";
import { RULE_STARTS } from "../../dashboard/src/models/rule_starts.ts";
import { createRules } from "../../dashboard/src/models/rules.ts";
import { waitingOf } from "../../dashboard/src/models/waiting_rows.ts";
import { connectors } from "../../server/plugins/_connectors/index.ts";
import { builtinKinds } from "../../server/plugins/rule_engine/builtin.ts";
import { webHookKinds } from "../../server/plugins/web_hook/actions.ts";
import { until } from "../support/until.ts";
import { loggedIn, settle, type World } from "./support.ts";

async function begin(id: string | null, start = "", w?: World) {
  const found = w ?? (await loggedIn());
  const model = createRuleEditor(found.app, id, start);
  await settle();
  const statement = (at = 0): unknown => model.draft.value.actions[at]?.params.sql;
  return { ...found, model, statement };
}
const first = async ({ app }: Pick<World, "app">): Promise<RuleRow> => (await app.api.rules({})).rows[0] as RuleRow;

describe("a ready-made statement", () => {
  test("has the fields of the SQL as it stands, without any trial", async () => {
    const { model, statement, broker } = await begin(null);
    model.edit({ sql: 'SELECT clientid AS device, qos FROM "t"' });
    model.addAction("data_to_pgsql");
    await settle();
    expect(statement()).toBe("INSERT INTO readings (device, qos)\nVALUES (${device}, ${qos})");
    expect(broker.requests.filter((r) => r === "POST /rules/test").length).toBe(1);
    model.dispose();
  });

  test("of SQL that was changed since the last trial has no field of before, and one whose WHERE says no has all", async () => {
    const { model, statement } = await begin(null, "threshold");
    await until(() => model.trial.result.value?.rows?.length === 1);
    model.edit({ sql: 'SELECT topic AS place FROM "t" WHERE qos > 99' });
    model.addAction("data_to_pgsql");
    await settle();
    expect(statement(1)).toBe("INSERT INTO readings (place)\nVALUES (${place})");
    await until(() => model.trial.result.value?.rows?.length === 0 && !model.trial.busy.value);
    model.addAction("data_to_pgsql");
    expect(statement(2)).toBe(statement(1));
    model.dispose();
  });

  test("waits while the SQL is wrong, and leaves alone what somebody types meanwhile", async () => {
    const { model, statement } = await begin(null);
    model.edit({ sql: "SELEC" });
    model.addAction("data_to_pgsql");
    model.addAction("data_to_pgsql");
    await settle();
    expect([statement(0), statement(1), model.trial.fieldsNow.value]).toEqual([undefined, undefined, null]);
    const { key = "", params } = model.draft.value.actions[1] ?? {};
    model.setAction(key, { params: { ...params, sql: "my own" } });
    model.edit({ sql: 'SELECT qos FROM "t"' });
    await until(() => statement(0) !== undefined);
    expect([statement(0), statement(1)]).toEqual(["INSERT INTO readings (qos)\nVALUES (${qos})", "my own"]);
    model.dispose();
  });
});

describe("a beginning", () => {
  test("names kinds of actions that there are, also where nothing but the rule engine runs", () => {
    const ports = {} as Parameters<typeof builtinKinds>[0];
    const builtIn = builtinKinds(ports).actions ?? [];
    const kinds = new Set(
      [...builtIn, ...connectors({ files: () => "" }).actions, ...(webHookKinds("n").actions ?? [])].map((k) => k.name),
    );
    for (const start of RULE_STARTS) {
      expect([start.id, start.actions.filter((name) => !kinds.has(name))]).toEqual([start.id, []]);
      expect(start.actions.some((name) => builtIn.some((k) => k.name === name))).toBe(true);
    }
  });

  test("takes the place of another one at once where nothing was typed", async () => {
    const { model, app } = await begin(null, "threshold");
    await model.begin("offline");
    await settle();
    expect(model.draft.value).toMatchObject({ name: "device went offline", actions: [{ name: "web_hook:event_action" }] });
    expect([model.dirty.value, model.trial.sample.value.reason]).toEqual([false, "keepalive_timeout"]);
    expect(app.router.place.value).toEqual({ path: ["rules", "new"], query: { start: "offline" } });
    await model.begin("");
    expect([model.draft.value.name, model.draft.value.actions, app.router.place.value.query]).toEqual(["", [], {}]);
    model.dispose();
  });

  test("takes the place of typed text only when that is agreed to; then that is gone", async () => {
    const { model, app } = await begin(null, "threshold");
    model.edit({ sql: 'SELECT qos FROM "mine"' });
    const no = model.begin("every");
    expect(app.notices.question.value?.text).toContain("lost");
    app.notices.answer(false);
    await no;
    expect([model.draft.value.sql, app.router.place.value.query.start]).toEqual(['SELECT qos FROM "mine"', undefined]);
    const yes = model.begin("threshold");
    app.notices.answer(true);
    await yes;
    await settle();
    expect([model.dirty.value, model.draft.value.name]).toEqual([false, "temperature above 30"]);
    expect(model.draft.value.sql).toContain('FROM "sensors/#"');
    expect(model.draft.value.actions).toMatchObject([{ name: "data_to_pgsql", params: { sql: expect.stringContaining("temperature") } }]);
    model.dispose();
  });

  test("asks before a typed example is lost, too", async () => {
    const { model, app } = await begin(null, "threshold");
    model.trial.setColumn("payload", '{"temperature": 99}');
    const asked = model.begin("every");
    app.notices.answer(false);
    await asked;
    expect(model.trial.sample.value.payload).toBe('{"temperature": 99}');
    model.dispose();
  });

  test("is as it says, whatever was made of it before", async () => {
    const w = await loggedIn();
    const before = await begin(null, "every", w);
    before.model.edit({ name: "mine" });
    before.model.dispose();
    const { model } = await begin(null, "threshold", w);
    await model.begin("every");
    expect([model.draft.value.name, model.resumed.value]).toEqual(["every message", false]);
    model.dispose();
  });
});

describe("what waits", () => {
  test("is counted for a rule, rows and dead letters", async () => {
    const rule = await first(await loggedIn());
    expect(waitingOf(rule.actions)).toEqual({ rows: 12, letters: 1 });
    expect(waitingOf([])).toEqual({ rows: 0, letters: 0 });
  });

  test("is named before its rule is deleted", async () => {
    const { app } = await loggedIn();
    const model = createRules(app);
    const asked = model.remove(await first({ app }));
    expect(app.notices.question.value?.text).toBe(
      "12 rows wait to be delivered and will be lost. 1 dead letter will be lost. Its figures and errors go with it.",
    );
    app.notices.answer(false);
    expect(await asked).toBe(false);
    model.dispose();
  });

  test("is named before a rule is saved without the action that it waits for, and only then", async () => {
    const w = await loggedIn();
    const { model, app, broker } = await begin((await first(w)).id, "", w);
    const [action] = model.draft.value.actions;
    model.edit({ name: "hot" });
    expect(await model.save()).toBe(true);
    model.replaceAction(action?.key ?? "", "built_in:inspect_action");
    const no = model.save();
    expect(app.notices.question.value?.text).toContain("12 rows wait to be delivered and will be lost.");
    app.notices.answer(false);
    expect([await no, model.dirty.value, model.saving.value]).toEqual([false, true, false]);
    const yes = model.save();
    app.notices.answer(true);
    expect(await yes).toBe(true);
    expect(broker.requests.filter((r) => r.startsWith("PUT /rules/")).length).toBe(2);
    model.dispose();
  });
});
