/** The list of plugins, and the small ones: management, dashboard, recon, reloader, plugin_template. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DashboardConfig, ManagementConfig, SettingText } from "../../../server/config/types.ts";
import { Message } from "../../../server/core/message.ts";
import { dashboard } from "../../../server/plugins/dashboard/index.ts";
import { plugins, pluginTables } from "../../../server/plugins/index.ts";
import { management } from "../../../server/plugins/management/index.ts";
import type { ReconService, Reloaded } from "../../../server/plugins/plugin.ts";
import { pluginTemplate } from "../../../server/plugins/plugin_template/index.ts";
import { recon } from "../../../server/plugins/recon/index.ts";
import { reloader } from "../../../server/plugins/reloader/index.ts";
import { PluginSettings } from "../../../server/plugins/settings.ts";
import { manage, removeTempDirs, running, tempDir, turns } from "./harness.ts";

const DIR = tempDir();
afterAll(removeTempDirs);

describe("the list", () => {
  test("names, descriptions and versions of the EMQ X 3.1 document, in order", () => {
    expect(plugins.map((p) => `${p.name} ${p.version} ${p.description}`)).toEqual([
      "emqx_auth_clientid v3.1.0 EMQ X Authentication with ClientId/Password",
      "emqx_auth_http v3.1.0 EMQ X Authentication/ACL with HTTP API",
      "emqx_auth_jwt v3.1.0 EMQ X Authentication with JWT",
      "emqx_auth_ldap v3.1.0 EMQ X Authentication/ACL with LDAP",
      "emqx_auth_mongo v3.1.0 EMQ X Authentication/ACL with MongoDB",
      "emqx_auth_mysql v3.1.0 EMQ X Authentication/ACL with MySQL",
      "emqx_auth_pgsql v3.1.0 EMQ X Authentication/ACL with PostgreSQL",
      "emqx_auth_redis v3.1.0 EMQ X Authentication/ACL with Redis",
      "emqx_auth_username v3.1.0 EMQ X Authentication with Username and Password",
      "emqx_dashboard v3.1.0 EMQ X Web Dashboard",
      "emqx_delayed_publish v3.1.0 EMQ X Delayed Publish",
      "emqx_lua_hook v3.1.0 EMQ X Lua Hooks",
      "emqx_management v3.1.0 EMQ X Management API and CLI",
      "emqx_plugin_template v3.1.0 EMQ X Plugin Template",
      "emqx_recon v3.1.0 EMQ X Recon Plugin",
      "emqx_reloader v3.1.0 EMQ X Reloader Plugin",
      "emqx_retainer v3.1.0 EMQ X Retainer",
      "emqx_rule_engine v3.1.0 EMQ X Rule Engine",
      "emqx_statsd v3.1.0 Statsd for EMQ X",
      "emqx_web_hook v3.1.0 EMQ X Webhook Plugin",
    ]);
  });

  test("every default parses, every live key is a key, no key has two owners", () => {
    const seen = new Set<string>();
    for (const { table } of pluginTables) {
      for (const [key, entry] of Object.entries(table)) {
        expect(seen.has(key)).toBe(false);
        seen.add(key);
        expect(entry.doc).not.toBe("");
        expect(() => entry.parse(entry.optional && entry.default === "" ? "" : entry.default)).not.toThrow();
      }
    }
    for (const p of plugins) for (const key of Object.keys(p.liveKeys ?? {})) expect(key in p.config).toBe(true);
  });

  /** Without "auth.…."; those of 3.1's files, then BaoMQ's own. */
  const KEYS = {
    http: [
      "auth_req auth_req.method auth_req.params super_req super_req.method super_req.params acl_req acl_req.method",
      "acl_req.params timeout on_error pool content_type header.$name ssl.cacertfile ssl.certfile ssl.keyfile",
      "ssl.verify request.timeout request.connect_timout request.connect_timeout request.retry_times",
      "request.retry_interval request.retry_backoff",
    ].join(" "),
    jwt: [
      "secret from verify_claims pubkey verify_claims.$name jwks jwks.refresh_interval jwks.timeout",
      "jwks.ssl.cacertfile jwks.ssl.certfile jwks.ssl.keyfile jwks.ssl.verify on_error acl_claim_name leeway",
      "disconnect_after_expire",
    ].join(" "),
    ldap: [
      "servers port pool bind_dn bind_password timeout device_dn match_objectclass username.attributetype",
      "password.attributetype ssl ssl.keyfile ssl.certfile ssl.cacertfile ssl.verify ssl.fail_if_no_peer_cert starttls",
      "bind_as_user match_case on_error",
    ].join(" "),
    mongo: [
      "type server pool database auth_query.collection auth_query.password_field auth_query.password_hash",
      "auth_query.selector super_query super_query.collection super_query.super_field super_query.selector acl_query",
      "acl_query.collection acl_query.selector rs_set_name login password auth_source ssl ssl_opts.keyfile",
      "ssl_opts.certfile ssl_opts.cacertfile ssl_opts.verify w_mode r_mode topology.$name acl_query.selector.$id",
      "timeout query_timeout on_error",
    ].join(" "),
    mysql: [
      "server pool database auth_query password_hash super_query acl_query username password timeout query_timeout",
      "match_case on_error ssl ssl.cacertfile ssl.certfile ssl.keyfile ssl.verify enable_ssl ssl.cafile",
    ].join(" "),
    pgsql: [
      "server pool username database encoding ssl auth_query password_hash super_query acl_query password",
      "ssl_opts.keyfile ssl_opts.certfile ssl_opts.cacertfile ssl_opts.verify pbkdf2_macfun pbkdf2_iterations",
      "pbkdf2_dklen timeout on_error prepare",
    ].join(" "),
    redis: [
      "type server pool database auth_cmd password_hash super_cmd acl_cmd sentinel password username sentinel_password",
      "timeout query_timeout on_error ssl ssl.cacertfile ssl.certfile ssl.keyfile ssl.verify",
    ].join(" "),
  };
  for (const [kind, keys] of Object.entries(KEYS))
    test(`emqx_auth_${kind} has these keys and no others: one that goes would be an unknown line of a file that somebody has`, () => {
      const { config = {} } = plugins.find((p) => p.name === `emqx_auth_${kind}`) ?? {};
      expect(Object.keys(config).toSorted()).toEqual(
        keys
          .split(" ")
          .map((key) => `auth.${kind}.${key}`)
          .toSorted(),
      );
    });

  test("required keys are those of 3.1's files, with its values", () => {
    const { manager } = manage(plugins);
    const shipped = (name: string): Record<string, string> =>
      Object.fromEntries(manager.configRows(name).flatMap((r) => (r.required ? [[r.key, r.value]] : [])));
    expect(shipped("emqx_auth_username")).toEqual({ "auth.user.password_hash": "sha256" });
    expect(shipped("emqx_auth_clientid")).toEqual({ "auth.client.password_hash": "sha256" });
    expect(shipped("emqx_recon")).toEqual({ "recon.gc_interval": "5m" });
    expect(shipped("emqx_reloader")).toEqual({ "reloader.interval": "60s", "reloader.logfile": "reloader.log" });
    expect(shipped("emqx_delayed_publish")).toEqual({});
    const queries = (db: string) => ({
      [`auth.${db}.auth_query`]: "select password from mqtt_user where username = '%u' limit 1",
      [`auth.${db}.password_hash`]: "sha256",
      [`auth.${db}.super_query`]: "select is_superuser from mqtt_user where username = '%u' limit 1",
      [`auth.${db}.acl_query`]:
        "select allow, ipaddr, username, clientid, access, topic from mqtt_acl where ipaddr = '%a' or username = '%u' or username = '$all' or clientid = '%c'",
    });
    expect(shipped("emqx_auth_mysql")).toEqual({
      "auth.mysql.server": "127.0.0.1:3306",
      "auth.mysql.pool": "8",
      "auth.mysql.database": "mqtt",
      ...queries("mysql"),
    });
    expect(shipped("emqx_auth_pgsql")).toEqual({
      "auth.pgsql.server": "127.0.0.1:5432",
      "auth.pgsql.pool": "8",
      "auth.pgsql.username": "root",
      "auth.pgsql.database": "mqtt",
      "auth.pgsql.encoding": "utf8",
      "auth.pgsql.ssl": "false",
      ...queries("pgsql"),
    });
    expect(shipped("emqx_auth_redis")).toEqual({
      "auth.redis.type": "single",
      "auth.redis.server": "127.0.0.1:6379",
      "auth.redis.pool": "8",
      "auth.redis.database": "0",
      "auth.redis.auth_cmd": "HMGET mqtt_user:%u password",
      "auth.redis.password_hash": "plain",
      "auth.redis.super_cmd": "HGET mqtt_user:%u is_superuser",
      "auth.redis.acl_cmd": "HGETALL mqtt_acl:%u",
    });
    expect(shipped("emqx_auth_ldap")).toEqual({
      "auth.ldap.servers": "127.0.0.1",
      "auth.ldap.port": "389",
      "auth.ldap.pool": "8",
      "auth.ldap.bind_dn": "cn=root,dc=emqx,dc=io",
      "auth.ldap.bind_password": "public",
      "auth.ldap.timeout": "30s",
      "auth.ldap.device_dn": "ou=device,dc=emqx,dc=io",
      "auth.ldap.match_objectclass": "mqttUser",
      "auth.ldap.username.attributetype": "uid",
      "auth.ldap.password.attributetype": "userPassword",
      "auth.ldap.ssl": "false",
    });
    expect(shipped("emqx_auth_mongo")).toEqual({
      "auth.mongo.type": "single",
      "auth.mongo.server": "127.0.0.1:27017",
      "auth.mongo.pool": "8",
      "auth.mongo.database": "mqtt",
      "auth.mongo.auth_query.collection": "mqtt_user",
      "auth.mongo.auth_query.password_field": "password",
      "auth.mongo.auth_query.password_hash": "sha256",
      "auth.mongo.auth_query.selector": "username=%u",
      "auth.mongo.super_query": "on",
      "auth.mongo.super_query.collection": "mqtt_user",
      "auth.mongo.super_query.super_field": "is_superuser",
      "auth.mongo.super_query.selector": "username=%u",
      "auth.mongo.acl_query": "on",
      "auth.mongo.acl_query.collection": "mqtt_acl",
      "auth.mongo.acl_query.selector": "username=%u",
    });
    expect(shipped("emqx_statsd")).toEqual({ "statsd.push.gateway.server": "http://127.0.0.1:9091", "statsd.interval": "15000" });
    expect(shipped("emqx_auth_jwt")).toEqual({
      "auth.jwt.secret": "emqxsecret",
      "auth.jwt.from": "password",
      "auth.jwt.verify_claims": "off",
    });
    expect(shipped("emqx_auth_http")).toEqual({
      "auth.http.auth_req": "http://127.0.0.1:8991/mqtt/auth",
      "auth.http.auth_req.method": "post",
      "auth.http.auth_req.params": "clientid=%c,username=%u,password=%P",
      "auth.http.super_req": "http://127.0.0.1:8991/mqtt/superuser",
      "auth.http.super_req.method": "post",
      "auth.http.super_req.params": "clientid=%c,username=%u",
      "auth.http.acl_req": "http://127.0.0.1:8991/mqtt/acl",
      "auth.http.acl_req.method": "get",
      "auth.http.acl_req.params": "access=%A,username=%u,clientid=%c,ipaddr=%a,topic=%t",
    });
    expect(manager.configRows("emqx_plugin_template")).toEqual([]);
    // But for the storage: kept on disk here.
    expect(shipped("emqx_retainer")).toEqual({
      "retainer.storage_type": "disc",
      "retainer.max_retained_messages": "0",
      "retainer.max_payload_size": "1MB",
      "retainer.expiry_interval": "0",
    });
    expect(shipped("emqx_management")).toEqual({
      "management.max_row_limit": "10000",
      "management.listener.http": "8080",
      "management.listener.http.acceptors": "2",
      "management.listener.http.max_clients": "512",
      "management.listener.http.backlog": "512",
      "management.listener.http.send_timeout": "15s",
      "management.listener.http.send_timeout_close": "on",
    });
    expect(shipped("emqx_dashboard")).toEqual({
      "dashboard.default_user.login": "admin",
      "dashboard.default_user.password": "public",
      "dashboard.listener.http": "18083",
      "dashboard.listener.http.acceptors": "4",
      "dashboard.listener.http.max_clients": "512",
    });
    expect(manager.configRows("emqx_recon")[0]?.desc).toBe("Global GC Interval{@configurable}");
  });
});

