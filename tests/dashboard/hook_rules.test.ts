/** The web hook's rules as a form has them. */
import { describe, expect, test } from "bun:test";
import { freeName, HOOKS, type Hook, hookOf, ruleText, topicOf } from "../../dashboard/src/lib/hook_rules.ts";
import { createPluginConfig } from "../../dashboard/src/models/plugin_config.ts";
import { HOOK_NAMES, ruleEntries, ruleKey } from "../../server/plugins/web_hook/rules.ts";
import { loggedIn, settle } from "./support.ts";

const hook = (name: Hook["name"]): Hook => HOOKS.find((h) => h.name === name) as Hook;
const PUBLISH = hook("message.publish");

test("the hooks are the plugin's, and what the form writes is what the plugin reads", () => {
  expect(HOOKS.map((h) => h.name)).toEqual(HOOK_NAMES);
  for (const h of HOOKS) {
    const entry = ruleEntries[ruleKey(h.name)];
    expect([h.name, hookOf(ruleKey(h.name))?.name, entry.parse(ruleText(h, ""))]).toEqual([h.name, h.name, { topic: null }]);
    const forTopic = (): unknown => entry.parse(ruleText(h, 'a "b"/#'));
    if (h.topics) expect(forTopic()).toEqual({ topic: 'a "b"/#' });
    else expect(forTopic).toThrow("has no topic");
  }
  expect(hookOf("web.hook.headers.$name")).toBeUndefined();
});

test("a rule's topic; what the form cannot show is left as it is written", () => {
  const read = (text: string, of = PUBLISH): string | null => topicOf(of, text);
  expect([read('{"action": "on_message_publish"}'), read(' {"topic":"a/#","action":"on_message_publish"} ')]).toEqual(["", "a/#"]);
  for (const odd of [
    '{"action": "on_message_acked"}',
    '{"action": "on_message_publish", "qos": 1}',
    "{",
    "[]",
    "null",
    "on_message_publish",
  ])
    expect([odd, read(odd)]).toEqual([odd, null]);
  expect(read('{"action": "on_client_connected", "topic": "a"}', hook("client.connected"))).toBeNull();
  expect([freeName([]), freeName(["a.1", "a.first", "a.9"])]).toEqual(["1", "10"]);
});

describe("on the page", () => {
  const key = (n: number | string): string => `web.hook.rule.message.publish.${n}`;

  async function open() {
    const { app, broker } = await loggedIn();
    const stored = () => broker.state.configs.get("emqx_web_hook") ?? [];
    const value = (k: string): string | undefined => stored().find((r) => r.key === k)?.value;
    const model = createPluginConfig(app, "emqx@127.0.0.1", "emqx_web_hook");
    await settle();
    const row = (k: string) => {
      const found = model.parts.value.families.flatMap((f) => f.rows).find((r) => r.key === k);
      if (!found) throw new Error(`no row ${k}`);
      return found;
    };
    const pattern = model.parts.value.families.find((f) => f.pattern.key === key("$name"))?.pattern;
    if (!pattern) throw new Error("no pattern");
    return { app, model, row, pattern, stored, value };
  }

  test("one more, changed, saved with the rest", async () => {
    const { model, row, pattern, value } = await open();
    expect(model.add(pattern, "2", ruleText(PUBLISH, ""))).toBe(true);
    model.edit(row(key(2)), ruleText(PUBLISH, "a/#"));
    model.edit(row(key(1)), ruleText(PUBLISH, "b"));
    expect(value(key(1))).toContain("alarms/#");
    await model.save();
    expect([value(key(1)), value(key(2)), model.dirty.value]).toEqual([ruleText(PUBLISH, "b"), ruleText(PUBLISH, "a/#"), false]);
    model.dispose();
  });

  test("away with one that was set here above a file's: that one does not come back", async () => {
    const { app, model, row, value } = await open();
    const file = value(key(1)) ?? "";
    model.edit(row(key(1)), ruleText(PUBLISH, "b"));
    await model.save();
    const { saveSettings } = app.api;
    // Taken back is what the file says.
    app.api.saveSettings = (changes) =>
      saveSettings(Object.fromEntries(Object.entries(changes).map(([k, text]) => [k, text === null && k === key(1) ? file : text])));
    model.drop(row(key(1)));
    await model.save();
    expect([value(key(1)), model.value(row(key(1)))]).toEqual(["", ""]);
    model.dispose();
  });

  test("away with one: a file's is emptied, one that was set here is taken back, one that is not saved is forgotten; undone in one", async () => {
    const { app, model, row, pattern, stored, value } = await open();
    const file = value(key(1));
    model.drop(row(key(1)));
    expect([model.value(row(key(1))), model.dirty.value, value(key(1))]).toEqual(["", true, file]);
    model.edit(row(key(1)), file ?? "");
    expect(model.dirty.value).toBe(false);
    model.add(pattern, "2", ruleText(PUBLISH, "a"));
    model.drop(row(key(2)));
    expect([model.dirty.value, model.parts.value.families.flatMap((f) => f.rows).some((r) => r.key === key(2))]).toEqual([false, false]);
    model.add(pattern, "2", ruleText(PUBLISH, "a"));
    await model.save();
    const sent: Record<string, string | null>[] = [];
    const { saveSettings } = app.api;
    app.api.saveSettings = (changes) => {
      sent.push(changes);
      return saveSettings(changes);
    };
    model.drop(row(key(1)));
    model.drop(row(key(2)));
    await model.save();
    expect(sent).toEqual([{ [key(1)]: "", [key(2)]: null }]);
    app.notices.toasts.value.at(-1)?.action?.run();
    await settle();
    expect(sent.at(-1)).toEqual({ [key(1)]: null, [key(2)]: ruleText(PUBLISH, "a") });
    expect(stored().find((r) => r.key === key(2))?.value).toBe(ruleText(PUBLISH, "a"));
    model.dispose();
  });
});
