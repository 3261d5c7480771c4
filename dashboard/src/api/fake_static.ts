/** Lists of the made-up broker that hardly change: plugins, their settings, listeners, configuration. */
import { HOOKS } from "../lib/hook_rules.ts";
import type { Listener, Plugin, PluginConfigRow, Setting } from "./client.ts";

const plugin = (name: string, description: string, active = false): Plugin => ({
  name,
  version: "v3.1.0",
  description,
  active,
  required: name === "emqx_management" || name === "emqx_dashboard",
  error: "undefined",
  failures: 0,
  testable: false,
  on_error_of: null,
  status: null,
});

export const PLUGINS: readonly Plugin[] = [
  plugin("emqx_auth_clientid", "EMQ X Authentication with ClientId/Password"),
  plugin("emqx_auth_username", "EMQ X Authentication with Username and Password"),
  plugin("emqx_dashboard", "EMQ X Web Dashboard", true),
  plugin("emqx_delayed_publish", "EMQ X Delayed Publish", true),
  plugin("emqx_management", "EMQ X Management API and CLI", true),
  plugin("emqx_plugin_template", "EMQ X Plugin Template"),
  plugin("emqx_recon", "EMQ X Recon Plugin", true),
  plugin("emqx_reloader", "EMQ X Reloader Plugin"),
  plugin("emqx_retainer", "EMQ X Retainer", true),
  plugin("emqx_web_hook", "EMQ X Webhook Plugin", true),
];

const row = (key: string, value: string, type: string, def: string, desc: string, options?: string[]): PluginConfigRow => ({
  key,
  value,
  type,
  default: def,
  desc,
  required: value !== "",
  doc: desc,
  origin: value === "" || value === def ? "default" : "file",
  live: key.startsWith("retainer."),
  ...(options ? { enum: options } : {}),
});

export const CONFIGS: Readonly<Record<string, readonly PluginConfigRow[]>> = {
  emqx_retainer: [
    row("retainer.storage_type", "ram", "enum", "ram", "Where retained messages are kept.", ["ram", "disc", "disc_only"]),
    row("retainer.max_retained_messages", "0", "integer", "0", "Most messages kept; 0 = no limit."),
    row("retainer.max_payload_size", "1MB", "bytesize", "1MB", "Larger retained payloads are not stored."),
    row("retainer.expiry_interval", "", "duration", "0", "How long a message is kept; 0 = for ever."),
  ],
  emqx_auth_username: [
    row("auth.user.password_hash", "sha256", "enum", "sha256", "How passwords are stored.", ["plain", "md5", "sha", "sha256"]),
    row("auth.user.$id.username", "", "string", "", "Users made at the start."),
  ],
  emqx_web_hook: [
    row("web.hook.api.url", "http://127.0.0.1:8080", "text", "http://127.0.0.1:8080", "The service that is told. Empty = nobody is told."),
    ...HOOKS.map((h) => row(`web.hook.rule.${h.name}.$name`, "", "text", "", `The service is told of ${h.name}.`)),
    row("web.hook.rule.client.connected.1", '{"action": "on_client_connected"}', "text", "", "The service is told of client.connected."),
    row(
      "web.hook.rule.message.publish.1",
      '{"action": "on_message_publish", "topic": "alarms/#"}',
      "text",
      "",
      "The service is told of message.publish.",
    ),
  ],
  emqx_recon: [row("recon.gc_interval", "5m", "duration", "5m", "Global GC Interval")],
  emqx_reloader: [
    row("reloader.interval", "60s", "duration", "60s", "How often files are looked at."),
    row("reloader.logfile", "reloader.log", "string", "reloader.log", "Where reloads are noted."),
  ],
};

const listener = (
  protocol: string,
  listen_on: string,
  name: string,
  acceptors: number,
  max_conns: number,
  current_conns = 0,
  shutdown_count: Listener["shutdown_count"] = [],
): Listener => ({
  protocol,
  listen_on,
  acceptors,
  max_conns,
  current_conns,
  shutdown_count,
  name,
  running: true,
});

export const LISTENERS: readonly Listener[] = [
  listener("mqtt:tcp", "0.0.0.0:1883", "external", 8, 1_024_000, 198, { closed: 23, kicked: 2, keepalive_timeout: 4 }),
  listener("mqtt:tcp", "127.0.0.1:11883", "internal", 4, 1_024_000, 1),
  listener("mqtt:ssl", "8883", "external", 16, 102_400, 14, { closed: 3 }),
  listener("mqtt:ws", "8083", "external", 4, 102_400, 27),
  listener("mqtt:wss", "8084", "external", 4, 16),
  listener("http:dashboard", "18083", "dashboard", 4, 512, 1),
  listener("http:management", "8080", "management", 2, 512),
];

