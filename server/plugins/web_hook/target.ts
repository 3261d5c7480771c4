/** The service: one request to it, and what its answer means. */
import { createHmac } from "node:crypto";
import { lineOf } from "../../lib/errors.ts";
import { advised, type SettingKeys } from "../_backend/advice.ts";
import { leaveUnread, limitedText } from "../_backend/http.ts";
import { sendingSlots } from "../_backend/http_slots.ts";
import { reach } from "../_backend/reach.ts";
import { type Batch, type FailureKind, SendError } from "../_sink/types.ts";
import type { WebHookEvent } from "./event.ts";

export type CloudEvents = "off" | "structured" | "binary";

export interface Target {
  readonly url: URL;
  readonly method: "POST" | "PUT";
  readonly headers: ReadonlyMap<string, string>;
  readonly tls: Bun.TLSOptions | null;
  /** Signs what is sent; null = nobody does. */
  readonly secret: string | null;
  readonly cloudEvents: CloudEvents;
  /** An array, also of one; of several it is one in any case. */
  readonly isBatch: boolean;
  /** Whose events these are, a URI reference (CloudEvents' `source`). */
  readonly source: string;
  readonly keys: SettingKeys;
}

export interface Answer {
  readonly status: number;
  /** What it says, cut. */
  readonly text: string;
}

/** Of an answer no more is read. */
const ANSWER_MAX = 64 * 1024;
const TOLD_MAX = 200;

/** @throws SendError */
export async function send(
  target: Target,
  { items }: Pick<Batch<WebHookEvent>, "items">,
  signal: AbortSignal,
  unixMs: number,
): Promise<Answer> {
  const { status, text, afterMs } = await post(target, items, signal, unixMs);
  if (status >= 200 && status < 300) return { status, text };
  throw new SendError(kindOf(status), `http ${status}${meaningOf(status, target.keys)}${text === "" ? "" : `: ${text}`}`, afterMs);
}

/**
 * 429 and the like are about nobody's request in particular. What is not there, or not for us, or elsewhere may be so by a setting, here or there,
 * that is soon another one. Any other 4xx is about this request, and will be the next time.
 */
function kindOf(status: number): FailureKind {
  if ([408, 425, 429, 502, 503, 504].includes(status)) return "away";
  return status >= 500 || status < 400 || [401, 403, 404, 405, 407].includes(status) ? "retry" : "give up";
}

function meaningOf(status: number, { server, account }: SettingKeys): string {
  if (status >= 300 && status < 400) return `, and a redirect is not followed; see ${server}`;
  if (status === 401 || status === 403) return account === undefined ? "" : `; see ${account}`;
  return status === 404 || status === 405 ? `; see ${server}` : "";
}

async function post(
  target: Target,
  events: readonly WebHookEvent[],
  signal: AbortSignal,
  unixMs: number,
): Promise<Answer & { afterMs: number }> {
  const { url, method, tls } = target;
  const { href, origin } = fixedOf(target);
  const { body, headers } = requestOf(target, events, unixMs);
  const init: BunFetchRequestInit = {
    method,
    body,
    headers,
    signal,
    redirect: "manual",
    // Whatever `http_proxy` says in the environment: EMQ X 3.1 asked directly, and a proxy reads along.
    proxy: false,
    ...(url.protocol === "https:" && tls !== null && { tls }),
  };
  try {
    return await sendingSlots.run(origin, signal, async () => {
      const response = await fetch(href, init);
      const { status } = response;
      const text = status === 204 ? "" : await toldBy(response);
      return { status, text, afterMs: response.ok ? 0 : retryAfter(response, unixMs) };
    });
  } catch (err) {
    throw new SendError("away", wordsWith(target.keys, err));
  }
}

/** Is somebody there? null = yes. Nothing is sent. */
export async function whyAway({ url, keys }: Target, timeoutMs: number): Promise<string | null> {
  try {
    await reach(url, timeoutMs);
    return null;
  } catch (err) {
    return wordsWith(keys, err);
  }
}

function wordsWith(keys: SettingKeys, err: unknown): string {
  return advised({ judge: () => "down", table: [], keys }).words?.(err) ?? lineOf(err);
}

/** A connection is used again only when its answer was read. */
async function toldBy(response: Response): Promise<string> {
  const length = response.headers.get("content-length");
  if (length === "0" || response.body === null) return "";
  if (Number(length ?? 0) > ANSWER_MAX) {
    await leaveUnread(response);
    return "";
  }
  try {
    const text = await limitedText(response, ANSWER_MAX);
    return response.ok ? "" : printable(text);
  } catch {
    // The status counts.
    return "";
  }
}

