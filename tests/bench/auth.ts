/**
 * `bun run bench auth`: log-ins that a server outside is asked about, with each of the real servers that are installed, beside the bare
 * driver with the same server in the same run. 10,000 users; the broker on core 0, the generator on core 1, the servers where they like.
 */
import { createHash, createHmac } from "node:crypto";
import type { MonoMs } from "../../server/lib/time.ts";
import { MongoDriver } from "../../server/plugins/_mongo/driver.ts";
import { redisDrivers } from "../../server/plugins/_redis/driver.ts";
import { SqlDriver } from "../../server/plugins/_sql/driver.ts";
import { AUTH_QUERY, SUPER_QUERY } from "../../server/plugins/_sql/keys.ts";
import { compileQuery, type Dialect } from "../../server/plugins/_sql/query.ts";
import { ldapDrivers } from "../../server/plugins/auth_ldap/driver.ts";
import { AuthKit } from "../support/auth_kit.ts";
import { MongoTwin } from "../support/mongo_server.ts";
import { Nginx } from "../support/nginx.ts";
import { MARIADB, NGINX, type Peer, POSTGRESQL, REDIS, SLAPD } from "../support/peers.ts";
import { RedisServer } from "../support/redis_servers.ts";
import { MariaDb, Postgres, type Server, type SqlDatabase } from "../support/servers.ts";
import { directory, ldapEntry } from "../support/slapd.ts";
import { compileGenerator, type Generator, runLoad } from "./generator.ts";
import { machine, median, toMarkdown } from "./table.ts";
import { benchTokens } from "./tokens.ts";