describe("emqx_management", () => {
  test("opens its port, and closes it", async () => {
    const { manager, host } = await running(management);
    expect(host.calls).toEqual([
      [
        "start management",
        {
          listeners: [
            {
              host: "0.0.0.0",
              port: 8080,
              listenOn: "8080",
              acceptors: 2,
              maxClients: 512,
              sendTimeoutMs: 15_000,
              access: [],
              trustedProxies: [],
              tls: null,
            },
          ],
          maxRowLimit: 10_000,
          defaultSecret: "",
          defaultApplication: null,
        },
      ],
    ]);
    await manager.stopAll();
    expect(host.calls.at(-1)).toEqual(["stop management", null]);
  });

  test("https, first application and its secret", async () => {
    const { host } = await running(management, {
      settings: {
        "management.listener.http": "127.0.0.1:9090",
        "management.listener.https": "8081",
        "management.listener.https.verify": "verify_peer",
        "management.listener.https.certfile": "c.pem",
        "management.application.default_secret": "dflt",
        "management.default_application.id": "first",
      },
    });
    const settings = host.calls[0]?.[1] as ManagementConfig;
    expect(settings.listeners[0]).toMatchObject({ host: "127.0.0.1", port: 9090, listenOn: "127.0.0.1:9090" });
    expect(settings.listeners[1]).toMatchObject({
      port: 8081,
      maxClients: 64,
      tls: { certfile: "c.pem", keyfile: "", verifyPeer: true, failIfNoPeerCert: false, versions: [], ciphers: "" },
    });
    expect(settings).toMatchObject({ defaultSecret: "dflt", defaultApplication: { id: "first", secret: "dflt" } });
  });

  test("a port that cannot be had is told at the start", async () => {
    const { manager, host } = manage([management]);
    host.refusing = true;
    expect(await manager.startAll()).toEqual([{ name: "emqx_management", required: true, error: "port 8080 is in use" }]);
  });
});