const printable = (text: string): string =>
  text
    .slice(0, TOLD_MAX)
    .replace(/[\p{C}\s]+/gu, " ")
    .trim();

/** Ms; 0 = it says nothing. */
function retryAfter({ headers }: Response, unixMs: number): number {
  const said = headers.get("retry-after");
  if (said === null) return 0;
  const ms = /^\d+$/.test(said) ? Number(said) * 1000 : Date.parse(said) - unixMs;
  return Number.isFinite(ms) && ms > 0 ? ms : 0;
}

/** What is the same in every request to it. */
interface Fixed {
  /** A URL makes these texts anew each time it is asked for them. */
  readonly href: string;
  readonly origin: string;
  readonly headers: Readonly<Record<string, string>>;
}

const fixed = new WeakMap<Target, Fixed>();

function fixedOf(target: Target): Fixed {
  let found = fixed.get(target);
  if (found === undefined) {
    const { href, origin } = target.url;
    found = { href, origin, headers: Object.fromEntries(target.headers) };
    fixed.set(target, found);
  }
  return found;
}

export function requestOf(
  target: Target,
  events: readonly WebHookEvent[],
  unixMs: number,
): { body: string; headers: Record<string, string> } {
  const [first] = events;
  const { type, body } = contentOf(target, events);
  const id = first === undefined ? "" : events.length === 1 ? first.id : `${first.id}-${events.length}`;
  return {
    body,
    headers: {
      "content-type": type,
      ...(target.cloudEvents === "binary" && first !== undefined && binaryHeaders(target, first)),
      ...(target.secret !== null && signatureOf(target.secret, id, Math.floor(unixMs / 1000), body)),
      ...fixedOf(target).headers,
    },
  };
}

function contentOf(target: Target, events: readonly WebHookEvent[]): { type: string; body: string } {
  const bodies = target.cloudEvents === "structured" ? events.map((e) => cloudEvent(target, e)) : events.map((e) => e.body);
  const isArray = target.isBatch || events.length > 1;
  const body = isArray ? `[${bodies.join(",")}]` : (bodies[0] ?? "");
  if (target.cloudEvents !== "structured") return { type: "application/json", body };
  return { type: isArray ? "application/cloudevents-batch+json" : "application/cloudevents+json", body };
}

/** [CloudEvents 1.0, JSON event format] */
function cloudEvent(target: Target, event: WebHookEvent): string {
  const head = JSON.stringify({ specversion: "1.0", ...attributes(target, event), datacontenttype: "application/json" });
  return `${head.slice(0, -1)},"data":${event.body}}`;
}

/** [CloudEvents 1.0, HTTP protocol binding 3.1] */
function binaryHeaders(target: Target, event: WebHookEvent): Record<string, string> {
  const all = Object.entries({ specversion: "1.0", ...attributes(target, event) });
  return Object.fromEntries(all.map(([name, value]) => [`ce-${name}`, headerValue(value)]));
}

function attributes({ source }: Target, { id, hook, subject, at }: WebHookEvent): Record<string, string> {
  return { id, source, type: `baomq.${hook}`, ...(subject !== "" && { subject }), time: new Date(at).toISOString() };
}

/** Blanks, quotes, per cent and whatever is not printable ASCII is percent-encoded [3.1.3.2]. */
function headerValue(value: string): string {
  return value.replace(/[^\x21\x23\x24\x26-\x7e]+/gu, (odd) =>
    [...Buffer.from(odd)].map((b) => `%${b.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}

const BASE64_SECRET = "whsec_";

/** [Standard Webhooks] and a plain HMAC of the body, which is easier to check. */
function signatureOf(secret: string, id: string, timestamp: number, body: string): Record<string, string> {
  const key = secret.startsWith(BASE64_SECRET) ? Buffer.from(secret.slice(BASE64_SECRET.length), "base64") : Buffer.from(secret);
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`,
    "x-baomq-signature": `sha256=${createHmac("sha256", key).update(body).digest("hex")}`,
  };
}

/** @throws Error naming the key of the one that is no header. `name`: of its key */
export function headersOf(
  given: Iterable<readonly [name: string, value: string | null]>,
  key: (name: string) => string,
): Map<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of given) {
    if (value === null) continue;
    try {
      new Headers([[name, value]]);
    } catch {
      throw new Error(`${key(name)}: expected a header's name and value`);
    }
    headers.set(name.toLowerCase(), value);
  }
  return headers;
}
