/** Event streams and readers that do not read. */
import { describe, expect, test } from "bun:test";
import { endOf } from "../../../server/api/reply.ts";
import { eventStream, type Send, UNSENT_MAX } from "../../../server/api/sse.ts";

class Stream {
  send: Send = () => {};
  stopped = 0;
  cut = 0;
  isOver = false;
  ended = false;
  readonly gone = new AbortController();
  readonly response: Response;
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(lookMs = 60_000, early: (send: Send) => void = () => {}) {
    const request = new Request("http://x/", { signal: this.gone.signal });
    const stream = () => ({ cut: () => void this.cut++, isOver: () => this.isOver });
    const open = (send: Send) => {
      early(send);
      this.send = send;
      return () => void this.stopped++;
    };
    this.response = eventStream({ request, stream }, open, { lookMs });
    this.reader = (this.response.body as ReadableStream<Uint8Array>).getReader();
    void endOf(this.response)?.then(() => {
      this.ended = true;
    });
  }

  async next(): Promise<string> {
    const { value } = await this.reader.read();
    return new TextDecoder().decode(value);
  }
}

const KB = "x".repeat(1024);
const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await Bun.sleep(1);
};

test("events as they come, those from before the stream was there first", async () => {
  const s = new Stream(60_000, (send) => send("hello", { n: 0 }));
  s.send("message", { n: 1 });
  expect(s.response.headers.get("content-type")).toBe("text/event-stream");
  expect(await s.next()).toBe('event: hello\ndata: {"n":0}\n\n');
  expect(await s.next()).toBe('event: message\ndata: {"n":1}\n\n');
  await s.reader.cancel();
});

test("no more than 1 MiB waits for a reader; what was lost is told when it has caught up", async () => {
  const s = new Stream();
  for (let i = 0; i < 3000; i++) s.send("message", KB);
  const got: string[] = [];
  // Some room, then one more: what was lost is told in front of it.
  while (got.length < 500) got.push(await s.next());
  s.send("message", "after");
  while (!got.at(-1)?.includes("after")) got.push(await s.next());
  const lost = Number(/^event: dropped\ndata: \{"count":(\d+)\}/.exec(got.at(-2) ?? "")?.[1]);
  const events = got.slice(0, -2);
  expect(events.length + lost).toBe(3000);
  const waited = events.reduce((n, e) => n + e.length, 0);
  expect(waited).toBeLessThanOrEqual(UNSENT_MAX);
  expect(waited).toBeGreaterThan(UNSENT_MAX - 2 * KB.length);
  await s.reader.cancel();
});

test("the same before the stream is there", async () => {
  const s = new Stream(60_000, (send) => {
    for (let i = 0; i < 3000; i++) send("message", KB);
  });
  s.send("message", "x");
  let bytes = 0;
  for (;;) {
    const text = await s.next();
    if (text.includes("dropped")) break;
    bytes += text.length;
    if (bytes > 900_000) s.send("message", "x");
  }
  expect(bytes).toBeLessThanOrEqual(UNSENT_MAX + 1000);
  await s.reader.cancel();
});

test("an event larger than that goes out alone", async () => {
  const s = new Stream();
  s.send("message", "y".repeat(2 * UNSENT_MAX));
  s.send("message", "lost");
  expect((await s.next()).length).toBeGreaterThan(2 * UNSENT_MAX);
  s.send("message", "next");
  expect(await s.next()).toBe('event: dropped\ndata: {"count":1}\n\n');
  expect(await s.next()).toContain("next");
  await s.reader.cancel();
});

describe("the end", () => {
  test("a reader that loses events and takes nothing is cut off, and what waited is thrown away", async () => {
    const s = new Stream(5);
    for (let i = 0; i < 3000; i++) s.send("message", KB);
    await until(() => s.cut === 1);
    expect(s.stopped).toBe(1);
    await until(() => s.ended);
    await expect(s.reader.read()).rejects.toThrow("does not read");
    s.send("message", "late");
  });

  test("one that reads slowly is not", async () => {
    const s = new Stream(5);
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 1100; i++) s.send("message", KB);
      await Bun.sleep(1);
      for (let i = 0; i < 50; i++) await s.next();
    }
    expect(s.cut).toBe(0);
    await s.reader.cancel();
  });

  test("a quiet line gets comments and stays", async () => {
    const s = new Stream(1);
    for (let i = 0; i < 3; i++) expect(await s.next()).toBe(":\n\n");
    expect(s.cut).toBe(0);
    await s.reader.cancel();
    expect(s.stopped).toBe(1);
  });

  test("whoever may not come in any more: what waits is still sent, and nothing after it", async () => {
    const s = new Stream(5);
    s.send("message", "before");
    s.isOver = true;
    await until(() => s.ended);
    s.send("message", "after");
    expect(await s.next()).toContain("before");
    expect((await s.reader.read()).done).toBe(true);
    expect([s.stopped, s.cut]).toEqual([1, 0]);
  });

  test("the reader leaves", async () => {
    const s = new Stream();
    await s.reader.cancel();
    await until(() => s.ended);
    expect(s.stopped).toBe(1);
  });

  test("the connection is gone", async () => {
    const s = new Stream();
    s.gone.abort();
    await until(() => s.ended);
    expect(s.stopped).toBe(1);
  });

  test("gone before it began: nothing is opened", () => {
    const request = new Request("http://x/", { signal: AbortSignal.abort() });
    let opened = false;
    const open = () => {
      opened = true;
      return () => {};
    };
    expect(() => eventStream({ request, stream: () => ({ cut: () => {}, isOver: () => false }) }, open)).toThrow("the client has gone");
    expect(opened).toBe(false);
  });
});
