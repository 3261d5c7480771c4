/** What the pages of the access chain and of a plugin say and do. */
import { describe, expect, test } from "bun:test";
import type { AccessStep, AccessView } from "../../dashboard/src/api/client.ts";
import { ApiError } from "../../dashboard/src/api/transport.ts";
import { belongsTo, isInert, isLong, keyOf, prefixOf, sent, suggestions, wrongKeys } from "../../dashboard/src/lib/config_keys.ts";
import { warningsOf, warningsOfPlugin } from "../../dashboard/src/models/access_warnings.ts";
import { createExplain } from "../../dashboard/src/models/explain.ts";
import { createPluginConfig } from "../../dashboard/src/models/plugin_config.ts";
import { loggedIn, server, settle, status } from "./support.ts";

const VERDICTS = { allowed: 0, denied: 0, ignored: 0, errors: 0 };

function step(name: string, given: Partial<AccessStep> = {}): AccessStep {
  return {
    step: name,
    plugin: name,
    description: "",
    failures: 0,
    on_error: "ignore",
    while_down: "ignore",
    asks_topics: true,
    status: status({ servers: [server()], authentication: VERDICTS, acl: VERDICTS }),
    ...given,
  };
}

/** `acl`: the steps as they stand in the other half. */
function viewOf(steps: AccessStep[], warnings: AccessView["warnings"], acl = steps): AccessView {
  const zone = (name: string, allow_anonymous: boolean): AccessView["zones"][number] => ({
    zone: name,
    allow_anonymous,
    acl_nomatch: "allow",
    acl_deny_action: "ignore",
    enable_acl: true,
    enable_ban: true,
    enable_flapping_detect: false,
  });
  return { node: "n", authentication: steps, acl, zones: [zone("external", true), zone("internal", false)], warnings };
}

describe("what lets strangers in", () => {
  const told = [
    { what: "unknown", zone: "external" },
    { what: "ignored_errors", zone: "external" },
  ] as const;

  const http = { logins: step("emqx_auth_http", { while_down: "deny" }), topics: step("emqx_auth_http") };
  const of = (name: string, on_error_of: "all" | "topics" | null = "all") => ({ name, on_error_of });

  test("a server that is down lets log-ins by with most, with the web service topics only", () => {
    expect(warningsOf(viewOf([step("emqx_auth_mysql")], [...told]))).toEqual([
      { what: "ignored_errors", zones: ["external"] },
      { what: "unknown", zones: ["external"] },
    ]);
    expect(warningsOf(viewOf([http.logins], [told[0]], [http.topics]))).toEqual([
      { what: "ignored_topics", zones: ["external", "internal"] },
      { what: "unknown", zones: ["external"] },
    ]);
    const refuses = step("emqx_auth_mysql", { while_down: "deny" });
    expect(warningsOf(viewOf([refuses], [told[0]]))).toEqual([{ what: "unknown", zones: ["external"] }]);
  });

  test("a plugin's page says the same, of what stands in the form", () => {
    const user = step("emqx_auth_username", { on_error: null, while_down: null });
    const view = viewOf([step("emqx_auth_mysql"), http.logins, user], [...told]);
    expect(warningsOfPlugin(view, of("emqx_auth_mysql"), "ignore")).toEqual([{ what: "ignored_errors", zones: ["external"] }]);
    expect(warningsOfPlugin(view, of("emqx_auth_mysql"), "deny")).toEqual([]);
    expect(warningsOfPlugin(view, of("emqx_auth_http", "topics"), "ignore")).toEqual([
      { what: "ignored_topics", zones: ["external", "internal"] },
    ]);
    expect(warningsOfPlugin(view, of("emqx_auth_username", null), null)).toEqual([{ what: "unknown", zones: ["external"] }]);
    // One that does not run is judged as if.
    expect(warningsOfPlugin(view, of("emqx_auth_redis"), "ignore")).toEqual([{ what: "ignored_errors", zones: ["external"] }]);
    expect(warningsOfPlugin(viewOf([], [...told]), of("emqx_auth_http", "topics"), "ignore")).toEqual([
      { what: "ignored_topics", zones: ["external", "internal"] },
    ]);
  });

  test("scripts: they can fail, where one of them is asked", () => {
    const scripts = step("emqx_lua_hook", { status: status({ authentication: VERDICTS }) });
    expect(warningsOfPlugin(viewOf([scripts], [...told]), of("emqx_lua_hook"), "ignore")).toEqual([
      { what: "ignored_errors", zones: ["external"] },
    ]);
    expect(warningsOfPlugin(viewOf([], [...told]), of("emqx_lua_hook"), "ignore")).toEqual([]);
  });

  test("tokens that no server is asked about: nothing can be down", () => {
    const jwt = step("emqx_auth_jwt", { while_down: null, status: status({ authentication: VERDICTS }) });
    const view = viewOf([jwt], [told[0]]);
    expect(warningsOf(view)).toEqual([{ what: "unknown", zones: ["external"] }]);
    expect(warningsOfPlugin(view, of("emqx_auth_jwt"), "ignore")).toEqual([]);
  });

  test("a web service that is not asked about topics lets nobody by with them", () => {
    expect(warningsOf(viewOf([http.logins], [], [step("emqx_auth_http", { asks_topics: false })]))).toEqual([]);
  });
});

