/** Payloads and MQTT 5 properties as JSON, and back. */
import { validTopicName } from "../mqtt/topic.ts";
import type { PublishProperties } from "../mqtt/types.ts";
import { isMqttString } from "../mqtt/utf8.ts";
import type { MessageProperties } from "./extra_rows.ts";
import { badValue, notOneOf } from "./refusals.ts";
import type { Encoding } from "./rows.ts";

const strict = (): TextDecoder => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/** @throws AdminError 108 */
export function fromBase64(text: string, name: string): Uint8Array {
  try {
    // `atob` refuses what is no base64; the way from its characters to bytes must not be a callback for each: 60 ms for a mebibyte.
    return new Uint8Array(Buffer.from(atob(text), "latin1"));
  } catch {
    throw badValue(name, "base64");
  }
}

export type WantedEncoding = Encoding | "auto";

/** What `encoding=` asks for. @throws AdminError 108 */
export function wantedEncoding(text: string | undefined): WantedEncoding {
  if (text === undefined || text === "" || text === "auto") return "auto";
  if (text === "plain" || text === "base64") return text;
  throw notOneOf("encoding", ["plain", "base64", "auto"]);
}

/** `auto`: plain when the bytes are UTF-8, else base64. `plain` shows other bytes as U+FFFD. */
export function encodePayload(bytes: Uint8Array, wanted: WantedEncoding): { payload: string; encoding: Encoding } {
  if (wanted === "base64") return { payload: toBase64(bytes), encoding: "base64" };
  if (wanted === "plain") return { payload: new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes), encoding: "plain" };
  try {
    return { payload: strict().decode(bytes), encoding: "plain" };
  } catch {
    return { payload: toBase64(bytes), encoding: "base64" };
  }
}

/** undefined when there are none. */
export function showProperties(p: PublishProperties | null): MessageProperties | undefined {
  if (p === null) return undefined;
  const shown: MessageProperties = {
    ...(p.payloadFormat !== undefined && { payload_format: p.payloadFormat }),
    ...(p.messageExpiry !== undefined && { message_expiry: p.messageExpiry }),
    ...(p.contentType !== undefined && { content_type: p.contentType }),
    ...(p.responseTopic !== undefined && { response_topic: p.responseTopic }),
    ...(p.correlationData !== undefined && { correlation_data: toBase64(p.correlationData) }),
    ...(p.userProperties !== undefined && { user_properties: p.userProperties }),
  };
  return Object.keys(shown).length > 0 ? shown : undefined;
}

type Check = (value: unknown) => boolean;
const isWhole =
  (most: number): Check =>
  (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most;

/** A receiver that is given anything else has to end its connection. */
const CHECKS: Readonly<Record<keyof MessageProperties, readonly [check: Check, expected: string]>> = {
  payload_format: [isWhole(1), "0 or 1"],
  message_expiry: [isWhole(0xffffffff), "whole seconds"],
  content_type: [isMqttString, "a string without control characters, of 65,535 bytes at most"],
  response_topic: [(value) => typeof value === "string" && validTopicName(value), "a topic without wildcards and control characters"],
  correlation_data: [(value) => typeof value === "string" && value.length <= 4 * Math.ceil(65_535 / 3), "base64 of 65,535 bytes at most"],
  user_properties: [
    (value) => Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isMqttString)),
    "pairs of strings without control characters, of 65,535 bytes at most",
  ],
};

/** `p`: as it came. @throws AdminError 108 */
export function readProperties(p: MessageProperties | undefined): PublishProperties | null {
  if (p === undefined) return null;
  if (typeof p !== "object" || p === null || Array.isArray(p)) throw badValue("properties", "an object");
  for (const name of Object.keys(CHECKS) as (keyof MessageProperties)[]) {
    const [check, expected] = CHECKS[name];
    if (p[name] !== undefined && !check(p[name])) throw badValue(`properties.${name}`, expected);
  }
  const read: PublishProperties = {
    ...(p.payload_format !== undefined && { payloadFormat: p.payload_format }),
    ...(p.message_expiry !== undefined && { messageExpiry: p.message_expiry }),
    ...(p.content_type !== undefined && { contentType: p.content_type }),
    ...(p.response_topic !== undefined && { responseTopic: p.response_topic }),
    ...(p.correlation_data !== undefined && { correlationData: fromBase64(p.correlation_data, "properties.correlation_data") }),
    ...(p.user_properties !== undefined && { userProperties: p.user_properties }),
  };
  return Object.keys(read).length > 0 ? read : null;
}
