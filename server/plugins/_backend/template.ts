/**
 * The variables in what a user writes of queries, commands, filters and parameters, as EMQ X 3.1 has them: `%u` user name, `%c` client id,
 * `%a` address, `%P` password, `%cn` and `%dn` the certificate's common name and subject, `%A` access (1 subscribe, 2 publish), `%t` topic.
 *
 * A template is parsed once; whoever fills it says what a value may be there (a bound value, one argument, one form field, one level of a
 * name): never by pasting text into text that somebody else parses again.
 */
import type { Action, ClientInfo } from "../../core/types.ts";

export type Variable = "u" | "c" | "a" | "P" | "cn" | "dn" | "A" | "t";
/** Without %P, %A and %t, which not every question has. */
export const CLIENT_VARIABLES: readonly Variable[] = ["u", "c", "a", "cn", "dn"];

export const ALL_VARIABLES: readonly Variable[] = [...CLIENT_VARIABLES, "P", "A", "t"];

/** Literal text, or a variable. */
export type Part = { readonly text: string } | { readonly variable: Variable };

/** The longer name first: `%cn` is not `%c` and an n. */
const VARIABLE = /%(cn|dn|[ucaPAt])/g;

/** Text with variables in it. What is no variable, or not one of `allowed`, stays as it is written. */
export function parseTemplate(text: string, allowed: readonly Variable[]): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const found of text.matchAll(VARIABLE)) {
    const variable = found[1] as Variable;
    if (!allowed.includes(variable)) continue;
    if (found.index > end) parts.push({ text: text.slice(end, found.index) });
    parts.push({ variable });
    end = found.index + found[0].length;
  }
  if (end < text.length) parts.push({ text: text.slice(end) });
  return parts;
}

/** What the variables stand for in one question. */
export interface Values {
  readonly client: ClientInfo;
  readonly password?: Uint8Array | null;
  readonly action?: Action;
  readonly topic?: string;
}

/** What is not there is "" (3.1 wrote "undefined" in places). */
export function variableValue(variable: Variable, { client, password, action, topic }: Values): string {
  switch (variable) {
    case "u":
      return client.username ?? "";
    case "c":
      return client.clientId;
    case "a":
      return client.ip;
    case "P":
      return password == null ? "" : Buffer.from(password).toString("utf8");
    case "cn":
      return client.cert?.cn ?? "";
    case "dn":
      return client.cert?.dn ?? "";
    case "A":
      return action === "subscribe" ? "1" : action === "publish" ? "2" : "";
    case "t":
      return topic ?? "";
  }
}

/** `form`: what is done to a value that is put among literal text, e.g. an escape. */
export function fillTemplate(parts: readonly Part[], values: Values, form: (value: string) => string = same): string {
  let out = "";
  for (const part of parts) out += "text" in part ? part.text : form(variableValue(part.variable, values));
  return out;
}

const same = (value: string): string => value;