test("rules that leave everything open: said once for the zones that have them, and of what", () => {
  const both = ["publish", "subscribe"] as const;
  const view = viewOf(
    [],
    [
      { what: "no_rule", zone: "external", actions: ["subscribe"] },
      { what: "open_rules", zone: "external", actions: [...both] },
      { what: "open_rules", zone: "internal", actions: [...both] },
    ],
  );
  expect(warningsOf(view)).toEqual([
    { what: "open_rules", zones: ["external", "internal"], actions: both },
    { what: "no_rule", zones: ["external"], actions: ["subscribe"] },
  ]);
});

test("a question is kept with its answer: the form may say something else meanwhile", async () => {
  const { app } = await loggedIn();
  const model = createExplain(app);
  await model.run({ client_id: "c", action: "publish", topic: "a/b" });
  expect(model.asked.value?.topic).toBe("a/b");
  expect(model.result.value?.acl?.allow).toBe(true);
});

describe("keys of a form", () => {
  const row = (key: string, given: object = {}) => ({
    key,
    value: "",
    desc: "",
    required: false,
    type: "text",
    default: "",
    doc: "",
    origin: "default" as const,
    live: true,
    ...given,
  });

  test("names that stand for many", () => {
    expect([keyOf("a.header.$name", "x-key"), keyOf("a.$n.topic", "2"), keyOf("a.$n.topic", "x"), keyOf("a.$name", "b.c")]).toEqual([
      "a.header.x-key",
      "a.2.topic",
      null,
      null,
    ]);
    expect([
      belongsTo("a.$n.topic", "a.2.topic"),
      belongsTo("a.$name", "a.b.c"),
      belongsTo("a.$name", "a.$name"),
      prefixOf("a.$name"),
    ]).toEqual([true, false, false, "a."]);
  });

  test("an answer that refuses names the keys, each what is wrong with it", () => {
    const keys = ["auth.x.pool", "auth.x.pool_size", "auth.x.server"];
    expect(wrongKeys("auth.x.pool_size = many: expected a whole number", keys)).toEqual({ "auth.x.pool_size": "expected a whole number" });
    expect(wrongKeys("emqx_auth_x does not run with it: auth.x.server: no such host; auth.x.pool = 0: expected 1 to 9", keys)).toEqual({
      "auth.x.server": "no such host",
      "auth.x.pool": "expected 1 to 9",
    });
    expect(wrongKeys("the disk is full", keys)).toEqual({});
  });

  test("what was emptied, what is long, what has choices, what is without effect", () => {
    expect([sent(row("a", { default: "root" }), ""), sent(row("a", { type: "integer", default: "8" }), "")]).toEqual(["", "8"]);
    expect([isLong(row("a", { default: "select password from mqtt_user where x" })), isLong(row("a", { value: "short" }))]).toEqual([
      true,
      false,
    ]);
    expect(suggestions(row("auth.mysql.password_hash"))).toContain("salt,sha256");
    expect(suggestions(row("auth.user.password_hash", { enum: ["plain"] }))).toEqual([]);
    expect([isInert(row("a", { doc: "A file. Without effect: the driver does it." })), isInert(row("a", { doc: "A file." }))]).toEqual([
      true,
      false,
    ]);
  });
});

