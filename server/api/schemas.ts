/** JSON schemas of the contract's rows, for the OpenAPI document. The compiler checks that each names exactly the fields of its type. */
import { type TSchema, Type } from "@sinclair/typebox";
import type { Filters } from "../admin/filters.ts";
import type * as C from "./contract.ts";

/** Every field of a row, in order. */
type Fields<T> = { readonly [K in keyof T]-?: TSchema };
export const row = <T extends object>(fields: Fields<T>): TSchema => Type.Object(fields as Record<string, TSchema>);

export const text = Type.String();
export const int = Type.Integer();
export const num = Type.Number();
export const flag = Type.Boolean();
const qos = Type.Union([Type.Literal(0), Type.Literal(1), Type.Literal(2)]);
const time = Type.String({ description: "Local time, YYYY-MM-DD HH:MM:SS" });
const unixMs = Type.Integer({ description: "Unix milliseconds; 0 = not yet" });
const orUnset = (schema: TSchema): TSchema => Type.Union([schema, Type.Literal("undefined")]);
const memoryLevel = Type.Union([Type.Literal("normal"), Type.Literal("high"), Type.Literal("critical")]);
const encoding = Type.Union([Type.Literal("plain"), Type.Literal("base64")]);
const counters = Type.Record(Type.String(), Type.Integer());
export const list = (schema: TSchema): TSchema => Type.Array(schema);
export const nullable = (schema: TSchema): TSchema => Type.Union([Type.Null(), schema]);

export const properties = Type.Object({
  payload_format: Type.Optional(Type.Union([Type.Literal(0), Type.Literal(1)])),
  message_expiry: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffffffff })),
  content_type: Type.Optional(text),
  response_topic: Type.Optional(text),
  correlation_data: Type.Optional(Type.String({ description: "Base64" })),
  user_properties: Type.Optional(Type.Array(Type.Tuple([text, text]))),
});

export const routeEntry = row<C.RouteEntry>({ name: text, method: text, path: text, descr: text });

const brokerFields: Fields<C.BrokerInfo> = {
  node_status: text,
  version: text,
  sysdescr: text,
  uptime: text,
  datetime: time,
  otp_release: text,
  product: text,
  product_version: text,
};
export const brokerInfo = row<C.BrokerInfo>(brokerFields);
export const broker = row<C.Broker>({ node: text, ...brokerFields });

const nodeFields: Fields<C.NodeInfo> = {
  name: text,
  connections: int,
  load1: text,
  load5: text,
  load15: text,
  max_fds: int,
  memory_total: int,
  memory_used: int,
  process_available: int,
  process_used: int,
  node_status: text,
  otp_release: text,
  uptime: text,
  version: text,
  uptime_ms: int,
  rss: int,
  heap_used: int,
  cpu: num,
  loop_delay: num,
  os_memory_total: int,
  os_memory_free: int,
  cores: int,
  memory_limit: int,
  memory_level: memoryLevel,
  memory_queues: int,
  memory_retained: int,
  memory_sessions: int,
  memory_buffers: int,
};
export const nodeInfo = row<C.NodeInfo>(nodeFields);
export const nodeRow = row<C.NodeRow>({ node: text, ...nodeFields, memory_total: text, memory_used: text });

export const connection = row<C.Connection>({
  client_id: text,
  username: text,
  node: text,
  ipaddress: text,
  port: int,
  proto_name: text,
  proto_ver: int,
  clean_start: flag,
  keepalive: int,
  connected_at: time,
  is_bridge: flag,
  zone: text,
  peercert: text,
  is_super: flag,
  mountpoint: text,
  will_topic: text,
  conn_mod: text,
  recv_oct: int,
  recv_cnt: int,
  recv_pkt: int,
  recv_msg: int,
  send_oct: int,
  send_cnt: int,
  send_pkt: int,
  send_msg: int,
  send_pend: int,
  mailbox_len: int,
  heap_size: int,
  reductions: int,
  connected_at_ms: unixMs,
  listener: text,
  subscriptions_count: int,
  inflight_len: int,
  mqueue_len: int,
});

export const session = row<C.Session>({
  client_id: text,
  node: text,
  username: text,
  clean_start: flag,
  binding: text,
  created_at: time,
  expiry_interval: int,
  subscriptions_count: int,
  max_subscriptions: int,
  inflight_len: int,
  max_inflight: int,
  mqueue_len: int,
  max_mqueue: int,
  mqueue_dropped: int,
  awaiting_rel_len: int,
  max_awaiting_rel: int,
  deliver_msg: int,
  enqueue_msg: int,
  mailbox_len: int,
  heap_size: int,
  reductions: int,
  connected: flag,
  created_at_ms: unixMs,
  disconnected_at_ms: unixMs,
});

