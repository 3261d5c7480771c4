/** Changing settings: looked at as a whole, all or nothing, and told as it is. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { PluginConfigRow, Setting, SettingsApplied } from "../../server/api/contract.ts";
import { selfSignedFiles } from "../../server/listeners/self_signed.ts";
import { freePorts } from "../support/ports.ts";
import { NODE, TestNode } from "./support/node.ts";
import { scenarios } from "./support/table.ts";

const dir = mkdtempSync(join(tmpdir(), "baomq-settings-"));
const at = (name: string): string => join(dir, name);
let node: TestNode;
let pair: { keyfile: string; certfile: string };
let other: { keyfile: string; certfile: string };

beforeAll(async () => {
  mkdirSync(at("two"));
  pair = await selfSignedFiles(dir, Date.now());
  other = await selfSignedFiles(at("two"), Date.now());
  writeFileSync(at("bad.conf"), "{allow, all}.\n{deny, nobody}.\n");
  writeFileSync(at("good.conf"), "{allow, all}.\n");
  writeFileSync(at("text"), "no certificate\n");
  node = await TestNode.start({ "mqtt.max_topic_levels": "9", "zone.plant.max_inflight": "5" });
});
afterAll(async () => {
  await node.stop();
  rmSync(dir, { recursive: true, force: true });
});

const find = async (key: string, n = node): Promise<Setting | undefined> =>
  (await n.get<Setting[]>(`/settings?_like_key=${key}`)).find((s) => s.key === key);
const put = (body: unknown, n = node) => n.ask("PUT", "/settings", { body });

describe("a change that would keep the node from starting", () => {
  /** In words: key, value, what was expected. */
  const refused = async (changes: Record<string, string | null>, ...words: (string | RegExp)[]): Promise<void> => {
    const before = await node.get<Setting[]>("/settings");
    const { json } = await put({ "mqtt.max_clientid_len": "77", ...changes });
    expect(json?.code).toBe(108);
    for (const word of words) expect(json?.message).toMatch(word);
    expect(await node.get<Setting[]>("/settings")).toEqual(before);
  };

  test("rules that are not there, are a directory, or are none", async () => {
    await refused({ acl_file: "/nope" }, "acl_file = /nope: expected a file of access rules, but it cannot be read: there is no such file");
    await refused({ acl_file: dir }, "it is a directory");
    await refused({ acl_file: at("bad.conf") }, "acl_file", "bad.conf: line 2, column");
    // Whoever may name a file need not be who may read it.
    writeFileSync(at("shadow"), "root_hash_of_somebody:x\n");
    const { json } = await put({ acl_file: at("shadow") });
    expect(json?.message).toContain("shadow: line 1, column");
    expect(json?.message).not.toContain("root_hash");
  });

  test("a log file whose name no file system takes", async () => {
    const long = relative(join(node.dir, "log"), at("x".repeat(300)));
    await refused({ "log.error.file": long }, "log.dir", "the name is too long");
  });

  test("each of several that are wrong is told", async () => {
    await refused(
      { "mqtt.max_packet_size": "much", "mqtt.max_topic_levels": "many", "mqtt.max_qoss": "1" },
      /^mqtt\.max_packet_size = much: expected [^;]+; mqtt\.max_topic_levels = many: expected [^;]+; unknown key mqtt\.max_qoss/,
    );
  });

  test("a value that is no value", async () => {
    for (const value of [[], {}, [1]])
      expect((await put({ "mqtt.max_packet_size": value })).json?.message).toBe(
        "value of 'mqtt.max_packet_size': expected string, number, boolean or null",
      );
  });

  test("a value that is more than a line, a node's name that is none", async () => {
    await refused({ "log.error.file": "a\0b" }, "log.error.file", "expected one line without control characters");
    await refused({ "plugins.expand_plugins_dir": "a\nb" }, "expected one line without control characters");
    for (const name of ["", "two words", "plant/1", "a+", "a#"])
      await refused({ "node.name": name }, "expected a name such as emqx@127.0.0.1");
  });

  test("an address of another machine, or of somebody else", async () => {
    const keys = ["listener.tcp.new", "listener.ws.new", "management.listener.https"];
    for (const key of keys) await refused({ [key]: "10.99.99.99:1883" }, `${key}: 10.99.99.99 is not an address of this machine`);
    const holder = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    for (const key of keys) await refused({ [key]: `127.0.0.1:${holder.port}` }, key, `port ${holder.port} is already in use`);
    holder.stop(true);
  });

  test("an address that another listener has after the change", async () => {
    const [port] = freePorts(1);
    await refused(
      { "listener.tcp.new": `127.0.0.1:${port}`, "management.listener.https": `${port}` },
      "no other listener has",
      String(port),
    );
  });

  test("keys and certificates that are not there, are none, or do not belong together", async () => {
    const [port] = freePorts(1);
    for (const prefix of ["listener.ssl.external", "management.listener.https", "dashboard.listener.https"]) {
      const open = prefix.startsWith("listener") ? {} : { [prefix]: `127.0.0.1:${port}` };
      const set = (keyfile: string, certfile: string) => ({ ...open, [`${prefix}.keyfile`]: keyfile, [`${prefix}.certfile`]: certfile });
      await refused(set("/nope/k.pem", pair.certfile), `${prefix}.keyfile`, "/nope/k.pem cannot be read: there is no such file");
      await refused(set(pair.keyfile, at("text")), `${prefix}.certfile`, "is not in PEM form");
      await refused(set(other.keyfile, pair.certfile), "does not belong to the certificate");
      await refused({ ...open, [`${prefix}.keyfile`]: pair.keyfile }, `${prefix}.certfile is not set`);
      await refused({ ...open, [`${prefix}.verify`]: "verify_peer" }, `${prefix}.verify`, `set ${prefix}.cacertfile`);
    }
    await refused(
      { "listener.ssl.external.tls_versions": "sslv3" },
      "listener.ssl.external.tls_versions = sslv3: expected one or more of tlsv1",
    );
    await refused({ "listener.ssl.external.ciphers": "NOPE" }, /listener\.ssl\.external\.ciphers: NOPE names no cipher/);
  });

  test("a zone that is not there, or is taken away from under a listener", async () => {
    await refused(
      { "listener.tcp.external.zone": "nowhere" },
      "listener.tcp.external.zone = nowhere: there is no such zone; expected one of external",
    );
    await put({ "zone.short.max_inflight": "1", "listener.ws.external.zone": "short" });
    await refused({ "zone.short.max_inflight": null }, "listener.ws.external.zone = short: there is no such zone");
    await put({ "zone.short.max_inflight": null, "listener.ws.external.zone": null });
  });

  test("a directory for the log that cannot be written", async () => {
    const logs = join(node.dir, "log");
    await refused(
      { "log.error.file": relative(logs, join(at("text"), "x.log")) },
      `log.dir = ${logs}`,
      /x\.log cannot be written: .*text is no dir/,
    );
  });

  test("what is needed before anything kept here is read", async () => {
    await refused({ "node.data_dir": "/elsewhere" }, "node.data_dir is needed before");
  });
});

