/**
 * What the admin functions give and take: plain rows, as they travel on the wire. `api/contract.ts` shows them to the dashboard.
 *
 * Unset values of EMQ X 3.1's own fields are the string "undefined", never null. `…_at` is local server time `YYYY-MM-DD HH:MM:SS`,
 * `…_ms` Unix milliseconds (0 = not yet). Fields under "Extras" are ours; the others are EMQ X 3.1's.
 */

export type Unset = "undefined";
/** Where a value in force comes from. */
export type Origin = "default" | "file" | "env" | "flag" | "api";
export type Encoding = "plain" | "base64";
/** Rows in the table, or matches of the filter. */
export interface Meta {
  page: number;
  limit: number;
  count: number;
}

/** One entry of `GET /`. */
export interface RouteEntry {
  name: string;
  method: string;
  path: string;
  descr: string;
}

export interface BrokerInfo {
  node_status: "Running";
  version: string;
  sysdescr: string;
  uptime: string;
  datetime: string;
  /** Runtime, "R1/1.4.5". */
  otp_release: string;
  /** Extras. */
  product: string;
  product_version: string;
}
export interface Broker extends BrokerInfo {
  node: string;
}

export interface NodeInfo {
  name: string;
  connections: number;
  load1: string;
  load5: string;
  load15: string;
  max_fds: number;
  /** Bytes here, text with a unit ("76.45M") in the list. */
  memory_total: number;
  memory_used: number;
  process_available: number;
  process_used: number;
  node_status: "Running";
  otp_release: string;
  uptime: string;
  version: string;
  /** Extras. */
  uptime_ms: number;
  rss: number;
  heap_used: number;
  /** Per cent of one core over the last seconds. */
  cpu: number;
  /** ms the event loop was late, largest of the last seconds. */
  loop_delay: number;
  /** System memory in bytes. */
  os_memory_total: number;
  os_memory_free: number;
  cores: number;
  /** What there is for this node, bytes: of the machine, the container or `node.memory_limit`; 0 = unknown. */
  memory_limit: number;
  /** `high`: above `node.memory_high_watermark`, nothing new is kept. `critical`: queues do not grow any more. */
  memory_level: "normal" | "high" | "critical";
  /** What holds memory, bytes. `queues`: messages that wait, delayed ones too. */
  memory_queues: number;
  memory_retained: number;
  memory_sessions: number;
  memory_buffers: number;
}
export type NodeRow = Omit<NodeInfo, "memory_total" | "memory_used"> & { node: string; memory_total: string; memory_used: string };

export interface Connection {
  client_id: string;
  username: string;
  node: string;
  ipaddress: string;
  port: number;
  proto_name: "MQTT" | "MQIsdp";
  proto_ver: 3 | 4 | 5;
  clean_start: boolean;
  /** Seconds. */
  keepalive: number;
  connected_at: string;
  is_bridge: boolean;
  zone: string;
  peercert: string;
  is_super: boolean;
  mountpoint: string;
  will_topic: string;
  conn_mod: "emqx_connection" | "emqx_ws_connection";
  recv_oct: number;
  recv_cnt: number;
  recv_pkt: number;
  recv_msg: number;
  send_oct: number;
  send_cnt: number;
  send_pkt: number;
  send_msg: number;
  /** Bytes waiting for the socket. */
  send_pend: number;
  mailbox_len: number;
  heap_size: number;
  reductions: number;
  /** Extras. */
  connected_at_ms: number;
  listener: string;
  subscriptions_count: number;
  inflight_len: number;
  mqueue_len: number;
}

export interface Session {
  client_id: string;
  node: string;
  username: string;
  clean_start: boolean;
  binding: "local" | "remote";
  created_at: string;
  /** Seconds. */
  expiry_interval: number;
  subscriptions_count: number;
  max_subscriptions: number;
  inflight_len: number;
  max_inflight: number;
  mqueue_len: number;
  max_mqueue: number;
  mqueue_dropped: number;
  awaiting_rel_len: number;
  max_awaiting_rel: number;
  deliver_msg: number;
  enqueue_msg: number;
  mailbox_len: number;
  heap_size: number;
  reductions: number;
  /** Extras. */
  connected: boolean;
  created_at_ms: number;
  disconnected_at_ms: number;
}

export interface Subscription {
  client_id: string;
  node: string;
  /** Without `$share/<group>/` or `$queue/`. */
  topic: string;
  qos: 0 | 1 | 2;
  /** Extras. Group name, "$queue" for queue subscriptions. */
  share: string | Unset;
  nl: boolean;
  rap: boolean;
  rh: 0 | 1 | 2;
  sub_id: number;
}

export interface Route {
  topic: string;
  node: string;
}