export const subscription = row<C.Subscription>({
  client_id: text,
  node: text,
  topic: text,
  qos,
  share: text,
  nl: flag,
  rap: flag,
  rh: int,
  sub_id: int,
});
export const routeRow = row<C.Route>({ topic: text, node: text });

const verdictCounts = row<C.VerdictCounts>({ allowed: int, denied: int, ignored: int, errors: int });
const pluginQueue = row<C.PluginQueue>({
  rows: int,
  bytes: int,
  disk_bytes: int,
  sent: int,
  dropped: int,
  gave_up: int,
  dead_letters: int,
  torn: int,
  disk_error: nullable(text),
});
const pluginServer = row<C.PluginServer>({
  what: text,
  state: text,
  since_ms: unixMs,
  last_error: nullable(text),
  last_error_ms: nullable(unixMs),
  running: int,
  waiting: int,
  pool: int,
  calls: int,
  answered: int,
  refused: int,
  failed: int,
  timeouts: int,
  busy: int,
  gone: int,
  not_asked: int,
  retries: int,
  p50: nullable(num),
  p95: nullable(num),
  p99: nullable(num),
  queue: Type.Optional(pluginQueue),
});
const pluginStatus = row<C.PluginStatus>({
  servers: list(pluginServer),
  dead_letters: nullable(int),
  authentication: nullable(verdictCounts),
  acl: nullable(verdictCounts),
});
export const plugin = row<C.Plugin>({
  name: text,
  version: text,
  description: text,
  active: flag,
  required: flag,
  error: text,
  failures: int,
  testable: flag,
  on_error_of: nullable(text),
  status: nullable(pluginStatus),
});
export const nodePlugins = row<C.NodePlugins>({ node: text, plugins: list(plugin) });
export const pluginConfigRow = row<C.PluginConfigRow>({
  key: text,
  value: text,
  desc: text,
  required: flag,
  type: text,
  default: text,
  enum: Type.Optional(list(text)),
  secret: Type.Optional(flag),
  doc: text,
  origin: text,
  live: flag,
});
export const configItem = row<C.ConfigItem>({ key: text, value: text, datatpye: text, datatype: text, app: text });
export const nodeConfigs = row<C.NodeConfigs>({ node: text, config: list(configItem) });

export const listener = row<C.Listener>({
  protocol: text,
  listen_on: text,
  acceptors: int,
  max_conns: int,
  current_conns: int,
  shutdown_count: Type.Union([Type.Array(Type.Never(), { maxItems: 0 }), counters]),
  name: text,
  running: flag,
});
export const nodeListeners = row<C.NodeListeners>({ node: text, listeners: list(listener) });

export const metrics = counters;
export const nodeMetrics = row<C.NodeMetrics>({ node: text, metrics: counters, extra: counters });
export const stats = counters;
export const nodeStats = Type.Object({ node: text }, { additionalProperties: int });

export const alarm = row<C.Alarm>({ id: text, desc: Type.Unknown(), raised_at_ms: unixMs });
export const nodeAlarms = row<C.NodeAlarms>({ node: text, alarms: list(alarm) });
export const alarmHistory = row<C.AlarmHistory>({ id: text, desc: text, raised_at_ms: unixMs, clear_at_ms: unixMs, clear_at: time });
export const nodeAlarmHistory = row<C.NodeAlarmHistory>({ node: text, alarms: list(alarmHistory) });

export const banned = row<C.Banned>({ who: text, as: text, reason: text, desc: text, by: text, until: orUnset(num) });
export const appRow = row<C.AppRow>({ app_id: text, name: text, desc: text, status: flag, expired: orUnset(num) });
export const app = row<C.App>({ app_id: text, secret: text, name: text, desc: text, status: flag, expired: orUnset(num) });
export const user = row<C.User>({ username: text, tags: text });
export const whoAmI = row<C.WhoAmI>({
  kind: text,
  name: text,
  tags: text,
  must_change_password: flag,
  node: text,
  version: text,
  product: text,
  product_version: text,
});

export const batchResult = row<C.BatchResult>({
  code: int,
  message: Type.Optional(text),
  client_id: Type.Optional(text),
  topic: Type.Optional(text),
});

