/** What was read again, and what was not and why: told to who asked for it, and in the log. */
import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../../server/config/config.ts";
import type { CertificateReload } from "../../../server/config/types.ts";
import { createReload } from "../../../server/node/reload.ts";
import { pluginTables } from "../../../server/plugins/index.ts";
import type { Reloaded } from "../../../server/plugins/services.ts";
import { recordingLog } from "../../support/access.ts";

const dir = mkdtempSync(join(tmpdir(), "baomq-reload-"));
afterAll(() => rmSync(dir, { recursive: true }));
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
  const certificates: CertificateReload[] = [];
  let wrongAcl: string | null = null;
  const reload = createReload({
    config,
    log,
    core: {
      refresh() {},
      reloadAcl() {
        if (wrongAcl !== null) throw new Error(wrongAcl);
      },
    },
    plugins: () => ({ isRunning: () => true, updateSettings: async () => ({ changed: [], refused }) }),
    reloadCertificates: async () => certificates,
  });
  return {
    reload,
    refused,
    certificates,
    errors: () => log.lines.filter((l) => l.level === "error").map((l) => `${l.message}: ${l.fields.error ?? l.fields.why}`),
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

test("what would keep the node from starting", async () => {
  const { reload, errors } = reloading();
  write("listener.ssl.external.keyfile = /nowhere/key.pem", "listener.ssl.external.certfile = /nowhere/cert.pem");
  const { done, failed } = await reload();
  expect(done).toEqual(["settings listener.ssl.external.keyfile, listener.ssl.external.certfile"]);
  expect(failed).toEqual([
    expect.stringMatching(/^the node would not start with this configuration: .*\/nowhere\/key\.pem cannot be read/),
  ]);
  expect(errors()).toHaveLength(1);
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
