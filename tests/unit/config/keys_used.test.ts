/** No key promises what nobody does: each is read by the running node and reaches code that acts on it, or says that it has no effect. */
import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Config, loadConfig } from "../../../server/config/config.ts";
import { Keys } from "../../../server/config/keys.ts";
import { CORE_KEYS } from "../../../server/config/schema.ts";
import { plugins } from "../../../server/plugins/index.ts";
import { TestNode } from "../../api/support/node.ts";

const ROOT = resolve(import.meta.dir, "../../..");
const sources = new Map([...new Bun.Glob("server/**/*.ts").scanSync(ROOT)].map((f) => [f, readFileSync(join(ROOT, f), "utf8")]));

/** Rows of a table that are only there when something is set. */
const SET = {
  "zone.external.acl_deny_action": "disconnect",
  "plugins.loaded_file": "none",
  "listener.tcp.internal.access.1": "allow all",
  "module.subscription": "on",
  "module.subscription.1.topic": "t",
  "module.subscription.1.qos": "1",
  "module.rewrite": "on",
  "module.rewrite.rule.1": "x/# ^x/(.+)$ z/$1",
  ...Object.fromEntries(
    ["tcp", "ssl", "ws", "wss"].flatMap((kind) => [
      [`listener.${kind}.more`, "127.0.0.1:0"],
      [`listener.${kind}.more.access.1`, "allow all"],
    ]),
  ),
};

describe("keys of the node", () => {
  const read = new Set<string>();
  let node: TestNode;
  const spies: { mockRestore(): void }[] = [];
  beforeAll(async () => {
    const keys = new Keys([{ app: "emqx", table: CORE_KEYS }]);
    // What of a zone's keys nobody set is read once for all zones, as it ships.
    for (const name of ["get", "shipped"] as const) {
      const original = Config.prototype[name];
      const spy = spyOn(Config.prototype, name).mockImplementation(function (this: Config, key: string) {
        const row = keys.find(key);
        if (row !== undefined) read.add(row.pattern);
        return original.call(this, key);
      });
      spies.push(spy);
    }
    node = await TestNode.start(SET);
  });
  afterAll(async () => {
    for (const spy of spies) spy.mockRestore();
    await node.stop();
  });

  test("each is read, or says why it has no effect", () => {
    /** By the loader, and by the command line. */
    const elsewhere = ["plugins.etc_dir", "node.data_dir"];
    const silent = Object.entries(CORE_KEYS).filter(([key, e]) => e.ignored === null && e.inert === null && !read.has(key));
    expect(silent.map(([key]) => key).filter((key) => !elsewhere.includes(key))).toEqual([]);
  });

  test("one without effect says so where it is shown", () => {
    const inert = Object.entries(CORE_KEYS).filter(([, e]) => e.inert !== null);
    expect(inert.length).toBeGreaterThan(5);
    for (const [, e] of inert) expect(e.doc).toContain(`Without effect: ${e.inert}`);
    for (const [key, e] of Object.entries(CORE_KEYS)) if (/without effect/i.test(e.doc)) expect([key, e.inert]).not.toEqual([key, null]);
  });
});

test("a key without effect is told when it is set to something else than its default", () => {
  const told = (text: string): string[] => {
    const flags = new Map(text.split(" ").map((pair) => pair.split("=") as [string, string]));
    return loadConfig({ tables: [], file: null, flags })
      .ignored()
      .map((i) => i.key);
  };
  expect(told("listener.tcp.external.backlog=1024 listener.tcp.external.acceptors=8 zone.external.enable_stats=on")).toEqual([]);
  expect(told("listener.tcp.external.backlog=4096 listener.tcp.internal.backlog=512 zone.external.enable_stats=off")).toEqual([
    "listener.tcp.external.backlog",
    "zone.external.enable_stats",
  ]);
});

describe("what is made of them", () => {
  /** Fields of an interface in a file. */
  const fieldsOf = (file: string, name: string): string[] => {
    const body = new RegExp(`export interface ${name} \\{([\\s\\S]*?)\\n\\}`).exec(sources.get(file) ?? "")?.[1] ?? "";
    return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map((m) => m[1] as string);
  };
  const acting = [...sources]
    .filter(([f]) => !f.startsWith("server/config/"))
    .map(([, text]) => text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ""));

  for (const name of ["ZoneConfig", "ListenerConfig", "TlsConfig", "NodeConfig"]) {
    test(`every field of ${name} is used by code that acts`, () => {
      const fields = fieldsOf("server/config/types.ts", name);
      expect(fields.length).toBeGreaterThan(5);
      // `zone.field`, or taken apart: `const { field } = zone`.
      const unused = fields.filter((f) => !acting.some((text) => new RegExp(`\\.${f}\\b|\\{[^{}]*\\b${f}\\b[^{}]*\\} = `).test(text)));
      expect(unused).toEqual([]);
    });
  }
});

describe("keys of the plugins", () => {
  for (const plugin of plugins) {
    test(`${plugin.name}: each is read, or says why it has no effect`, () => {
      const folder = `server/plugins/${plugin.name.replace(/^emqx_/, "")}/`;
      const code = [...sources].filter(([f]) => f.startsWith(folder) || f.startsWith("server/plugins/_auth/")).map(([, text]) => text);
      const all = code.join("\n");
      expect(code.length).toBeGreaterThan(0);
      // Those of TLS have a table and a reader of their own, which `_backend/tls.ts` makes of what they begin with.
      const together = [...all.matchAll(/[Tt]lsOf\("([^"]+)"/g)].map(([, prefix]) => `${prefix}.`);
      // Those of the web hook's rules are made of the names of the hooks, and so are they read.
      if (all.includes("ruleKey(hook)")) together.push("web.hook.rule.");
      const silent = Object.entries(plugin.config).filter(([key, e]) => {
        if (together.some((prefix) => key.startsWith(prefix))) return false;
        const places = all.split(`"${key}"`).length - 1;
        return e.ignored === null && e.inert === null && places < 2;
      });
      expect(silent.map(([key]) => key)).toEqual([]);
      for (const [key, e] of Object.entries(plugin.config))
        if (/without effect/i.test(e.doc)) expect([key, e.inert]).not.toEqual([key, null]);
    });
  }
});
