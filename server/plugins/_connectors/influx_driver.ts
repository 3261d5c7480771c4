/** Lines to InfluxDB over HTTP: versions 1, 2 and 3. */
import { gzipSync } from "node:zlib";
import { BackendError, notWanted } from "../_backend/errors.ts";
import { leaveUnread, limitedText, unlessGivenUp } from "../_backend/http.ts";
import { sendingSlots } from "../_backend/http_slots.ts";
import type { Judgement } from "../_backend/options.ts";
import { type Missing, NOTHING } from "./connector.ts";
import type { Precision } from "./line_protocol.ts";

export type InfluxVersion = "v1" | "v2" | "v3";

export interface InfluxServer {
  version: InfluxVersion;
  /** With the path of its version, and its query, of which the precision is still to come. */
  write: URL;
  headers: Readonly<Record<string, string>>;
  gzip: boolean;
  timeoutMs: number;
  /** null = no TLS. */
  tls: Bun.TLSOptions | null;
}

/** A line, whose time is a number in that precision. */
export interface Point {
  readonly precision: Precision;
  readonly line: string;
}

const ANSWER_MAX = 64 * 1024;
/** Shorter ones become no shorter. */
const GZIP_FROM = 1024;

/** An answer that says no. */
class InfluxError extends Error {
  override readonly name = "InfluxError";
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** Precisions as each version calls them. */
const PRECISIONS: Readonly<Record<InfluxVersion, Readonly<Record<Precision, string>>>> = {
  v1: { ns: "n", us: "u", ms: "ms", s: "s" },
  v2: { ns: "ns", us: "us", ms: "ms", s: "s" },
  v3: { ns: "nanosecond", us: "microsecond", ms: "millisecond", s: "second" },
};

export class InfluxDriver {
  readonly #abort = new AbortController();

  constructor(private readonly o: InfluxServer) {}

  /** Points are known by measurement, tags and time: sent again they are there once. Those of one precision are sent together. */
  async write(points: readonly Point[], wanted: () => boolean): Promise<Missing> {
    const missing = new Map<number, unknown>();
    for (let from = 0; from < points.length; ) {
      const precision = (points[from] as Point).precision;
      const end = points.findIndex((point, i) => i > from && point.precision !== precision);
      const part = points.slice(from, end < 0 ? points.length : end);
      const found = await this.#lines(
        part.map(({ line }) => line),
        precision,
        wanted,
      );
      for (const [i, err] of found) missing.set(from + i, err);
      from += part.length;
    }
    return missing.size === 0 ? NOTHING : missing;
  }

  /** Halves of what was refused, until it is known which lines that were. */
  async #lines(lines: readonly string[], precision: Precision, wanted: () => boolean): Promise<Missing> {
    if (!wanted()) throw notWanted();
    try {
      await this.#write(lines, precision);
      return NOTHING;
    } catch (err) {
      if (judgeInflux(err) !== "refused") throw err;
      if (lines.length === 1) return new Map([[0, err]]);
      // Some of them may have been taken: which, the answer tells in words only.
      const half = Math.ceil(lines.length / 2);
      const first = await this.#lines(lines.slice(0, half), precision, wanted);
      const second = await this.#lines(lines.slice(half), precision, wanted);
      return new Map([...first, ...[...second].map(([i, why]) => [half + i, why] as const)]);
    }
  }

  async #write(lines: readonly string[], precision: Precision): Promise<void> {
    const url = new URL(this.o.write);
    url.searchParams.set("precision", PRECISIONS[this.o.version][precision]);
    const text = Buffer.from(`${lines.join("\n")}\n`);
    const packed = this.o.gzip && text.length >= GZIP_FROM;
    const body = packed ? gzipSync(text, { level: 1 }) : text;
    await this.#ask(url, {
      method: "POST",
      headers: { "content-type": "text/plain; charset=utf-8", ...(packed && { "content-encoding": "gzip" }) },
      body,
    });
  }

  /** Nothing, where lines would go: account and database are looked at before that is found to be too little. */
  async probe(): Promise<void> {
    await this.#ask(this.o.write, { method: "POST", headers: { "content-type": "text/plain; charset=utf-8" }, body: "" }).catch(
      (err: unknown) => {
        if (judgeInflux(err) !== "refused") throw err;
      },
    );
  }

  /** Once the driver is closed there is another one. */
  #ask(url: URL, init: BunFetchRequestInit): Promise<void> {
    return unlessGivenUp(this.#exchange(url, init), this.#abort.signal);
  }

  async #exchange(url: URL, init: BunFetchRequestInit): Promise<void> {
    const { headers, timeoutMs, tls } = this.o;
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(timeoutMs)]);
    const whole = {
      ...init,
      headers: { ...headers, ...(init.headers as Record<string, string> | undefined) },
      redirect: "manual",
      // Whatever `http_proxy` says in the environment.
      proxy: false,
      signal,
      ...(tls !== null && { tls }),
    } as BunFetchRequestInit;
    await sendingSlots.run(url.origin, signal, async () => {
      const response = await fetch(url, whole);
      if (response.status >= 200 && response.status < 300) return leaveUnread(response);
      const body = await limitedText(response, ANSWER_MAX, "down");
      throw new InfluxError(response.status, `http ${response.status}${said(body)}`);
    });
  }

  close(): void {
    this.#abort.abort();
  }
}

/** `{"error": …}`, `{"code": …, "message": …}`, or something else. */
function said(body: string): string {
  let words = body.trim();
  try {
    const { error, message } = JSON.parse(body) as { error?: unknown; message?: unknown };
    words = String(message ?? error ?? words);
  } catch {
    // It is no JSON.
  }
  return words === "" ? "" : `: ${words.slice(0, 300)}`;
}

export function judgeInflux(err: unknown): Judgement {
  if (err instanceof BackendError) return err.kind === "refused" ? "refused" : "down";
  if (!(err instanceof InfluxError)) return /ECONNRESET|closed/i.test(String((err as Error | null)?.message)) ? "lost" : "down";
  // A point that it cannot read, or whose field has another type there; all of them together too large.
  if (err.code === 400 || err.code === 413 || err.code === 422) return "refused";
  // No such database or bucket: that can be mended.
  return err.code === 404 || err.code === 429 ? "part" : "down";
}
