/** What the made-up broker's rules can be made of. */
import type { ActionKindRow, ResourceTypeRow, RuleEventRow, RuleFunctionRow } from "./client.ts";

const END = ["timestamp", "node"];
const WHO = { client_id: "s1", clientid: "s1", username: "sensors", peerhost: "127.0.0.1" };

const event = (name: string, topic: string, description: string, columns: string[], sample: Record<string, unknown>): RuleEventRow => ({
  event: name,
  topic,
  title: { en: name.replace(".", " ") },
  description: { en: description },
  columns: [...columns, ...END],
  test_columns: sample,
  sql_example: `SELECT * FROM "${topic}"`,
});

export const RULE_EVENTS: readonly RuleEventRow[] = [
  event(
    "message.publish",
    "t/#",
    "A message was published",
    ["client_id", "clientid", "username", "event", "id", "payload", "peerhost", "topic", "qos", "retain"],
    { ...WHO, topic: "t/a", qos: 1, payload: '{"msg": "hello", "temp": 31.5}', retain: false },
  ),
  event(
    "client.connected",
    "$events/client_connected",
    "A client has connected",
    ["client_id", "clientid", "username", "event", "peerhost", "connected_at", "keepalive"],
    { ...WHO, keepalive: 60 },
  ),
  event(
    "client.disconnected",
    "$events/client_disconnected",
    "A client's connection has ended",
    ["client_id", "clientid", "username", "event", "peerhost", "reason", "disconnected_at"],
    { ...WHO, reason: "normal" },
  ),
];

export const RULE_FUNCTIONS: readonly RuleFunctionRow[] = [
  { name: "round", args: "n", doc: "The nearest whole number.", example: "round(2.6)", result: "3", group: "math" },
  { name: "upper", args: "text", doc: "Capitals.", example: "upper('a')", result: '"A"', group: "text" },
  {
    name: "now_timestamp",
    args: "[unit]",
    doc: "Unix time, in seconds unless a unit says otherwise.",
    example: "now_timestamp('millisecond') > 0",
    result: "true",
    group: "time",
  },
];

const bound = { type: "string", required: true, title: "Resource ID", description: "Bind a resource to this action" } as const;

export const ACTION_KINDS: readonly ActionKindRow[] = [
  {
    name: "built_in:inspect_action",
    app: "emqx_rule_engine",
    for: "$any",
    type: "built_in",
    types: ["built_in"],
    params: {},
    title: "Inspect Action",
    description: "Inspect the details of action params for debug purpose",
  },
  {
    name: "built_in:republish_action",
    app: "emqx_rule_engine",
    for: "$any",
    type: "built_in",
    types: ["built_in"],
    params: {
      target_topic: {
        type: "string",
        format: "topic",
        required: true,
        title: "To Which Topic",
        description: "Republish the message to which topic",
      },
      target_qos: { type: "number", enum: [-1, 0, 1, 2], default: -1, title: "Target QoS", description: "-1: as the message came" },
      payload_tmpl: { type: "string", format: "template", default: "", title: "Payload Template", description: "Empty: the row as JSON" },
      user_properties: { type: "object", default: {}, title: "User Properties", description: "Of MQTT 5" },
    },
    title: "Republish Action",
    description: "Republish a MQTT message to a another topic",
  },
  {
    name: "data_to_pgsql",
    app: "emqx_rule_engine",
    for: "$any",
    type: "pgsql",
    types: ["pgsql"],
    params: {
      $resource: bound,
      sql: { type: "string", format: "sql", required: true, title: "SQL", description: "What stands in it for a value is bound." },
      batch_size: {
        type: "number",
        default: 100,
        range: [1, 1000],
        title: "Batch Size",
        description: "Rows that are sent together at most.",
      },
    },
    title: "Data to PostgreSQL",
    description: "Store data in PostgreSQL",
  },
  {
    name: "web_hook:publish_action",
    app: "emqx_web_hook",
    for: "$messages",
    type: "web_hook",
    types: ["web_hook"],
    params: { $resource: bound, body: { type: "string", format: "template", title: "Body", description: "Empty: the row as JSON" } },
    title: "Forward Messages to Web Server",
    description: "Forward Messages to Web Server",
  },
  {
    name: "web_hook:event_action",
    app: "emqx_web_hook",
    for: "$events",
    type: "web_hook",
    types: ["web_hook"],
    params: { $resource: bound, body: { type: "string", format: "template", title: "Body", description: "Empty: the row as JSON" } },
    title: "Forward Events to Web Server",
    description: "Forward Events to Web Server",
  },
];

export const RESOURCE_TYPES: readonly ResourceTypeRow[] = [
  { name: "built_in", provider: "emqx_rule_engine", params: {}, title: "Built-In Resource Type", description: "For debug purpose" },
  {
    name: "pgsql",
    provider: "emqx_rule_engine",
    params: {
      server: { type: "string", default: "127.0.0.1:5432", title: "Server", description: "Its host and port." },
      database: { type: "string", required: true, title: "Database", description: "The database that has the tables." },
      user: { type: "string", default: "postgres", title: "User", description: "Account at the server." },
      password: { type: "string", default: "", secret: true, title: "Password", description: "Its password." },
      pool_size: { type: "number", default: 8, range: [1, 64], title: "Pool Size", description: "Connections to the server." },
      ssl: { type: "boolean", enum: [true, false], default: false, title: "TLS", description: "Speak TLS with the server." },
    },
    title: "PostgreSQL",
    description: "PostgreSQL",
  },
  {
    name: "web_hook",
    provider: "emqx_web_hook",
    params: {
      url: { type: "string", format: "url", required: true, title: "Request URL", description: "Request URL" },
      method: { type: "string", enum: ["PUT", "POST"], default: "POST", title: "Request Method", description: "Request Method" },
      headers: { type: "object", default: {}, title: "Request Header", description: "Request Header" },
    },
    title: "WebHook",
    description: "WebHook",
  },
];
