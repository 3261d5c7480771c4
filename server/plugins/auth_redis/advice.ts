/** Which settings are to be looked at when Redis says no. */
import { type SettingKeys, tlsKeys } from "../_backend/advice.ts";

export const REDIS_KEYS: SettingKeys = {
  server: "auth.redis.server",
  kind: "auth.redis.type",
  timeout: "auth.redis.timeout",
  pool: "auth.redis.pool",
  account: "auth.redis.username, auth.redis.password",
  database: "auth.redis.database",
  sentinel: "auth.redis.sentinel",
  sentinelAccount: "auth.redis.sentinel_password",
  tls: "auth.redis.ssl",
  ...tlsKeys("auth.redis.ssl"),
};
