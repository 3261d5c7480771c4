/** Selectors as EMQ X 3.1's users write them: `username=%u, clientid=%c`. Each field has to be equal to a text: a value is never a question. */
import { CLIENT_VARIABLES, fillTemplate, type Part, parseTemplate, type Values } from "../_backend/template.ts";

export interface Selector {
  /** As written. */
  readonly text: string;
  readonly fields: readonly { readonly name: string; readonly value: readonly Part[] }[];
}

/** null = it is none. */
export function parseSelector(text: string): Selector | null {
  const fields: { name: string; value: readonly Part[] }[] = [];
  for (const part of text.split(",")) {
    const at = part.indexOf("=");
    const name = part.slice(0, Math.max(0, at)).trim();
    // A name that begins so would be an operator.
    if (name === "" || name.startsWith("$")) return null;
    fields.push({ name, value: parseTemplate(part.slice(at + 1).trim(), CLIENT_VARIABLES) });
  }
  return { text, fields };
}

/** A document of nothing but texts. */
export function fillSelector({ fields }: Selector, values: Values): Record<string, string> {
  return Object.fromEntries(fields.map(({ name, value }) => [name, fillTemplate(value, values)]));
}
