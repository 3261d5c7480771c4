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

  test("many that are wrong are left out together; what another one's leaving mends is not", () => {
    const port = (n: number): string => `listener.tcp.n${n}`;
    const overrides = new Map(Array.from({ length: 50 }, (_, n) => [port(n), `${20_000 + (n === 49 ? 48 : n)}`]));
    let rounds = 0;
    // All but the last two are at an address that is gone; the last one has the port of the one before it.
    const aside = takeOverrides(load(), overrides, (config) => {
      rounds++;
      const open = [...overrides.keys()].filter((key) => config.override(key) !== undefined);
      const gone = open.filter((key) => Number(config.raw(key)) < 20_048).map((key) => ({ keys: [key], message: `${key} is gone` }));
      const [one, other] = [port(48), port(49)];
      const shared = [
        { keys: [other, one], message: `${one} has it` },
        { keys: [one, other], message: `${other} has it` },
      ];
      return [...gone, ...(open.includes(one) && open.includes(other) ? shared : [])];
    });
    expect([rounds, aside.size, aside.has(port(48))]).toEqual([2, 49, false]);
    expect(aside.get(port(7))).toEqual({ text: "20007", why: `${port(7)} is gone` });
    expect(aside.get(port(49))).toEqual({ text: "20048", why: `${port(48)} has it` });
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
