/** Plugins that ask a server who may log in, and servers that know somebody, as EMQ X 3.1's tables and keys have it. */
import { MARIADB, type Peer, POSTGRESQL, REDIS, SLAPD } from "./peers.ts";
import { RedisServer } from "./redis_servers.ts";
import type { SqlDatabase } from "./servers.ts";

export interface AuthPlugin {
  plugin: string;
  /** Of its keys. */
  prefix: string;
  /** Whose program its server is; null = nobody else's. */
  peer: Peer | null;
}

const called = (name: string, peer: Peer | null): AuthPlugin => ({ plugin: `emqx_auth_${name}`, prefix: `auth.${name}`, peer });

export const AUTH = {
  pgsql: called("pgsql", POSTGRESQL),
  mysql: called("mysql", MARIADB),
  redis: called("redis", REDIS),
  ldap: called("ldap", SLAPD),
  mongo: called("mongo", null),
  http: called("http", null),
  jwt: called("jwt", null),
} satisfies Record<string, AuthPlugin>;

/** Password by name. Neither has a quote. */
type Users = Readonly<Record<string, string>>;

/** Starts it, with these in its table, their passwords as they are. */
export async function startWithUsers(db: SqlDatabase, users: Users): Promise<void> {
  await db.start();
  db.run("create database mqtt");
  const rows = Object.entries(users).map(([name, password]) => `('${name}', '${password}', 0)`);
  db.run(
    `create table mqtt_user (username varchar(100), password varchar(100), is_superuser int); insert into mqtt_user values ${rows.join(", ")}`,
    "mqtt",
  );
}

/** Running. */
export async function redisWithUsers(users: Users): Promise<RedisServer> {
  const redis = new RedisServer();
  await redis.start();
  for (const [name, password] of Object.entries(users)) redis.run("HSET", `mqtt_user:${name}`, "password", password);
  return redis;
}
