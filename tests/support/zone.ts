/** EMQ X 3.1's external zone and listener, with their defaults, for tests of the core. */
import type { NodeConfig, ZoneConfig } from "../../server/config/types.ts";
import type { ListenerInfo } from "../../server/core/ports.ts";

export function testZone(change: Partial<ZoneConfig> = {}): ZoneConfig {
  return {
    name: "external",
    idleTimeoutMs: 15_000,
    publishLimit: null,
    allowAnonymous: true,
    aclNomatch: "allow",
    enableAcl: true,
    enableBan: true,
    aclDenyAction: "ignore",
    enableAclCache: true,
    aclCacheMaxSize: 32,
    aclCacheTtlMs: 60_000,
    maxPacketSize: 1024 * 1024,
    maxClientidLen: 65535,
    maxTopicLevels: 0,
    maxQosAllowed: 2,
    maxTopicAlias: 0,
    retainAvailable: true,
    wildcardSubscription: true,
    sharedSubscription: true,
    serverKeepalive: 0,
    maxServerKeepalive: 0,
    keepaliveBackoff: 0.75,
    maxSubscriptions: 0,
    upgradeQos: false,
    maxInflight: 32,
    retryIntervalMs: 20_000,
    maxAwaitingRel: 100,
    awaitRelTimeoutMs: 300_000,
    sessionExpiryIntervalMs: 7_200_000,
    maxMqueueLen: 1000,
    maxMqueueBytes: 64 * 1024 * 1024,
    mqueuePriorities: null,
    mqueueDefaultPriority: "highest",
    mqueueStoreQos0: true,
    enableFlappingDetect: false,
    flappingThreshold: { count: 10, intervalMs: 60_000 },
    flappingBannedExpiryMs: 3_600_000,
    authFailureLimit: { count: 30, intervalMs: 60_000 },
    mountpoint: "",
    useUsernameAsClientid: false,
    ignoreLoopDeliver: false,
    ...change,
  };
}

export function testNode(change: Partial<NodeConfig> = {}): NodeConfig {
  return {
    nodeName: "emqx@127.0.0.1",
    memoryHighWatermark: 70,
    memoryLimit: 0,
    apiVersion: "v3.1.0",
    sysIntervalMs: 60_000,
    sharedStrategy: "random",
    storageOnError: "refuse",
    storagePendingLimit: 64 * 1024 * 1024,
    presence: true,
    presenceQos: 1,
    autoSubscribe: [],
    rewrite: [],
    ...change,
  };
}

/** Plain MQTT into the external zone; nobody has come through it yet. */
export function testListener(): ListenerInfo {
  return { protocol: "mqtt:tcp", name: "external", isWebSocket: false, zone: "external", peerCertAsUsername: "", shutdowns: new Map() };
}
