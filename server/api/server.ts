/** The HTTP servers: management (8080), dashboard (18083), and the socket of the command line. One application behind all of them. */
import { chmodSync, existsSync, unlinkSync } from "node:fs";
import type { Admin } from "../admin/index.ts";
import type { Log } from "../core/ports.ts";
import { cidrContains, parseCidr, parseIp } from "../lib/cidr.ts";
import { wordsOf } from "../lib/errors.ts";
import { createApp, type Incoming } from "./app.ts";
import { createAuth, type Peer } from "./auth.ts";
import type { Listener } from "./contract.ts";
import { parseQuery, splitUrl, target } from "./front.ts";
import { badRequest, empty, notFound, text } from "./reply.ts";
import type { Caller, Kind } from "./route.ts";
import { createStatic, noSuchFile } from "./static.ts";

/** As the plugins emqx_management and emqx_dashboard configure it. */
export interface HttpListenerOptions {
  host: string;
  port: number;
  /** Shown only: one event loop accepts all connections. */
  acceptors: number;
  /** Most requests at a time. */
  maxClients: number;
  /** First match wins; none matching = allow. */
  access: readonly { allow: boolean; cidr: string }[];
  tls: HttpTlsOptions | null;
}
export interface HttpTlsOptions {
  /** Empty = the generated self-signed pair. */
  keyfile: string;
  certfile: string;
  cacertfile: string;
  verifyPeer: boolean;
  failIfNoPeerCert: boolean;
  /** "tlsv1.3", "tlsv1.2", …; empty = the runtime's default. */
  versions: string[];
  ciphers: string;
}
export interface ManagementOptions {
  listeners: readonly HttpListenerOptions[];
  maxRowLimit: number;
  defaultSecret: string;
  defaultApplication: { id: string; secret: string } | null;
}
export interface DashboardOptions {
  listeners: readonly HttpListenerOptions[];
  defaultUser: { login: string; password: string };
}

export interface HttpDeps {
  admin: Admin;
  log: Log;
  /** Folder of the built dashboard. */
  dashboardDir: string;
  /** Key and certificate (PEM) for https without configured files. */
  selfSigned: () => Promise<{ key: string; cert: string }>;
}

type Server = Bun.Server<undefined>;

/** Bytes of a body; longer ones are refused by the runtime itself. Bodies above `BODY_MAX` are answered with 400. */
const REQUEST_MAX = 16 * 1024 * 1024;
/** Seconds a connection may be idle. */
const IDLE_S = 60;

interface Open {
  kind: "management" | "dashboard";
  options: HttpListenerOptions;
  secure: Bun.TLSOptions | null;
  /** null = stopped. */
  server: Server | null;
  port: number;
}

/** null = everybody may. */
function accessRules(rules: HttpListenerOptions["access"]): ((address: string) => boolean) | null {
  const ranges = rules.flatMap(({ allow, cidr }) => {
    const range = parseCidr(cidr);
    return range ? [{ allow, range }] : [];
  });
  if (ranges.length === 0) return null;
  return (address) => {
    const ip = parseIp(address);
    return ranges.find((r) => ip !== null && cidrContains(r.range, ip))?.allow ?? true;
  };
}

/** `[::1]` for an address with colons. */
const shown = (host: string, port: number): string => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);

