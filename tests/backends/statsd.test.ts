/**
 * emqx_statsd in the executable, with Debian's Prometheus and push gateway, a StatsD server and a strict OpenTelemetry collector: the figures that
 * arrive are those that were counted.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { PluginServer, PluginStatus } from "../../server/admin/rows.ts";
import { asked, BOARDS, HOSTS_OF } from "../support/boards.ts";
import { Certificates } from "../support/certificates.ts";
import { RawClient, until } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { OtlpCollector, type OtlpSpan, plain } from "../support/otlp.ts";
import { needing, PROMETHEUS, PUSHGATEWAY } from "../support/peers.ts";
import { Prometheus, PushGateway } from "../support/prometheus.ts";
import { Rest } from "../support/rest.ts";
import { StatsdServer } from "../support/statsd.ts";

const NAME = "emqx_statsd";
const NODE = "emqx@127.0.0.1";
const LABELS = `{instance="emqx~127.0.0.1",job="emqx"}`;
const SECRET = "s3cret'%";

let baomq: Installation;
let broker: RunningBroker;
const cleanUp: (() => unknown)[] = [];

beforeAll(async () => {
  baomq = new Installation();
  mkdirSync(join(baomq.dir, "etc/plugins"), { recursive: true });
  broker = await baomq.start({ set: { "listener.tcp.external.max_conn_rate": "0" } });
});
afterEach(async () => {
  if ((await row()).active) await api("PUT", `plugins/${NAME}/unload`);
  for (const fn of cleanUp.splice(0).reverse()) await fn();
});
afterAll(async () => {
  const code = await broker.stop();
  await baomq.remove();
  expect(code).toBe(0);
  expect(broker.complaints).toEqual([]);
  expect(broker.log + broker.errors).not.toContain("s3cret");
});

const rest = new Rest(() => broker);
/** Of this node. */
const api = <T>(method: string, path: string, body?: unknown): Promise<T> => rest.api<T>(method, `nodes/${NODE}/${path}`, body);
interface Row {
  name: string;
  active: boolean;
  status: PluginStatus | null;
}
const row = async (): Promise<Row> => (await api<Row[]>("GET", "plugins")).find((p) => p.name === NAME) as Row;
const server = async (): Promise<PluginServer> => (await row()).status?.servers[0] as PluginServer;
const alarms = async (): Promise<string[]> => {
  const raised = await rest.api<{ id: string }[]>("GET", `alarms/present/${NODE}`);
  return raised.map(({ id }) => id);
};

/** With these lines in the plugin's own file. */
async function load(lines: Record<string, string>): Promise<void> {
  const all = { "statsd.push.gateway.server": "", "statsd.interval": "200", ...lines };
  const text = Object.entries(all).map(([key, value]) => `${key} = ${value}\n`);
  writeFileSync(join(baomq.dir, `etc/plugins/${NAME}.conf`), text.join(""));
  await api("PUT", `plugins/${NAME}/load`);
}

/** Messages of QoS 1; a reader has had them all. */
async function traffic(n: number): Promise<void> {
  const reader = await RawClient.connected(broker.ports.tcp, "reader");
  await reader.subscribe("t/#");
  const writer = await RawClient.connected(broker.ports.tcp, "writer");
  for (let i = 1; i <= n; i++) writer.publish("t/1", "hello", 1, i);
  for (let i = 1; i <= n; i++) await reader.next("publish");
  writer.drop();
  reader.drop();
}
const counted = async (name: string): Promise<number> => (await api<Record<string, number>>("GET", "metrics"))[name] as number;

