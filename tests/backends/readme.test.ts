/** What the README says to type for each back end, typed: against the real servers, into the executable. Only addresses and accounts are others. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectPacket, RawClient, until } from "../support/clients.ts";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { MongoTwin } from "../support/mongo_server.ts";
import { OtlpCollector } from "../support/otlp.ts";
import { MARIADB, MOSQUITTO_CLIENTS, needing, POSTGRESQL, PROMETHEUS, PUSHGATEWAY, REDIS, SLAPD } from "../support/peers.ts";
import { freePorts } from "../support/ports.ts";
import { commandsOf, typeInto } from "../support/readme.ts";
import { RedisServer } from "../support/redis_servers.ts";
import { MariaDb, Postgres } from "../support/servers.ts";
import { StatsdServer } from "../support/statsd.ts";

let baomq: Installation;
let broker: RunningBroker;

beforeAll(async () => {
  baomq = new Installation();
  mkdirSync(join(baomq.dir, "etc/plugins"), { recursive: true });
  broker = await baomq.start({ set: { "listener.tcp.external.max_conn_rate": "0", "zone.external.allow_anonymous": "false" } });
});
afterAll(async () => {
  expect(await broker.stop()).toBe(0);
  await baomq.remove();
});

const type = (commands: string, words: Record<string, string>): Promise<string> => typeInto(baomq, commands, words);

/** May this client subscribe to it? null = it is not let in. */
async function may(username: string, password: string, topic: string): Promise<boolean | null> {
  const c = await RawClient.open(broker.ports.tcp);
  c.send(connectPacket(4, `c-${Math.random()}`, { username, password: Buffer.from(password) }));
  const { returnCode } = await c.next("connack");
  if (returnCode !== 0) return null;
  c.send({ cmd: "subscribe", messageId: 7, subscriptions: [{ topic, qos: 0 }] } as never);
  const { granted } = await c.next("suback");
  c.drop();
  return granted[0] !== 0x80;
}