export function createHttp(deps: HttpDeps) {
  const { admin, log } = deps;
  const incoming = new WeakMap<Request, Incoming>();
  const app = createApp(admin, log, incoming);
  const auth = createAuth(admin);
  const files = createStatic(deps.dashboardDir);
  let open: Open[] = [];
  let ctl: { server: Server; path: string } | null = null;

  function status(request: Request): Response {
    if (request.method !== "GET") return text("Not found.", 400);
    return text(`Node ${admin.node} is started\nemqx is running`);
  }

  /** Everything that is not `/api/v3`. */
  function other(kind: Kind, path: string, request: Request): Response {
    if (kind === "management" && (path === "/status" || path === "/status/"))
      return path === "/status" ? status(request) : text("Not found.", 400);
    if (kind !== "dashboard") return empty(404);
    return files.serve(path, request) ?? noSuchFile();
  }

  function route(
    kind: Kind,
    request: Request,
    server: Server,
    where: { path: string; segments: readonly string[]; search: string },
    caller: Caller,
    peer: Peer,
  ) {
    const { path, segments, search } = where;
    // Rewriting is for crooked paths (it costs a second request object), and for https: the framework finds the path at a place
    // that fits `http://` only.
    const straight = request.url.startsWith("http://") && splitUrl(request.url).path === path;
    const final = straight ? request : new Request(`http://localhost${path}${search === "" ? "" : `?${search}`}`, request);
    incoming.set(final, {
      kind,
      caller,
      peer,
      segments,
      query: parseQuery(search),
      login: (username, password) => auth.login(username, password, peer),
      keepOpen: () => server.timeout(request, 0),
    });
    return app.fetch(final);
  }

  const isLogin = (kind: Kind, method: string, segments: readonly string[]): boolean =>
    kind === "dashboard" && method === "POST" && segments.length === 1 && segments[0] === "auth";

  function handle(kind: Kind, request: Request, server: Server): Response | Promise<Response> {
    const { path, search } = splitUrl(request.url);
    const to = target(path);
    if (to.kind === "malformed") return empty(400);
    if (to.kind === "other") return other(kind, path, request);
    const segments = to.kind === "root" ? [] : to.segments;
    const peer: Peer = { address: () => server.requestIP(request)?.address ?? "", headers: request.headers };
    const pass = (caller: Caller): Response | Promise<Response> => {
      if (to.kind === "root" && request.method !== "GET") return badRequest();
      // No route has an automatic HEAD (EMQ X 3.1); the framework would make one of every GET.
      if (request.method === "HEAD") return notFound();
      // `/api/v3//` is no route, though its segments are those of the root (EMQ X 3.1).
      if (to.kind === "api" && segments.length === 0) return notFound();
      const where = { path: to.kind === "root" ? "/api/v3/" : to.path, segments, search };
      return route(kind, request, server, where, caller, peer);
    };
    if (isLogin(kind, request.method, segments)) return pass({ kind: "user", name: "" });
    const verdict = auth.check(kind, peer);
    if (verdict instanceof Promise) return verdict.then((v) => (v instanceof Response ? v : pass(v)));
    return verdict instanceof Response ? verdict : pass(verdict);
  }

  /** The limits of one listener in front of everything else. */
  function guarded(kind: Kind, options: HttpListenerOptions): (request: Request, server: Server) => Response | Promise<Response> {
    const allows = accessRules(options.access);
    return (request, server) => {
      if (allows && !allows(server.requestIP(request)?.address ?? "")) return text("Forbidden", 403);
      if (server.pendingRequests > options.maxClients) return text("Too many requests at a time", 503, { "retry-after": "1" });
      return handle(kind, request, server);
    };
  }

  async function tlsOf(o: HttpTlsOptions): Promise<Bun.TLSOptions> {
    const files = o.keyfile !== "" && o.certfile !== "";
    const pair = files ? { key: Bun.file(o.keyfile), cert: Bun.file(o.certfile) } : await deps.selfSigned();
    return {
      ...pair,
      ...(o.cacertfile !== "" && { ca: Bun.file(o.cacertfile) }),
      ...(o.verifyPeer && { requestCert: true, rejectUnauthorized: o.failIfNoPeerCert }),
      ...(o.ciphers !== "" && { ciphers: o.ciphers }),
    };
  }

  function listen(l: Open): void {
    const { host } = l.options;
    try {
      l.server = Bun.serve({
        hostname: host,
        port: l.port,
        maxRequestBodySize: REQUEST_MAX,
        idleTimeout: IDLE_S,
        development: false,
        // Said aloud: with `development: false` alone Bun 1.4 shares a port that somebody else listens on.
        reusePort: false,
        ...(l.secure && { tls: l.secure }),
        fetch: guarded(l.kind, l.options),
        error(err) {
          log.error("request failed", { server: l.kind, error: err.stack ?? err.message });
          return text("Internal Error", 500);
        },
      });
    } catch (err) {
      const why = (err as { code?: string }).code === "EADDRINUSE" ? "the port is in use" : wordsOf(err);
      throw new Error(`${l.kind} listener cannot open ${shown(host, l.port)}: ${why}`);
    }
    l.port = l.server.port ?? l.port;
    log.info("listening", { listener: protocolOf(l), address: shown(host, l.port) });
  }

  const protocolOf = (l: Open): string => `${l.options.tls ? "https" : "http"}:${l.kind}`;
  const find = (protocol: string, port: number): Open | undefined => open.find((l) => protocolOf(l) === protocol && l.port === port);

  async function openAll(kind: Open["kind"], listeners: readonly HttpListenerOptions[]): Promise<void> {
    await stop(kind);
    try {
      for (const options of listeners) {
        const l: Open = { kind, options, secure: options.tls ? await tlsOf(options.tls) : null, server: null, port: options.port };
        listen(l);
        open.push(l);
      }
    } catch (err) {
      await stop(kind);
      throw err;
    }
  }

  function start(kind: "management", options: ManagementOptions): Promise<void>;
  function start(kind: "dashboard", options: DashboardOptions): Promise<void>;
  async function start(kind: Open["kind"], options: ManagementOptions | DashboardOptions): Promise<void> {
    if ("defaultUser" in options) {
      await admin.users.ensure(options.defaultUser.login, options.defaultUser.password);
    } else {
      admin.limits.maxRows = options.maxRowLimit;
      admin.apps.setDefaultSecret(options.defaultSecret);
      const first = options.defaultApplication;
      if (first && admin.apps.lookup(first.id) === null)
        admin.apps.add(first.id, first.secret, { name: "Default", desc: "Application user" });
    }
    await openAll(kind, options.listeners);
  }

  /** The request that asked for it is answered before its server closes. */
  async function stop(kind: Open["kind"]): Promise<void> {
    const mine = open.filter((l) => l.kind === kind);
    open = open.filter((l) => l.kind !== kind);
    for (const l of mine) void l.server?.stop(false);
  }

  const http = {
    start,
    stop,

    /** The command line's socket: whoever may open it is the machine's owner. */
    startCtl(path: string): void {
      if (existsSync(path)) unlinkSync(path);
      const before = process.umask(0o177);
      try {
        const server = Bun.serve({
          unix: path,
          maxRequestBodySize: REQUEST_MAX,
          development: false,
          fetch: (request, s) => handle("ctl", request, s as Server),
        });
        ctl = { server: server as Server, path };
      } finally {
        process.umask(before);
      }
      chmodSync(path, 0o600);
    },

    async stopAll(): Promise<void> {
      for (const l of open) void l.server?.stop(true);
      open = [];
      if (ctl === null) return;
      void ctl.server.stop(true);
      if (existsSync(ctl.path)) unlinkSync(ctl.path);
      ctl = null;
    },

    list: (): Listener[] =>
      open.map((l) => ({
        protocol: protocolOf(l),
        listen_on: String(l.port),
        acceptors: l.options.acceptors,
        max_conns: l.options.maxClients,
        current_conns: l.server?.pendingRequests ?? 0,
        shutdown_count: [],
        name: l.kind,
        running: l.server !== null,
      })),

    stopOne(protocol: string, port: number): boolean {
      const l = find(protocol, port);
      if (!l?.server) return false;
      void l.server.stop(false);
      l.server = null;
      return true;
    },

    startOne(protocol: string, port: number): boolean {
      const l = find(protocol, port);
      if (!l || l.server) return false;
      listen(l);
      return true;
    },
  };
  admin.listeners.setHttp(http);
  return http;
}

export type Http = ReturnType<typeof createHttp>;
