/** What an action sends of a row: its template filled, or the whole row as JSON. */
import { boundedText, compileRowTemplate, wholeRowJson } from "../_backend/row_template.ts";
import type { Row } from "./connector.ts";
import { ownBytes } from "./item.ts";
import { template } from "./params.ts";

export const PAYLOAD = {
  payload_tmpl: template("", "Payload Template", "Variables in it are filled in; empty = the whole row as JSON."),
} as const;

export type Payload = string | Uint8Array;

/** A template that is one variable leaves bytes as they are. @throws Error in words: it is none */
export function compilePayload(text: string): (row: Row) => Payload {
  if (text.trim() === "") return wholeRowJson;
  const compiled = compileRowTemplate(text);
  return (row) => {
    const value = compiled.value(row);
    return value instanceof Uint8Array ? ownBytes(value) : compiled.text(row);
  };
}

export const payloadBytes = (payload: Payload): Buffer =>
  typeof payload === "string" ? Buffer.from(payload) : Buffer.from(payload.buffer, payload.byteOffset, payload.length);

export const shownPayload = (payload: Payload): string => payloadBytes(payload).toString("utf8");

/**
 * Names that are fixed, values that are filled: user properties, headers, tags. What is not there is left out. What is returned throws an Error where
 * the row makes them too long together. @throws Error naming one that is none
 */
export function compileFields(name: string, given: Readonly<Record<string, unknown>>): (row: Row) => Record<string, string> {
  const all = Object.entries(given).map(([field, value]) => {
    if (typeof value !== "string") throw new Error(`${name}.${field}: expected a text`);
    return [field, compileRowTemplate(value)] as const;
  });
  return (row) => {
    const out: Record<string, string> = {};
    let length = 0;
    for (const [field, value] of all) {
      const filled = value.strict(row);
      length += filled?.length ?? 0;
      boundedText(length);
      if (filled !== null) Object.defineProperty(out, field, { value: filled, enumerable: true, configurable: true, writable: true });
    }
    return out;
  };
}

export const fieldsParam = (title: string, description: string) => ({ type: "object", default: {}, title, description }) as const;
