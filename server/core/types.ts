/** Values that travel through the core: who a client is, what it asks, what the access chain answers. */
import type { ZoneConfig } from "../config/types.ts";
import type { ProtocolVersion, QoS } from "../mqtt/types.ts";

/** What is known of a connected client; the same object for its whole connection. */
export interface ClientInfo {
  clientId: string;
  /** null when CONNECT carried none. */
  username: string | null;
  /** Peer address as text; IPv4-mapped IPv6 is shown as IPv4. */
  ip: string;
  port: number;
  version: ProtocolVersion;
  protocolName: "MQTT" | "MQIsdp";
  zone: ZoneConfig;
  /** e.g. "mqtt:tcp". */
  listener: string;
  isSuper: boolean;
  /** Mountpoint with placeholders already filled in; "" = none. */
  mountpoint: string;
  cleanStart: boolean;
  /** Seconds, as sent by the client. */
  keepalive: number;
  isBridge: boolean;
  /** TLS peer certificate, when the client gave one. */
  cert: PeerCertificate | null;
  /** Its CONNECT is not answered yet: what is asked about it, the topic of its will too, keeps it from coming in. Absent = it is. */
  isComing?: boolean;
  /** Goes up when what is kept of this client's access is to be asked anew; absent = 0. */
  aclGeneration?: number;
}

export interface PeerCertificate {
  cn: string;
  dn: string;
  /** PEM or DER in base64, for `peer_cert_as_username = crt`. */
  raw: string;
}

export interface Credentials {
  password: Uint8Array | null;
  /** Is the answer still awaited? Whoever asks others looks before. Absent = yes. */
  wanted?: () => boolean;
  /** Nobody is asked behind this handler. Absent = somebody may be. */
  isLast?: boolean;
}

export type Action = "publish" | "subscribe";
export type AclVerdict = "allow" | "deny";

/**
 * Answer of one step of the authentication fold. `null` = not my business, ask the next one.
 * `isSuper` skips ACL checks. `mountpoint` replaces the zone's one. `failed`: whoever would know could not be asked. `allow: null`: the next one
 * is asked, and when none lets the client in it is refused, whatever `allow_anonymous` says; with `failed` `allow_anonymous` decides, and who is
 * refused then hears `code` (SERVER_UNAVAILABLE) and has not given a wrong password.
 */
export type AuthStep =
  | null
  | { allow: true; isSuper?: boolean; mountpoint?: string; why?: string }
  | { allow: false; code: number; why: string; failed?: true }
  | { allow: null; code: number; why: string; failed?: true };

/** Outcome of the whole authentication fold. */
export type AuthResult =
  | { allow: true; isSuper: boolean; mountpoint?: string }
  /** `told`: what the client may hear; absent = `why`. */
  | { allow: false; code: number; why: string; told?: string };

/**
 * Answer of one step of the ACL fold; null, or a verdict that is null = pass on. `failed`: whoever would know could not be asked, so what comes of
 * it is kept for a second at most.
 */
export type AclStep = null | { verdict: AclVerdict; why?: string; failed?: true } | { verdict: null; why: string; failed: true };

/** Pluggable enhanced authentication (MQTT 5 AUTH, section 4.12). */
export interface AuthMethod {
  readonly name: string;
  /** First data from CONNECT; later data from AUTH packets. Keep state in `session`. */
  step(client: ClientInfo, data: Uint8Array | null, state: Record<string, unknown>): AuthExchange | Promise<AuthExchange>;
}
export type AuthExchange =
  | { status: "continue"; data: Uint8Array | null }
  | { status: "success"; data: Uint8Array | null; isSuper?: boolean }
  | { status: "failure"; code: number; why: string };

export interface SubscribeOptions {
  qos: QoS;
  /** No Local. */
  nl: boolean;
  /** Retain As Published. */
  rap: boolean;
  /** Retain Handling. */
  rh: 0 | 1 | 2;
  /** Subscription identifier; 0 = none. */
  subId: number;
}