needing(PUSHGATEWAY, describe)("the push gateway", () => {
  async function gateway(): Promise<PushGateway> {
    const made = new PushGateway();
    cleanUp.push(() => made.remove());
    return made;
  }
  const value = async (g: PushGateway, name: string): Promise<number | undefined> => (await g.samples()).get(`${name}${LABELS}`);

  test("not there at the start, comes, dies, comes back: the figures are there whenever it is, an alarm while it is not", async () => {
    const g = await gateway();
    await load({ "statsd.push.gateway.server": g.url });
    await until(async () => (await server()).state === "down" && (await alarms()).includes("emqx_statsd_push_down"), "the alarm");
    expect((await server()).last_error).toMatch(/nobody listens there.*; see statsd\.push\.gateway\.server/);
    await g.start();
    await traffic(7);
    const received = await counted("messages/received");
    await until(async () => (await value(g, "emqx_messages_received")) === received, "the messages");
    await until(async () => (await server()).state === "up" && (await alarms()).length === 0, "it is up");
    expect(await value(g, "emqx_packets_connect")).toBe(await counted("packets/connect"));
    await g.kill();
    await until(async () => (await alarms()).includes("emqx_statsd_push_down"), "the alarm again");
    await g.start();
    await until(async () => (await value(g, "emqx_messages_received")) === received, "the messages again");
    await until(async () => (await alarms()).length === 0, "the end of the alarm");
  });

  test("a wrong path, and a page it does not take: its own words", async () => {
    const g = await gateway();
    await g.start();
    await load({ "statsd.push.gateway.server": `${g.url}/wrong` });
    await until(async () => (await server()).last_error !== null, "an error");
    expect((await server()).last_error).toBe("http 404: 404 page not found; see statsd.push.gateway.server");
  });

  test("all figures; the group goes with the plugin", async () => {
    const g = await gateway();
    await g.start();
    await load({ "statsd.push.gateway.server": g.url, "statsd.push.all": "on", "statsd.delete_on_stop": "on" });
    await until(async () => ((await value(g, "baomq_uptime_seconds")) ?? 0) > 0, "the uptime");
    await api("PUT", `plugins/${NAME}/unload`);
    expect([...(await g.samples()).keys()].filter((key) => key.includes("emqx~"))).toEqual([]);
  });

  test("TLS with an authority of one's own and a password; without either the reason is told, and the password nowhere", async () => {
    const certs = new Certificates();
    cleanUp.push(() => certs.remove());
    const g = await gateway();
    await g.guard({ ...certs.server, user: "joe", password: SECRET });
    await g.start();
    const url = (password: string): string => `https://joe:${encodeURIComponent(password)}@127.0.0.1:${g.port}`;
    const ca = { "statsd.ssl.cacertfile": certs.ca.cert };
    await load({ "statsd.push.gateway.server": url(SECRET), ...ca });
    await until(async () => (await server()).state === "up", "it is taken");
    expect((await server()).what).toBe(`Push gateway at ${g.url}`);
    const rows = await (await rest.ask("GET", `nodes/${NODE}/plugin_configs/${NAME}`)).text();
    expect(rows).toContain(`https://joe:******@127.0.0.1:${g.port}`);
    expect(rows).not.toContain("s3cret");
    const tried = async (settings: Record<string, string>): Promise<string> =>
      (await api<{ step: string; why: string }[]>("POST", `plugins/${NAME}/test`, { settings }))
        .map(({ step, why }) => `${step}: ${why}`)
        .at(-1) as string;
    expect(await tried({})).toBe(`connect: Push gateway at ${g.url} takes what is sent (http 200)`);
    expect([...(await g.samples()).keys()].filter((key) => key.includes("settings-test"))).toEqual([]);
    expect(await tried({ "statsd.push.gateway.server": url("wrong") })).toMatch(/^connect: http 401: Unauthorized; see statsd\.push/);
    expect(await tried({ "statsd.ssl.cacertfile": certs.strangersCa.cert })).toMatch(
      /signed by nobody who is trusted.*statsd\.ssl\.cacertfile/,
    );
    expect(await tried({ "statsd.ssl.cacertfile": "" })).toMatch(/signed by nobody who is trusted/);
  });
});

