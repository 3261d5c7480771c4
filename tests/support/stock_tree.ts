/** What EMQ X 3.1.0, 3.1.1, 3.1.2 and 3.2.0 ship: keys, values, which files there are and which plugins run. Trees are made from it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AUTH_FILES } from "./stock_auth.ts";

export type Release = "3.1.0" | "3.1.1" | "3.1.2" | "3.2.0";
export const RELEASES: readonly Release[] = ["3.1.0", "3.1.1", "3.1.2", "3.2.0"];

/** The lines in force in etc/emqx.conf of 3.1.0 (of the ciphers, two). */
const SHIPPED = `
cluster.name = emqxcl
cluster.discovery = manual
cluster.autoheal = on
cluster.autoclean = 5m
node.name = emqx@127.0.0.1
node.cookie = emqxsecretcookie
node.data_dir = data
node.async_threads = 32
node.process_limit = 2048000
node.max_ports = 1024000
node.dist_buffer_size = 8MB
node.max_ets_tables = 256000
node.fullsweep_after = 1000
node.crash_dump = log/crash.dump
node.proto_dist = inet_tcp
node.dist_net_ticktime = 60
node.dist_listen_min = 6369
node.dist_listen_max = 6369
rpc.tcp_server_port = 5369
rpc.tcp_client_port = 5369
rpc.connect_timeout = 5s
rpc.send_timeout = 5s
rpc.authentication_timeout = 5s
rpc.call_receive_timeout = 15s
rpc.socket_keepalive_idle = 900s
rpc.socket_keepalive_interval = 75s
rpc.socket_keepalive_count = 9
log.to = both
log.level = error
log.dir = log
log.file = emqx.log
log.chars_limit = 1024
log.rotation.size = 10MB
log.rotation.count = 5
allow_anonymous = true
acl_nomatch = allow
acl_file = etc/acl.conf
enable_acl_cache = on
acl_cache_max_size = 32
acl_cache_ttl = 1m
acl_deny_action = ignore
mqtt.max_packet_size = 1MB
mqtt.max_clientid_len = 65535
mqtt.max_topic_levels = 0
mqtt.max_qos_allowed = 2
mqtt.max_topic_alias = 0
mqtt.retain_available = true
mqtt.wildcard_subscription = true
mqtt.shared_subscription = true
mqtt.ignore_loop_deliver = false
zone.external.idle_timeout = 15s
zone.external.enable_acl = on
zone.external.enable_ban = on
zone.external.enable_stats = on
zone.external.acl_deny_action = ignore
zone.external.force_gc_policy = 1000|1MB
zone.external.keepalive_backoff = 0.75
zone.external.max_subscriptions = 0
zone.external.upgrade_qos = off
zone.external.max_inflight = 32
zone.external.retry_interval = 20s
zone.external.max_awaiting_rel = 100
zone.external.await_rel_timeout = 300s
zone.external.session_expiry_interval = 2h
zone.external.max_mqueue_len = 1000
zone.external.mqueue_priorities = none
zone.external.mqueue_default_priority = highest
zone.external.mqueue_store_qos0 = true
zone.external.enable_flapping_detect = off
zone.external.flapping_threshold = 10, 1m
zone.external.flapping_banned_expiry_interval = 1h
zone.external.use_username_as_clientid = false
zone.internal.allow_anonymous = true
zone.internal.enable_stats = on
zone.internal.enable_acl = off
zone.internal.acl_deny_action = ignore
zone.internal.max_subscriptions = 0
zone.internal.max_inflight = 32
zone.internal.max_awaiting_rel = 100
zone.internal.max_mqueue_len = 1000
zone.internal.mqueue_store_qos0 = true
zone.internal.enable_flapping_detect = off
zone.internal.flapping_threshold = 10, 1m
zone.internal.flapping_banned_expiry_interval = 1h
zone.internal.use_username_as_clientid = false
listener.tcp.external = 0.0.0.0:1883
listener.tcp.external.acceptors = 8
listener.tcp.external.max_connections = 1024000
listener.tcp.external.max_conn_rate = 1000
listener.tcp.external.active_n = 100
listener.tcp.external.zone = external
listener.tcp.external.access.1 = allow all
listener.tcp.external.backlog = 1024
listener.tcp.external.send_timeout = 15s
listener.tcp.external.send_timeout_close = on
listener.tcp.external.nodelay = true
listener.tcp.external.reuseaddr = true
listener.tcp.internal = 127.0.0.1:11883
listener.tcp.internal.acceptors = 4
listener.tcp.internal.max_connections = 1024000
listener.tcp.internal.max_conn_rate = 1000
listener.tcp.internal.active_n = 1000
listener.tcp.internal.zone = internal
listener.tcp.internal.backlog = 512
listener.tcp.internal.send_timeout = 5s
listener.tcp.internal.send_timeout_close = on
listener.tcp.internal.nodelay = false
listener.tcp.internal.reuseaddr = true
listener.ssl.external = 8883
listener.ssl.external.acceptors = 16
listener.ssl.external.max_connections = 102400
listener.ssl.external.max_conn_rate = 500
listener.ssl.external.active_n = 100
listener.ssl.external.zone = external
listener.ssl.external.access.1 = allow all
listener.ssl.external.handshake_timeout = 15s
listener.ssl.external.keyfile = etc/certs/key.pem
listener.ssl.external.certfile = etc/certs/cert.pem
listener.ssl.external.ciphers = ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384
listener.ssl.external.reuseaddr = true
listener.ws.external = 8083
listener.ws.external.mqtt_path = /mqtt
listener.ws.external.acceptors = 4
listener.ws.external.max_connections = 102400
listener.ws.external.max_conn_rate = 1000
listener.ws.external.zone = external
listener.ws.external.access.1 = allow all
listener.ws.external.verify_protocol_header = on
listener.ws.external.backlog = 1024
listener.ws.external.send_timeout = 15s
listener.ws.external.send_timeout_close = on
listener.ws.external.nodelay = true
listener.wss.external = 8084
listener.wss.external.mqtt_path = /mqtt
listener.wss.external.acceptors = 4
listener.wss.external.max_connections = 16
listener.wss.external.max_conn_rate = 1000
listener.wss.external.zone = external
listener.wss.external.access.1 = allow all
listener.wss.external.verify_protocol_header = on
listener.wss.external.keyfile = etc/certs/key.pem
listener.wss.external.certfile = etc/certs/cert.pem
listener.wss.external.ciphers = ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384
listener.wss.external.backlog = 1024
listener.wss.external.send_timeout = 15s
listener.wss.external.send_timeout_close = on
module.presence = on
module.presence.qos = 1
module.subscription = off
module.rewrite = off
plugins.etc_dir = etc/plugins/
plugins.loaded_file = data/loaded_plugins
plugins.expand_plugins_dir = plugins/
broker.sys_interval = 1m
broker.enable_session_registry = on
broker.session_locking_strategy = quorum
broker.shared_subscription_strategy = random
broker.shared_dispatch_ack_enabled = false
broker.route_batch_clean = off
sysmon.long_gc = false
sysmon.long_schedule = 240
sysmon.large_heap = 8MB
sysmon.busy_port = false
sysmon.busy_dist_port = true
os_mon.cpu_check_interval = 60s
os_mon.cpu_high_watermark = 80%
os_mon.cpu_low_watermark = 60%
os_mon.mem_check_interval = 60s
os_mon.sysmem_high_watermark = 70%
os_mon.procmem_high_watermark = 5%
vm_mon.check_interval = 30s
vm_mon.process_high_watermark = 80%
vm_mon.process_low_watermark = 60%
`;

