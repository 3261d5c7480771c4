/**
 * The wire contract of `/api/v3`: types only, the one server file the dashboard may import.
 *
 * Envelope: every JSON answer is HTTP 200 with `{code, data?, meta?}` or `{code, message}`; `code` 0 = success. 400, 401 and 404 are
 * plain text (401: `UNAUTHORIZED`; 404: `Not found.`). Unset values of EMQ X 3.1's own fields are the string `"undefined"`, never null.
 * Times ending in `_at` are local server time `YYYY-MM-DD HH:MM:SS`; numbers ending in `_ms` are Unix milliseconds (0 = not yet).
 * A path segment is percent-encoded by the caller (`encodeURIComponent`) and decoded once by the server. A trailing slash never matters.
 * Every body field may be given in the query instead; the query wins. Unknown query keys (`_=123`) are ignored.
 *
 * Paged lists (`Page<T>`): `_page` (1), `_limit` (10000). Filters are ANDed: `field=value` is exact, `_like_field=text` is a
 * case-insensitive "contains", `_sort=field` or `_sort=-field` (descending). With a filter `meta.count` is the number of matches. Order without
 * `_sort` is that of creation.
 *
 * | list          | exact filters                                                                      | `_like_`                      | sort |
 * |---------------|------------------------------------------------------------------------------------|-------------------------------|------|
 * | connections   | client_id username ip_address proto_ver clean_start zone is_super listener conn_mod | client_id username ip_address | any field of the row |
 * | sessions      | client_id username clean_start connected                                           | client_id username            | any field of the row |
 * | subscriptions | client_id topic qos share                                                          | client_id topic               | any field of the row |
 * | routes        | topic                                                                              | topic                         | topic |
 * | banned        | who as                                                                             | who reason                    | any field of the row |
 * | retained      | topic qos; `_filter` = MQTT topic filter                                           | topic                         | any field of the row |
 * | delayed       | topic                                                                              | topic                         | any field of the row |
 *
 * Routes beyond the EMQ X 3.1 document:
 *
 * | method and path                                          | query / body                                   | answer (`data`) |
 * |----------------------------------------------------------|------------------------------------------------|-----------------|
 * | GET /connection/username/:username, /nodes/:node/connection/username/:username |                          | Connection[] |
 * | DELETE /connections                                      | body {client_ids: string[]}                    | {kicked: string[], not_found: string[]} |
 * | GET /connections/:clientid/acl                           |                                                | AclCacheEntry[] (112 when offline) |
 * | DELETE /connections/:clientid/acl                        | whole cache                                    | – |
 * | DELETE /sessions/persistent/:clientid, /nodes/:node/sessions/persistent/:clientid |                       | – (102 not_found, running_session) |
 * | PUT /nodes/:node/plugins/:plugin/reload, PUT /plugins/:plugin/(load,unload,reload) |                      | – |
 * | POST /mqtt/publish                                       | + encoding, properties; header `x-receivers`   | – |
 * | POST /mqtt/publish_batch, /mqtt/subscribe_batch, /mqtt/unsubscribe_batch | body: array of the single bodies | BatchResult[] |
 * | GET /mqtt/subscribe                                      | topic (comma list), qos, encoding              | Server-Sent Events, see LiveMessage |
 * | GET /retained                                            | paged, filters                                 | Page<Retained> |
 * | DELETE /retained                                         | _filter (MQTT filter, `#` = all but $-topics)  | {deleted: number} |
 * | GET /retained/:topic                                     | encoding=plain,base64,auto                     | RetainedMessage (102 not_found) |
 * | DELETE /retained/:topic                                  |                                                | – (102 not_found) |
 * | GET /delayed, DELETE /delayed/:id, POST /delayed/:id/send | paged                                         | Page<Delayed>, –, – (102 not_found) |
 * | GET /monitor                                             | from, to (Unix ms), step (s, multiple of 60)   | MonitorHistory |
 * | GET /monitor/current                                     | since (Unix ms: only newer samples)            | MonitorCurrent |
 * | POST /explain                                            | ExplainRequest                                 | ExplainResult |
 * | GET /settings                                            | _like_key, app                                 | Setting[] |
 * | PUT /settings                                            | {key: text or null = back to file/default}     | SettingsApplied (108 names the key; nothing changed) |
 * | GET /alarms/present, /alarms/present/:node               |                                                | NodeAlarms[], Alarm[] |
 * | GET /alarms/history, /alarms/history/:node; DELETE /alarms/history | limit                                | NodeAlarmHistory[], AlarmHistory[]; – |
 * | PUT /nodes/:node/listeners/:protocol/:port/(start,stop,restart) | protocol as in the list, e.g. mqtt:tcp  | – (102 not_found) |
 * | GET /topics/tree                                         | prefix, limit (200, max 1000)                  | TopicTree |
 * | GET, POST /trace; DELETE /trace/:kind/:what               | TraceRequest                                   | Trace[], –, – |
 * | GET /auth_username, GET, PUT, DELETE /auth_username/:username; POST /auth_username | {username, password}     | string[], Account; 404 while the plugin is off |
 * | GET /auth_clientid, …                                    | {clientid, password}                           | the same |
 * | GET /whoami                                              |                                                | WhoAmI |
 * | GET /openapi.json                                        |                                                | OpenAPI 3.1 document, no envelope |
 * | GET /prometheus/metrics                                  |                                                | Prometheus text |
 *
 * POST /auth {username, password} is the only route open without credentials (port 18083). Wrong ones: code 103; too many: HTTP 401 with Retry-After.
 * While the default password stands and the caller is not on this machine: HTTP 403, text/plain, an explanation.
 */

