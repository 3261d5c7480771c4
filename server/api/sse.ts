/** Server-Sent Events (WHATWG). */
import { CODE } from "../admin/codes.ts";
import { AdminError } from "../admin/index.ts";
import { streamed } from "./reply.ts";
import type { Call } from "./route.ts";

/** Bytes that may wait for a reader. One that is so far behind loses events, and is told how many when it has caught up. */
export const UNSENT_MAX = 1024 * 1024;
/**
 * How often a reader is looked at: one that loses events and has taken nothing since the last time does not read, and is cut off; for one
 * that may not come in any more this is the end.
 */
const LOOK_MS = 5000;
/** Every so many looks a comment: it keeps proxies from closing a quiet line. */
const LOOKS_PER_COMMENT = 3;

export type Send = (event: string, value: unknown) => void;

/** `open` begins to send and returns how to stop; what it throws is the answer. @throws Busy */
export function eventStream(
  call: Pick<Call, "request" | "stream">,
  open: (send: Send) => () => void,
  { lookMs = LOOK_MS }: { lookMs?: number } = {},
): Response {
  if (call.request.signal.aborted) throw new AdminError(CODE.UNKNOWN, "the client has gone");
  const streaming = call.stream();
  const reader = new Reader();
  const stop = open((event, value) => reader.send(event, JSON.stringify(value)));
  return streamed(
    (ended) => {
      let looks = 0;
      const timer = setInterval(() => {
        if (streaming.isOver()) {
          reader.close();
          end();
        } else if (reader.stuck()) {
          reader.fail();
          streaming.cut();
          end();
        } else if (++looks % LOOKS_PER_COMMENT === 0) reader.comment();
      }, lookMs);
      const end = (): void => {
        clearInterval(timer);
        call.request.signal.removeEventListener("abort", end);
        stop();
        ended();
      };
      call.request.signal.addEventListener("abort", end, { once: true });
      return {
        source: { start: (c) => reader.opened(c), pull: () => reader.took(), cancel: end },
        strategy: { highWaterMark: UNSENT_MAX, size: (chunk) => chunk?.byteLength ?? 0 },
      };
    },
    { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } },
  );
}

/** What is on its way to one client. */
class Reader {
  readonly #encoder = new TextEncoder();
  /** From before the stream is there. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #lost = 0;
  #moved = true;

  opened(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    for (const bytes of this.#early) controller.enqueue(bytes);
    this.#early = [];
  }

  /** Some of it was taken. */
  took(): void {
    this.#moved = true;
  }

  /** Loses events, and has taken nothing since it was asked last. */
  stuck(): boolean {
    const stuck = this.#lost > 0 && !this.#moved;
    this.#moved = false;
    return stuck;
  }

  /** What waits is thrown away. */
  fail(): void {
    this.#controller?.error(new Error("the reader does not read"));
    this.#controller = null;
  }

  /** What waits is still sent. */
  close(): void {
    this.#controller?.close();
    this.#controller = null;
  }

  send(event: string, json: string): void {
    const bytes = this.#encoder.encode(`event: ${event}\ndata: ${json}\n\n`);
    if (!this.#hasRoom(bytes.length)) {
      this.#lost++;
      return;
    }
    if (this.#lost > 0) this.#put(this.#encoder.encode(`event: dropped\ndata: {"count":${this.#lost}}\n\n`));
    this.#lost = 0;
    this.#put(bytes);
  }

  comment(): void {
    if (this.#hasRoom(0)) this.#put(this.#encoder.encode(":\n\n"));
  }

  /** An event larger than all the room there is goes out alone. */
  #hasRoom(bytes: number): boolean {
    const room = this.#controller === null ? UNSENT_MAX - this.#earlyBytes : (this.#controller.desiredSize ?? 0);
    return room >= Math.max(bytes, 1) || room === UNSENT_MAX;
  }

  #put(bytes: Uint8Array): void {
    if (this.#controller !== null) this.#controller.enqueue(bytes);
    else {
      this.#early.push(bytes);
      this.#earlyBytes += bytes.length;
    }
  }
}
