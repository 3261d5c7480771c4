/** The real transport: fetch with Basic credentials, and a reader of Server-Sent Events that can send them too (EventSource cannot). */
import { ApiError, type ApiRequest, queryText, type RawAnswer, type StreamEvent, type Transport } from "./transport.ts";

export interface HttpOptions {
  base: string;
  /** The value of the Authorization header, or null when nobody is logged in. */
  authorization: () => string | null;
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

const TIMEOUT_MS = 20_000;

export function createHttpTransport({ base, authorization, fetch: doFetch = (url, init) => fetch(url, init) }: HttpOptions): Transport {
  const headers = (body: boolean): Record<string, string> => {
    const auth = authorization();
    return {
      "X-Requested-With": "BaoMQ-Dashboard",
      ...(body ? { "Content-Type": "application/json" } : {}),
      ...(auth === null ? {} : { Authorization: auth }),
    };
  };

  async function call({ method, path, query, body, signal }: ApiRequest): Promise<Response> {
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    try {
      return await doFetch(`${base}${path}${queryText(query)}`, {
        method,
        headers: headers(body !== undefined),
        body: body === undefined ? null : JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        cache: "no-store",
        credentials: "omit",
      });
    } catch (e) {
      throw new ApiError("network", e instanceof Error ? e.message : String(e), 0);
    }
  }

  return {
    async send(request) {
      const response = await call(request);
      await refuse(response);
      const text = await response.text();
      return text === "" ? {} : parse(text, response.status);
    },

    async raw(request): Promise<RawAnswer> {
      const start = performance.now();
      const response = await call(request);
      const body = await response.text();
      return { status: response.status, headers: [...response.headers], body, took: performance.now() - start };
    },

    async stream(path, query, onEvent, signal) {
      let response: Response;
      try {
        response = await doFetch(`${base}${path}${queryText(query)}`, {
          headers: headers(false),
          signal,
          cache: "no-store",
          credentials: "omit",
        });
      } catch (e) {
        if (signal.aborted) return;
        throw new ApiError("network", String(e), 0);
      }
      await refuse(response);
      if (!response.headers.get("content-type")?.startsWith("text/event-stream")) throw envelopeError(parse(await response.text(), 200));
      const reader = response.body?.getReader();
      if (!reader) return;
      const events = createEventParser(onEvent);
      const decoder = new TextDecoder();
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          events(decoder.decode(value, { stream: true }));
        }
      } catch (e) {
        if (signal.aborted) return;
        throw new ApiError("network", String(e), 0);
      }
      if (!signal.aborted) throw new ApiError("network", "The stream ended.", 0);
    },
  };
}

async function refuse(response: Response): Promise<void> {
  if (response.ok) return;
  const text = (await response.text()).slice(0, 500);
  if (response.status === 401) throw new ApiError("unauthorized", text, 401);
  if (response.status === 403) throw new ApiError("forbidden", text, 403);
  throw new ApiError("http", text || response.statusText, response.status);
}

function parse(text: string, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError("http", text.slice(0, 200), status);
  }
}

/** The API answers errors with HTTP 200 and `{code, message}`. */
export function envelopeError(body: unknown): ApiError {
  const b = body as { code?: unknown; message?: unknown } | null;
  return new ApiError(
    "code",
    typeof b?.message === "string" ? b.message : String(b?.message ?? ""),
    typeof b?.code === "number" ? b.code : 102,
  );
}

/** Feeds on chunks of `text/event-stream`; a chunk may end anywhere. */
export function createEventParser(onEvent: (e: StreamEvent) => void): (chunk: string) => void {
  let rest = "";
  let event = "";
  let data: string[] = [];
  return (chunk) => {
    rest += chunk;
    for (;;) {
      const end = rest.indexOf("\n");
      if (end < 0) return;
      const line = rest.slice(0, end).replace(/\r$/, "");
      rest = rest.slice(end + 1);
      if (line === "") {
        if (data.length > 0) onEvent({ event: event || "message", data: data.join("\n") });
        event = "";
        data = [];
      } else if (line.startsWith("event:")) event = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    }
  };
}
