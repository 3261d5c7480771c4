/** Answers: the envelope and the plain texts of EMQ X 3.1. */
import type { Listed } from "../admin/query.ts";
import { Slices } from "../admin/slices.ts";
import type { Failure, Meta } from "./contract.ts";

const JSON_HEADERS = { "content-type": "application/json" };
const TEXT_HEADERS = { "content-type": "text/plain" };
/** Lists longer than this are put into text in slices. */
const SLICED_FROM = 200;

export function ok(headers?: Record<string, string>): Response {
  return new Response('{"code":0}', { headers: headers ? { ...JSON_HEADERS, ...headers } : JSON_HEADERS });
}

export function data(value: unknown): Response {
  return new Response(`{"code":0,"data":${JSON.stringify(value)}}`, { headers: JSON_HEADERS });
}

export function failure(code: Failure["code"], message: string): Response {
  return new Response(JSON.stringify({ code, message }), { headers: JSON_HEADERS });
}

export function json(value: unknown): Response {
  return new Response(JSON.stringify(value), { headers: JSON_HEADERS });
}

export function text(body: string, status = 200, headers?: Record<string, string>): Response {
  return new Response(body, { status, headers: headers ? { ...TEXT_HEADERS, ...headers } : TEXT_HEADERS });
}

export function empty(status: number): Response {
  return new Response(null, { status });
}

export const notFound = (): Response => text("Not found.", 404);
export const badRequest = (): Response => text("Bad Request", 400);

/** A text without content type, as cowboy sent it: only a stream goes out without one. */
function untyped(body: string, status: number, headers: Record<string, string>): Response {
  const bytes = new TextEncoder().encode(body);
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
  return new Response(stream, { status, headers: { ...headers, "content-length": String(bytes.length) } });
}

export function unauthorized(retryAfterSeconds?: number): Response {
  const headers = { "www-authenticate": 'Basic Realm="minirest-server"' };
  if (retryAfterSeconds === undefined) return untyped("UNAUTHORIZED", 401, headers);
  const body = `UNAUTHORIZED: too many failed logins from this address, try again in ${retryAfterSeconds} seconds`;
  return untyped(body, 401, { ...headers, "retry-after": String(retryAfterSeconds) });
}

function envelope(rows: string, meta: Meta): string {
  const { page, limit, count } = meta;
  return `{"code":0,"data":${rows},"meta":{"page":${page},"limit":${limit},"count":${count}}}`;
}

export async function page<Row>(listed: Listed<Row>): Promise<Response> {
  const { rows, meta } = listed;
  if (rows.length <= SLICED_FROM) return new Response(envelope(JSON.stringify(rows), meta), { headers: JSON_HEADERS });
  const slices = new Slices(() => performance.now());
  const parts: string[] = [];
  for (const row of rows) {
    parts.push(JSON.stringify(row));
    if (slices.due()) await slices.rest();
  }
  return new Response(envelope(`[${parts.join(",")}]`, meta), { headers: JSON_HEADERS });
}
