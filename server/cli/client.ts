/** The way to a running node: its socket in the data directory, or its URL with the credentials of an application. */
import { existsSync } from "node:fs";
import type { Data, Failure, Meta, Page } from "../api/contract.ts";
import { wordsOf } from "../lib/errors.ts";

export type Target = { socket: string } | { url: string; app: string; secret: string };

/** The node cannot be reached, or does not let us in. */
export class Unreachable extends Error {}

/** The node's refusal. */
export class ApiError extends Error {
  constructor(
    readonly code: number,
    message: string,
    /** Of what was made all the same, but could not be kept. */
    readonly data?: unknown,
  ) {
    super(message);
  }
}

type Method = "GET" | "POST" | "PUT" | "DELETE";
type Answer<T> = (Data<T> & { meta?: Meta }) | Failure;

const TIMEOUT_MS = 30_000;
/** Rows asked for at once when a whole list is printed. */
const PAGE_ROWS = 1000;

/** `a/b` is one segment of a path. */
export function path(parts: TemplateStringsArray, ...values: string[]): string {
  return parts.reduce((sum, part, i) => sum + part + (i < values.length ? encodeURIComponent(values[i] ?? "") : ""), "");
}

export class Client {
  #node: string | null = null;

  constructor(private readonly target: Target) {}

  /** Name of the node at the other end. */
  async node(): Promise<string> {
    this.#node ??= (await this.get<{ node: string }>("/whoami")).node;
    return this.#node;
  }

  get<T>(where: string): Promise<T> {
    return this.call<T>("GET", where);
  }

  /** The `data` of the answer. @throws ApiError, Unreachable */
  async call<T>(method: Method, where: string, body?: unknown): Promise<T> {
    return (await this.#send<T>(method, where, body)).data;
  }

  /** Every row of a paged list, page by page. */
  async *rows<T>(where: string): AsyncGenerator<T> {
    for (let page = 1; ; page++) {
      const answer = (await this.#send<T[]>(
        "GET",
        `${where}${where.includes("?") ? "&" : "?"}_page=${page}&_limit=${PAGE_ROWS}`,
      )) as Page<T>;
      yield* answer.data;
      if (answer.data.length < PAGE_ROWS || page * PAGE_ROWS >= answer.meta.count) return;
    }
  }

  async #send<T>(method: Method, where: string, body?: unknown): Promise<Data<T>> {
    const response = await this.#fetch(method, where, body);
    const text = await response.text();
    if (response.status === 401) throw new Unreachable("the node refuses these credentials (--app and --secret)");
    if (response.status === 404) throw new ApiError(404, "Not Found.");
    if (!response.headers.get("content-type")?.startsWith("application/json"))
      throw new Unreachable(`unexpected answer: ${response.status} ${text.slice(0, 200)}`);
    const answer = JSON.parse(text) as Answer<T>;
    if (answer.code !== 0) throw new ApiError(answer.code, answer.message, answer.data);
    return answer;
  }

  async #fetch(method: Method, where: string, body: unknown): Promise<Response> {
    const { target } = this;
    const base = "socket" in target ? "http://localhost" : target.url.replace(/\/+$/, "");
    const init = {
      method,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: "socket" in target ? {} : { authorization: `Basic ${btoa(unescapeUtf8(`${target.app}:${target.secret}`))}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...("socket" in target && { unix: target.socket }),
    };
    if ("socket" in target && !existsSync(target.socket)) {
      throw new Unreachable(
        `no node is running with this data directory (${target.socket} is not there; --data-dir names another one, --url a node elsewhere)`,
      );
    }
    try {
      return await fetch(`${base}/api/v3${where}`, init);
    } catch (err) {
      const to = "socket" in target ? target.socket : target.url;
      throw new Unreachable(`the node cannot be reached at ${to}: ${wordsOf(err)}`);
    }
  }
}

/** UTF-8 bytes as characters, which is what `btoa` wants. */
function unescapeUtf8(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}
