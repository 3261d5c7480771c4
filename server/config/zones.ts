/** From keys to the objects the core reads. */
import type { Config } from "./config.ts";
import type { NodeConfig, SharedStrategy, ZoneConfig } from "./types.ts";

/** Field of ZoneConfig, key under `zone.<name>.`, and the key of the node that stands for zones that have none of their own. */
type Field = readonly [field: keyof ZoneConfig, key: string, fallback?: string];
const FIELDS: readonly Field[] = [
  ["maxPacketSize", "max_packet_size", "mqtt.max_packet_size"],
  ["maxClientidLen", "max_clientid_len", "mqtt.max_clientid_len"],
  ["maxTopicLevels", "max_topic_levels", "mqtt.max_topic_levels"],
  ["maxQosAllowed", "max_qos_allowed", "mqtt.max_qos_allowed"],
  ["maxTopicAlias", "max_topic_alias", "mqtt.max_topic_alias"],
  ["retainAvailable", "retain_available", "mqtt.retain_available"],
  ["wildcardSubscription", "wildcard_subscription", "mqtt.wildcard_subscription"],
  ["sharedSubscription", "shared_subscription", "mqtt.shared_subscription"],
  ["maxServerKeepalive", "max_server_keepalive", "mqtt.max_server_keepalive"],
  ["ignoreLoopDeliver", "ignore_loop_deliver", "mqtt.ignore_loop_deliver"],
  ["allowAnonymous", "allow_anonymous", "allow_anonymous"],
  ["aclNomatch", "acl_nomatch", "acl_nomatch"],
  ["enableAclCache", "enable_acl_cache", "enable_acl_cache"],
  ["aclCacheMaxSize", "acl_cache_max_size", "acl_cache_max_size"],
  ["aclCacheTtlMs", "acl_cache_ttl", "acl_cache_ttl"],
  ["idleTimeoutMs", "idle_timeout"],
  ["publishLimit", "publish_limit"],
  ["enableAcl", "enable_acl"],
  ["enableBan", "enable_ban"],
  ["keepaliveBackoff", "keepalive_backoff"],
  ["maxSubscriptions", "max_subscriptions"],
  ["upgradeQos", "upgrade_qos"],
  ["maxInflight", "max_inflight"],
  ["retryIntervalMs", "retry_interval"],
  ["maxAwaitingRel", "max_awaiting_rel"],
  ["awaitRelTimeoutMs", "await_rel_timeout"],
  ["sessionExpiryIntervalMs", "session_expiry_interval"],
  ["maxMqueueLen", "max_mqueue_len"],
  ["maxMqueueBytes", "max_mqueue_bytes"],
  ["mqueuePriorities", "mqueue_priorities"],
  ["mqueueDefaultPriority", "mqueue_default_priority"],
  ["mqueueStoreQos0", "mqueue_store_qos0"],
  ["enableFlappingDetect", "enable_flapping_detect"],
  ["flappingThreshold", "flapping_threshold"],
  ["flappingBannedExpiryMs", "flapping_banned_expiry_interval"],
  ["authFailureLimit", "auth_failure_limit"],
  ["useUsernameAsClientid", "use_username_as_clientid"],
  ["serverKeepalive", "server_keepalive"],
  ["mountpoint", "mountpoint"],
];
const BY_KEY: ReadonlyMap<string, Field> = new Map(FIELDS.map((f) => [f[1], f]));
/** What stands for null. */
const UNSET: Partial<Record<keyof ZoneConfig, unknown>> = { serverKeepalive: 0, mountpoint: "" };

/** Of a key that begins with `zone.`. */
export const zoneOf = (key: string): string => key.split(".", 2)[1] as string;

/** The two zones that always are, and those that somebody says something of. */
export function keysByZone(keys: Iterable<string>): Map<string, string[]> {
  const zones = new Map<string, string[]>([
    ["external", []],
    ["internal", []],
  ]);
  for (const key of keys) {
    if (!key.startsWith("zone.")) continue;
    const name = zoneOf(key);
    const known = zones.get(name);
    if (known === undefined) zones.set(name, [key]);
    else known.push(key);
  }
  return zones;
}

type Target = Record<string, unknown>;

function take(config: Config, target: Target, [field, , fallback]: Field, own: unknown): void {
  target[field] = (own === null && fallback !== undefined ? config.get(fallback) : own) ?? UNSET[field] ?? null;
}

/** A zone of which nobody said anything: most of each zone is so, and it is the same for all of them. */
export function plainZone(config: Config): Omit<ZoneConfig, "name"> {
  const target: Target = {};
  for (const field of FIELDS) take(config, target, field, config.shipped(`zone.$name.${field[1]}`));
  target.aclDenyAction = config.get("acl_deny_action");
  return target as unknown as Omit<ZoneConfig, "name">;
}

/** `own`: the zone's keys that somebody set, or that have a row of their own. */
export function fillZone(config: Config, zone: ZoneConfig, plain: Omit<ZoneConfig, "name">, own: Iterable<string>): void {
  Object.assign(zone, plain);
  const target = zone as unknown as Target;
  const prefix = `zone.${zone.name}.`;
  for (const key of own) {
    const field = BY_KEY.get(key.slice(prefix.length));
    if (field !== undefined) take(config, target, field, config.get(key));
  }
  // Its default is no word on it: the node's setting goes before.
  const deny = `${prefix}acl_deny_action`;
  if (config.origin(deny) !== "default") target.aclDenyAction = config.get(deny);
}

/** `isRunning`: whoever asked for the node's name keeps it, so it stays until the next start. */
export function fillNode(config: Config, node: NodeConfig, isRunning: boolean): void {
  if (!isRunning) node.nodeName = String(config.get("node.name"));
  node.memoryHighWatermark = Number(config.get("node.memory_high_watermark"));
  node.memoryLimit = Number(config.get("node.memory_limit"));
  node.sysIntervalMs = Number(config.get("broker.sys_interval"));
  node.sharedStrategy = config.get("broker.shared_subscription_strategy") as SharedStrategy;
  node.storageOnError = config.get("storage.on_error") as NodeConfig["storageOnError"];
  node.storagePendingLimit = Number(config.get("storage.pending_limit"));
  node.presence = config.get("module.presence") === true;
  node.presenceQos = Number(config.get("module.presence.qos")) as 0 | 1 | 2;
  node.autoSubscribe =
    config.get("module.subscription") !== true
      ? []
      : config.ids("module.subscription").map((n) => ({
          topic: String(config.get(`module.subscription.${n}.topic`)),
          qos: Number(config.get(`module.subscription.${n}.qos`)) as 0 | 1 | 2,
        }));
  node.rewrite =
    config.get("module.rewrite") !== true
      ? []
      : config.ids("module.rewrite.rule").map((n) => config.get(`module.rewrite.rule.${n}`) as NodeConfig["rewrite"][number]);
}
