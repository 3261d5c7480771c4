/**
 * Every key of the main configuration file: type, default, words. The names, units and defaults are those EMQ X 3.1 shipped;
 * where a default differs, its text says so. Plugins bring tables of their own.
 */
import {
  bytes,
  bytesFrom,
  type ConfigTable,
  duration,
  type Entry,
  flag,
  ignored,
  inert,
  integer,
  number,
  oneOf,
  optional,
  parsed,
  pattern,
  percent,
  rate,
  text,
} from "../lib/config_entry.ts";
import { LOG_LEVELS } from "../lib/log.ts";
import { EXPECTS_DURATION, parseDuration, type Rate, ValueError } from "../lib/units.ts";
import { LISTENER_KEYS } from "./schema_listeners.ts";

const ERLANG = "It configures the Erlang VM, which is not here.";
const CLUSTER = "This build runs as a single node.";
const BRIDGE = "MQTT bridges are not part of this build.";
const OTP_LOG = "The log of the Erlang VM, which is not here; log.level and log.to decide.";
const boot = { live: false };
const early = { live: false, early: true };

/** "240ms"; a bare number is ms, as EMQ X 3.1.0 shipped it. */
function bareDuration(def: string, doc: string): Entry<number> {
  return {
    ...duration(def, doc),
    expects: `${EXPECTS_DURATION}, or a number of ms`,
    parse: (t) => (/^\s*\d+\s*$/.test(t) ? Number(t) : parseDuration(t)),
  };
}

/** "topic=10,other=5" or "none". */
function priorities(): Entry<ReadonlyMap<string, number> | null> {
  const expects = "none, or topics (exact ones, no filters) with priorities 0 to 255, such as alarm/fire=255,status=10";
  const base = text("none", "Topics whose queued messages go out first. Exact topics: a wildcard in one means nothing.");
  return {
    ...base,
    expects,
    parse(t) {
      if (t.trim() === "none" || t.trim() === "") return null;
      const table = new Map<string, number>();
      for (const pair of t.split(",")) {
        const at = pair.lastIndexOf("=");
        const n = Number(pair.slice(at + 1));
        if (at < 1 || !Number.isInteger(n) || n < 0 || n > 255) throw new ValueError(t, expects);
        table.set(pair.slice(0, at).trim(), n);
      }
      return table;
    },
  };
}

/** "30,1m" or "off". */
function rateOrOff(def: string, doc: string): Entry<Rate | null> {
  const base = rate(def, doc);
  return { ...base, expects: `off, or ${base.expects}`, parse: (t) => (t.trim().toLowerCase() === "off" ? null : base.parse(t)) };
}

/** "x/# ^x/y/(.+)$ z/y/$1" */
function rewriteRule(): Entry<{ filter: string; re: RegExp; dest: string }> {
  const expects = "a topic filter, a regular expression and a new topic, such as x/# ^x/y/(.+)$ z/y/$1";
  return {
    ...text("x/# ^x/y/(.+)$ z/y/$1", "One topic rewriting rule, in force while module.rewrite is on."),
    expects,
    parse(t) {
      const [filter, re, dest, ...rest] = t.trim().split(/\s+/);
      if (!filter || !re || !dest || rest.length > 0) throw new ValueError(t, expects);
      try {
        return { filter, re: new RegExp(re), dest };
      } catch {
        throw new ValueError(t, expects);
      }
    },
  };
}

