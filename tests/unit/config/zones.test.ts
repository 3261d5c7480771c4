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

test("a mountpoint with wildcards or a share in it is refused by name; what names contain is looked at when they are filled in", () => {
  const key = "zone.external.mountpoint";
  for (const bad of ["dev/+/", "#", "a#b/", "$share/g/", "$queue/"])
    expect(() => external(`${key} = ${bad}`)).toThrow(`${key} = ${bad}: expected the beginning of topics`);
  for (const good of ["dev/%c/", "%u", "$dev/%u/"]) expect(external(`${key} = ${good}`).mountpoint).toBe(good);
});

describe("a change", () => {
  const start = () =>
    loadConfig({
      tables: pluginTables,
      file: null,
      flags: new Map([
        ["zone.plant.mountpoint", "plant/"],
        ["acl_deny_action", "disconnect"],
      ]),
    });
  const shown = (zones: ReadonlyMap<string, ZoneConfig>): Record<string, ZoneConfig> =>
    Object.fromEntries([...zones].map(([name, zone]) => [name, { ...zone }]));

  test("of some zones' keys comes to the same as everything read anew", () => {
    const config = start();
    const plant = config.zones().get("plant");
    for (const changes of [
      { "zone.external.max_inflight": "7", "zone.new.mountpoint": "new/" },
      { "mqtt.max_topic_levels": "9", acl_deny_action: "ignore" },
      { "zone.plant.acl_deny_action": "disconnect", "zone.new.max_topic_levels": "3" },
      { "zone.external.max_inflight": undefined, "zone.internal.enable_acl": "on", "zone.plant.acl_deny_action": null },
      { "zone.new.max_topic_levels": undefined, "zone.external.mountpoint": null },
    ]) {
      const map = new Map<string, string | null | undefined>(Object.entries(changes));
      const seen = shown(config.with(map).zones());
      config.change(map);
      const now = shown(config.zones());
      expect(seen).toEqual(now);
      config.resolve();
      expect(shown(config.zones())).toEqual(now);
    }
    expect(config.zones().get("plant")).toBe(plant as ZoneConfig);
    expect([plant?.mountpoint, plant?.aclDenyAction, config.zones().get("internal")?.enableAcl]).toEqual(["plant/", "disconnect", true]);
    expect(config.zones().get("new")).toMatchObject({ mountpoint: "new/", maxTopicLevels: 9, enableAcl: true });
  });

  test("that takes back all of a zone: it stays for whoever is in it, as by default, and the next start would not find it", () => {
    const config = start();
    config.change(new Map([["zone.new.max_inflight", "5"]]));
    const zone = config.zones().get("new");
    const back = new Map([["zone.new.max_inflight", undefined]]);
    expect(config.with(back).zones().has("new")).toBe(false);
    config.change(back);
    expect(config.zones().get("new")).toBe(zone as ZoneConfig);
    expect(zone?.maxInflight).toBe(32);
    expect(config.with(new Map()).zones().has("new")).toBe(false);
  });

  test("of many zones takes no more than its part, however many there are", () => {
    const config = start();
    const ms: number[] = [];
    for (let round = 0; round < 4; round++) {
      const changes = new Map(Array.from({ length: 1000 }, (_, i) => [`zone.z${round * 1000 + i}.max_inflight`, "7"]));
      const began = performance.now();
      config.with(changes);
      config.change(changes);
      ms.push(performance.now() - began);
    }
    expect(config.zones().get("z3999")?.maxInflight).toBe(7);
    // 15 to 50 ms; read anew for each change, the last of them took 600.
    expect(Math.min(...ms.slice(2))).toBeLessThan(300);
  });
});

test("a key that nobody wrote by mistake is compared with none", () => {
  const began = performance.now();
  const words = loadConfig({ tables: pluginTables, file: null }).check(`zone.${"a".repeat(50_000)}.max_inflighx`, "1");
  expect(words).toContain("unknown key");
  expect(words).not.toContain("did you mean");
  expect(performance.now() - began).toBeLessThan(1000);
});
