import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigErrors, type LoadOptions, loadConfig } from "../../../server/config/config.ts";
import { sampleConfig } from "../../../server/config/sample.ts";
import { type ConfigTable, integer, text } from "../../../server/lib/config_entry.ts";
import { pluginTables } from "../../../server/plugins/index.ts";

const dir = mkdtempSync(join(tmpdir(), "baomq-config-"));
afterAll(() => rmSync(dir, { recursive: true }));

function load(text = "", o: Partial<LoadOptions> = {}) {
  const file = join(dir, "emqx.conf");
  writeFileSync(file, text);
  return loadConfig({ tables: pluginTables, file, ...o });
}
function errors(text: string, o: Partial<LoadOptions> = {}): string[] {
  try {
    load(text, o);
  } catch (err) {
    if (err instanceof ConfigErrors) return err.errors.map((e) => e.message.replace(dir, "DIR"));
    throw err;
  }
  return [];
}

test("a running node keeps its name until the next start", () => {
  const c = load();
  c.change(new Map([["node.name", "before@127.0.0.1"]]));
  c.begin();
  c.change(new Map([["node.name", "plant@127.0.0.1"]]));
  expect(c.node().nodeName).toBe("before@127.0.0.1");
  expect(c.raw("node.name")).toBe("plant@127.0.0.1");
});

describe("defaults", () => {
  test("those EMQ X 3.1 shipped", () => {
    const c = load();
    const zone = c.zones().get("external");
    expect(zone).toMatchObject({
      idleTimeoutMs: 15_000,
      maxPacketSize: 1_048_576,
      maxInflight: 32,
      retryIntervalMs: 20_000,
      maxAwaitingRel: 100,
      awaitRelTimeoutMs: 300_000,
      sessionExpiryIntervalMs: 7_200_000,
      maxMqueueLen: 1000,
      mqueueStoreQos0: true,
      keepaliveBackoff: 0.75,
      enableAcl: true,
      enableBan: true,
      aclDenyAction: "ignore",
      flappingThreshold: { count: 10, intervalMs: 60_000 },
      publishLimit: null,
      mountpoint: "",
      allowAnonymous: true,
    });
    expect(c.zones().get("internal")).toMatchObject({ enableAcl: false, enableBan: false });
    expect(c.listeners().map((l) => [l.kind, l.name, l.listenOn, l.zone, l.acceptors, l.maxConnections])).toEqual([
      ["tcp", "external", "0.0.0.0:1883", "external", 8, 1024000],
      ["tcp", "internal", "127.0.0.1:11883", "internal", 4, 1024000],
      ["ssl", "external", "8883", "external", 16, 102400],
      ["ws", "external", "8083", "external", 4, 102400],
      ["wss", "external", "8084", "external", 4, 16],
    ]);
    expect(c.node()).toMatchObject({
      nodeName: "emqx@127.0.0.1",
      sysIntervalMs: 60_000,
      sharedStrategy: "random",
      presence: true,
      presenceQos: 1,
    });
  });

  test("certificates that are not there mean the generated pair; named ones are taken at their word", () => {
    expect(
      load()
        .listeners()
        .find((l) => l.kind === "ssl")?.tls,
    ).toMatchObject({ keyfile: "", certfile: "" });
    const named = load("listener.ssl.external.keyfile = /no/key.pem\nlistener.ssl.external.certfile = /no/cert.pem\n");
    expect(named.listeners().find((l) => l.kind === "ssl")?.tls).toMatchObject({ keyfile: "/no/key.pem", certfile: "/no/cert.pem" });
  });
});

