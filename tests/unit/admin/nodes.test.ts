import { describe, expect, test } from "bun:test";
import type { System } from "../../../server/admin/index.ts";
import { Logger } from "../../../server/lib/log.ts";
import { createSystem } from "../../../server/machine/machine.ts";
import { createLogControl } from "../../../server/node/logging.ts";
import { TestClient } from "../../support/test_broker.ts";
import { administer } from "./harness.ts";

const MB = 1024 * 1024;
const machine = (memory: Partial<ReturnType<System["memory"]>> = {}): System => ({
  ...createSystem(),
  runtimeVersion: "1.4.5",
  cores: 2,
  maxFds: 1000,
  load: () => [0.5, 1.25, 2],
  memory: () => ({ rss: 80 * MB, heapUsed: 20 * MB, heapTotal: 30 * MB, external: 5 * MB, osTotal: 100 * MB, osFree: 7 * MB, ...memory }),
});

describe("the node", () => {
  test("its figures, as numbers alone and as text in the list", async () => {
    const { admin, kit } = await administer({ system: machine() });
    kit.connected("a");
    kit.connected("b", 4, { clean: false }).send({ cmd: "disconnect" });
    kit.clock.time += 3_725_000;
    const node = {
      connections: 1,
      load1: "0.50",
      load5: "1.25",
      load15: "2.00",
      max_fds: 1000,
      name: admin.node,
      node_status: "Running",
      otp_release: "R1/1.4.5",
      process_available: 262_144,
      // One connection, two sessions.
      process_used: 3,
      uptime: "1 hours, 2 minutes, 5 seconds",
      uptime_ms: 3_725_000,
      version: admin.version,
      rss: 80 * MB,
      heap_used: 20 * MB,
      os_memory_total: 100 * MB,
      os_memory_free: 7 * MB,
      cores: 2,
      cpu: 0,
      loop_delay: 0,
    };
    expect(admin.nodes.node()).toMatchObject({ ...node, memory_total: 80 * MB, memory_used: 25 * MB });
    expect(admin.nodes.nodes()).toMatchObject([{ ...node, node: admin.node, memory_total: "80.00M", memory_used: "25.00M" }]);
    expect(admin.hasNode(admin.node)).toBe(true);
    expect(admin.hasNode("constructor")).toBe(false);
  });

  test("it never uses more memory than it has", async () => {
    const { admin } = await administer({ system: machine({ external: 500 * MB }) });
    expect(admin.nodes.node()).toMatchObject({ memory_total: 80 * MB, memory_used: 80 * MB });
  });

  test("the broker, alone and in the list", async () => {
    const { admin, kit } = await administer({ system: machine(), product: { name: "BaoMQ", version: "9.9" } });
    kit.clock.time += 61_000;
    const { datetime, ...broker } = admin.nodes.broker();
    expect(datetime).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    expect(broker).toEqual({
      node_status: "Running",
      otp_release: "R1/1.4.5",
      sysdescr: "EMQ X Broker",
      uptime: "1 minutes, 1 seconds",
      version: admin.version,
      product: "BaoMQ",
      product_version: "9.9",
    });
    expect(admin.nodes.brokers()).toEqual([{ node: admin.node, datetime, ...broker }]);
  });
});

describe("figures of the runtime", () => {
  test("memory under Erlang's names", async () => {
    const { admin } = await administer({ system: machine() });
    expect(admin.runtime.vm(["load", "memory"])).toEqual([
      ["cpu/load1", "0.50"],
      ["cpu/load5", "1.25"],
      ["cpu/load15", "2.00"],
      ["memory/total", 80 * MB],
      ["memory/processes", 30 * MB],
      ["memory/processes_used", 20 * MB],
      ["memory/system", 50 * MB],
      ["memory/atom", 0],
      ["memory/atom_used", 0],
      ["memory/binary", 5 * MB],
      ["memory/code", 0],
      ["memory/ets", 0],
      ["memory/os_total", 100 * MB],
      ["memory/os_free", 7 * MB],
    ]);
    const small = await administer({ system: machine({ rss: 10 * MB }) });
    expect(small.admin.runtime.vm(["memory"])).toContainEqual(["memory/system", 0]);
  });

  test("sockets: listeners that run, and whoever is connected to any", async () => {
    const listener = { protocol: "mqtt:tcp", name: "external", listenOn: "1883", port: 1883, running: true, acceptors: 1, maxConns: 9 };
    const shutdownCount = new Map([["closed", 3]]);
    const listeners = {
      list: () => [
        { ...listener, currentConns: 4, shutdownCount },
        { ...listener, protocol: "mqtt:ws", port: 8083, listenOn: "0.0.0.0:8083", currentConns: 2, shutdownCount },
        { ...listener, protocol: "mqtt:ssl", port: 8883, listenOn: "127.0.0.1:8883", currentConns: 0, shutdownCount },
        {
          ...listener,
          name: "second",
          port: 1884,
          listenOn: "1884",
          running: false,
          currentConns: 0,
          shutdownCount: new Map<string, number>(),
        },
      ],
      stopOne: () => false,
      startOne: (_protocol: string, name: string) =>
        name === "second" ? Promise.reject(new Error("port 1884 is in use")) : Promise.resolve(false),
    };
    const { admin, kit } = await administer({ system: machine(), listeners });
    new TestClient(kit, 4, kit.listener).connect("c");
    expect(admin.runtime.vm(["io", "ports", "process"]).filter(([name]) => !name.startsWith("io/bytes"))).toEqual([
      ["io/max_fds", 1000],
      ["io/active_fds", 9],
      ["ports/count", 9],
      ["ports/limit", 1000],
      ["process/limit", 262_144],
      ["process/count", 6],
    ]);
    expect(admin.listeners.list().map((l) => [l.protocol, l.listen_on, l.shutdown_count])).toEqual([
      ["mqtt:tcp", "1883", { closed: 3 }],
      ["mqtt:ssl", "127.0.0.1:8883", { closed: 3 }],
      ["mqtt:tcp", "1884", []],
      ["mqtt:ws", "8083", []],
    ]);
    await expect(admin.listeners.command("mqtt:ws", "0.0.0.0:8083", "stop")).rejects.toMatchObject({ message: "not_started" });
    await expect(admin.listeners.command("mqtt:ssl", "127.0.0.1:8883", "stop")).rejects.toMatchObject({ message: "not_started" });
    await expect(admin.listeners.command("mqtt:ssl", "8883", "stop")).rejects.toMatchObject({ message: "not_started" });
    await expect(admin.listeners.command("mqtt:tcp", "1884", "start")).rejects.toMatchObject({ code: 102, message: "port 1884 is in use" });
    await expect(admin.listeners.command("mqtt:tcp", "1883", "start")).rejects.toMatchObject({ message: "already_started" });
    await expect(admin.listeners.command("mqtt:tcp", "1883", "stop")).rejects.toMatchObject({ message: "not_started" });
    await expect(admin.listeners.command("mqtt:tcp", "5", "stop")).rejects.toMatchObject({ message: "not_found" });
    await expect(admin.listeners.command("mqtt:ssl", "1883", "restart")).rejects.toMatchObject({ message: "not_found" });
  });
});

