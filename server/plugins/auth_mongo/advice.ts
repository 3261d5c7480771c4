/** Which settings are to be looked at when MongoDB says no. */
import { type SettingKeys, tlsKeys } from "../_backend/advice.ts";

export const MONGO_KEYS: SettingKeys = {
  server: "auth.mongo.server",
  kind: "auth.mongo.type, auth.mongo.rs_set_name",
  timeout: "auth.mongo.timeout",
  pool: "auth.mongo.pool",
  account: "auth.mongo.login, auth.mongo.password, auth.mongo.auth_source",
  database: "auth.mongo.database",
  tls: "auth.mongo.ssl",
  ...tlsKeys("auth.mongo.ssl_opts"),
};
