/** emqx_statsd under a real manager: what arrives where, and what happens while nothing does. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import type { MetricFamily } from "../../../../server/lib/metric_family.ts";
import type { ServerReport } from "../../../../server/plugins/plugin.ts";
import { retainer } from "../../../../server/plugins/retainer/index.ts";
import { statsd } from "../../../../server/plugins/statsd/index.ts";
import { OtlpCollector, type OtlpSpan, plain } from "../../../support/otlp.ts";
import { freePorts } from "../../../support/ports.ts";
import { StatsdServer } from "../../../support/statsd.ts";
import { until } from "../../../support/until.ts";
import { type Managed, manage, removeTempDirs, running, turns } from "../harness.ts";

afterAll(removeTempDirs);
const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const fn of cleanUp.splice(0).reverse()) await fn();
});

const NAME = "emqx_statsd";
const OFF = { "statsd.push.gateway.server": "" };

const family = (name: string, type: MetricFamily["type"], value: number, emqx: string[] = []): MetricFamily => ({
  name,
  type,
  help: name,
  emqx,
  rows: [[{}, value]],
});

async function start(settings: Record<string, string>, families: MetricFamily[] = []): Promise<Managed> {
  const m = await running(statsd, { settings, families });
  cleanUp.push(() => m.manager.stopAll());
  return m;
}
const servers = (m: Managed): ServerReport[] => m.manager.report(NAME)?.servers ?? [];
const only = (m: Managed): ServerReport => servers(m)[0] as ServerReport;
const alarms = (m: Managed): string[] => m.kit.alarms.present().map(({ id }) => id);

/** Time passes until it is so. */
async function after(m: Managed, there: () => boolean, what: string, step = 100): Promise<void> {
  await until(async () => {
    if (there()) return true;
    m.kit.pass(step);
    await turns(m.kit, 1);
    return there();
  }, what);
}

interface Pushed {
  method: string;
  path: string;
  body: string;
  headers: Headers;
}

class Gateway {
  readonly got: Pushed[] = [];
  answer: (request: Request) => Response | Promise<Response> = () => new Response("");
  readonly server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      this.got.push({ method: request.method, path: new URL(request.url).pathname, body: await request.text(), headers: request.headers });
      return this.answer(request);
    },
  });
  constructor() {
    cleanUp.push(() => this.server.stop(true));
  }
  url(path = "", user = ""): string {
    return `http://${user}127.0.0.1:${this.server.port}${path}`;
  }
}

