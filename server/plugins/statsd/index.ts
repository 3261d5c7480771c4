/**
 * Metrics out. EMQ X 3.1's emqx_statsd pushed Prometheus text to a gateway, whatever its name says: so does this, with its names and its path,
 * so that its boards go on working. Real StatsD over UDP and OpenTelemetry (metrics, and traces of messages) are ours.
 */
import { hostname } from "node:os";
import { buildInfo } from "../../lib/build_info.ts";
import { wordsOf } from "../../lib/errors.ts";
import { NONE } from "../_backend/address.ts";
import { TestSteps } from "../_backend/test_steps.ts";
import { tlsOf } from "../_backend/tls.ts";
import { withoutLogin } from "../_backend/url_login.ts";
import { definePlugin, type PluginContext, type TestContext, type TestStep, type ValuesOf } from "../plugin.ts";
import type { Destination } from "./destination.ts";
import { type OtlpTarget, type Signal, tryOtlp } from "./otlp.ts";
import { attribute, type Resource } from "./otlp_json.ts";
import { Push, tryPush } from "./push.ts";
import { config } from "./settings.ts";
import { Telemetry } from "./telemetry.ts";
import { tryUdp, Udp } from "./udp.ts";

type Context = PluginContext<typeof config>;
type Values = ValuesOf<typeof config>;
type Many = Context["many"];

/** After the hooks of others have had a message, before the retainer (-100) keeps it: what is retained has the broker's span, as what rules (-1000) see. */
const PRIORITY = -50;

export const statsd = definePlugin({
  name: "emqx_statsd",
  description: "Statsd for EMQ X",
  version: "v3.1.0",
  activeByDefault: false,
  config,
  start(ctx) {
    const destinations: Destination[] = [];
    // What cannot be used is found before anything is opened.
    const tls = tlsOf("statsd.ssl", ctx.config);
    mustHaveLogins(ctx.config);
    const target = otlpTarget(ctx.config, (key) => ctx.many(key), tls);
    startPush(ctx, tls, destinations);
    startUdp(ctx, destinations);
    if (target !== null) startOtlp(ctx, target, destinations);
    ctx.report(() => ({ servers: destinations.map((d) => d.status()), authentication: null, acl: null }));
  },
  test: (ctx) => testSettings(ctx),
});

function startPush(ctx: Context, tls: Bun.TLSOptions, destinations: Destination[]): void {
  const c = ctx.config;
  const server = c["statsd.push.gateway.server"];
  if (server === NONE) return;
  const options = { server, nodeName: ctx.broker.nodeName, all: c["statsd.push.all"], tls, timeoutMs: c["statsd.timeout"] };
  const push = new Push(ctx, options, () => ctx.host.figures());
  destinations.push(push.destination);
  void push.push();
  ctx.every(c["statsd.interval"], () => void push.push());
  if (c["statsd.delete_on_stop"])
    ctx.closing(() => push.remove().catch((err: unknown) => ctx.log.warn("figures stay at the push gateway", { error: wordsOf(err) })));
}

function startUdp(ctx: Context, destinations: Destination[]): void {
  const c = ctx.config;
  const server = c["statsd.udp.server"];
  if (server === null) return;
  const options = { server, prefix: c["statsd.udp.prefix"], tags: c["statsd.udp.tags"], constant: given(ctx.many("statsd.udp.tag.$name")) };
  const udp = new Udp(
    ctx,
    options,
    () => ctx.host.figures(),
    (ms, fn) => void ctx.after(ms, fn),
  );
  destinations.push(udp.destination);
  void udp.flush();
  ctx.every(c["statsd.interval"], () => void udp.flush());
  ctx.closing(() => udp.close());
}

