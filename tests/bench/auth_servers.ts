/**
 * What `bun run bench auth` measures with: each of the real servers that are installed, with 10,000 users, and brokers with the plugins that ask them.
 */
import { createHash, createHmac } from "node:crypto";
import type { MonoMs } from "../../server/lib/time.ts";
import { MongoDriver } from "../../server/plugins/_mongo/driver.ts";
import { redisDrivers } from "../../server/plugins/_redis/driver.ts";
import { SqlDriver } from "../../server/plugins/_sql/driver.ts";
import { AUTH_QUERY, SUPER_QUERY } from "../../server/plugins/_sql/keys.ts";
import { compileQuery, type Dialect } from "../../server/plugins/_sql/query.ts";
import { ldapDrivers } from "../../server/plugins/auth_ldap/driver.ts";
import type { AuthKit } from "../support/auth_kit.ts";
import { MongoTwin } from "../support/mongo_server.ts";
import { Nginx } from "../support/nginx.ts";
import { MARIADB, NGINX, type Peer, POSTGRESQL, REDIS, SLAPD } from "../support/peers.ts";
import { RedisServer } from "../support/redis_servers.ts";
import { MariaDb, Postgres, type Server, type SqlDatabase } from "../support/servers.ts";
import { directory, ldapEntry } from "../support/slapd.ts";

export const USERS = 10_000;
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** What stands for one server. */
export interface Outside {
  server: Server | null;
  /** Of the plugin's file, without the prefix. */
  lines: Record<string, string | number>;
  /** All that is asked about one log-in, through the driver alone. null = nobody is asked. */
  ask: ((user: number) => Promise<unknown>) | null;
  close(): unknown;
  /** Who comes, for the generator; and one of them, who publishes. */
  who: string[];
  one: string[];
}

export interface Kind {
  title: string;
  plugin: string;
  prefix: string;
  peer: Peer | null;
  make(): Promise<Outside>;
}

const NUMBERED = ["--users", String(USERS)];
const ONE = ["-u", "u0", "-P", "p0"];

/** `fill`: the statement that puts users into `mqtt_user`. */
export async function sql(db: SqlDatabase, dialect: Dialect, fill: string): Promise<Outside> {
  await db.start();
  db.run("create database mqtt");
  const flag = dialect === "mysql" ? "tinyint(1) default 0" : "boolean default false";
  const words = "ipaddr varchar(60), username varchar(100), clientid varchar(100), access int, topic varchar(100)";
  db.run(
    `create table mqtt_user (username varchar(100) primary key, password varchar(200), salt varchar(40), is_superuser ${flag}); ${fill};
     create table mqtt_acl (allow int, ${words});`,
    "mqtt",
  );
  const account = { username: db.user, password: db.password, database: "mqtt" };
  const address = { host: "127.0.0.1", port: db.port };
  const driver = new SqlDriver({ dialect, address, ...account, pool: 8, timeoutMs: 5000, prepare: true, readOnly: false, tls: null });
  const [auth, isSuper] = [AUTH_QUERY, SUPER_QUERY].map((text) => (compileQuery(text, dialect) as { text: string }).text);
  return {
    server: db,
    lines: { server: `127.0.0.1:${db.port}`, username: db.user, password: db.password },
    async ask(user) {
      await driver.rows(auth as string, [`u${user}`]);
      await driver.rows(isSuper as string, [`u${user}`]);
    },
    close: () => driver.close(),
    who: NUMBERED,
    one: ONE,
  };
}

async function redis(): Promise<Outside> {
  const server = new RedisServer([], false);
  await server.start();
  server.run("EVAL", `for i=0,${USERS - 1} do redis.call('HSET','mqtt_user:u'..i,'password','p'..i) end`, "0");
  const addresses = [{ host: "127.0.0.1", port: server.port }];
  const nobody = { master: "", username: "", password: "", sentinelPassword: "", database: 0, tls: null };
  const driver = await redisDrivers(
    { type: "single", addresses, ...nobody, pool: 8, timeoutMs: 5000 },
    { mono: () => performance.now() as MonoMs },
  )();
  return {
    server,
    lines: { server: `127.0.0.1:${server.port}` },
    async ask(user) {
      await driver.run(["HMGET", `mqtt_user:u${user}`, "password"]);
      await driver.run(["HGET", `mqtt_user:u${user}`, "is_superuser"]);
    },
    close: () => driver.close(),
    who: NUMBERED,
    one: ONE,
  };
}

async function ldap(): Promise<Outside> {
  const sha = (i: number): string => `{SHA}${createHash("sha1").update(`p${i}`).digest("base64")}`;
  const server = await directory(Array.from({ length: USERS }, (_, i) => ldapEntry(`u${i}`, sha(i))));
  await server.start();
  const account = { bindDn: server.bindDn, bindPassword: server.password };
  const driver = await ldapDrivers({ hosts: ["127.0.0.1"], port: server.port, ...account, pool: 8, timeoutMs: 5000, tls: null })();
  const dnOf = (user: number): string => `uid=u${user},ou=device,dc=emqx,dc=io`;
  const counts = { objectClass: "mqttUser", attributes: ["userPassword"], harmless: dnOf(1) };
  return {
    server,
    lines: { port: server.port, bind_dn: server.bindDn, bind_password: server.password },
    ask: (user) => driver.entry(dnOf(user), counts),
    close: () => driver.close(),
    who: NUMBERED,
    one: ONE,
  };
}

