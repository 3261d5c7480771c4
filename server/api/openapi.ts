/** The OpenAPI 3.1 document, made from the same rows as the handlers. */
import type { TSchema } from "@sinclair/typebox";
import { CODE, CODES } from "../admin/codes.ts";
import { type AnyRoute, type Kind, segmentsOf } from "./route.ts";

interface Parameter {
  name: string;
  in: "path" | "query";
  required: boolean;
  schema: unknown;
}

/** Every code a refusal here may have, with what it means and who sends it. */
const code = {
  type: "integer",
  oneOf: CODES.filter((c) => c.code !== CODE.SUCCESS && c.sent !== "").map((c) => ({ const: c.code, title: c.words, description: c.sent })),
};
const failure = {
  type: "object",
  required: ["code", "message"],
  properties: {
    code,
    message: { type: "string" },
    data: { description: "Only with `storage_failed: changed in memory only …`: what the answer would have been" },
  },
};
const meta = {
  type: "object",
  required: ["page", "limit", "count"],
  properties: { page: { type: "integer" }, limit: { type: "integer" }, count: { type: "integer" } },
};

/** `/nodes/{node}/plugins`: no slash at the end, parameters in braces. */
export function openApiPath(path: string): string {
  return `/${segmentsOf(path)
    .map((s) => (s.startsWith(":") ? `{${s.slice(1)}}` : s))
    .join("/")}`;
}

function envelope(r: AnyRoute): unknown {
  return {
    type: "object",
    required: ["code", ...(r.data ? ["data"] : []), ...(r.paged ? ["meta"] : [])],
    properties: { code: { const: 0 }, ...(r.data && { data: r.data }), ...(r.paged && { meta }) },
  };
}

function parameters(r: AnyRoute): Parameter[] {
  const names = segmentsOf(r.path).filter((s) => s.startsWith(":"));
  const inPath = names.map((s): Parameter => ({ name: s.slice(1), in: "path", required: true, schema: { type: "string" } }));
  const query = Object.entries((r.query?.properties ?? {}) as Record<string, TSchema>);
  const required = new Set(r.query?.required ?? []);
  return [...inPath, ...query.map(([name, schema]): Parameter => ({ name, in: "query", required: required.has(name), schema }))];
}

function operation(r: AnyRoute, operationId: string): unknown {
  const schema = r.array ?? (r.strict && r.body ? { ...r.body, additionalProperties: false } : r.body);
  const content =
    r.type === undefined
      ? { "application/json": { schema: { anyOf: [envelope(r), { $ref: "#/components/schemas/Failure" }] } } }
      : { [r.type]: { schema: r.type === "application/json" ? { type: "object" } : { type: "string" } } };
  return {
    operationId,
    summary: r.descr,
    tags: [segmentsOf(r.path).find((s) => s !== "nodes" && !s.startsWith(":")) ?? "nodes"],
    parameters: parameters(r),
    ...(schema && { requestBody: { required: (r.body?.required?.length ?? 0) > 0, content: { "application/json": { schema } } } }),
    ...(r.open && { security: [] }),
    responses: {
      "200": { description: "Success when `code` is 0", content },
      ...(schema && {
        "400": {
          description: "The body is not JSON, or too long, too deep, of too many values",
          content: { "text/plain": { schema: { const: "Bad Request" } } },
        },
      }),
      ...(!r.open && { "401": { description: "No or wrong credentials" } }),
      "403": { description: "Asked by a page of another origin, or with the default password, or an empty one, from elsewhere" },
      "503": { description: "A limit is in use; Retry-After tells when to come again" },
      "404": { description: "No such route, node or plugin", content: { "text/plain": { schema: { const: "Not found." } } } },
    },
  };
}

export function openApi(routes: readonly AnyRoute[], kind: Kind, product: { name: string; version: string }): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  const used = new Map<string, number>();
  for (const r of routes) {
    // EMQ X has used one name for two routes.
    const n = (used.get(r.name) ?? 0) + 1;
    used.set(r.name, n);
    const path = openApiPath(r.path);
    paths[path] ??= {};
    paths[path][r.method.toLowerCase()] = operation(r, n === 1 ? r.name : `${r.name}_${n}`);
  }
  const who = kind === "dashboard" ? "User name and password of the dashboard" : "AppID and AppSecret";
  return {
    openapi: "3.1.0",
    info: {
      title: `${product.name} management API`,
      version: product.version,
      description: "The REST API of EMQ X 3.1 (`/api/v3`) and its extensions. Business errors are HTTP 200 with a `code` other than 0.",
    },
    servers: [{ url: "/api/v3" }],
    security: [{ basic: [] }],
    components: {
      securitySchemes: { basic: { type: "http", scheme: "basic", description: who } },
      schemas: { Failure: failure },
    },
    paths,
  };
}