const USERS = 10_000;
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** What stands for one server. */
interface Outside {
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

interface Kind {
  title: string;
  plugin: string;
  prefix: string;
  peer: Peer | null;
  make(): Promise<Outside>;
}

const NUMBERED = ["--users", String(USERS)];
const ONE = ["-u", "u0", "-P", "p0"];

async function sql(db: SqlDatabase, dialect: Dialect, fill: string): Promise<Outside> {
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

const KINDS: readonly Kind[] = [
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

/** Through the driver alone: answers a second of this process's CPU with 64 at a time, and the median time of one, ms. */
async function bare(ask: (user: number) => Promise<unknown>, count: number): Promise<Rates> {
  const run = async (n: number, atATime: number): Promise<void> => {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < n) await ask(next++ % USERS);
    };
    await Promise.all(Array.from({ length: atATime }, worker));
  };
  await run(count / 4, 64);
  const cpu = process.cpuUsage();
  const began = performance.now();
  await run(count, 64);
  const { user, system } = process.cpuUsage(cpu);
  const perSecond = (1000 * count) / (performance.now() - began);
  const times: number[] = [];
  for (let i = 0; i < 500; i++) {
    const t = performance.now();
    await ask(i);
    times.push(performance.now() - t);
  }
  return { perCpuSecond: (1e6 * count) / (user + system), perSecond, p50: median(times) };
}

interface Rates {
  perCpuSecond: number;
  perSecond: number;
  /** ms. */
  p50: number;
}

interface LogIns extends Rates {
  /** Between 50 pairs who have logged in, QoS 0, per CPU second: what may be done to a topic is asked once. */
  messages: number;
}

type Clients = Pick<Outside, "who" | "one">;
const ANYBODY: Clients = { who: [], one: [] };

/** As many log-ins as there is time for, then messages: a short while, so that two brokers can take turns on a machine that changes its speed. */
async function turn(generator: Generator, kit: AuthKit, { who, one }: Clients, count: number): Promise<Omit<LogIns, "p50">> {
  const { pid, ports } = kit.broker;
  const broker = ["--port", String(ports.tcp), "--pid", String(pid)];
  const fast = await runLoad(generator, ["connect", "--count", String(count), ...broker, ...who]);
  const pairs = await runLoad(generator, ["pairs", "--warmup", "1", "--seconds", "2", ...broker, ...one]);
  const error = fast.error ?? pairs.error;
  if (error !== undefined) throw new Error(error);
  return {
    perCpuSecond: fast.connects_per_broker_cpu_s ?? Number.NaN,
    perSecond: fast.connects_per_s ?? Number.NaN,
    messages: pairs.msgs_per_broker_cpu_s ?? Number.NaN,
  };
}

/** Between CONNECT and CONNACK with four clients at a time, ms. */
async function calm(generator: Generator, kit: AuthKit, { who }: Clients): Promise<number> {
  const broker = ["--port", String(kit.broker.ports.tcp), "--pid", String(kit.broker.pid)];
  const run = await runLoad(generator, ["connect", "--count", "1000", "--rate", "200", "--conc", "4", ...broker, ...who]);
  if (run.error !== undefined) throw new Error(run.error);
  return (run.connack_us?.p50 ?? Number.NaN) / 1000;
}

interface Compared {
  found: LogIns;
  none: LogIns;
  /** Medians of the shares, turn by turn. */
  share: { logIns: number; messages: number };
}

const TURNS = 3;

/** `kit` and a broker without a plugin in turn, three times, behind one turn each that is not counted. */
async function compare(generator: Generator, kit: AuthKit, alone: AuthKit, clients: Clients, count: number): Promise<Compared> {
  const turns: { mine: Omit<LogIns, "p50">; bare: Omit<LogIns, "p50"> }[] = [];
  for (let i = 0; i <= TURNS; i++) {
    const bare = await turn(generator, alone, ANYBODY, count);
    const mine = await turn(generator, kit, clients, count);
    if (i > 0) turns.push({ mine, bare });
  }
  const all = (of: (t: (typeof turns)[number]) => number): number => median(turns.map(of));
  const side = (which: "mine" | "bare", p50: number): LogIns => ({
    perCpuSecond: all((t) => t[which].perCpuSecond),
    perSecond: all((t) => t[which].perSecond),
    messages: all((t) => t[which].messages),
    p50,
  });
  return {
    none: side("bare", await calm(generator, alone, ANYBODY)),
    found: side("mine", await calm(generator, kit, clients)),
    share: { logIns: all((t) => t.mine.perCpuSecond / t.bare.perCpuSecond), messages: all((t) => t.mine.messages / t.bare.messages) },
  };
}

function pin(kit: AuthKit): void {
  if (Bun.which("taskset") !== null && navigator.hardwareConcurrency > 1) Bun.spawnSync(["taskset", "-apc", "0", String(kit.broker.pid)]);
}

async function withKit<T>(kit: AuthKit, lines: Record<string, string | number> | null, run: () => Promise<T>): Promise<T> {
  await kit.start(lines);
  try {
    pin(kit);
    return await run();
  } finally {
    await kit.stop([]);
  }
}

/** `only`: beginnings of plugins' names behind `emqx_auth_`, with commas between them; "" = all. */
export async function benchAuth(quick: boolean, only = ""): Promise<string> {
  const generator = compileGenerator();
  const count = quick ? 2000 : 10_000;
  const alone = new AuthKit("", "");
  const wanted = only.split(",");
  const kinds = KINDS.filter((k) => wanted.some((name) => k.plugin.startsWith(`emqx_auth_${name}`)));
  const rows = await withKit(alone, null, async () => {
    const found: string[][] = [];
    for (const kind of kinds) {
      const row = await rowOf(generator, kind, alone, count);
      if (row !== null) found.push(row);
    }
    return found;
  });
  const heading = [
    "",
    "log-ins/s",
    "without plugin",
    "per broker CPU s",
    "of without",
    "bare driver/s",
    "of its rate",
    "p50 ms at 200/s",
    "added to its answer, ms",
    "k messages per broker CPU s",
    "of without",
  ];
  const more = only === "" ? ["", benchTokens(quick)] : [];
  return [
    `Log-ins of ${USERS.toLocaleString("en-US")} users, each asked about at the server: password and super user, in turn with a broker without a plugin. ${new Date().toISOString().slice(0, 10)}, ${machine()}.`,
    "",
    toMarkdown([heading, ...rows]),
    ...more,
  ].join("\n");
}

/** null = its server is not installed. */
async function rowOf(generator: Generator, kind: Kind, alone: AuthKit, count: number): Promise<string[] | null> {
  if (kind.peer !== null && kind.peer.find() === null) {
    console.error(`${kind.title} is not installed: apt-get install ${kind.peer.apt}`);
    return null;
  }
  const outside = await kind.make();
  try {
    const raw = outside.ask === null ? null : await bare(outside.ask, count);
    const kit = new AuthKit(kind.plugin, kind.prefix);
    const compared = await withKit(kit, outside.lines, () => compare(generator, kit, alone, outside, count));
    const row = cells(kind.title, compared, raw);
    console.error(row.join(" | "));
    return row;
  } finally {
    await outside.close();
    await outside.server?.remove();
  }
}

function cells(title: string, { found, none, share }: Compared, raw: Rates | null): string[] {
  const against = raw === null ? ["", ""] : [whole(raw.perSecond), (found.perSecond / raw.perSecond).toFixed(2)];
  const added = raw === null ? found.p50 - none.p50 : found.p50 - none.p50 - raw.p50;
  const rates = [whole(found.perSecond), whole(none.perSecond), whole(found.perCpuSecond), share.logIns.toFixed(2)];
  return [title, ...rates, ...against, found.p50.toFixed(2), added.toFixed(2), whole(found.messages / 1000), share.messages.toFixed(2)];
}

const whole = (n: number): string => Math.round(n).toLocaleString("en-US");
