/** Rows and requests of what EMQ X 3.1 had not, and the request bodies of publish and subscribe. Same conventions as rows.ts. */
import type { Code } from "./codes.ts";
import type { Encoding, Origin, PluginStatus } from "./rows.ts";

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
  /** "limits", "banned", "allow_anonymous", "mountpoint", "acl_nomatch", "superuser" or the plugin's name. */
  step: string;
  verdict: "allow" | "deny" | "ignore" | "error";
  /** True for the step that decided. */
  final: boolean;
  why: string;
  /** Duration in ms. */
  ms: number;
  /** What was asked of others, without passwords; absent = nothing. */
  asked?: AskedRow[];
}
/** One question to a server outside. */
export interface AskedRow {
  /** As it was sent, values not filled in. */
  question: string;
  /** E.g. `1 = "u7"`. */
  values: string[];
  /** In words, e.g. "2 rows", or the error. */
  answer: string;
  /** SQL: rows. MongoDB and Redis: the user's fields, or a row for each rule. LDAP: the entry. The first 100 of them; absent = there is none. */
  rows?: AnsweredField[][];
  ms: number;
}
/** A column, field or attribute, in the answer's order; there may be several of one name. */
export interface AnsweredField {
  name: string;
  /** "***" = it is there and not shown: passwords, hashes, salts, whatever looks like one. null = it is not there. At most 200 characters. */
  value: string | null;
}
export interface ExplainResult {
  authentication: { allow: boolean; is_super: boolean; steps: ExplainStep[] };
  /** null when no action and topic were given, or the client would not get in. */
  acl: { allow: boolean; steps: ExplainStep[] } | null;
}

/** The access chain of a node. */
export interface AccessView {
  node: string;
  /** In the order of asking; whoever none of them knows is let in where `allow_anonymous` is on. */
  authentication: AccessStep[];
  /** In the order of asking; what none of them decides is as `acl_nomatch` says. */
  acl: AccessStep[];
  zones: AccessZone[];
  warnings: AccessWarning[];
}
export interface AccessStep {
  /** "acl_file", or the plugin's name. */
  step: string;
  /** null = it is no plugin's. */
  plugin: string | null;
  description: string;
  /** Errors of its own, not of a server's. */
  failures: number;
  /** "deny" or "ignore", also of the scripts that it runs (`lua_hook.on_failure`); null = it asks no server. */
  on_error: string | null;
  /**
   * What comes of it in this half of the chain while a server of its is down, or a script fails: "deny" refuses, "ignore" leaves it to the next one, as if
   * the step were not there. null = nothing of it can be down.
   */
  while_down: "deny" | "ignore" | null;
  /** It has a word on what clients may do. false = nothing is asked there: the plugin has none, or no setting of it says what to ask. */
  asks_topics: boolean;
  status: PluginStatus | null;
}
export interface AccessZone {
  zone: string;
  allow_anonymous: boolean;
  acl_nomatch: "allow" | "deny";
  acl_deny_action: string;
  enable_acl: boolean;
  enable_ban: boolean;
  enable_flapping_detect: boolean;
}
export interface AccessWarning {
  /**
   * everybody: nobody is asked, all are let in; unknown: whoever no plugin knows is; ignored_errors: while a server is down, or a script fails, all are;
   * no_acl: everybody may do everything; open_rules: so may whoever the rules of acl.conf do not know, by one of them; no_rule: since none forbids
   * it, and `acl_nomatch` allows what none speaks of.
   */
  what: "everybody" | "unknown" | "ignored_errors" | "no_acl" | "open_rules" | "no_rule";
  zone: string;
  /** Of the last two: what everybody may do with any topic. */
  actions?: ("publish" | "subscribe")[];
}
export interface AclFileRow {
  path: string;
  text: string;
  /** false = the built-in rules. */
  exists: boolean;
  /** Before it was replaced last. */
  former: string | null;
}
export interface AclCheck {
  rules: number;
  error: { line: number; column: number; message: string } | null;
}
export interface HashQuestion {
  /** As it stands in the table. */
  stored: string;
  salt?: string;
  password: string;
  /** Of PBKDF2, to try beside the usual ones. */
  iterations?: number;
}

export interface Setting {
  key: string;
  value: string;
  default: string;
  /** "integer", "duration", "bytesize", "flag", "percent", "string", "enum", … */
  type: string;
  doc: string;
  origin: Origin;
  /** A change acts at once; otherwise after a restart. */
  live: boolean;
  /** "emqx" or the plugin it belongs to. */
  app: string;
  enum?: string[];
  /** The value is shown as "******". */
  secret?: boolean;
  /** What was set through the API and is not in force, and why: the node did not start with it, or environment or flag stand above. */
  unused?: { value: string; why: string };
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

/** A try of settings that nobody has saved. */
export interface PluginTest {
  /** What is to be different from the settings in force; the mask stands for a secret as it is. */
  settings?: Record<string, string>;
  client_id?: string;
  username?: string;
  password?: string;
  ip_address?: string;
  action?: "publish" | "subscribe";
  topic?: string;
}
export interface PluginTestStep {
  /** "settings", "connect", "authenticate" or "acl". */
  step: string;
  verdict: "ok" | "allow" | "deny" | "ignore" | "error";
  why: string;
  ms: number;
  asked: AskedRow[];
}

/** A script of emqx_lua_hook. */
export interface Script {
  name: string;
  language: "lua" | "javascript" | "typescript";
  /** `running` with an error: a former version runs, since the file cannot be loaded. `stopped`: it took too much, too often. */
  state: "loading" | "running" | "failed" | "stopped" | "unloaded" | "disabled";
  /** Why its file cannot be loaded, or why it was stopped. */
  error: string | null;
  /** When it is loaded again by itself, since it was too slow to be loaded or could not be read: Unix ms; 0 = it is not. */
  retry_ms: number;
  callbacks: ScriptCallback[];
  calls: number;
  errors: number;
  /** Calls that took more than they may; they are among the errors, where they were ended by force they are not among the calls. */
  overruns: number;
  /** Calls that were not made, while it was started again or did not run, or too many waited. */
  skipped: number;
  restarts: number;
  /** Ms, of the last 1,024 calls; null = there were none. */
  p50: number | null;
  p95: number | null;
  p99: number | null;
  loaded_ms: number;
}
export interface ScriptCallback {
  name: string;
  calls: number;
  errors: number;
}
export interface ScriptErrorRow {
  at_ms: number;
  /** null = while it was loaded, or not known. */
  callback: string | null;
  line: number | null;
  kind: "error" | "time" | "memory" | "load";
  message: string;
}
export type ScriptCommand = "load" | "unload" | "reload" | "enable" | "disable";
