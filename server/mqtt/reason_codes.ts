/** Reason codes of MQTT 5.0 (section 2.4), their names, and what is left of them in MQTT 3.x. */

export const RC = {
  SUCCESS: 0x00,
  NORMAL_DISCONNECTION: 0x00,
  GRANTED_QOS_0: 0x00,
  GRANTED_QOS_1: 0x01,
  GRANTED_QOS_2: 0x02,
  DISCONNECT_WITH_WILL: 0x04,
  NO_MATCHING_SUBSCRIBERS: 0x10,
  NO_SUBSCRIPTION_EXISTED: 0x11,
  CONTINUE_AUTHENTICATION: 0x18,
  REAUTHENTICATE: 0x19,
  UNSPECIFIED_ERROR: 0x80,
  MALFORMED_PACKET: 0x81,
  PROTOCOL_ERROR: 0x82,
  IMPLEMENTATION_SPECIFIC_ERROR: 0x83,
  UNSUPPORTED_PROTOCOL_VERSION: 0x84,
  CLIENT_IDENTIFIER_NOT_VALID: 0x85,
  BAD_USERNAME_OR_PASSWORD: 0x86,
  NOT_AUTHORIZED: 0x87,
  SERVER_UNAVAILABLE: 0x88,
  SERVER_BUSY: 0x89,
  BANNED: 0x8a,
  SERVER_SHUTTING_DOWN: 0x8b,
  BAD_AUTHENTICATION_METHOD: 0x8c,
  KEEP_ALIVE_TIMEOUT: 0x8d,
  SESSION_TAKEN_OVER: 0x8e,
  TOPIC_FILTER_INVALID: 0x8f,
  TOPIC_NAME_INVALID: 0x90,
  PACKET_IDENTIFIER_IN_USE: 0x91,
  PACKET_IDENTIFIER_NOT_FOUND: 0x92,
  RECEIVE_MAXIMUM_EXCEEDED: 0x93,
  TOPIC_ALIAS_INVALID: 0x94,
  PACKET_TOO_LARGE: 0x95,
  MESSAGE_RATE_TOO_HIGH: 0x96,
  QUOTA_EXCEEDED: 0x97,
  ADMINISTRATIVE_ACTION: 0x98,
  PAYLOAD_FORMAT_INVALID: 0x99,
  RETAIN_NOT_SUPPORTED: 0x9a,
  QOS_NOT_SUPPORTED: 0x9b,
  USE_ANOTHER_SERVER: 0x9c,
  SERVER_MOVED: 0x9d,
  SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: 0x9e,
  CONNECTION_RATE_EXCEEDED: 0x9f,
  MAXIMUM_CONNECT_TIME: 0xa0,
  SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: 0xa1,
  WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: 0xa2,
} as const;

/** Words that EMQ X 3.1 uses for these codes in logs, shutdown counters and events. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0x00, "success"],
  [0x01, "granted_qos1"],
  [0x02, "granted_qos2"],
  [0x04, "disconnect_with_will_message"],
  [0x10, "no_matching_subscribers"],
  [0x11, "no_subscription_existed"],
  [0x18, "continue_authentication"],
  [0x19, "re_authenticate"],
  [0x80, "unspecified_error"],
  [0x81, "malformed_packet"],
  [0x82, "protocol_error"],
  [0x83, "implementation_specific_error"],
  [0x84, "unsupported_protocol_version"],
  [0x85, "client_identifier_not_valid"],
  [0x86, "bad_username_or_password"],
  [0x87, "not_authorized"],
  [0x88, "server_unavailable"],
  [0x89, "server_busy"],
  [0x8a, "banned"],
  [0x8b, "server_shutting_down"],
  [0x8c, "bad_authentication_method"],
  [0x8d, "keepalive_timeout"],
  [0x8e, "session_taken_over"],
  [0x8f, "topic_filter_invalid"],
  [0x90, "topic_name_invalid"],
  [0x91, "packet_identifier_inuse"],
  [0x92, "packet_identifier_not_found"],
  [0x93, "receive_maximum_exceeded"],
  [0x94, "topic_alias_invalid"],
  [0x95, "packet_too_large"],
  [0x96, "message_rate_too_high"],
  [0x97, "quota_exceeded"],
  [0x98, "administrative_action"],
  [0x99, "payload_format_invalid"],
  [0x9a, "retain_not_supported"],
  [0x9b, "qos_not_supported"],
  [0x9c, "use_another_server"],
  [0x9d, "server_moved"],
  [0x9e, "shared_subscriptions_not_supported"],
  [0x9f, "connection_rate_exceeded"],
  [0xa0, "maximum_connect_time"],
  [0xa1, "subscription_identifiers_not_supported"],
  [0xa2, "wildcard_subscriptions_not_supported"],
]);

/** The snake_case word for a reason code; "unknown_error" for codes the specification does not know. */
export function reasonName(code: number): string {
  return NAMES.get(code) ?? "unknown_error";
}