/** The lines that stand commented out in one of the releases, with their examples. */
const EXAMPLES = `
cluster.static.seeds = emqx1@127.0.0.1,emqx2@127.0.0.1
cluster.mcast.addr = 239.192.0.1
cluster.mcast.ports = 4369,4370
cluster.mcast.iface = 0.0.0.0
cluster.mcast.ttl = 255
cluster.mcast.loop = on
cluster.dns.name = localhost
cluster.dns.app = emqx
cluster.etcd.server = http://127.0.0.1:2379
cluster.etcd.prefix = emqxcl
cluster.etcd.node_ttl = 1m
cluster.etcd.ssl.keyfile = etc/certs/client-key.pem
cluster.etcd.ssl.certfile = etc/certs/client.pem
cluster.etcd.ssl.cacertfile = etc/certs/ca.pem
cluster.k8s.apiserver = http://10.110.111.204:8080
cluster.k8s.service_name = emqx
cluster.k8s.address_type = ip
cluster.k8s.app_name = emqx
cluster.k8s.namespace = default
node.heartbeat = on
node.ssl_dist_optfile = etc/ssl_dist.conf
log.info.file = info.log
log.error.file = error.log
flapping_clean_interval = 1h
zone.external.publish_limit = 10,1m
zone.external.max_packet_size = 64KB
zone.external.max_clientid_len = 1024
zone.external.max_topic_levels = 7
zone.external.max_qos_allowed = 2
zone.external.max_topic_alias = 0
zone.external.retain_available = true
zone.external.wildcard_subscription = false
zone.external.shared_subscription = false
zone.external.server_keepalive = 0
zone.external.mountpoint = devicebound/
zone.internal.wildcard_subscription = true
zone.internal.shared_subscription = true
zone.internal.mountpoint = cloudbound/
listener.tcp.external.rate_limit = 1024,4096
listener.tcp.external.proxy_protocol = on
listener.tcp.external.proxy_protocol_timeout = 3s
listener.tcp.external.peer_cert_as_username = cn
listener.tcp.external.recbuf = 2KB
listener.tcp.external.sndbuf = 2KB
listener.tcp.external.buffer = 2KB
listener.tcp.external.tune_buffer = off
listener.tcp.internal.rate_limit = 1000000,2000000
listener.tcp.internal.recbuf = 16KB
listener.tcp.internal.sndbuf = 16KB
listener.tcp.internal.buffer = 16KB
listener.tcp.internal.tune_buffer = off
listener.ssl.external.rate_limit = 1024,4096
listener.ssl.external.proxy_protocol = on
listener.ssl.external.proxy_protocol_timeout = 3s
listener.ssl.external.tls_versions = tlsv1.2,tlsv1.1,tlsv1
listener.ssl.external.cacertfile = etc/certs/cacert.pem
listener.ssl.external.dhfile = etc/certs/dh-params.pem
listener.ssl.external.verify = verify_peer
listener.ssl.external.fail_if_no_peer_cert = true
listener.ssl.external.psk_ciphers = PSK-AES128-CBC-SHA,PSK-AES256-CBC-SHA,PSK-3DES-EDE-CBC-SHA,PSK-RC4-SHA
listener.ssl.external.secure_renegotiate = off
listener.ssl.external.reuse_sessions = on
listener.ssl.external.honor_cipher_order = on
listener.ssl.external.peer_cert_as_username = cn
listener.ssl.external.backlog = 1024
listener.ssl.external.send_timeout = 15s
listener.ssl.external.send_timeout_close = on
listener.ssl.external.recbuf = 4KB
listener.ssl.external.sndbuf = 4KB
listener.ssl.external.buffer = 4KB
listener.ssl.external.tune_buffer = off
listener.ssl.external.nodelay = true
listener.ws.external.rate_limit = 1024,4096
listener.ws.external.proxy_address_header = X-Forwarded-For
listener.ws.external.proxy_port_header = X-Forwarded-Port
listener.ws.external.proxy_protocol = on
listener.ws.external.proxy_protocol_timeout = 3s
listener.ws.external.recbuf = 2KB
listener.ws.external.sndbuf = 2KB
listener.ws.external.buffer = 2KB
listener.ws.external.tune_buffer = off
listener.ws.external.compress = true
listener.ws.external.deflate_opts.level = default
listener.ws.external.deflate_opts.mem_level = 8
listener.ws.external.deflate_opts.strategy = default
listener.ws.external.deflate_opts.server_context_takeover = takeover
listener.ws.external.deflate_opts.client_context_takeover = takeover
listener.ws.external.deflate_opts.server_max_window_bits = 15
listener.ws.external.deflate_opts.client_max_window_bits = 15
listener.ws.external.idle_timeout = 60s
listener.ws.external.max_frame_size = 0
listener.wss.external.rate_limit = 1024,4096
listener.wss.external.proxy_address_header = X-Forwarded-For
listener.wss.external.proxy_port_header = X-Forwarded-Port
listener.wss.external.proxy_protocol = on
listener.wss.external.proxy_protocol_timeout = 3s
listener.wss.external.tls_versions = tlsv1.2,tlsv1.1,tlsv1
listener.wss.external.cacertfile = etc/certs/cacert.pem
listener.wss.external.verify = verify_peer
listener.wss.external.fail_if_no_peer_cert = true
listener.wss.external.psk_ciphers = PSK-AES128-CBC-SHA,PSK-AES256-CBC-SHA,PSK-3DES-EDE-CBC-SHA,PSK-RC4-SHA
listener.wss.external.secure_renegotiate = off
listener.wss.external.reuse_sessions = on
listener.wss.external.honor_cipher_order = on
listener.wss.external.peer_cert_as_username = cn
listener.wss.external.recbuf = 4KB
listener.wss.external.sndbuf = 4KB
listener.wss.external.buffer = 4KB
listener.wss.external.nodelay = true
listener.wss.external.compress = true
listener.wss.external.deflate_opts.level = default
listener.wss.external.deflate_opts.mem_level = 8
listener.wss.external.deflate_opts.strategy = default
listener.wss.external.deflate_opts.server_context_takeover = takeover
listener.wss.external.deflate_opts.client_context_takeover = takeover
listener.wss.external.deflate_opts.server_max_window_bits = 15
listener.wss.external.deflate_opts.client_max_window_bits = 15
listener.wss.external.idle_timeout = 60s
listener.wss.external.max_frame_size = 0
bridge.aws.address = 127.0.0.1:1883
bridge.aws.proto_ver = mqttv4
bridge.aws.client_id = bridge_aws
bridge.aws.clean_start = true
bridge.aws.username = user
bridge.aws.password = passwd
bridge.aws.mountpoint = bridge/aws/
bridge.aws.forwards = topic1/#,topic2/#
bridge.aws.ssl = off
bridge.aws.cacertfile = etc/certs/cacert.pem
bridge.aws.certfile = etc/certs/client-cert.pem
bridge.aws.keyfile = etc/certs/client-key.pem
bridge.aws.ciphers = ECDHE-ECDSA-AES256-GCM-SHA384,ECDHE-RSA-AES256-GCM-SHA384
bridge.aws.psk_ciphers = PSK-AES128-CBC-SHA,PSK-AES256-CBC-SHA,PSK-3DES-EDE-CBC-SHA,PSK-RC4-SHA
bridge.aws.keepalive = 60s
bridge.aws.tls_versions = tlsv1.2,tlsv1.1,tlsv1
bridge.aws.subscription.1.topic = cmd/topic1
bridge.aws.subscription.1.qos = 1
bridge.aws.subscription.2.topic = cmd/topic2
bridge.aws.subscription.2.qos = 1
bridge.aws.start_type = manual
bridge.aws.reconnect_interval = 30s
bridge.aws.retry_interval = 20s
bridge.aws.max_inflight_batches = 32
bridge.aws.queue.batch_count_limit = 32
bridge.aws.queue.batch_bytes_limit = 1000MB
bridge.aws.queue.replayq_dir = data/emqx_aws_bridge/
bridge.aws.queue.replayq_seg_bytes = 10MB
bridge.azure.queue.batch_size = 32
module.subscription.1.topic = $client/%c
module.subscription.1.qos = 1
module.subscription.2.topic = $user/%u
module.subscription.2.qos = 1
module.rewrite.rule.1 = x/# ^x/y/(.+)$ z/y/$1
module.rewrite.rule.2 = y/+/z/# ^y/(.+)/z/(.+)$ y/z/$2
zone.external.force_shutdown_policy = 8000|800MB
`;

