/** The dashboard's files: read once, kept compressed, with the headers a browser needs to trust and to cache them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join, sep } from "node:path";
import { empty } from "./reply.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".webmanifest": "application/manifest+json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".webp": "image/webp",
  ".avif": "image/avif",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".woff": "font/woff",
  ".txt": "text/plain; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".wasm": "application/wasm",
};
const COMPRESSIBLE = /^(?:text\/|application\/(?:json|manifest)|image\/svg)/;
const COMPRESS_FROM = 1024;

/** No script, style, frame or connection but our own; the broker's WebSocket may be on another port of this host. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=()",
};

interface File {
  plain: Uint8Array<ArrayBuffer>;
  gzip: Uint8Array<ArrayBuffer> | null;
  brotli: Uint8Array<ArrayBuffer> | null;
  type: string;
  etag: string;
  /** Its name holds a hash of its content. */
  immutable: boolean;
}

/** Vite puts a hash of eight or more characters before the ending. */
const HASHED = /[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$/;
const MISSING = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Dashboard</title><p>The dashboard has not been built. The API is at <a href="/api/v3/">/api/v3/</a>.</p></html>`;

function fileOf(bytes: Uint8Array<ArrayBuffer>, name: string, brotli: Uint8Array<ArrayBuffer> | null): File {
  const type = TYPES[extname(name)] ?? "application/octet-stream";
  const worth = COMPRESSIBLE.test(type) && bytes.length >= COMPRESS_FROM;
  const gzip = worth ? Bun.gzipSync(bytes, { level: 9 }) : null;
  const etag = `"${Bun.hash(bytes).toString(36)}"`;
  return { plain: bytes, gzip, brotli, type, etag, immutable: name.startsWith("/assets/") && HASHED.test(name) };
}

export interface StaticFiles {
  /** null = there is no such file, and no page either. */
  serve(path: string, request: Request): Response | null;
}

export function createStatic(dir: string): StaticFiles {
  let files: Map<string, File> | null = null;

  /** On the first request: starting the node does not wait for it. */
  function load(): Map<string, File> {
    const loaded = new Map<string, File>();
    const names = existsSync(dir) ? readdirSync(dir, { recursive: true, encoding: "utf8" }) : [];
    for (const name of names) {
      if (extname(name) === "" || /\.(?:gz|br)$/.test(name)) continue;
      const path = join(dir, name);
      const brotli = existsSync(`${path}.br`) ? new Uint8Array(readFileSync(`${path}.br`)) : null;
      const url = `/${name.split(sep).join("/")}`;
      loaded.set(url, fileOf(new Uint8Array(readFileSync(path)), url, brotli));
    }
    if (!loaded.has("/index.html")) loaded.set("/index.html", fileOf(new TextEncoder().encode(MISSING), "/index.html", null));
    return loaded;
  }

  function answer(file: File, request: Request): Response {
    const cache = file.immutable ? "public, max-age=31536000, immutable" : "no-cache";
    const headers: Record<string, string> = { ...SECURITY_HEADERS, "cache-control": cache, etag: file.etag, vary: "accept-encoding" };
    if (request.headers.get("if-none-match")?.includes(file.etag)) return new Response(null, { status: 304, headers });
    headers["content-type"] = file.type;
    const accepted = request.headers.get("accept-encoding") ?? "";
    if (file.brotli && /\bbr\b/.test(accepted)) return new Response(file.brotli, { headers: { ...headers, "content-encoding": "br" } });
    if (file.gzip && /\bgzip\b/.test(accepted)) return new Response(file.gzip, { headers: { ...headers, "content-encoding": "gzip" } });
    return new Response(file.plain, { headers });
  }

  return {
    serve(path, request) {
      if (request.method !== "GET" && request.method !== "HEAD") return null;
      files ??= load();
      const file = files.get(path === "/" ? "/index.html" : path);
      if (file) return answer(file, request);
      // A page of the application: it finds its way by the path.
      const page = (request.headers.get("accept") ?? "").includes("text/html") && extname(path) === "" && !path.startsWith("/api");
      const index = files.get("/index.html");
      return page && index ? answer(index, request) : null;
    },
  };
}

export const noSuchFile = (): Response => empty(404);