/** Clients by what a plugin said of them; `ignored`: not known there; `errors`: nobody could be asked. */
export interface VerdictCounts {
  allowed: number;
  denied: number;
  ignored: number;
  errors: number;
}
/** Of a server that things are sent to: what waits, and what came of what did. */
export interface PluginQueue {
  rows: number;
  /** In memory. */
  bytes: number;
  disk_bytes: number;
  sent: number;
  dropped: number;
  gave_up: number;
  dead_letters: number;
  /** Bytes that a crash had left half-written. */
  torn: number;
  /** Why the disk takes nothing; null = it does, or is not used. */
  disk_error: string | null;
}
export interface PluginServer {
  /** "PostgreSQL at 127.0.0.1:5432". */
  what: string;
  state: "connecting" | "up" | "degraded" | "down";
  /** Unix ms. */
  since_ms: number;
  last_error: string | null;
  last_error_ms: number | null;
  running: number;
  waiting: number;
  pool: number;
  /** Calls so far = answered + refused + failed + timeouts + busy + gone + not_asked + those under way. */
  calls: number;
  answered: number;
  refused: number;
  failed: number;
  timeouts: number;
  busy: number;
  gone: number;
  /** Nobody was asked: the server was known to be down. */
  not_asked: number;
  retries: number;
  /** Of the last 1,024 answers, ms; null = there were none. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
  /** Absent = it is only asked. */
  queue?: PluginQueue;
}
export interface PluginStatus {
  servers: PluginServer[];
  /** Rows that could not be delivered and are kept, at `/<its name without emqx_>/dead_letters`; null = it keeps none. */
  dead_letters: number | null;
  authentication: VerdictCounts | null;
  acl: VerdictCounts | null;
}

export interface Plugin {
  name: string;
  version: string;
  description: string;
  active: boolean;
  /** Extras. Cannot be unloaded. */
  required: boolean;
  /** Why it does not run, or what failed last. */
  error: string | Unset;
  /** How often something of it failed since it was loaded. */
  failures: number;
  /** Its settings can be tried: `POST …/test`. */
  testable: boolean;
  /**
   * What its setting `on_error` (or `on_failure`) = ignore leaves to the next one of the access chain: "all", or "topics": log-ins are refused all the
   * same. null = it has no such setting.
   */
  on_error_of: "all" | "topics" | null;
  /** What it asks outside, and what came of it; null = nothing, or it does not run. */
  status: PluginStatus | null;
}
export interface NodePlugins {
  node: string;
  plugins: Plugin[];
}

export type { PluginConfigRow } from "../plugins/settings.ts";

export interface ConfigItem {
  key: string;
  value: string;
  /** Misspelt as in 3.1. */
  datatpye: string;
  datatype: string;
  app: string;
}
export interface NodeConfigs {
  node: string;
  config: ConfigItem[];
}

export interface Listener {
  protocol: string;
  listen_on: string;
  acceptors: number;
  max_conns: number;
  current_conns: number;
  /** `[]` when empty. */
  shutdown_count: [] | Record<string, number>;
  /** Extras. */
  name: string;
  running: boolean;
}
export interface NodeListeners {
  node: string;
  listeners: Listener[];
}

/** Counters by name ("messages/received"). */
export type Metrics = Record<string, number>;
export interface NodeMetrics {
  node: string;
  /** The 43 of EMQ X 3.1. */
  metrics: Metrics;
  /** Ours. */
  extra: Metrics;
}
/** "connections/count", "connections/max", … beside `node`. */
export type Stats = Record<string, number>;
export type NodeStats = { node: string } & Record<string, number | string>;

export type AlarmDesc = string | { severity: string; title: string; summary: string; timestamp: string };
export interface Alarm {
  id: string;
  desc: AlarmDesc;
  /** Extra. */
  raised_at_ms: number;
}
export interface NodeAlarms {
  node: string;
  alarms: Alarm[];
}
export interface AlarmHistory {
  id: string;
  desc: AlarmDesc;
  raised_at_ms: number;
  clear_at_ms: number;
  clear_at: string;
}
export interface NodeAlarmHistory {
  node: string;
  alarms: AlarmHistory[];
}

export type BannedAs = "client_id" | "username" | "ip_address";
export interface Banned {
  who: string;
  as: BannedAs;
  reason: string;
  desc: string;
  by: string;
  /** Unix seconds. */
  until: number | Unset;
}
/** POST /banned: answers the body as received. `kick: true` (extra) also closes matching connections. Addresses may be CIDR. */
export interface BannedRequest {
  who: string;
  as: BannedAs;
  reason?: string;
  desc?: string;
  by?: string;
  until?: number;
  kick?: boolean;
}

export interface AppRow {
  app_id: string;
  name: string;
  desc: string;
  status: boolean;
  /** Unix seconds. */
  expired: number | Unset;
}
/** `GET /apps/:appid`: `[]` when unknown. */
export interface App extends AppRow {
  secret: string;
}
export interface AppRequest {
  app_id: string;
  name?: string;
  secret?: string;
  desc?: string;
  status?: boolean;
  expired?: number | null;
}

export interface User {
  username: string;
  tags: string;
}
export interface WhoAmI {
  kind: "user" | "app" | "ctl";
  name: string;
  tags: string;
  /** The default password still stands, or an empty one. */
  must_change_password: boolean;
  node: string;
  version: string;
  product: string;
  product_version: string;
}
