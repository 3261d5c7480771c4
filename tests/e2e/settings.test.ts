/** A setting made through the API never keeps the broker from starting; what is wrong is told, and can be taken back without it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NodeAlarms, Setting } from "../../server/api/contract.ts";
import { Installation, newPorts, type RunningBroker } from "../support/executable.ts";
import { freePorts } from "../support/ports.ts";
import { until } from "../support/until.ts";

let baomq: Installation;
beforeAll(() => {
  baomq = new Installation();
});
afterAll(() => baomq.remove());

/** Through the command line's socket, as the machine's owner. */
async function ask<T>(broker: RunningBroker, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`http://localhost/api/v3${path}`, {
    method,
    unix: join(broker.dataDir, "ctl.sock"),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  } as RequestInit);
  const json = (await response.json()) as { code: number; message?: string; data: T };
  if (json.code !== 0) throw new Error(`${json.code} ${json.message}`);
  return json.data;
}
const setting = async (broker: RunningBroker, key: string): Promise<Setting | undefined> =>
  (await ask<Setting[]>(broker, "GET", `/settings?_like_key=${key}`)).find((s) => s.key === key);

/** Lines of a configuration file with ports of its own. */
function args(): string[] {
  const p = newPorts();
  const all: [string, string][] = [
    ["listener.tcp.external", `127.0.0.1:${p.tcp}`],
    ["listener.tcp.internal", "127.0.0.1:0"],
    ["listener.ssl.external", `127.0.0.1:${p.tls}`],
    ["listener.ws.external", "off"],
    ["listener.wss.external", "off"],
    ["management.listener.http", `127.0.0.1:${p.api}`],
    ["dashboard.listener.http", `127.0.0.1:${p.dashboard}`],
    ["log.to", "console"],
  ];
  return all.map(([key, value]) => `${key} = ${value}`);
}

/** A broker whose settings stand in a file: the API's layer stands above them. */
function start(name: string, lines: readonly string[]): Promise<RunningBroker> {
  const file = join(baomq.dir, `${name}.conf`);
  writeFileSync(file, `${lines.join("\n")}\n`);
  return baomq.startPlain(name, ["--config", file]);
}

