/** What plugins that speak HTTP share, against a server that answers by halves. */
import { afterAll, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { BackendError } from "../../../../server/plugins/_backend/errors.ts";
import { limitedText, Unread, unlessGivenUp } from "../../../../server/plugins/_backend/http.ts";
import { until } from "../../../support/until.ts";

/** Sends half of a body, and then nothing. `/broken`: closes instead. */
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request) =>
    new Response(
      new ReadableStream({
        async pull(controller) {
          controller.enqueue(new TextEncoder().encode("half"));
          await Bun.sleep(20);
          if (new URL(request.url).pathname === "/broken") controller.error(new Error("broken off"));
          else if (new URL(request.url).pathname === "/whole") controller.close();
          else await new Promise(() => {});
        },
      }),
    ),
});
afterAll(() => server.stop(true));

const kindOf = (err: unknown): string => (err instanceof BackendError ? err.kind : "another error");

describe("whoever gives up while an answer is read", () => {
  const read = async (path: string, ours: AbortController): Promise<string> => {
    const whole = fetch(`http://127.0.0.1:${server.port}${path}`, { signal: ours.signal }).then((r) => limitedText(r, 100));
    return await unlessGivenUp(whole, ours.signal).catch(kindOf);
  };

  test("is not told of a server that failed", async () => {
    const ours = new AbortController();
    const answer = read("/half", ours);
    await Bun.sleep(50);
    ours.abort();
    expect(await answer).toBe("gone");
  });

  test("and whoever does not is", async () => {
    expect(await read("/broken", new AbortController())).toBe("another error");
    expect(await read("/whole", new AbortController())).toBe("half");
  });
});

test("a body beyond its limit ends there", async () => {
  const response = new Response("x".repeat(101));
  expect(await limitedText(response, 100).catch(kindOf)).toBe("refused");
  expect(await limitedText(new Response("x".repeat(100)), 100)).toHaveLength(100);
});

describe("a body that nobody wants", () => {
  /** Answers with `first`; with `rest` as soon as `behind` has been called, or `early`. */
  async function peer(first: string, rest: string, early: boolean) {
    const state = { connections: 0, ended: 0, behind: (): void => {} };
    const raw = createServer((socket) => {
      state.connections++;
      socket.on("error", () => {});
      socket.on("close", () => state.ended++);
      socket.on("data", () => {
        socket.write(first);
        state.behind = () => socket.write(rest);
        if (early) state.behind();
      });
    });
    await new Promise<void>((done) => raw.listen(0, "127.0.0.1", done));
    const { port } = raw.address() as { port: number };
    return { state, url: `http://127.0.0.1:${port}/`, [Symbol.dispose]: () => void raw.close() };
  }

  const CHUNKED = "HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n";
  for (const [what, first, rest] of [
    ["the end of which", CHUNKED, "0\r\n\r\n"],
    ["all of which", "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n", "no"],
  ] as const)
    test(`${what} comes behind its head costs no connection`, async () => {
      using p = await peer(first, rest, false);
      const unread = new Unread(1);
      for (let i = 0; i < 20; i++) {
        const response = await fetch(p.url);
        const dropped = unread.drop(response, 10_000);
        p.state.behind();
        await dropped;
      }
      expect(p.state).toMatchObject({ connections: 1, ended: 0 });
    });

  test("and that does not end, is long or is one too many costs one, and no more time than there is", async () => {
    using p = await peer(CHUNKED, "", false);
    const unread = new Unread(1);
    const first = unread.drop(await fetch(p.url), 50);
    await unread.drop(await fetch(p.url), 1_000_000);
    await first;
    await unread.drop(await fetch(p.url), 0);
    await until(() => p.state.ended === 3, "all are closed");
    using long = await peer("HTTP/1.1 403 Forbidden\r\ncontent-length: 1000000\r\n\r\n", "x".repeat(100_000), true);
    await unread.drop(await fetch(long.url), 1_000_000);
    await until(() => long.state.ended === 1, "it is closed");
  });
});
