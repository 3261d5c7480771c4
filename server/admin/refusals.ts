/** Refusals that many commands have, in the words of EMQ X 3.1. */

import { nearest } from "../lib/nearest.ts";
import { parseSharedFilter, validTopicName } from "../mqtt/topic.ts";
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

/** 108 "the body must be an object" */
export const badBody = (wanted: string): AdminError => new AdminError(CODE.BAD_PARAMETER, `the body must be ${wanted}`);

/** 108 "unknown parameter 'usernam', did you mean 'username'?" */
export function unknownField(name: string, known: readonly string[]): AdminError {
  const meant = nearest(name, known);
  const words = meant === null ? `; there are ${quoted(known)}` : `, did you mean '${meant}'?`;
  return new AdminError(CODE.BAD_PARAMETER, `unknown parameter '${name}'${words}`);
}

/** 115: what is asked about is neither a topic that can be published to nor a filter. @throws AdminError */
export function checkAskedTopic(action: "publish" | "subscribe", topic: string): void {
  if (action === "publish" && !validTopicName(topic))
    throw new AdminError(
      CODE.BAD_TOPIC,
      `'${topic}' is no topic that can be published to: it may have neither + or # nor control characters`,
    );
  if (action === "subscribe" && parseSharedFilter(topic) === null) throw new AdminError(CODE.BAD_TOPIC, `'${topic}' is no topic filter`);
}

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
