/** The settings of emqx_web_hook, and the queue and the service that they make. */
import { bytes, bytesFrom, duration, integer, oneOf, optional, secret } from "../../lib/config_entry.ts";
import { NONE, serverUrlOrNone } from "../_backend/address.ts";
import { tlsKeys } from "../_backend/advice.ts";
import { timeLimitEntry } from "../_backend/calls.ts";
import { tlsEntries, tlsOf } from "../_backend/tls.ts";
import { withoutLogin } from "../_backend/url_login.ts";
import type { SinkSettings } from "../_sink/types.ts";
import type { Settings, ValuesOf } from "../plugin.ts";
import type { WebHookEvent } from "./event.ts";
import { ruleEntries } from "./rules.ts";
import { headersOf, type Target } from "./target.ts";

const OURS = { required: false };
/** What the runtime has under way at a time is 256 requests to all services together. */
const POOL_MAX = 128;

export const config = {
  "web.hook.api.url": serverUrlOrNone("http://127.0.0.1:8080", "The service that is told. Empty = nobody is told.", { unset: "" }),
  ...ruleEntries,
  "web.hook.encode_payload": oneOf(
    ["off", "base64", "base62"],
    "off",
    "How payloads stand in the JSON (EMQ X 3.1.1). off: as text, and what is not UTF-8 in base64; `encoding` then says so.",
    OURS,
  ),
  "web.hook.null": oneOf(
    ["undefined", "null"],
    "undefined",
    'A user name that is not there: the text "undefined" as in EMQ X 3.1, or null.',
    OURS,
  ),
  "web.hook.headers.$name": optional(secret("Bearer …", "A header of every request, e.g. web.hook.headers.authorization.")),
  "web.hook.secret": secret(
    "",
    "Signs requests: webhook-id, webhook-timestamp and webhook-signature (Standard Webhooks; a secret that begins with whsec_ is base64), and x-baomq-signature, the body's HMAC-SHA256 in hex. Empty = none.",
    OURS,
  ),
  "web.hook.cloudevents": oneOf(
    ["off", "structured", "binary"],
    "off",
    "CloudEvents 1.0: structured = around the body, binary = as headers (then web.hook.batch is 1).",
    OURS,
  ),
  "web.hook.pool": integer(16, "Requests at a time. What concerns one client is sent in order.", { min: 1, max: POOL_MAX, ...OURS }),
  "web.hook.timeout": timeLimitEntry("5s", "A request that is not answered within it has failed."),
  "web.hook.retry": integer(
    3,
    "A request that the service has refused is sent again so often; while it is away, until web.hook.queue.max_age.",
    {
      max: 1000,
      ...OURS,
    },
  ),
  "web.hook.retry.interval": duration("1s", "Before the first further try; doubled for each one.", { least: "10ms", most: "1h", ...OURS }),
  "web.hook.retry.max_interval": duration("10s", "Between tries at most.", { least: "10ms", most: "1h", ...OURS }),
  "web.hook.batch": integer(1, "Events in one request. More than 1: the body is an array, also of one.", { min: 1, max: 10_000, ...OURS }),
  "web.hook.batch.bytes": bytes("1MB", "A batch is sent when it has so many bytes.", OURS),
  "web.hook.batch.wait": duration("100ms", "A batch waits so long for more.", { least: "0ms", most: "1m", ...OURS }),
  "web.hook.queue": integer(
    10_000,
    "Events that wait in memory. When it is full the oldest is dropped, or, with web.hook.queue.disk, more waits there.",
    {
      min: 1,
      max: 10_000_000,
      ...OURS,
    },
  ),
  "web.hook.queue.bytes": bytesFrom("64KB", "64MB", "The same in bytes.", OURS),
  "web.hook.queue.disk": bytesFrom(
    "1MB",
    "0",
    "Bytes that wait on the disk, in the data directory; they survive a crash. 0 = what waits is in memory alone.",
    OURS,
  ),
  "web.hook.queue.max_age": duration("1d", "What fails and is older is given up.", { least: "1s", most: "365d", ...OURS }),
  "web.hook.dead_letters": integer(1000, "What was given up is kept, to be looked at and sent again: so many, the oldest goes first.", {
    max: 100_000,
    ...OURS,
  }),
  "web.hook.dead_letters.bytes": bytes("16MB", "The same in bytes.", OURS),
  ...tlsEntries("web.hook.ssl"),
};
export type Values = ValuesOf<typeof config>;
type Many = Settings<typeof config>["many"];

/** null = nobody is told. @throws Error naming the key whose value cannot be used */
export function targetOf(c: Values, many: Many, nodeName: string): Target | null {
  const given = c["web.hook.api.url"];
  if (given === NONE) return null;
  const headers = headersOf(many("web.hook.headers.$name"), (name) => `web.hook.headers.${name}`);
  const { url, authorization } = withoutLogin(given, "web.hook.api.url");
  if (authorization !== null && !headers.has("authorization")) headers.set("authorization", authorization);
  const cloudEvents = c["web.hook.cloudevents"];
  if (cloudEvents === "binary" && c["web.hook.batch"] > 1)
    throw new Error("web.hook.batch: expected 1 with web.hook.cloudevents = binary, which has no batches");
  return {
    url,
    method: "POST",
    headers,
    tls: tlsOf("web.hook.ssl", c),
    secret: c["web.hook.secret"] === "" ? null : c["web.hook.secret"],
    cloudEvents,
    isBatch: c["web.hook.batch"] > 1,
    source: `/nodes/${encodeURIComponent(nodeName)}`,
    keys: { server: "web.hook.api.url", timeout: "web.hook.timeout", account: "web.hook.headers.$name", ...tlsKeys("web.hook.ssl") },
  };
}

export const whatOf = ({ url }: Target): string => `web hook at ${url.origin}${url.pathname}`;

export function sinkSettings(c: Values): Omit<SinkSettings<WebHookEvent>, "what" | "send"> {
  return {
    lanes: c["web.hook.pool"],
    batchRows: c["web.hook.batch"],
    batchBytes: c["web.hook.batch.bytes"],
    batchWaitMs: c["web.hook.batch"] > 1 ? c["web.hook.batch.wait"] : 0,
    timeoutMs: c["web.hook.timeout"],
    retries: c["web.hook.retry"],
    maxAgeMs: c["web.hook.queue.max_age"],
    backoffMs: c["web.hook.retry.interval"],
    backoffMostMs: Math.max(c["web.hook.retry.interval"], c["web.hook.retry.max_interval"]),
    rowsMax: c["web.hook.queue"],
    bytesMax: c["web.hook.queue.bytes"],
    diskMax: c["web.hook.queue.disk"],
    lettersMax: c["web.hook.dead_letters"],
    letterBytesMax: c["web.hook.dead_letters.bytes"],
  };
}
