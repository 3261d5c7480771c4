/** What columns, fields and hashes hold, read as texts. */
import type { User } from "./lookup.ts";

/** Classes of MongoDB's driver whose text is the value: bytes, whole numbers beyond JavaScript's, decimals, ids. */
const TEXTS_OF_MONGO: ReadonlySet<unknown> = new Set(["Binary", "Long", "Decimal128", "ObjectId"]);

/**
 * What a driver gives for a column. null = nothing, or a list or a document (JSON and arrays of the SQL servers, and MongoDB's): what JavaScript
 * makes a text of those, "[object Object]", would be a password that everybody knows.
 */
export function columnText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  return typeof value !== "object" || value instanceof Date || isMongoText(value) ? String(value) : null;
}

/** There is something, but no text. */
export const isNoText = (value: unknown): boolean => value !== null && value !== undefined && columnText(value) === null;

/** Of the class: a document may have a field of that name. */
function isMongoText(value: object): boolean {
  return !Object.hasOwn(value, "_bsontype") && TEXTS_OF_MONGO.has((value as { _bsontype?: unknown })._bsontype);
}

/** A salt that is no text is none that was hashed with: nobody gets in. */
export function userOf(password: unknown, salt: unknown): User {
  return { password: isNoText(salt) ? null : columnText(password), salt: columnText(salt) ?? "" };
}
