/** What was read again, and what was not and why: told to who asked for it, and in the log. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../../server/config/config.ts";
import type { CertificateReload } from "../../../server/config/types.ts";
import { integer } from "../../../server/lib/config_entry.ts";
import { selfSignedFiles } from "../../../server/listeners/self_signed.ts";
import { createReload } from "../../../server/node/reload.ts";
import { pluginTables } from "../../../server/plugins/index.ts";
import type { AnyPlugin } from "../../../server/plugins/plugin.ts";
import type { Reloaded } from "../../../server/plugins/services.ts";
import { recordingLog } from "../../support/access.ts";
import { until } from "../../support/until.ts";
import { manage, removeTempDirs } from "../plugins/harness.ts";

const dir = mkdtempSync(join(tmpdir(), "baomq-reload-"));
afterAll(() => {
  removeTempDirs();
  rmSync(dir, { recursive: true });
});
const [file, acl] = [join(dir, "emqx.conf"), join(dir, "acl.conf")];

let lines: string[];
/** Lines of the file beside those that it always has. */
const write = (...more: string[]): void => writeFileSync(file, [...lines, ...more].join("\n"));

beforeEach(() => {
  lines = [`acl_file = ${acl}`, `log.dir = ${join(dir, "log")}`];
  writeFileSync(acl, "{allow, all}.\n");
  write();
});

function reloading() {
  const log = recordingLog();
  const config = loadConfig({ tables: pluginTables, file, env: {} });
  const refused = new Map<string, string>();
  /** Keys that plugins were asked about, each time. */
  const tried: string[][] = [];
  const certificates: CertificateReload[] = [];
  let wrongAcl: string | null = null;
  let restarts = Promise.resolve();
  const reload = createReload({
    config,
    log,
    core: {
      refresh() {},
      reloadAcl() {
        if (wrongAcl !== null) throw new Error(wrongAcl);
      },
    },
    plugins: () => ({
      isRunning: () => true,
      async updateSettings(keys) {
        const asked = [...(typeof keys === "function" ? keys() : keys)];
        tried.push(asked);
        await restarts;
        return { changed: asked.filter((key) => !refused.has(config.keys.find(key)?.app ?? "")), refused };
      },
    }),
    reloadCertificates: async () => certificates,
  });
  return {
    reload: (isAsked = true) => reload(isAsked),
    refused,
    tried,
    certificates,
    errors: () => log.lines.filter((l) => l.level === "error").map((l) => `${l.message}: ${l.fields.error ?? l.fields.why}`),
    /** Plugins are being restarted until what it returns is called. */
    restart(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      restarts = promise;
      return resolve;
    },
    /** `why` null = the rules are good again. */
    writeAcl(text: string, why: string | null) {
      writeFileSync(acl, text);
      wrongAcl = why;
    },
  };
}

const nothing: Reloaded = { done: [], failed: [] };

test("nothing has changed", async () => {
  expect(await reloading().reload()).toEqual(nothing);
});

test("a file that is wrong: told each time somebody asks, logged once, and what else there is is read all the same", async () => {
  const { reload, errors, writeAcl } = reloading();
  write("zone.external.max_inflight = many", "nonsense.key = 1");
  writeAcl("{deny, all}.\n% longer\n", null);
  const why = `${file}:3: zone.external.max_inflight = many: expected `;
  const first = await reload();
  expect(first.done).toEqual([`access rules (${acl})`]);
  expect(first.failed).toEqual([expect.stringContaining(`the settings stay as they were: ${why}`)]);
  expect(first.failed[0]).toMatch(/; \S+:4: unknown key nonsense\.key/);
  expect(await reload()).toEqual({ done: [], failed: first.failed });
  expect(errors()).toEqual([expect.stringContaining(`configuration stays as it was: ${why}`)]);
  write("zone.external.max_inflight = 5");
  expect(await reload()).toEqual({ done: ["settings zone.external.max_inflight"], failed: [] });
  write("zone.external.max_inflight = many");
  await reload();
  expect(errors()).toHaveLength(2);
});

test("access rules that are wrong are told until they are mended", async () => {
  const { reload, errors, writeAcl } = reloading();
  writeAcl("{deny all}.\n", "no comma");
  const failed = ["the access rules stay as they were: no comma"];
  expect(await reload()).toEqual({ done: [], failed });
  expect(await reload()).toEqual({ done: [], failed });
  expect(errors()).toEqual(["access rules stay as they were: no comma"]);
  writeAcl("{deny, all}.\n", null);
  expect(await reload()).toEqual({ done: [`access rules (${acl})`], failed: [] });
  expect(await reload()).toEqual(nothing);
});

test("a plugin that does not go on with what its file says now; what others say is in force", async () => {
  const { reload, refused } = reloading();
  refused.set("emqx_retainer", "the disk is full");
  write("retainer.max_payload_size = 5KB", "zone.external.max_inflight = 5");
  expect(await reload()).toEqual({
    done: ["settings zone.external.max_inflight"],
    failed: ["emqx_retainer goes on with its settings of before: the disk is full"],
  });
});