needing(PUSHGATEWAY, needing(PROMETHEUS, describe))("Prometheus", () => {
  test("its own tool finds nothing wrong with any of our names", async () => {
    await traffic(3);
    const page = await rest.ask("GET", "prometheus/metrics");
    const tool = Bun.spawn([join(dirname(PROMETHEUS.find() ?? ""), "promtool"), "check", "metrics"], {
      stdin: await page.blob(),
      stderr: "pipe",
    });
    const complaints = (await new Response(tool.stderr).text()).split("\n").filter((line) => line !== "");
    // EMQ X's names are what they are.
    expect(complaints.some((line) => line.startsWith("emqx_"))).toBe(true);
    expect(complaints.filter((line) => !line.startsWith("emqx_"))).toEqual([]);
  });

  test("scrapes the API and the gateway, and answers the boards' questions with what was counted", async () => {
    const gateway = new PushGateway();
    cleanUp.push(() => gateway.remove());
    await gateway.start();
    await load({ "statsd.push.gateway.server": gateway.url });
    const prometheus = new Prometheus(`
  - job_name: baomq
    metrics_path: /api/v3/prometheus/metrics
    basic_auth: { username: admin, password: public }
    static_configs: [{ targets: ["127.0.0.1:${broker.ports.dashboard}"] }]
  - job_name: pushgateway
    honor_labels: true
    static_configs: [{ targets: ["127.0.0.1:${gateway.port}"] }]
`);
    cleanUp.push(() => prometheus.remove());
    await prometheus.start();
    await traffic(11);
    const received = await counted("messages/received");
    const instance = `instance="emqx~127.0.0.1"`;
    const one = async (promql: string): Promise<number | undefined> => (await prometheus.query(promql))[0]?.value;
    await until(async () => (await one(`emqx_messages_received{job="emqx"}`)) === received, "what was pushed");
    await until(async () => (await one(`baomq_messages_received_total{job="baomq"}`)) === received, "what was scraped");
    expect(await prometheus.query(`up{job=~"baomq|pushgateway"} == 0`)).toEqual([]);
    // The boards find the node, as it is pushed and as it is scraped, and each of their panels shows something.
    const hosts = (await prometheus.query(HOSTS_OF)).map(({ metric }) => metric.instance as string).sort();
    expect(hosts).toEqual([`127.0.0.1:${broker.ports.dashboard}`, "emqx~127.0.0.1"]);
    const queries = new Set(hosts.flatMap((host) => Object.values(BOARDS).flatMap((all) => all.map((query) => asked(query, host, "1m")))));
    const empty = async (): Promise<string[]> => {
      const values = await Promise.all([...queries].map(async (query) => [query, await one(query)] as const));
      return values.flatMap(([query, value]) => (value === undefined || Number.isNaN(value) ? [query] : []));
    };
    await until(async () => (await empty()).length === 0, "an answer to each").catch(async () => expect(await empty()).toEqual([]));
    // What they show is what happens.
    await traffic(5);
    await until(async () => ((await one(`sum(irate(emqx_messages_received{${instance}}[5m]))`)) ?? 0) > 0, "a rate");
    await until(async () => (await one(`emqx_clients_count{${instance},job="emqx"}`)) === 0, "a push behind the last client's end");
    await until(async () => (await one(`sum(emqx_clients_count{instance=~".*",job="emqx"})`)) === 0, "it is the sum as well");
    expect(await one(`emqx_vm_cpu_use{job="emqx"} + emqx_vm_cpu_idle{job="emqx"}`)).toBeCloseTo(100, 3);
    // Its own checks of how names and types go together.
    const [metadata] = Object.values(
      (
        (await (await fetch(`http://127.0.0.1:${prometheus.port}/api/v1/metadata?metric=baomq_plugin_server_up`)).json()) as {
          data: Record<string, { type: string }[]>;
        }
      ).data,
    );
    expect(metadata?.[0]?.type).toBe("gauge");
  });
});

test("StatsD: counters add up over a listener that goes and comes", async () => {
  const first = new StatsdServer();
  await first.start();
  const { port } = first;
  cleanUp.push(() => first.stop());
  await traffic(3);
  const before = await counted("messages/received");
  await load({ "statsd.udp.server": `localhost:${port}`, "statsd.udp.prefix": "mqtt." });
  await traffic(10);
  await until(() => first.count("mqtt.messages.received") === 10, "ten messages");
  expect(first.gauge("mqtt.connections.count")).toBeDefined();
  await until(async () => (await server()).state === "up", "no refusal");
  first.stop();
  await traffic(4);
  await until(async () => (await server()).state === "down", "it is noticed");
  const second = new StatsdServer();
  await second.start(port);
  cleanUp.push(() => second.stop());
  const all = (): number => first.count("mqtt.messages.received") + second.count("mqtt.messages.received");
  await until(() => all() >= 14, "the rest");
  await until(async () => (await server()).state === "up", "it is up");
  expect([all(), (await counted("messages/received")) - before]).toEqual([14, 14]);
  expect([first.faults, second.faults]).toEqual([[], []]);
});

