/** The trees that EMQ X 3.1 and 3.2 unpack start unchanged: configuration, plugins' files, the list of loaded plugins, access rules. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MASK } from "../../server/lib/mask.ts";
import { selfSignedFiles } from "../../server/listeners/self_signed.ts";
import type { PluginConfigRow } from "../../server/plugins/settings.ts";
import { connectPacket, RawClient } from "../support/clients.ts";
import { Installation, newPorts, type RunningBroker } from "../support/executable.ts";
import { freePorts, waitForPort } from "../support/ports.ts";
import { AUTH_FILES, uncommented } from "../support/stock_auth.ts";
import { foreignPlugins, linesOf, RELEASES, type Release, writeTree } from "../support/stock_tree.ts";

let baomq: Installation;
const scratch = mkdtempSync(join(tmpdir(), "baomq-pem-"));
let pem: { key: string; cert: string };
beforeAll(async () => {
  baomq = new Installation();
  const files = await selfSignedFiles(scratch, Date.now());
  pem = { key: readFileSync(files.keyfile, "utf8"), cert: readFileSync(files.certfile, "utf8") };
});
afterAll(async () => {
  rmSync(scratch, { recursive: true });
  await baomq.remove();
});

function tree(name: string, release: Release, loaded?: readonly string[]): string {
  const dir = join(baomq.dir, name);
  mkdirSync(dir);
  writeTree(dir, release, pem, loaded);
  return dir;
}

/** In the tree, as its owner would; only the ports are others, because tests run side by side. */
function start(cwd: string): Promise<RunningBroker> {
  const p = newPorts();
  const set = [
    `listener.tcp.external=127.0.0.1:${p.tcp}`,
    "listener.tcp.internal=127.0.0.1:0",
    `listener.ssl.external=127.0.0.1:${p.tls}`,
    `listener.ws.external=127.0.0.1:${p.ws}`,
    `listener.wss.external=127.0.0.1:${p.wss}`,
    `management.listener.http=127.0.0.1:${p.api}`,
    `dashboard.listener.http=127.0.0.1:${p.dashboard}`,
  ];
  return baomq.startIn(cwd, p, ["start", ...set.flatMap((s) => ["--set", s])]);
}

