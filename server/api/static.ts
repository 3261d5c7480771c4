/**
 * The dashboard's files, served by @elysiajs/static: which files there are, and what is in them, is its affair. What a browser needs to
 * trust, cache and unpack them is added by a hook in front of it.
 */
import { existsSync } from "node:fs";
import { extname, join } from "node:path";
import { staticPlugin } from "@elysiajs/static";
import { Elysia } from "elysia";
import { empty } from "./reply.ts";

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

/** What the build lays beside a file, best first. */
const ENCODINGS = [
  { name: "br", ending: ".br" },
  { name: "gzip", ending: ".gz" },
] as const;
type Encoding = (typeof ENCODINGS)[number];

/** Vite puts a hash of eight or more characters before the ending. */
const HASHED = /^\/assets\/.*[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$/;
const FOR_EVER = "public, max-age=31536000, immutable";
const FILES_MAX = 10_000;
const MISSING = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Dashboard</title><p>The dashboard has not been built. The API is at <a href="/api/v3/">/api/v3/</a>.</p></html>`;

/** One file as the hook knows it. */
interface Entry {
  path: string;
  type: string;
  tag: string;
  encodings: readonly Encoding[];
}

export interface StaticFiles {
  /** null = there is no such file, and no page either. */
  serve(path: string, request: Request): Promise<Response | null>;
}

/** Does a list such as `gzip, br;q=0` take an encoding? */
function accepts(header: string, encoding: string): boolean {
  const element = header.split(",").find((e) => e.split(";")[0]?.trim().toLowerCase() === encoding);
  return element !== undefined && !/;\s*q=0(?:\.0*)?\s*$/.test(element);
}

/** By weak comparison (RFC 9110 section 13.1.2). */
const isCurrent = (ifNoneMatch: string | null, etag: string): boolean =>
  (ifNoneMatch ?? "").split(",").some((tag) => {
    const t = tag.trim();
    return t === "*" || t.replace(/^W\//, "") === etag;
  });

export function createStatic(dir: string): StaticFiles {
  const entries = new Map<string, Entry>();

  /** Of a path the plugin has a route for: looked at once, files do not change while we run. */
  async function entryOf(url: string): Promise<Entry> {
    const known = entries.get(url);
    if (known) return known;
    const path = join(dir, url);
    const file = Bun.file(path);
    const entry: Entry = {
      path,
      type: file.type.replace(";charset", "; charset"),
      tag: Bun.hash(await file.bytes()).toString(36),
      encodings: ENCODINGS.filter(({ ending }) => existsSync(path + ending)),
    };
    entries.set(url, entry);
    return entry;
  }

  /** On the first request: starting the node does not wait for it. */
  async function load() {
    if (!existsSync(join(dir, "index.html"))) return noDashboard();
    const plugin = await staticPlugin({
      assets: dir,
      prefix: "",
      alwaysStatic: true,
      staticLimit: FILES_MAX,
      indexHTML: false,
      // Its own is not in quotes, and the same for all encodings.
      etag: false,
      ignorePatterns: [/\.(?:br|gz)$/],
      silent: true,
    });
    return new Elysia({ handler: { standardHostname: false } })
      .onBeforeHandle(async ({ path, request, set }) => {
        const entry = await entryOf(path);
        const accepted = request.headers.get("accept-encoding") ?? "";
        const encoding = entry.encodings.find(({ name }) => accepts(accepted, name));
        const etag = `"${entry.tag}${encoding?.ending.replace(".", "-") ?? ""}"`;
        Object.assign(set.headers, SECURITY_HEADERS, {
          "cache-control": HASHED.test(path) ? FOR_EVER : "no-cache",
          "content-type": entry.type,
          vary: "accept-encoding",
          etag,
        });
        if (isCurrent(request.headers.get("if-none-match"), etag)) return new Response(null, { status: 304 });
        if (encoding) {
          const headers = { "content-type": entry.type, "content-encoding": encoding.name };
          return new Response(Bun.file(entry.path + encoding.ending), { headers });
        }
        // The framework would say Content-Range of a whole page.
        return extname(path) === ".html" ? new Response(Bun.file(entry.path)) : undefined;
      })
      .use(plugin);
  }

  let app: ReturnType<typeof load> | null = null;

  /** What failed once (files that cannot be read at the moment) is tried again with the next request. */
  async function loaded() {
    app ??= load();
    const mine = app;
    try {
      return await mine;
    } catch (err) {
      if (app === mine) app = null;
      throw err;
    }
  }

  async function get(path: string, request: Request): Promise<Response | null> {
    const { method, headers } = request;
    const response = await (await loaded()).handle(new Request(`http://localhost${path}`, { method, headers }));
    return response.status === 404 ? null : response;
  }

  return {
    async serve(path, request) {
      if (request.method !== "GET" && request.method !== "HEAD") return null;
      const file = await get(path === "/" ? "/index.html" : path, request);
      if (file) return file;
      // A page of the application: it finds its way by the path.
      const page = (request.headers.get("accept") ?? "").includes("text/html") && extname(path) === "" && !path.startsWith("/api");
      return page ? get("/index.html", request) : null;
    },
  };
}

function noDashboard() {
  const headers = { ...SECURITY_HEADERS, "content-type": "text/html; charset=utf-8", "cache-control": "no-cache" };
  return new Elysia({ handler: { standardHostname: false } }).get("/index.html", () => new Response(MISSING, { headers }));
}

export const noSuchFile = (): Response => empty(404);
