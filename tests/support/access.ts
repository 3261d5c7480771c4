/** Clients, zones, a clock and logs for tests of the access chain and of what is observed. */
import type { ZoneConfig } from "../../server/config/types.ts";
import type { Clock, Log } from "../../server/core/ports.ts";
import type { ClientInfo } from "../../server/core/types.ts";
import type { MonoMs, WallMs } from "../../server/lib/time.ts";

export const silentLog: Log = { error() {}, warn() {}, notice() {}, info() {}, debug() {} };

export interface LogLine {
  level: "error" | "warn" | "notice" | "info" | "debug";
  message: string;
  fields: Record<string, unknown>;
}

/** A log that remembers its lines. */
export function recordingLog(): Log & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at =
    (level: LogLine["level"]) =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      lines.push({ level, message, fields });
    };
  return { lines, error: at("error"), warn: at("warn"), notice: at("notice"), info: at("info"), debug: at("debug") };
}

/** Stands still until told. Its two hands are far apart, so that one taken for the other is noticed. */
export class FakeClock implements Clock {
  #mono = 1_000_000;
  constructor(public ms = 1_557_144_000_000) {}
  now(): WallMs {
    return this.ms as WallMs;
  }
  mono(): MonoMs {
    return this.#mono as MonoMs;
  }
  forward(ms: number): void {
    this.ms += ms;
    this.#mono += ms;
  }
  /** Somebody sets the wall clock. */
  jump(ms: number): void {
    this.ms += ms;
  }
}

/** The zone `external` as EMQ X 3.1 ships it. */
export function aZone(changes: Partial<ZoneConfig> = {}): ZoneConfig {
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
    maxPacketSize: 1_048_576,
    maxClientidLen: 65_535,
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
    ...changes,
  };
}

export function aClient(changes: Partial<ClientInfo> = {}): ClientInfo {
  return {
    clientId: "c1",
    username: "joe",
    ip: "10.0.0.1",
    port: 40_000,
    version: 4,
    protocolName: "MQTT",
    zone: changes.zone ?? aZone(),
    listener: "mqtt:tcp",
    isSuper: false,
    mountpoint: "",
    cleanStart: true,
    keepalive: 60,
    isBridge: false,
    cert: null,
    ...changes,
  };
}
