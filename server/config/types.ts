/** The shapes the rest of the server sees of the configuration: plain, resolved values (ms, bytes, seconds as named). */

export type AclDenyAction = "ignore" | "disconnect";
export type SharedStrategy = "random" | "round_robin" | "sticky" | "hash";
export type Origin = "default" | "file" | "env" | "flag" | "api";

/** What was written for a key, and where. */
export interface SettingText {
  /** null = as by default, whatever lower layers say. */
  text: string | null;
  origin: Origin;
}

/** One key with its words. */
export interface ConfigRow {
  key: string;
  /** As text; "" = unset. */
  value: string;
  default: string;
  type: string;
  expects: string;
  doc: string;
  origin: Origin;
  live: boolean;
  app: string;
  choices: readonly string[] | null;
  secret: boolean;
}

/** What would keep a node from starting with its settings. */
export interface SettingProblem {
  /** Whose values are at fault; one of them is to be changed. */
  keys: readonly string[];
  /** One line: key, value, what was expected. */
  message: string;
}

/** `count` events in `intervalMs`, as in `10,1m`. */
export interface RateSpec {
  count: number;
  intervalMs: number;
}

/**
 * The settings of one zone: `mqtt.*` overridden by `zone.<name>.*`.
 * One mutable object per zone lives as long as the node, so a live change is seen by every client of the zone.
 */
export interface ZoneConfig {
  readonly name: string;
  idleTimeoutMs: number;
  publishLimit: RateSpec | null;
  allowAnonymous: boolean;
  aclNomatch: "allow" | "deny";
  enableAcl: boolean;
  enableBan: boolean;
  aclDenyAction: AclDenyAction;
  enableAclCache: boolean;
  aclCacheMaxSize: number;
  aclCacheTtlMs: number;
  maxPacketSize: number;
  maxClientidLen: number;
  /** 0 = no limit. */
  maxTopicLevels: number;
  maxQosAllowed: 0 | 1 | 2;
  /** Topic aliases a client may use towards the broker; 0 = none. */
  maxTopicAlias: number;
  retainAvailable: boolean;
  wildcardSubscription: boolean;
  sharedSubscription: boolean;
  /** Seconds; 0 = the client's own keep alive stands. */
  serverKeepalive: number;
  /** Seconds a client may ask for; 0 = any. */
  maxServerKeepalive: number;
  /** A client is dropped after keepalive * 2 * backoff seconds of silence (0.75 -> 1.5). */
  keepaliveBackoff: number;
  /** 0 = no limit. */
  maxSubscriptions: number;
  upgradeQos: boolean;
  /** 0 = no limit (65535). */
  maxInflight: number;
  retryIntervalMs: number;
  /** 0 = no limit. */
  maxAwaitingRel: number;
  awaitRelTimeoutMs: number;
  sessionExpiryIntervalMs: number;
  /** 0 = no limit. */
  maxMqueueLen: number;
  /** 0 = no limit. */
  maxMqueueBytes: number;
  /** Topic -> priority (1..255); null = none. */
  mqueuePriorities: ReadonlyMap<string, number> | null;
  mqueueDefaultPriority: "highest" | "lowest";
  mqueueStoreQos0: boolean;
  enableFlappingDetect: boolean;
  flappingThreshold: RateSpec;
  flappingBannedExpiryMs: number;
  /** Failed authentications that are too many; null = no limit. */
  authFailureLimit: RateSpec | null;
  /** Template with %c and %u; "" = none. */
  mountpoint: string;
  useUsernameAsClientid: boolean;
  ignoreLoopDeliver: boolean;
}

export type ListenerKind = "tcp" | "ssl" | "ws" | "wss";

export interface TlsConfig {
  keyfile: string;
  certfile: string;
  cacertfile: string;
  verifyPeer: boolean;
  failIfNoPeerCert: boolean;
  /** e.g. ["tlsv1.3", "tlsv1.2"]; empty = the runtime's default. */
  versions: readonly string[];
  /** OpenSSL cipher list; "" = default. */
  ciphers: string;
  handshakeTimeoutMs: number;
}

