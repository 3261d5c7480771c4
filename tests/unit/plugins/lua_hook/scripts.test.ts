/** All scripts of a directory: how many of them are loaded at a time, and where they cannot be seen. */
import { afterAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MonoMs } from "../../../../server/lib/time.ts";
import { numberOf } from "../../../../server/plugins/lua_hook/callbacks.ts";
import type { Script, ScriptHost } from "../../../../server/plugins/lua_hook/script.ts";
import { Scripts } from "../../../../server/plugins/lua_hook/scripts.ts";
import { until } from "../../../support/until.ts";
import { removeTempDirs, tempDir } from "../harness.ts";

afterAll(removeTempDirs);

const nothing = (): void => {};
const by: ScriptHost & { warn(): void } = {
  limits: { budget: 1000, memory: 16 * 1024 * 1024 },
  overruns: 5,
  packet: 0,
  now: Date.now,
  mono: () => performance.now() as MonoMs,
  after: () => nothing,
  changed: nothing,
  failed: nothing,
  stopped: nothing,
  printed: nothing,
  notTold: nothing,
  warn: nothing,
};

test("many scripts are loaded some at a time, at the start and with other settings", async () => {
  const dir = tempDir();
  const source = 'function register_hook() return "on_message_publish" end function on_message_publish() end';
  for (let i = 0; i < 8; i++) writeFileSync(join(dir, `${i}.lua`), source);
  const scripts = new Scripts(dir, by);
  let most = 0;
  const opened = scripts.open().then(() => true);
  while (!(await Promise.race([opened, Bun.sleep(1).then(() => false)])))
    most = Math.max(most, scripts.all.filter((s) => s.state === "loading").length);
  expect([most, scripts.all.map((s) => s.state)]).toEqual([4, new Array(8).fill("running")]);
  const before = scripts.all.map((s) => s.loadedAt);
  const began = Date.now();
  while (Date.now() === began) await Bun.sleep(1);
  scripts.loadAgain();
  await until(() => scripts.all.every((s, i) => s.loadedAt !== before[i]), "all are loaded again");
  scripts.close();
});

test("what a version was told, and has not done when the next one takes over, is counted as passed over", async () => {
  const dir = tempDir();
  writeFileSync(join(dir, "a.js"), "export function on_message_acked() { Bun.sleepSync(5) }");
  const scripts = new Scripts(dir, by);
  await scripts.open();
  const script = scripts.find("a.js") as Script;
  for (let i = 0; i < 1000; i++) script.tell(numberOf("on_message_acked"), ["c", "u", "t", "x", 1, false]);
  await script.load();
  const [figures] = script.figures();
  expect(script.skipped).toBeGreaterThan(0);
  expect(script.skipped + (figures?.calls ?? 0)).toBe(1000);
  scripts.close();
});

test("a directory that cannot be read is told, and is no empty one", async () => {
  const scripts = new Scripts(join(tempDir(), "nowhere"), by);
  expect(await scripts.open()).toMatch(/^the directory of the scripts, .*nowhere, cannot be read: there is no such file$/);
  scripts.close();
});

test("a slow script keeps none of the others from being loaded", async () => {
  const dir = tempDir();
  const good = 'function register_hook() return "on_message_publish" end function on_message_publish() end';
  const scripts = new Scripts(dir, by);
  await scripts.open();
  writeFileSync(join(dir, "a.js"), "for (;;);");
  writeFileSync(join(dir, "b.lua"), good);
  await until(() => {
    scripts.look();
    return scripts.find("b.lua")?.state === "running";
  });
  expect(scripts.find("a.js")?.state).toBe("loading");
  scripts.close();
});
