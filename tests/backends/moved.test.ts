/**
 * Settings change while a client is connected and publishes: its server is at another port, its pool has another size. It stays connected, none of its
 * messages is lost, and what it may do is what the server says now: verdicts that were kept are forgotten. Keys that tokens are signed with are
 * fetched from elsewhere: whoever came in by those of before stays, and nobody else comes in by them.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AuthKit } from "../support/auth_kit.ts";
import { AUTH, type AuthPlugin, redisWithUsers, startWithUsers } from "../support/auth_servers.ts";
import { RawClient } from "../support/clients.ts";
import { MongoTwin } from "../support/mongo_server.ts";
import { needing } from "../support/peers.ts";
import { Relay } from "../support/relay.ts";
import { MariaDb, Postgres, type SqlDatabase } from "../support/servers.ts";
import { directory, ldapEntry } from "../support/slapd.ts";
import { until } from "../support/until.ts";

type Lines = Record<string, string>;

/** u1 gets in with p1, and may use pub/#. */
interface Made {
  port: number;
  server: { remove(): Promise<void> };
  lines: Lines;
  /** The setting that leads to it by this port. */
  at(port: number): Lines;
  /** From now on u1 may use own/#, or may not. */
  allow(allowed: boolean): void | Promise<void>;
}

interface Kind extends AuthPlugin {
  /** Its driver closes what nobody asks any more; else the runtime keeps connections for a while. */
  closes: boolean;
  /** It denies nothing: what it does not allow others decide. */
  onlyAllows?: true;
  /** Connections that it has beside those of its pool. */
  beside?: number;
  make(): Promise<Made>;
}

const sql = (plugin: AuthPlugin, create: () => SqlDatabase): Kind => ({
  ...plugin,
  closes: true,
  async make() {
    const db = create();
    await startWithUsers(db, { u1: "p1" });
    db.run(
      `create table mqtt_acl (allow int, ipaddr varchar(60), username varchar(99), clientid varchar(99), access int, topic varchar(99));
       insert into mqtt_acl values (1, null, 'u1', null, 3, 'pub/#'), (1, null, 'u1', null, 3, 'own/#');`,
      "mqtt",
    );
    return {
      port: db.port,
      server: db,
      lines: { username: db.user, password: db.password, password_hash: "plain" },
      at: (port) => ({ server: `127.0.0.1:${port}` }),
      allow: (allowed) => void db.run(`update mqtt_acl set allow = ${allowed ? 1 : 0} where topic = 'own/#'`, "mqtt"),
    };
  },
});

const KINDS: readonly Kind[] = [
  sql(AUTH.pgsql, () => new Postgres()),
  sql(AUTH.mysql, () => new MariaDb()),
  {
    ...AUTH.redis,
    closes: true,
    async make() {
      const redis = await redisWithUsers({ u1: "p1" });
      redis.run("HSET", "mqtt_acl:u1", "pub/#", "3", "own/#", "3");
      return {
        port: redis.port,
        server: redis,
        lines: { password: redis.password },
        at: (port) => ({ server: `127.0.0.1:${port}` }),
        allow: (allowed) => void (allowed ? redis.run("HSET", "mqtt_acl:u1", "own/#", "3") : redis.run("HDEL", "mqtt_acl:u1", "own/#")),
      };
    },
  },
  {
    ...AUTH.ldap,
    closes: true,
    onlyAllows: true,
    async make() {
      const ldap = await directory([ldapEntry("u1", "p1", ["mqttPubSubTopic: pub/#", "mqttPubSubTopic: own/#"])]);
      await ldap.start();
      const change = (how: "add" | "delete"): void =>
        ldap.modify(`dn: uid=u1,ou=device,dc=emqx,dc=io\nchangetype: modify\n${how}: mqttPubSubTopic\nmqttPubSubTopic: own/#\n`);
      return {
        port: ldap.port,
        server: ldap,
        lines: { bind_dn: ldap.bindDn, bind_password: ldap.password },
        at: (port) => ({ port: String(port) }),
        allow: (allowed) => change(allowed ? "add" : "delete"),
      };
    },
  },
  {
    ...AUTH.mongo,
    closes: true,
    // It is watched over one, and the time to it measured over another.
    beside: 2,
    async make() {
      const acl = (...pubsub: string[]) => ({ mqtt_acl: [{ username: "u1", pubsub }] });
      const mongo = new MongoTwin({ mqtt_user: [{ username: "u1", password: "p1" }], ...acl("pub/#", "own/#") });
      await mongo.start();
      return {
        port: mongo.port,
        server: mongo,
        lines: { login: mongo.user, password: mongo.password, "auth_query.password_hash": "plain" },
        at: (port) => ({ server: `127.0.0.1:${port}` }),
        allow: (allowed) => mongo.hold(allowed ? acl("pub/#", "own/#") : acl("pub/#")),
      };
    },
  },
  {
    ...AUTH.http,
    closes: false,
    async make() {
      let isAllowed = true;
      const service = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        async fetch(request) {
          const { pathname, searchParams } = new URL(request.url);
          const fields = request.method === "GET" ? searchParams : new URLSearchParams(await request.text());
          const isOwn = fields.get("topic")?.startsWith("own/") === true;
          const good =
            pathname === "/auth" ? fields.get("password") === "p1" : pathname === "/acl" && (isOwn ? isAllowed : fields.has("topic"));
          return new Response("", { status: good ? 200 : 403 });
        },
      });
      const at = (port: number): Lines =>
        Object.fromEntries(["auth", "super", "acl"].map((name) => [`${name}_req`, `http://127.0.0.1:${port}/${name}`]));
      return {
        port: service.port as number,
        server: { remove: () => service.stop(true) },
        lines: {},
        at,
        allow(allowed) {
          isAllowed = allowed;
        },
      };
    },
  },
];

