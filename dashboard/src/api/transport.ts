/** The seam between the dashboard and the broker: HTTP in the browser, an in-memory broker in demo mode and tests. */

export type Query = Record<string, string | number | boolean | undefined>;

export interface ApiRequest {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below `/api/v3`, starts with "/"; segments already percent-encoded. */
  path: string;
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
}

/** What the HTTP API page shows: the answer as it came. */
export interface RawAnswer {
  status: number;
  headers: [string, string][];
  body: string;
  /** Milliseconds. */
  took: number;
}

export interface StreamEvent {
  event: string;
  data: string;
}

export interface Transport {
  /** The parsed body of a 200; anything else throws ApiError. */
  send(request: ApiRequest): Promise<unknown>;
  raw(request: ApiRequest): Promise<RawAnswer>;
  /** Server-Sent Events until the signal aborts (resolves) or the line breaks (throws). */
  stream(path: string, query: Query, onEvent: (e: StreamEvent) => void, signal: AbortSignal): Promise<void>;
}

export type ErrorKind = "network" | "unauthorized" | "forbidden" | "http" | "code";

export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(
    readonly kind: ErrorKind,
    message: string,
    /** HTTP status, or the body's code for kind "code"; 0 for "network". */
    readonly code: number,
  ) {
    super(message);
  }
}

export const asApiError = (e: unknown): ApiError =>
  e instanceof ApiError ? e : new ApiError("network", e instanceof Error ? e.message : String(e), 0);

/** `{a: 1, b: undefined}` → `?a=1`. */
export function queryText(query: Query | undefined): string {
  const p = new URLSearchParams();
  for (const [k, v] of Object.entries(query ?? {})) if (v !== undefined && v !== "") p.set(k, String(v));
  const text = p.toString();
  return text === "" ? "" : `?${text}`;
}
