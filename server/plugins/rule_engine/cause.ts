/** What an event was, as the errors of rules show it. */
import type { Message } from "../../core/message.ts";
import type { Cause } from "../plugin.ts";
import type { Noted } from "./columns.ts";

const { utf8Slice } = Buffer.prototype;

/** Of a payload, bytes: of what SQL fails with, and of what is kept with each row that waits in an action's queue. */
const PAYLOAD_SHOWN = 512;
export const PAYLOAD_KEPT = 64;

export const causeOf = ({ event, clientId, message }: Noted, shown = PAYLOAD_SHOWN): Cause => ({
  event: event.name,
  clientId,
  topic: message === null ? null : message.topic,
  payload: message === null ? null : shownPayload(message, shown),
});

function shownPayload({ buf, payloadStart: start, payloadEnd: end }: Message, shown: number): string {
  if (end - start <= shown) return utf8Slice.call(buf, start, end);
  return `${utf8Slice.call(buf, start, start + shown)}… (${end - start} bytes)`;
}
