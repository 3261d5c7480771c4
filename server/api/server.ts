/** The HTTP servers: management (8080), dashboard (18083), and the socket of the command line. One application behind all of them. */
import type { Admin } from "../admin/index.ts";
import type { HttpServerConfig } from "../config/types.ts";
import type { Log } from "../core/ports.ts";
import { networkOf } from "../lib/cidr.ts";
import { createApp, type Incoming } from "./app.ts";
import { createAuth } from "./auth.ts";
import { announced, BODY_MAX, LOGIN_BODY_MAX, readAll, readCarefully } from "./body.ts";
import { refusal } from "./front.ts";
import { Busy, type Visit } from "./gate.ts";
import { createListen, type ListenDeps } from "./listen.ts";
import { badRequest, busy, empty, notFound, text } from "./reply.ts";
import type { Caller, Kind } from "./route.ts";
import { createStatic, noSuchFile } from "./static.ts";
import { parseQuery, splitUrl, type Target, target, wellFormed } from "./target.ts";

export interface HttpDeps {
  admin: Admin;
  log: Log;
  /** Folder of the built dashboard. */
  dashboardDir: string;
  tls: ListenDeps["tls"];
}

type Answer = Response | Promise<Response>;
type Wanted = Extract<Target, { kind: "root" | "api" }>;

export function createHttp({ admin, log, dashboardDir, tls }: HttpDeps) {
  const incoming = new WeakMap<Request, Incoming>();
  const app = createApp(admin, log, incoming);
  const auth = createAuth(admin, () => performance.now());
  const files = createStatic(dashboardDir);
  const listen = createListen({ log, answer, tls });

  function status(request: Request): Response {
    if (request.method !== "GET") return text("Not found.", 400);
    return text(`Node ${admin.node} is started\nemqx is running`);
  }

  /** Everything that is not `/api/v3`. */
  function other(kind: Kind, path: string, request: Request): Answer {
    if (kind === "management" && (path === "/status" || path === "/status/"))
      return path === "/status" ? status(request) : text("Not found.", 400);
    if (kind !== "dashboard") return empty(404);
    return files.serve(path, request).then((file: Response | null) => file ?? noSuchFile());
  }

  /** The body of somebody who is known. */
  function read(visit: Visit, caller: Caller): Incoming["read"] {
    return async (request) => {
      if (request.body === null) return new Uint8Array();
      const grow = (bytes: number): void => visit.take(visit.gate.bodies, keyOf(caller), "Too many bytes are being received", bytes);
      // Who does not say how much will come has room for what has come.
      if (!request.headers.has("content-length")) return readCarefully(request, BODY_MAX, request.signal, grow);
      grow(Math.min(announced(request), BODY_MAX));
      return readAll(request, BODY_MAX);
    };
  }

  /** The body of somebody who is not. */
  async function readLogin(visit: Visit, request: Request): Promise<Uint8Array> {
    const place = visit.gate.logins.enter(networkOf(visit.peer.address()));
    try {
      return await readCarefully(request, LOGIN_BODY_MAX, place.signal);
    } finally {
      place.leave();
    }
  }

  function route(visit: Visit, to: Wanted, search: string, caller: Caller | null): Answer {
    const { request, peer } = visit;
    const path = to.kind === "root" ? "/api/v3/" : to.path;
    // Rewriting is for crooked paths (it costs a second request object), and for https: the framework finds the path at a place
    // that fits `http://` only.
    const straight = request.url.startsWith("http://") && splitUrl(request.url).path === path;
    const final = straight ? request : new Request(`http://localhost${path}${search === "" ? "" : `?${search}`}`, request);
    const known = caller ?? { kind: "user", name: "" };
    incoming.set(final, {
      kind: visit.gate.kind,
      isLocal: () => visit.gate.kind === "ctl" || peer.isLocal(),
      caller: known,
      segments: to.kind === "root" ? [] : to.segments,
      query: parseQuery(search),
      read: caller === null ? (r) => readLogin(visit, r) : read(visit, caller),
      login: (username, password) => auth.login(username, password, peer),
      stream: () => visit.stream(keyOf(known), () => standing(known)),
    });
    return app.fetch(final);
  }

  /** What a caller comes in by, as it is now; null = it may not any more. To be compared only. */
  function standing({ kind, name }: Caller): string | null {
    if (kind === "ctl") return "";
    return kind === "app" ? admin.apps.standing(name) : admin.users.standing(name);
  }

  /** Who is asking is settled; null = that is what the request is about. */
  function pass(visit: Visit, to: Wanted, search: string, caller: Caller | null): Answer {
    const { method } = visit.request;
    if (to.kind === "root" && method !== "GET") return badRequest();
    // No route has an automatic HEAD (EMQ X 3.1); the framework would make one of every GET.
    if (method === "HEAD") return notFound();
    // `/api/v3//` is no route, though its segments are those of the root (EMQ X 3.1).
    if (to.kind === "api" && to.segments.length === 0) return notFound();
    if (!wellFormed(search)) return badRequest();
    try {
      if (caller !== null) visit.take(visit.gate.requests, keyOf(caller), "Too many requests at a time for one application or user");
    } catch (err) {
      if (err instanceof Busy) return busy(err.message);
      throw err;
    }
    return route(visit, to, search, caller);
  }

  /** From the headers alone: whoever is refused is refused before its body is read. */
  function answer(visit: Visit): Answer {
    const { gate, request, peer } = visit;
    const { path, search } = splitUrl(request.url);
    const to = target(path);
    if (to.kind === "malformed") return empty(400);
    if (to.kind === "other") return other(gate.kind, path, request);
    const refused = gate.kind === "ctl" ? null : refusal(peer);
    if (refused) return refused;
    if (isLogin(gate.kind, request.method, to)) return pass(visit, to, search, null);
    const verdict = auth.check(gate.kind, peer);
    if (verdict instanceof Promise) return verdict.then((v) => (v instanceof Response ? v : pass(visit, to, search, v)));
    return verdict instanceof Response ? verdict : pass(visit, to, search, verdict);
  }

  const http = {
    ...listen,

    /** Open the listeners of the management API or the dashboard. Rejects when one cannot be opened, naming it. */
    async start(config: HttpServerConfig): Promise<void> {
      if (config.which === "dashboard") {
        await admin.users.ensure(config.defaultUser.login, config.defaultUser.password);
      } else {
        admin.limits.maxRows = config.maxRowLimit;
        admin.apps.setDefaultSecret(config.defaultSecret);
        const first = config.defaultApplication;
        if (first && admin.apps.lookup(first.id) === null)
          admin.apps.add(first.id, first.secret, { name: "Default", desc: "Application user" });
      }
      await listen.openAll(config.which, config.listeners);
    },
  };
  admin.listeners.setHttp(http);
  return http;
}

const keyOf = (caller: Caller): string => `${caller.kind}:${caller.name}`;

const isLogin = (kind: Kind, method: string, to: Wanted): boolean =>
  kind === "dashboard" && method === "POST" && to.kind === "api" && to.segments.length === 1 && to.segments[0] === "auth";

export type Http = ReturnType<typeof createHttp>;