/** 0 success · 102 unknown · 103 wrong user name or password · 104 empty · 105 no such user · 106 admin stays · 107 missing · 108 bad value · 109 not JSON · 112 client not online · 113 user exists · 114 old password wrong · 115 bad topic. */
export type Code = 0 | 101 | 102 | 103 | 104 | 105 | 106 | 107 | 108 | 109 | 110 | 111 | 112 | 113 | 114 | 115;
export interface Ok {
  code: 0;
}
export interface Data<T> {
  code: 0;
  data: T;
}
export interface Meta {
  page: number;
  limit: number;
  /** Rows in the table, or matches of the filter. */
  count: number;
}
export interface Page<T> extends Data<T[]> {
  meta: Meta;
}
export interface Failure {
  code: Exclude<Code, 0>;
  message: string;
}
export type Unset = "undefined";
export type Encoding = "plain" | "base64";

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
  /** Runtime, "R1.4.5/bun". */
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

export interface Plugin {
  name: string;
  version: string;
  description: string;
  active: boolean;
}
export interface NodePlugins {
  node: string;
  plugins: Plugin[];
}

export interface PluginConfigRow {
  key: string;
  /** Text as configured; "" when only the default is in force. */
  value: string;
  desc: string;
  required: boolean;
  /** Extras: what a form needs. */
  type: string;
  default: string;
  enum?: string[];
  secret?: boolean;
}

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

/** The 43 counters of 3.1 by name ("messages/received"), and a few more. */
export type Metrics = Record<string, number>;
export interface NodeMetrics {
  node: string;
  metrics: Metrics;
}
/** "connections/count", "connections/max", … beside `node`. */
export type Stats = Record<string, number>;
export type NodeStats = { node: string } & Record<string, number | string>;

export interface Alarm {
  id: string;
  desc: string | { severity: string; title: string; summary: string; timestamp: string };
  /** Extra. */
  raised_at_ms: number;
}
export interface NodeAlarms {
  node: string;
  alarms: Alarm[];
}
export interface AlarmHistory {
  id: string;
  desc: string;
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
  /** The default password still stands. */
  must_change_password: boolean;
  node: string;
  version: string;
  product: string;
  product_version: string;
}

export interface PublishRequest {
  /** Comma list. */
  topic?: string;
  topics?: string;
  payload?: string;
  qos?: 0 | 1 | 2;
  retain?: boolean;
  client_id?: string;
  encoding?: Encoding;
  properties?: MessageProperties;
}
export interface SubscribeRequest {
  client_id: string;
  topic?: string;
  topics?: string;
  qos?: 0 | 1 | 2;
}
export interface UnsubscribeRequest {
  client_id: string;
  topic: string;
}
export interface BatchResult {
  code: Code;
  message?: string;
  client_id?: string;
  topic?: string;
}