describe("settings of a plugin", () => {
  const open = async (name: string) => {
    const { app, broker } = await loggedIn();
    const model = createPluginConfig(app, "emqx@127.0.0.1", name);
    await settle();
    const stored = (key: string) => broker.state.configs.get(name)?.find((r) => r.key === key);
    const row = (key: string) => {
      const found = model.rows.data.value?.find((r) => r.key === key);
      if (!found) throw new Error(`no row ${key}`);
      return found;
    };
    return { app, broker, model, stored, row };
  };

  test("only what was changed is sent; a value that is refused is told where it stands; undo takes it back", async () => {
    const { app, broker, model, stored, row } = await open("emqx_retainer");
    const key = "retainer.max_retained_messages";
    model.edit(row(key), "many");
    await model.save();
    expect(model.wrong.value[key]).toContain("expected an integer");
    expect([model.dirty.value, app.notices.toasts.value.length]).toEqual([true, 0]);
    model.edit(row(key), "10");
    expect(model.wrong.value).toEqual({});
    await model.save();
    expect(model.dirty.value).toBe(false);
    expect(stored(key)).toMatchObject({ value: "10", origin: "api" });
    expect(stored("retainer.storage_type")?.origin).not.toBe("api");
    app.notices.toasts.value.at(-1)?.action?.run();
    await settle();
    expect(stored(key)?.origin).toBe("default");
    broker.fail = new ApiError("code", "the disk is full", 102);
    model.edit(row(key), "11");
    await model.save();
    expect(app.notices.toasts.value.at(-1)).toMatchObject({ tone: "bad", text: "the disk is full" });
    model.dispose();
  });

  test("what is shown masked is not taken back to nothing: there is no undo of that", async () => {
    const { app, broker, model, row } = await open("emqx_retainer");
    const key = "retainer.max_retained_messages";
    const other = "retainer.storage_type";
    const undo = () => app.notices.toasts.value.at(-1)?.action;
    const shown = async (origin: "api" | "file", value: string, secret: boolean) => {
      const rows = broker.state.configs.get("emqx_retainer") ?? [];
      Object.assign(rows.find((r) => r.key === key) ?? {}, { origin, value, secret, type: secret ? "secret" : "text" });
      await model.rows.refresh();
      model.edit(row(key), "typed");
      model.edit(row(other), `${value.length}${origin}`);
      await model.save();
    };
    for (const [value, secret] of [
      ["******", true],
      ["http://joe:******@a.example/", false],
    ] as const) {
      await shown("file", value, secret);
      expect(undo()).toBeDefined();
      await shown("api", value, secret);
      expect(undo()).toBeUndefined();
    }
    await shown("api", "", true);
    undo()?.run();
    await settle();
    expect(row(key)).toMatchObject({ origin: "api", value: "" });
    model.dispose();
  });

  test("what is typed while a change is saved stays", async () => {
    const { model, row } = await open("emqx_retainer");
    const keys = ["retainer.max_retained_messages", "retainer.expiry_interval"] as const;
    for (const key of keys) model.edit(row(key), "7");
    const saved = model.save();
    model.edit(row(keys[0]), "77");
    await saved;
    expect([model.edits.value, row(keys[0]).value]).toEqual([{ [keys[0]]: "77" }, "7"]);
    model.dispose();
  });

  test("back to the file: one key, and all of them after a question", async () => {
    const { app, model, stored, row } = await open("emqx_retainer");
    for (const key of ["retainer.max_retained_messages", "retainer.expiry_interval"]) model.edit(row(key), "7");
    await model.save();
    await model.reset(row("retainer.expiry_interval"));
    expect([stored("retainer.expiry_interval")?.origin, stored("retainer.max_retained_messages")?.origin]).toEqual(["default", "api"]);
    const all = model.resetAll();
    app.notices.answer(true);
    await all;
    expect(stored("retainer.max_retained_messages")?.origin).toBe("default");
    expect(app.notices.toasts.value.at(-1)?.text).toBe("1 setting is as in the file again");
    model.dispose();
  });

  test("one more of a key that stands for many", async () => {
    const { model, stored } = await open("emqx_auth_username");
    const family = () => {
      const found = model.parts.value.families[0];
      if (!found) throw new Error("no family");
      return found;
    };
    expect(model.add(family().pattern, "a.b")).toBe(false);
    expect(model.add(family().pattern, "7")).toBe(true);
    expect(model.add(family().pattern, "7")).toBe(false);
    const made = family().rows[0];
    if (!made) throw new Error("no row");
    expect([made.key, model.isNew(made), model.dirty.value]).toEqual(["auth.user.7.username", true, true]);
    await model.remove(made);
    expect([family().rows.length, model.dirty.value]).toEqual([0, false]);
    model.add(family().pattern, "8");
    const second = family().rows[0];
    if (second) model.edit(second, "kim");
    await model.save();
    expect(stored("auth.user.8.username")).toMatchObject({ value: "kim", origin: "api" });
    expect(family().rows.map((r) => [r.key, model.isNew(r)])).toEqual([["auth.user.8.username", false]]);
    model.discard();
    model.dispose();
  });
});

test("EMQ X 3.1's word before an error is not shown", async () => {
  const { app } = await loggedIn();
  expect(app.explainError(new ApiError("code", "unknown_error: auth.x: no", 102))).toBe("auth.x: no");
});
