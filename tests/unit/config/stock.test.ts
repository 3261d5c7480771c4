/** What EMQ X shipped is taken: every line of four releases, and every key their schemas know. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, ConfigErrors, loadConfig } from "../../../server/config/config.ts";
import { pluginTables } from "../../../server/plugins/index.ts";
import { AUTH_FILES, uncommented } from "../../support/stock_auth.ts";
import { everyLine, foreignPlugins, linesOf, RELEASES, shippedLines, writeTree } from "../../support/stock_tree.ts";

const dir = mkdtempSync(join(tmpdir(), "baomq-stock-"));
afterAll(() => rmSync(dir, { recursive: true }));

function load(text: string, plugins: Record<string, string> = {}): Config {
  const etc = mkdtempSync(join(dir, "etc-"));
  mkdirSync(join(etc, "plugins"));
  writeFileSync(join(etc, "emqx.conf"), text);
  for (const [name, lines] of Object.entries(plugins)) writeFileSync(join(etc, "plugins", name), lines);
  return loadConfig({ tables: pluginTables, file: join(etc, "emqx.conf"), flags: new Map([["plugins.etc_dir", join(etc, "plugins")]]) });
}

describe("every line", () => {
  for (const release of RELEASES) {
    test(`of the tree of ${release}, with the value in force that it says`, () => {
      const tree = join(dir, release);
      writeTree(tree, release, { key: "", cert: "" });
      const flags = new Map([["plugins.etc_dir", join(tree, "etc/plugins")]]);
      const config = loadConfig({ tables: pluginTables, file: join(tree, "etc/emqx.conf"), flags });
      for (const [key, value] of shippedLines(release)) if (key !== "plugins.etc_dir") expect([key, config.raw(key)]).toEqual([key, value]);
      expect(config.faults.size).toBe(0);
      expect(config.foreignFiles).toEqual(
        foreignPlugins(release)
          .sort()
          .map((name) => join(tree, `etc/plugins/${name}.conf`)),
      );
      expect(config.raw("retainer.storage_type")).toBe("ram");
      expect(config.where("management.listener.http")).toMatch(/in .*etc\/plugins\/emqx_management\.conf:\d+$/);
    });
  }

  test("of the files of plugins that ask outside, also those that stand there commented out", () => {
    const secrets = /(?:secret|password)$/;
    for (const text of [(file: string): string => file, uncommented]) {
      const config = load("", Object.fromEntries(Object.entries(AUTH_FILES).map(([name, file]) => [`${name}.conf`, text(file)])));
      expect([...config.faults]).toEqual([]);
      const lines = Object.values(AUTH_FILES).flatMap((file) => [...new Map(linesOf(text(file)))]);
      expect(lines.map(([key]) => [key, config.raw(key)])).toEqual(lines);
      for (const [key, value] of lines) if (secrets.test(key)) expect(config.shown(key, value)).toBe("******");
    }
  });

  test("of all schemas, one at a time", () => {
    expect(everyLine.length).toBeGreaterThan(290);
    const refused = everyLine.flatMap(([key, value]) => {
      try {
        load(`${key} = ${value}\n`);
        return [];
      } catch (err) {
        return [(err as Error).message];
      }
    });
    expect(refused).toEqual([]);
  });

  test("has a meaning here, or a reason why not", () => {
    const config = load(everyLine.map(([key, value]) => `${key} = ${value}\n`).join(""));
    const ignored = config.ignored();
    for (const { reason } of ignored) expect(reason).toMatch(/[a-z]{3,}.*\.$/);
    const keys = ignored.map((i) => i.key);
    expect(keys).toEqual(
      expect.arrayContaining([
        "cluster.mcast.recbuf",
        "lager.crash_log",
        "log.sasl",
        "log.primary_log_level",
        "zone.external.force_shutdown_policy",
        "zone.external.force_gc_policy",
        "bridge.aws.subscription.1.topic",
        "listener.tcp.external.recbuf",
      ]),
    );
    expect(keys).not.toContain("sysmon.long_schedule");
  });
});

describe("values", () => {
  test("a time with or without its unit", () => {
    expect(load("sysmon.long_schedule = 240ms\n").get("sysmon.long_schedule")).toBe(240);
    expect(load("sysmon.long_schedule = 1s\n").get("sysmon.long_schedule")).toBe(1000);
    expect(load("sysmon.long_schedule = 300\n").get("sysmon.long_schedule")).toBe(300);
    expect(() => load("sysmon.long_schedule = long\n")).toThrow("emqx.conf:1: sysmon.long_schedule = long: expected a duration");
  });

  test("rules and subscriptions with names in place of numbers", () => {
    const config = load("listener.tcp.external.access.b = deny all\nlistener.tcp.external.access.2 = allow 10.0.0.0/8\n");
    expect(config.listeners()[0]?.access).toEqual([
      { allow: true, cidr: "10.0.0.0/8" },
      { allow: false, cidr: "all" },
    ]);
    for (const rule of ["deny 10.0.0.0/99", "deny", "allow nobody"]) {
      expect(() => load(`listener.tcp.external.access.1 = ${rule}\n`)).toThrow("expected allow or deny, and all, an address or a range");
    }
  });

  test("priorities name exact topics", () => {
    expect(load("zone.external.mqueue_priorities = a/b=255,c=0\n").zones().get("external")?.mqueuePriorities).toEqual(
      new Map([
        ["a/b", 255],
        ["c", 0],
      ]),
    );
    expect(() => load("zone.external.mqueue_priorities = a=256\n")).toThrow("exact ones, no filters");
  });
});

describe("files of plugins", () => {
  const fails = (plugins: Record<string, string>): string => {
    try {
      load("", plugins);
    } catch (err) {
      if (err instanceof ConfigErrors) return err.message.replaceAll(/\S*\/plugins\//g, "");
      throw err;
    }
    return "";
  };

  test("that are not part of this build are kept, whatever is in them", () => {
    const config = load("", { "emqx_stomp.conf": "auth.user.password_hash\nrubbish", "acme_hook.conf": "acme.hook = 1\n" });
    expect(config.foreignFiles.map((f) => f.replace(/^.*\//, ""))).toEqual(["acme_hook.conf", "emqx_stomp.conf"]);
    expect(load("", { "notes.conf": "## nothing yet\n" }).foreignFiles).toEqual([]);
  });

  test("one of our own names is not another plugin's: a slip in it is told", () => {
    expect(fails({ "mine.conf": "mqtt.max_paket_size = 1MB\n" })).toContain("mine.conf:1: unknown key mqtt.max_paket_size; did you mean");
  });

  test("a key with a name of one's own in it is meant only where the rest of it is like", () => {
    const fault = (line: string): string => load("", { "emqx_auth_http.conf": `${line} = 1s\n` }).faults.get("emqx_auth_http") ?? "";
    expect(fault("auth.http.headr.accept")).toContain("did you mean auth.http.header.accept?");
    expect(fault("auth.http.timeuot")).toContain("did you mean auth.http.timeout?");
    expect(fault("auth.http.conduct.timeout")).not.toContain("header");
  });

  test("what is wrong in the file of a plugin the node needs keeps it from starting; of another one, that one", () => {
    expect(fails({ "emqx_management.conf": "management.max_row_limit = many\n" })).toBe(
      "emqx_management.conf:1: management.max_row_limit = many: expected a whole number, 1 or more",
    );
    const config = load("", { "emqx_reloader.conf": "reloader.nope = 1\nreloader.interval = 30s\n" });
    expect(config.faults.get("emqx_reloader")).toMatch(/emqx_reloader\.conf:1: unknown key reloader\.nope/);
    expect(config.raw("reloader.interval")).toBe("30s");
  });

  test("a directory in place of a file is told in words", () => {
    expect(() => loadConfig({ tables: pluginTables, file: dir })).toThrow(`configuration file ${dir} cannot be read: it is a directory`);
  });
});