describe("push", () => {
  const FAMILIES = [
    family("messages/received", "counter", 3, ["emqx_messages_received"]),
    family("alarms", "gauge", 2),
    family("suboptions/count", "gauge", 1, ["emqx_suboptions_count"]),
  ];

  test("EMQ X's names to the node's group, at once and every interval", async () => {
    const gateway = new Gateway();
    const m = await start({ "statsd.push.gateway.server": gateway.url(), "statsd.interval": "1000" }, FAMILIES);
    await until(() => gateway.got.length === 1 && only(m).answered === 1, "the first push");
    const [name, ip] = m.kit.node.nodeName.split("@");
    expect(gateway.got[0]).toMatchObject({
      method: "POST",
      path: `/metrics/job/${name}/instance/${name}~${ip}`,
      body: "# HELP emqx_messages_received \n# TYPE emqx_messages_received counter\nemqx_messages_received 3\n",
    });
    expect(gateway.got[0]?.headers.get("authorization")).toBeNull();
    m.kit.pass(900);
    await turns(m.kit);
    expect(gateway.got).toHaveLength(1);
    m.host.families = [family("messages/received", "counter", 4, ["emqx_messages_received"])];
    m.kit.pass(100);
    await until(() => only(m).answered === 2, "the second push");
    expect(gateway.got[1]?.body).toContain("emqx_messages_received 4\n");
    expect(only(m)).toMatchObject({
      what: `Push gateway at ${gateway.url()}`,
      state: "up",
      lastError: null,
      running: 0,
      p50: expect.any(Number),
    });
  });

  test("all figures, below a path, with a user and a password that are shown nowhere", async () => {
    const gateway = new Gateway();
    const url = gateway.url("/gate/", "joe:s%203cret@");
    const m = await start({ "statsd.push.gateway.server": url, "statsd.push.all": "on" }, FAMILIES);
    await until(() => only(m).answered === 1, "the push");
    expect(gateway.got[0]?.path).toStartWith("/gate/metrics/job/");
    expect(gateway.got[0]?.headers.get("authorization")).toBe(`Basic ${btoa("joe:s 3cret")}`);
    expect(gateway.got[0]?.body).toContain("\nbaomq_alarms 2\n");
    const seen = JSON.stringify([m.manager.report(NAME), m.manager.configRows(NAME), m.kit.log.lines]);
    expect(seen).not.toContain("3cret");
    expect(seen).toContain("joe:******@");
  });

  test("a wrong path: what the server says, in state, log and, the third time, an alarm; over with the first that arrives", async () => {
    const gateway = new Gateway();
    gateway.answer = () => new Response("404 page\nnot found\n", { status: 404 });
    const m = await start({ "statsd.push.gateway.server": gateway.url("/wrong"), "statsd.interval": "1000" }, FAMILIES);
    const failed = (n: number) => after(m, () => only(m).refused === n, `${n} refused`, 1000);
    await failed(2);
    expect(only(m)).toMatchObject({ state: "down", lastError: "http 404: 404 page not found; see statsd.push.gateway.server" });
    expect(alarms(m)).toEqual([]);
    await failed(3);
    expect(alarms(m)).toEqual(["emqx_statsd_push_down"]);
    expect(m.kit.alarms.get("emqx_statsd_push_down")?.desc).toMatchObject({ summary: expect.stringContaining("http 404") });
    await failed(5);
    expect(m.kit.log.lines.filter((l) => l.message === "figures do not arrive")).toHaveLength(1);
    gateway.answer = () => new Response("");
    await after(m, () => only(m).answered === 1, "it arrives", 1000);
    expect([only(m).state, alarms(m)]).toEqual(["up", []]);
    expect(m.kit.log.lines.filter((l) => l.message === "figures arrive again").map((l) => l.fields)).toMatchObject([{ failed: 5 }]);
  });

  test("nobody there at the start, then somebody, who goes; the plugin is not in its way", async () => {
    const [port = 0] = freePorts(1);
    const m = await start({ "statsd.push.gateway.server": `http://127.0.0.1:${port}`, "statsd.interval": "1000" }, FAMILIES);
    await until(() => only(m).failed === 1, "the first push fails");
    expect(only(m)).toMatchObject({
      state: "down",
      lastError: expect.stringMatching(/nobody listens there.*; see statsd\.push\.gateway\.server$/),
    });
    const there = Bun.serve({ port, hostname: "127.0.0.1", fetch: () => new Response("") });
    await after(m, () => only(m).answered > 0, "it arrives", 1000);
    expect(only(m).state).toBe("up");
    await there.stop(true);
    await after(m, () => only(m).failed >= 2, "it fails", 1000);
    expect(only(m).state).toBe("degraded");
    await after(m, () => alarms(m).length > 0, "the alarm", 1000);
    expect(only(m).state).toBe("down");
    await m.manager.unload(NAME);
    expect(alarms(m)).toEqual([]);
  });

  test("one that does not answer: one push at a time, and it is given up", async () => {
    const gateway = new Gateway();
    let release = (): void => {};
    gateway.answer = () => new Promise((done) => (release = () => done(new Response(""))));
    const m = await start({ "statsd.push.gateway.server": gateway.url(), "statsd.interval": "100", "statsd.timeout": "300ms" }, FAMILIES);
    await until(() => gateway.got.length === 1, "the push");
    m.kit.pass(1000);
    await turns(m.kit);
    expect([gateway.got.length, only(m).running]).toEqual([1, 1]);
    await until(() => only(m).timeouts === 1, "it is given up");
    expect(only(m).lastError).toBe("no answer within 300 ms; see statsd.push.gateway.server, statsd.timeout");
    release();
  });

  test("a redirect is not followed, a long answer is cut", async () => {
    const gateway = new Gateway();
    gateway.answer = () => Response.redirect(`${gateway.url("/elsewhere")}`, 301);
    const m = await start({ "statsd.push.gateway.server": gateway.url(), "statsd.interval": "1000" }, FAMILIES);
    await until(() => only(m).refused === 1, "refused");
    expect(only(m).lastError).toBe("http 301: a redirect is not followed; see statsd.push.gateway.server");
    expect(gateway.got.map(({ path }) => path)).not.toContain("/elsewhere");
    gateway.answer = () => new Response("x".repeat(5_000_000), { status: 500 });
    await after(m, () => only(m).refused === 2, "refused again", 1000);
    expect(only(m).lastError?.length).toBeLessThan(400);
  });

  test("the group is deleted at the stop where that is wanted, and a gateway that is away does not stop the stop", async () => {
    const gateway = new Gateway();
    const m = await start({ "statsd.push.gateway.server": gateway.url(), "statsd.delete_on_stop": "on" }, FAMILIES);
    await until(() => only(m).answered === 1, "the push");
    await m.manager.unload(NAME);
    expect(gateway.got.map(({ method }) => method)).toEqual(["POST", "DELETE"]);
    expect(gateway.got[1]?.path).toBe(gateway.got[0]?.path as string);
    await m.manager.load(NAME);
    await until(() => only(m).answered === 1, "the push");
    await gateway.server.stop(true);
    await m.manager.unload(NAME);
    expect(m.kit.log.lines.map((l) => l.message)).toContain("figures stay at the push gateway");
  });
});

