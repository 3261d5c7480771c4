/** What Kafka's errors mean. */
import { BackendError } from "../_backend/errors.ts";
import type { Judgement } from "../_backend/options.ts";

/** Kafka's names of errors about the message itself. */
const REFUSED = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  "INVALID_TIMESTAMP",
  "CORRUPT_MESSAGE",
  "INVALID_TOPIC_EXCEPTION",
  "UNSUPPORTED_FOR_MESSAGE_FORMAT",
]);
/** What can be mended, and is others' no concern. */
const LATER = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "TOPIC_AUTHORIZATION_FAILED",
  "POLICY_VIOLATION",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
]);

export function judgeKafka(err: unknown): Judgement {
  if (err instanceof BackendError) return err.kind === "refused" ? "refused" : "down";
  const type = typeOf(err);
  if (REFUSED.has(type)) return "refused";
  return LATER.has(type) ? "part" : "down";
}

/** Of several attempts the last one's. */
function typeOf(err: unknown): string {
  let at = err as { type?: unknown; cause?: unknown } | null | undefined;
  for (let depth = 0; depth < 5 && at != null; depth++) {
    if (typeof at.type === "string") return at.type;
    at = at.cause as typeof at;
  }
  return "";
}

/** What was wrong with the last attempt, where the library has made several. */
export function kafkaWords(err: unknown): string {
  const { message, cause } = (err ?? {}) as { message?: unknown; cause?: { message?: unknown } };
  const why = typeof cause?.message === "string" ? cause.message : String(message);
  const type = typeOf(err);
  return type !== "" && !why.includes(type) ? `${why} (${type})` : why;
}

/** Of those to be mended: the topic may be a row's own fault. Replicas that are behind are not. */
const OF_THE_TOPIC = new Set(["UNKNOWN_TOPIC_OR_PARTITION", "TOPIC_AUTHORIZATION_FAILED", "POLICY_VIOLATION"]);

export const blamesTopic = (err: unknown): boolean => OF_THE_TOPIC.has(typeOf(err));

export const isTooLarge = (err: unknown): boolean => /^(?:MESSAGE|RECORD_LIST)_TOO_LARGE$/.test(typeOf(err));