describe("OpenTelemetry", () => {
  const TRACE = "0af7651916cd43dd8448eb211c80319c";
  const PARENT = "b7ad6b7169203331";

  test("over TLS, with a header: metrics as counted, a span for a message with its publisher's trace", async () => {
    const certs = new Certificates();
    cleanUp.push(() => certs.remove());
    const tls = { cert: readFileSync(certs.server.cert, "utf8"), key: readFileSync(certs.server.key, "utf8") };
    const collector = new OtlpCollector(tls);
    collector.start();
    cleanUp.push(() => collector.stop());
    await load({
      "statsd.otlp.endpoint": `${collector.url}/otlp`,
      "statsd.otlp.traces": "on",
      "statsd.otlp.header.authorization": `Bearer ${SECRET}`,
      "statsd.ssl.cacertfile": certs.ca.cert,
    });
    await traffic(6);
    const received = await counted("messages/received");
    const sum = (): string | undefined => collector.metric("baomq.messages.received")?.sum?.dataPoints[0]?.asInt;
    await until(() => sum() === String(received), "the messages");
    const starts = new Set(
      collector.metrics.map((all) => all.find((m) => m.name === "baomq.bytes.sent")?.sum?.dataPoints[0]?.startTimeUnixNano),
    );
    expect(starts.size).toBe(1);
    expect(collector.resources.at(-1)).toMatchObject({ "service.name": "baomq", "service.instance.id": NODE });

    const reader = await RawClient.connected(broker.ports.tcp, "traced-reader", 5);
    await reader.subscribe("trace/#", 1);
    const writer = await RawClient.connected(broker.ports.tcp, "traced-writer", 5);
    const userProperties = { first: "1", traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: "vendor=x" };
    const packet = { cmd: "publish", topic: "trace/1", payload: "hello", qos: 1, messageId: 1, dup: false, retain: false } as const;
    writer.send({ ...packet, properties: { userProperties } } as never);
    writer.send({
      ...packet,
      messageId: 2,
      properties: { userProperties: { ...userProperties, traceparent: `00-${TRACE}-${PARENT}-00` } },
    } as never);
    const got = await reader.next("publish");
    const unsampled = await reader.next("publish");
    expect(unsampled.properties?.userProperties).toMatchObject({ traceparent: `00-${TRACE}-${PARENT}-00` });
    // The last ones leave with the plugin.
    await api("PUT", `plugins/${NAME}/unload`);
    expect(collector.spans).toHaveLength(1);
    const [span] = collector.spans as [OtlpSpan];
    expect(got.properties?.userProperties as unknown).toEqual({ ...userProperties, traceparent: `00-${TRACE}-${span.spanId}-01` });
    expect(span).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, traceState: "vendor=x", name: "publish" });
    expect(plain(span.attributes)).toMatchObject({
      "messaging.destination.name": "trace/1",
      "messaging.client.id": "traced-writer",
      "baomq.deliveries": "1",
    });
    const took = Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6;
    expect(took).toBeLessThan(60_000);
    expect(collector.faults).toEqual([]);
    expect(new Set(collector.asked)).toEqual(new Set(["/otlp/v1/metrics", "/otlp/v1/traces"]));
    expect(collector.headers.get("authorization")).toBe(`Bearer ${SECRET}`);
    writer.drop();
    reader.drop();
  });

  test("a collector that hangs is in nobody's way", async () => {
    const collector = new OtlpCollector();
    collector.start();
    cleanUp.push(() => collector.stop());
    collector.answer = () => new Promise(() => {});
    await load({ "statsd.otlp.endpoint": collector.url, "statsd.otlp.traces": "on", "statsd.timeout": "1s" });
    await until(() => collector.asked.length > 0, "it is asked");
    await traffic(500);
    await until(async () => ((await row()).status?.servers[0]?.timeouts ?? 0) > 0, "it is given up");
  });
});

test("what the settings' page and the command line show", async () => {
  await load({});
  const config = await baomq.run(["ctl", "plugins", "config", NAME]);
  expect(config.stdout).toContain("statsd.interval = 200");
  const tried = await baomq.run(["ctl", "plugins", "test", NAME]);
  expect([tried.code, tried.stdout + tried.stderr]).toEqual([1, expect.stringContaining("figures go nowhere")]);
});