test("what a plugin has refused is told and tried again until it takes it; by the clock it is left in peace", async () => {
  const { reload, refused, tried } = reloading();
  const [key, why] = ["retainer.max_payload_size", "emqx_retainer goes on with its settings of before: the disk is full"];
  refused.set("emqx_retainer", "the disk is full");
  write(`${key} = 5KB`);
  for (let i = 0; i < 2; i++) expect(await reload()).toEqual({ done: [], failed: [why] });
  refused.clear();
  expect(await reload(false)).toEqual({ done: [], failed: [why] });
  expect(await reload()).toEqual({ done: [`settings ${key}`], failed: [] });
  expect(await reload()).toEqual(nothing);
  expect(tried).toEqual([[key], [key], [], [key], []]);
});

test("who asks while the clock's reload is under way has what was refused tried again, and all who ask before that have one answer", async () => {
  const { reload, refused, tried, restart } = reloading();
  const retained = "retainer.max_payload_size";
  refused.set("emqx_retainer", "the disk is full");
  write(`${retained} = 5KB`);
  await reload();
  refused.clear();
  const restarted = restart();
  const clock = reload(false);
  await until(() => tried.length === 2, "the clock's reload has read the files");
  const all = [reload(false), reload(true), reload(true)];
  restarted();
  await clock;
  for (const answer of await Promise.all(all)) expect(answer).toEqual({ done: [`settings ${retained}`], failed: [] });
  expect(tried).toEqual([[retained], [], [retained]]);
});

test("another file of access rules is read by the reload that finds it named", async () => {
  const { reload } = reloading();
  const other = join(dir, "other.conf");
  writeFileSync(other, "{deny, all}.\n");
  lines[0] = `acl_file = ${other}`;
  write();
  expect(await reload()).toEqual({ done: ["settings acl_file", `access rules (${other})`], failed: [] });
  expect(await reload()).toEqual(nothing);
});

test("what would keep the node from starting is told until it is mended, and logged once", async () => {
  const { reload, errors } = reloading();
  const [keyfile, certfile] = [join(dir, "certs", "key.pem"), join(dir, "certs", "cert.pem")];
  write(`listener.ssl.external.keyfile = ${keyfile}`, `listener.ssl.external.certfile = ${certfile}`);
  const first = await reload();
  expect(first.done).toEqual(["settings listener.ssl.external.keyfile, listener.ssl.external.certfile"]);
  expect(first.failed).toEqual([
    expect.stringMatching(/^the node would not start with this configuration: .*\/certs\/key\.pem cannot be read/),
  ]);
  expect(await reload()).toEqual({ done: [], failed: first.failed });
  expect(errors()).toEqual(first.failed);
  expect(await selfSignedFiles(dir, Date.now())).toEqual({ keyfile, certfile });
  expect(await reload()).toEqual(nothing);
});

const key = "probe.limit";

/** With a real manager that has one plugin, which runs. `start`: how it starts. */
async function reloadingWith(start: AnyPlugin["start"]) {
  const config = { [key]: integer(5, "A limit.") };
  const plugin: AnyPlugin = { name: "probe", description: "", version: "", activeByDefault: false, config, start };
  const m = manage([plugin], { flags: { acl_file: acl, "log.dir": join(dir, "log") } });
  await m.manager.load("probe");
  /** What is read beside the settings. */
  const read: string[] = [];
  const reload = createReload({
    config: m.config,
    log: m.kit.log,
    core: { refresh() {}, reloadAcl: () => void read.push("access rules") },
    plugins: () => m.manager,
    async reloadCertificates() {
      read.push("certificates");
      return [];
    },
  });
  return { ...m, reload, read };
}

describe("a plugin that starts neither with what its file says nor as it was before", () => {
  /** One that does not start while `works` is false. */
  async function stopping() {
    const probe = { works: true, starts: 0 };
    const m = await reloadingWith(() => {
      probe.starts++;
      if (!probe.works) throw new Error("the port is taken");
    });
    return { ...m, probe, limit: () => m.manager.configRows("probe")[0]?.value };
  }
  const down = { done: [], failed: [expect.stringMatching(/^probe has stopped: the port is taken/)] };

  test("is told of and started again by whoever asks, until it runs", async () => {
    const { manager, rewrite, reload, probe, limit } = await stopping();
    probe.works = false;
    rewrite(`${key} = 6\n`);
    for (let i = 0; i < 2; i++) expect(await reload(true)).toEqual(down);
    const { starts } = probe;
    expect(await reload(false)).toEqual(down);
    expect(probe.starts).toBe(starts);
    probe.works = true;
    expect(await reload(true)).toEqual({ done: [`settings ${key}`, "probe runs again"], failed: [] });
    expect([manager.isRunning("probe"), limit()]).toEqual([true, "6"]);
    expect(await reload(true)).toEqual(nothing);
  });

  test("is started when its file says something else, by the clock as well", async () => {
    const { manager, rewrite, reload, probe, limit } = await stopping();
    probe.works = false;
    rewrite(`${key} = 6\n`);
    expect(await reload(false)).toEqual(down);
    probe.works = true;
    rewrite(`${key} = 7\n`);
    expect(await reload(false)).toEqual({ done: [`settings ${key}`, "probe runs again"], failed: [] });
    expect([manager.isRunning("probe"), limit()]).toEqual([true, "7"]);
  });

  test("is not started where nobody wants it to run", async () => {
    const { manager, rewrite, reload, probe, limit } = await stopping();
    await manager.unload("probe");
    probe.works = false;
    await expect(manager.load("probe")).rejects.toThrow("the port is taken");
    probe.works = true;
    rewrite(`${key} = 6\n`);
    expect(await reload(true)).toEqual({ done: [`settings ${key}`], failed: [] });
    expect([manager.isRunning("probe"), limit()]).toEqual([false, "6"]);
  });
});

