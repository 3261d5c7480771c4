/** The alarm of settings that were made through the API and are not in force. */
import { expect, test } from "bun:test";
import { createSettings } from "../../../server/admin/settings.ts";
import { administer } from "./harness.ts";

type Parts = Parameters<typeof createSettings>;

function alarmOf(why: readonly string[]): unknown[] {
  const said: unknown[] = [];
  const aside = new Map(why.map((w, i) => [`key.${i}`, { text: "x", why: w }]));
  const alarms: Parts[2] = { set: (id, desc) => said.push(["set", id, desc]), clear: (id) => said.push(["clear", id]) > 0 };
  createSettings({ aside } as unknown as Parts[0], {} as Parts[1], alarms).start();
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
