/**
 * Lists as PostgreSQL writes arrays: `{1,"a b",NULL}`.
 * [postgresql.org/docs/current/arrays.html, 8.15.6 Array Input and Output Syntax]
 */
import { exactJson, exactText } from "../../lib/exact_json.ts";

/** What PostgreSQL takes a value for, "integer[]", is an array. */
export const isArrayType = (type: string): boolean => type.endsWith("[]");

/**
 * JSON of a list as an array of that type; null = the text is no list, the server may know it: `{1,2}`. Lists in it are further dimensions; in one of
 * JSON every element is JSON, and its null is SQL's.
 */
export function postgresArray(json: string, type: string): string | null {
  if (!/^\s*\[/.test(json)) return null;
  let list: unknown;
  try {
    list = exactJson(json);
  } catch {
    return null;
  }
  return Array.isArray(list) ? arrayText(list, /^jsonb?\[/.test(type)) : null;
}

function arrayText(list: readonly unknown[], ofJson: boolean): string {
  return `{${list.map((element) => elementText(element, ofJson)).join(",")}}`;
}

function elementText(element: unknown, ofJson: boolean): string {
  if (element === null || element === undefined) return "NULL";
  if (ofJson) return quoted(exactText(element) ?? "null");
  if (Array.isArray(element)) return arrayText(element, false);
  if (typeof element === "string") return quoted(element);
  return typeof element === "object" ? quoted(exactText(element) ?? "null") : String(element);
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
