/** The Elysia application: every row of the route table becomes a route with its schema. */
import type { TObject } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { Elysia } from "elysia";
import { CODE } from "../admin/codes.ts";
import { type Admin, AdminError } from "../admin/index.ts";
import type { Query } from "../admin/query.ts";
import { missing } from "../admin/refusals.ts";
import type { Log } from "../core/ports.ts";
import { stackOf } from "../lib/errors.ts";
import type { Peer } from "./auth.ts";
import { BadBody, mergeParams, readJson } from "./body.ts";
import { openApiPath } from "./openapi.ts";
import { badRequest, failure, notFound } from "./reply.ts";
import { type AnyRoute, type Call, type Caller, type Kind, segmentsOf } from "./route.ts";
import { ROUTES, rootRoute } from "./v3/index.ts";

const PREFIX = "/api/v3";

/** What the front has found out about a request before a route is looked for. */
export interface Incoming {
  readonly kind: Kind;
  readonly caller: Caller;
  readonly peer: Peer;
  /** Decoded, below `/api/v3`. */
  readonly segments: readonly string[];
  readonly query: Query;
  readonly login: Call["login"];
  keepOpen(): void;
  /** Set as the request goes on. */
  route?: AnyRoute;
  json?: unknown;
  params?: Record<string, unknown>;
}

/** Path parameters by their places in the path. */
function pathReader(path: string): (segments: readonly string[]) => Record<string, string> {
  const places = segmentsOf(path).flatMap((s, i) => (s.startsWith(":") ? [[s.slice(1), i] as const] : []));
  return (segments) => {
    const read: Record<string, string> = {};
    for (const [name, i] of places) read[name] = segments[i] ?? "";
    return read;
  };
}

const refusal = (err: AdminError): Response => failure(err.code, err.message);

/** Code and message for parameters their schema refuses. */
function invalid(route: AnyRoute, params: Record<string, unknown>): Response {
  const schema = route.body as TObject;
  const absent = (schema.required ?? []).filter((name) => params[name] === undefined);
  if (absent.length > 0) return refusal(missing(...absent));
  const first = Value.Errors(schema, params).First();
  const name = first?.path.split("/")[1] ?? "";
  const special = route.errors !== undefined && Object.hasOwn(route.errors, name) ? route.errors[name] : undefined;
  if (special) return failure(special.code, special.message);
  return failure(CODE.BAD_PARAMETER, `value of '${name}': ${(first?.message ?? "wrong type").replace(/^Expected/, "expected")}`);
}

/** Unknown fields are ignored; the framework forbids them where a schema says nothing. */
const open = (body: TObject): TObject => ({ ...body, additionalProperties: body.additionalProperties ?? true });

export function createApp(admin: Admin, log: Log, incoming: WeakMap<Request, Incoming>) {
  function answer(err: unknown, request: Request): Response {
    if (err instanceof AdminError) return refusal(err);
    if (err instanceof BadBody) return badRequest();
    // Never a 500: a client of EMQ X 3.1 treats an answer with a code as an error like any other.
    log.error("request failed", {
      method: request.method,
      url: request.url,
      error: stackOf(err),
    });
    return failure(CODE.UNKNOWN, "internal_error");
  }

  function handler(route: AnyRoute): (request: Request) => Promise<Response> {
    const read = pathReader(route.path);
    const withNode = segmentsOf(route.path).includes(":node");
    return async (request) => {
      const from = incoming.get(request);
      if (!from || (route.on && !route.on.includes(from.kind))) return notFound();
      const path = read(from.segments);
      if (withNode && !admin.hasNode(path.node ?? "")) return notFound();
      if (route.plugin && !admin.plugins.isRunning(route.plugin)) return notFound();
      const { caller, query, json, login, keepOpen } = from;
      const params = from.params ?? {};
      const call: Call = { admin, caller, server: from.kind, path, query, params, json, request, login, keepOpen };
      try {
        return await route.handle(call);
      } catch (err) {
        return answer(err, request);
      }
    };
  }

  // First of all: it covers the routes added after it only.
  const app = new Elysia({ normalize: false, handler: { standardHostname: false } }).onError(
    { as: "global" },
    ({ code, error, request, set }) => {
      // Answers below bring their own status; what the framework has set already would win.
      set.status = 200;
      const from = incoming.get(request);
      if (code === "NOT_FOUND") return notFound();
      if (code === "PARSE") return badRequest();
      // By the schema, not by the code: the framework cannot make its own validation error of every value.
      if (from?.route?.body && !Value.Check(open(from.route.body), from.params)) return invalid(from.route, from.params ?? {});
      return answer(error, request);
    },
  );

  for (const route of [rootRoute, ...ROUTES]) {
    const run = handler(route);
    const parse = async ({ request }: { request: Request }): Promise<Record<string, unknown>> => {
      const from = incoming.get(request);
      if (!from) return {};
      const json = await readJson(request);
      const params = mergeParams(from.query, json, route.body);
      from.route = route;
      from.json = json;
      from.params = params;
      return params;
    };
    const path = PREFIX + openApiPath(route.path).replaceAll("{", ":").replaceAll("}", "");
    const detail = { summary: route.descr, operationId: route.name };
    const handle = async ({ request }: { request: Request }): Promise<Response> => run(request);
    if (route.method === "GET") app.route("GET", path, handle, { detail });
    else app.route(route.method, path, handle, { parse, detail, ...(route.body && { body: open(route.body) }) });
  }
  return app;
}