function startOtlp(ctx: Context, target: OtlpTarget, destinations: Destination[]): void {
  const c = ctx.config;
  const telemetry = new Telemetry(ctx, {
    target,
    resource: resourceOf(c, ctx.broker.nodeName),
    intervalMs: c["statsd.interval"],
    figures: () => ctx.host.figures(),
    signals: signalsOf(c),
    soon: (fn) => ctx.broker.soon(fn),
    count: (name, n) => ctx.broker.count(name, n),
  });
  destinations.push(...telemetry.destinations);
  ctx.every(Telemetry.TICK_MS, () => telemetry.tick());
  telemetry.tick();
  ctx.closing(() => telemetry.close());
  const { spans } = telemetry;
  if (spans === null) return;
  ctx.hook("message.publish", (m) => spans.published(m), { priority: PRIORITY });
  ctx.hook("message.delivered", (clientId, m) => spans.delivered(clientId, m));
}

const signalsOf = (c: Values): Signal[] => [
  ...(c["statsd.otlp.metrics"] ? (["metrics"] as const) : []),
  ...(c["statsd.otlp.traces"] ? (["traces"] as const) : []),
];

/** What stands for a log-in in the URLs that something is sent to can be one. @throws Error naming the key */
function mustHaveLogins(c: Values): void {
  const used = ["statsd.push.gateway.server", ...(signalsOf(c).length > 0 ? (["statsd.otlp.endpoint"] as const) : [])] as const;
  for (const key of used) {
    const url = c[key];
    if (url !== null && url !== NONE) withoutLogin(url, key);
  }
}

/** null = there is none, or nothing is sent to it. @throws Error naming the key that is no header */
function otlpTarget(c: Values, many: Many, tls: Bun.TLSOptions): OtlpTarget | null {
  const endpoint = c["statsd.otlp.endpoint"];
  if (endpoint === null || signalsOf(c).length === 0) return null;
  const headers = Object.entries(given(many("statsd.otlp.header.$name")));
  for (const header of headers) {
    try {
      new Headers([header]);
    } catch {
      throw new Error(`statsd.otlp.header.${header[0]}: expected a header's name and value`);
    }
  }
  return { endpoint, headers, tls, timeoutMs: c["statsd.timeout"] };
}

const given = (many: ReadonlyMap<string, string | null>): Record<string, string> =>
  Object.fromEntries([...many].filter((pair): pair is [string, string] => pair[1] !== null));

function resourceOf(c: Values, nodeName: string): Resource {
  const attributes = new Map<string, string>([
    ["service.name", c["statsd.otlp.service_name"]],
    ["service.instance.id", nodeName],
    ["service.version", buildInfo.version],
    ["host.name", hostname()],
    ...c["statsd.otlp.resource_attributes"],
  ]);
  return { attributes: [...attributes].map(([key, value]) => attribute(key, value)), version: buildInfo.version };
}

/** What is tried leaves nothing behind: a group of its own at the gateway, an empty datagram, an empty request. */
async function testSettings({ config: c, many, clock }: TestContext<typeof config>): Promise<TestStep[]> {
  const steps = new TestSteps(clock);
  const server = c["statsd.push.gateway.server"];
  const udp = c["statsd.udp.server"];
  let tls: Bun.TLSOptions = {};
  let target: OtlpTarget | null = null;
  const usable = await steps.take("settings", async () => {
    tls = tlsOf("statsd.ssl", c);
    mustHaveLogins(c);
    target = otlpTarget(c, many, tls);
    if (server === NONE && udp === null && target === null)
      throw new Error("figures go nowhere; see statsd.push.gateway.server, statsd.udp.server, statsd.otlp.endpoint");
    return "the settings can be used";
  });
  if (!usable) return steps.taken;
  const timeoutMs = c["statsd.timeout"];
  if (server !== NONE) await steps.take("connect", () => tryPush({ server, tls, timeoutMs }));
  if (udp !== null) await steps.take("connect", () => tryUdp(udp, Bun.sleep));
  if (target !== null) await steps.take("connect", () => tryOtlp(target as OtlpTarget, signalsOf(c)));
  return steps.taken;
}