describe("what was good when it was set, and is not any more", () => {
  test("a file that is gone, a port that somebody has: started without them, told, and back when they are good again", async () => {
    const acl = join(baomq.dir, "mine.conf");
    writeFileSync(acl, "{allow, all}.\n");
    const [port = 0, api = 0] = freePorts(2);
    const lines = args();
    const first = await start("rescue", lines);
    const changes = { acl_file: acl, "listener.tcp.more": `127.0.0.1:${port}`, "management.listener.http": `127.0.0.1:${api}` };
    await ask(first, "PUT", "/settings", { ...changes, "zone.external.max_inflight": "9" });
    expect(await first.stop()).toBe(0);

    rmSync(acl);
    const holders = [port, api].map((p) => Bun.listen({ hostname: "127.0.0.1", port: p, socket: { data() {} } }));
    const second = await start("rescue", lines);
    for (const key of Object.keys(changes)) {
      const line = second.log.split("\n").find((l) => l.includes(`key=${key} `)) ?? "";
      expect(line).toContain("[error] a setting made through the API is not used");
      expect(line).toContain(changes[key as "acl_file"]);
    }
    expect(second.log).toMatch(/acl_file.*there is no such file/);
    expect(second.log).toMatch(new RegExp(`management\\.listener\\.http.*port ${api} is already in use`));
    expect(await setting(second, "acl_file")).toMatchObject({
      value: "etc/acl.conf",
      origin: "default",
      unused: { value: acl, why: expect.stringContaining("there is no such file") },
    });
    expect(await setting(second, "zone.external.max_inflight")).toMatchObject({ value: "9", origin: "api" });
    const [alarms] = await ask<NodeAlarms[]>(second, "GET", "/alarms/present");
    const alarm = alarms?.alarms.find((a) => a.id === "settings_set_aside");
    expect(JSON.stringify(alarm?.desc)).toContain(acl);

    // Taken back one by one: the alarm goes with the last.
    await ask(second, "PUT", "/settings", { acl_file: null });
    expect(await setting(second, "acl_file")).not.toHaveProperty("unused");
    expect(JSON.stringify(await ask(second, "GET", "/alarms/present"))).toContain("settings_set_aside");
    await ask(second, "PUT", "/settings", { "listener.tcp.more": null });
    expect(await second.stop()).toBe(0);

    // The port is free again: what was set is in force again.
    for (const h of holders) h.stop(true);
    const third = await start("rescue", lines);
    expect(third.log).not.toContain("is not used");
    expect(await setting(third, "management.listener.http")).toMatchObject({ value: `127.0.0.1:${api}`, origin: "api" });
    expect(JSON.stringify(await ask(third, "GET", "/alarms/present"))).not.toContain("settings_set_aside");
    expect(await third.stop()).toBe(0);
  });

  test("a log that cannot be opened, plugins where none can be: started without them, told", async () => {
    const [logs, link, own] = ["logs", "link", "own"].map((name) => join(baomq.dir, name)) as [string, string, string];
    for (const dir of [logs, own]) mkdirSync(dir);
    symlinkSync(logs, link);
    const lines = args();
    const first = await start("unopened", lines);
    await ask(first, "PUT", "/settings", { "log.dir": link, "log.to": "both", "plugins.expand_plugins_dir": own });
    const file = join(baomq.dir, "unopened.conf");
    const why = `plugins.expand_plugins_dir = ${file}: expected a directory of plugins, but it cannot be read: a part of its path is no directory`;
    await expect(ask(first, "PUT", "/settings", { "plugins.expand_plugins_dir": file })).rejects.toThrow(why);
    expect(await first.stop()).toBe(0);

    for (const dir of [logs, own]) rmSync(dir, { recursive: true });
    writeFileSync(own, "no directory");
    const second = await start("unopened", lines);
    expect(await setting(second, "log.dir")).toMatchObject({
      origin: "default",
      unused: { value: link, why: expect.stringContaining(link) },
    });
    expect(await setting(second, "log.to")).toMatchObject({ value: "both", origin: "api" });
    expect(await setting(second, "plugins.expand_plugins_dir")).toMatchObject({ origin: "default", unused: { value: own } });
    expect(await second.stop()).toBe(0);
  });

  test("log settings made through the API are in force after the next start", async () => {
    const lines = args();
    const first = await start("logged", lines);
    await ask(first, "PUT", "/settings", { "log.format": "json", "storage.sync": "always" });
    expect(await first.stop()).toBe(0);
    const second = await start("logged", lines);
    expect(await second.stop()).toBe(0);
    expect(JSON.parse(second.log.trim().split("\n").at(-1) ?? "")).toMatchObject({ message: "stopped" });
  });
});

describe("whoever starts the node has the last word", () => {
  test("flags and environment stand above what the API says, and the list shows both", async () => {
    const lines = args();
    const first = await start("above", lines);
    await ask(first, "PUT", "/settings", { "mqtt.max_packet_size": "1KB", "zone.external.max_inflight": "7" });
    expect(await first.stop()).toBe(0);
    const file = join(baomq.dir, "above.conf");
    const second = await baomq.startPlain("above", ["--config", file, "--set", "mqtt.max_packet_size=3KB"], {
      EMQX_ZONE__EXTERNAL__MAX_INFLIGHT: "5",
    });
    expect(await setting(second, "mqtt.max_packet_size")).toMatchObject({
      value: "3KB",
      origin: "flag",
      unused: { value: "1KB", why: "mqtt.max_packet_size is set by --set mqtt.max_packet_size, which stands above it" },
    });
    expect(await setting(second, "zone.external.max_inflight")).toMatchObject({ value: "5", origin: "env", unused: { value: "7" } });
    await expect(ask(second, "PUT", "/settings", { "zone.external.max_inflight": "6" })).rejects.toThrow(
      "108 zone.external.max_inflight is set by EMQX_ZONE__EXTERNAL__MAX_INFLIGHT in the environment",
    );
    expect(await second.stop()).toBe(0);
  });
});