describe("emqx_dashboard", () => {
  test("access rules in order, https with its versions, the first user", async () => {
    const { host } = await running(dashboard, {
      settings: {
        "dashboard.listener.http.access.2": "deny all",
        "dashboard.listener.http.access.1": "allow 10.0.0.0/8",
        "dashboard.listener.https": "18084",
        "dashboard.listener.https.tls_versions": "tlsv1.3, tlsv1.2",
        "dashboard.default_user.login": "boss",
      },
    });
    const settings = host.calls[0]?.[1] as DashboardConfig;
    expect(settings.defaultUser).toEqual({ login: "boss", password: "public" });
    expect(settings.listeners.map((l) => l.port)).toEqual([18083, 18084]);
    expect(settings.listeners[0]?.access).toEqual([
      { allow: true, cidr: "10.0.0.0/8" },
      { allow: false, cidr: "0.0.0.0/0" },
      { allow: false, cidr: "::/0" },
    ]);
    expect(settings.listeners[1]?.tls?.versions).toEqual(["tlsv1.3", "tlsv1.2"]);
  });

  test("proxies that are believed", async () => {
    const { host } = await running(dashboard, { settings: { "dashboard.trusted_proxies": "127.0.0.1, 10.0.0.0/8" } });
    const settings = host.calls[0]?.[1] as DashboardConfig;
    expect(settings.listeners[0]?.trustedProxies).toEqual(["127.0.0.1", "10.0.0.0/8"]);
    expect(() => manage([dashboard], { settings: { "dashboard.trusted_proxies": "my-proxy" } })).toThrow(
      "dashboard.trusted_proxies = my-proxy: expected addresses and ranges",
    );
  });

  test("a rule that is none keeps the node from starting", () => {
    for (const rule of ["let me in", "allow 10.0.0.0/99"]) {
      expect(() => manage([dashboard], { settings: { "dashboard.listener.http.access.1": rule } })).toThrow(
        `emqx_dashboard.conf:1: dashboard.listener.http.access.1 = ${rule}: expected a rule`,
      );
    }
  });
});

