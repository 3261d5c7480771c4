/** From keys to the objects the core reads. */
import type { Config } from "./config.ts";
import type { NodeConfig, SharedStrategy, ZoneConfig } from "./types.ts";

/** Field of ZoneConfig -> key under `zone.<name>.`; unset ones fall back to the key of the node named last. */
const FIELDS: readonly (readonly [field: keyof ZoneConfig, key: string, fallback?: string])[] = [
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
];

export function fillZone(config: Config, zone: ZoneConfig): void {
  const of = (key: string): unknown => config.get(`zone.${zone.name}.${key}`);
  const target = zone as unknown as Record<string, unknown>;
  for (const [field, key, fallback] of FIELDS) {
    const own = of(key);
    target[field] = own === null && fallback !== undefined ? config.get(fallback) : own;
  }
  zone.serverKeepalive = Number(of("server_keepalive") ?? 0);
  zone.mountpoint = String(of("mountpoint") ?? "");
  // The node's setting stands for zones that have none of their own.
  const deny = `zone.${zone.name}.acl_deny_action`;
  zone.aclDenyAction = (
    config.origin(deny) === "default" ? config.get("acl_deny_action") : config.get(deny)
  ) as ZoneConfig["aclDenyAction"];
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
