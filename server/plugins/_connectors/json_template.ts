/** A JSON text with variables in it that is JSON whatever they are: within a text they are escaped, elsewhere they are values. */
import { boundedText, compileRowTemplate, type RowTemplate, rowJson } from "../_backend/row_template.ts";
import type { Row } from "./connector.ts";

type Part = string | { readonly inText: boolean; readonly template: RowTemplate };

/** What is returned throws an Error where the row makes it too long. @throws Error in words: filled it would be no JSON object */
export function compileJsonTemplate(source: string): (row: Row) => string {
  const parts: Part[] = [];
  let inText = false;
  for (const [piece] of source.matchAll(/\$\{[^{}]*\}|\\.|"|[^"\\$]+|[\s\S]/g)) {
    if (piece.startsWith("${")) parts.push({ inText, template: compileRowTemplate(piece) });
    else {
      if (piece === '"') inText = !inText;
      const last = parts.at(-1);
      if (typeof last === "string") parts[parts.length - 1] = last + piece;
      else parts.push(piece);
    }
  }
  const fill = (row: Row): string => {
    let out = "";
    for (const part of parts) {
      out += typeof part === "string" ? part : filled(part, row);
      boundedText(out.length);
    }
    return out;
  };
  check(fill({}));
  return fill;
}

function filled({ inText, template }: Exclude<Part, string>, row: Row): string {
  if (inText) return JSON.stringify(template.strict(row) ?? "").slice(1, -1);
  const value = template.value(row);
  return value === undefined ? "null" : rowJson(typeof value === "number" && !Number.isFinite(value) ? null : value);
}

function check(example: string): void {
  let value: unknown;
  try {
    value = JSON.parse(example);
  } catch (err) {
    throw new Error(`it is no JSON: ${(err as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("expected a JSON object");
}
