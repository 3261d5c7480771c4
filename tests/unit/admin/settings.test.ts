/** The alarm of settings that were made through the API and are not in force, and what no change tells or keeps. */
import { afterAll, describe, expect, test } from "bun:test";
import { createSettings } from "../../../server/admin/settings.ts";
import { type ConfigTable, secret, text } from "../../../server/lib/config_entry.ts";
import type { AnyPlugin } from "../../../server/plugins/plugin.ts";
import { removeTempDirs, running, type Wishes } from "../plugins/harness.ts";
import { administer } from "./harness.ts";

afterAll(removeTempDirs);

type Parts = Parameters<typeof createSettings>;

function alarmOf(why: readonly string[]): unknown[] {
  const said: unknown[] = [];
  const aside = new Map(why.map((w, i) => [`key.${i}`, { text: "x", why: w }]));
  const alarms: Parts[2] = { set: (id, desc) => said.push(["set", id, desc]), clear: (id) => said.push(["clear", id]) > 0 };
  createSettings({ aside, review: () => {} } as unknown as Parts[0], {} as Parts[1], alarms).review();
  return said;
}

test("is raised with every reason, and ends when there is none", () => {
  const title = "Settings made through the API are not in force";
  expect(alarmOf(["one", "two"])).toEqual([["set", "settings_set_aside", { severity: "error", title, summary: "one; two" }]]);
  expect(alarmOf([])).toEqual([["clear", "settings_set_aside"]]);
});

test("what the last run has left of it ends with the start of this one", async () => {
  const { admin, kit } = await administer();
  kit.alarms.set("settings_set_aside", "of before");
  admin.start();
  admin.stop();
  expect(admin.alarms.list()).toEqual([]);
});

/** Settings of one plugin with these keys. */
async function settingsOf(config: ConfigTable, wishes: Wishes = {}) {
  const plugin: AnyPlugin = { name: "probe", description: "", version: "", activeByDefault: false, config, start() {} };
  return running(plugin, wishes);
}

describe("a secret within a text is not found out by trying it", () => {
  const [key, table] = ["probe.url", { "probe.url": text("", "Who is asked.") }];
  const texts = ["http://joe:s3cret@a.example/x", "http://a.example/x?token=s3cret"];

  test("where a flag stands above: the right one is refused as a wrong one is", async () => {
    for (const right of texts) {
      const { settings } = await settingsOf(table, { flags: { [key]: right } });
      const why = `${key} is set by --set ${key}, which stands above what is changed here: change it there`;
      for (const guess of [right, right.replace("s3cret", "other")])
        await expect(settings.apply(new Map([[key, guess]]), "app")).rejects.toThrow(why);
      expect(await settings.apply(new Map([[key, right.replace("s3cret", "******")]]), "app")).toEqual({ applied: [key], restart: [] });
    }
    const { settings } = await settingsOf(table, { flags: { [key]: "http://a.example/x" } });
    expect(await settings.apply(new Map([[key, "http://a.example/x"]]), "app")).toEqual({ applied: [key], restart: [] });
  });

  test("where a file says it: whatever is typed is the API's from then on", async () => {
    for (const right of texts) {
      const { settings, config } = await settingsOf(table, { settings: { [key]: right } });
      for (const guess of [right, right.replace("s3cret", "other")]) {
        await settings.apply(new Map([[key, guess]]), "app");
        expect([config.raw(key), config.origin(key)]).toEqual([guess, "api"]);
        await settings.apply(new Map([[key, null]]), "app");
      }
    }
  });
});

test("what an application sends back of the user whom the configuration names is not kept, however often it does", async () => {
  const [login, password] = ["dashboard.default_user.login", "dashboard.default_user.password"];
  const { settings, config } = await settingsOf({ [login]: text("admin", "A user."), [password]: secret("public", "Its password.") });
  const listed = { [login]: "admin", [password]: "public" };
  for (const sent of [listed, listed, { [login]: null, [password]: null }])
    expect(await settings.commit(new Map(Object.entries(sent)), "app")).toEqual({ applied: [login, password], restart: [] });
  expect(config.overrides()).toBe(0);
});
