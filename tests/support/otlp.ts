/**
 * A collector for OpenTelemetry over HTTP that takes nothing which is not exactly as the protocol's JSON encoding wants it: fields by their names,
 * ids in hexadecimal, 64-bit integers as text, enums as numbers. Written from opentelemetry-proto 1.x, not from what is sent here.
 */

type Check = (value: unknown, at: string) => void;

function fail(at: string, expected: string, value: unknown): never {
  throw new Error(`${at}: expected ${expected}, got ${JSON.stringify(value)?.slice(0, 200)}`);
}
const matching =
  (re: RegExp, expected: string): Check =>
  (v, at) =>
    typeof v === "string" && re.test(v) ? undefined : fail(at, expected, v);

const text: Check = (v, at) => (typeof v === "string" ? undefined : fail(at, "text", v));
const name: Check = matching(/^[A-Za-z][A-Za-z0-9_.\-/]{0,254}$/, "an instrument's name");
const int64 = matching(/^-?(?:0|[1-9]\d{0,18})$/, "a 64-bit integer as text");
const time: Check = matching(/^1[5-9]\d{17}$/, "nanoseconds of this century as text");
const traceId: Check = matching(/^(?!0{32})[0-9a-f]{32}$/, "a trace id");
const spanId: Check = matching(/^(?!0{16})[0-9a-f]{16}$/, "a span id");
const double: Check = (v, at) => (typeof v === "number" && Number.isFinite(v) ? undefined : fail(at, "a number", v));
const bool: Check = (v, at) => (typeof v === "boolean" ? undefined : fail(at, "true or false", v));
const uint32: Check = (v, at) =>
  typeof v === "number" && Number.isInteger(v) && v >= 0 && v < 2 ** 32 ? undefined : fail(at, "an unsigned 32-bit integer", v);
const oneOf =
  (...all: number[]): Check =>
  (v, at) =>
    all.includes(v as number) ? undefined : fail(at, `one of ${all.join(", ")}`, v);

const list =
  (item: Check): Check =>
  (v, at) => {
    if (!Array.isArray(v)) fail(at, "a list", v);
    for (const [i, one] of (v as unknown[]).entries()) item(one, `${at}[${i}]`);
  };

/** `!` behind a name: it must be there. */
const object = (fields: Record<string, Check>, more: (o: Record<string, unknown>, at: string) => void = () => {}): Check => {
  const known = new Map(Object.entries(fields).map(([key, check]) => [key.replace("!", ""), { check, must: key.endsWith("!") }]));
  return (v, at) => {
    if (typeof v !== "object" || v === null || Array.isArray(v)) fail(at, "an object", v);
    for (const [key, value] of Object.entries(v as object))
      (known.get(key)?.check ?? fail(`${at}.${key}`, "no such field", value))(value, `${at}.${key}`);
    for (const [key, { must }] of known) if (must && !(key in (v as object))) fail(at, `the field ${key}`, v);
    more(v as Record<string, unknown>, at);
  };
};
const exactlyOne =
  (...keys: string[]) =>
  (o: Record<string, unknown>, at: string): void =>
    keys.filter((key) => key in o).length === 1 ? undefined : fail(at, `exactly one of ${keys.join(", ")}`, o);

const anyValue = object(
  { stringValue: text, boolValue: bool, intValue: int64, doubleValue: double },
  exactlyOne("stringValue", "boolValue", "intValue", "doubleValue"),
);
const attributes: Check = (v, at) => {
  list(object({ "key!": matching(/./, "a key"), "value!": anyValue }))(v, at);
  const keys = (v as { key: string }[]).map(({ key }) => key);
  if (new Set(keys).size !== keys.length) fail(at, "each key once", keys);
};
const resource = object({ "attributes!": attributes, droppedAttributesCount: uint32 });
const scope = object({ "name!": text, version: text, attributes, droppedAttributesCount: uint32 });

const point = object(
  { attributes, startTimeUnixNano: time, "timeUnixNano!": time, asInt: int64, asDouble: double, flags: uint32 },
  exactlyOne("asInt", "asDouble"),
);
const sumPoint: Check = (v, at) => {
  point(v, at);
  const { startTimeUnixNano: start, timeUnixNano: end } = v as { startTimeUnixNano?: string; timeUnixNano: string };
  if (start === undefined || BigInt(start) > BigInt(end)) fail(at, "a start before its time", v);
};
const metric = object(
  {
    "name!": name,
    description: text,
    unit: text,
    gauge: object({ "dataPoints!": list(point) }),
    sum: object({ "dataPoints!": list(sumPoint), "aggregationTemporality!": oneOf(1, 2), "isMonotonic!": bool }),
  },
  exactlyOne("gauge", "sum"),
);
const metricsRequest = object({
  "resourceMetrics!": list(
    object({
      "resource!": resource,
      "scopeMetrics!": list(object({ "scope!": scope, "metrics!": list(metric), schemaUrl: text })),
      schemaUrl: text,
    }),
  ),
});