/** What came of looking at a listener's certificate files again. */
export interface CertificateReload {
  /** e.g. "listener.ssl.external" */
  listener: string;
  changed: boolean;
  /** Why the new files could not be used; the old certificate stays. null = fine. */
  error: string | null;
}

export interface ListenerConfig {
  kind: ListenerKind;
  /** The name in the key, e.g. "external". */
  name: string;
  host: string;
  port: number;
  /** As shown by the API: "0.0.0.0:1883" when an address was configured, "8883" when only a port was. */
  listenOn: string;
  zone: string;
  acceptors: number;
  maxConnections: number;
  /** Connections per second; 0 = no limit. */
  maxConnRate: number;
  /** Access rules in order of their number; first match wins; none matching = allow. */
  access: { allow: boolean; cidr: string }[];
  /** Bytes per second and burst; null = none. */
  rateLimit: { rate: number; burst: number } | null;
  proxyProtocol: boolean;
  proxyProtocolTimeoutMs: number;
  peerCertAsUsername: "cn" | "dn" | "crt" | "";
  nodelay: boolean;
  sendTimeoutMs: number;
  sendTimeoutClose: boolean;
  tls: TlsConfig | null;
  /** WebSocket only. */
  mqttPath: string;
  verifyProtocolHeader: boolean;
  proxyAddressHeader: string;
  /** Addresses and ranges; none = the nearest one, whoever it is. */
  trustedProxies: string[];
  proxyPortHeader: string;
  compress: boolean;
  /** Bytes; 0 = the zone's max packet size decides. */
  maxFrameSize: number;
  /** Pages that may connect besides those of the same host: origins, hosts, "null", "all". */
  allowOrigins: string[];
}

export type HttpTlsConfig = Omit<TlsConfig, "handshakeTimeoutMs">;

/** A listener of the management API or the dashboard. */
export interface HttpListenerConfig {
  host: string;
  port: number;
  /** As the configuration says it: "8080" or "127.0.0.1:8080". */
  listenOn: string;
  /** Shown only: one event loop accepts all connections. */
  acceptors: number;
  /** Most requests at a time. */
  maxClients: number;
  /** A client that takes nothing of its answer for so long is cut off. */
  sendTimeoutMs: number;
  /** Access rules in order of their number; first match wins, none matching = allow. */
  access: { allow: boolean; cidr: string }[];
  /** Addresses and ranges of proxies that are believed when they tell whom they speak for. */
  trustedProxies: string[];
  /** null = plain HTTP. */
  tls: HttpTlsConfig | null;
}
export interface ManagementConfig {
  which: "management";
  listeners: HttpListenerConfig[];
  maxRowLimit: number;
  /** Secret of applications created without one; "" = a random one each. */
  defaultSecret: string;
  /** Application made at start when it does not exist; null = none. */
  defaultApplication: { id: string; secret: string } | null;
}
export interface DashboardConfig {
  which: "dashboard";
  listeners: HttpListenerConfig[];
  defaultUser: { login: string; password: string };
}
export type HttpServerConfig = ManagementConfig | DashboardConfig;

/** Node-wide settings the core reads; mutable for live changes. */
export interface NodeConfig {
  nodeName: string;
  /** Per cent of the memory there is; 0 = never. */
  memoryHighWatermark: number;
  /** Bytes; 0 = what the machine or the container has. */
  memoryLimit: number;
  /** "v3.1.0": what the management API reports as broker version (EMQ X 3.1 compatibility). */
  apiVersion: string;
  sysIntervalMs: number;
  sharedStrategy: SharedStrategy;
  /** What happens to what would have to be stored while the disk fails. */
  storageOnError: "refuse" | "accept";
  /** Bytes of changes that may wait for a failing disk. */
  storagePendingLimit: number;
  presence: boolean;
  presenceQos: 0 | 1 | 2;
  /** module.subscription.N: auto-subscribe on connect; [] = off. */
  autoSubscribe: { topic: string; qos: 0 | 1 | 2 }[];
  /** module.rewrite.rule.N; [] = off. */
  rewrite: { filter: string; re: RegExp; dest: string }[];
}