describe("emqx_recon", () => {
  test("figures under 3.1's names", async () => {
    const { manager } = await running(recon);
    const service = manager.service("emqx_recon") as ReconService;
    const memory = Object.fromEntries(service.memory());
    expect(Object.keys(memory)).toHaveLength(8);
    expect(memory["rss/max"]).toBeGreaterThanOrEqual(Number(memory["rss/current"]) * 0.5);
    expect(memory).toMatchObject({ "usage/current": expect.stringMatching(/^0\.\d+$/), "rss/current": expect.any(Number) });
    const allocated = service.allocated();
    expect(allocated.length).toBeGreaterThan(5);
    expect(allocated.map(([, n]) => n)).toEqual(allocated.map(([, n]) => n).sort((a, b) => Number(b) - Number(a)));
    const stats = Object.fromEntries(service.nodeStats());
    expect(stats).toMatchObject({
      connections: 0,
      sessions: 0,
      "loop_delay/mean_ms": expect.any(Number),
      "heap/objects": expect.any(Number),
    });
    expect(service.binLeak().map(([name]) => name)).toEqual(["heap/freed", "external/freed", "array_buffers/freed", "rss/freed"]);
    expect(service.gc()).toBeGreaterThanOrEqual(0);
  });

  test("collects by the interval, and not at all with 0", async () => {
    const count = async (interval: string): Promise<unknown> => {
      const { manager, kit } = await running(recon, { settings: { "recon.gc_interval": interval } });
      kit.pass(3000);
      return Object.fromEntries(manager.service("emqx_recon")?.nodeStats() ?? [])["gc/by_interval"];
    };
    expect([await count("1s"), await count("0")]).toEqual([3, 0]);
  });

  test("a heap snapshot goes to a new file in the data directory, nowhere else", async () => {
    const { manager } = await running(recon, { dataDir: DIR });
    const service = manager.service("emqx_recon") as ReconService;
    const size = await service.heapSnapshot("one.heapsnapshot");
    const file = join(DIR, "one.heapsnapshot");
    expect(statSync(file).size).toBe(size);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, "utf8"))).toHaveProperty("snapshot");
    await expect(service.heapSnapshot("one.heapsnapshot")).rejects.toThrow(/EEXIST/);
    for (const path of ["../out", "/tmp/out.heapsnapshot", ".", ""])
      await expect(service.heapSnapshot(path)).rejects.toThrow(/data directory/);
  });
});

