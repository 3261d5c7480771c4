/** Authentication and access rules from Redis: one server, sentinels or a cluster. EMQ X 3.1; TLS, accounts, `on_error` and the time limit are ours. */
import { flag, integer, oneOf, optional, parsed, secret, text } from "../../lib/config_entry.ts";
import { onErrorEntry } from "../_auth/outside.ts";
import { defineOutside, type OutsidePlugin } from "../_auth/source.ts";
import { passwordHash } from "../_auth/stored.ts";
import { serverAddresses } from "../_backend/address.ts";
import { laterTimeLimitEntry, timeLimitEntry } from "../_backend/calls.ts";
import { tlsEntries, tlsOf, unverifiedBy } from "../_backend/tls.ts";
import type { RedisServers } from "../_redis/driver.ts";
import type { ValuesOf } from "../plugin.ts";
import { READING_COMMAND, readingCommand } from "./command.ts";
import { redisSource } from "./source.ts";

const OURS = { required: false };

const command = (def: string, doc: string, o: { unset?: string } = {}) => parsed(def, READING_COMMAND, readingCommand, doc, o);

const config = {
  "auth.redis.type": oneOf(["single", "sentinel", "cluster"], "single", "What stands under auth.redis.server."),
  "auth.redis.server": serverAddresses("127.0.0.1:6379", 6379),
  "auth.redis.pool": integer(8, "Connections; of a cluster one to each of its servers.", { min: 1, max: 256 }),
  "auth.redis.database": integer(0, "Number of the database that has the users. A cluster has but 0.", { min: 0, max: 65_535 }),
  "auth.redis.auth_cmd": command(
    "HMGET mqtt_user:%u password",
    "Asked for a client's password: HMGET of password, or of password and salt, in this order, or GET. %u, %c, %cn, %dn, %a are values.",
  ),
  "auth.redis.password_hash": passwordHash("plain", "How passwords are stored."),
  "auth.redis.super_cmd": command(
    "HGET mqtt_user:%u is_superuser",
    "Asked whether a client may do everything: 1. Empty, or left out of a file = nobody is asked.",
    {
      unset: "",
    },
  ),
  "auth.redis.acl_cmd": command(
    "HGETALL mqtt_acl:%u",
    "Asked for a client's rules: topic filter and 1 (subscribe), 2 (publish) or 3 (both). Who has any may do nothing else. Empty, or left out of a file = no rules.",
    { unset: "" },
  ),
  "auth.redis.sentinel": optional(text("mymaster", "The name by which sentinels know the master.")),
  "auth.redis.password": optional(secret("", "Password at the server.")),
  "auth.redis.username": text("", "Account at the server (Redis 6); empty = the default one.", OURS),
  "auth.redis.sentinel_password": secret("", "Password at the sentinels.", OURS),
  "auth.redis.timeout": timeLimitEntry("3s", "A command that is not answered within it counts as failed."),
  "auth.redis.query_timeout": laterTimeLimitEntry("auth.redis.timeout"),
  "auth.redis.on_error": onErrorEntry(),
  "auth.redis.ssl": flag("off", "Speak TLS with the servers, and with the sentinels.", OURS),
  ...tlsEntries("auth.redis.ssl"),
};
type Values = ValuesOf<typeof config>;

const outside: OutsidePlugin<typeof config> = {
  open: (host, c) =>
    redisSource(host, {
      servers: serversOf(c),
      commands: { auth: c["auth.redis.auth_cmd"], super: c["auth.redis.super_cmd"], acl: c["auth.redis.acl_cmd"] },
      hash: c["auth.redis.password_hash"],
    }),
  onError: (c) => c["auth.redis.on_error"],
  unverified: (c) => unverifiedBy("auth.redis.ssl", c["auth.redis.ssl"], c),
};

function serversOf(c: Values): RedisServers {
  const type = c["auth.redis.type"];
  const master = c["auth.redis.sentinel"] ?? "";
  if (type === "sentinel" && master === "")
    throw new Error("auth.redis.sentinel: sentinels are asked for a master by its name, e.g. mymaster");
  return {
    type,
    addresses: c["auth.redis.server"],
    master,
    username: c["auth.redis.username"],
    password: c["auth.redis.password"] ?? "",
    sentinelPassword: c["auth.redis.sentinel_password"],
    database: c["auth.redis.database"],
    pool: c["auth.redis.pool"],
    timeoutMs: c["auth.redis.query_timeout"] ?? c["auth.redis.timeout"],
    tls: c["auth.redis.ssl"] ? tlsOf("auth.redis.ssl", c) : null,
  };
}

export const authRedis = defineOutside(
  {
    name: "emqx_auth_redis",
    description: "EMQ X Authentication/ACL with Redis",
    config,
    liveKeys: {
      "auth.redis.server": "string",
      "auth.redis.pool": "integer",
      "auth.redis.password": "string",
      "auth.redis.database": "integer",
      "auth.redis.password_hash": "string",
    },
  },
  outside,
);