describe("file", () => {
  test("comments, blanks, quotes, values with = in them", () => {
    const c = load(
      '## words\n\n# acl_nomatch = deny\n acl_nomatch = deny  ## why\nacl_file = "a = b # c"\r\nzone.external.mqueue_priorities = a/b=10,c=1\n',
    );
    expect(c.get("acl_nomatch")).toBe("deny");
    expect(c.get("acl_file")).toBe("a = b # c");
    expect([...(c.zones().get("external")?.mqueuePriorities ?? [])]).toEqual([
      ["a/b", 10],
      ["c", 1],
    ]);
  });

  test("every fault at once, each with file, line, key, expectation, nearest key", () => {
    expect(errors("mqtt.max_paket_size = 1MB\nmqtt.max_packet_size = huge\nrubbish\nzone.external.max_inflight = 70000\n")).toEqual([
      "DIR/emqx.conf:3: expected key = value",
      "DIR/emqx.conf:1: unknown key mqtt.max_paket_size; did you mean mqtt.max_packet_size?",
      "DIR/emqx.conf:2: mqtt.max_packet_size = huge: expected a size such as 512, 64KB, 1MB or 1GB",
      "DIR/emqx.conf:4: zone.external.max_inflight = 70000: expected a whole number from 0 to 65535",
    ]);
  });

  test("secrets are not repeated in messages; a missing file is named", () => {
    const key = "auth.mysql.password";
    for (const line of [`${key} s3cret`, `${key}: s3cret`, `${key}:s3cret`, `${key}  czNjcmV0==`])
      expect(errors(line)).toEqual([`DIR/emqx.conf:1: expected key = value, found "${key} …"`]);
    for (const line of ["= s3cret", '"s3cret"', "s3cret"]) expect(errors(line)).toEqual(["DIR/emqx.conf:1: expected key = value"]);
    // The = that ends a password in base64, behind a colon, and on a line of its own.
    expect(errors(`${key}:czNjcmV0==`)).toEqual([`DIR/emqx.conf:1: unknown key ${key} …; did you mean ${key}?`]);
    expect(errors("czNjcmV0==")).toEqual(["DIR/emqx.conf:1: unknown key; baomq config sample shows all keys"]);
    expect(errors("allow_anonymos = true")).toEqual(["DIR/emqx.conf:1: unknown key; did you mean allow_anonymous?"]);
    expect(errors("", { file: join(dir, "none.conf") })).toEqual([
      "configuration file DIR/none.conf cannot be read: there is no such file",
    ]);
  });

  test("a directory of the plugins' files that is named must be there; the one that is meant by default need not", () => {
    const wrong = (where: string, named: string, why: string): string[] => [
      `${where}: plugins.etc_dir = ${named}: expected the directory of the plugins' files, but it cannot be read: ${why}`,
    ];
    const none = "there is no such file";
    expect(errors("\nplugins.etc_dir = etc/plugin")).toEqual(wrong("DIR/emqx.conf:2", "etc/plugin", none));
    expect(errors("plugins.etc_dir =")).toEqual(wrong("DIR/emqx.conf:1", "", none));
    expect(errors("", { env: { EMQX_PLUGINS__ETC_DIR: "/nowhere" } })).toEqual(wrong("EMQX_PLUGINS__ETC_DIR", "/nowhere", none));
    const named = (text: string): Partial<LoadOptions> => ({ flags: new Map([["plugins.etc_dir", text]]) });
    const file = join(dir, "emqx.conf");
    const isFile = wrong("--set plugins.etc_dir", "DIR/emqx.conf", "a part of its path is no directory");
    expect(errors("", named(file))).toEqual(isFile);
    for (const text of ["etc/plugins/", "./etc/plugins"]) expect(errors(`plugins.etc_dir = ${text}`)).toEqual([]);
    const plugins = join(dir, "plugins");
    mkdirSync(plugins);
    writeFileSync(join(plugins, "emqx_retainer.conf"), "retainer.max_payload_size = 5KB");
    expect(load("", named(plugins)).raw("retainer.max_payload_size")).toBe("5KB");
  });

  test("keys of the Erlang VM, the cluster and bridges are taken and reported as ignored", () => {
    const c = load(
      "node.cookie = x\ncluster.discovery = manual\nbridge.aws.address = 127.0.0.1:1883\nbridge.aws.subscription.1.topic = t\n",
    );
    expect(c.ignored().map((i) => i.key)).toEqual([
      "node.cookie",
      "cluster.discovery",
      "bridge.aws.address",
      "bridge.aws.subscription.1.topic",
    ]);
  });
});

