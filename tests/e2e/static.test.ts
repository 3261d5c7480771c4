/** The dashboard's files out of the executable: compressed at build time, with the headers browsers cache and trust by. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { RawRequest, requestText } from "../api/support/raw.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";

let baomq: Installation;
let broker: RunningBroker;
let script = "";
beforeAll(async () => {
  baomq = new Installation();
  broker = await baomq.start();
  const page = await (await get("/")).text();
  script = /<script[^>]+src="(\/assets\/[^"]+\.js)"/.exec(page)?.[1] ?? "";
});
afterAll(() => baomq.remove());

const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  fetch(`http://127.0.0.1:${broker.ports.dashboard}${path}`, {
    method,
    headers: { "accept-encoding": "identity", ...headers },
    decompress: false,
  } as RequestInit);
const bytesOf = async (r: Response): Promise<Buffer> => Buffer.from(await r.arrayBuffer());

test("the page and its script, in three forms that are one", async () => {
  expect(script).not.toBe("");
  for (const path of ["/", script]) {
    const plain = await get(path);
    expect(plain.status).toBe(200);
    const bytes = await bytesOf(plain);
    expect(Number(plain.headers.get("content-length"))).toBe(bytes.length);
    for (const [encoding, unpack] of [
      ["br", brotliDecompressSync],
      ["gzip", gunzipSync],
    ] as const) {
      const packed = await get(path, { "accept-encoding": encoding });
      expect(packed.headers.get("content-encoding")).toBe(encoding);
      expect(packed.headers.get("content-type")).toBe(plain.headers.get("content-type") as string);
      const body = await bytesOf(packed);
      expect(Number(packed.headers.get("content-length"))).toBe(body.length);
      expect(body.length).toBeLessThan(bytes.length);
      expect(unpack(body).equals(bytes)).toBe(true);
    }
  }
});

test("headers: kept for ever when the name says what is in it, asked for again when not; fenced in", async () => {
  expect((await get(script)).headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  const page = await get("/");
  expect(page.headers.get("cache-control")).toBe("no-cache");
  expect(page.headers.get("content-security-policy")).toContain("default-src 'self'");
  expect(page.headers.get("content-range")).toBeNull();
});

test("asked again with its ETag: 304; HEAD: no body", async () => {
  for (const path of ["/", script]) {
    const first = await get(path, { "accept-encoding": "br" });
    const etag = first.headers.get("etag") ?? "";
    const again = await get(path, { "accept-encoding": "br", "if-none-match": etag });
    expect([again.status, (await bytesOf(again)).length, again.headers.get("etag")]).toEqual([304, 0, etag]);
    expect((await get(path, { "if-none-match": etag })).status).toBe(200);
    const head = await get(path, { "accept-encoding": "br" }, "HEAD");
    expect([head.status, head.headers.get("etag"), (await bytesOf(head)).length]).toEqual([200, etag, 0]);
    expect(head.headers.get("content-length")).toBe(first.headers.get("content-length") as string);
  }
});

test("a page of the application by its own address; nothing else", async () => {
  const deep = await get("/clients/some-one", { accept: "text/html" });
  expect([deep.status, deep.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  for (const path of ["/nope.js", "/assets/", "/assets", `${script}.br`, "/index", "/clients/x"])
    expect([path, (await get(path)).status]).toEqual([path, 404]);
});

test("nothing from outside the dashboard's folder", async () => {
  for (const path of ["/../../../../etc/passwd", "/..%2f..%2f..%2fetc%2fpasswd", "/assets/..%5c..%5cbaomq", "/%2e%2e/%2e%2e/etc/passwd"]) {
    const r = new RawRequest(broker.ports.dashboard, requestText(`GET ${path}`, { Connection: "close" }));
    await r.until((x) => x.closed);
    expect(r.text).toStartWith("HTTP/1.1 404 ");
  }
});