describe("what the file says too", () => {
  const key = "zone.external.max_inflight";
  const size = "retainer.max_payload_size";

  test("is the file's: it is not kept, and a change of the file counts", async () => {
    const lines = args();
    const file = join(baomq.dir, "same.conf");
    const broker = await start("same", [...lines, `${key} = 7`, `${size} = 5KB`]);
    const at = "/nodes/emqx@127.0.0.1/plugin_configs/emqx_retainer";
    expect(await ask<object>(broker, "PUT", "/settings", { [key]: "7" })).toEqual({ applied: [key], restart: [] });
    expect(await setting(broker, key)).toMatchObject({ value: "7", origin: "file" });
    await ask(broker, "PUT", at, { [size]: "5KB", "retainer.max_retained_messages": "8" });
    expect(await setting(broker, size)).toMatchObject({ value: "5KB", origin: "file" });
    expect(await setting(broker, "retainer.max_retained_messages")).toMatchObject({ value: "8", origin: "api" });
    // What was another one is the file's again.
    await ask(broker, "PUT", "/settings", { [key]: "9" });
    expect(await setting(broker, key)).toMatchObject({ value: "9", origin: "api" });
    await ask(broker, "PUT", "/settings", { [key]: "7" });
    expect(await setting(broker, key)).toMatchObject({ value: "7", origin: "file" });
    await ask(broker, "PUT", "/nodes/emqx@127.0.0.1/plugins/emqx_reloader/load");
    writeFileSync(file, [...lines, `${key} = 8`, `${size} = 6KB`].join("\n"));
    expect(await ask<string[]>(broker, "PUT", "/reload")).toEqual([`settings ${key}, ${size}`]);
    expect(await setting(broker, key)).toMatchObject({ value: "8", origin: "file" });
    expect(await setting(broker, size)).toMatchObject({ value: "6KB", origin: "file" });
    expect(await broker.stop()).toBe(0);
  });

  test("lines that are read again, and are not in force: told in the answer and in the log", async () => {
    const lines = args();
    const file = join(baomq.dir, "over.conf");
    const broker = await start("over", [...lines, `${key} = 7`, `${size} = 5KB`]);
    const plugin = (name: string, verb: string) => ask(broker, "PUT", `/nodes/emqx@127.0.0.1/plugins/${name}/${verb}`);
    const told = (number: number, of: string): RegExp =>
      new RegExp(`\\[warning\\] a line of a file is not in force.* key=${of.replaceAll(".", "\\.")} written="in ${file}:${number}"`);
    await plugin("emqx_reloader", "load");
    await ask(broker, "PUT", "/settings", { [key]: "9", [size]: "1KB" });
    writeFileSync(file, [...lines, `${key} = 8`, `${size} = 5KB`].join("\n"));
    const number = lines.length + 1;
    const expected = [`${key} in ${file}:${number}, which is not in force: it is set through the API`];
    expect(await ask<string[]>(broker, "PUT", "/reload")).toEqual(expected);
    await until(() => told(number, key).test(broker.log), "the line of the zone is told");
    // Once: the next time it is not new any more, unless a plugin is to read its lines again.
    expect(await ask<string[]>(broker, "PUT", "/reload")).toEqual([]);
    expect(told(number + 1, size).test(broker.log)).toBe(false);
    await plugin("emqx_retainer", "reload");
    await until(() => told(number + 1, size).test(broker.log), "the plugin's line is told");
    expect(await broker.stop()).toBe(0);
    expect(broker.log.split("\n").filter((line) => told(number, key).test(line))).toHaveLength(1);
  });
});

