import { describe, expect, test } from "bun:test";
import { AdminError } from "../../../server/admin/deps.ts";
import { commandError, configError, settingError } from "../../../server/admin/plugins_view.ts";
import { PluginError } from "../../../server/plugins/settings.ts";
import { administer } from "./harness.ts";

describe("refusals of the plugin manager", () => {
  const shown = (err: unknown): unknown => (err instanceof AdminError ? [err.code, err.message] : err);

  test("102 with its word; a bad value of one setting is 108; of a whole set, 102", () => {
    const bad = new PluginError("bad_value", "k: expected a number");
    const unknown = new PluginError("unknown_key", "k is no key");
    expect([bad, unknown].map(commandError).map(shown)).toEqual([
      [102, "k: expected a number"],
      [102, "k is no key"],
    ]);
    expect([bad, unknown].map(settingError).map(shown)).toEqual([
      [108, "k: expected a number"],
      [102, "k is no key"],
    ]);
    expect([bad, unknown, new AdminError(108, "k is fixed")].map(configError).map(shown)).toEqual([
      [102, "k: expected a number"],
      [102, "k is no key"],
      [102, "k is fixed"],
    ]);
  });

  test("whatever else went wrong is no refusal", () => {
    for (const other of [new Error("bug"), { name: "PluginError", message: "not one" }, "text"]) {
      for (const translate of [commandError, settingError, configError]) expect(translate(other)).toBe(other);
    }
  });
});

test("rows of plugins: no error is undefined", async () => {
  const { admin, manager } = await administer();
  const row = admin.plugins.list().find((p) => p.name === "emqx_recon");
  expect(row).toEqual({
    name: "emqx_recon",
    version: "v3.1.0",
    description: "EMQ X Recon Plugin",
    active: true,
    required: false,
    error: "undefined",
    failures: 0,
    testable: false,
    on_error_of: null,
    status: null,
  });
  expect(admin.plugins.all()).toEqual([{ node: admin.node, plugins: admin.plugins.list() }]);
  await expect(admin.plugins.load("emqx_recon")).rejects.toMatchObject({ code: 102, message: "already_started" });
  await admin.plugins.unload("emqx_recon");
  expect(manager.isRunning("emqx_recon")).toBe(false);
  await expect(admin.plugins.unload("emqx_recon")).rejects.toMatchObject({ code: 102, message: "not_started" });
  await expect(admin.plugins.unload("emqx_management")).rejects.toMatchObject({ code: 102, message: expect.stringMatching(/^refused/) });
  await admin.plugins.reload("emqx_recon");
  expect(admin.plugins.isRunning("emqx_recon")).toBe(true);
  for (const command of ["load", "unload", "reload"] as const)
    await expect(admin.plugins[command]("nosuch")).rejects.toMatchObject({ code: 102, message: "not_found" });
});

test("one setting of a running plugin: what is missing is named, both are texts", async () => {
  const { admin } = await administer();
  const set = (key: unknown, value: unknown) => async () => admin.plugins.setConfig("emqx_retainer", key, value);
  for (const [key, value, code, message] of [
    [undefined, undefined, 107, "missing mandatory params: ['key', 'value']"],
    ["k", undefined, 107, "missing mandatory params: ['value']"],
    [undefined, "v", 107, "missing mandatory params: ['key']"],
    ["k", 5, 108, "'key' and 'value' must be strings"],
    [5, "v", 108, "'key' and 'value' must be strings"],
  ] as const)
    await expect(set(key, value)).toThrow(expect.objectContaining({ code, message }));
  await admin.plugins.setConfig("emqx_retainer", "retainer.max_payload_size", "2KB");
  expect(admin.plugins.configs().map((c) => c.key)).toContain("retainer.max_payload_size");
  expect(admin.plugins.allConfigs()).toEqual([{ node: admin.node, config: admin.plugins.configs() }]);
});
