/** Documents for MongoDB: its JSON read, whole numbers as exact as it keeps them. */
import { exactJson } from "../../lib/exact_json.ts";

export type Document = Readonly<Record<string, unknown>>;

/** What of the library's EJSON is used. */
interface Ejson {
  deserialize(extended: Document, options: { relaxed: boolean; useBigInt64: boolean }): Document;
}

/** MongoDB's JSON, in which `{"$date": …}` is a date. @throws Error when it is none */
export function readDocument(json: string, ejson: Ejson): Document {
  return ejson.deserialize(extended(exactJson(json), "") as Document, { relaxed: true, useBigInt64: true });
}

/** With long numbers as MongoDB's JSON has them. Arrays and objects are changed in place. `name`: what it is called where it stands. @throws Error */
function extended(value: unknown, name: string): unknown {
  if (name === "$date") checkDate(value);
  if (name.startsWith("$") && typeof value !== "object") return underMark(value, name);
  if (typeof value === "bigint") return isLong(value) ? { $numberLong: String(value) } : String(value);
  if (typeof value !== "object" || value === null) return value;
  const inside = value as Record<string, unknown>;
  for (const key in inside) {
    const before = inside[key];
    const now = extended(before, key);
    if (now !== before) inside[key] = now;
  }
  return value;
}

/** Ms before and after 1970 that a Date has. */
const DATE_MAX = 8.64e15;

/** A later one would be stored as 1970. @throws Error */
function checkDate(value: unknown): void {
  const ms = typeof value === "object" && value !== null ? (value as Record<string, unknown>).$numberLong : value;
  const isNumber = typeof ms === "number" || typeof ms === "bigint" || (ms !== value && typeof ms === "string");
  if (isNumber && Math.abs(Number(ms)) > DATE_MAX) throw new Error(`${ms} is no $date`);
}

/** The library takes the digits of a number as a text alone, and of too many the last 64 bits. @throws Error */
function underMark(value: unknown, name: string): unknown {
  const text = typeof value === "number" || typeof value === "bigint" ? String(value) : value;
  if (name === "$numberLong" && typeof text === "string" && /^-?\d+$/.test(text) && !isLong(BigInt(text)))
    throw new Error(`${text} is no ${name}`);
  if (name.startsWith("$number")) return text;
  return typeof value === "bigint" ? extended(value, "") : value;
}

/** Its integers have 64 bits, and of a longer one the library would write the last 64: such a one is a text of its digits. Changed in place. */
export function storable(value: unknown): unknown {
  if (typeof value === "bigint") return isLong(value) ? value : String(value);
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

const isLong = (n: bigint): boolean => BigInt.asIntN(64, n) === n;