describe("a change that would not", () => {
  test("files and addresses that are good are taken, and tell that they wait for a restart", async () => {
    const [port] = freePorts(1);
    const changes = {
      acl_file: at("good.conf"),
      "listener.tcp.new": `127.0.0.1:${port}`,
      "listener.ssl.external.keyfile": pair.keyfile,
      "listener.ssl.external.certfile": pair.certfile,
      "zone.external.max_inflight": "9",
    };
    const { applied, restart } = await node.data<SettingsApplied>("PUT", "/settings", { body: changes });
    expect(applied).toEqual(["zone.external.max_inflight"]);
    expect(restart.sort()).toEqual(
      Object.keys(changes)
        .filter((k) => k !== "zone.external.max_inflight")
        .sort(),
    );
    await put(Object.fromEntries(Object.keys(changes).map((key) => [key, null])));
    expect((await node.get<Setting[]>("/settings")).filter((s) => s.origin === "api")).toEqual([]);
  });

  test("a fault that was there before is nobody's fault", async () => {
    const file = at("going.conf");
    writeFileSync(file, "{allow, all}.\n");
    const own = await TestNode.start({ acl_file: file });
    rmSync(file);
    try {
      expect((await put({ "mqtt.max_clientid_len": "77" }, own)).json?.code).toBe(0);
    } finally {
      await own.stop();
    }
  });
});