/** Its server is a program of the tests: what it costs says something of the driver and us, and nothing of MongoDB. */
async function mongo(): Promise<Outside> {
  const few = 100;
  const server = new MongoTwin({ mqtt_user: Array.from({ length: few }, (_, i) => ({ username: `u${i}`, password: sha256(`p${i}`) })) });
  await server.start();
  const addresses = [{ host: "127.0.0.1", port: server.port }];
  const more = { replicaSet: "", authSource: "mqtt", database: "mqtt", readSecondary: false, pool: 8, timeoutMs: 5000, tls: null };
  const driver = await MongoDriver.open({ type: "single", addresses, login: server.user, password: server.password, ...more });
  return {
    server,
    lines: { server: `127.0.0.1:${server.port}`, login: server.user, password: server.password },
    async ask(user) {
      await driver.first("mqtt_user", { username: `u${user % few}` }, ["password"]);
      await driver.first("mqtt_user", { username: `u${user % few}` }, ["is_superuser"]);
    },
    close: () => driver.close(),
    who: ["--users", String(few)],
    one: ONE,
  };
}

async function http(): Promise<Outside> {
  const server = new Nginx();
  await server.start();
  const at = (path: string): string => `http://127.0.0.1:${server.port}/${path}`;
  return {
    server,
    lines: server.settings,
    async ask(user) {
      await (await fetch(`${at("auth")}?clientid=c&username=u${user}&password=p${user}`)).text();
      await (await fetch(at("super"), { method: "POST", body: `clientid=c&username=u${user}` })).text();
    },
    close: () => {},
    who: NUMBERED,
    one: ONE,
  };
}

async function jwt(): Promise<Outside> {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ username: "u0", exp: Math.floor(Date.now() / 1000) + 3600 })}`;
  const token = `${text}.${createHmac("sha256", "emqxsecret").update(text).digest("base64url")}`;
  const one = ["-u", "u0", "-P", token];
  return { server: null, lines: { secret: "emqxsecret" }, ask: null, close: () => {}, who: one, one };
}

const SERIES = `insert into mqtt_user (username, password) select 'u'||i, encode(sha256(('p'||i)::bytea), 'hex') from generate_series(0, ${USERS - 1}) i`;
const SEQUENCE = `insert into mqtt_user (username, password) select concat('u', seq), sha2(concat('p', seq), 256) from seq_0_to_${USERS - 1}`;

export const KINDS: readonly Kind[] = [
  {
    title: "PostgreSQL",
    plugin: "emqx_auth_pgsql",
    prefix: "auth.pgsql",
    peer: POSTGRESQL,
    make: () => sql(new Postgres(), "postgres", SERIES),
  },
  { title: "MariaDB", plugin: "emqx_auth_mysql", prefix: "auth.mysql", peer: MARIADB, make: () => sql(new MariaDb(), "mysql", SEQUENCE) },
  { title: "Redis", plugin: "emqx_auth_redis", prefix: "auth.redis", peer: REDIS, make: redis },
  { title: "OpenLDAP", plugin: "emqx_auth_ldap", prefix: "auth.ldap", peer: SLAPD, make: ldap },
  { title: "MongoDB (twin)", plugin: "emqx_auth_mongo", prefix: "auth.mongo", peer: null, make: mongo },
  { title: "HTTP (nginx)", plugin: "emqx_auth_http", prefix: "auth.http", peer: NGINX, make: http },
  { title: "JWT HS256", plugin: "emqx_auth_jwt", prefix: "auth.jwt", peer: null, make: jwt },
];

/** Is its server installed? Where it is not, that is told. */
export function isThere({ title, peer }: Kind): boolean {
  if (peer === null || peer.find() !== null) return true;
  console.error(`${title} is not installed: apt-get install ${peer.apt}`);
  return false;
}

function pin(kit: AuthKit): void {
  if (Bun.which("taskset") !== null && navigator.hardwareConcurrency > 1) Bun.spawnSync(["taskset", "-apc", "0", String(kit.broker.pid)]);
}

/** `run` beside a broker. `lines`: of its plugin's file; null = no plugin. `where` it runs: core 0 is one, so that another broker can be compared with it. */
export async function withKit<T>(
  kit: AuthKit,
  lines: Record<string, string | number> | null,
  run: () => Promise<T>,
  where: "core 0" | "anywhere" = "core 0",
): Promise<T> {
  await kit.start(lines);
  try {
    if (where === "core 0") pin(kit);
    return await run();
  } finally {
    await kit.stop([]);
  }
}
