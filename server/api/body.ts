/** Bodies: JSON whatever the content type says, and its fields joined with those of the query. */
import type { TObject, TSchema } from "@sinclair/typebox";
import { parseJson } from "./json.ts";

/** Arrays and objects within each other; no route needs more than a handful. */
const DEPTH_MAX = 64;
/** Longer bodies are not read. */
const BODY_MAX = 8 * 1024 * 1024;

/** The body is not JSON, not UTF-8, too long, or JSON that has no fields. */
export class BadBody extends Error {}

/** The parsed body; undefined when there is none. @throws BadBody */
export async function readJson(request: Request): Promise<unknown> {
  if (request.body === null) return undefined;
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > BODY_MAX) throw new BadBody();
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.length === 0) return undefined;
  if (bytes.length > BODY_MAX) throw new BadBody();
  try {
    // Strict: a topic must not silently become another one.
    return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes), DEPTH_MAX);
  } catch {
    throw new BadBody();
  }
}

/** Text of the query as the type its field has in a body. */
function typed(text: string, schema: TSchema | undefined): unknown {
  if (schema?.type === "integer" || schema?.type === "number")
    return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
  if (schema?.type === "boolean") return text === "true" ? true : text === "false" ? false : text;
  return text;
}

/** Query first, then body; the first of a name counts. Arrays have no fields. @throws BadBody */
export function mergeParams(query: Readonly<Record<string, string>>, json: unknown, schema: TObject | undefined): Record<string, unknown> {
  if (json !== undefined && (typeof json !== "object" || json === null)) throw new BadBody();
  const properties = schema?.properties as Record<string, TSchema> | undefined;
  const params: Record<string, unknown> = {};
  for (const name in query) define(params, name, typed(query[name] as string, properties?.[name]));
  if (json === undefined || Array.isArray(json)) return params;
  for (const [name, value] of Object.entries(json)) if (!Object.hasOwn(params, name)) define(params, name, value);
  return params;
}

/** `_page`, `_sort` and the like, which steer lists; never a key of anything. */
export function isQueryWord(name: string): boolean {
  return /^_[a-z]/.test(name);
}

/** Plain assignment would take `__proto__` for something else. */
function define(params: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") Object.defineProperty(params, name, { value, enumerable: true, configurable: true, writable: true });
  else params[name] = value;
}
