/**
 * What the Grafana boards of emqx_statsd 3.1 ask Prometheus for: each `expr` of a panel and each `query` of a variable of grafana_template/EMQ.json
 * and EMQ_Dashboard.json in github.com/emqx/emqx-statsd, branch release-3.1 (66771568); the same in release-3.2. The third board there, ErlangVM.json,
 * asks for Erlang's machine only (`erlang_vm_*`), which does not exist here.
 */

const RATES = [
  "emqx_messages_received",
  "emqx_messages_sent",
  "emqx_messages_retained",
  "emqx_messages_dropped",
  "emqx_bytes_received",
  "emqx_bytes_sent",
  "emqx_packets_connect",
  "emqx_packets_connack",
  "emqx_packets_disconnect",
  "emqx_packets_subscribe",
  "emqx_packets_suback",
  "emqx_packets_unsubscribe",
  "emqx_packets_unsuback",
  "emqx_packets_pingreq",
  "emqx_packets_pingresp",
  "emqx_packets_publish_received",
  "emqx_packets_publish_sent",
  "emqx_packets_puback_received",
  "emqx_packets_puback_sent",
  "emqx_packets_pubrel_received",
  "emqx_packets_pubrel_sent",
  "emqx_packets_pubcomp_received",
  "emqx_packets_pubcomp_sent",
];
const GAUGES = ["emqx_clients_count", "emqx_sessions_count", "emqx_subscriptions_count", "emqx_routes_count"];

/** `$host` and `$interval`: variables of the board, which `asked` fills in. */
export const BOARDS: Readonly<Record<string, readonly string[]>> = {
  "EMQ.json": [
    ...GAUGES.map((name) => `${name}{instance="$host"}`),
    ...RATES.map((name) => `sum(rate(${name}{instance="$host"}[$interval]) or irate(${name}{instance="$host"}[5m]))`),
  ],
  "EMQ_Dashboard.json": [
    'sum(emqx_clients_count{instance=~".*",job="emqx"})',
    'sum(irate(emqx_messages_received{instance=~".*",job="emqx"}[5m]))',
    'sum(irate(emqx_messages_sent{instance=~".*",job="emqx"}[5m]))',
    'emqx_routes_count{instance=~".*",job="emqx"}',
    'sum(rate(emqx_bytes_received{instance=~".*",job="emqx"}[5m]))',
    'sum(rate(emqx_bytes_sent{instance=~".*",job="emqx"}[5m]))',
  ],
};

/** Where EMQ.json finds its hosts: `label_values(emqx_clients_count, instance)`. */
export const HOSTS_OF = "emqx_clients_count";

/** As Grafana sends a query on. */
export const asked = (query: string, host: string, interval: string): string =>
  query.replaceAll("$host", host).replaceAll("$interval", interval);

/** Names of metrics in queries, each once. */
export const namesIn = (queries: readonly string[]): string[] => [...new Set(queries.flatMap((query) => query.match(/emqx_\w+/g) ?? []))];
