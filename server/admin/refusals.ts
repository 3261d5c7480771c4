/** Refusals that many commands have, in the words of EMQ X 3.1. */
import { CODE } from "./codes.ts";
import { AdminError } from "./deps.ts";

const quoted = (words: readonly (string | number)[]): string =>
  `[${words.map((w) => (typeof w === "string" ? `'${w}'` : String(w))).join(", ")}]`;

/** 107 "missing mandatory params: ['who', 'as']" */
export const missing = (...names: readonly string[]): AdminError =>
  new AdminError(CODE.MISSING_PARAMETER, `missing mandatory params: ${quoted(names)}`);

/** 108 "value of 'qos' must be an integer" */
export const badValue = (name: string, wanted: string): AdminError =>
  new AdminError(CODE.BAD_PARAMETER, `value of '${name}' must be ${wanted}`);

/** 108 "value of 'as' must be one of: ['client_id', 'username', 'ip_address']" */
export const notOneOf = (name: string, words: readonly (string | number)[]): AdminError => badValue(name, `one of: ${quoted(words)}`);

/** 108 "value of 'topics' must be a list of no more than 10000 topics" */
export const tooMany = (name: string, most: number, what: string): AdminError => badValue(name, `a list of no more than ${most} ${what}`);

/** 102 "not_found" */
export const notFound = (): AdminError => new AdminError(CODE.UNKNOWN, "not_found");

/** 102 "emqx_retainer is not running" */
export const notRunning = (plugin: string): AdminError => new AdminError(CODE.UNKNOWN, `${plugin} is not running`);

/** 112 */
export const offline = (message: "not_found" | "session_not_found"): AdminError => new AdminError(CODE.CLIENT_OFFLINE, message);

/** 115 */
export const badTopic = (): AdminError => new AdminError(CODE.BAD_TOPIC, "bad_topic");

/** Optional text as received: not sent, null and EMQ X's "undefined" are none. @throws AdminError 108 */
export function optionalText(value: unknown, name: string): string | null {
  if (value === undefined || value === null || value === "undefined") return null;
  if (typeof value === "string") return value;
  throw badValue(name, "a string");
}