/** Nobody may do what no plugin allows. */
const rulesDir = mkdtempSync(join(tmpdir(), "baomq-rules-"));
const NOTHING_ELSE = { acl_file: join(rulesDir, "acl.conf") };
beforeAll(() => writeFileSync(NOTHING_ELSE.acl_file, "{deny, all}.\n"));
afterAll(() => rmSync(rulesDir, { recursive: true, force: true }));

/** While `run` lasts `mouth` publishes one message after the other; all are heard, in order. `goesOn`: it still does. */
async function publishing(ear: RawClient, mouth: RawClient, run: (goesOn: () => Promise<void>) => Promise<void>): Promise<void> {
  const heard: string[] = [];
  await ear.subscribe("pub/#");
  ear.onPacket = (p) => {
    if (p.cmd === "publish") heard.push(p.payload.toString());
  };
  const flow = { sent: 0, over: false, failed: null as unknown };
  const publish = async (): Promise<void> => {
    for (; !flow.over; flow.sent++) {
      mouth.publish("pub/x", String(flow.sent), 1, 1 + (flow.sent % 60_000));
      await mouth.next("puback");
    }
  };
  const all = publish().catch((err: unknown) => {
    flow.failed = err;
  });
  try {
    await run(async () => {
      const { sent } = flow;
      await until(() => flow.failed !== null || flow.sent > sent + 50, "it publishes on");
      expect(flow.failed).toBeNull();
    });
  } finally {
    flow.over = true;
    await all;
  }
  await until(() => heard.length >= flow.sent, "all are heard");
  expect(heard).toEqual(Array.from({ length: flow.sent }, (_, i) => String(i)));
}

/** `c`, of MQTT 5: the code of its PUBACK says so. */
async function mayPublish(c: RawClient, topic: string): Promise<boolean> {
  c.publish(topic, "x", 1, 9);
  return (await c.next("puback")).reasonCode !== 0x87;
}

/** With these settings from now on; a server elsewhere wants secrets typed again. */
async function change(kit: AuthKit, lines: Lines): Promise<void> {
  const typed = Object.entries({ ...kit.secrets, ...lines }).map(([key, value]) => [`${kit.prefix}.${key}`, value]);
  await kit.put(`plugin_configs/${kit.plugin}`, { ...(await kit.settings()), ...Object.fromEntries(typed) });
}