describe("StatsD", () => {
  async function listening(port = 0): Promise<StatsdServer> {
    const server = new StatsdServer();
    await server.start(port);
    cleanUp.push(() => server.stop());
    return server;
  }
  const received = (n: number): MetricFamily[] => [family("messages/received", "counter", n), family("connections/count", "gauge", 5)];

  test("gauges, and what counters have grown since it began; the rest with the stop", async () => {
    const server = await listening();
    const m = await start({ ...OFF, "statsd.udp.server": `127.0.0.1:${server.port}`, "statsd.interval": "1000" }, received(100));
    await until(() => server.gauge("emqx.connections.count") === 5, "a gauge");
    // Its time before the plugin's is over.
    expect(server.count("emqx.messages.received")).toBe(0);
    await after(m, () => only(m).state === "up", "no refusal");
    m.host.families = received(107);
    await after(m, () => server.count("emqx.messages.received") === 7, "the growth");
    await after(m, () => only(m).answered >= 3, "others without growth");
    expect(server.count("emqx.messages.received")).toBe(7);
    m.host.families = received(110);
    await m.manager.unload(NAME);
    await until(() => server.count("emqx.messages.received") === 10, "the last of it");
    expect(server.faults).toEqual([]);
  });

  test("nobody listens: nothing throws, nothing counted is lost; it comes when somebody does, and again when he begins anew", async () => {
    const first = await listening();
    const { port } = first;
    first.stop();
    const m = await start({ ...OFF, "statsd.udp.server": `127.0.0.1:${port}`, "statsd.interval": "1000" }, received(0));
    m.host.families = received(4);
    await after(m, () => only(m).refused >= 3, "refusals");
    expect(only(m)).toMatchObject({ state: "down", lastError: "nobody listens there; see statsd.udp.server" });
    expect(alarms(m)).toEqual(["emqx_statsd_udp_down"]);
    m.host.families = received(9);
    const second = await listening(port);
    await after(m, () => second.count("emqx.messages.received") === 9, "all of it");
    await after(m, () => only(m).state === "up", "it is up");
    expect(alarms(m)).toEqual([]);
    second.stop();
    m.host.families = received(20);
    await after(m, () => only(m).state !== "up", "it is noticed");
    const third = await listening(port);
    await after(m, () => third.count("emqx.messages.received") > 0, "the rest");
    expect(second.count("emqx.messages.received") + third.count("emqx.messages.received")).toBe(20);
    expect([m.kit.log.lines.filter((l) => l.level === "error"), second.faults, third.faults]).toEqual([[], [], []]);
  });

  test("IPv6, names, tags, many lines in few datagrams", async () => {
    const server = new StatsdServer();
    await server.start(0, "::1");
    cleanUp.push(() => server.stop());
    const many = Array.from({ length: 300 }, (_, i) => family(`a/figure/with/a/name/${i}`, "gauge", i));
    const settings = {
      "statsd.udp.server": `[::1]:${server.port}`,
      "statsd.udp.tags": "datadog",
      "statsd.udp.tag.site": "berlin",
      "statsd.udp.prefix": "",
    };
    await start({ ...OFF, ...settings }, many);
    await until(() => server.lines.length >= 300, "all lines");
    expect(server.lines[7]).toEqual({ name: "a.figure.with.a.name.7", value: 7, type: "g", tags: { site: "berlin" } });
    expect([server.faults, server.datagrams < 15]).toEqual([[], true]);
  });

  test("a name that nobody knows", async () => {
    const m = await start({ ...OFF, "statsd.udp.server": "no-such-host.invalid:8125" }, received(1));
    await until(() => only(m).failed === 1, "it fails");
    expect(only(m)).toMatchObject({ state: "down", lastError: expect.stringMatching(/; see statsd\.udp\.server$/) });
  });
});

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const userProperties = (got: { properties?: Record<string, unknown> } | undefined): Record<string, string> =>
  (got?.properties?.userProperties ?? {}) as Record<string, string>;
const traceparent = (flags = "01"): string => `00-${TRACE}-${PARENT}-${flags}`;