/** The reason code of a refusal, as somebody gives it who is not held to the types; `otherwise` for what is none: a client must not take it for a success. */
export function refusalCode(given: unknown, otherwise: number): number {
  return typeof given === "number" && given >= RC.UNSPECIFIED_ERROR && NAMES.has(given) ? given : otherwise;
}

/** Return codes of CONNACK in MQTT 3.1.1 (table 3.1). */
const CONNACK_V3 = {
  ACCEPTED: 0,
  UNACCEPTABLE_PROTOCOL_VERSION: 1,
  IDENTIFIER_REJECTED: 2,
  SERVER_UNAVAILABLE: 3,
  BAD_USERNAME_OR_PASSWORD: 4,
  NOT_AUTHORIZED: 5,
} as const;

const CONNACK_V3_OF: ReadonlyMap<number, number> = new Map([
  [RC.SUCCESS, CONNACK_V3.ACCEPTED],
  [RC.UNSUPPORTED_PROTOCOL_VERSION, CONNACK_V3.UNACCEPTABLE_PROTOCOL_VERSION],
  [RC.CLIENT_IDENTIFIER_NOT_VALID, CONNACK_V3.IDENTIFIER_REJECTED],
  [RC.BAD_USERNAME_OR_PASSWORD, CONNACK_V3.BAD_USERNAME_OR_PASSWORD],
  [RC.NOT_AUTHORIZED, CONNACK_V3.NOT_AUTHORIZED],
  [RC.BANNED, CONNACK_V3.NOT_AUTHORIZED],
  [RC.BAD_AUTHENTICATION_METHOD, CONNACK_V3.NOT_AUTHORIZED],
]);

/**
 * CONNACK reason code 5.0 -> return code 0..5 of 3.x. As EMQ X 3.1 maps them, except that 0x80..0x83 say "server unavailable"
 * where it said "unacceptable protocol version", which sent people looking in the wrong place.
 */
export function connackCodeV3(code5: number): number {
  return CONNACK_V3_OF.get(code5) ?? CONNACK_V3.SERVER_UNAVAILABLE;
}

/** Words of EMQ X 3.1 for the return codes of a 3.x CONNACK; the fourth word is its spelling. */
const REFUSALS_V3: readonly string[] = [
  "connection_accepted",
  "unacceptable_protocol_version",
  "client_identifier_not_valid",
  "server_unavaliable",
  "malformed_username_or_password",
  "unauthorized_client",
];

/** Why a CONNECT was refused, as EMQ X 3.1 counts it for a client of this version: 3.x clients are told less, and counted so. */
export function refusalName(version: number, code5: number): string {
  return version === 5 ? reasonName(code5) : (REFUSALS_V3[connackCodeV3(code5)] ?? "unknown_error");
}

/** SUBACK reason code 5.0 -> return code of 3.1.1: 0, 1, 2, or 0x80 for every failure [MQTT-3.9.3-2]. */
export function subackCodeV3(code5: number): number {
  return code5 <= 2 ? code5 : 0x80;
}
