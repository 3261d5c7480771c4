/**
 * Lists as PostgreSQL writes arrays: `{1,"a b",NULL}`.
 * [postgresql.org/docs/current/arrays.html, 8.15.6 Array Input and Output Syntax]
 */
import { exactJson, exactText } from "../../lib/exact_json.ts";
import { BackendError } from "../_backend/errors.ts";

/** What PostgreSQL takes a value for, "integer[]", is an array. */
export const isArrayType = (type: string): boolean => type.endsWith("[]");

/** How elements are written. */
interface Elements {
  readonly kind: "json" | "bytes" | "other";
  readonly delimiter: string;
}

/**
 * JSON of a list as an array of that type; null = the text is no list, the server may know it: `{1,2}`. Lists in it are further dimensions; in one of
 * JSON every element is JSON, and its null is SQL's.
 * @throws BackendError: a list in which nobody knows what the bytes are
 */
export function postgresArray(json: string, type: string): string | null {
  if (!/^\s*\[/.test(json)) return null;
  let list: unknown;
  try {
    list = exactJson(json);
  } catch {
    return null;
  }
  return Array.isArray(list) ? arrayText(list, elementsOf(type)) : null;
}

function elementsOf(type: string): Elements {
  const name = type.slice(0, type.indexOf("["));
  // Boxes have commas themselves: the only type with another delimiter.
  return { kind: /^jsonb?$/.test(name) ? "json" : name === "bytea" ? "bytes" : "other", delimiter: name === "box" ? ";" : "," };
}

function arrayText(list: readonly unknown[], of: Elements): string {
  // An array without elements has no dimensions either; before PostgreSQL 17 `{{},{}}` is a mistake.
  if (of.kind !== "json" && isEmpty(list)) return "{}";
  return `{${list.map((element) => elementText(element, of)).join(of.delimiter)}}`;
}

const isEmpty = (list: readonly unknown[]): boolean => list.every((element) => Array.isArray(element) && isEmpty(element));

function elementText(element: unknown, of: Elements): string {
  if (element === null || element === undefined) return "NULL";
  if (of.kind === "json") return quoted(exactText(element) ?? "null");
  if (Array.isArray(element)) return arrayText(element, of);
  if (of.kind === "bytes" && !isHex(element)) throw new BackendError("refused", NO_BYTES);
  if (typeof element === "string") return quoted(element);
  return typeof element === "object" ? quoted(exactText(element) ?? "null") : String(element);
}

/** In JSON bytes are base64, which may be a text as well; no base64 has a backslash. */
const isHex = (element: unknown): boolean => typeof element === "string" && element.startsWith("\\x");
const NO_BYTES =
  "a list for bytea[] has bytes as \\x and hexadecimal digits: in the rule's SQL concat('\\x', bin2hexstr(…)) makes such a text";

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
