/**
 * What the lists can be filtered by: `field=value` is exact, `_like_field=text` a "contains" without regard to case. The one table from which
 * the lists, the OpenAPI document and its tests are made.
 */
import type { Delayed, Retained } from "./extra_rows.ts";
import type { Banned, Connection, Route, Session, Subscription } from "./rows.ts";
import type { RuleRow } from "./rule_rows.ts";

export interface Filters {
  readonly exact: readonly string[];
  readonly like: readonly string[];
}

/** Names of fields of the row, or other names for them. */
const of = <Row, Alias extends string = never>(
  exact: readonly ((keyof Row & string) | Alias)[],
  like: readonly ((keyof Row & string) | Alias)[],
): Filters => ({ exact, like });

export const FILTERS = {
  connections: of<Connection, "ip_address">(
    ["client_id", "username", "ip_address", "ipaddress", "proto_ver", "clean_start", "zone", "is_super", "listener", "conn_mod"],
    ["client_id", "username", "ip_address", "ipaddress"],
  ),
  sessions: of<Session>(["client_id", "username", "clean_start", "connected"], ["client_id", "username"]),
  subscriptions: of<Subscription>(["client_id", "topic", "qos", "share"], ["client_id", "topic"]),
  routes: of<Route>(["topic"], ["topic"]),
  banned: of<Banned>(["who", "as", "by"], ["who", "reason", "desc"]),
  /** Beside `_filter`, an MQTT topic filter. */
  retained: of<Retained>(["topic", "qos", "from"], ["topic", "from"]),
  delayed: of<Delayed>(["id", "topic", "from"], ["topic", "from"]),
  /** `any`: id, name, topics, events, SQL, description, names of actions. */
  rules: of<RuleRow, "any">(["id", "name", "for", "state", "condition", "enabled"], ["any", "id", "name", "topics"]),
} as const;
