/** Reason codes as their specifications name them; what to search for when something is refused. */

const V5: Readonly<Record<number, string>> = {
  0: "Success",
  1: "Granted QoS 1",
  2: "Granted QoS 2",
  16: "No matching subscribers",
  17: "No subscription existed",
  128: "Unspecified error",
  129: "Malformed packet",
  130: "Protocol error",
  131: "Implementation specific error",
  132: "Unsupported protocol version",
  133: "Client identifier not valid",
  134: "Bad user name or password",
  135: "Not authorized",
  136: "Server unavailable",
  137: "Server busy",
  138: "Banned",
  139: "Server shutting down",
  140: "Bad authentication method",
  141: "Keep alive timeout",
  142: "Session taken over",
  143: "Topic filter invalid",
  144: "Topic name invalid",
  145: "Packet identifier in use",
  147: "Receive maximum exceeded",
  148: "Topic alias invalid",
  149: "Packet too large",
  150: "Message rate too high",
  151: "Quota exceeded",
  152: "Administrative action",
  153: "Payload format invalid",
  154: "Retain not supported",
  155: "QoS not supported",
  156: "Use another server",
  157: "Server moved",
  158: "Shared subscriptions not supported",
  159: "Connection rate exceeded",
  160: "Maximum connect time",
  161: "Subscription identifiers not supported",
  162: "Wildcard subscriptions not supported",
};

const CONNACK_V3: Readonly<Record<number, string>> = {
  1: "Unacceptable protocol version",
  2: "Identifier rejected",
  3: "Server unavailable",
  4: "Bad user name or password",
  5: "Not authorized",
};

export const reason = (code: number): string => `${V5[code] ?? "Unknown reason"} (0x${code.toString(16).padStart(2, "0")})`;

export const connackReason = (code: number, version: number): string =>
  version < 5 && CONNACK_V3[code] ? `${CONNACK_V3[code]} (${code})` : reason(code);