/** Keys of the schema that no file shows, and other forms that it takes. */
const SCHEMA_ONLY = `
cluster.mcast.sndbuf = 16KB
cluster.mcast.recbuf = 16KB
cluster.mcast.buffer = 32KB
log.primary_level = error
log.primary_log_level = warning
log.logger_sasl_compatible = true
log.sasl = off
log.error_logger = silent
log.debug.file = debug.log
log.level = all
lager.handlers = []
lager.crash_log = off
zone.external.acl_nomatch = deny
zone.external.ignore_loop_deliver = true
zone.other.force_shutdown_policy = default
zone.other.force_shutdown_policy = 0 | 0MB
listener.wss.external.tune_buffer = off
listener.tcp.external.access.mine = deny 10.0.0.0/8
module.rewrite.rule.mine = x/# ^x/y/(.+)$ z/y/$1
zone.external.mqueue_priorities = alarm/fire=255,status=0
sysmon.long_schedule = 240ms
sysmon.long_schedule = 240
`;

/** The lines of the plugins that are part of this build; the others have some line of their own. */
const PLUGIN_FILES: Readonly<Record<string, string>> = {
  emqx_management: `management.max_row_limit = 10000
management.listener.http = 8080
management.listener.http.acceptors = 2
management.listener.http.max_clients = 512
management.listener.http.backlog = 512
management.listener.http.send_timeout = 15s
management.listener.http.send_timeout_close = on`,
  emqx_dashboard: `dashboard.default_user.login = admin
dashboard.default_user.password = public
dashboard.listener.http = 18083
dashboard.listener.http.acceptors = 4
dashboard.listener.http.max_clients = 512`,
  emqx_retainer: `retainer.storage_type = ram
retainer.max_retained_messages = 0
retainer.max_payload_size = 1MB
retainer.expiry_interval = 0`,
  emqx_recon: "recon.gc_interval = 5m",
  emqx_reloader: `reloader.interval = 60s
reloader.logfile = reloader.log`,
  emqx_auth_username: "auth.user.password_hash = sha256",
  emqx_auth_clientid: "auth.client.password_hash = sha256",
  emqx_delayed_publish: "",
  ...AUTH_FILES,
  emqx_coap: "coap.port = 5683",
  emqx_lwm2m: "lwm2m.port = 5683",
  emqx_psk_file: "psk.file.path = etc/psk.txt",
  emqx_rule_engine: "rule_engine.ignore_sys_message = on",
  emqx_sn: "mqtt.sn.port = 1884",
  emqx_statsd: `statsd.push.gateway.server = http://127.0.0.1:9091
statsd.interval = 15000
#prometheus.collector.1 = emqx_statsd`,
  emqx_stomp: "stomp.listener = 61613",
  emqx_web_hook: `web.hook.api.url = http://127.0.0.1:8080
web.hook.rule.client.connected.1     = {"action": "on_client_connected"}
web.hook.rule.client.disconnected.1     = {"action": "on_client_disconnected"}
web.hook.rule.client.subscribe.1     = {"action": "on_client_subscribe"}
web.hook.rule.client.unsubscribe.1     = {"action": "on_client_unsubscribe"}
web.hook.rule.session.created.1     = {"action": "on_session_created"}
web.hook.rule.session.subscribed.1     = {"action": "on_session_subscribed"}
web.hook.rule.session.unsubscribed.1     = {"action": "on_session_unsubscribed"}
web.hook.rule.session.terminated.1     = {"action": "on_session_terminated"}
web.hook.rule.message.publish.1     = {"action": "on_message_publish"}
web.hook.rule.message.deliver.1     = {"action": "on_message_deliver"}
web.hook.rule.message.acked.1     = {"action": "on_message_acked"}`,
};