describe("who stands above whom", () => {
  test("file < API < environment < flags, and back", () => {
    const c = load("mqtt.max_packet_size = 1KB\nmqtt.max_topic_levels = 7\n", {
      env: { EMQX_MQTT__MAX_PACKET_SIZE: "2KB", BAOMQ_ACL_NOMATCH: "deny", EMQX_PORT_1883_TCP: "tcp://10.0.0.1:1883" },
      flags: new Map([["mqtt.max_packet_size", "3KB"]]),
    });
    const zone = c.zones().get("external");
    expect([c.get("mqtt.max_packet_size"), c.origin("mqtt.max_packet_size"), zone?.maxPacketSize]).toEqual([3072, "flag", 3072]);
    expect([c.get("acl_nomatch"), c.origin("acl_nomatch")]).toEqual(["deny", "env"]);
    const api = (key: string, text: string | null | undefined): void => c.change(new Map([[key, text]]));
    api("mqtt.max_packet_size", "4KB");
    api("acl_nomatch", "allow");
    expect([zone?.maxPacketSize, c.origin("mqtt.max_packet_size"), c.override("mqtt.max_packet_size")]).toEqual([3072, "flag", "4KB"]);
    expect([c.get("acl_nomatch"), c.fixedBy("acl_nomatch")]).toEqual(["deny", "by BAOMQ_ACL_NOMATCH in the environment"]);
    api("mqtt.max_qos_allowed", "1");
    expect([zone?.maxQosAllowed, c.origin("mqtt.max_qos_allowed"), c.where("mqtt.max_qos_allowed")]).toEqual([1, "api", "through the API"]);
    // As by default, whatever the file says.
    api("mqtt.max_topic_levels", null);
    expect([zone?.maxTopicLevels, c.origin("mqtt.max_topic_levels")]).toEqual([0, "default"]);
    api("mqtt.max_topic_levels", undefined);
    api("mqtt.max_qos_allowed", undefined);
    expect([zone?.maxTopicLevels, zone?.maxQosAllowed, c.where("mqtt.max_topic_levels")]).toEqual([
      7,
      2,
      "in DIR/emqx.conf:2".replace("DIR", dir),
    ]);
  });

  test("a configuration with a change is one of its own", () => {
    const c = load();
    const other = c.with(new Map([["zone.new.max_inflight", "5"]]));
    expect([other.zones().has("new"), c.zones().has("new"), c.origin("zone.new.max_inflight")]).toEqual([true, false, "default"]);
  });

  test("an environment key with __ that is none is a fault", () => {
    expect(errors("", { env: { EMQX_MQTT__NO_SUCH: "1" } })[0]).toContain("EMQX_MQTT__NO_SUCH: unknown key mqtt.no_such");
  });

  test("a zone's own value stands above the node's; other zones and listeners come by name", () => {
    const c = load(
      "mqtt.max_qos_allowed = 1\nzone.factory.max_qos_allowed = 0\nzone.factory.mountpoint = f/%c/\nlistener.tcp.plant = 127.0.0.1:2883\nlistener.tcp.plant.zone = factory\nlistener.tcp.plant.access.2 = allow all\nlistener.tcp.plant.access.1 = deny 10.0.0.0/8\nlistener.tcp.internal = off\n",
    );
    expect(c.zones().get("external")?.maxQosAllowed).toBe(1);
    expect(c.zones().get("factory")).toMatchObject({ maxQosAllowed: 0, mountpoint: "f/%c/" });
    const plant = c.listeners().find((l) => l.name === "plant");
    expect(plant).toMatchObject({
      port: 2883,
      zone: "factory",
      access: [
        { allow: false, cidr: "10.0.0.0/8" },
        { allow: true, cidr: "all" },
      ],
    });
    expect(c.listeners().some((l) => l.name === "internal")).toBe(false);
  });

  test("modules: rewriting rules and automatic subscriptions, in order of their numbers", () => {
    const c = load(
      "module.rewrite = on\nmodule.rewrite.rule.2 = y/# ^y/(.+)$ w/$1\nmodule.rewrite.rule.1 = x/# ^x/(.+)$ z/$1\nmodule.subscription = on\nmodule.subscription.1.topic = u/%u\nmodule.subscription.1.qos = 2\n",
    );
    expect(c.node().rewrite.map((r) => [r.filter, r.dest])).toEqual([
      ["x/#", "z/$1"],
      ["y/#", "w/$1"],
    ]);
    expect(c.node().autoSubscribe).toEqual([{ topic: "u/%u", qos: 2 }]);
  });

  test("whoever watches hears of changes below a prefix", () => {
    const c = load();
    const seen: string[] = [];
    const stop = c.onChange("mqtt.", (key) => seen.push(key));
    c.change(new Map([["mqtt.max_topic_levels", "5"]]));
    c.change(new Map([["acl_nomatch", "deny"]]));
    stop();
    c.change(new Map([["mqtt.max_topic_levels", "6"]]));
    expect(seen).toEqual(["mqtt.max_topic_levels"]);
  });
});

