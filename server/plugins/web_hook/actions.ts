/** What rules can do with the web hook: EMQ X 3.1's resource and actions, parameters and all; the further ones are ours. */
import { whyUnreadable } from "../../lib/file_errors.ts";
import { MASK } from "../../lib/mask.ts";
import { systemRandom } from "../../lib/random.ts";
import { smallFile } from "../../lib/small_file.ts";
import { httpUrl } from "../_backend/address.ts";
import { NO_CALLS } from "../_backend/figures.ts";
import { compileRowTemplate, rowJson, wholeRowJson } from "../_backend/row_template.ts";
import { addCounts, together } from "../_backend/together.ts";
import { withoutLogin } from "../_backend/url_login.ts";
import { sinkHost } from "../_sink/action_host.ts";
import { CauseBytes } from "../_sink/cause.ts";
import { Directory } from "../_sink/disk.ts";
import { Left } from "../_sink/left.ts";
import { Sink } from "../_sink/sink.ts";
import type { SinkSettings } from "../_sink/types.ts";
import type { Action, ActionHost, Kinds, Params, ParamsSpec, Resource, ServerReport, TestStep } from "../plugin.ts";
import { eventBytes, eventCodec, eventIds, type WebHookEvent } from "./event.ts";
import { whatOf } from "./keys.ts";
import { headersOf, send, type Target } from "./target.ts";

const CLOSE_MS = 3000;
const MB = 1024 * 1024;
const TIMEOUT_S = 5;

const HEADERS_TOLD =
  "Request Header; the value of one that is a secret by its name (auth, token, key, password, cookie …) is not shown again";

const RESOURCE: ParamsSpec = {
  url: { type: "string", format: "url", required: true, title: "Request URL", description: "Request URL" },
  headers: { type: "object", schema: {}, default: {}, title: "Request Header", description: HEADERS_TOLD },
  method: { type: "string", enum: ["PUT", "POST"], default: "POST", title: "Request Method", description: "Request Method" },
  timeout: { type: "number", default: TIMEOUT_S, range: [0.1, 60], title: "Timeout", description: "Seconds until a request has failed" },
  pool: { type: "number", default: 16, range: [1, 128], title: "Requests", description: "Requests at a time" },
  secret: { type: "string", default: "", secret: true, title: "Secret", description: "Signs requests, as web.hook.secret does" },
  cacertfile: { type: "string", default: "", title: "CA file", description: "Certificates to trust; empty = those of the system" },
  certfile: { type: "string", default: "", title: "Certificate", description: "Certificate to show to the server" },
  keyfile: { type: "string", default: "", title: "Key", description: "Its key" },
  verify: {
    type: "boolean",
    enum: [true, false],
    default: true,
    title: "Verify",
    description: "The server's certificate must be good for its name",
  },
};

const QUEUE: ParamsSpec = {
  batch: { type: "number", default: 1, range: [1, 10_000], title: "Batch", description: "Rows in one request; more than 1: an array" },
  retry: { type: "number", default: 3, range: [0, 1000], title: "Retries", description: "So often a refused request is sent again" },
  queue: { type: "number", default: 10_000, range: [1, 10_000_000], title: "Queue", description: "Rows that wait in memory" },
  queue_bytes: { type: "number", default: 64 * MB, range: [65_536, 1e12], title: "Queue, bytes", description: "The same in bytes" },
  queue_disk: {
    type: "number",
    default: 0,
    range: [0, 1e13],
    title: "Queue on disk",
    description: "Bytes that wait on the disk; 0 = none",
  },
};

const BOUND = {
  $resource: { type: "string", required: true, title: "Resource ID", description: "Bind a resource to this action" },
} as const satisfies ParamsSpec;

const BODY: ParamsSpec = {
  body: {
    type: "string",
    format: "template",
    title: "Body",
    description: "What is sent, what stands in the row in its placeholders; empty = as EMQ X 3.1",
  },
};

const TEMPLATE: ParamsSpec = {
  template: {
    type: "object",
    schema: {},
    required: false,
    title: "Payload Template",
    description: "The payload template to be filled with variables before sending messages",
  },
};

const text = (params: Params, name: string): string => (typeof params[name] === "string" ? (params[name] as string) : "");
const number = (params: Params, name: string, spec: ParamsSpec): number => Number(params[name] ?? spec[name]?.default);