type Lines = readonly (readonly [key: string, value: string])[];

/** Key and value of each line in force. */
export const linesOf = (text: string): Lines =>
  text
    .split("\n")
    .filter((l) => /^[^#].*=/.test(l))
    .map((l) => {
      const at = l.indexOf("=");
      return [l.slice(0, at).trim(), l.slice(at + 1).trim()] as const;
    });

/** The lines in force of a release's emqx.conf. */
export function shippedLines(release: Release): Lines {
  const lines = new Map(linesOf(SHIPPED));
  if (release !== "3.1.0") lines.set("sysmon.long_gc", "0").set("sysmon.long_schedule", "240ms").set("log.chars_limit", "8192");
  if (release === "3.2.0") {
    lines.delete("log.chars_limit");
    lines.set("log.level", "warning").set("zone.external.ignore_loop_deliver", "false").set("zone.internal.ignore_loop_deliver", "false");
  }
  return [...lines];
}

/** Every key of the real schemas, each with a value they take. */
export const everyLine: Lines = linesOf(SHIPPED + EXAMPLES + SCHEMA_ONLY);

/** Files of plugins that are not part of this build. */
export const foreignPlugins = (release: Release): string[] =>
  Object.keys(filesOf(release)).filter(
    (name) =>
      !/dashboard|management|recon|reloader|retainer|statsd|auth_(?:clientid|http|jwt|ldap|mongo|mysql|pgsql|redis|username)|delayed|rule_engine|web_hook/.test(
        name,
      ),
  );

const filesOf = (release: Release): Record<string, string> => ({
  ...PLUGIN_FILES,
  ...(release === "3.2.0" && { emqx_bridge_mqtt: "bridge.mqtt.aws.address = 127.0.0.1:1883" }),
});

/** `emqx_recon.` up to 3.1, `{emqx_recon, true}.` in 3.2. */
export function loadedList(release: Release, loaded: readonly string[], off: readonly string[] = []): string {
  if (release !== "3.2.0") return loaded.map((name) => `${name}.\n`).join("");
  return [...loaded.map((name) => `{${name}, true}.\n`), ...off.map((name) => `{${name}, false}.\n`)].join("");
}

const LOADED = ["emqx_management", "emqx_rule_engine", "emqx_recon", "emqx_retainer", "emqx_dashboard"];

/** A tree as the release unpacks, without key files (`pem` puts some there). */
export function writeTree(dir: string, release: Release, pem: { key: string; cert: string }, loaded: readonly string[] = LOADED): void {
  for (const d of ["etc/plugins", "etc/certs", "data", "log"]) mkdirSync(join(dir, d), { recursive: true });
  const conf = shippedLines(release).map(([key, value]) => `## words\n##\n## Value: any\n${key} = ${value}\n`);
  writeFileSync(join(dir, "etc/emqx.conf"), `${conf.join("\n")}\n`);
  for (const [name, lines] of Object.entries(filesOf(release)))
    writeFileSync(join(dir, `etc/plugins/${name}.conf`), `## words\n${lines}\n`);
  writeFileSync(join(dir, "etc/plugins/emqx_plugin_template.config"), "[\n  {emqx_plugin_template, []}\n].\n");
  writeFileSync(join(dir, "etc/acl.conf"), ACL);
  writeFileSync(join(dir, "etc/certs/key.pem"), pem.key);
  writeFileSync(join(dir, "etc/certs/cert.pem"), pem.cert);
  writeFileSync(join(dir, "data/loaded_plugins"), loadedList(release, loaded, ["emqx_bridge_mqtt", "emqx_cube"]));
}

const ACL = `%% words
{allow, {user, "dashboard"}, subscribe, ["$SYS/#"]}.
{allow, {ipaddr, "127.0.0.1"}, pubsub, ["$SYS/#", "#"]}.
{deny, all, subscribe, ["$SYS/#", {eq, "#"}]}.
{allow, all}.
`;
