/** Server-Sent Events (WHATWG). */
import { CODE } from "../admin/codes.ts";
import { AdminError } from "../admin/index.ts";
import type { Call } from "./route.ts";

/** A comment keeps proxies from closing a quiet line. */
const KEEP_ALIVE_MS = 15_000;
/** A reader that has fallen so many bytes behind loses events instead of filling the memory. */
const BACKLOG_MAX = 4 * 1024 * 1024;

export type Send = (event: string, value: unknown) => void;

/** `open` begins to send and returns how to stop; what it throws is the answer. */
export function eventStream(call: Call, open: (send: Send) => () => void): Response {
  const encoder = new TextEncoder();
  const early: string[] = [];
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  let dropped = 0;
  const write = (text: string): void => {
    if (controller === null) {
      early.push(text);
      return;
    }
    if ((controller.desiredSize ?? 0) <= 0) {
      dropped++;
      return;
    }
    if (dropped > 0) {
      const lost = dropped;
      dropped = 0;
      controller.enqueue(encoder.encode(`event: dropped\ndata: ${JSON.stringify({ count: lost })}\n\n`));
    }
    controller.enqueue(encoder.encode(text));
  };
  const stop = open((event, value) => write(`event: ${event}\ndata: ${JSON.stringify(value)}\n\n`));
  const alive = setInterval(() => write(":\n\n"), KEEP_ALIVE_MS);
  const end = (): void => {
    clearInterval(alive);
    stop();
  };
  if (call.request.signal.aborted) {
    end();
    throw new AdminError(CODE.UNKNOWN, "the client has gone");
  }
  call.request.signal.addEventListener("abort", end, { once: true });
  call.keepOpen();
  const body = new ReadableStream<Uint8Array>(
    {
      start(c) {
        controller = c;
        for (const text of early.splice(0)) c.enqueue(encoder.encode(text));
      },
      cancel: end,
    },
    { highWaterMark: BACKLOG_MAX, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
}