describe("files read again", () => {
  test("changed, new and removed lines count; what stands above stays; a bad file changes nothing", () => {
    const flags = new Map([["mqtt.max_topic_levels", "9"]]);
    const c = load("mqtt.max_packet_size = 1KB\nmqtt.max_topic_levels = 3\nacl_nomatch = deny\n", { flags });
    const zone = c.zones().get("external");
    const seen: string[] = [];
    c.onChange("mqtt.", (key) => seen.push(key));
    writeFileSync(join(dir, "emqx.conf"), "mqtt.max_packet_size = 2KB\nmqtt.max_topic_levels = 4\nmqtt.max_qos_allowed = 1\n");
    const { changed, overridden } = c.reread(() => false);
    expect(changed.sort()).toEqual(["acl_nomatch", "mqtt.max_packet_size", "mqtt.max_qos_allowed"]);
    // Of lines that are others now: the one that something stands above.
    expect(overridden).toEqual([
      { key: "mqtt.max_topic_levels", where: `in ${join(dir, "emqx.conf")}:2`, by: "by --set mqtt.max_topic_levels" },
    ]);
    expect(zone).toMatchObject({ maxPacketSize: 2048, maxTopicLevels: 9, maxQosAllowed: 1, aclNomatch: "allow" });
    expect(seen.sort()).toEqual(["mqtt.max_packet_size", "mqtt.max_qos_allowed"]);
    expect(c.reread(() => false)).toEqual({ changed: [], overridden: [] });
    expect(c.overridden("emqx").map((line) => line.key)).toEqual(["mqtt.max_topic_levels"]);
    writeFileSync(join(dir, "emqx.conf"), "mqtt.max_packet_size = 4KB\nrubbish\n");
    expect(() => c.reread(() => false)).toThrow(ConfigErrors);
    expect(zone?.maxPacketSize).toBe(2048);
  });
});

test("what the files say of one plugin is read again whatever is wrong with others; what cannot be known of it counts", () => {
  const plugins = mkdtempSync(join(dir, "own-"));
  const flags = new Map([["plugins.etc_dir", plugins]]);
  const write = (app: string, text: string): void => writeFileSync(join(plugins, `${app}.conf`), text);
  const main = join(dir, "emqx.conf");
  const size = "retainer.max_payload_size";
  const c = load("", { flags });
  const why = (app: string): string => {
    try {
      c.rereadOf(app);
      return c.faults.get(app) ?? "";
    } catch (err) {
      return (err as Error).message.replaceAll(dir, "DIR");
    }
  };
  write("emqx_retainer", `${size} = 5KB\n`);
  write("emqx_management", "management.max_row_limit = many\nnonsense\n");
  write("emqx_statsd", "statsd.timeout = soon\n");
  writeFileSync(main, "zone.external.max_inflight = many\n");
  expect(why("emqx_retainer")).toBe("");
  expect([c.raw(size), c.raw("zone.external.max_inflight"), [...c.faults.keys()]]).toEqual(["5KB", "32", []]);
  expect(why("emqx_management")).toMatch(
    /emqx_management\.conf:2: expected key = value.*\n.*emqx_management\.conf:1: management\.max_row_limit = many/,
  );
  expect(why("emqx_statsd")).toMatch(/emqx_statsd\.conf:1: statsd\.timeout = soon/);
  // What nobody has may be a misspelt key of this one, or of where its file is.
  for (const line of ["nonsense", "no.such.key = 1", "plugins.etc_dir /srv"]) {
    writeFileSync(main, `${line}\n`);
    expect(why("emqx_retainer")).toStartWith("DIR/emqx.conf:1: ");
  }
  // In the main file a plugin's line is the plugin's.
  writeFileSync(main, `${size} = much\n`);
  expect(why("emqx_retainer")).toMatch(/^DIR\/emqx\.conf:1: retainer\.max_payload_size = much: expected /);
  rmSync(main);
  expect(why("emqx_retainer")).toBe("configuration file DIR/emqx.conf cannot be read: there is no such file");
  writeFileSync(main, "");
  rmSync(plugins, { recursive: true });
  expect(why("emqx_retainer")).toMatch(/^--set plugins\.etc_dir: .*there is no such file$/);
  expect(c.raw(size)).toBe("5KB");
});

