import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../../server/config/config.ts";
import { loadedPlugins } from "../../../server/node/loaded_plugins.ts";
import { pluginTables } from "../../../server/plugins/index.ts";
import { loadedList } from "../../support/stock_tree.ts";

const dir = mkdtempSync(join(tmpdir(), "baomq-loaded-"));
afterAll(() => rmSync(dir, { recursive: true }));

function read(text: string | null, flags: Record<string, string> = {}) {
  const file = join(dir, "loaded_plugins");
  rmSync(file, { force: true });
  if (text !== null) writeFileSync(file, text);
  const told: unknown[] = [];
  const config = loadConfig({ tables: pluginTables, file: null, flags: new Map(Object.entries(flags)) });
  const names = loadedPlugins(config, dir, { warn: (message, fields) => void told.push([message, fields]) });
  return { names: names === null ? null : [...names], told };
}

test("the form of 3.1, and that of 3.2 with what is off", () => {
  expect(read(loadedList("3.1.0", ["emqx_recon", "emqx_web_hook"])).names).toEqual(["emqx_recon", "emqx_web_hook"]);
  expect(read(loadedList("3.2.0", ["emqx_recon"], ["emqx_cube"])).names).toEqual(["emqx_recon"]);
  expect(read("").names).toEqual([]);
});

test("no list: nothing is said", () => {
  expect(read(null)).toEqual({ names: null, told: [] });
});

test("a list that is none is told with its line, and not used", () => {
  for (const [text, why] of [
    ["emqx_recon.\n{emqx_web_hook, true, 1}.\n[emqx_x].\n", "line 3: expected emqx_name. or {emqx_name, true}., found [emqx_x]"],
    ["{emqx_recon, 1}.\n", "line 1: expected emqx_name."],
    ["emqx recon\n", "line 1, column"],
  ] as const) {
    const { names, told } = read(text);
    expect(names).toBeNull();
    expect(JSON.stringify(told)).toContain(why);
  }
});

test("another place", () => {
  const file = join(dir, "elsewhere");
  writeFileSync(file, "emqx_retainer.\n");
  expect(read(null, { "plugins.loaded_file": file }).names).toEqual(["emqx_retainer"]);
});
