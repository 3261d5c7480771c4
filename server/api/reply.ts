/** Answers: the envelope and the plain texts of EMQ X 3.1. */
import type { Listed } from "../admin/query.ts";
import { Slices } from "../admin/slices.ts";
import type { Failure, Meta } from "./contract.ts";

const JSON_HEADERS = { "content-type": "application/json" };
const TEXT_HEADERS = { "content-type": "text/plain" };
/** Lists longer than this are put into bytes in slices … */
const SLICED_FROM = 200;
/** … of about so many characters. */
const PIECE = 64 * 1024;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

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

/** Come again later: something that has a limit is in use. */
export const busy = (words: string): Response => text(words, 503, { "retry-after": "1" });

/** 401 has no content type, as cowboy sent it: only a stream goes out without one. */
export function unauthorized(challenge: boolean, retryAfterSeconds = 0): Response {
  const headers: Record<string, string> = challenge ? { "www-authenticate": 'Basic Realm="minirest-server"' } : {};
  if (retryAfterSeconds === 0) return pieces([encode("UNAUTHORIZED")], 401, headers);
  const body = `UNAUTHORIZED: too many failed logins from this address, try again in ${retryAfterSeconds} seconds`;
  return pieces([encode(body)], 401, { ...headers, "retry-after": String(retryAfterSeconds) });
}

const ends = new WeakMap<Response, Promise<void>>();

/** Of an answer that goes out in pieces: resolves when the last one is on its way, or nobody wants it any more. */
export const endOf = (response: Response): Promise<void> | undefined => ends.get(response);

/** `source.cancel` is told when the client goes; the answer has ended then, or when the source closes. */
export function streamed(
  start: (ended: () => void) => { source: UnderlyingDefaultSource<Uint8Array>; strategy?: QueuingStrategy<Uint8Array> },
  init: ResponseInit,
): Response {
  let ended = (): void => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const { source, strategy } = start(ended);
  const response = new Response(new ReadableStream(source, strategy), init);
  ends.set(response, end);
  return response;
}

function envelope(rows: string, meta: Meta): string {
  const { page, limit, count } = meta;
  return `{"code":0,"data":${rows},"meta":{"page":${page},"limit":${limit},"count":${count}}}`;
}

export async function page<Row>(listed: Listed<Row>): Promise<Response> {
  const { rows, meta } = listed;
  if (rows.length <= SLICED_FROM) return new Response(envelope(JSON.stringify(rows), meta), { headers: JSON_HEADERS });
  const [head = "", tail = ""] = envelope("[\n]", meta).split("\n");
  return pieces(await encoded(rows, head, tail), 200, JSON_HEADERS);
}

/** A list without pages, which may be a long one. */
export async function whole(rows: readonly unknown[]): Promise<Response> {
  if (rows.length <= SLICED_FROM) return data(rows);
  return pieces(await encoded(rows, '{"code":0,"data":[', "]}"), 200, JSON_HEADERS);
}

/** Piece by piece, with its length: a body of megabytes in one piece would be copied at one go. */
function pieces(list: readonly Uint8Array[], status: number, headers: Record<string, string>): Response {
  let next = 0;
  const length = list.reduce((n, p) => n + p.length, 0);
  return streamed(
    (ended) => ({
      source: {
        pull(controller) {
          const piece = list[next++];
          if (piece) controller.enqueue(piece);
          else {
            controller.close();
            ended();
          }
        },
        cancel: ended,
      },
    }),
    { status, headers: { ...headers, "content-length": String(length) } },
  );
}

/** The bytes in pieces, so that no step takes long. */
async function encoded(rows: readonly unknown[], head: string, tail: string): Promise<Uint8Array[]> {
  const slices = new Slices(() => performance.now());
  const list: Uint8Array[] = [];
  let text = head;
  for (const [i, row] of rows.entries()) {
    text += i === 0 ? JSON.stringify(row) : `,${JSON.stringify(row)}`;
    if (text.length > PIECE) {
      list.push(encode(text));
      text = "";
      if (slices.over()) await slices.rest();
    }
  }
  list.push(encode(text + tail));
  return list;
}
