/** One request to a real service: what it carries, and what each answer means. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { createServer } from "node:net";
import { withoutLogin } from "../../../../server/plugins/_backend/url_login.ts";
import type { SendError } from "../../../../server/plugins/_sink/types.ts";
import { eventCodec, eventIds, type WebHookEvent } from "../../../../server/plugins/web_hook/event.ts";
import { headersOf, requestOf, send, type Target } from "../../../../server/plugins/web_hook/target.ts";

const NOW = 1_557_144_000_999;
const event = (more: Partial<WebHookEvent> = {}): WebHookEvent => ({
  id: "msg_1",
  hook: "message.publish",
  subject: "t/ä 1",
  at: NOW,
  body: '{"action":"message_publish"}',
  ...more,
});

interface Got {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}
let got: Got[] = [];
let answer: () => Response | Promise<Response> = () => new Response("ok");
let server: Bun.Server<undefined>;

beforeAll(() => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(req) {
      got.push({ method: req.method, path: new URL(req.url).pathname, headers: req.headers.toJSON(), body: await req.text() });
      return answer();
    },
  });
});
afterAll(() => server.stop(true));
beforeEach(() => {
  got = [];
  answer = () => new Response("ok");
});

const target = (more: Partial<Target> = {}): Target => ({
  url: new URL(`http://127.0.0.1:${server.port}/hook`),
  method: "POST",
  headers: new Map(),
  tls: null,
  secret: null,
  cloudEvents: "off",
  isBatch: false,
  source: "/nodes/n1",
  keys: { server: "web.hook.api.url", timeout: "web.hook.timeout", account: "web.hook.headers.$name" },
  ...more,
});
const sent = async (t: Target, events: WebHookEvent[] = [event()]): Promise<SendError | number> =>
  send(t, { items: events }, AbortSignal.timeout(3000), NOW).then(
    (a) => a.status,
    (err: unknown) => err as SendError,
  );

describe("a request", () => {
  test("as EMQ X 3.1's", async () => {
    expect(await sent(target())).toBe(200);
    expect(got).toMatchObject([
      { method: "POST", path: "/hook", body: '{"action":"message_publish"}', headers: { "content-type": "application/json" } },
    ]);
    expect(Object.keys(got[0]?.headers ?? {}).filter((h) => /^(ce-|webhook-|x-baomq)/.test(h))).toEqual([]);
  });

  test("several: an array; of one, too", async () => {
    await sent(target({ isBatch: true }), [event({ body: '{"n":1}' }), event({ body: '{"n":2}' })]);
    await sent(target({ isBatch: true }), [event({ body: '{"n":3}' })]);
    expect(got.map((g) => g.body)).toEqual(['[{"n":1},{"n":2}]', '[{"n":3}]']);
  });

  test("several, though the setting says one: none is left out", async () => {
    await sent(target(), [event({ body: '{"n":1}' }), event({ body: '{"n":2}' })]);
    expect(got.map((g) => g.body)).toEqual(['[{"n":1},{"n":2}]']);
  });

  test("headers and the URL's log-in", async () => {
    const { url, authorization } = withoutLogin(new URL(`http://joe:p%40ss@127.0.0.1:${server.port}/hook`), "url");
    await sent(
      target({
        url,
        headers: new Map([
          ["authorization", authorization as string],
          ["x-key", "k"],
          ["content-type", "text/x"],
        ]),
      }),
    );
    expect(got[0]?.headers).toMatchObject({ authorization: `Basic ${btoa("joe:p@ss")}`, "x-key": "k", "content-type": "text/x" });
    expect(() => headersOf([["a b", "x"]], (name) => `web.hook.headers.${name}`)).toThrow("web.hook.headers.a b: expected a header");
    expect(() => headersOf([["a", "x\ny"]], (name) => `k.${name}`)).toThrow("k.a: expected");
  });

  for (const [secret, key] of [
    ["whsec_c2VjcmV0LWtleQ==", Buffer.from("secret-key")],
    ["plain", Buffer.from("plain")],
  ] as const)
    test(`signed with ${secret}`, async () => {
      await sent(target({ secret }));
      const { headers, body } = got[0] as Got;
      const hmac = (text: string, form: "base64" | "hex"): string => createHmac("sha256", key).update(text).digest(form);
      expect(headers).toMatchObject({
        "webhook-id": "msg_1",
        "webhook-timestamp": "1557144000",
        "webhook-signature": `v1,${hmac(`msg_1.1557144000.${body}`, "base64")}`,
        "x-baomq-signature": `sha256=${hmac(body, "hex")}`,
      });
    });

  test("CloudEvents, structured and as a batch", async () => {
    await sent(target({ cloudEvents: "structured" }));
    await sent(target({ cloudEvents: "structured", isBatch: true }), [event(), event({ id: "msg_2", subject: "" })]);
    const one = {
      specversion: "1.0",
      id: "msg_1",
      source: "/nodes/n1",
      type: "baomq.message.publish",
      subject: "t/ä 1",
      time: "2019-05-06T12:00:00.999Z",
      datacontenttype: "application/json",
      data: { action: "message_publish" },
    };
    expect(got.map((g) => g.headers["content-type"])).toEqual(["application/cloudevents+json", "application/cloudevents-batch+json"]);
    expect(JSON.parse(got[0]?.body ?? "")).toEqual(one);
    const { subject: _subject, ...second } = { ...one, id: "msg_2" };
    expect(JSON.parse(got[1]?.body ?? "")).toEqual([one, second]);
  });

  test("CloudEvents, binary: in headers, which are ASCII", async () => {
    await sent(target({ cloudEvents: "binary" }));
    expect(got[0]).toMatchObject({
      body: '{"action":"message_publish"}',
      headers: {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "msg_1",
        "ce-type": "baomq.message.publish",
        "ce-subject": "t/%C3%A4%201",
      },
    });
    const { headers } = requestOf(target({ cloudEvents: "binary" }), [event({ subject: '100% "a"' })], NOW);
    expect(headers["ce-subject"]).toBe("100%25%20%22a%22");
  });

  test("the environment's proxy is not asked", async () => {
    process.env.http_proxy = "http://127.0.0.1:1";
    try {
      expect(await sent(target())).toBe(200);
    } finally {
      delete process.env.http_proxy;
    }
  });
});

describe("an answer", () => {
  const statuses: readonly [status: number, kind: SendError["kind"] | "ok", words: RegExp][] = [
    [200, "ok", /./],
    [204, "ok", /./],
    [301, "retry", /http 301, and a redirect is not followed; see web\.hook\.api\.url/],
    [400, "give up", /^http 400: no such device$/],
    [401, "retry", /http 401; see web\.hook\.headers\.\$name/],
    [404, "retry", /http 404; see web\.hook\.api\.url/],
    [408, "away", /http 408/],
    [410, "give up", /http 410/],
    [413, "give up", /http 413/],
    [429, "away", /http 429/],
    [500, "retry", /http 500/],
    [501, "retry", /http 501/],
    [502, "away", /http 502/],
    [503, "away", /http 503/],
    [504, "away", /http 504/],
  ];
  for (const [status, kind, words] of statuses)
    test(`${status}: ${kind}`, async () => {
      answer = () =>
        new Response(status === 204 ? null : "no such\ndevice", { status, headers: status === 301 ? { location: "/other" } : {} });
      const found = await sent(target());
      if (kind === "ok") expect(found).toBe(status);
      else {
        expect((found as SendError).kind).toBe(kind);
        expect((found as SendError).message).toMatch(words);
      }
      expect(got.length).toBe(1);
    });

  for (const [said, ms] of [
    ["7", 7000],
    [new Date(NOW + 60_000).toUTCString(), 59_001],
    ["soon", 0],
    ["-5", 0],
  ] as const)
    test(`Retry-After: ${said}`, async () => {
      answer = () => new Response("", { status: 503, headers: { "retry-after": said } });
      expect(((await sent(target())) as SendError).afterMs).toBe(ms);
    });

  test("a long one is not read", async () => {
    answer = () => new Response("x".repeat(10_000_000));
    expect(await sent(target())).toBe(200);
    answer = () => new Response("x".repeat(10_000_000), { status: 400 });
    expect(((await sent(target())) as SendError).message.length).toBeLessThan(300);
  });

  test("nobody there; somebody who hangs up; one who never answers: away, in words that name the setting", async () => {
    const nowhere = (await sent(target({ url: new URL("http://127.0.0.1:1/") }))) as SendError;
    expect([nowhere.kind, nowhere.message]).toEqual(["away", expect.stringMatching(/nobody listens there.*see web\.hook\.api\.url/)]);
    const rude = createServer((socket) => socket.on("data", () => socket.resetAndDestroy()));
    await new Promise<void>((resolve) => rude.listen(0, "127.0.0.1", resolve));
    const { port } = rude.address() as { port: number };
    const reset = (await sent(target({ url: new URL(`http://127.0.0.1:${port}/`) }))) as SendError;
    rude.close();
    expect([reset.kind, reset.message]).toEqual(["away", expect.stringMatching(/closes the connection/)]);
    answer = () => new Promise<Response>(() => {});
    const hung = await send(target(), { items: [event()] }, AbortSignal.timeout(100), NOW).catch((err: unknown) => err as SendError);
    expect(hung).toMatchObject({ kind: "away" });
  });
});

test("an event on the disk is the event", () => {
  const e = event({ body: 'a\n"b"\u2028' });
  expect(eventCodec.decode(eventCodec.encode(e))).toEqual(e);
  const caused = { ...e, cause: { event: "message.publish", clientId: "c\n", topic: null, payload: "\n" } };
  expect(eventCodec.decode(eventCodec.encode(caused))).toEqual(caused);
  for (const odd of ["", "{}", "{}\nx", "nonsense\n"]) expect(() => eventCodec.decode(Buffer.from(odd))).toThrow();
});

test("ids are each another one, also those of another start", () => {
  const [a, b] = [eventIds("aa"), eventIds("bb")];
  const all = Array.from({ length: 5000 }, () => [a(), b()]).flat();
  expect(new Set(all).size).toBe(10_000);
});