const retainedFields: Fields<C.Retained> = { topic: text, qos, payload_size: int, from: text, ts_ms: unixMs, expires_at_ms: unixMs };
export const retained = row<C.Retained>(retainedFields);
export const retainedMessage = row<C.RetainedMessage>({
  ...retainedFields,
  payload: text,
  encoding,
  properties: Type.Optional(properties),
});
export const delayed = row<C.Delayed>({ id: int, topic: text, qos, retain: flag, from: text, payload_size: int, due_at_ms: unixMs });

export const monitorPoint = row<C.MonitorPoint>({
  at_ms: unixMs,
  connections: int,
  sessions: int,
  subscriptions: int,
  topics: int,
  retained: int,
  received: num,
  sent: num,
  dropped: num,
  bytes_received: num,
  bytes_sent: num,
  memory: int,
  cpu: num,
  loop_delay: num,
});
export const monitorCurrent = row<C.MonitorCurrent>({
  now_ms: unixMs,
  interval_ms: int,
  current: monitorPoint,
  samples: list(monitorPoint),
});
export const monitorHistory = row<C.MonitorHistory>({ from_ms: unixMs, to_ms: unixMs, step: int, points: list(monitorPoint) });

const asked = row<C.AskedRow>({
  question: text,
  values: list(text),
  answer: text,
  rows: Type.Optional(list(list(row<C.AnsweredField>({ name: text, value: nullable(text) })))),
  ms: num,
});
const explainStep = row<C.ExplainStep>({
  step: text,
  verdict: text,
  final: flag,
  why: text,
  ms: num,
  asked: Type.Optional(list(asked)),
});
export const pluginTestStep = row<C.PluginTestStep>({ step: text, verdict: text, why: text, ms: num, asked: list(asked) });
export const explainResult = Type.Object({
  authentication: Type.Object({ allow: flag, is_super: flag, steps: list(explainStep) }),
  acl: Type.Union([Type.Null(), Type.Object({ allow: flag, steps: list(explainStep) })]),
});

export const accessView = row<C.AccessView>({
  node: text,
  authentication: list(accessStep()),
  acl: list(accessStep()),
  zones: list(
    row<C.AccessZone>({
      zone: text,
      allow_anonymous: flag,
      acl_nomatch: text,
      acl_deny_action: text,
      enable_acl: flag,
      enable_ban: flag,
      enable_flapping_detect: flag,
    }),
  ),
  warnings: list(row<C.AccessWarning>({ what: text, zone: text, actions: Type.Optional(list(text)) })),
});
function accessStep(): TSchema {
  return row<C.AccessStep>({
    step: text,
    plugin: nullable(text),
    description: text,
    failures: int,
    on_error: nullable(text),
    while_down: nullable(text),
    asks_topics: flag,
    status: nullable(pluginStatus),
  });
}
export const aclFile = row<C.AclFileRow>({ path: text, text, exists: flag, former: nullable(text) });
export const aclCheck = row<C.AclCheck>({
  rules: int,
  error: nullable(Type.Object({ line: int, column: int, message: text })),
});

export const setting = row<C.Setting>({
  key: text,
  value: text,
  default: text,
  type: text,
  doc: text,
  origin: text,
  live: flag,
  app: text,
  enum: Type.Optional(list(text)),
  secret: Type.Optional(flag),
  unused: Type.Optional(Type.Object({ value: text, why: text })),
});
export const settingsApplied = row<C.SettingsApplied>({ applied: list(text), restart: list(text) });
export const aclCacheEntry = row<C.AclCacheEntry>({ topic: text, action: text, verdict: text, age_ms: int });
const topicNode = row<C.TopicNode>({ name: text, topic: text, routes: int, retained: int, children: flag, is_route: flag });
export const topicTree = row<C.TopicTree>({ prefix: text, nodes: list(topicNode), truncated: flag });
export const trace = row<C.Trace>({ kind: text, what: text, file: text, level: text });

/** Query parameters of paged lists. */
export const pageQuery = {
  _page: Type.Optional(Type.Integer({ description: "From 1" })),
  _limit: Type.Optional(Type.Integer({ description: "Rows of a page; default management.max_row_limit" })),
  _sort: Type.Optional(Type.String({ description: "A field of the row, with - in front for descending" })),
};
/** `page query` with the filters a list has. */
export function filters({ exact, like }: Filters) {
  const names = [...exact, ...like.map((n) => `_like_${n}`)];
  return Type.Object({ ...pageQuery, ...Object.fromEntries(names.map((n) => [n, Type.Optional(text)])) });
}