async function activePlugins(cwd: string): Promise<string[]> {
  const r = await baomq.run(["ctl", "plugins", "list", "--data-dir", join(cwd, "data")], { cwd });
  return r.stdout.split("\n").flatMap((l) => /^Plugin\((\w+),.*active=true/.exec(l)?.[1] ?? []);
}

const OURS = ["emqx_dashboard", "emqx_management", "emqx_recon", "emqx_retainer", "emqx_rule_engine"];

describe("a stock tree", () => {
  for (const release of RELEASES) {
    test(`of ${release}: checked, started, every port open, and said aloud`, async () => {
      const cwd = tree(`stock-${release}`, release);
      const check = await baomq.run(["config", "check"], { cwd });
      expect(check).toMatchObject({ code: 0, stderr: "" });
      expect(check.stdout).toEndWith("The configuration is good.\n");
      for (const name of foreignPlugins(release)) expect(check.stdout).toContain(`ignored: etc/plugins/${name}.conf (its plugin`);
      const broker = await start(cwd);
      for (const port of Object.values(broker.ports)) await waitForPort(port, 5000);
      expect(await activePlugins(cwd)).toEqual(OURS);
      expect(await broker.stop()).toBe(0);
      const said = broker.errors.trim().split("\n");
      expect(said).toHaveLength(3);
      expect(said[0]).toMatch(/^baomq: \d+ settings without a meaning here are ignored \(baomq config check names them\)$/);
      expect(said[1]).toBe(
        `baomq: files of plugins that are not part of this build are kept: ${foreignPlugins(release)
          .sort()
          .map((name) => `etc/plugins/${name}.conf`)
          .join(", ")}`,
      );
      expect(said[2]).toMatch(
        /^baomq: BaoMQ .* is running \(mqtt:tcp:\d+, .*http:management:\d+, http:dashboard:\d+; log\.level = (?:error|warning)\)$/,
      );
    });
  }

  test("plugins that were loaded run, from the first start on; later this node's own list decides", async () => {
    const cwd = tree("auth", "3.1.0", ["emqx_management", "emqx_dashboard", "emqx_auth_username", "emqx_stomp"]);
    const broker = await start(cwd);
    expect(await activePlugins(cwd)).toEqual(["emqx_auth_username", "emqx_dashboard", "emqx_management"]);
    expect(broker.errors).toContain("plugins that ran before are not part of this build: emqx_stomp");
    await baomq.run(["ctl", "plugins", "unload", "emqx_auth_username"], { cwd });
    expect(await broker.stop()).toBe(0);
    const again = await start(cwd);
    expect(await activePlugins(cwd)).toEqual(["emqx_dashboard", "emqx_management"]);
    expect(again.errors).not.toContain("ran before");
    expect(await again.stop()).toBe(0);
  });

  test("what is wrong in the file of a plugin that does not run is told; of one that runs, it keeps the node from starting", async () => {
    const cwd = tree("faulty", "3.1.2");
    const file = join(cwd, "etc/plugins/emqx_auth_username.conf");
    writeFileSync(file, "auth.user.password_hash = rot13\n");
    const check = await baomq.run(["config", "check"], { cwd });
    expect(check.code).toBe(0);
    expect(check.stdout).toContain(
      "ignored: emqx_auth_username does not run, and would not: etc/plugins/emqx_auth_username.conf:1: auth.user.password_hash = rot13",
    );
    const broker = await start(cwd);
    const load = await baomq.run(["ctl", "plugins", "load", "emqx_auth_username"], { cwd });
    expect(load.stdout + load.stderr).toContain("emqx_auth_username.conf:1: auth.user.password_hash = rot13: expected");
    expect(await broker.stop()).toBe(0);
    const other = tree("faulty-loaded", "3.1.2", ["emqx_auth_username"]);
    cpSync(file, join(other, "etc/plugins/emqx_auth_username.conf"));
    for (const command of [["config", "check"], ["start"]]) {
      const r = await baomq.run(command, { cwd: other });
      expect(r.code).toBe(1);
      expect(r.stderr).toContain("baomq: etc/plugins/emqx_auth_username.conf:1: auth.user.password_hash = rot13: expected");
    }
  });
});

describe("plugins that ask outside, with the files they came with", () => {
  const NAMES = Object.keys(AUTH_FILES).sort();
  /** Where nobody listens: at the ports of the files somebody may. */
  const [nobody] = freePorts(1);

  /** Tree with these files, on ports of their own. `text`: of a file. */
  function outside(
    name: string,
    loaded: readonly string[],
    text: (file: string) => string = (file) => file,
  ): [cwd: string, files: Map<string, string>] {
    const cwd = tree(name, "3.1.2", loaded);
    const elsewhere = (file: string): string => file.replaceAll(/(127\.0\.0\.1:|ldap\.port = )\d+/g, `$1${nobody}`);
    const files = new Map(NAMES.map((plugin) => [plugin, elsewhere(text(AUTH_FILES[plugin] ?? ""))]));
    for (const [plugin, file] of files) writeFileSync(join(cwd, `etc/plugins/${plugin}.conf`), `${file}\n`);
    return [cwd, files];
  }

  async function enter(broker: RunningBroker): Promise<number | undefined> {
    const c = await RawClient.open(broker.ports.tcp);
    c.send(connectPacket(4, "dev", { username: "joe", password: Buffer.from("public") }));
    const { returnCode } = await c.next("connack");
    c.drop();
    return returnCode;
  }

  test("each is loaded, says that its server is not there, and has the settings of its file", async () => {
    const [cwd, files] = outside("outside", ["emqx_management", "emqx_dashboard"]);
    const check = await baomq.run(["config", "check"], { cwd });
    expect([check.code, check.stderr]).toEqual([0, ""]);
    // What has no meaning here is told with the reason, and nothing is unknown.
    expect(check.stdout.split("\n").filter((line) => /ignored: (?:auth\.|emqx_auth)/.test(line))).toEqual([
      expect.stringMatching(/^ignored: auth\.mongo\.topology\.pool_size \(the driver looks after its connections itself/),
      expect.stringMatching(/^ignored: auth\.mongo\.topology\.max_overflow \(the driver looks after its connections itself/),
    ]);
    const broker = await start(cwd);
    const ctl = (...words: string[]) => baomq.run(["ctl", "plugins", ...words], { cwd });
    for (const [plugin, file] of files) {
      const load = await ctl("load", plugin);
      expect(load.code).toBe(0);
      const [apps, done, ...rest] = load.stdout.trimEnd().split("\n");
      expect([apps, done]).toEqual([`Start apps: [${plugin}]`, `Plugin ${plugin} loaded successfully.`]);
      // A token is checked here.
      if (plugin === "emqx_auth_jwt") expect(rest).toEqual([]);
      else
        expect(rest).toEqual([expect.stringMatching(new RegExp(`127\\.0\\.0\\.1:${nobody} (?:is down: \\S|has not answered within 3 s)`))]);
      const rows = JSON.parse((await ctl("config", plugin, "--json")).stdout) as PluginConfigRow[];
      const shown = linesOf(file).map(([key, value]) => [key, rows.find((row) => row.key === key)?.secret ? MASK : value]);
      expect(
        rows
          .filter((row) => row.required)
          .map(({ key, value }) => [key, value])
          .sort(),
      ).toEqual(shown.sort());
    }
    expect(await activePlugins(cwd)).toEqual([...NAMES, "emqx_dashboard", "emqx_management"]);
    expect(await enter(broker)).toBe(3);
    expect(await broker.stop()).toBe(0);
  });

  test("all of them run from the first start on, also with every line in force that is commented out there", async () => {
    const [cwd] = outside("outside-all", ["emqx_management", "emqx_dashboard", ...NAMES], uncommented);
    cpSync(join(cwd, "etc/certs/cert.pem"), join(cwd, "etc/certs/cacert.pem"));
    // A certificate is a public key, too.
    cpSync(join(cwd, "etc/certs/cert.pem"), join(cwd, "etc/certs/jwt_public_key.pem"));
    const check = await baomq.run(["config", "check"], { cwd });
    expect([check.code, check.stderr]).toEqual([0, ""]);
    const broker = await start(cwd);
    expect(await activePlugins(cwd)).toEqual([...NAMES, "emqx_dashboard", "emqx_management"]);
    expect(await enter(broker)).toBe(3);
    expect(await broker.stop()).toBe(0);
  });
});
