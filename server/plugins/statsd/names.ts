/**
 * What emqx_statsd 3.1 sent to the gateway (src/emqx_statsd.erl, release-3.1), and what its Grafana boards ask for beside that
 * (`emqx_clients_count`, `emqx_packets_disconnect`). Left out: `emqx_vm_run_queue` and `emqx_vm_process_messages_in_queues`, and what the
 * collectors of Erlang's machine said, because there is no such thing here.
 */
const PACKETS =
  "auth received sent connect connack disconnect_received disconnect_sent disconnect subscribe suback unsubscribe unsuback publish_received " +
  "publish_sent puback_received puback_sent puback_missed pubrec_received pubrec_sent pubrec_missed pubrel_received pubrel_sent pubrel_missed " +
  "pubcomp_received pubcomp_sent pubcomp_missed pingreq pingresp";
const MESSAGES =
  "received sent dropped retained qos0_received qos0_sent qos1_received qos1_sent qos2_received qos2_expired qos2_sent qos2_dropped qos2_forward";
const STATS = "connections retained routes sessions subscriptions topics";

const below = (prefix: string, words: string): string[] => words.split(" ").map((word) => `emqx_${prefix}_${word}`);

export const PUSHED: ReadonlySet<string> = new Set([
  ...below("packets", PACKETS),
  ...below("messages", MESSAGES),
  ...below("bytes", "received sent"),
  ...STATS.split(" ").flatMap((name) => [`emqx_${name}_count`, `emqx_${name}_max`]),
  ...below("vm", "cpu_use cpu_idle"),
  "emqx_clients_count",
]);