/** MQTT 5 PUBLISH properties. */
export interface MessageProperties {
  payload_format?: 0 | 1;
  /** Seconds. */
  message_expiry?: number;
  content_type?: string;
  response_topic?: string;
  /** Base64. */
  correlation_data?: string;
  user_properties?: [string, string][];
}
/** Event `message` of `GET /mqtt/subscribe`; event `subscribed` ({topics, qos}) comes first, comments keep the line alive. */
export interface LiveMessage {
  topic: string;
  payload: string;
  /** `plain` when the bytes are UTF-8 (unless base64 was asked for). */
  encoding: Encoding;
  qos: 0 | 1 | 2;
  retain: boolean;
  /** Unix ms. */
  ts: number;
  from: string;
  properties?: MessageProperties;
}

export interface Retained {
  topic: string;
  qos: 0 | 1 | 2;
  payload_size: number;
  from: string;
  ts_ms: number;
  /** 0 = never. */
  expires_at_ms: number;
}
export interface RetainedMessage extends Retained {
  payload: string;
  encoding: Encoding;
  properties?: MessageProperties;
}
export interface Delayed {
  id: number;
  topic: string;
  qos: 0 | 1 | 2;
  retain: boolean;
  from: string;
  payload_size: number;
  due_at_ms: number;
}

/** Gauges, and rates per second averaged over the point's interval. */
export interface MonitorPoint {
  at_ms: number;
  connections: number;
  sessions: number;
  subscriptions: number;
  topics: number;
  retained: number;
  /** Messages per second from clients, to clients, dropped. */
  received: number;
  sent: number;
  dropped: number;
  bytes_received: number;
  bytes_sent: number;
  /** Resident memory in bytes. */
  memory: number;
  /** Per cent of one core. */
  cpu: number;
  /** ms. */
  loop_delay: number;
}
export interface MonitorCurrent {
  now_ms: number;
  interval_ms: number;
  /** Newest values, as in the last sample. */
  current: MonitorPoint;
  /** Oldest first. */
  samples: MonitorPoint[];
}
export interface MonitorHistory {
  from_ms: number;
  to_ms: number;
  /** Seconds. */
  step: number;
  points: MonitorPoint[];
}

export interface ExplainRequest {
  client_id: string;
  username?: string;
  password?: string;
  ip_address?: string;
  /** Default "external". */
  zone?: string;
  action?: "publish" | "subscribe";
  topic?: string;
}
export interface ExplainStep {
  /** "banned", "allow_anonymous", "acl_nomatch", "superuser" or the plugin's name. */
  step: string;
  verdict: "allow" | "deny" | "ignore" | "error";
  /** True for the step that decided. */
  final: boolean;
  why: string;
  /** Duration in ms. */
  ms: number;
}
export interface ExplainResult {
  authentication: { allow: boolean; is_super: boolean; steps: ExplainStep[] };
  /** null when no action and topic were given, or the client would not get in. */
  acl: { allow: boolean; steps: ExplainStep[] } | null;
}

export interface Setting {
  key: string;
  value: string;
  default: string;
  /** "integer", "duration", "bytesize", "flag", "percent", "string", "enum", … */
  type: string;
  doc: string;
  origin: "default" | "file" | "env" | "flag" | "api";
  /** A change acts at once; otherwise after a restart. */
  live: boolean;
  /** "emqx" or the plugin it belongs to. */
  app: string;
  enum?: string[];
  /** The value is shown as "******". */
  secret?: boolean;
}
export interface SettingsApplied {
  /** Keys in force now. */
  applied: string[];
  /** Keys in force after a restart. */
  restart: string[];
}

export interface AclCacheEntry {
  topic: string;
  action: "publish" | "subscribe";
  verdict: "allow" | "deny";
  age_ms: number;
}

export interface TopicTree {
  prefix: string;
  nodes: TopicNode[];
  truncated: boolean;
}
export interface TopicNode {
  /** One level, e.g. "b" or "+". */
  name: string;
  /** Prefix and name joined. */
  topic: string;
  /** Filters in the route table at or below this node. */
  routes: number;
  /** Retained messages at or below this node. */
  retained: number;
  /** There are levels below. */
  children: boolean;
  /** The node itself is a subscribed filter. */
  is_route: boolean;
}

export interface TraceRequest {
  kind: "client" | "topic";
  what: string;
  file?: string;
  level?: string;
}
export type Trace = Required<TraceRequest>;
export interface Account {
  username?: string;
  clientid?: string;
  password: string;
}