for (const kind of KINDS) {
  needing(kind.peer, describe)(kind.plugin, () => {
    const kit = new AuthKit(kind.plugin, kind.prefix);
    const { client, code, may } = kit;
    let made: Made;
    let [before, after]: Relay[] = [];

    beforeAll(async () => {
      made = await kind.make();
      before = await new Relay(made.port).start();
      after = await new Relay(made.port).start();
      await kit.start({ ...made.lines, ...made.at(before.port) }, kind.onlyAllows === true ? NOTHING_ELSE : {});
    });
    afterAll(async () => {
      await kit.stop([]);
      await before?.stop();
      await after?.stop();
      await made.server.remove();
    });

    test("the server is at another port, then the pool has another size: who is there stays and publishes on, by what the server says now", async () => {
      const [ear, mouth, asking] = [await client("u1", "p1", "ear"), await client("u1", "p1", "mouth"), await client("u1", "p1", "asking")];
      const speaking = await RawClient.connected(kit.broker.ports.tcp, "speaking", 5, { username: "u1", password: Buffer.from("p1") });
      const own = async (): Promise<boolean[]> => [await may(asking, "own/x"), await mayPublish(speaking, "own/x")];
      await publishing(ear, mouth, async (goesOn) => {
        expect(await own()).toEqual([true, true]);
        await made.allow(false);
        // A verdict is kept.
        expect(await own()).toEqual([true, true]);
        await goesOn();
        await change(kit, made.at(after?.port ?? 0));
        expect(await own()).toEqual([false, false]);
        await goesOn();
        expect(after?.taken).toBeGreaterThan(0);
        if (kind.closes) await until(() => before?.open === 0, "the connections of before are closed");
        await before?.stop();
        expect([await code("u1", "p1"), await code("u1", "no")]).toEqual([0, 5]);
        await made.allow(true);
        expect(await own()).toEqual([false, false]);
        await change(kit, { pool: "2" });
        expect(await own()).toEqual([true, true]);
        expect((await kit.status()).servers[0]?.pool).toBe(2);
        await goesOn();
        if (kind.closes) await until(() => (after?.open ?? 0) <= 2 + (kind.beside ?? 0), "the pool is no larger");
      });
      await asking.ping();
      for (const c of [ear, mouth, asking, speaking]) c.drop();
    });
  });
}

describe(AUTH.jwt.plugin, () => {
  const kit = new AuthKit(AUTH.jwt.plugin, AUTH.jwt.prefix);
  const { client, code, may } = kit;
  /** A service with one key, its own, under the name that all of them have. */
  function service() {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const keys = [{ ...publicKey.export({ format: "jwk" }), kid: "k" }];
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({ keys }) });
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const body = `${part({ alg: "EdDSA", kid: "k" })}.${part({ acl: { all: ["pub/#", "own/#"] }, rules: { all: ["pub/#"] } })}`;
    return {
      server,
      url: `${server.url.origin}/jwks.json`,
      token: `${body}.${sign(null, Buffer.from(body), privateKey).toString("base64url")}`,
    };
  }
  const [before, after] = [service(), service()];

  beforeAll(() => kit.start({ jwks: before.url, acl_claim_name: "acl" }, { ...NOTHING_ELSE, "zone.external.allow_anonymous": "false" }));
  afterAll(async () => {
    await kit.stop([before.token, after.token]);
    await Promise.all([before, after].map(({ server }) => server.stop(true)));
  });

  test("keys are fetched from elsewhere, then rules are in another claim: who is there stays and publishes on, others come in by the new keys", async () => {
    const enter = (clientId: string): Promise<RawClient> => client("u1", before.token, clientId);
    const [ear, mouth, asking] = [await enter("ear"), await enter("mouth"), await enter("asking")];
    const codes = async (): Promise<number[]> => [await code("u1", before.token), await code("u1", after.token)];
    await publishing(ear, mouth, async (goesOn) => {
      expect([await codes(), await may(asking, "own/x")]).toEqual([[0, 5], true]);
      await goesOn();
      await change(kit, { jwks: after.url });
      await kit.isUp();
      expect([await codes(), await may(asking, "own/x"), await may(asking, "else")]).toEqual([[5, 0], true, false]);
      await goesOn();
      await change(kit, { acl_claim_name: "rules" });
      // The rules of a token are read when its holder comes.
      const later = await client("u1", after.token, "later");
      expect([await may(asking, "own/x"), await may(later, "own/x"), await may(later, "pub/y")]).toEqual([true, false, true]);
      later.drop();
      await goesOn();
    });
    await asking.ping();
    for (const c of [ear, mouth, asking]) c.drop();
  });
});