/** @throws Error in words */
function targetOf(config: Params, nodeName: string): Target {
  const given = httpUrl(text(config, "url"));
  if (given === null) throw new Error("url: expected a URL that begins with http:// or https://");
  const { url, authorization } = withoutLogin(given, "url");
  const written = typeof config.headers === "object" && config.headers !== null ? Object.entries(config.headers) : [];
  const headers = headersOf(
    written.map(([name, value]) => [name, String(value)]),
    (name) => `headers: ${name}`,
  );
  if (authorization !== null && !headers.has("authorization")) headers.set("authorization", authorization);
  const file = (name: string): string | undefined => {
    const path = text(config, name);
    if (path === "") return undefined;
    try {
      return smallFile(path);
    } catch (err) {
      throw new Error(`${name}: ${path} cannot be read: ${whyUnreadable(err)}`);
    }
  };
  const [ca, cert, key] = [file("cacertfile"), file("certfile"), file("keyfile")];
  const secret = text(config, "secret");
  return {
    url,
    method: config.method === "PUT" ? "PUT" : "POST",
    headers,
    tls: { rejectUnauthorized: config.verify !== false, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
    secret: secret === "" || secret === MASK ? null : secret,
    cloudEvents: "off",
    isBatch: false,
    source: `/nodes/${encodeURIComponent(nodeName)}`,
    keys: {
      server: "url",
      timeout: "timeout",
      account: "headers",
      trust: "cacertfile",
      verify: "verify",
      certificate: "certfile, keyfile",
    },
  };
}

/** A service that actions send to; each of them has a queue of its own. */
class WebHookResource implements Resource {
  readonly timeoutMs: number;
  readonly pool: number;
  readonly #sinks = new Set<Sink<WebHookEvent>>();
  /** Of actions that are gone: what is counted never becomes less. */
  #former = NO_CALLS;

  constructor(
    readonly target: Target,
    config: Params,
    private readonly since: number,
  ) {
    this.timeoutMs = number(config, "timeout", RESOURCE) * 1000;
    this.pool = number(config, "pool", RESOURCE);
  }

  add(sink: Sink<WebHookEvent>): () => void {
    this.#sinks.add(sink);
    return () => {
      this.#sinks.delete(sink);
      this.#former = addCounts(this.#former, sink.report());
    };
  }

  /** One service, however many actions send to it. */
  status(): ServerReport[] {
    const now = together([...this.#sinks].map((sink) => sink.report()));
    if (now !== null) return [{ ...now, ...addCounts(now, this.#former) }];
    const unknown = { since: this.since, lastError: null, lastErrorAt: null, p50: null, p95: null, p99: null };
    return [{ what: whatOf(this.target), state: "connecting", ...unknown, ...this.#former, running: 0, waiting: 0, pool: this.pool }];
  }

  close(): void {}
}

type MakeBody = (row: Readonly<Record<string, unknown>>) => string;

/** EMQ X 3.1: of events, where no template says otherwise. */
const EVENT_FIELDS = ["event", "client_id", "username"] as const;

/** @throws Error in words */
function bodyOf(params: Params, isEvent: boolean): MakeBody {
  const written = text(params, "body");
  if (written !== "") {
    const template = compileRowTemplate(written);
    return (row) => template.text(row);
  }
  if (!isEvent) return wholeRowJson;
  const { template } = params;
  if (template === undefined || template === null)
    return (row) => rowJson(Object.fromEntries(EVENT_FIELDS.flatMap((name) => (name in row ? [[name, row[name]]] : []))));
  const fill = compileTemplate(template);
  return (row) => rowJson(fill(row));
}

/** EMQ X 3.1: what is not there is null. */
function compileTemplate(template: unknown): (row: Readonly<Record<string, unknown>>) => unknown {
  if (typeof template === "string") {
    const compiled = compileRowTemplate(template);
    return (row) => compiled.value(row) ?? null;
  }
  if (Array.isArray(template)) {
    const parts = template.map(compileTemplate);
    return (row) => parts.map((part) => part(row));
  }
  if (typeof template !== "object" || template === null) return () => template;
  const fields = Object.entries(template).map(([name, value]) => [name, compileTemplate(value)] as const);
  return (row) => Object.fromEntries(fields.map(([name, value]) => [name, value(row)]));
}

function openAction(params: Params, host: ActionHost, resource: Resource | null, isEvent: boolean): Action {
  if (!(resource instanceof WebHookResource)) throw new Error("$resource: expected a resource of type web_hook");
  const { target, timeoutMs, pool } = resource;
  const makeBody = bodyOf(params, isEvent);
  const batchRows = number(params, "batch", QUEUE);
  const batched: Target = { ...target, isBatch: batchRows > 1 };
  const settings: SinkSettings<WebHookEvent> = {
    what: whatOf(target),
    lanes: pool,
    batchRows,
    batchBytes: MB,
    batchWaitMs: batchRows > 1 ? 100 : 0,
    timeoutMs,
    retries: number(params, "retry", QUEUE),
    maxAgeMs: 86_400_000,
    backoffMs: 1000,
    backoffMostMs: 10_000,
    rowsMax: number(params, "queue", QUEUE),
    bytesMax: number(params, "queue_bytes", QUEUE),
    diskMax: number(params, "queue_disk", QUEUE),
    lettersMax: 1000,
    letterBytesMax: 16 * MB,
    async send(batch, signal) {
      await send(batched, batch, signal, host.clock.now());
    },
  };
  const sink = new Sink<WebHookEvent>(
    sinkHost(host),
    {
      codec: eventCodec,
      shown: ({ body }) => body,
      gaveUp: (events, why) =>
        host.failed(
          events.length,
          why,
          events.map(({ cause = null }) => cause),
        ),
      alarm: "down",
      title: (to) => `rows cannot be sent to ${to}`,
      directory: () => host.directory(),
      hasLeft: () => host.hasDirectory(),
      closeMs: CLOSE_MS,
    },
    settings,
    (path) => new Directory(path),
  );
  const leave = resource.add(sink);
  const nextId = eventIds(systemRandom.hex(8));
  const causes = new CauseBytes();
  return {
    run(row, event) {
      const [body, cause] = [makeBody(row), event.cause()];
      const made = { id: nextId(), hook: event.event, subject: event.clientId, at: host.clock.now(), body, cause };
      sink.push(made, event.clientId, eventBytes(made) + causes.of(cause));
    },
    waiting: () => sink.waiting,
    deadLetters: sink.deadLetters,
    async close() {
      await sink.close();
      leave();
    },
    async handOver() {
      const left = await sink.handOver();
      leave();
      return left;
    },
    inherit(legacy) {
      if (!(legacy instanceof Left)) return false;
      sink.inherit(legacy as Left<WebHookEvent>);
      return true;
    },
    hold: () => sink.reading.hold(),
    begin: () => sink.reading.begin(),
  };
}

/** One request with an empty object: there is no other way to know what the service says. */
async function tryTarget(config: Params, nodeName: string, unixMs: number): Promise<TestStep[]> {
  const began = performance.now();
  const target = targetOf(config, nodeName);
  const question = `${target.method} ${target.url.origin}${target.url.pathname}`;
  const step = (verdict: TestStep["verdict"], why: string): TestStep[] => {
    const ms = performance.now() - began;
    return [{ step: "connect", verdict, why, ms, asked: [{ question, values: ["{}"], answer: why, ms }] }];
  };
  const event = { id: eventIds("test")(), hook: "test", subject: "", at: unixMs, body: "{}" };
  try {
    const limit = AbortSignal.timeout(number(config, "timeout", RESOURCE) * 1000);
    const { status } = await send(target, { items: [event] }, limit, unixMs);
    return step("ok", `http ${status}: taken`);
  } catch (err) {
    return step("error", err instanceof Error ? err.message : String(err));
  }
}

export function webHookKinds(nodeName: string): Kinds {
  return {
    resources: [
      {
        name: "web_hook",
        title: "WebHook",
        description: "WebHook Resource",
        params: RESOURCE,
        open: (config, host) => new WebHookResource(targetOf(config, nodeName), config, host.clock.now()),
        test: (config, host) => tryTarget(config, nodeName, host.clock.now()),
      },
    ],
    actions: [
      {
        name: "web_hook:publish_action",
        for: "$messages",
        type: "web_hook",
        title: "Forward Messages to Web Server",
        description: "Forward Messages to Web Server",
        params: { ...BOUND, ...BODY, ...QUEUE },
        open: (params, host, resource) => openAction(params, host, resource, false),
      },
      {
        name: "web_hook:event_action",
        for: "$events",
        type: "web_hook",
        title: "Forward Events to Web Server",
        description: "Forward Events to Web Server",
        params: { ...BOUND, ...TEMPLATE, ...BODY, ...QUEUE },
        open: (params, host, resource) => openAction(params, host, resource, true),
      },
    ],
  };
}
