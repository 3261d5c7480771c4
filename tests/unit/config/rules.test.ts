import { describe, expect, spyOn, test } from "bun:test";
import { type Config, loadConfig } from "../../../server/config/config.ts";
import { brokenRules, listeningKeys, secureListeners } from "../../../server/config/rules.ts";
import { pluginTables } from "../../../server/plugins/index.ts";

const load = (flags: Record<string, string> = {}): Config =>
  loadConfig({ tables: pluginTables, file: null, flags: new Map(Object.entries(flags)) });

test("the defaults break no rule", () => {
  expect(brokenRules(load())).toEqual([]);
  expect(listeningKeys(load()).map((l) => `${l.key} ${l.address.port}`)).toEqual([
    "listener.tcp.external 1883",
    "listener.tcp.internal 11883",
    "listener.ssl.external 8883",
    "listener.ws.external 8083",
    "listener.wss.external 8084",
    "dashboard.listener.http 18083",
    "management.listener.http 8080",
  ]);
});

test("a listener's zone must be there", () => {
  const problems = brokenRules(load({ "listener.tcp.external.zone": "plant", "zone.other.max_inflight": "1" }));
  expect(problems).toEqual([
    {
      keys: ["listener.tcp.external.zone"],
      message: "listener.tcp.external.zone = plant: there is no such zone; expected one of external, internal, other, or set zone.plant.*",
    },
  ]);
  expect(brokenRules(load({ "listener.tcp.external.zone": "plant", "zone.plant.max_inflight": "1" }))).toEqual([]);
});

test("proxies that are named need a header of theirs that is read", () => {
  for (const listener of ["listener.ws.external", "listener.wss.external"]) {
    const named = { [`${listener}.trusted_proxies`]: "10.0.0.0/8" };
    expect(brokenRules(load(named))).toEqual([
      {
        keys: [`${listener}.trusted_proxies`, `${listener}.proxy_address_header`],
        message: `${listener}.trusted_proxies = 10.0.0.0/8: without ${listener}.proxy_address_header nothing that these proxies tell is read; expected that header, too, e.g. X-Forwarded-For`,
      },
    ]);
    expect(brokenRules(load({ ...named, [`${listener}.proxy_address_header`]: "" }))).toHaveLength(1);
    expect(brokenRules(load({ ...named, [`${listener}.proxy_address_header`]: "X-Forwarded-For" }))).toEqual([]);
    expect(brokenRules(load({ ...named, [`${listener}.proxy_port_header`]: "X-Forwarded-Port" }))).toEqual([]);
  }
});

describe("two listeners on one port", () => {
  const cases: [a: string, b: string, clash: boolean][] = [
    ["0.0.0.0:30001", "127.0.0.1:30001", true],
    ["127.0.0.1:30001", "30001", true],
    ["127.0.0.1:30001", "127.0.0.2:30001", false],
    ["127.0.0.1:30001", "127.0.0.1:30001", true],
    ["[::]:30001", "127.0.0.1:30001", true],
    ["[::1]:30001", "0.0.0.0:30001", false],
    ["[::]:30001", "0.0.0.0:30001", true],
    ["127.0.0.1:0", "127.0.0.1:0", false],
    ["30001", "30002", false],
  ];
  for (const [a, b, clash] of cases) {
    test(`${a} and ${b}: ${clash ? "no" : "yes"}`, () => {
      for (const [x, y] of [
        ["listener.tcp.external", "management.listener.http"],
        ["dashboard.listener.http", "listener.ws.external"],
        ["management.listener.https", "dashboard.listener.http"],
      ] as const) {
        const problems = brokenRules(load({ [x]: a, [y]: b }));
        expect(problems).toHaveLength(clash ? 1 : 0);
        if (clash) expect(new Set(problems[0]?.keys)).toEqual(new Set([x, y]));
        if (clash) for (const word of [x, y, a, b]) expect(problems[0]?.message).toContain(word);
      }
    });
  }
});

test("of many listeners each is told of the first that has its port, and of many zones some", () => {
  const many = (n: number, key: (i: number) => string, text: string) =>
    Object.fromEntries(Array.from({ length: n }, (_, i) => [key(i), text]));
  const problems = brokenRules(load(many(50, (i) => `listener.tcp.x${i}`, "30001")));
  expect(problems.map((p) => p.keys)).toEqual(Array.from({ length: 49 }, (_, i) => [`listener.tcp.x${i + 1}`, "listener.tcp.x0"]));
  const zones = many(100, (i) => `zone.z${i}.max_inflight`, "1");
  expect(brokenRules(load({ ...zones, "listener.tcp.external.zone": "plant" }))[0]?.message).toEndWith(
    "one of external, internal, z0, z1, z2, z3, z4, z5, z6, z7, z8, z9, z10, z11, z12, z13, z14, z15, z16, z17 and 82 more, or set zone.plant.*",
  );
});

test("no listener looks through all keys for itself", () => {
  const addresses = Array.from({ length: 50 }, (_, i): [string, string] => [`listener.tcp.x${i}`, String(30001 + i)]);
  const rules = ["allow 10.0.0.0/8", "deny all"].map((rule, i): [string, string] => [`listener.tcp.x7.access.${10 - i}`, rule]);
  const c = load(Object.fromEntries([...addresses, ...rules]));
  const written = spyOn(c, "written");
  expect(
    c
      .listeners()
      .find((l) => l.name === "x7")
      ?.access.map((a) => a.allow),
  ).toEqual([false, true]);
  expect(written.mock.calls.length).toBeLessThan(10);
});

test("listeners with TLS, those of the HTTP servers only where they are switched on", () => {
  expect(secureListeners(load()).map((s) => s.prefix)).toEqual(["listener.ssl.external", "listener.wss.external"]);
  const all = secureListeners(
    load({ "management.listener.https": "8081", "management.listener.https.keyfile": "k", "listener.wss.external": "off" }),
  );
  expect(all.map((s) => [s.prefix, s.tls.keyfile])).toEqual([
    ["listener.ssl.external", ""],
    ["management.listener.https", "k"],
  ]);
});