describe("OpenTelemetry", () => {
  async function collecting(settings: Record<string, string> = {}, families: MetricFamily[] = []) {
    const collector = new OtlpCollector();
    collector.start();
    cleanUp.push(() => collector.stop());
    const m = await start({ ...OFF, "statsd.otlp.endpoint": collector.url, "statsd.interval": "1000", ...settings }, families);
    return { collector, m };
  }
  const TRACES = { "statsd.otlp.traces": "on", "statsd.otlp.metrics": "off" };

  test("metrics: sums from the start on, gauges, labels, units, the resource; headers go along", async () => {
    const labelled: MetricFamily = { ...family("plugin/server/calls", "counter", 0), rows: [[{ plugin: "x", result: "answered" }, 2]] };
    const { collector, m } = await collecting(
      {
        "statsd.otlp.header.authorization": "Bearer s3cret",
        "statsd.otlp.resource_attributes": "deployment.environment=prod, team=a%2Cb",
        "statsd.otlp.service_name": "mqtt",
      },
      [
        family("bytes/received", "counter", 9_007_199_254_740_000),
        family("uptime/seconds", "gauge", 1.5),
        family("odd", "gauge", Number.NaN),
        labelled,
      ],
    );
    await until(() => collector.metrics.length === 1, "metrics");
    expect(collector.faults).toEqual([]);
    expect(collector.asked).toEqual(["/v1/metrics"]);
    expect(collector.headers.get("authorization")).toBe("Bearer s3cret");
    expect(collector.resources[0]).toMatchObject({
      "service.name": "mqtt",
      "service.instance.id": m.kit.node.nodeName,
      "service.version": expect.any(String),
      "host.name": expect.any(String),
      "deployment.environment": "prod",
      team: "a,b",
    });
    expect(collector.metric("baomq.bytes.received")).toMatchObject({
      unit: "By",
      sum: { isMonotonic: true, aggregationTemporality: 2, dataPoints: [{ asInt: "9007199254740000", attributes: [] }] },
    });
    expect(collector.metric("baomq.uptime.seconds")).toMatchObject({ unit: "s", gauge: { dataPoints: [{ asDouble: 1.5 }] } });
    expect(collector.metric("baomq.odd")).toBeUndefined();
    expect(plain(collector.metric("baomq.plugin.server.calls")?.sum?.dataPoints[0]?.attributes ?? [])).toEqual({
      plugin: "x",
      result: "answered",
    });
    await after(m, () => collector.metrics.length === 3, "every interval");
    expect(JSON.stringify([m.manager.report(NAME), m.manager.configRows(NAME), m.kit.log.lines])).not.toContain("s3cret");
  });

  test("off: no hook is registered, nobody is asked", async () => {
    const { collector, m } = await collecting({ "statsd.otlp.metrics": "off" });
    m.kit.pass(3000);
    await turns(m.kit);
    expect([collector.asked, servers(m)]).toEqual([[], []]);
    expect([m.kit.hooks.at["message.publish"].length, m.kit.hooks.at["message.delivered"].length]).toEqual([0, 0]);
  });

  test("traces: the parent stays, receivers get the broker's span, all else is as it came", async () => {
    const { collector, m } = await collecting(TRACES);
    const to = m.kit.connected("reader", 5).subscribe("t/#", 1);
    const old = m.kit.connected("old", 4).subscribe("t/#", 1);
    to.take();
    old.take();
    const properties = {
      userProperties: { a: "1", traceparent: traceparent(), tracestate: "vendor=x", b: "2" },
      contentType: "text/plain",
      correlationData: Buffer.from([1, 2]),
    };
    m.kit.connected("writer", 5).publish("t/1", "hello", 1, { properties });
    const [got] = to.messages();
    const sent = String(userProperties(got).traceparent);
    const [, , spanId = ""] = sent.split("-");
    expect(sent).toBe(`00-${TRACE}-${spanId}-01`);
    expect(spanId).not.toBe(PARENT);
    expect(got).toMatchObject({ topic: "t/1", payload: "hello", qos: 1, retain: false });
    expect(got?.properties).toEqual({ ...properties, userProperties: { ...properties.userProperties, traceparent: sent } });
    expect(Object.keys(got?.properties?.userProperties as object)).toEqual(["a", "traceparent", "tracestate", "b"]);
    expect(old.messages()).toMatchObject([{ topic: "t/1", payload: "hello" }]);
    await after(m, () => only(m).answered === 1, "the span", 500);
    const [span] = collector.spans as [OtlpSpan];
    expect(span).toMatchObject({
      traceId: TRACE,
      spanId,
      parentSpanId: PARENT,
      traceState: "vendor=x",
      name: "publish",
      kind: 4,
      flags: 0x301,
    });
    expect(plain(span.attributes)).toEqual({
      "messaging.system": "mqtt",
      "messaging.operation.name": "publish",
      "messaging.operation.type": "send",
      "messaging.destination.name": "t/1",
      "messaging.client.id": "writer",
      "messaging.message.body.size": "5",
      "mqtt.qos": "1",
      "mqtt.retain": false,
      "baomq.deliveries": "2",
    });
    expect(span.events?.map((e) => [e.name, plain(e.attributes)["messaging.client.id"]]).sort()).toEqual([
      ["deliver", "old"],
      ["deliver", "reader"],
    ]);
    expect(collector.faults).toEqual([]);
    expect(m.kit.metrics.get("otlp/spans/sent")).toBe(1);
  });

  for (const [what, userProperties] of [
    ["not sampled", { traceparent: traceparent("00") }],
    ["no valid one", { traceparent: "00-x-y-01" }],
    ["two of them", { traceparent: [traceparent(), traceparent()] }],
    ["none", { other: "x" }],
  ] as const)
    test(`${what}: the message goes on as it came, and there is no span`, async () => {
      const { collector, m } = await collecting(TRACES);
      const to = m.kit.connected("reader", 5).subscribe("t");
      to.take();
      m.kit.connected("writer", 5).publish("t", "x", 0, { properties: { userProperties } });
      expect(to.messages()[0]?.properties).toEqual({ userProperties });
      m.kit.pass(10_000);
      await turns(m.kit);
      await m.manager.unload(NAME);
      expect(collector.asked).toEqual([]);
    });

  test("a topic alias, time that is left, a binary payload: all as without a trace", async () => {
    const { m } = await collecting(TRACES);
    const to = m.kit.connected("reader", 5).subscribe("t", 2);
    to.take();
    const writer = m.kit.connected("writer", 5);
    m.kit.zone.maxTopicAlias = 5;
    const properties = { topicAlias: 1, messageExpiryInterval: 60, payloadFormatIndicator: false, responseTopic: "r" };
    const payload = Buffer.from([0, 255, 128]);
    writer.publish("t", payload, 2, { messageId: 1, properties });
    writer.publish("", payload, 2, { messageId: 2, properties: { ...properties, userProperties: { traceparent: traceparent() } } });
    const [plainly, traced] = to.take().filter((p) => p.cmd === "publish");
    expect(traced).toMatchObject({
      topic: "t",
      payload,
      qos: 2,
      properties: { ...plainly?.properties, userProperties: { traceparent: expect.any(String) } },
    });
    expect(traced?.properties).not.toHaveProperty("topicAlias");
    expect(traced?.properties?.messageExpiryInterval).toBe(60);
  });

  test("a retained message keeps the broker's span, and who subscribes later is no part of the trace", async () => {
    const collector = new OtlpCollector();
    collector.start();
    cleanUp.push(() => collector.stop());
    const both = manage([statsd, retainer], { settings: { ...OFF, "statsd.otlp.endpoint": collector.url, ...TRACES } });
    cleanUp.push(() => both.manager.stopAll());
    for (const name of ["emqx_retainer", NAME]) await both.manager.load(name);
    both.kit.connected("writer", 5).publish("t", "x", 0, { retain: true, properties: { userProperties: { traceparent: traceparent() } } });
    await turns(both.kit);
    const late = both.kit.connected("late", 5).subscribe("t");
    let got = late.messages()[0];
    const look = (): boolean => {
      got ??= late.messages()[0];
      return got !== undefined;
    };
    await after(both, look, "the retained message");
    await after(both, () => collector.spans.length > 0, "the span", 500);
    await both.manager.unload(NAME);
    expect(collector.spans.map((s) => s.name)).toEqual(["publish"]);
    expect(userProperties(got).traceparent).toBe(`00-${TRACE}-${collector.spans[0]?.spanId}-01`);
  });

  test("who gets it later has a span beneath the broker's, from publishing on", async () => {
    const { collector, m } = await collecting(TRACES);
    const later = { clean: false, properties: { sessionExpiryInterval: 1000 } };
    m.kit.connected("reader", 5, later).subscribe("t", 1).disconnect();
    m.kit.connected("writer", 5).publish("t", "x", 1, { properties: { userProperties: { traceparent: traceparent() } } });
    await turns(m.kit);
    m.kit.pass(3000);
    const back = m.kit.client(5).connect("reader", later);
    m.kit.settle();
    const [got] = back.messages();
    const sent = String(userProperties(got).traceparent);
    await after(m, () => collector.spans.length === 2, "both spans", 500);
    const [first, second] = collector.spans as [OtlpSpan, OtlpSpan];
    expect(sent).toBe(`00-${TRACE}-${first.spanId}-01`);
    expect(plain(first.attributes)["baomq.deliveries"]).toBe("0");
    expect(second).toMatchObject({
      traceId: TRACE,
      parentSpanId: first.spanId,
      name: "deliver",
      startTimeUnixNano: first.startTimeUnixNano,
    });
    expect(BigInt(second.endTimeUnixNano) - BigInt(second.startTimeUnixNano)).toBeGreaterThanOrEqual(3_000_000_000n);
    expect(plain(second.attributes)["messaging.client.id"]).toBe("reader");
  });

  test("many receivers: so many events, the rest counted", async () => {
    const { collector, m } = await collecting(TRACES);
    for (let i = 0; i < 20; i++) m.kit.connected(`r${i}`, 5).subscribe("t");
    m.kit.connected("writer", 5).publish("t", "x", 0, { properties: { userProperties: { traceparent: traceparent() } } });
    await after(m, () => collector.spans.length === 1, "the span", 500);
    expect([collector.spans[0]?.events?.length, collector.spans[0]?.droppedEventsCount]).toEqual([16, 4]);
    expect(plain(collector.spans[0]?.attributes ?? [])["baomq.deliveries"]).toBe("20");
  });

  const publish = (m: Managed, n: number): void => {
    const writer = m.kit.connected("writer", 5);
    for (let i = 0; i < n; i++) writer.publish("t", "x", 0, { properties: { userProperties: { traceparent: traceparent() } } });
  };

  test("as many as a request takes leave at once, one request behind the other, without waiting for the time", async () => {
    const { collector, m } = await collecting(TRACES);
    for (let i = 0; i < 12; i++) {
      publish(m, 100);
      await turns(m.kit, 1);
    }
    await until(() => m.kit.metrics.get("otlp/spans/sent") === 1024, "two requests");
    expect([collector.spans.length, only(m).waiting]).toEqual([1024, 176]);
    await m.manager.unload(NAME);
    expect([collector.spans.length, m.kit.metrics.get("otlp/spans/dropped")]).toEqual([1200, undefined]);
  });

  test("429 with Retry-After: the same spans again, not before", async () => {
    const { collector, m } = await collecting(TRACES);
    collector.answer = () => new Response("", { status: 429, headers: { "retry-after": "7" } });
    publish(m, 1);
    await after(m, () => only(m).refused === 1, "it is sent away", 500);
    expect(only(m)).toMatchObject({ waiting: 1, lastError: "http 429; see statsd.otlp.endpoint" });
    collector.answer = null;
    m.kit.pass(6000);
    await turns(m.kit);
    expect(collector.asked).toHaveLength(1);
    await after(m, () => only(m).answered === 1, "it comes", 500);
    expect([collector.spans.length, only(m).retries, only(m).waiting, only(m).state]).toEqual([1, 1, 0, "up"]);
  });

  test("503, and nobody there: again behind pauses that grow; what is refused for good is dropped and counted", async () => {
    const { collector, m } = await collecting(TRACES);
    const { port } = collector;
    collector.answer = () => new Response("", { status: 503 });
    publish(m, 3);
    await after(m, () => only(m).refused === 2, "twice sent away", 500);
    await collector.stop();
    await after(m, () => only(m).failed >= 2, "nobody there", 500);
    expect([alarms(m), only(m).state]).toEqual([["emqx_statsd_otlp_traces_down"], "down"]);
    collector.answer = () => Response.json({ code: 3, message: "no such tenant" }, { status: 400 });
    collector.start(port);
    await after(m, () => only(m).waiting === 0, "they are given up", 500);
    expect(only(m)).toMatchObject({ busy: 3, lastError: "http 400: no such tenant; see statsd.otlp.endpoint" });
    expect(m.kit.metrics.get("otlp/spans/dropped")).toBe(3);
    collector.answer = null;
    publish(m, 1);
    await after(m, () => only(m).answered === 1, "the next one", 500);
    expect([collector.spans.length, alarms(m)]).toEqual([1, []]);
  });

  test("what cannot be brought for five minutes is given up", async () => {
    const { collector, m } = await collecting(TRACES);
    collector.answer = () => new Response("", { status: 503 });
    publish(m, 2);
    const began = m.kit.clock.time;
    await after(m, () => m.kit.metrics.get("otlp/spans/dropped") === 2, "they are given up", 500);
    expect(m.kit.clock.time - began).toBeGreaterThan(290_000);
    expect(m.kit.clock.time - began).toBeLessThan(400_000);
  });

  test("a collector that is silent: so many wait, the others are counted, and their messages go on with their publisher's trace", async () => {
    const { collector, m } = await collecting(TRACES);
    collector.answer = () => new Promise(() => {});
    const to = m.kit.connected("reader", 5).subscribe("t");
    to.take();
    for (let i = 0; i < 50; i++) {
      publish(m, 100);
      await turns(m.kit, 1);
    }
    const lost = m.kit.metrics.get("otlp/spans/dropped") ?? 0;
    // The queue, and what is on its way.
    expect([only(m).waiting, lost + only(m).waiting, only(m).busy]).toEqual([4096 + 512, 5000, lost]);
    const parents = to.messages().map((g) => userProperties(g).traceparent);
    expect(parents.filter((p) => p === traceparent())).toHaveLength(lost);
    expect(parents).toHaveLength(5000);
  });

  test("it took not all of it: told, counted", async () => {
    const { collector, m } = await collecting(TRACES);
    collector.answer = () => Response.json({ partialSuccess: { rejectedSpans: "1", errorMessage: "too old" } });
    publish(m, 2);
    await after(m, () => m.kit.metrics.get("otlp/spans/rejected") === 1, "one is rejected", 500);
    expect(only(m)).toMatchObject({ state: "degraded", lastError: "it did not take 1 of what was sent: too old" });
  });

  test("the last spans and figures leave with the plugin; a collector that is away does not stop the stop", async () => {
    const { collector, m } = await collecting({ "statsd.otlp.traces": "on" }, [family("a", "counter", 1)]);
    await until(() => collector.metrics.length === 1 && servers(m)[0]?.running === 0, "metrics");
    publish(m, 1);
    m.host.families = [family("a", "counter", 2)];
    await m.manager.unload(NAME);
    expect([collector.spans.length, collector.metric("baomq.a")?.sum?.dataPoints[0]?.asInt]).toEqual([1, "2"]);
    await m.manager.load(NAME);
    await until(() => servers(m)[0]?.answered === 1, "metrics");
    collector.answer = () => new Promise(() => {});
    publish(m, 1);
    await m.manager.unload(NAME);
    expect(m.kit.metrics.get("otlp/spans/dropped")).toBe(1);
  });
});