describe("emqx_reloader", () => {
  test("asks the host by the interval and on demand, and notes what was reloaded", async () => {
    const { manager, host, kit, dataDir } = await running(reloader, {
      settings: { "reloader.interval": "1s", "reloader.logfile": "log/r.log" },
    });
    for (let i = 0; i < 2; i++) {
      kit.pass(1000);
      await turns(kit);
    }
    expect(host.calls).toHaveLength(2);
    host.reloaded = ["certificate of mqtt:ssl", "access rules"];
    host.failed = ["the settings stay as they were"];
    expect(await manager.service("emqx_reloader")?.reloadNow()).toEqual({ done: host.reloaded, failed: host.failed });
    expect(host.calls.map(([, isAsked]) => isAsked)).toEqual([false, false, true]);
    const lines = readFileSync(join(dataDir, "log/r.log"), "utf8").trimEnd().split("\n");
    expect(lines.map((l) => l.replace(/^\S+ /, ""))).toEqual(["certificate of mqtt:ssl", "access rules"]);
    expect(Date.parse(lines[0]?.split(" ")[0] ?? "")).toBe(kit.clock.time);
  });

  test("who asks while the clock's reload is under way has one of his own", async () => {
    const { manager, host, kit } = await running(reloader, { settings: { "reloader.interval": "1s" } });
    const answer: Reloaded = { done: [], failed: ["emqx_retainer goes on with its settings of before"] };
    host.reload = (isAsked) => (isAsked ? answer : new Promise<Reloaded>(() => {}));
    kit.pass(1000);
    expect(await manager.service("emqx_reloader")?.reloadNow()).toEqual(answer);
  });

  test("a reload that fails is logged and tried again", async () => {
    const { host, kit, manager } = await running(reloader, { settings: { "reloader.interval": "1s" } });
    host.reload = () => {
      throw new Error("emqx.conf:3: unknown key");
    };
    kit.pass(2000);
    await turns(kit);
    expect(kit.log.errors).toHaveLength(2);
    expect(kit.log.errors[0]).toContain("emqx.conf:3");
    await expect(manager.service("emqx_reloader")?.reloadNow() as Promise<unknown>).rejects.toThrow("unknown key");
  });

  test("0 = only when asked; no file outside the data directory", async () => {
    const { host, kit, manager, replaceConfig } = await running(reloader, {
      settings: { "reloader.interval": "0", "reloader.logfile": "" },
    });
    kit.pass(10_000);
    expect(host.calls).toEqual([]);
    host.reloaded = ["x"];
    expect(await manager.service("emqx_reloader")?.reloadNow()).toEqual({ done: ["x"], failed: [] });
    for (const path of ["../r.log", "/tmp/r.log"]) {
      await expect(replaceConfig("emqx_reloader", { "reloader.logfile": path })).rejects.toThrow(/in the data directory/);
    }
    expect(manager.isRunning("emqx_reloader")).toBe(true);
  });
});

