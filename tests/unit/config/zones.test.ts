/** Zone limits that EMQ X 3.1 did not have: their defaults, and how they are turned off. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigErrors, loadConfig } from "../../../server/config/config.ts";
import type { ZoneConfig } from "../../../server/config/types.ts";
import { pluginTables } from "../../../server/plugins/index.ts";

const dir = mkdtempSync(join(tmpdir(), "baomq-zones-"));
afterAll(() => rmSync(dir, { recursive: true }));

function external(text: string): ZoneConfig {
  const file = join(dir, "emqx.conf");
  writeFileSync(file, text);
  return loadConfig({ tables: pluginTables, file }).zones().get("external") as ZoneConfig;
}

describe("auth_failure_limit", () => {
  test("30 in a minute unless said otherwise; off", () => {
    expect(external("").authFailureLimit).toEqual({ count: 30, intervalMs: 60_000 });
    expect(external("zone.external.auth_failure_limit = 5, 10s").authFailureLimit).toEqual({ count: 5, intervalMs: 10_000 });
    expect(external("zone.external.auth_failure_limit = off").authFailureLimit).toBeNull();
  });

  test("nonsense is named with what is expected", () => {
    expect(() => external("zone.external.auth_failure_limit = many")).toThrow(ConfigErrors);
    expect(() => external("zone.external.auth_failure_limit = many")).toThrow("expected off, or ");
  });
});
