/** The dashboard's files on 18083. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createStatic, type StaticFiles } from "../../server/api/static.ts";
import { TestNode } from "./support/node.ts";

const SCRIPT = `console.log(${JSON.stringify("x".repeat(5000))});`;
const SECRET = `secret-${process.pid}`;
let dir: string;
let files: StaticFiles;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "baomq-static-"));
  mkdirSync(join(dir, "assets"));
  writeFileSync(join(dir, "index.html"), "<!doctype html><title>App</title>");
  writeFileSync(join(dir, "favicon.svg"), "<svg/>");
  writeFileSync(join(dir, "assets", "main-AbCd1234.js"), SCRIPT);
  writeFileSync(join(dir, "assets", "main-AbCd1234.js.br"), "not really brotli");
  writeFileSync(join(dir, "assets", "main-AbCd1234.js.gz"), "not really gzip");
  writeFileSync(join(dir, "assets", "plain.js"), "1");
  files = createStatic(dir);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  files.serve(path, new Request(`http://x${path}`, { method, headers }));

describe("files", () => {
  test("the page: never cached without asking, tightly fenced in", async () => {
    const r = await get("/");
    expect(await r?.text()).toContain("<title>App</title>");
    expect(r?.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(r?.headers.get("cache-control")).toBe("no-cache");
    const csp = r?.headers.get("content-security-policy");
    for (const part of ["default-src 'self'", "connect-src 'self' ws: wss:", "frame-ancestors 'none'"]) expect(csp).toContain(part);
    expect(csp).not.toContain("unsafe");
    expect(r?.headers.get("x-content-type-options")).toBe("nosniff");
    expect(r?.headers.get("referrer-policy")).toBe("no-referrer");
  });

  test("hashed assets are cached for ever, others are asked for again", async () => {
    expect((await get("/assets/main-AbCd1234.js"))?.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    for (const path of ["/favicon.svg", "/assets/plain.js"]) expect((await get(path))?.headers.get("cache-control")).toBe("no-cache");
  });

  test("compressed as the browser likes and the build has prepared", async () => {
    const path = "/assets/main-AbCd1234.js";
    const of = async (accept: string, at = path): Promise<[string | null, string]> => {
      const r = (await get(at, { "accept-encoding": accept })) as Response;
      expect(r.headers.get("vary")).toBe("accept-encoding");
      expect(r.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
      return [r.headers.get("content-encoding"), Buffer.from(await r.arrayBuffer()).toString()];
    };
    expect(await of("gzip, deflate, br")).toEqual(["br", "not really brotli"]);
    expect(await of("gzip")).toEqual(["gzip", "not really gzip"]);
    expect(await of("br;q=0, gzip;q=0.5")).toEqual(["gzip", "not really gzip"]);
    expect(await of("br;q=0, gzip;q=0.0")).toEqual([null, SCRIPT]);
    expect(await of("")).toEqual([null, SCRIPT]);
    expect(await of("brotli, x-gzip")).toEqual([null, SCRIPT]);
    expect(await of("br, gzip", "/assets/plain.js")).toEqual([null, "1"]);
  });

  test("ETag: one for each encoding, in quotes; 304 with the headers of 200", async () => {
    const at = "/assets/main-AbCd1234.js";
    const tag = async (accept: string): Promise<string> => (await get(at, { "accept-encoding": accept }))?.headers.get("etag") ?? "";
    const tags = await Promise.all(["", "gzip", "br"].map(tag));
    expect(new Set(tags).size).toBe(3);
    for (const t of tags) expect(t).toMatch(/^"[\w-]+"$/);
    const [plain = "", , br = ""] = tags;
    const status = async (ifNoneMatch: string, accept: string) =>
      (await get(at, { "if-none-match": ifNoneMatch, "accept-encoding": accept }))?.status;
    expect(await status(plain, "")).toBe(304);
    expect(await status(br, "br")).toBe(304);
    expect(await status(`"x", W/${br}`, "br")).toBe(304);
    expect(await status("*", "")).toBe(304);
    expect(await status(plain, "br")).toBe(200);
    expect(await status('"other"', "")).toBe(200);
    const r = await get("/", { "if-none-match": (await get("/"))?.headers.get("etag") ?? "" });
    expect([r?.status, await r?.text()]).toEqual([304, ""]);
    expect(r?.headers.get("cache-control")).toBe("no-cache");
    expect(r?.headers.get("content-security-policy")).toContain("default-src 'self'");
  });

  test("every file has the headers that fence it in", async () => {
    for (const path of ["/", "/favicon.svg", "/assets/main-AbCd1234.js"]) {
      for (const accept of ["", "br"]) {
        const headers = (await get(path, { "accept-encoding": accept }))?.headers;
        expect([path, headers?.get("x-content-type-options"), headers?.get("cross-origin-resource-policy")]).toEqual([
          path,
          "nosniff",
          "same-origin",
        ]);
        expect(headers?.has("content-range")).toBe(false);
      }
    }
  });

  test("HEAD: the same headers", async () => {
    for (const path of ["/", "/favicon.svg", "/assets/main-AbCd1234.js"]) {
      const [g, h] = [await get(path), await get(path, {}, "HEAD")];
      expect(h?.status).toBe(200);
      for (const name of ["etag", "content-type", "cache-control"]) expect(h?.headers.get(name)).toBe(g?.headers.get(name) as string);
    }
  });

  test("a date alone makes no file current", async () => {
    const r = await get("/favicon.svg", { "if-modified-since": new Date(Date.now() + 1e9).toUTCString() });
    expect(r?.status).toBe(200);
  });

  test("deep links get the page, missing files and other methods nothing", async () => {
    expect((await get("/clients/abc", { accept: "text/html,*/*" }))?.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(await get("/clients/abc", { accept: "application/json" })).toBeNull();
    expect(await get("/nope.js", { accept: "text/html" })).toBeNull();
    expect(await get("/api/v9/x", { accept: "text/html" })).toBeNull();
    expect(await get("/", {}, "POST")).toBeNull();
    expect(await get("/assets/main-AbCd1234.js.br")).toBeNull();
    expect(await get("/assets/main-AbCd1234.js.gz")).toBeNull();
    expect(await get("/assets")).toBeNull();
  });

  test("nothing outside the folder", async () => {
    writeFileSync(join(dir, "..", `${SECRET}.txt`), "secret");
    try {
      for (const up of ["/..", "/../", "/%2e%2e", "/assets/../..", "/assets/..%2f..", "/..%5c", "//..", "/.%00./.."]) {
        expect([up, await get(`${up}/${SECRET}.txt`)]).toEqual([up, null]);
      }
    } finally {
      rmSync(join(dir, "..", `${SECRET}.txt`));
    }
  });

  test("no dashboard built: a page that says so", async () => {
    const r = await createStatic(join(dir, "nowhere")).serve("/", new Request("http://x/"));
    expect(await r?.text()).toContain("/api/v3/");
    expect(r?.headers.get("x-frame-options")).toBe("DENY");
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