test("what a plugin has refused and somebody else has put into force since is not told as done", async () => {
  let works = true;
  const { manager, rewrite, reload } = await reloadingWith((ctx) => {
    if (ctx.config[key] === 6 && !works) throw new Error("no room for 6");
  });
  works = false;
  rewrite(`${key} = 6\n`);
  expect(await reload(true)).toEqual({ done: [], failed: ["probe goes on with its settings of before: no room for 6"] });
  works = true;
  await manager.reload("probe");
  expect(manager.configRows("probe")[0]?.value).toBe("6");
  expect(await reload(true)).toEqual(nothing);
});

describe("while a plugin is being restarted", () => {
  /** A plugin that is closed when `closed` is called, and does not run with 13. */
  async function restarting() {
    const closing = Promise.withResolvers<void>();
    const m = await reloadingWith((ctx) => {
      if (ctx.config[key] === 13) throw new Error("not 13");
      ctx.closing(() => closing.promise);
    });
    const stopped = () => until(() => !m.manager.isRunning("probe"), "the plugin stops");
    return { ...m, stopped, closed: () => closing.resolve() };
  }

  test("a file that is wrong is refused as while it runs, and does not keep it from running again", async () => {
    const { manager, config, settings, rewrite, reload, stopped, closed } = await restarting();
    const restarted = settings.apply(new Map([[key, "6"]]));
    await stopped();
    rewrite(`${key} = many\n`);
    const reloaded = reload(true);
    closed();
    expect(await restarted).toEqual({ applied: [key], restart: [] });
    expect(await reloaded).toEqual({ done: [], failed: [expect.stringContaining(`${key} = many: expected a whole number`)] });
    expect([manager.isRunning("probe"), config.faults.size]).toEqual([true, 0]);
  });

  test("what is read is not taken back with what the restart was for", async () => {
    const { manager, config, rewrite, reload, stopped, closed } = await restarting();
    rewrite(`${key} = 13\n`);
    const refused = manager.reload("probe").catch((err: Error) => err.message);
    await stopped();
    rewrite(`${key} = 7\n`);
    const reloaded = reload(true);
    closed();
    expect(await refused).toBe("not 13");
    expect(await reloaded).toEqual({ done: [`settings ${key}`], failed: [] });
    expect([config.raw(key), manager.configRows("probe")[0]?.value]).toEqual(["7", "7"]);
  });

  test("access rules and certificates are read all the same, each time; the settings are read once for all who wait for them", async () => {
    const { settings, rewrite, reload, read, stopped, closed } = await restarting();
    const restarted = settings.apply(new Map([[key, "6"]]));
    await stopped();
    rewrite(`${key} = 7\n`);
    const asked: Promise<Reloaded>[] = [];
    for (const rules of ["{deny, all}.\n", "{allow, all}.\n{deny, all}.\n"]) {
      writeFileSync(acl, rules);
      asked.push(reload(true));
    }
    expect(read).toEqual(["access rules", "certificates", "access rules", "certificates"]);
    writeFileSync(acl, "{allow, all}.\n% longer\n");
    const rules = `access rules (${acl})`;
    expect(await reload(false)).toEqual({ done: [rules], failed: [] });
    closed();
    await restarted;
    for (const answer of await Promise.all(asked))
      expect(answer).toEqual({
        done: [expect.stringMatching(/^probe\.limit .* is not in force: it is set through the API$/), rules],
        failed: [],
      });
  });
});

test("certificates", async () => {
  const { reload, certificates } = reloading();
  certificates.push(
    { listener: "listener.ssl.external", changed: true, error: null },
    { listener: "listener.wss.external", changed: false, error: null },
    { listener: "dashboard.listener.https", changed: false, error: "not in PEM form" },
  );
  expect(await reload()).toEqual({
    done: ["certificate of listener.ssl.external"],
    failed: ["the certificate of dashboard.listener.https stays as it was: not in PEM form"],
  });
});
