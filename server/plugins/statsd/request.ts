/** A request that carries figures: nothing is followed, no answer is read further than anybody would, and errors are in words. */
import { wordsOf } from "../../lib/errors.ts";
import { advised, type SettingKeys } from "../_backend/advice.ts";
import { leaveUnread } from "../_backend/http.ts";
import { sendingSlots } from "../_backend/http_slots.ts";
import { withoutLogin } from "../_backend/url_login.ts";

export interface Target {
  /** Without a log-in: that is a header. */
  readonly url: URL;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly tls: Bun.TLSOptions;
  readonly timeoutMs: number;
}

export interface Answer {
  status: number;
  /** Ms; null = the server does not say. */
  retryAfterMs: number | null;
  /** The beginning of what it says. */
  text: string;
}

const TEXT_MAX = 2048;
const SHOWN_MAX = 300;

/** @throws what the runtime says of a network that does not carry it; see `wordsOfFailure` */
export async function request(t: Target, method: "POST" | "PUT" | "DELETE", type: string, body: string | null): Promise<Answer> {
  const headers = new Headers([...t.headers] as [string, string][]);
  if (body !== null) headers.set("content-type", type);
  const signal = AbortSignal.timeout(t.timeoutMs);
  const init = {
    method,
    headers,
    body,
    // It would turn a POST into a GET, or carry secrets elsewhere.
    redirect: "manual",
    // Whatever `http_proxy` says in the environment.
    proxy: false,
    signal,
    tls: t.tls,
  } as BunFetchRequestInit;
  return sendingSlots.run(t.url.origin, signal, async () => {
    const response = await fetch(t.url, init);
    return {
      status: response.status,
      retryAfterMs: retryAfter(response.headers.get("retry-after"), Date.now()),
      text: await beginning(response),
    };
  });
}

/** RFC 9110, 10.2.3: seconds, or a date. */
function retryAfter(text: string | null, now: number): number | null {
  if (text === null) return null;
  if (/^\s*\d{1,9}\s*$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}

async function beginning(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    parts.push(chunk);
    size += chunk.length;
    if (size >= TEXT_MAX) break;
  }
  await leaveUnread(response);
  return Buffer.concat(parts).subarray(0, TEXT_MAX).toString("utf8");
}

/** `http 400: text format parsing error in line 1: …` */
export function wordsOfAnswer({ status, text }: Answer, keys: SettingKeys): string {
  const said = text.replaceAll(/\s+/g, " ").trim().slice(0, SHOWN_MAX);
  const why = status >= 300 && status < 400 ? "a redirect is not followed" : said;
  return `http ${status}${why === "" ? "" : `: ${why}`}; see ${keys.server}`;
}

export const isTimeout = (err: unknown): boolean => (err as { name?: unknown } | null)?.name === "TimeoutError";

export function wordsOfFailure(err: unknown, keys: SettingKeys, timeoutMs: number): string {
  if (isTimeout(err)) return `no answer within ${timeoutMs} ms; see ${keys.server}, ${keys.timeout}`;
  return advised({ judge: () => "down", table: [], keys, plain: wordsOf }).words?.(err) ?? wordsOf(err);
}

/**
 * Where requests go, and how: at a path below the one of a base URL, whose log-in comes before a header of that name. `key`: of the base URL.
 * @throws Error naming the key
 */
export function targetBelow(base: URL, path: string, key: string, o: Omit<Target, "url">): Target {
  const { url, authorization } = withoutLogin(below(base, path), key);
  const others = o.headers.filter(([name]) => name.toLowerCase() !== "authorization");
  return { ...o, url, headers: authorization === null ? o.headers : [...others, ["authorization", authorization]] };
}

/** A path below the one of a base URL. */
function below(base: URL, path: string): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/+$/, "")}${path}`;
  return url;
}