describe("a plugin that is not built in", () => {
  const greeter = (more: ConfigTable) => ({ app: "greeter", table: { "greeter.text": text("hello", "Words."), ...more } });
  const line = (key: string, written: string) => ({ key, text: written, where: "greeter.conf:1" });
  const count = integer(5, "A number.");

  test("comes again without a key that it had: what was said of that one waits until somebody has it, and is in nobody's way", () => {
    const c = load();
    c.adopt(greeter({ "greeter.old": count }), [line("greeter.old", "7")]);
    c.change(new Map([["greeter.old", "8"]]));
    c.adopt(greeter({}), [line("greeter.text", "hi")]);
    expect([[...c.texts("greeter").keys()], c.strangers()]).toEqual([["greeter.text"], ["greeter.old"]]);
    c.adopt(greeter({ "greeter.old": count }), []);
    expect([c.raw("greeter.old"), c.raw("greeter.text"), c.strangers()]).toEqual(["8", "hello", []]);
  });

  test("taken back, or refused for a line that is wrong: all is as it was", () => {
    const c = load();
    c.adopt(greeter({ "greeter.n": count, "greeter.m": count }), [line("greeter.n", "7")]);
    c.change(new Map([["greeter.m", "8"]]));
    c.change(new Map([["greeter.later", "soon"]]));
    c.change(new Map([["nobody.knows", null]]));
    const state = () => ({ texts: c.texts("greeter"), waits: c.strangers().sort(), n: c.get("greeter.n"), m: c.get("greeter.m") });
    const before = state();
    expect(before).toMatchObject({ waits: ["greeter.later", "nobody.knows"], n: 7, m: 8 });
    const next = greeter({ "greeter.n": text("", "Words now."), "greeter.later": text("", "New.") });
    const takeBack = c.adopt(next, [line("greeter.n", "seven")]);
    expect([c.raw("greeter.n"), c.raw("greeter.later"), c.strangers().sort()]).toEqual(["seven", "soon", ["greeter.m", "nobody.knows"]]);
    takeBack();
    expect(state()).toEqual(before);
    expect(c.keys.find("greeter.later")).toBeUndefined();
    const wrong = [line("greeter.text", "hi"), line("greeter.n", "1"), line("greeter.m", "many")];
    expect(() => c.adopt(greeter({ "greeter.n": text("", ""), "greeter.m": count }), wrong)).toThrow(
      "greeter.m = many: expected a whole number",
    );
    expect(() => c.adopt(next, [line("greeter.text", "hi"), line("greeter.m", "1")])).toThrow("greeter has no key greeter.m");
    expect(state()).toEqual(before);
  });

  test("a word of the API on a key that nobody knows, which is to be as by default, waits as others do", () => {
    const c = load();
    c.change(new Map([["other.key", null]]));
    c.adopt(greeter({}), []);
    expect([c.strangers(), c.override("other.key")]).toEqual([["other.key"], null]);
  });
});

describe("sample", () => {
  test("parses as it is, and with every line in force says the defaults", () => {
    const sample = sampleConfig(pluginTables);
    expect(errors(sample)).toEqual([]);
    const inForce = sample.replaceAll(/^# (?!#)/gm, "");
    expect(errors(inForce)).toEqual([]);
    expect(load(inForce).get("zone.external.max_inflight")).toBe(32);
  });

  test("every key that is no secret of another system is in it, with words", () => {
    const sample = sampleConfig(pluginTables);
    for (const key of [
      "storage.sync",
      "listener.ssl.external.verify",
      "retainer.max_payload_size",
      "management.listener.http",
      "dashboard.default_user.password",
    ]) {
      expect(sample).toContain(`# ${key} = `);
    }
    expect(sample).not.toContain("node.cookie");
  });
});

test("pages that may open a WebSocket", () => {
  const of = (text: string) => {
    const config = loadConfig({ tables: [], file: null, flags: new Map([["listener.ws.external.allow_origins", text]]) });
    return config.listeners().find((l) => l.kind === "ws")?.allowOrigins;
  };
  expect(of("")).toEqual([]);
  expect(of("https://app.example.com, other.example:8080,null")).toEqual(["https://app.example.com", "other.example:8080", "null"]);
  expect(() => of("https://app.example.com/path")).toThrow("expected origins or hosts separated by commas");
});
