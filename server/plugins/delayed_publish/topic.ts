/** `$delayed/<n>/<topic>`: n seconds from now, or from 4294967 on a time of day in Unix seconds. EMQ X 3.1. */
import { validTopicName } from "../../mqtt/topic.ts";

export const PREFIX = "$delayed/";
/** 49.7 days: what 32 bits hold in milliseconds. */
export const MAX_DELAY_S = 4_294_967;

export interface Delayed {
  topic: string;
  /** Unix ms. */
  dueAt: number;
  /** It is a time of day, not a delay from now. */
  byTime: boolean;
}

/** What is wrong with the topic is told in words. `now` is Unix ms. */
export function parseDelayed(full: string, now: number): Delayed | string {
  const slash = full.indexOf("/", PREFIX.length);
  const number = slash < 0 ? "" : full.slice(PREFIX.length, slash);
  const topic = full.slice(slash + 1);
  if (!/^\d{1,10}$/.test(number)) return "expected $delayed/<seconds>/<topic>";
  // A delayed message that becomes a delayed message could go round for ever.
  if (!validTopicName(topic) || topic.startsWith(PREFIX)) return "no topic that can be published to behind the delay";
  const n = Number(number);
  if (n < MAX_DELAY_S) return { topic, dueAt: now + n * 1000, byTime: false };
  const dueAt = n * 1000;
  if (dueAt - now > MAX_DELAY_S * 1000) return `more than ${MAX_DELAY_S} seconds ahead`;
  return { topic, dueAt, byTime: true };
}