/** What clients of others see. `more`: of what they are told. */
async function seen(password = "public"): Promise<void> {
  if (MOSQUITTO_CLIENTS.find() === null && !process.env.CI) return;
  const client = (name: string): string => `exec ${Bun.which(name)} -p ${broker.ports.tcp} "$@" 2>&1`;
  const commands = commandsOf("All of them**").replaceAll("-P public", `-P '${password}'`);
  const out = await type(commands, { mosquitto_sub: client("mosquitto_sub"), mosquitto_pub: client("mosquitto_pub") });
  const said = [...commands.matchAll(/# (.+)$/gm)].map(([, words]) => words ?? "");
  expect(said).toEqual(["hello", "refused", expect.stringContaining("denied")]);
  expect(out.split("\n").filter((line) => said.includes(line))).toEqual(said);
}

async function holds(plugin: string, out: string): Promise<void> {
  expect(out).toMatch(/^acl +allow /m);
  await seen();
  expect([await may("joe", "public", "joe/both/1"), await may("joe", "public", "ann/both/1")]).toEqual([true, false]);
  expect(await may("root", "public", "ann/both/1")).toBe(true);
  expect([await may("joe", "wrong", "x"), await may("ann", "public", "x")]).toEqual([null, null]);
  expect((await baomq.run(["ctl", "plugins", "unload", plugin])).code).toBe(0);
}

needing(POSTGRESQL, describe)("PostgreSQL", () => {
  test("joe has his rules, root all rights, others nothing", async () => {
    const db = new Postgres();
    await db.start();
    const commands = commandsOf("PostgreSQL**")
      .replaceAll("127.0.0.1/mqtt", `127.0.0.1:${db.port}/mqtt`)
      .replace("127.0.0.1:5432", `127.0.0.1:${db.port}`);
    const admin = `shift 3; PGPASSWORD="${db.password}" exec psql -h 127.0.0.1 -p ${db.port} -U ${db.user} -d postgres "$@"`;
    await holds("emqx_auth_pgsql", await type(commands, { sudo: admin }));
    await db.remove();
  });
});

needing(MARIADB, describe)("MariaDB", () => {
  test("joe has his rules, root all rights, others nothing", async () => {
    const db = new MariaDb();
    await db.start();
    // The account of the tests has the same name.
    const commands = commandsOf("MySQL and MariaDB**")
      .replace("create user", "create or replace user")
      .replace("127.0.0.1:3306", `127.0.0.1:${db.port}`);
    const client = `exec /usr/bin/mariadb --no-defaults -P ${db.port}`;
    const admin = `shift; ${client} -h 127.0.0.1 -u ${db.user} "-p${db.password}" "$@"`;
    await holds("emqx_auth_mysql", await type(commands, { sudo: admin, mariadb: `${client} "$@"` }));
    await db.remove();
  });
});

needing(REDIS, describe)("Redis", () => {
  test("joe has his rules, root all rights, others nothing", async () => {
    const redis = new RedisServer([], false);
    await redis.start();
    const commands = commandsOf("Redis**").replace("127.0.0.1:6379", `127.0.0.1:${redis.port}`);
    await holds("emqx_auth_redis", await type(commands, { "redis-cli": `exec /usr/bin/redis-cli -p ${redis.port} "$@"` }));
    await redis.remove();
  });
});

needing(SLAPD, describe)("LDAP", () => {
  test("joe may do what his entry says; who is switched off, or no entry, is not let in", async () => {
    const [port = 0] = freePorts(1);
    const commands = commandsOf("LDAP**").replaceAll("127.0.0.1:389", `127.0.0.1:${port}`).replace("port = 389", `port = ${port}`);
    const out = await type(commands, { slapd: `exec ${SLAPD.find()} "$@"` });
    const pid = Number(readFileSync(join(baomq.dir, "ldap/slapd.pid"), "utf8"));
    try {
      expect(out).toMatch(/^acl +allow /m);
      expect([await may("joe", "public", "joe/both/1"), await may("joe", "wrong", "x"), await may("ann", "public", "x")]).toEqual([
        true,
        null,
        null,
      ]);
      writeFileSync(join(baomq.dir, "etc/acl.conf"), '{deny, {user, "joe"}, subscribe, ["ann/#"]}.\n{allow, all}.\n');
      expect((await baomq.run(["ctl", "acl", "reload"])).code).toBe(0);
      await seen();
      expect((await baomq.run(["ctl", "plugins", "unload", "emqx_auth_ldap"])).code).toBe(0);
    } finally {
      process.kill(pid);
    }
    rmSync(join(baomq.dir, "etc/acl.conf"));
    expect((await baomq.run(["ctl", "acl", "reload"])).code).toBe(0);
  });
});

describe("MongoDB's twin", () => {
  test("joe has his rules", async () => {
    const mongo = new MongoTwin({});
    await mongo.start();
    const account = `auth.mongo.login = ${mongo.user}\nauth.mongo.password = ${mongo.password}`;
    const commands = commandsOf("MongoDB**")
      .replace("127.0.0.1:27017", `127.0.0.1:${mongo.port}`)
      .replace("auth.mongo.database", `${account}\n$&`);
    const shell = join(import.meta.dir, "../support/mongosh_twin.ts");
    const out = await type(commands, { mongosh: `exec ${process.execPath} ${shell} ${mongo.port} '${mongo.user}' '${mongo.password}'` });
    expect(out).toMatch(/^acl +allow /m);
    expect([await may("joe", "public", "joe/both/1"), await may("joe", "public", "x"), await may("joe", "wrong", "x")]).toEqual([
      true,
      false,
      null,
    ]);
    await seen();
    expect((await baomq.run(["ctl", "plugins", "unload", "emqx_auth_mongo"])).code).toBe(0);
    await mongo.remove();
  });
});

describe("a web service", () => {
  test("of a few lines is asked for all three", async () => {
    const [port = 0] = freePorts(1);
    const commands = commandsOf("A web service**")
      .replaceAll("127.0.0.1:8991", `127.0.0.1:${port}`)
      .replace("listen(8991", `listen(${port}`);
    const pidFile = join(baomq.dir, "service.pid");
    const node = Bun.which("node") ?? process.execPath;
    const out = await type(commands, { node: `echo $$ > ${pidFile}; exec ${node} "$@" > service.log 2>&1` });
    const pid = Number(readFileSync(pidFile, "utf8"));
    try {
      await holds("emqx_auth_http", out);
      for (const path of ["auth", "superuser", "acl"])
        expect(out).toMatch(new RegExp(`^ +asked: \\S+ http://127.0.0.1:${port}/mqtt/${path}`, "m"));
    } finally {
      process.kill(pid);
    }
  });
});

describe("JSON Web Tokens", () => {
  test("a token that openssl has signed lets in, and brings its rules", async () => {
    const out = await type(`${commandsOf("JSON Web Tokens**")}\necho "token $token"`, {});
    const token = /token (\S+\.\S+\.\S+)/.exec(out)?.[1] ?? "";
    expect([await may("joe", token, "joe/both/1"), await may("joe", token, "x"), await may("joe", `${token}x`, "x")]).toEqual([
      true,
      false,
      null,
    ]);
    await seen(token);
    expect((await baomq.run(["ctl", "plugins", "unload", "emqx_auth_jwt"])).code).toBe(0);
  });
});

needing(PUSHGATEWAY, needing(PROMETHEUS, describe))("metrics out", () => {
  test("Prometheus scrapes, a gateway is pushed, StatsD and a collector are sent what there is", async () => {
    const [at = 0, gate = 0] = freePorts(2);
    const here = (commands: string): string =>
      commands.replaceAll("127.0.0.1:9091", `127.0.0.1:${gate}`).replaceAll("127.0.0.1:8080", `127.0.0.1:${broker.ports.api}`);
    /** In the background, its number in a file. */
    const program = (name: string, port: number, more = ""): string =>
      `echo $$ > ${baomq.dir}/${name}.pid; exec ${Bun.which(name)} --web.listen-address=127.0.0.1:${port} ${more} "$@" > ${name}.log 2>&1`;
    const statsd = new StatsdServer();
    const collector = new OtlpCollector();
    await statsd.start();
    collector.start();
    try {
      await type(here(commandsOf("Prometheus scrapes**")).replace("scrape_interval: 15s", "scrape_interval: 1s"), {
        prometheus: program("prometheus", at),
      });
      const out = await type(here(commandsOf("A push gateway**")), {
        "prometheus-pushgateway": program("prometheus-pushgateway", gate, "--persistence.file="),
        sleep: `until curl -s http://127.0.0.1:${gate}/-/ready; do /bin/sleep 0.1; done`,
      });
      expect(out).toMatch(/^emqx_connections_count\{instance="emqx~127\.0\.0\.1",job="emqx"\} 0$/m);
      expect(out).toMatch(/^connect +ok /m);
      const answered = async (promql: string): Promise<string[]> => {
        const answer = await fetch(`http://127.0.0.1:${at}/api/v1/query?query=${promql}`).catch(() => null);
        // While it starts it says so in words.
        if (answer?.ok !== true) return [];
        const { data } = (await answer.json()) as { data?: { result: { metric: { job: string } }[] } };
        return data?.result.map(({ metric }) => metric.job) ?? [];
      };
      await until(async () => (await answered("baomq_uptime_seconds")).join() === "baomq", "what was scraped");
      await until(async () => (await answered('emqx_bytes_received{job="emqx"}')).length === 1, "what was pushed");
      const second = commandsOf("StatsD and OpenTelemetry**")
        .replace("127.0.0.1:8125", `127.0.0.1:${statsd.port}`)
        .replace("127.0.0.1:4318", `127.0.0.1:${collector.port}`);
      expect((await type(second, {})).match(/^connect +ok /gm)).toHaveLength(2);
      await until(() => statsd.gauge("emqx.connections.count") === 0, "a gauge");
      await until(() => collector.metric("baomq.connections.count") !== undefined, "a metric");
      expect(collector.headers.get("x-tenant")).toBe("mqtt");
      expect([statsd.faults, collector.faults]).toEqual([[], []]);
      expect((await baomq.run(["ctl", "plugins", "unload", "emqx_statsd"])).code).toBe(0);
    } finally {
      for (const name of ["prometheus", "prometheus-pushgateway"]) {
        const file = join(baomq.dir, `${name}.pid`);
        if (existsSync(file)) process.kill(Number(readFileSync(file, "utf8")));
      }
      statsd.stop();
      await collector.stop();
    }
  });
});