describe("emqx_plugin_template", () => {
  test("tells every hook of a client's life, without passwords and payloads, and changes nothing", async () => {
    const { kit } = await running(pluginTemplate);
    const c = kit.client(5).connect("me", { username: "u", password: Buffer.from("s3cret") });
    c.subscribe("t", 1).publish("t", "payl0ad", 1);
    const got = c.take().find((p) => p.cmd === "publish");
    c.send({ cmd: "puback", messageId: got?.messageId ?? 0 });
    kit.broker.publish(new Message("nobody", Buffer.from("payl0ad"), 0, false, "", null, 0, 0, null));
    c.send({ cmd: "unsubscribe", messageId: 3, unsubscriptions: ["t"] }).disconnect();
    const lines = kit.log.lines.filter((l) => l.fields?.plugin === "emqx_plugin_template" && l.message !== "plugin loaded");
    expect(new Set(lines.map((l) => l.message))).toEqual(
      new Set([
        "client.authenticate",
        "session.created",
        "client.connected",
        "client.subscribe",
        "client.check_acl",
        "session.subscribed",
        "message.publish",
        "message.delivered",
        "message.acked",
        "message.dropped",
        "client.unsubscribe",
        "session.unsubscribed",
        "client.disconnected",
        "session.terminated",
      ]),
    );
    expect(JSON.stringify(lines)).not.toMatch(/s3cret|payl0ad/);
    expect(got).toMatchObject({ topic: "t", payload: Buffer.from("payl0ad") });
  });

  test("the example in its comment is a plugin that works", async () => {
    const source = readFileSync(join(import.meta.dir, "../../../server/plugins/plugin_template/index.ts"), "utf8");
    const example = /^ \* {3}(export default \{[\s\S]*?^ \* {3}\};)/m.exec(source)?.[1]?.replace(/^ \* ?/gm, "") ?? "";
    const dir = join(DIR, "example");
    mkdirSync(dir);
    writeFileSync(join(dir, "my_plugin.js"), example);
    const { manager, kit } = manage([], { expandPluginsDir: dir });
    expect(await manager.startAll()).toEqual([]);
    kit.connected("c");
    kit.pass(60_000);
    expect(kit.log.lines.map((l) => l.message)).toEqual(expect.arrayContaining(["hello", "still here"]));
    const keys = manager.list().flatMap((r) => manager.configRows(r.name).map(({ key }) => key));
    expect(await manager.updateSettings(keys)).toEqual({ changed: [], refused: new Map() });
  });
});