describe("who stands above", () => {
  test("a flag is not overruled: the answer says who says so", async () => {
    const { json } = await put({ "mqtt.max_topic_levels": "3" });
    expect([json?.code, json?.message]).toEqual([
      108,
      "mqtt.max_topic_levels is set by --set mqtt.max_topic_levels, which stands above what is changed here: change it there",
    ]);
    expect((await put({ "mqtt.max_topic_levels": "9" })).json?.code).toBe(0);
    expect(await find("mqtt.max_topic_levels")).toMatchObject({ value: "9", origin: "flag" });
  });
});

describe("plugins", () => {
  const conf = (plugin: string): string => `/nodes/${NODE}/plugin_configs/${plugin}`;
  const row = async (plugin: string, key: string) => (await node.get<PluginConfigRow[]>(conf(plugin))).find((r) => r.key === key);

  test("applied means: the plugin has it", async () => {
    expect((await put({ "retainer.max_payload_size": "5" })).json?.data).toEqual({ applied: ["retainer.max_payload_size"], restart: [] });
    await node.ask("POST", "/mqtt/publish", { body: { topic: "size/6", payload: "123456", retain: true } });
    expect((await node.ask("GET", "/retained/size/6")).json?.code).toBe(102);
    await put({ "retainer.max_payload_size": null });
  });

  test("what a plugin does not run with is refused, and it goes on as before", async () => {
    await node.ask("PUT", `/nodes/${NODE}/plugins/emqx_reloader/load`);
    const before = await row("emqx_reloader", "reloader.logfile");
    const { json } = await put({ "reloader.logfile": "../outside.log", "zone.external.max_inflight": "3" });
    expect(json?.code).toBe(102);
    expect(json?.message).toContain("emqx_reloader does not run with it:");
    expect(json?.message).toContain("in the data directory");
    expect(await row("emqx_reloader", "reloader.logfile")).toEqual(before);
    expect(await find("zone.external.max_inflight")).toMatchObject({ origin: "default" });
    const set = await node.ask("PUT", conf("emqx_reloader"), { body: { "reloader.logfile": "../outside.log" } });
    expect([set.json?.code, set.json?.message]).toEqual([102, expect.stringMatching(/^emqx_reloader does not run with it/)]);
    expect(await row("emqx_reloader", "reloader.logfile")).toEqual(before);
    await node.ask("PUT", `/nodes/${NODE}/plugins/emqx_reloader/unload`);
  });

  test("an API that moves is there when the answer comes; one that cannot move stays", async () => {
    const [port] = freePorts(1);
    const own = await TestNode.start({}, undefined);
    try {
      const old = own.port("user");
      const { json } = await own.ask("PUT", conf("emqx_dashboard"), {
        body: { "dashboard.listener.http": `127.0.0.1:${own.port("app")}` },
      });
      expect([json?.code, json?.message]).toEqual([102, expect.stringMatching(/dashboard\.listener\.http is set by --set/)]);
      expect(own.port("user")).toBe(old);
      const moved = await own.ask("PUT", conf("emqx_management"), { body: { "management.listener.https": `127.0.0.1:${port}` } });
      expect(moved.json).toEqual({ code: 0 });
      const answer = await fetch(`https://127.0.0.1:${port}/status`, { tls: { rejectUnauthorized: false } });
      expect(answer.status).toBe(200);
    } finally {
      await own.stop();
    }
  });

  test("the set of a whole plugin is looked at as a whole too", async () => {
    const set = { "management.listener.https": "10.99.99.99:1", "management.max_row_limit": "5" };
    const { json } = await node.ask("PUT", conf("emqx_management"), { body: set });
    expect(json?.code).toBe(102);
    expect(json?.message).toStartWith("management.listener.https: 10.99.99.99 is not an address of this machine");
    expect(await row("emqx_management", "management.max_row_limit")).toMatchObject({ value: "10000" });
  });
});

describe("names that every object has", () => {
  const names = ["constructor", "toString", "hasOwnProperty", "valueOf", "__proto__", "isPrototypeOf"];
  const body = (name: string): string => `{"${name}":"1"}`;
  scenarios(
    () => node,
    names.flatMap((name) => [
      {
        name: `${name}: settings`,
        method: "PUT",
        path: "/settings",
        raw: body(name),
        code: 108,
        message: new RegExp(`unknown key ${name}`),
      },
      {
        name: `${name}: plugin_configs`,
        method: "PUT",
        path: `/nodes/${NODE}/plugin_configs/emqx_retainer`,
        raw: body(name),
        code: 102,
        message: `emqx_retainer has no key ${name}`,
      },
      {
        name: `${name}: configs`,
        method: "PUT",
        path: "/configs/emqx_retainer",
        body: { key: name, value: "1" },
        code: 102,
        message: `${name} is no key of emqx_retainer that can be set while it runs`,
      },
      { name: `${name}: application`, method: "PUT", path: `/configs/${name}`, body: { key: "a", value: "1" }, status: 404 },
    ]),
  );
});

