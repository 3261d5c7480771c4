import { describe, expect, test } from "bun:test";
import { type Config, loadConfig } from "../../../server/config/config.ts";
import { Overrides, takeOverrides } from "../../../server/config/overrides.ts";
import type { SettingProblem } from "../../../server/config/types.ts";
import { pluginTables } from "../../../server/plugins/index.ts";
import { MemoryStore } from "../../support/memory_store.ts";

const load = (flags: Record<string, string> = {}): Config =>
  loadConfig({ tables: pluginTables, file: null, flags: new Map(Object.entries(flags)) });

/** A node that starts with no value that says so. */
const problems = (config: Config): SettingProblem[] =>
  ["acl_file", "listener.tcp.external", "listener.ssl.external.keyfile", "listener.ssl.external.certfile"].flatMap((key) =>
    config.raw(key).includes("bad") || (key === "listener.tcp.external" && config.raw(key) === "7")
      ? [{ keys: [key, "mqtt.max_topic_levels"], message: `${key} is bad` }]
      : [],
  );

describe("what is kept", () => {
  test("texts, and keys that are as by default; taken back, nothing is left", () => {
    const store = new MemoryStore();
    const overrides = new Overrides((n) => store.kv(n));
    overrides.write(
      new Map([
        ["mqtt.max_packet_size", "2MB"],
        ["acl_nomatch", null],
        ["acl_file", "x"],
      ]),
    );
    overrides.write(
      new Map([
        ["acl_file", undefined],
        ["acl_nomatch", null],
      ]),
    );
    expect([...new Overrides((n) => store.kv(n)).read()]).toEqual([
      ["acl_nomatch", null],
      ["mqtt.max_packet_size", "2MB"],
    ]);
    overrides.write(new Map([["acl_nomatch", "deny"]]));
    expect(overrides.read().get("acl_nomatch")).toBe("deny");
  });
});

describe("at the start", () => {
  test("what is good is in force, what is not is left out with its reason, one value at a time", () => {
    const config = load();
    const aside = takeOverrides(
      config,
      new Map([
        ["acl_file", "bad"],
        ["mqtt.max_topic_levels", "7"],
        ["listener.tcp.external", "7"],
        ["mqtt.max_packet_size", "2MB"],
      ]),
      problems,
    );
    expect([...aside]).toEqual([
      ["acl_file", { text: "bad", why: "acl_file is bad" }],
      ["listener.tcp.external", { text: "7", why: "listener.tcp.external is bad" }],
    ]);
    expect([config.raw("acl_file"), config.raw("mqtt.max_topic_levels"), config.raw("mqtt.max_packet_size")]).toEqual([
      "etc/acl.conf",
      "7",
      "2MB",
    ]);
    expect(config.zones().get("external")?.maxPacketSize).toBe(2 * 1024 * 1024);
  });

  test("a value that does not parse any more, or of a key that is needed earlier", () => {
    const config = load();
    const aside = takeOverrides(
      config,
      new Map([
        ["mqtt.max_packet_size", "many"],
        ["node.data_dir", "/x"],
      ]),
      problems,
    );
    expect(aside.get("mqtt.max_packet_size")?.why).toBe("mqtt.max_packet_size = many: expected a size such as 512, 64KB, 1MB or 1GB");
    expect(aside.get("node.data_dir")?.why).toContain("is needed before anything kept in the data directory is read");
    expect(config.raw("node.data_dir")).toBe("data");
  });

  test("what a flag says is not the API's fault, and hides the API's value", () => {
    const config = load({ acl_file: "bad" });
    expect(takeOverrides(config, new Map([["acl_file", "fine"]]), problems).size).toBe(0);
    expect(config.raw("acl_file")).toBe("bad");
    const rescued = load({ acl_file: "fine" });
    expect(takeOverrides(rescued, new Map([["acl_file", "bad"]]), problems).size).toBe(0);
    expect([rescued.raw("acl_file"), rescued.override("acl_file")]).toEqual(["fine", "bad"]);
  });

  test("keys that nobody knows wait for their plugin", () => {
    const config = load();
    expect(takeOverrides(config, new Map([["greeter.text", "hi"]]), problems).size).toBe(0);
    expect(config.strangers()).toEqual(["greeter.text"]);
    expect(config.written().has("greeter.text")).toBe(false);
  });
});
