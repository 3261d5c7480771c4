/**
 * OpenTelemetry over OTLP/HTTP. What may be sent again (429, 502, 503, 504, no answer) is, behind a pause that the server names or that
 * doubles; of metrics the newer figures go in its place. Everything else that is not taken is dropped and counted.
 */
import { withoutSecrets } from "../../lib/mask.ts";
import { between, later, type MonoMs, reached } from "../../lib/time.ts";
import { type SettingKeys, tlsKeys } from "../_backend/advice.ts";
import { Destination, type DestinationHost } from "./destination.ts";
import { type Answer, isTimeout, request, type Target, targetBelow, wordsOfAnswer, wordsOfFailure } from "./request.ts";

export type Signal = "metrics" | "traces";
export interface OtlpTarget extends Omit<Target, "url"> {
  endpoint: URL;
}

const OTLP_KEYS: SettingKeys = { server: "statsd.otlp.endpoint", timeout: "statsd.timeout", ...tlsKeys("statsd.ssl") };
const RETRIED: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const PAUSE_MS = 1000;
const PAUSE_MAX_MS = 30_000;
/** A server that names a longer one is asked all the same, ms. */
const RETRY_AFTER_MAX_MS = 300_000;
/** What could not be brought for so long is given up, ms. */
const GIVE_UP_MS = 300_000;

const otlpWhat = (endpoint: URL, signal: Signal): string =>
  `OpenTelemetry collector at ${withoutSecrets(`${endpoint.origin}${endpoint.pathname.replace(/\/+$/, "")}`)} (${signal})`;

/** One signal's way to the collector: one request at a time. */
export class OtlpSender {
  readonly destination: Destination;
  readonly #target: Target;
  #pauseMs = 0;
  #notBefore: MonoMs | null = null;
  /** The first attempt of what is being retried. */
  #since: MonoMs | null = null;

  constructor(
    private readonly host: DestinationHost,
    target: OtlpTarget,
    signal: Signal,
    /** It took the request, but not all that was in it. */
    private readonly rejected: (n: number) => void,
  ) {
    this.destination = new Destination(host, otlpWhat(target.endpoint, signal), `otlp_${signal}_down`);
    this.#target = targetBelow(target.endpoint, `/v1/${signal}`, OTLP_KEYS.server, target);
  }

  /** It may be asked now. */
  get isFree(): boolean {
    return this.destination.running === 0 && (this.#notBefore === null || reached(this.#notBefore, this.host.clock.mono()));
  }

  /** What was sent last may, and should, be sent again. */
  get isRetrying(): boolean {
    return this.#since !== null;
  }

  /** `taken`; `again`: keep it, and send it when this is free; `lost`: it will never be taken. Never rejects. */
  async send(body: string): Promise<"taken" | "again" | "lost"> {
    const { destination: d, host } = this;
    const began = host.clock.mono();
    if (this.#since !== null) d.again();
    d.began();
    try {
      const answer = await request(this.#target, "POST", "application/json", body);
      if (answer.status >= 200 && answer.status < 300) {
        d.arrived(between(began, host.clock.mono()));
        this.#partial(answer);
        return this.#done("taken");
      }
      d.failed("refused", wordsOfAnswer({ ...answer, text: messageOf(answer) }, OTLP_KEYS));
      return RETRIED.has(answer.status) ? this.#later(began, answer.retryAfterMs) : this.#done("lost");
    } catch (err) {
      d.failed(isTimeout(err) ? "timeouts" : "failed", wordsOfFailure(err, OTLP_KEYS, this.#target.timeoutMs));
      return this.#later(began, null);
    }
  }

  #done<T>(result: T): T {
    this.#pauseMs = 0;
    this.#notBefore = null;
    this.#since = null;
    return result;
  }

  #later(began: MonoMs, retryAfterMs: number | null): "again" | "lost" {
    const now = this.host.clock.mono();
    this.#since ??= began;
    const isOver = between(this.#since, now) >= GIVE_UP_MS;
    this.#pauseMs = Math.min(PAUSE_MAX_MS, this.#pauseMs === 0 ? PAUSE_MS : 2 * this.#pauseMs);
    // Half of it by chance: many nodes may have been sent away together.
    const pause = this.#pauseMs * (0.5 + Math.random() / 2);
    this.#notBefore = later(now, Math.min(RETRY_AFTER_MAX_MS, retryAfterMs ?? pause));
    if (!isOver) return "again";
    this.#since = null;
    return "lost";
  }

  /** `{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "…"}}` */
  #partial({ text }: Answer): void {
    const { partialSuccess } = (parsed(text) ?? {}) as { partialSuccess?: Record<string, unknown> };
    if (typeof partialSuccess !== "object" || partialSuccess === null) return;
    const n = Number(partialSuccess.rejectedSpans ?? partialSuccess.rejectedDataPoints ?? 0);
    if (!(n > 0)) return;
    this.rejected(n);
    this.destination.grumbled(`it did not take ${n} of what was sent: ${String(partialSuccess.errorMessage ?? "").slice(0, 200)}`);
  }
}

/** Errors are a google.rpc.Status; others speak plain text. */
function messageOf({ text }: Answer): string {
  const message = (parsed(text) as { message?: unknown } | null)?.message;
  return typeof message === "string" ? message : text;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Does it take an empty request of each of these? @throws Error in words */
export async function tryOtlp(target: OtlpTarget, signals: readonly Signal[]): Promise<string> {
  for (const signal of signals) {
    const body = signal === "metrics" ? '{"resourceMetrics":[]}' : '{"resourceSpans":[]}';
    const t = targetBelow(target.endpoint, `/v1/${signal}`, OTLP_KEYS.server, target);
    const answer = await request(t, "POST", "application/json", body).catch((err: unknown) => {
      throw new Error(`${signal}: ${wordsOfFailure(err, OTLP_KEYS, target.timeoutMs)}`);
    });
    if (answer.status < 200 || answer.status >= 300)
      throw new Error(`${signal}: ${wordsOfAnswer({ ...answer, text: messageOf(answer) }, OTLP_KEYS)}`);
  }
  return `${signals.map((signal) => otlpWhat(target.endpoint, signal)).join(" and ")} takes what is sent`;
}
