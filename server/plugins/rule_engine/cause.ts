/** What an event was, as the errors of rules show it. */
import type { Message } from "../../core/message.ts";
import type { Cause } from "../plugin.ts";
import type { Noted } from "./columns.ts";

const { utf8Slice } = Buffer.prototype;

/** Of a payload, bytes. */
const PAYLOAD_SHOWN = 512;

export const causeOf = ({ event, clientId, message }: Noted): Cause => ({
  event: event.name,
  clientId,
  topic: message === null ? null : message.topic,
  payload: message === null ? null : shownPayload(message),
});

function shownPayload({ buf, payloadStart: start, payloadEnd: end }: Message): string {
  if (end - start <= PAYLOAD_SHOWN) return utf8Slice.call(buf, start, end);
  return `${utf8Slice.call(buf, start, start + PAYLOAD_SHOWN)}… (${end - start} bytes)`;
}