describe("settings", () => {
  for (const [key, value, why] of [
    ["statsd.push.gateway.server", "127.0.0.1:9091", "expected a URL that begins with http:// or https://, or nothing"],
    ["statsd.interval", "15s", "expected a whole number from 100 to 86400000"],
    ["statsd.interval", "10", "expected a whole number from 100 to 86400000"],
    ["statsd.udp.server", "nobody:x", "expected host and port"],
    ["statsd.udp.tags", "graphite", "expected off, datadog or influx"],
    ["statsd.otlp.endpoint", "grpc://x", "expected a URL"],
    ["statsd.otlp.resource_attributes", "team", "expected attributes such as"],
    ["statsd.otlp.resource_attributes", "team=%zz", "expected attributes such as"],
  ] as const)
    test(`${key} = ${value}`, async () => {
      const m = await start({ ...OFF });
      expect(m.replaceConfig(NAME, { [key]: value })).rejects.toThrow(`${key}: ${why}`);
    });

  test("a header that is none, a file that cannot be read: the plugin does not start, and says which", async () => {
    const bad = { ...OFF, "statsd.otlp.endpoint": "http://127.0.0.1:1", "statsd.otlp.header.a(b": "x" };
    expect(start(bad)).rejects.toThrow("statsd.otlp.header.a(b: expected a header's name and value");
    expect(start({ ...OFF, "statsd.ssl.cacertfile": "/none.pem" })).rejects.toThrow("statsd.ssl.cacertfile = /none.pem");
  });

  test("3.1's own keys: a file that leaves the interval out means 5000, collectors are known", async () => {
    const m = await start({ ...OFF, "prometheus.collector.1": "emqx_statsd", "prometheus.collector.2": "prometheus_vm_memory_collector" });
    expect(
      m.manager
        .configRows(NAME)
        .filter((r) => r.key.startsWith("prometheus.collector"))
        .map((r) => [r.key, r.value]),
    ).toEqual([
      ["prometheus.collector.1", "emqx_statsd"],
      ["prometheus.collector.2", "prometheus_vm_memory_collector"],
      ["prometheus.collector.$name", ""],
    ]);
    expect(m.kit.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("a secret header goes to no other endpoint unless it is typed again; the gateway may move", async () => {
    const m = await start({ ...OFF });
    await m.replaceConfig(NAME, { ...OFF, "statsd.otlp.endpoint": "http://127.0.0.1:1", "statsd.otlp.header.authorization": "s3cret" });
    const kept = { ...OFF, "statsd.otlp.header.authorization": "******" };
    await expect(m.replaceConfig(NAME, { ...kept, "statsd.otlp.endpoint": "http://127.0.0.2:1" })).rejects.toThrow("typed again");
    await m.replaceConfig(NAME, {
      ...kept,
      "statsd.otlp.endpoint": "http://127.0.0.1:1",
      "statsd.push.gateway.server": "http://127.0.0.1:2",
    });
    expect(m.manager.isRunning(NAME)).toBe(true);
  });
});

test.each([
  ["statsd.push.gateway.server", {}],
  ["statsd.otlp.endpoint", OFF],
])("a log-in in %s that is not percent-encoded keeps the plugin from starting, and the key is named", async (key, others) => {
  await expect(start({ ...others, [key]: "http://u:50%@127.0.0.1:1" })).rejects.toThrow(`${key}: expected user and password`);
});

describe("the test of settings", () => {
  const REQUEST = { clientId: "x", username: null, password: null, ip: "127.0.0.1", action: null, topic: null } as const;
  async function tried(texts: Record<string, string>): Promise<[verdict: string, why: string][]> {
    const m = await start({ ...OFF });
    const steps = await m.manager.test(NAME, texts, REQUEST, () => {
      throw new Error("no client is needed");
    });
    return steps.map(({ step, verdict, why }) => [`${step} ${verdict}`, why]);
  }

  test.each(["statsd.push.gateway.server", "statsd.otlp.endpoint"])(
    "a log-in in %s that is none is told before anything is tried",
    async (key) => {
      const steps = await tried({ [key]: "http://u:50%@127.0.0.1:1" });
      expect(steps).toHaveLength(1);
      expect(steps[0]).toEqual(["settings error", expect.stringContaining(`${key}: expected user and password`)]);
    },
  );

  test("all three, and nothing stays", async () => {
    const gateway = new Gateway();
    const server = new StatsdServer();
    await server.start();
    cleanUp.push(() => server.stop());
    const collector = new OtlpCollector();
    collector.start();
    cleanUp.push(() => collector.stop());
    const steps = await tried({
      "statsd.push.gateway.server": gateway.url("", "joe:s3cret@"),
      "statsd.udp.server": `127.0.0.1:${server.port}`,
      "statsd.otlp.endpoint": collector.url,
      "statsd.otlp.traces": "on",
    });
    expect(steps).toEqual([
      ["settings ok", "the settings can be used"],
      ["connect ok", `Push gateway at ${gateway.url()} takes what is sent (http 200)`],
      ["connect ok", `StatsD at 127.0.0.1:${server.port} does not refuse what is sent; UDP does not say whether somebody reads it`],
      [
        "connect ok",
        `OpenTelemetry collector at ${collector.url} (metrics) and OpenTelemetry collector at ${collector.url} (traces) takes what is sent`,
      ],
    ]);
    expect(gateway.got.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "POST /metrics/job/baomq/instance/baomq~settings-test",
      "DELETE /metrics/job/baomq/instance/baomq~settings-test",
    ]);
    expect([server.lines, collector.metrics, collector.spans, collector.faults]).toEqual([[], [], [], []]);
    expect(collector.asked).toEqual(["/v1/metrics", "/v1/traces"]);
  });

  test("what is wrong, each in words with its key", async () => {
    const gateway = new Gateway();
    gateway.answer = () => new Response("404 page not found", { status: 404 });
    const [udp = 0, otlp = 0] = freePorts(2);
    const steps = await tried({
      "statsd.push.gateway.server": gateway.url("/wrong"),
      "statsd.udp.server": `127.0.0.1:${udp}`,
      "statsd.otlp.endpoint": `http://127.0.0.1:${otlp}`,
    });
    expect(steps).toEqual([
      ["settings ok", "the settings can be used"],
      ["connect error", "http 404: 404 page not found; see statsd.push.gateway.server"],
      ["connect error", "nobody listens there; see statsd.udp.server"],
      ["connect error", expect.stringMatching(/^metrics: nobody listens there: .*; see statsd\.otlp\.endpoint$/)],
    ]);
  });

  test("nowhere to send to", async () => {
    expect(await tried({})).toEqual([["settings error", expect.stringContaining("figures go nowhere")]]);
  });
});