const event = object({ "timeUnixNano!": time, "name!": text, attributes, droppedAttributesCount: uint32 });
const link = object({
  "traceId!": traceId,
  "spanId!": spanId,
  traceState: text,
  attributes,
  droppedAttributesCount: uint32,
  flags: uint32,
});
const span = object(
  {
    "traceId!": traceId,
    "spanId!": spanId,
    traceState: text,
    parentSpanId: spanId,
    flags: uint32,
    "name!": matching(/./, "a name"),
    "kind!": oneOf(1, 2, 3, 4, 5),
    "startTimeUnixNano!": time,
    "endTimeUnixNano!": time,
    attributes,
    droppedAttributesCount: uint32,
    events: list(event),
    droppedEventsCount: uint32,
    links: list(link),
    droppedLinksCount: uint32,
    status: object({ message: text, code: oneOf(0, 1, 2) }),
  },
  (s, at) => {
    if (BigInt(s.endTimeUnixNano as string) < BigInt(s.startTimeUnixNano as string)) fail(at, "an end behind its start", s);
  },
);
const tracesRequest = object({
  "resourceSpans!": list(
    object({
      "resource!": resource,
      "scopeSpans!": list(object({ "scope!": scope, "spans!": list(span), schemaUrl: text })),
      schemaUrl: text,
    }),
  ),
});

export interface OtlpAttribute {
  key: string;
  value: { stringValue?: string; intValue?: string; doubleValue?: number; boolValue?: boolean };
}
export interface OtlpPoint {
  attributes: OtlpAttribute[];
  startTimeUnixNano?: string;
  timeUnixNano: string;
  asInt?: string;
  asDouble?: number;
}
export interface OtlpMetric {
  name: string;
  unit: string;
  sum?: { dataPoints: OtlpPoint[]; isMonotonic: boolean; aggregationTemporality: number };
  gauge?: { dataPoints: OtlpPoint[] };
}
export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  flags?: number;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: OtlpAttribute[];
  events?: { name: string; timeUnixNano: string; attributes: OtlpAttribute[] }[];
  droppedEventsCount?: number;
}

export const plain = (attrs: readonly OtlpAttribute[]): Record<string, unknown> =>
  Object.fromEntries(attrs.map(({ key, value }) => [key, Object.values(value)[0]]));

interface MetricsRequest {
  resourceMetrics: { resource: { attributes: OtlpAttribute[] }; scopeMetrics: { metrics: OtlpMetric[] }[] }[];
}
interface TracesRequest {
  resourceSpans: { resource: { attributes: OtlpAttribute[] }; scopeSpans: { spans: OtlpSpan[] }[] }[];
}

/** @throws Error naming the field that is not as it should be */
export function checkedMetrics(body: string): MetricsRequest {
  const request: unknown = JSON.parse(body);
  metricsRequest(request, "metrics");
  return request as MetricsRequest;
}

/** @throws Error naming the field that is not as it should be */
export function checkedTraces(body: string): TracesRequest {
  const request: unknown = JSON.parse(body);
  tracesRequest(request, "traces");
  return request as TracesRequest;
}

export class OtlpCollector {
  /** What was not as it should be. */
  readonly faults: string[] = [];
  readonly resources: Record<string, unknown>[] = [];
  metrics: OtlpMetric[][] = [];
  spans: OtlpSpan[] = [];
  /** Paths, in order. */
  readonly asked: string[] = [];
  headers: Headers = new Headers();
  /** Instead of 200. */
  answer: ((path: string) => Response | Promise<Response> | null) | null = null;
  #server: ReturnType<typeof Bun.serve> | null = null;

  constructor(readonly tls: Bun.TLSOptions | null = null) {}

  start(port = 0): void {
    this.#server = Bun.serve({
      port,
      hostname: "127.0.0.1",
      ...(this.tls !== null && { tls: this.tls }),
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        this.asked.push(pathname);
        this.headers = request.headers;
        const body = await request.text();
        const other = await this.answer?.(pathname);
        if (other != null) return other;
        try {
          if (request.method !== "POST" || request.headers.get("content-type") !== "application/json") throw new Error("no JSON");
          if (pathname.endsWith("/v1/metrics")) this.#takeMetrics(checkedMetrics(body));
          else if (pathname.endsWith("/v1/traces")) this.#takeTraces(checkedTraces(body));
          else return new Response("404 page not found", { status: 404 });
        } catch (err) {
          this.faults.push(err instanceof Error ? err.message : String(err));
          return Response.json({ code: 3, message: String(err) }, { status: 400 });
        }
        return Response.json({});
      },
    });
  }

  #takeMetrics(request: MetricsRequest): void {
    for (const { resource: r, scopeMetrics } of request.resourceMetrics) {
      this.resources.push(plain(r.attributes));
      this.metrics.push(scopeMetrics.flatMap(({ metrics }) => metrics));
    }
  }
  #takeTraces(request: TracesRequest): void {
    for (const { resource: r, scopeSpans } of request.resourceSpans) {
      this.resources.push(plain(r.attributes));
      this.spans.push(...scopeSpans.flatMap(({ spans }) => spans));
    }
  }

  /** Of what came last. */
  metric(wanted: string): OtlpMetric | undefined {
    return this.metrics.at(-1)?.find((m) => m.name === wanted);
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }
  get url(): string {
    return `${this.tls === null ? "http" : "https"}://127.0.0.1:${this.port}`;
  }
  async stop(): Promise<void> {
    await this.#server?.stop(true);
    this.#server = null;
  }
}
