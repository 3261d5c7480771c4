/** Nodes, listeners, counters, alarms, figures over time, Prometheus, diagnosis. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import mqtt from "mqtt";
import type {
  Alarm,
  AlarmHistory,
  Broker,
  Listener,
  MonitorCurrent,
  MonitorHistory,
  NodeMetrics,
  NodeRow,
  NodeStats,
  Trace,
} from "../../server/api/contract.ts";
import { until } from "../support/until.ts";
import { closed, NODE, TestNode } from "./support/node.ts";
import { scenarios, unauthorized, wrongMethod } from "./support/table.ts";

let node: TestNode;
const it = () => node;
beforeAll(async () => {
  node = await TestNode.start();
});
afterAll(() => node.stop());

const GETS = [
  "/brokers",
  `/brokers/${NODE}`,
  "/nodes",
  `/nodes/${NODE}`,
  "/listeners",
  `/nodes/${NODE}/listeners`,
  "/metrics",
  `/nodes/${NODE}/metrics`,
  "/stats",
  `/nodes/${NODE}/stats`,
  "/alarms",
  `/alarms/${NODE}`,
  "/alarms/present",
  `/alarms/present/${NODE}`,
  "/alarms/history",
  `/alarms/history/${NODE}`,
  "/monitor",
  "/monitor/current",
  "/prometheus/metrics",
  "/trace",
  "/log",
  "/vm/all",
  "/recon/memory",
];

describe("refusals", () => {
  unauthorized(
    it,
    GETS.map((path) => ["GET", path] as const),
  );
  wrongMethod(
    it,
    GETS.map((path) => ["PATCH", path] as const),
  );
  scenarios(it, [
    { name: "unknown node", method: "GET", path: "/alarms/nosuch@127.0.0.1", status: 404, text: "Not found." },
    { name: "unknown node", method: "GET", path: "/nodes/nosuch@127.0.0.1/stats", status: 404 },
    { name: "unknown node", method: "GET", path: "/alarms/history/nosuch@127.0.0.1", status: 404 },
    { name: "the path of 4.x", method: "GET", path: `/nodes/${NODE}/alarms`, status: 404 },
    { name: "from is no number", method: "GET", path: "/monitor?from=yesterday", code: 108 },
    { name: "to before from", method: "GET", path: "/monitor?from=2000&to=1000", code: 108 },
    { name: "step of 61 s", method: "GET", path: "/monitor?step=61", code: 108 },
    { name: "since is no number", method: "GET", path: "/monitor/current?since=x", code: 108 },
    { name: "limit is no number", method: "GET", path: "/alarms/history?limit=x", code: 108 },
    { name: "unknown figures", method: "GET", path: "/vm/nope", code: 108 },
    { name: "unknown diagnosis", method: "GET", path: "/recon/nope", code: 108 },
    { name: "a plugin that is off", method: "PUT", path: "/reload", status: 404 },
  ]);
});

describe("nodes", () => {
  test("broker: with its node in the list, without alone", async () => {
    const [listed] = await node.get<[Broker]>("/brokers");
    expect(listed).toMatchObject({ node: NODE, node_status: "Running", version: "v3.1.0", sysdescr: "EMQ X Broker" });
    expect(listed.datetime).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    expect(listed.uptime).toMatch(/^(\d+ minutes, )?\d+ seconds$/);
    expect(listed.otp_release).toMatch(/^R\d+\/[\d.]+$/);
    const alone = await node.get<Record<string, unknown>>(`/brokers/${NODE}`);
    expect(Object.keys(alone)).not.toContain("node");
    expect(alone).toMatchObject({ version: "v3.1.0", node_status: "Running" });
  });

  test("node: memory as text in the list, in bytes alone; everything real", async () => {
    const [listed] = await node.get<[NodeRow]>("/nodes");
    expect(listed).toMatchObject({ name: NODE, node: NODE, node_status: "Running", version: "v3.1.0", connections: 0 });
    expect(listed.memory_total).toMatch(/^\d+\.\d\d[KMG]$/);
    expect(listed.memory_used).toMatch(/^\d+\.\d\d[KMG]$/);
    const alone = await node.get<Record<string, unknown>>(`/nodes/${NODE}`);
    expect(Object.keys(alone)).not.toContain("node");
    for (const name of ["memory_total", "memory_used", "max_fds", "process_available", "os_memory_total", "cores"])
      expect(alone[name]).toBeGreaterThan(0);
    for (const name of ["load1", "load5", "load15"]) expect(alone[name]).toMatch(/^\d+\.\d\d$/);
    expect(alone.memory_used as number).toBeLessThanOrEqual(alone.memory_total as number);
  });
});

describe("listeners", () => {
  const list = () => node.get<Listener[]>(`/nodes/${NODE}/listeners`);

  test("TCP and TLS first, the others by name; the cluster's list is the same", async () => {
    const rows = await list();
    const protocols = rows.map((l) => l.protocol);
    expect(protocols.slice(0, 3).sort()).toEqual(["mqtt:ssl", "mqtt:tcp", "mqtt:tcp"]);
    expect(protocols.slice(3)).toEqual(["http:dashboard", "http:management", "mqtt:ws", "mqtt:wss"]);
    for (const l of rows) {
      expect(l.listen_on).toMatch(/^(127\.0\.0\.1:)?\d+$/);
      expect(l.acceptors).toBeGreaterThan(0);
      expect(l.running).toBe(true);
      expect(l.max_conns).toBeGreaterThan(0);
    }
    for (const l of rows.slice(3)) expect(l.listen_on).toMatch(/^\d+$/);
    const [all] = await node.get<[{ node: string; listeners: Listener[] }]>("/listeners");
    expect(all.listeners.map((l) => l.protocol)).toEqual(protocols);
  });

  test("connections and why they ended: counted, [] while there is nothing", async () => {
    const row = async () => (await list()).find((l) => l.protocol === "mqtt:tcp" && l.name === "external");
    expect((await row())?.shutdown_count).toEqual([]);
    const client = await node.mqtt("counted");
    expect((await row())?.current_conns).toBe(1);
    const end = closed(client);
    await node.ask("DELETE", "/connections/counted");
    await end;
    expect((await row())?.shutdown_count).toEqual({ kicked: 1 });
  });

  test("WebSocket listeners count nothing, as with EMQ X 3.1: []", async () => {
    const ws = mqtt.connect(`ws://127.0.0.1:${node.mqttPort("mqtt:ws")}/mqtt`, { clientId: "ws-counted", reconnectPeriod: 0 });
    ws.on("error", () => {});
    await new Promise((resolve) => ws.once("connect", resolve));
    const end = closed(ws);
    await node.ask("DELETE", "/connections/ws-counted");
    await end;
    expect((await list()).find((l) => l.protocol === "mqtt:ws")?.shutdown_count).toEqual([]);
  });

  test("a listener is stopped, started, restarted", async () => {
    const port = node.mqttPort();
    const put = (verb: string, at: string | number = port, protocol = "mqtt:tcp") =>
      node.ask("PUT", `/nodes/${NODE}/listeners/${protocol}/${encodeURIComponent(at)}/${verb}`);
    expect((await put("start")).json).toEqual({ code: 102, message: "already_started" });
    expect((await put("stop", 1)).json).toEqual({ code: 102, message: "not_found" });
    expect((await put("stop", port, "mqtt:nope")).json?.code).toBe(102);
    expect((await put("stop", `127.0.0.1:${port}`)).text).toBe('{"code":0}');
    const refused = mqtt.connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 });
    await new Promise((resolve) => refused.once("error", resolve));
    refused.end(true);
    expect((await list()).find((l) => l.listen_on.endsWith(`:${port}`))?.running).toBe(false);
    expect((await put("stop")).json).toEqual({ code: 102, message: "not_started" });
    expect((await put("start")).text).toBe('{"code":0}');
    await (await node.mqtt("again")).endAsync();
    expect((await put("restart")).text).toBe('{"code":0}');
    await (await node.mqtt("again")).endAsync();
  });

  test("the dashboard's listener, through the other port", async () => {
    const port = node.port("user");
    const put = (verb: string) => node.ask("PUT", `/nodes/${NODE}/listeners/http:dashboard/${port}/${verb}`);
    expect((await put("stop")).text).toBe('{"code":0}');
    await expect(fetch(`http://127.0.0.1:${port}/`, { keepalive: false })).rejects.toThrow();
    expect((await put("start")).text).toBe('{"code":0}');
    expect((await node.ask("GET", "/brokers", { as: "user" })).status).toBe(200);
  });
});

describe("metrics and stats", () => {
  const metrics = () => node.get<Record<string, number>>(`/nodes/${NODE}/metrics`);
  const stats = () => node.get<Record<string, number>>(`/nodes/${NODE}/stats`);

  test("43 metrics, nested in the cluster's form; 20 stats, beside the node", async () => {
    const own = await metrics();
    expect(Object.keys(own).length).toBe(43);
    for (const n of Object.values(own)) expect(n).toBeInteger();
    const [all] = await node.get<[NodeMetrics]>("/metrics");
    expect(all.node).toBe(NODE);
    expect(Object.keys(all.metrics)).toEqual(Object.keys(own));
    const [flat] = await node.get<[NodeStats]>("/stats");
    expect(flat.node).toBe(NODE);
    expect(Object.keys(flat).length).toBe(21);
    expect(Object.keys(await stats()).sort()).toEqual(
      Object.keys(flat)
        .filter((k) => k !== "node")
        .sort(),
    );
  });

  test("what clients do is counted", async () => {
    const before = { ...(await metrics()), ...(await stats()) };
    const client = await node.mqtt("counting", { clean: false });
    await client.subscribeAsync({ "m/1": { qos: 1 }, "$share/g/m/2": { qos: 0 } });
    const came = new Promise((resolve) => client.once("message", resolve));
    await client.publishAsync("m/1", "x", { qos: 1 });
    await came;
    const after = { ...(await metrics()), ...(await stats()) };
    const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    const counted = [
      "packets/connect",
      "packets/connack",
      "packets/subscribe",
      "packets/suback",
      "packets/publish/received",
      "messages/received",
      "messages/qos1/received",
      "packets/puback/sent",
      "messages/sent",
      "messages/qos1/sent",
    ];
    expect(Object.fromEntries(counted.map((n) => [n, grown(n)]))).toEqual(Object.fromEntries(counted.map((n) => [n, 1])));
    expect(grown("bytes/received")).toBeGreaterThan(20);
    expect({
      sessions: grown("sessions/count"),
      persistent: grown("sessions/persistent/count"),
      subscriptions: grown("subscriptions/count"),
      shared: grown("subscriptions/shared/count"),
      subscribers: grown("subscribers/count"),
      routes: grown("routes/count"),
      topics: grown("topics/count"),
    }).toEqual({ sessions: 1, persistent: 1, subscriptions: 2, shared: 1, subscribers: 1, routes: 2, topics: 2 });
    await client.endAsync();
    const last = await stats();
    expect(last["connections/max"]).toBeGreaterThanOrEqual(1);
    expect(last["connections/count"]).toBe(0);
  });

  test("Prometheus: the old names and the clean ones, each described once", async () => {
    const { text, headers } = await node.ask("GET", "/prometheus/metrics");
    expect(headers.get("content-type")).toContain("text/plain; version=0.0.4");
    const lines = text.trimEnd().split("\n");
    for (const l of lines) expect(l).toMatch(/^(# (HELP|TYPE) [a-z_0-9]+ .+|[a-z_0-9]+ -?[\d.e+-]+)$/);
    const names = lines.filter((l) => l.startsWith("# TYPE")).map((l) => l.split(" ")[2]);
    expect(new Set(names).size).toBe(names.length);
    for (const n of [
      "emqx_packets_received",
      "emqx_packets_publish_sent",
      "emqx_bytes_sent",
      "emqx_messages_qos2_forward",
      "emqx_connections_count",
      "emqx_retained_max",
      "emqx_vm_cpu_use",
      "baomq_bytes_received_total",
      "baomq_memory_resident_bytes",
    ]) {
      expect(names).toContain(n);
    }
  });
});

test("Prometheus: the figures of the process are those of the node's row, in seconds and bytes", async () => {
  const figures = async (): Promise<Map<string, number>> => {
    const { text } = await node.ask("GET", "/prometheus/metrics");
    const rows = text.split("\n").filter((l) => l !== "" && !l.startsWith("#"));
    return new Map(rows.map((l) => [l.split(" ")[0] as string, Number(l.split(" ")[1])]));
  };
  const row = await node.get<Record<string, number | string>>(`/nodes/${NODE}`);
  let page = new Map<string, number>();
  await until(async () => {
    page = await figures();
    return page.has("emqx_vm_cpu_use");
  }, "the machine's processors are measured");
  const of = (name: string): number => page.get(name) ?? Number.NaN;
  expect(of("emqx_vm_cpu_use") + of("emqx_vm_cpu_idle")).toBeCloseTo(100, 6);
  // There is no such thing here.
  expect([page.has("emqx_vm_run_queue"), page.has("emqx_vm_process_messages_in_queues")]).toEqual([false, false]);
  expect(of("baomq_uptime_seconds")).toBeGreaterThan(0);
  expect(of("baomq_uptime_seconds")).toBeLessThan(Number(row.uptime_ms) / 1000 + 120);
  expect(of("baomq_memory_short")).toBe(0);
  expect(of("baomq_memory_limit_bytes")).toBe(Number(row.memory_limit));
  expect(of("baomq_max_fds")).toBe(Number(row.max_fds));
  // A few milliseconds; times a thousand instead of by it would be thousands.
  expect(of("baomq_event_loop_delay_seconds")).toBeLessThan(120);
});

test("Prometheus: counters of plugins, whatever they are called", async () => {
  const { metrics } = node.node.broker;
  metrics.count("mine/things", 3);
  metrics.count("mine_things", 4);
  metrics.count("mine-odd.näme");
  const { text } = await node.ask("GET", "/prometheus/metrics");
  expect(text.split("\n").filter((l) => l.includes("mine"))).toEqual([
    "# HELP baomq_mine_things_total mine/things",
    "# TYPE baomq_mine_things_total counter",
    "baomq_mine_things_total 3",
    "# HELP baomq_mine_odd_n_me_total mine-odd.näme",
    "# TYPE baomq_mine_odd_n_me_total counter",
    "baomq_mine_odd_n_me_total 1",
  ]);
});

describe("alarms", () => {
  test("raised, shown, cleared, remembered, forgotten", async () => {
    const { alarms } = node.node.broker;
    const mine = <T extends { id: string }>(rows: T[]): T[] => rows.filter((a) => a.id.startsWith("test_"));
    alarms.set("test_plain", "82.6");
    alarms.set("test_structured", { severity: "error", title: "t", summary: "s" });
    const rows = mine(await node.get<Alarm[]>(`/alarms/${NODE}`));
    expect(rows).toEqual([
      { id: "test_plain", desc: "82.6", raised_at_ms: expect.any(Number) },
      {
        id: "test_structured",
        desc: { severity: "error", title: "t", summary: "s", timestamp: expect.stringMatching(/^\d{4}-/) },
        raised_at_ms: expect.any(Number),
      },
    ]);
    const [all] = await node.get<[{ node: string; alarms: Alarm[] }]>("/alarms");
    expect({ node: all.node, alarms: mine(all.alarms) }).toEqual({ node: NODE, alarms: rows });
    expect(mine(await node.get<Alarm[]>(`/alarms/present/${NODE}`))).toEqual(rows);
    alarms.clear("test_plain");
    alarms.clear("test_structured");
    expect(mine(await node.get<Alarm[]>(`/alarms/${NODE}`))).toEqual([]);
    const past = mine(await node.get<AlarmHistory[]>(`/alarms/history/${NODE}?limit=10`));
    expect(past).toContainEqual({
      id: "test_plain",
      desc: "82.6",
      raised_at_ms: expect.any(Number),
      clear_at_ms: expect.any(Number),
      clear_at: expect.stringMatching(/^\d{4}-/),
    });
    expect((await node.ask("DELETE", "/alarms/history")).text).toBe('{"code":0}');
    expect(await node.get<unknown>("/alarms/history")).toEqual([{ node: NODE, alarms: [] }]);
  });
});

describe("monitor", () => {
  test("the newest sample, and the points of the last hour", async () => {
    const now = await node.get<MonitorCurrent>("/monitor/current");
    expect(now.samples.length).toBeGreaterThan(0);
    expect(now.current).toEqual(now.samples.at(-1) as never);
    expect(now.current.memory).toBeGreaterThan(1_000_000);
    expect((await node.get<MonitorCurrent>(`/monitor/current?since=${now.current.at_ms + 60_000}`)).samples).toEqual([]);
    const hour = await node.get<MonitorHistory>("/monitor");
    expect(hour.step).toBe(60);
    expect(hour.to_ms - hour.from_ms).toBe(3_600_000);
    expect(hour.points.length).toBeGreaterThan(0);
  });

  test("kept points are read back, in steps; a long span gets a long step", async () => {
    const { store } = node.node;
    const start = 1_800_000_000_000 - (1_800_000_000_000 % 600_000);
    for (let i = 0; i < 10; i++) store.monitor.add({ at: start + i * 60_000, values: { received: i, connections: i, loop_delay: 10 - i } });
    store.commit();
    const fine = await node.get<MonitorHistory>(`/monitor?from=${start}&to=${start + 599_999}`);
    expect(fine.points.map((p) => p.received)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const coarse = await node.get<MonitorHistory>(`/monitor?from=${start}&to=${start + 599_999}&step=300`);
    expect(coarse.points.map((p) => [p.received, p.connections, p.loop_delay])).toEqual([
      [2, 4, 10],
      [7, 9, 5],
    ]);
    expect((await node.get<MonitorHistory>(`/monitor?from=0&to=${start}`)).step).toBe(420);
  });
});

describe("diagnosis", () => {
  test("figures of the runtime", async () => {
    const rows = await node.get<[string, number | string][]>("/vm/all");
    for (const name of ["cpu/load1", "memory/total", "process/count", "io/active_fds", "ports/count"])
      expect(rows.map(([n]) => n)).toContain(name);
    expect((await node.get<unknown[]>("/recon/memory")).length).toBeGreaterThan(3);
  });

  const trace = (body: unknown) => ({ method: "POST", path: "/trace", body });
  scenarios(it, [
    { name: "nothing", ...trace({}), code: 108 },
    { name: "no name", ...trace({ kind: "client" }), code: 107 },
    { name: "bad filter", ...trace({ kind: "topic", what: "a#" }), code: 115 },
    ...["../x", "/etc/passwd", "log/../../x", "a\nb", "x".repeat(2000), 5].map((file) => ({
      name: "a file elsewhere, or none",
      ...trace({ kind: "client", what: "x", file }),
      code: 108,
      message: /^value of 'file'/,
    })),
    { name: "unknown level", ...trace({ kind: "client", what: "x", level: "loud" }), code: 108 },
    { name: "stop what is not traced", method: "DELETE", path: "/trace/client/x", code: 102, message: "not_found" },
    { name: "unknown log level", method: "PUT", path: "/log", body: { level: "loud" }, code: 108 },
    { name: "unknown handler", method: "PUT", path: "/log", body: { level: "error", handler: "nope" }, code: 102, message: "not_found" },
  ]);

  test("a trace follows a topic into its file", async () => {
    expect((await node.ask("POST", "/trace", { body: { kind: "topic", what: "tr/#", file: "tr.log" } })).text).toBe('{"code":0}');
    expect((await node.ask("POST", "/trace", { body: { kind: "topic", what: "tr/#" } })).json?.code).toBe(102);
    expect(await node.get<Trace[]>("/trace")).toEqual([{ kind: "topic", what: "tr/#", file: "tr.log", level: "all" }]);
    await node.ask("POST", "/mqtt/publish", { body: { topic: "tr/1", payload: "traced payload" } });
    expect((await node.ask("DELETE", "/trace/topic/tr%2F%23")).text).toBe('{"code":0}');
    expect(await node.get<unknown>("/trace")).toEqual([]);
    expect(await Bun.file(`${node.dir}/log/tr.log`).text()).toContain("traced payload");
  });

  test("log levels", async () => {
    expect((await node.ask("PUT", "/log", { body: { level: "alert" } })).text).toBe('{"code":0}');
    expect(await node.get<unknown>("/log")).toMatchObject({ level: "alert" });
    await node.ask("PUT", "/log", { body: { level: "critical" } });
    expect((await node.ask("PUT", "/acl/reload")).text).toBe('{"code":0}');
  });
});