describe("rules read again", () => {
  test("bad ones are told with file and line, and the good ones stay", async () => {
    const file = at("again.conf");
    writeFileSync(file, "{allow, all}.\n");
    const own = await TestNode.start({ acl_file: file });
    try {
      for (const [text, why] of [
        ["{allow, all}.\n{deny}.\n", `acl_file = ${file}: line 2, column 1: expected a rule of two or four parts`],
        [null, `acl_file = ${file}: expected a file of access rules, but it cannot be read: there is no such file`],
      ] as const) {
        if (text === null) rmSync(file);
        else writeFileSync(file, text);
        const { json } = await own.ask("PUT", "/acl/reload");
        expect(json?.code).toBe(102);
        expect(json?.message).toStartWith(`the access rules stay as they were: ${why.slice(0, -20)}`);
      }
      writeFileSync(file, "{deny, all}.\n");
      chmodSync(file, 0o644);
      expect((await own.ask("PUT", "/acl/reload")).json).toEqual({ code: 0 });
    } finally {
      await own.stop();
    }
  });
});

test("a change of as many keys as may be holds nobody up for long; more are refused", async () => {
  const zones = (from: number, n: number) =>
    Object.fromEntries(Array.from({ length: n }, (_, i) => [`zone.many${from + i}.max_inflight`, "7"]));
  const over = await put(zones(0, 1001));
  expect(over.json).toEqual({ code: 108, message: "a change has no more than 1000 keys" });
  expect(node.node.broker.zones.has("many0")).toBe(false);
  // Work of this thread between two turns of its event loop: what else runs on the machine is none of it.
  const worked = (): number => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let last = worked();
  let longest = 0;
  const beat = setInterval(() => {
    longest = Math.max(longest, worked() - last);
    last = worked();
  }, 1);
  const { json } = await put(zones(0, 1000));
  await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(beat);
  expect(((json?.data ?? {}) as Partial<SettingsApplied>).applied).toHaveLength(1000);
  expect(node.node.broker.zone("many999").maxInflight).toBe(7);
  expect(longest).toBeLessThan(250);
  // Some 40,000 rows by now.
  const data = await node.get<Setting[]>("/settings?_like_key=zone.many");
  expect(data.filter((s) => s.key.endsWith(".max_inflight")).map((s) => s.value)).toEqual(new Array(1000).fill("7"));
  expect(new Set(data.map((s) => s.key)).size).toBe(data.length);
  await put(Object.fromEntries(Object.keys(zones(0, 1000)).map((key) => [key, null])));
});

test("ten thousand keys can be set through the API in all; what is there can still be changed and taken back", async () => {
  const own = await TestNode.start();
  try {
    const set = async (changes: Record<string, string | null>) => (await own.ask("PUT", "/settings", { body: changes })).json;
    const many = (from: number, n: number) =>
      Object.fromEntries(Array.from({ length: n }, (_, i) => [`zone.many${from + i}.max_inflight`, "2"]));
    for (let i = 0; i < 9; i++) expect((await set(many(i * 1000, 1000)))?.code).toBe(0);
    expect((await set(many(9000, 999)))?.code).toBe(0);
    const why = "no more than 10000 keys can be set through the API in all: take some back, or set them in the configuration files";
    expect(await set(many(9999, 2))).toEqual({ code: 108, message: why });
    expect((await set(many(9999, 1)))?.code).toBe(0);
    const key = "zone.external.max_inflight";
    expect((await set({ [key]: "5" }))?.code).toBe(108);
    expect((await set({ [key]: "5", "zone.many0.max_inflight": null, "zone.many1.max_inflight": "3" }))?.code).toBe(0);
    expect((await set({ [key]: null }))?.code).toBe(0);
    expect((await set({ "mqtt.max_topic_levels": "9" }))?.code).toBe(0);
  } finally {
    await own.stop();
  }
});
