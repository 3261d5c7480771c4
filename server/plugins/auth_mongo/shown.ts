/** What MongoDB has answered, for whoever asks why: the fields that were asked for, of a password's question none with its value. */
import type { ClientInfo } from "../../core/types.ts";
import type { Told } from "../_auth/asking.ts";
import { countWords, flagField, hiddenField, ROWS_SHOWN, ruleField } from "../_auth/shown.ts";
import type { Document } from "../_mongo/document.ts";

/** Field of a document of rules -> 1 subscribe, 2 publish, 3 both. */
export const TOPICS: Readonly<Record<string, number>> = { publish: 2, subscribe: 1, pubsub: 3 };

const NONE: Told = { answer: "no document" };

export const userTold = (fields: readonly string[], found: Document | null): Told =>
  found === null ? NONE : { answer: "a document", rows: [fields.map((name) => hiddenField(name, found[name]))] };

export const superTold = (field: string, found: Document | null): Told =>
  found === null ? NONE : { answer: "a document", rows: [[flagField(field, found[field])]] };

/** One row for each rule. */
export function rulesTold(found: Document | null, client: ClientInfo): Told {
  if (found === null) return NONE;
  const all = Object.keys(TOPICS).flatMap((field) => filtersIn(found, field).map((filter) => [ruleField(field, filter, client)]));
  const rows = all.slice(0, ROWS_SHOWN);
  return { answer: `a document with ${countWords(all.length, "rule")}`, ...(rows.length > 0 && { rows }) };
}

/** A list, or one. */
export function filtersIn(document: Document, field: string): readonly unknown[] {
  const value = document[field] ?? [];
  return Array.isArray(value) ? (value as unknown[]) : [value];
}
