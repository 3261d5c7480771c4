/** Documents for MongoDB: its JSON read, whole numbers as exact as it keeps them. */
import { exactJson } from "../../lib/exact_json.ts";

export type Document = Readonly<Record<string, unknown>>;

/** What of the library's EJSON is used. */
interface Ejson {
  parse(text: string, options: { relaxed: boolean }): unknown;
}

/** MongoDB's JSON, in which `{"$date": …}` is a date. @throws Error when it is none */
export function readDocument(json: string, ejson: Ejson): Document {
  return storable(exactJson(json, undefined, (text) => ejson.parse(text, { relaxed: true }))) as Document;
}

/** Its integers have 64 bits, and of a longer one the library would write the last 64: such a one is a text of its digits. Changed in place. */
export function storable(value: unknown): unknown {
  if (typeof value === "bigint") return BigInt.asIntN(64, value) === value ? value : String(value);
  if (typeof value !== "object" || value === null) return value;
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return value;
  const inside = value as Record<string, unknown>;
  for (const key in inside) {
    const before = inside[key];
    const now = storable(before);
    if (now !== before) inside[key] = now;
  }
  return value;
}