/** Where clients live. `%c` and `%u` are looked at when they are filled in. */
function mountpoint(): Entry<string> {
  const expects = "the beginning of topics, such as devicebound/ or dev/%c/, without +, # or a share";
  const doc = "Put in front of all topics of the zone's clients; %c and %u are filled in.";
  return parsed("devicebound/", expects, (t) => (/[+#]|^\$(?:share|queue)\//.test(t) ? null : t), doc);
}

const qos = (def: number, doc: string): Entry<number> => integer(def, doc, { min: 0, max: 2 });

/** Limits that stand for the node under `mqtt.` and for one zone under `zone.<name>.`. */
const MQTT = {
  max_packet_size: bytes("1MB", "Largest MQTT packet taken from a client, bytes."),
  max_clientid_len: integer(65535, "Longest client identifier, bytes.", { min: 1, max: 65535 }),
  max_topic_levels: integer(0, "Most levels of a topic; 0 = no limit."),
  max_qos_allowed: qos(2, "Highest QoS a client may use."),
  max_topic_alias: integer(0, "Most topic aliases a client may use; 0 = none.", { max: 65535 }),
  retain_available: flag("true", "May clients publish retained messages?"),
  wildcard_subscription: flag("true", "May clients subscribe with wildcards?"),
  shared_subscription: flag("true", "May clients use shared subscriptions?"),
  max_server_keepalive: integer(
    0,
    "Longest keep alive of an MQTT 5 client, seconds: one that asks for more, or for none, is told this one; MQTT 3 clients keep theirs; 0 = no limit.",
    { max: 65535 },
  ),
  ignore_loop_deliver: flag("false", "Do clients not get what they published themselves?"),
} as const satisfies ConfigTable;

const ZONE: ConfigTable = {
  ...Object.fromEntries(Object.entries(MQTT).map(([k, e]) => [k, optional(e as Entry<unknown>)])),
  allow_anonymous: optional(flag("true", "As allow_anonymous, for this zone.")),
  acl_nomatch: optional(oneOf(["allow", "deny"], "allow", "As acl_nomatch, for this zone.")),
  enable_acl_cache: optional(flag("on", "As enable_acl_cache, for this zone.")),
  acl_cache_max_size: optional(integer(32, "As acl_cache_max_size, for this zone.")),
  acl_cache_ttl: optional(duration("1m", "As acl_cache_ttl, for this zone.")),
  idle_timeout: duration("15s", "A connection must send CONNECT within this time."),
  publish_limit: optional(rate("10,1m", "Messages a client may publish in a time; beyond it, its connection is read more slowly.")),
  enable_acl: flag("on", "Are the access rules asked?"),
  enable_ban: flag("on", "Are bans enforced?"),
  enable_stats: inert(flag("on", "Are statistics of connections and sessions kept?"), "they cost nothing here and are always kept."),
  acl_deny_action: oneOf(["ignore", "disconnect"], "ignore", "What happens to a client that does what the rules deny."),
  force_gc_policy: ignored("1000|1MB", ERLANG),
  force_shutdown_policy: ignored(
    "8000|800MB",
    "Clients have no process of their own: max_mqueue_len bounds what waits for one, and send_timeout cuts off whoever takes nothing.",
    { required: false },
  ),
  server_keepalive: optional(
    integer(0, "Keep alive told to MQTT 5 clients instead of their own, seconds; 0 = theirs stands.", { max: 65535 }),
  ),
  keepalive_backoff: number("0.75", "A client is gone after keep alive x 2 x this of silence.", { min: 0.5, max: 10 }),
  max_subscriptions: integer(0, "Most subscriptions of a client; 0 = no limit."),
  upgrade_qos: flag("off", "Deliver with the higher of the publisher's and the subscriber's QoS?"),
  max_inflight: integer(32, "Most QoS 1 and 2 messages on their way to a client at a time; 0 = no limit.", { max: 65535 }),
  retry_interval: duration("20s", "Unacknowledged messages are sent to MQTT 3 clients again after this time; 0 = only on reconnect."),
  max_awaiting_rel: integer(
    100,
    "Most QoS 2 messages of a client that wait for PUBREL: MQTT 5 clients are held to it, MQTT 3 clients beyond it are read slowly; 0 = no limit.",
    { max: 65535 },
  ),
  await_rel_timeout: duration("300s", "A QoS 2 message that is not released within this time is forgotten."),
  session_expiry_interval: duration("2h", "How long a session of an MQTT 3 client without clean session is kept."),
  max_mqueue_len: integer(1000, "Most queued messages of a session; the oldest goes when it is full; 0 = no limit."),
  max_mqueue_bytes: bytes(
    "64MB",
    "Most memory that a session's queued messages may take, the oldest goes when it is more, and as much again those it has not acknowledged; 0 = no limit. (EMQ X 3.1 had none.)",
  ),
  mqueue_priorities: priorities(),
  mqueue_default_priority: oneOf(["highest", "lowest"], "highest", "Priority of topics that mqueue_priorities does not name."),
  mqueue_store_qos0: flag("true", "Are QoS 0 messages queued too?"),
  enable_flapping_detect: flag("off", "Are clients that come and go too often banned for a while?"),
  flapping_threshold: rate("10, 1m", "How often is too often."),
  flapping_banned_expiry_interval: duration("1h", "How long such a ban lasts."),
  auth_failure_limit: rateOrOff(
    "30,1m",
    "How often a client may fail to authenticate, counted per address and name; ten times that per address. Beyond it, it is not asked for a while; as many are asked about together, more of them as they are right. Zones with other limits count apart. off = no limit.",
  ),
  mountpoint: optional(mountpoint()),
  use_username_as_clientid: flag("false", "Is the user name taken as client identifier?"),
};

function under(prefix: string, table: ConfigTable): ConfigTable {
  return Object.fromEntries(Object.entries(table).map(([k, e]) => [`${prefix}.${k}`, e]));
}

const all = (prefix: string, keys: string, reason: string): ConfigTable =>
  Object.fromEntries(keys.split(" ").map((k) => [`${prefix}.${k}`, ignored("", reason, { required: false, hidden: true })]));

const BRIDGE_KEYS =
  "address proto_ver client_id clean_start username password mountpoint forwards ssl cacertfile certfile keyfile ciphers psk_ciphers " +
  "keepalive tls_versions subscription.$id.topic subscription.$id.qos start_type reconnect_interval retry_interval max_inflight_batches " +
  "queue.batch_count_limit queue.batch_bytes_limit queue.batch_size queue.replayq_dir queue.replayq_seg_bytes";

export const CORE_KEYS: ConfigTable = {
  "node.name": pattern(
    "emqx@127.0.0.1",
    /^[^\s/+#]+$/,
    "a name such as emqx@127.0.0.1, without spaces, slashes, + and #",
    "Name of this node, as scripts and $SYS topics know it.",
    boot,
  ),
  "node.data_dir": text("data", "Directory for data, generated certificates and the command line's socket.", early),
  "node.memory_high_watermark": percent(
    "70%",
    "Above this share of the memory there is, no new sessions and retained messages are taken and publishers are read slowly; 0% = never.",
    { required: false },
  ),
  // An idle node takes up to 85 MB, which has to lie well below the watermark: with less it would refuse every session from the start.
  "node.memory_limit": bytesFrom("128MB", "0", "The memory there is for this node; 0 = that of the machine, or of the container.", {
    required: false,
  }),
  "storage.sync": oneOf(
    ["always", "normal"],
    "normal",
    "normal: acknowledged messages survive a crash of the process; always: also a loss of power; acknowledgements wait for the disk, one sync at a time for all that came before it.",
  ),
  "storage.on_error": oneOf(
    ["refuse", "accept"],
    "refuse",
    "While the disk cannot be written. refuse: what would have to be stored is not acknowledged (MQTT 5 hears Quota exceeded); " +
      "accept: it is, from memory, and lost if the process ends before the disk works again.",
  ),
  "storage.pending_limit": bytes(
    "64MB",
    "While the disk cannot be written: most data that waits for it in memory; beyond it new data is refused.",
  ),
  ...all(
    "node",
    "cookie heartbeat async_threads process_limit max_ports dist_buffer_size max_ets_tables fullsweep_after crash_dump",
    ERLANG,
  ),
  ...all("node", "proto_dist ssl_dist_optfile dist_net_ticktime dist_listen_min dist_listen_max", ERLANG),
  ...all("rpc", "tcp_server_port tcp_client_port connect_timeout send_timeout authentication_timeout call_receive_timeout", ERLANG),
  ...all("rpc", "socket_keepalive_idle socket_keepalive_interval socket_keepalive_count", ERLANG),
  ...all("cluster", "name discovery autoheal autoclean static.seeds mcast.addr mcast.ports mcast.iface mcast.ttl mcast.loop", CLUSTER),
  ...all("cluster", "mcast.sndbuf mcast.recbuf mcast.buffer", CLUSTER),
  ...all(
    "cluster",
    "dns.name dns.app etcd.server etcd.prefix etcd.node_ttl etcd.ssl.keyfile etcd.ssl.certfile etcd.ssl.cacertfile",
    CLUSTER,
  ),
  ...all("cluster", "k8s.apiserver k8s.service_name k8s.address_type k8s.app_name k8s.namespace", CLUSTER),
  ...all("bridge.$name", BRIDGE_KEYS, BRIDGE),
  "log.to": oneOf(["off", "file", "console", "both"], "console", "Where the log goes. (EMQ X 3.1 shipped both.)", boot),
  "log.level": oneOf([...LOG_LEVELS, "all"], "notice", "Least severe events that are logged. (EMQ X 3.1 shipped error.)", boot),
  "log.format": oneOf(["text", "json"], "text", "One line an event: text for people, json for machines.", boot),
  "log.dir": text("log", "Directory of the log files.", boot),
  "log.file": text("emqx.log", "Name of the log file.", boot),
  "log.chars_limit": integer(1024, "Longest line; -1 = no limit.", { min: -1, ...boot }),
  "log.rotation.size": bytes("10MB", "A log file is put aside at this size.", boot),
  "log.rotation.count": integer(5, "How many are kept.", { min: 1, ...boot }),
  ...Object.fromEntries(
    LOG_LEVELS.map((level) => [
      `log.${level}.file`,
      optional(
        text(`${level}.log`, `A further file for events of level ${level} and above.`, {
          ...boot,
          hidden: level !== "info" && level !== "error",
        }),
      ),
    ]),
  ),
  ...all("log", "primary_level primary_log_level logger_sasl_compatible sasl error_logger", OTP_LOG),
  ...all("lager", "handlers crash_log", OTP_LOG),
  allow_anonymous: flag("true", "May clients nobody knows come in?"),
  acl_nomatch: oneOf(["allow", "deny"], "allow", "What is done with what no access rule names."),
  acl_file: text("etc/acl.conf", "The access rules; built-in ones while the default file does not exist.", boot),
  enable_acl_cache: flag("on", "Are verdicts of the access rules kept per connection?"),
  acl_cache_max_size: integer(32, "How many."),
  acl_cache_ttl: duration("1m", "For how long. One that a failure has a part in: for a second at most."),
  acl_deny_action: oneOf(["ignore", "disconnect"], "ignore", "As zone.<name>.acl_deny_action, which goes before."),
  flapping_clean_interval: ignored("1h", "Forgotten clients are swept once a minute.", { required: false }),
  ...under("mqtt", MQTT),
  "zone.internal.enable_acl": flag("off", "Are the access rules asked?"),
  "zone.internal.enable_ban": flag("off", "Are bans enforced?"),
  ...under("zone.$name", ZONE),
  ...LISTENER_KEYS,
  "module.presence": flag("on", "Tell on $SYS topics who connects and disconnects?"),
  "module.presence.qos": qos(1, "QoS of these messages."),
  "module.subscription": flag("off", "Subscribe clients to module.subscription.N topics when they connect?"),
  "module.subscription.$id.topic": text("$client/%c", "A topic filter; %c and %u are filled in."),
  "module.subscription.$id.qos": qos(1, "Its QoS."),
  "module.rewrite": flag("off", "Apply the rewriting rules?"),
  "module.rewrite.rule.$id": rewriteRule(),
  "plugins.etc_dir": text("etc/plugins/", "Directory of the plugins' configuration files (*.conf).", early),
  "plugins.loaded_file": text(
    "data/loaded_plugins",
    "Which plugins run, at the first start on a data directory (EMQ X's own file; default: in the data directory). From then on the " +
      "data directory's database keeps it.",
    early,
  ),
  "plugins.expand_plugins_dir": text(
    "plugins/",
    "Directory of your own plugins (*.ts, *.js), under the data directory; every file in it is run.",
    boot,
  ),
  "broker.sys_interval": duration("1m", "How often the $SYS topics are published; 0 = never."),
  "broker.shared_subscription_strategy": oneOf(
    ["random", "round_robin", "sticky", "hash"],
    "random",
    "Which member of a group gets a message.",
  ),
  "broker.enable_session_registry": ignored("on", CLUSTER),
  "broker.session_locking_strategy": ignored("quorum", CLUSTER),
  "broker.shared_dispatch_ack_enabled": ignored("false", "Unacknowledged messages of a member that goes are always given to another."),
  "broker.route_batch_clean": ignored("off", CLUSTER),
  "sysmon.long_gc": ignored("false", ERLANG),
  "sysmon.long_schedule": bareDuration("240ms", "An event loop that stands still for longer raises an alarm; 0 = never."),
  "sysmon.large_heap": ignored("8MB", ERLANG),
  "sysmon.busy_port": ignored("false", ERLANG),
  "sysmon.busy_dist_port": ignored("true", ERLANG),
  "os_mon.cpu_check_interval": duration("60s", "How often the CPU is looked at; 0 = never."),
  "os_mon.cpu_high_watermark": percent("80%", "From here on an alarm is raised …"),
  "os_mon.cpu_low_watermark": percent("60%", "… and below this it is cleared."),
  "os_mon.mem_check_interval": duration("60s", "How often memory is looked at; 0 = never."),
  "os_mon.sysmem_high_watermark": percent("70%", "Use of the machine's memory that raises an alarm."),
  "os_mon.procmem_high_watermark": percent("5%", "Share of this process, told while the machine's memory is short."),
  "vm_mon.check_interval": duration("30s", "How often processes and connections are counted; 0 = never."),
  "vm_mon.process_high_watermark": percent("80%", "Share of the limit that raises an alarm …"),
  "vm_mon.process_low_watermark": percent("60%", "… and below which it is cleared."),
};
