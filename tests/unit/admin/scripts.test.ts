/** Scripts of emqx_lua_hook as rows and as figures. */
import { expect, test } from "bun:test";
import type { Admin } from "../../../server/admin/index.ts";
import type { PluginManager } from "../../../server/plugins/manager.ts";
import type { ScriptRowView, ScriptsService } from "../../../server/plugins/plugin.ts";
import { administer } from "./harness.ts";

const view: ScriptRowView = {
  name: "a.lua",
  language: "lua",
  state: "running",
  error: null,
  retryAt: null,
  loadedAt: 5,
  callbacks: [
    { name: "on_message_publish", calls: 10, errors: 2 },
    { name: "on_message_acked", calls: 5, errors: 0 },
  ],
  overruns: 1,
  skipped: 3,
  restarts: 4,
  p50: 1,
  p95: 2.5,
  p99: null,
};

async function withScripts(list: ScriptRowView[]): Promise<Admin> {
  const service: ScriptsService = { list: () => list, errors: () => undefined, command: async () => null };
  const { manager } = await administer();
  const asked = (name: string): unknown => (name === "emqx_lua_hook" ? service : manager.service(name as never));
  const plugins = Object.create(manager, { service: { value: asked } }) as PluginManager;
  return (await administer({ plugins })).admin;
}

test("a row has the sums, and times as numbers", async () => {
  const admin = await withScripts([view, { ...view, name: "b.lua", state: "failed", error: "slow", retryAt: 7, loadedAt: null }]);
  const { retryAt: _retry, loadedAt: _loaded, ...same } = view;
  expect(admin.scripts.list()).toEqual([
    { ...same, callbacks: [...view.callbacks], calls: 15, errors: 2, loaded_ms: 5, retry_ms: 0 },
    {
      ...same,
      name: "b.lua",
      state: "failed",
      error: "slow",
      callbacks: [...view.callbacks],
      calls: 15,
      errors: 2,
      loaded_ms: 0,
      retry_ms: 7,
    },
  ]);
});

test("figures: none while there are no scripts, then each script's", async () => {
  const { admin: without } = await administer();
  expect(without.figures().filter((f) => f.name.startsWith("script/"))).toEqual([]);
  const families = (await withScripts([view, { ...view, name: "b.lua", state: "stopped", callbacks: [], p50: null, p95: null }])).figures();
  const rows = (name: string): unknown => families.find((f) => f.name === `script/${name}`)?.rows;
  const both = (a: number, b: number): unknown => [
    [{ script: "a.lua" }, a],
    [{ script: "b.lua" }, b],
  ];
  expect([rows("up"), rows("overruns"), rows("skipped"), rows("restarts")]).toEqual([both(1, 0), both(1, 1), both(3, 3), both(4, 4)]);
  expect(rows("calls")).toEqual([
    [{ script: "a.lua", callback: "on_message_publish" }, 10],
    [{ script: "a.lua", callback: "on_message_acked" }, 5],
  ]);
  expect(rows("errors")).toEqual([
    [{ script: "a.lua", callback: "on_message_publish" }, 2],
    [{ script: "a.lua", callback: "on_message_acked" }, 0],
  ]);
  expect(rows("seconds")).toEqual([
    [{ script: "a.lua", quantile: "0.5" }, 0.001],
    [{ script: "a.lua", quantile: "0.95" }, 0.0025],
  ]);
});
