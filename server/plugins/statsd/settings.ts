/** The keys of emqx_statsd: two of EMQ X 3.1, the others ours. */
import { duration, flag, inert, integer, leadsTo, oneOf, optional, parsed, secret, text } from "../../lib/config_entry.ts";
import { type NONE, serverAddress, serverUrl, serverUrlOrNone } from "../_backend/address.ts";
import { tlsEntries } from "../_backend/tls.ts";
import { TAG_FORMS } from "./statsd.ts";

const OURS = { required: false };
const STATSD_PORT = 8125;

/** As with EMQ X 3.1, a file that leaves it out means the default. No other secrets of the table are sent there: its own are in the URL. */
const gateway = leadsTo<URL | typeof NONE>(
  serverUrlOrNone(
    "http://127.0.0.1:9091",
    "Prometheus push gateway that is sent the figures under EMQ X's names; a user and a password may stand in it. Empty = nothing is pushed.",
    {},
  ),
  () => [],
);
/** No secret of the table goes by UDP. */
const udpServer = {
  ...optional(serverAddress("127.0.0.1:8125", STATSD_PORT)),
  servers: () => [],
  doc: "StatsD server, over UDP; unset = none.",
};

export type ResourceAttributes = readonly (readonly [key: string, value: string])[];

/** As `OTEL_RESOURCE_ATTRIBUTES`: "deployment.environment=prod,team=iot", values percent-encoded where they must be. */
function readAttributes(given: string): ResourceAttributes | null {
  const pairs = given === "" ? [] : given.split(",").map((pair) => pair.trim());
  const read = pairs.map((pair): readonly [string, string] | null => {
    const [, key = "", value = ""] = /^([^=\s]{1,255})\s*=\s*(.{0,1000})$/.exec(pair) ?? [];
    try {
      return key === "" ? null : [key, decodeURIComponent(value)];
    } catch {
      return null;
    }
  });
  return read.includes(null) ? null : (read as ResourceAttributes);
}

export const config = {
  "statsd.push.gateway.server": gateway,
  "statsd.interval": integer(15_000, "How often figures are sent, to all of them, ms.", { min: 100, max: 86_400_000, unset: "5000" }),
  "prometheus.collector.$name": optional(
    inert(
      text(
        "emqx_statsd",
        "One of the collectors whose figures EMQ X 3.1 sent, its own or those of Erlang's machine (prometheus_vm_memory_collector …).",
      ),
      "the broker's own figures are always sent, and those of Erlang's machine do not exist here.",
    ),
  ),
  "statsd.push.all": flag("off", "Push also the figures that EMQ X had not, as GET /prometheus/metrics has them.", OURS),
  "statsd.delete_on_stop": flag(
    "off",
    "Take the node's figures away from the gateway when the plugin stops: it keeps them for ever else.",
    OURS,
  ),
  "statsd.timeout": duration("5s", "A gateway or collector that has not answered within it counts as failed.", {
    ...OURS,
    least: "100ms",
    most: "1m",
  }),
  ...tlsEntries("statsd.ssl"),
  "statsd.udp.server": udpServer,
  "statsd.udp.prefix": text("emqx.", "Before each name, with its own dot.", OURS),
  "statsd.udp.tags": oneOf(
    TAG_FORMS,
    "off",
    "Labels as tags: datadog (|#plugin:x) or influx (name,plugin=x). off: their values are levels of the name.",
    OURS,
  ),
  "statsd.udp.tag.$name": optional(text("berlin", "A tag of every line, e.g. statsd.udp.tag.site; not with statsd.udp.tags = off.")),
  "statsd.otlp.endpoint": optional(
    serverUrl(
      "http://127.0.0.1:4318",
      "OpenTelemetry collector that takes OTLP over HTTP, without /v1/metrics; unset = none. TLS as statsd.ssl says.",
    ),
  ),
  "statsd.otlp.header.$name": optional(secret("Bearer …", "A header of every request, e.g. statsd.otlp.header.authorization.")),
  "statsd.otlp.metrics": flag("on", "Send metrics to it.", OURS),
  "statsd.otlp.traces": flag(
    "off",
    "Send it a span for each message that comes with traceparent among its user properties, sampled. The broker then looks at every message and every delivery.",
    OURS,
  ),
  "statsd.otlp.service_name": text("baomq", "The resource attribute service.name.", OURS),
  "statsd.otlp.resource_attributes": parsed<ResourceAttributes>(
    "",
    "attributes such as deployment.environment=prod,team=iot",
    readAttributes,
    "More attributes of the resource.",
    OURS,
  ),
};
