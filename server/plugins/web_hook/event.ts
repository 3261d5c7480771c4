/** One event on its way to the service, as it waits and as it lies on the disk. */

import { causeIn, storedCause } from "../_sink/cause.ts";
import type { Codec } from "../_sink/types.ts";
import type { Cause } from "../actions.ts";

export interface WebHookEvent {
  /** The same however often it is sent. */
  readonly id: string;
  /** "message.publish"; of a rule's action "rule". */
  readonly hook: string;
  /** Topic, else client id. */
  readonly subject: string;
  /** Unix ms. */
  readonly at: number;
  /** JSON, or whatever a template has made. */
  readonly body: string;
  /** Of a rule's action: what made it. */
  readonly cause?: Cause;
}

/** Its fields in a line of JSON, then the body. */
export const eventCodec: Codec<WebHookEvent> = {
  encode({ body, cause, ...rest }) {
    const head = cause === undefined ? rest : { ...rest, cause: storedCause(cause) };
    return Buffer.from(`${JSON.stringify(head)}\n${body}`);
  },
  decode(bytes) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
    const end = text.indexOf("\n");
    const { id, hook, subject, at, cause } = JSON.parse(text.slice(0, end)) as Record<string, unknown>;
    if (typeof id !== "string" || typeof hook !== "string" || typeof subject !== "string" || typeof at !== "number")
      throw new Error("no event of the web hook");
    const found = causeIn(cause);
    return { id, hook, subject, at, body: text.slice(end + 1), ...(found !== null && { cause: found }) };
  },
};

/** What its texts take in memory beside the body. */
const HEAD_BYTES = 200;

/** About, without its cause; a text takes a byte a character, or two. */
export const eventBytes = ({ body, subject }: WebHookEvent): number => body.length + subject.length + HEAD_BYTES;

/** Ids that nobody else has. `start`: of this start. */
export function eventIds(start: string): () => string {
  let n = 0;
  return () => `msg_${start}${(n++).toString(36).padStart(6, "0")}`;
}