describe("what a plugin's file leaves out", () => {
  for (const [name, keys] of [
    ["emqx_auth_mysql", { "auth.mysql.super_query": "", "auth.mysql.acl_query": "" }],
    ["emqx_auth_pgsql", { "auth.pgsql.super_query": "", "auth.pgsql.acl_query": "" }],
    ["emqx_auth_redis", { "auth.redis.super_cmd": "", "auth.redis.acl_cmd": "" }],
    ["emqx_auth_mongo", { "auth.mongo.super_query": false, "auth.mongo.acl_query": false }],
    ["emqx_auth_http", { "auth.http.super_req": "none", "auth.http.acl_req": "none" }],
  ] as const) {
    test(`${name}: questions that its file does not name are not asked, as in EMQ X 3.1; without a file they are as shipped`, () => {
      const plugin = plugins.find((p) => p.name === name);
      if (plugin === undefined) throw new Error("no such plugin");
      const written = new Map<string, SettingText>();
      const settings = new PluginSettings(plugin, written);
      const values = () => Object.fromEntries(Object.keys(keys).map((key) => [key, settings.value(key)]));
      const shipped = values();
      expect(shipped).not.toEqual(keys as never);
      const [some = ""] = Object.keys(plugin.config);
      written.set(some, { text: plugin.config[some]?.default ?? "", origin: "api" });
      expect(values()).toEqual(shipped);
      written.set(some, { text: plugin.config[some]?.default ?? "", origin: "file" });
      expect(values()).toEqual(keys as never);
      const row = settings.rows().find((r) => r.key === Object.keys(keys)[0]);
      expect([row?.value, row?.required]).toEqual(["", false]);
      // Through the API: what is left out of a whole set is left out.
      written.clear();
      for (const [key, text] of settings.replacement({ [some]: plugin.config[some]?.default ?? "" }))
        if (text !== undefined) written.set(key, { text, origin: "api" } as SettingText);
      expect(values()).toEqual(keys as never);
    });
  }

  test("who asks a server outside has keys that say where it is, so that no secret is sent to another one unnoticed", () => {
    const leading = plugins.map(({ name, test, config }) => [
      name,
      test !== undefined,
      ...Object.entries(config).flatMap(([key, entry]) => (entry.servers === null ? [] : [key.replace(/^auth\./, "")])),
    ]);
    expect(leading.filter((row) => row[1] === true || row.length > 2).map(([, , ...keys]) => keys.join(" "))).toEqual([
      "http.auth_req http.super_req http.acl_req",
      "jwt.jwks",
      "ldap.servers ldap.port",
      "mongo.server",
      "mysql.server",
      "pgsql.server",
      "redis.server",
      "statsd.push.gateway.server statsd.udp.server statsd.otlp.endpoint",
      "web.hook.api.url",
    ]);
  });

  test("a plugin that keeps strangers out is never stopped for its settings", () => {
    expect(plugins.filter((p) => p.guards === true && p.inPlace !== true).map((p) => p.name)).toEqual([]);
  });
});
