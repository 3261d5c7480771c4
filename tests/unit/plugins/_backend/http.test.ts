/** What plugins that speak HTTP share, against a server that answers by halves. */
import { afterAll, describe, expect, test } from "bun:test";
import { BackendError } from "../../../../server/plugins/_backend/errors.ts";
import { limitedText, unlessGivenUp } from "../../../../server/plugins/_backend/http.ts";

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
