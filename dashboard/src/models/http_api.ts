/** Every route from the OpenAPI document, and trying one. */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { type ApiError, asApiError, type RawAnswer } from "../api/transport.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface Param {
  name: string;
  in: "path" | "query";
  required: boolean;
  description: string;
  type: string;
  options: readonly string[];
}

export interface Operation {
  id: string;
  method: "GET" | "POST" | "PUT" | "DELETE";
  path: string;
  tag: string;
  summary: string;
  description: string;
  params: readonly Param[];
  /** An example body, or null when the route takes none. */
  body: string | null;
}

interface Schema {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  const?: unknown;
  default?: unknown;
  example?: unknown;
  examples?: unknown[];
  description?: string;
  $ref?: string;
}

interface RawOperation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Schema }[];
  requestBody?: { content?: Record<string, { schema?: Schema; example?: unknown }> };
}

interface Document {
  paths?: Record<string, Record<string, RawOperation>>;
  components?: { schemas?: Record<string, Schema> };
}

const METHODS = ["get", "post", "put", "delete"] as const;

export function operationsOf(doc: Document): Operation[] {
  const out: Operation[] = [];
  for (const [full, methods] of Object.entries(doc.paths ?? {})) {
    const path = full.replace(/^\/api\/v3/, "") || "/";
    for (const m of METHODS) {
      const raw = methods[m];
      if (!raw) continue;
      out.push({
        id: `${m} ${path}`,
        method: m.toUpperCase() as Operation["method"],
        path,
        tag: raw.tags?.[0] ?? path.split("/")[1] ?? "",
        summary: raw.summary ?? raw.operationId ?? "",
        description: raw.description ?? "",
        params: paramsOf(path, raw),
        body: m === "get" ? null : bodyOf(raw, doc),
      });
    }
  }
  return out;
}

function paramsOf(path: string, raw: RawOperation): Param[] {
  const listed = (raw.parameters ?? []).flatMap((p): Param[] =>
    p.in === "path" || p.in === "query"
      ? [
          {
            name: p.name,
            in: p.in,
            required: p.required ?? p.in === "path",
            description: p.description ?? p.schema?.description ?? "",
            type: typeOf(p.schema),
            options: (p.schema?.enum ?? []).map(String),
          },
        ]
      : [],
  );
  // A document may leave path parameters undescribed; the path itself names them.
  const named = [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1] ?? "");
  const missing = named.filter((n) => !listed.some((p) => p.name === n));
  return [...missing.map((name): Param => ({ name, in: "path", required: true, description: "", type: "string", options: [] })), ...listed];
}

const typeOf = (s: Schema | undefined): string => (Array.isArray(s?.type) ? s.type.join("|") : (s?.type ?? ""));

function bodyOf(raw: RawOperation, doc: Document): string | null {
  const content = raw.requestBody?.content?.["application/json"];
  if (!content) return null;
  return JSON.stringify(content.example ?? exampleOf(content.schema, doc, 0), null, 2);
}

/** A body to start from: what is required, with defaults and first choices. */
function exampleOf(schema: Schema | undefined, doc: Document, depth: number): unknown {
  if (!schema || depth > 6) return null;
  if (schema.$ref) return exampleOf(doc.components?.schemas?.[schema.$ref.split("/").at(-1) ?? ""], doc, depth + 1);
  if (schema.example !== undefined) return schema.example;
  if (schema.examples?.length) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum?.length) return schema.enum[0];
  const choice = schema.anyOf?.[0] ?? schema.oneOf?.[0];
  if (choice) return exampleOf(choice, doc, depth + 1);
  if (schema.properties) {
    const names = schema.required?.length ? schema.required : Object.keys(schema.properties);
    return Object.fromEntries(names.map((n) => [n, exampleOf(schema.properties?.[n], doc, depth + 1)]));
  }
  if (schema.type === "array") return [exampleOf(schema.items, doc, depth + 1)];
  if (schema.type === "integer" || schema.type === "number") return 0;
  return schema.type === "boolean" ? false : schema.type === "object" ? {} : "";
}

/** Path with its parameters filled in (percent-encoded), and the query. */
export function fillPath(
  op: Pick<Operation, "path" | "params">,
  values: Readonly<Record<string, string>>,
): { path: string; query: Record<string, string> } {
  const path = op.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""));
  const query = Object.fromEntries(op.params.filter((p) => p.in === "query" && values[p.name]).map((p) => [p.name, values[p.name] ?? ""]));
  return { path, query };
}

export interface HttpApiModel {
  doc: Live<unknown>;
  operations: ReadonlySignal<readonly Operation[]>;
  answer: ReadonlySignal<RawAnswer | null>;
  error: ReadonlySignal<ApiError | null>;
  busy: ReadonlySignal<boolean>;
  send(op: Operation, values: Readonly<Record<string, string>>, body: string): Promise<void>;
  clear(): void;
  dispose(): void;
}

export function createHttpApi(app: App): HttpApiModel {
  const doc = createLive(() => app.api.openapi(), { link: app.link, every: 0 });
  const answer = signal<RawAnswer | null>(null);
  const error = signal<ApiError | null>(null);
  const busy = signal(false);
  return {
    doc,
    operations: computed(() => operationsOf((doc.data.value ?? {}) as Document)),
    answer,
    error,
    busy,
    async send(op, values, body) {
      const { path, query } = fillPath(op, values);
      busy.value = true;
      error.value = null;
      try {
        const parsed: unknown = op.body === null || body.trim() === "" ? undefined : JSON.parse(body);
        answer.value = await app.api.transport.raw({ method: op.method, path, query, ...(parsed === undefined ? {} : { body: parsed }) });
      } catch (e) {
        answer.value = null;
        error.value = asApiError(e);
      }
      busy.value = false;
    },
    clear() {
      answer.value = null;
      error.value = null;
    },
    dispose: () => doc.dispose(),
  };
}
