/** One request of emqx_auth_http: parameters from a template, values encoded, an answer of bounded size. */

import { namesSecret, withoutSecretFields } from "../../lib/mask.ts";
import { BackendError } from "../_backend/errors.ts";
import { limitedText } from "../_backend/http.ts";
import { ALL_VARIABLES, fillTemplate, type Part, parseTemplate, type Values, type Variable, variableValue } from "../_backend/template.ts";

export type Method = "get" | "post";
export type Body = "form" | "json";

export interface RequestTemplate {
  /** The setting that has its address. */
  readonly key: string;
  readonly url: URL;
  readonly method: Method;
  readonly body: Body;
  /** Of every request, beside those of its body. */
  readonly headers: ReadonlyMap<string, string>;
  readonly params: readonly { readonly name: string; readonly value: readonly Part[] }[];
}

export interface HttpAnswer {
  status: number;
  /** Media type without its parameters; "" = none is told. */
  type: string;
  /** Without blanks at its ends; "" = none, or of another status than 200, which says all. */
  body: string;
}

/** More than any verdict needs. */
const ANSWER_MAX = 64 * 1024;
const TYPE_MAX = 80;

/** `clientid=%c,username=%u`: values may hold `=`, not commas. */
export function parseParams(text: string, allowed: readonly Variable[]): RequestTemplate["params"] {
  return text
    .split(",")
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "")
    .map((pair) => {
      const at = pair.indexOf("=");
      const [name, value] = at < 0 ? [pair, ""] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
      return { name, value: parseTemplate(value, allowed) };
    });
}

/** For people: without what stands literally under a name such as `token`. */
export function withoutLiterals(text: string): string {
  return withoutSecretFields(text, ",", (value) => hasLiteral(parseTemplate(value, ALL_VARIABLES)));
}

/** Each value is one field, whatever is in it. */
export function fill({ params }: RequestTemplate, values: Values): [name: string, value: string][] {
  return params.map(({ name, value }) => [name, fillTemplate(value, values)]);
}

const hasLiteral = (value: readonly Part[]): boolean => value.some((part) => "text" in part && part.text.trim() !== "");

/** For people: what stands for a password is not shown, nor what was written there literally, which may be a key. */
export function shownFields({ params }: RequestTemplate, values: Values): string[] {
  return params.map(({ name, value }) => {
    const isLiteral = (value.length > 0 && value.every((part) => "text" in part)) || (namesSecret(name) && hasLiteral(value));
    const isSecret = isLiteral || value.some((part) => "variable" in part && part.variable === "P" && variableValue("P", values) !== "");
    return `${name} = ${isSecret ? "******" : JSON.stringify(fillTemplate(value, values).slice(0, 200))}`;
  });
}

/** It, or a proxy before it, says that nobody can be asked now. */
export class Unavailable extends BackendError {}

const UNAVAILABLE: ReadonlyMap<number, string> = new Map([
  [502, ": a proxy gets no answer of it"],
  [503, ": it is not available"],
  [504, ": a proxy gets no answer of it in time"],
]);
const MOVED = ", and a redirect is not followed";
/** Of redirects those that send whoever asks elsewhere with the same request: any other one may be to the page on which people log in. */
const NO_VERDICT: ReadonlyMap<number, string> = new Map([
  [301, MOVED],
  [307, MOVED],
  [308, MOVED],
  [407, ": a proxy wants to know who asks"],
  [408, ": the request was too slow"],
  [429, ": it is asked too often"],
]);

/** Why a status says nothing of the client: whoever is refused for one has given no wrong password. null = it does. `key`: the setting to look at. */
function noVerdict(status: number, key: string): BackendError | null {
  const unavailable = UNAVAILABLE.get(status);
  // 5xx: a fault of the service's, or of a proxy before it.
  const words = unavailable ?? NO_VERDICT.get(status) ?? (status >= 500 ? "" : null);
  if (words === null) return null;
  const text = `http ${status}${words}; see ${key}`;
  return unavailable === undefined ? new BackendError("refused", text) : new Unavailable("refused", text);
}

/** How a request is sent. */
export interface Sending {
  /** Its end, in any case. */
  readonly signal: AbortSignal;
  readonly tls: Bun.TLSOptions | null;
  /** Told of an answer whose status has said all: its body is still to be read, or given up. */
  unread(response: Response): void;
}

/**
 * One request. A redirect is not followed: it must not carry a password elsewhere.
 * @throws BackendError "refused" where the answer is no verdict; what `fetch` throws, too
 */
export async function send(t: RequestTemplate, fields: [string, string][], { signal, tls, unread }: Sending): Promise<HttpAnswer> {
  const url = new URL(t.url);
  const headers = new Headers([...t.headers]);
  const init: BunFetchRequestInit = {
    method: t.method.toUpperCase(),
    redirect: "manual",
    // Whatever `http_proxy` says in the environment: a proxy would read along the passwords (EMQ X 3.1 asked directly).
    proxy: false,
    signal,
    headers,
    ...(tls !== null && { tls }),
  };
  if (t.method === "get") for (const [name, value] of fields) url.searchParams.append(name, value);
  else if (t.body === "json") {
    headers.set("content-type", "application/json");
    init.body = JSON.stringify(Object.fromEntries(fields));
  } else init.body = new URLSearchParams(fields);
  const response = await fetch(url, init);
  const { status } = response;
  if (status !== 200) {
    unread(response);
    const none = noVerdict(status, t.key);
    if (none !== null) throw none;
  }
  const type = (response.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().slice(0, TYPE_MAX) ?? "";
  return { status, type, body: status === 200 ? (await limitedText(response, ANSWER_MAX)).trim() : "" };
}
