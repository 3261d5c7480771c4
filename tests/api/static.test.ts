/** The dashboard's files on 18083. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createStatic, type StaticFiles } from "../../server/api/static.ts";
import { TestNode } from "./support/node.ts";

const SCRIPT = `console.log(${JSON.stringify("x".repeat(5000))});`;
let dir: string;
let files: StaticFiles;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "baomq-static-"));
  mkdirSync(join(dir, "assets"));
  writeFileSync(join(dir, "index.html"), "<!doctype html><title>App</title>");
  writeFileSync(join(dir, "favicon.svg"), "<svg/>");
  writeFileSync(join(dir, "assets", "main-AbCd1234.js"), SCRIPT);
  writeFileSync(join(dir, "assets", "main-AbCd1234.js.br"), "not really brotli");
  files = createStatic(dir);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  files.serve(path, new Request(`http://x${path}`, { method, headers }));

describe("files", () => {
  test("the page: never cached without asking, tightly fenced in", async () => {
    const r = get("/");
    expect(await r?.text()).toContain("<title>App</title>");
    expect(r?.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(r?.headers.get("cache-control")).toBe("no-cache");
    const csp = r?.headers.get("content-security-policy");
    for (const part of ["default-src 'self'", "connect-src 'self' ws: wss:", "frame-ancestors 'none'"]) expect(csp).toContain(part);
    expect(csp).not.toContain("unsafe");
    expect(r?.headers.get("x-content-type-options")).toBe("nosniff");
    expect(r?.headers.get("referrer-policy")).toBe("no-referrer");
  });

  test("hashed assets are cached for ever, compressed as the browser likes", async () => {
    const path = "/assets/main-AbCd1234.js";
    expect(get(path)?.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    const gzip = get(path, { "accept-encoding": "gzip" });
    expect(gzip?.headers.get("content-encoding")).toBe("gzip");
    expect(Buffer.from(Bun.gunzipSync(new Uint8Array((await gzip?.arrayBuffer()) as ArrayBuffer))).toString()).toBe(SCRIPT);
    expect(get(path, { "accept-encoding": "gzip, br" })?.headers.get("content-encoding")).toBe("br");
    expect(get(path)?.headers.get("content-encoding")).toBeNull();
  });

  test("ETag", () => {
    const etag = get("/favicon.svg")?.headers.get("etag") ?? "";
    expect(get("/favicon.svg", { "if-none-match": etag })?.status).toBe(304);
    expect(get("/favicon.svg", { "if-none-match": '"other"' })?.status).toBe(200);
  });

  test("deep links get the page, missing files and other methods nothing", () => {
    expect(get("/clients/abc", { accept: "text/html,*/*" })?.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(get("/clients/abc", { accept: "application/json" })).toBeNull();
    expect(get("/nope.js", { accept: "text/html" })).toBeNull();
    expect(get("/api/v9/x", { accept: "text/html" })).toBeNull();
    expect(get("/", {}, "POST")).toBeNull();
    expect(get("/../package.json")).toBeNull();
    expect(get("/assets/main-AbCd1234.js.br")).toBeNull();
  });

  test("no dashboard built: a page that says so", async () => {
    const r = createStatic(join(dir, "nowhere")).serve("/", new Request("http://x/"));
    expect(await r?.text()).toContain("/api/v3/");
  });
});

test("on a node: the page without credentials, unknown files 404 with nothing", async () => {
  const node = await TestNode.start();
  try {
    const page = await node.ask("GET", "!!/", { as: "user", authorization: null });
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toContain("text/html");
    const missing = await node.ask("GET", "!!/nope.js", { as: "user", authorization: null });
    expect({ status: missing.status, text: missing.text, type: missing.headers.get("content-type") }).toEqual({
      status: 404,
      text: "",
      type: null,
    });
    expect((await node.ask("GET", "!!/", { authorization: null })).status).toBe(404);
  } finally {
    await node.stop();
  }
});
