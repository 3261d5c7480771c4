/** The Elysia application: every row of the route table becomes a route. */
import type { TObject, TSchema } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { Value } from "@sinclair/typebox/value";
import { Elysia } from "elysia";
import { CODE } from "../admin/codes.ts";
import { type Admin, AdminError } from "../admin/index.ts";
import type { Query } from "../admin/query.ts";
import { badBody, missing, unknownField } from "../admin/refusals.ts";
import type { Log } from "../core/ports.ts";
import { stackOf } from "../lib/errors.ts";
import { QueueFull } from "../lib/work_queue.ts";
import { BadBody, jsonOf, LateBody, mergeParams } from "./body.ts";
import { Busy } from "./gate.ts";
import { openApiPath } from "./openapi.ts";
import { badRequest, busy, failure, json, notFound, text } from "./reply.ts";
import { type AnyRoute, type Call, type Caller, type Kind, segmentsOf } from "./route.ts";
import { ROUTES, rootRoute } from "./v3/index.ts";

const PREFIX = "/api/v3";

/** What the front has found out about a request before a route is looked for. */
export interface Incoming {
  readonly kind: Kind;
  readonly caller: Caller;
  /** Decoded, below `/api/v3`. */
  readonly segments: readonly string[];
  readonly query: Query;
  readonly isLocal: Call["isLocal"];
  readonly login: Call["login"];
  readonly stream: Call["stream"];
  /** The whole body, in the limits that hold for this caller. @throws BadBody, LateBody, Busy */
  read(request: Request): Promise<Uint8Array>;
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

/** Unknown fields are ignored where a schema says nothing about them. */
const open = (body: TObject): TObject => ({ ...body, additionalProperties: body.additionalProperties ?? true });

/**
 * Do parameters fit a route's schema? Not left to the framework: the error it makes of a body that does not fit takes time with the
 * square of the body's depth. Compiled when first asked: starting the node does not wait for it.
 */
function checkerOf({ body }: AnyRoute): (params: Record<string, unknown>) => boolean {
  if (body === undefined) return () => true;
  let check: ((params: unknown) => boolean) | null = null;
  return (params) => {
    if (check === null) {
      const compiled = TypeCompiler.Compile(open(body));
      check = (value) => compiled.Check(value);
    }
    return check(params);
  };
}

const refusal = (err: AdminError): Response => failure(err.code, err.message);

/** What a check refuses; null = nothing. */
function refusalOf(check: () => void): AdminError | null {
  try {
    check();
    return null;
  } catch (err) {
    if (err instanceof AdminError) return err;
    throw err;
  }
}

/** It was made, but could not be kept. What the answer would have said (a generated secret, how many were deleted) is said nowhere else. */
async function inMemoryOnly({ code, message }: AdminError, done: Response): Promise<Response> {
  const isEnvelope = done.status === 200 && done.headers.get("content-type") === "application/json";
  return isEnvelope ? json({ ...((await done.json()) as object), code, message }) : done;
}

/** Code and message for parameters their schema refuses. */
function invalid(route: AnyRoute, params: Record<string, unknown>): Response {
  const schema = route.body as TObject;
  const absent = (schema.required ?? []).filter((name) => params[name] === undefined);
  if (absent.length > 0) return refusal(missing(...absent));
  const first = Value.Errors(schema, params).First();
  const name = first?.path.split("/")[1] ?? "";
  const special = route.errors !== undefined && Object.hasOwn(route.errors, name) ? route.errors[name] : undefined;
  if (special) return failure(special.code, special.message);
  return failure(CODE.BAD_PARAMETER, `value of '${name}': ${first === undefined ? "wrong type" : expectedBy(first)}`);
}

/** TypeBox's words; of several types or words, it says no more than that there are several. */
function expectedBy({ message, schema }: { message: string; schema: TSchema }): string {
  const kinds = ((schema.anyOf ?? []) as TSchema[]).map((s) => String(s.const ?? s.type));
  if (kinds.length < 2 || kinds.includes("undefined")) return message.replace(/^Expected/, "expected");
  return `expected ${kinds.slice(0, -1).join(", ")} or ${kinds.at(-1)}`;
}

/** Of a strict route: a body that is no object, or has a field that is not there. What the query brings beside it does not count. @throws AdminError */
function mustBeKnown(properties: Readonly<Record<string, unknown>>, json: unknown): void {
  if (Array.isArray(json)) throw badBody("an object");
  for (const name of Object.keys(json ?? {})) if (!Object.hasOwn(properties, name)) throw unknownField(name, Object.keys(properties));
}

export function createApp(admin: Admin, log: Log, incoming: WeakMap<Request, Incoming>) {
  function answer(err: unknown, request: Request): Response {
    if (err instanceof AdminError) return refusal(err);
    if (err instanceof BadBody) return badRequest();
    if (err instanceof Busy || err instanceof QueueFull) return busy(`Busy: ${err.message}`);
    // The rest is not waited for.
    if (err instanceof LateBody) return text("Request Timeout", 408, { connection: "close" });
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
    const fits = checkerOf(route);
    const withNode = segmentsOf(route.path).includes(":node");
    return async (request) => {
      const from = incoming.get(request);
      if (!from || (route.on && !route.on.includes(from.kind))) return notFound();
      const { caller, query, login, stream } = from;
      try {
        if (route.plugin && !admin.plugins.isRunning(route.plugin)) return notFound();
        const body = route.method === "GET" ? undefined : jsonOf(await from.read(request));
        const params = route.method === "GET" ? {} : mergeParams(query, body, route.body);
        if (route.strict) mustBeKnown(route.body?.properties ?? {}, body);
        if (route.method !== "GET" && !fits(params)) return invalid(route, params);
        const path = read(from.segments);
        if (withNode && !admin.hasNode(path.node ?? "")) return notFound();
        if (route.keeps === "or refuse") admin.keeping.mayChange();
        const response = await route.handle({
          admin,
          caller,
          server: from.kind,
          isLocal: from.isLocal,
          path,
          query,
          params,
          json: body,
          request,
          login,
          stream,
        });
        if (route.keeps !== undefined && route.keeps !== "by itself") {
          const why = refusalOf(() => admin.keeping.changed());
          if (why !== null) return inMemoryOnly(why, response);
        }
        return response;
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
      return code === "NOT_FOUND" ? notFound() : answer(error, request);
    },
  );

  for (const route of [rootRoute, ...ROUTES]) {
    const run = handler(route);
    // Names by place: two routes may call the same one differently (`:name`, `:type`), which the framework refuses. `pathReader` knows them.
    const path = PREFIX + openApiPath(route.path).replaceAll(/\{\w+\}/g, (_, at: number) => `:at${at}`);
    const detail = { summary: route.descr, operationId: route.name };
    // Bodies are read by the route, when it is clear who is asking and how much may come.
    app.route(route.method, path, ({ request }: { request: Request }): Promise<Response> => run(request), { detail, parse: "none" });
  }
  return app;
}