const setting = (
  key: string,
  value: string,
  type: string,
  doc: string,
  live = true,
  origin: Setting["origin"] = "default",
  def = value,
  options?: string[],
): Setting => ({
  key,
  value,
  default: def,
  type,
  doc,
  origin,
  live,
  app: key.startsWith("retainer.") ? "emqx_retainer" : "emqx",
  ...(options ? { enum: options } : {}),
});

export const SETTINGS: readonly Setting[] = [
  setting("allow_anonymous", "false", "flag", "Let clients in that no plugin knows.", true, "api", "true", ["true", "false"]),
  setting("acl_nomatch", "allow", "enum", "What holds when no rule matches.", true, "default", "allow", ["allow", "deny"]),
  setting("acl_file", "etc/acl.conf", "file", "The rules of the built-in ACL."),
  setting("acl_deny_action", "ignore", "enum", "What happens to a client that is denied.", true, "default", "ignore", [
    "ignore",
    "disconnect",
  ]),
  setting("enable_acl_cache", "on", "flag", "Remember decisions per connection."),
  setting("acl_cache_max_size", "32", "integer", "Decisions remembered per connection."),
  setting("acl_cache_ttl", "1m", "duration", "How long a decision is remembered."),
  setting("node.name", "emqx@127.0.0.1", "string", "Name of this node in topics and answers.", false),
  setting("node.data_dir", "/var/lib/baomq", "string", "Where everything that survives a restart is kept.", false, "flag", "data"),
  setting("log.level", "warning", "enum", "Least level that is logged.", true, "env", "error", [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
  ]),
  setting("log.to", "both", "enum", "Where logs go.", false, "default", "both", ["off", "file", "console", "both"]),
  setting("mqtt.max_packet_size", "1MB", "bytesize", "Largest packet a client may send."),
  setting("mqtt.max_clientid_len", "65535", "integer", "Longest client id."),
  setting("mqtt.max_topic_levels", "0", "integer", "Most levels in a topic; 0 = no limit."),
  setting("mqtt.max_qos_allowed", "2", "integer", "Highest QoS a client may use."),
  setting("mqtt.max_topic_alias", "16", "integer", "Topic aliases a client may use.", true, "file", "0"),
  setting("mqtt.retain_available", "true", "flag", "Whether retained messages are allowed."),
  setting("mqtt.wildcard_subscription", "true", "flag", "Whether wildcards may be subscribed."),
  setting("mqtt.shared_subscription", "true", "flag", "Whether shared subscriptions are allowed."),
  setting("zone.external.idle_timeout", "15s", "duration", "CONNECT must come within this time."),
  setting("zone.external.max_inflight", "32", "integer", "Unacknowledged messages towards a client."),
  setting("zone.external.retry_interval", "30s", "duration", "When unacknowledged messages are sent again."),
  setting("zone.external.max_mqueue_len", "1000", "integer", "Messages kept for a client that is away."),
  setting("zone.external.session_expiry_interval", "2h", "duration", "How long sessions of MQTT 3 clients are kept."),
  setting("zone.external.keepalive_backoff", "0.75", "float", "A silent client is dropped after keep alive × 2 × this."),
  setting("zone.internal.allow_anonymous", "true", "flag", "Let clients in that no plugin knows."),
  setting("listener.tcp.external", "0.0.0.0:1883", "address", "Address of the listener.", false),
  setting("listener.tcp.external.acceptors", "8", "integer", "Acceptors of the listener.", false),
  setting("listener.tcp.external.max_connections", "1024000", "integer", "Most connections through it."),
  setting("listener.ssl.external", "8883", "address", "Address of the listener.", false),
  setting("listener.ws.external", "8083", "address", "Address of the listener.", false),
  setting("broker.shared_subscription_strategy", "round_robin", "enum", "Who of a group gets the next message.", true, "api", "random", [
    "random",
    "round_robin",
    "sticky",
    "hash",
  ]),
  setting("broker.sys_interval", "1m", "duration", "How often $SYS topics are published."),
  setting("retainer.max_payload_size", "1MB", "bytesize", "Larger retained payloads are not stored."),
];

export const METRICS: Readonly<Record<string, number>> = {
  "bytes/received": 8_412_552_120,
  "bytes/sent": 19_552_124_778,
  "messages/received": 75_112_431,
  "messages/sent": 201_557_120,
  "messages/qos0/received": 50_112_000,
  "messages/qos1/received": 24_800_431,
  "messages/qos2/received": 200_000,
  "messages/dropped": 12_204,
  "messages/retained": 26,
  "messages/expired": 3,
  "packets/received": 76_204_118,
  "packets/sent": 226_357_900,
  "packets/connect": 1204,
  "packets/connack": 1204,
  "packets/publish/received": 75_112_431,
  "packets/publish/sent": 201_557_120,
  "packets/puback/received": 24_650_120,
  "packets/puback/sent": 24_800_431,
  "packets/subscribe": 1893,
  "packets/suback": 1893,
  "packets/pingreq": 842_100,
  "packets/pingresp": 842_100,
  "packets/disconnect/received": 820,
};