test("listeners of one protocol with one port, on two addresses: each is found, and what may be either is not guessed", async () => {
  const row = { running: true, acceptors: 1, maxConns: 9, currentConns: 0, shutdownCount: new Map<string, number>() };
  const rows = (["mqtt:tcp", "mqtt:ws"] as const).flatMap((protocol) => [
    { ...row, protocol, name: "inner", port: 1883, listenOn: "127.0.0.1:1883" },
    { ...row, protocol, name: "outer", port: 1883, listenOn: "10.0.0.1:1883" },
  ]);
  const other = { ...row, protocol: "mqtt:ssl", port: 8883, listenOn: "127.0.0.1:8883", name: "1999" };
  const named = { ...row, protocol: "mqtt:ssl", port: 1999, listenOn: "127.0.0.1:1999", name: "8883" };
  const done: string[] = [];
  const listeners = {
    list: () => [...rows, other, named],
    stopOne: (protocol: string, name: string) => done.push(`stop ${protocol} ${name}`) > 0,
    startOne: async (protocol: string, name: string) => done.push(`start ${protocol} ${name}`) > 0,
  };
  const { admin } = await administer({ listeners });
  for (const protocol of ["mqtt:tcp", "mqtt:ws"])
    for (const [at, name] of [
      ["127.0.0.1:1883", "inner"],
      ["10.0.0.1:1883", "outer"],
      ["outer", "outer"],
    ] as const) {
      await admin.listeners.command(protocol, at, "restart");
      expect(done.splice(0)).toEqual([`stop ${protocol} ${name}`, `start ${protocol} ${name}`]);
    }
  const words = "1883 is more than one: 127.0.0.1:1883 (inner), 10.0.0.1:1883 (outer); say which by address or name";
  for (const protocol of ["mqtt:tcp", "mqtt:ws"])
    await expect(admin.listeners.command(protocol, "1883", "stop")).rejects.toMatchObject({ code: 102, message: words });
  // A port goes before somebody's name.
  await admin.listeners.command("mqtt:ssl", "1999", "stop");
  expect(done).toEqual(["stop mqtt:ssl 8883"]);
});

test("levels of the log: of all, of one handler; nobody else's words", async () => {
  const handler = { id: "console", to: "nowhere", level: "error" as const, format: () => "", write() {}, close() {} };
  const logger = new Logger({ level: "error", handlers: [handler], now: () => 0 });
  const { admin } = await administer({ logControl: createLogControl(logger) });
  expect(admin.runtime.log()).toMatchObject({ level: "error", handlers: [{ id: "console", level: "error", destination: "nowhere" }] });
  admin.runtime.setLogLevel("debug", "console");
  expect(admin.runtime.log()).toMatchObject({ level: "error", handlers: [{ level: "debug" }] });
  admin.runtime.setLogLevel("alert", undefined);
  expect(admin.runtime.log().level).toBe("alert");
  for (const bad of ["loud", "constructor", 5, undefined, null])
    expect(() => admin.runtime.setLogLevel(bad, undefined)).toThrow(/^value of 'level' must be one of: \['debug', 'info'/);
  expect(() => admin.runtime.setLogLevel("error", "nobody")).toThrow(expect.objectContaining({ code: 102, message: "not_found" }));
  expect(admin.runtime.log().level).toBe("alert");
});
