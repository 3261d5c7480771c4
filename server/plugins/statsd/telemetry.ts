/** OpenTelemetry, as long as the plugin runs: what is sent when. */
import type { MetricFamily } from "../../lib/metric_family.ts";
import { later, type MonoMs, reached } from "../../lib/time.ts";
import type { Destination, DestinationHost } from "./destination.ts";
import { OtlpSender, type OtlpTarget, type Signal } from "./otlp.ts";
import { metricsBody, type Resource, tracesBody } from "./otlp_json.ts";
import { SpanQueue } from "./span_queue.ts";
import { Spans } from "./spans.ts";

export interface TelemetryOptions {
  target: OtlpTarget;
  resource: Resource;
  /** Of metrics. */
  intervalMs: number;
  figures: () => readonly MetricFamily[];
  signals: readonly Signal[];
  soon: (fn: () => void) => void;
  /** A counter of the broker's. */
  count: (name: string, n: number) => void;
}

/** Spans wait so long for others, ms (OTEL_BSP_SCHEDULE_DELAY). */
const BATCH_MS = 5000;
/** A node that stops waits so long for the collector at most, ms. */
const STOP_MS = 2000;
/** When counters began: it must be the same for as long as the process lives, whatever the clock says, or they would seem to begin anew. */
const STARTED_MS = performance.timeOrigin;

export class Telemetry {
  /** How often `tick` is to be called. */
  static readonly TICK_MS = 500;
  readonly destinations: Destination[] = [];
  /** null = no traces are wanted. */
  readonly spans: Spans | null = null;
  readonly #metrics: OtlpSender | null = null;
  readonly #traces: OtlpSender | null = null;
  readonly #queue: SpanQueue;
  #nextMetrics: MonoMs;
  #nextSpans: MonoMs;
  /** Being sent, or to be sent again. */
  #batch: string[] = [];
  /** Requests under way. */
  readonly #way = new Set<Promise<unknown>>();
  /** It ends; it has ended. */
  #closed = false;
  #over = false;

  constructor(
    private readonly host: DestinationHost,
    private readonly o: TelemetryOptions,
  ) {
    const now = host.clock.mono();
    this.#nextMetrics = now;
    this.#nextSpans = later(now, BATCH_MS);
    this.#queue = new SpanQueue((n) => this.#lost(n));
    if (o.signals.includes("metrics")) {
      this.#metrics = new OtlpSender(host, o.target, "metrics", (n) => o.count("otlp/metrics/rejected", n));
      this.destinations.push(this.#metrics.destination);
    }
    if (!o.signals.includes("traces")) return;
    this.#traces = new OtlpSender(host, o.target, "traces", (n) => o.count("otlp/spans/rejected", n));
    this.#traces.destination.waiting = () => this.#queue.length + this.#batch.length;
    this.destinations.push(this.#traces.destination);
    this.spans = new Spans(host.clock, this.#queue, (fn) =>
      o.soon(() => {
        fn();
        this.#pump();
      }),
    );
  }

  /** Send what is due. */
  tick(): void {
    const now = this.host.clock.mono();
    if (this.#metrics?.isFree && (this.#metrics.isRetrying || reached(this.#nextMetrics, now))) {
      this.#nextMetrics = later(now, this.o.intervalMs);
      void this.#sendMetrics(this.#metrics);
    }
    if (!this.#traces?.isFree) return;
    if (this.#traces.isRetrying || reached(this.#nextSpans, now)) {
      this.#nextSpans = later(now, BATCH_MS);
      void this.#sendSpans(this.#traces);
    }
  }

  /** As many wait as one request takes: nobody waits for others any more. */
  #pump(): void {
    if (this.#traces?.isFree && !this.#traces.isRetrying && this.#queue.isBatch && !this.#closed) void this.#sendSpans(this.#traces);
  }

  async #sendMetrics(sender: OtlpSender): Promise<void> {
    // Where it is to be sent again, newer ones are.
    await this.#under(sender.send(metricsBody(this.o.figures(), this.o.resource, STARTED_MS, this.host.clock.now())));
  }

  /** One batch. True = it is not here any more. */
  async #sendSpans(sender: OtlpSender): Promise<boolean> {
    if (this.#batch.length === 0) this.#batch = this.#queue.take();
    const { length } = this.#batch;
    if (length === 0) return false;
    const result = await this.#under(sender.send(tracesBody(this.#batch, this.o.resource)));
    // Where time was up they are counted as lost already.
    if (this.#over || result === "again") return false;
    this.#batch = [];
    if (result === "lost") this.#lost(length);
    else this.o.count("otlp/spans/sent", length);
    this.#pump();
    return true;
  }

  async #under<T>(sent: Promise<T>): Promise<T> {
    this.#way.add(sent);
    try {
      return await sent;
    } finally {
      this.#way.delete(sent);
    }
  }

  #lost(n: number): void {
    this.#traces?.destination.dropped(n);
    this.o.count("otlp/spans/dropped", n);
  }

  /** What there is, once more, for as long as a stop may take. */
  async close(): Promise<void> {
    this.#closed = true;
    this.spans?.close();
    let timer: Timer | undefined;
    const late = new Promise<void>((done) => {
      timer = setTimeout(done, STOP_MS);
    });
    await Promise.race([this.#last(), late]);
    clearTimeout(timer);
    this.#over = true;
    const left = this.#queue.length + this.#batch.length;
    if (left > 0) this.#lost(left);
  }

  async #last(): Promise<void> {
    await Promise.all(this.#way);
    const [metrics, traces] = [this.#metrics, this.#traces];
    if (metrics?.isFree) await this.#sendMetrics(metrics);
    if (traces?.isFree) while (await this.#sendSpans(traces));
  }
}