describe("without a running broker", () => {
  test("config check reads what was set through the API; config unset takes it back", async () => {
    const acl = join(baomq.dir, "later.conf");
    writeFileSync(acl, "{allow, all}.\n");
    const lines = args();
    const broker = await start("offline", lines);
    const file = join(baomq.dir, "offline.conf");
    const of = (command: string[]): string[] => ["config", ...command, "--config", file, "--data-dir", broker.dataDir];
    await ask(broker, "PUT", "/settings", { acl_file: acl, "mqtt.max_topic_levels": "7" });
    const busy = await baomq.run(of(["check"]));
    expect(busy).toMatchObject({ code: 0, stderr: "" });
    expect(busy.stdout).toContain(`A broker runs on ${broker.dataDir}`);
    const refused = await baomq.run(of(["unset", "acl_file"]));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("baomq ctl settings reset");
    expect(await broker.stop()).toBe(0);

    expect((await baomq.run(of(["check"]))).stdout).toEndWith("The configuration is good.\n");
    rmSync(acl);
    const bad = await baomq.run(of(["check"]));
    expect(bad.code).toBe(1);
    expect(bad.stdout).not.toContain("good");
    expect(bad.stderr).toBe(
      `baomq: acl_file = ${acl}: expected a file of access rules, but it cannot be read: there is no such file (acl_file was set through the API: ` +
        "the node starts with what lies below; baomq config unset acl_file takes it back)\n",
    );

    const unknown = await baomq.run(of(["unset", "acl_nomatch"]));
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      `baomq: config unset: acl_nomatch: not set through the API; set in ${broker.dataDir}: acl_file, mqtt.max_topic_levels\n`,
    ]);
    const done = await baomq.run(of(["unset", "acl_file"]));
    expect(done).toMatchObject({ code: 0, stderr: "", stdout: "acl_file is taken back: etc/acl.conf is in force (set by default).\n" });
    expect((await baomq.run(of(["check"]))).code).toBe(0);
    expect((await baomq.run(of(["unset", "--all"]))).stdout).toContain("mqtt.max_topic_levels is taken back: 0 is in force");
    expect((await baomq.run(of(["unset", "--all"]))).stdout).toContain("Nothing was set through the API");
    const again = await broker.restart();
    expect(await setting(again, "mqtt.max_topic_levels")).toMatchObject({ value: "0", origin: "default" });
    expect(await again.stop()).toBe(0);
  });

  test("config check changes nothing: no data directory is made", async () => {
    const dir = join(baomq.dir, "never");
    expect((await baomq.run(["config", "check", "--data-dir", dir])).code).toBe(0);
    expect(existsSync(dir)).toBe(false);
  });

  test("config check finds what would keep the node from starting, in every layer, with its place", async () => {
    const file = join(baomq.dir, "broken.conf");
    writeFileSync(file, "## words\nacl_file = /nope\nlistener.tcp.external.zone = plant\nmanagement.listener.http = 18083\n");
    const r = await baomq.run(["config", "check", "--config", file], { env: { EMQX_LISTENER__SSL__EXTERNAL__KEYFILE: "/nope/k.pem" } });
    expect(r.code).toBe(1);
    const lines = r.stderr.trim().split("\n");
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/listener\.tcp\.external\.zone = plant.*set in .*broken\.conf:3\)$/);
    expect(lines[1]).toMatch(/no other listener has.*set in .*broken\.conf:4\)$/);
    expect(lines[2]).toMatch(/acl_file = \/nope.*set in .*broken\.conf:2\)$/);
    expect(lines[3]).toMatch(/certfile is not set.*EMQX_LISTENER__SSL__EXTERNAL__KEYFILE in the environment\)$/);
  });

  test("a directory in place of the file", async () => {
    const r = await baomq.run(["config", "check", "-c", baomq.dir]);
    expect([r.code, r.stderr]).toEqual([1, `baomq: configuration file ${baomq.dir} cannot be read: it is a directory\n`]);
  });
});
