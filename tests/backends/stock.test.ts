/**
 * Who moves in from EMQ X 3.1: the plugin's file as it came, with another address and account in it, and what its documentation says to put into the
 * server. Every device gets in as before, and each of the documented rules comes to what it came to there.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";
import { AuthKit } from "../support/auth_kit.ts";
import { RawClient } from "../support/clients.ts";
import { MongoTwin } from "../support/mongo_server.ts";
import { MARIADB, needing, type Peer, POSTGRESQL, REDIS, SLAPD } from "../support/peers.ts";
import { RedisServer } from "../support/redis_servers.ts";
import { MariaDb, Postgres, type SqlDatabase } from "../support/servers.ts";
import { directory, ldapEntry } from "../support/slapd.ts";
import { AUTH_FILES } from "../support/stock_auth.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

type Account = [username: string, password: string];
type Action = "publish" | "subscribe";

interface Rule {
  by: Account;
  action: Action;
  topic: string;
  allowed: boolean;
  /** What explain says of it: which of the rules decides. */
  why: string;
}

interface Made {
  remove(): Promise<void>;
  /** Texts of the file, each with the one in its place. */
  changes: [from: string, to: string][];
  /** Puts in what the documentation says, once the plugin runs. */
  fill?(kit: AuthKit): Promise<void> | void;
}

interface Kind {
  plugin: string;
  prefix: string;
  /** null = nobody else's program. */
  peer: Peer | null;
  make(): Promise<Made>;
  right: Account[];
  wrong: Account[];
  /** null = it knows none. */
  superUser: Account | null;
  /** Of clients from 127.0.0.1 that are called dev. */
  rules: Rule[];
  /** Of clients from elsewhere, told by explain alone. */
  fromElsewhere?: Rule[];
}

const U1: Account = ["u1", "p1"];
const BOSS: Account = ["u0", "p0"];
const DASHBOARD: Account = ["dashboard", "public"];
const JOE: Account = ["joe", "public"];

const rule = (by: Account, action: Action, topic: string, allowed: boolean, why: string): Rule => ({ by, action, topic, allowed, why });

/** Whoever has rules may do nothing else. */
const noneOf = (n: number): string => `none of the ${n} rules that there are speaks of this, and who has any there may do nothing else`;

const sql = (plugin: string, prefix: string, peer: Peer, create: () => SqlDatabase, more: (db: SqlDatabase) => Partial<Made>): Kind => ({
  plugin,
  prefix,
  peer,
  async make() {
    const db = create();
    await db.start();
    db.run("create database mqtt");
    const { changes = [], fill } = more(db);
    return {
      remove: () => db.remove(),
      changes: [[`#${prefix}.password = public`, `${prefix}.password = ${db.password}`], ...changes],
      async fill(kit) {
        db.run(await kit.ctl("sql-schema", prefix.replace("auth.", "")), "mqtt");
        const yes = plugin === "emqx_auth_mysql" ? "1" : "true";
        const users = [U1, DASHBOARD].map(([name, password]) => `('${name}', '${sha256(password)}')`);
        db.run(
          `insert into mqtt_user (username, password) values ${users.join(", ")};
           insert into mqtt_user (username, password, is_superuser) values ('u0', '${sha256("p0")}', ${yes});`,
          "mqtt",
        );
        await fill?.(kit);
      },
    };
  },
  right: [U1, DASHBOARD],
  wrong: [
    ["u1", "p2"],
    ["u1", sha256("p1")],
    ["dashboard", "p1"],
  ],
  superUser: BOSS,
  rules: [
    rule(U1, "publish", "a/b", true, "row 5: allow publish #, for ipaddr 127.0.0.1"),
    // The row for $SYS stands before it, and is looked at later.
    rule(U1, "publish", "$SYS/x", true, "row 5: allow publish #, for ipaddr 127.0.0.1"),
    rule(U1, "subscribe", "#", false, "row 3: deny subscribe eq #, for $all"),
    rule(U1, "subscribe", "$SYS/#", false, "row 2: deny subscribe $SYS/#, for $all"),
    rule(U1, "subscribe", "a/#", true, "none of the 5 rules that there are speaks of this"),
    rule(DASHBOARD, "subscribe", "$SYS/#", true, "row 6: allow subscribe $SYS/#, for username dashboard"),
    rule(DASHBOARD, "subscribe", "#", false, "row 3: deny subscribe eq #, for $all"),
  ],
  fromElsewhere: [
    rule(U1, "publish", "a/b", true, "row 1: allow publish #, for $all"),
    rule(U1, "subscribe", "$SYS/#", false, "row 2: deny subscribe $SYS/#, for $all"),
  ],
});

/** As EMQ X's example of a service, with `ignore` for whom it does not know. */
function webService() {
  const users = new Map([U1, BOSS]);
  const answers: Record<string, (fields: Record<string, string>) => number | "ignore"> = {
    "POST /mqtt/auth": ({ clientid, username = "", password }) =>
      !users.has(username) ? "ignore" : clientid !== undefined && users.get(username) === password ? 200 : 401,
    "POST /mqtt/superuser": ({ username }) => (username === "u0" ? 200 : 403),
    "GET /mqtt/acl": ({ access, username, clientid, ipaddr, topic }) =>
      clientid === "dev" && ipaddr === "127.0.0.1" && `${access} ${topic}` === `2 ${username}/up` ? 200 : 403,
  };
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      const fields = request.method === "GET" ? searchParams : new URLSearchParams(await request.text());
      const answer = answers[`${request.method} ${pathname}`]?.(Object.fromEntries(fields)) ?? 404;
      return answer === "ignore" ? new Response(answer) : new Response("", { status: answer });
    },
  });
}

const b64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
function token(secret: string): string {
  const body = `${b64({ alg: "HS256", typ: "JWT" })}.${b64({ sub: "u1" })}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}

const KINDS: readonly Kind[] = [
  sql(
    "emqx_auth_mysql",
    "auth.mysql",
    MARIADB,
    () => new MariaDb(),
    (db) => ({
      changes: [
        ["127.0.0.1:3306", `127.0.0.1:${db.port}`],
        ["#auth.mysql.username = root", `auth.mysql.username = ${db.user}`],
      ],
      // As EMQ X 3.1's tables are: names compare by the server's own rules for utf8.
      fill: () =>
        void db.run(
          "alter table mqtt_user engine = MyISAM, convert to character set utf8; alter table mqtt_acl convert to character set utf8;",
          "mqtt",
        ),
    }),
  ),
  sql(
    "emqx_auth_pgsql",
    "auth.pgsql",
    POSTGRESQL,
    () => new Postgres(),
    (db) => ({ changes: [["127.0.0.1:5432", `127.0.0.1:${db.port}`]] }),
  ),
  {
    plugin: "emqx_auth_redis",
    prefix: "auth.redis",
    peer: REDIS,
    async make() {
      const redis = new RedisServer();
      await redis.start();
      return {
        remove: () => redis.remove(),
        changes: [
          ["127.0.0.1:6379", `127.0.0.1:${redis.port}`],
          ["#auth.redis.password = public", `auth.redis.password = ${redis.password}`],
        ],
        async fill(kit) {
          for (const line of (await kit.ctl("redis-example")).trim().split("\n")) redis.run(...line.split(" "));
        },
      };
    },
    right: [JOE],
    wrong: [
      ["joe", "wrong"],
      ["root", "wrong"],
    ],
    superUser: ["root", "public"],
    rules: [
      rule(JOE, "publish", "joe/up/1", true, "allow publish joe/up/#"),
      rule(JOE, "subscribe", "joe/up/1", false, noneOf(3)),
      rule(JOE, "subscribe", "joe/down/1", true, "allow subscribe joe/down/#"),
      rule(JOE, "publish", "joe/down/1", false, noneOf(3)),
      rule(JOE, "subscribe", "joe/both/1", true, "allow pubsub joe/both/#"),
      rule(JOE, "publish", "joe/both/1", true, "allow pubsub joe/both/#"),
      rule(JOE, "publish", "else", false, noneOf(3)),
    ],
  },
  {
    plugin: "emqx_auth_ldap",
    prefix: "auth.ldap",
    peer: SLAPD,
    async make() {
      const ldap = await directory([ldapEntry("plain", "public"), ldapEntry("md5", `{MD5}${md5("public")}`)]);
      await ldap.start();
      return {
        remove: () => ldap.remove(),
        changes: [
          ["auth.ldap.port = 389", `auth.ldap.port = ${ldap.port}`],
          ["bind_password = public", `bind_password = ${ldap.password}`],
        ],
      };
    },
    right: [JOE, ["plain", "public"], ["md5", "public"]],
    // ann's entry says that it is not enabled.
    wrong: [
      ["joe", "wrong"],
      ["ann", "public"],
      ["md5", "wrong"],
    ],
    superUser: null,
    rules: [
      rule(JOE, "publish", "joe/up/1", true, "allow publish joe/up/#"),
      rule(JOE, "subscribe", "joe/down/1", true, "allow subscribe joe/down/#"),
      rule(JOE, "subscribe", "joe/both/1", true, "allow pubsub joe/both/#"),
      rule(JOE, "publish", "joe/both/1", true, "allow pubsub joe/both/#"),
      // What its entry does not speak of the file's rules decide.
      rule(JOE, "publish", "else", true, "none of the 3 rules that there are speaks of this"),
    ],
  },
  {
    plugin: "emqx_auth_mongo",
    prefix: "auth.mongo",
    peer: null,
    async make() {
      const mongo = new MongoTwin({
        mqtt_user: [
          { username: "u1", password: sha256("p1"), is_superuser: false },
          { username: "admin", password: sha256("public"), is_superuser: false },
          { username: "u0", password: sha256("p0"), is_superuser: true },
        ],
        mqtt_acl: [
          { username: "u1", publish: ["t/1", "t/2"], subscribe: ["user/%u", "client/%c"] },
          { username: "admin", pubsub: ["#"] },
        ],
      });
      await mongo.start();
      return {
        remove: () => mongo.remove(),
        changes: [
          ["127.0.0.1:27017", `127.0.0.1:${mongo.port}`],
          ["#auth.mongo.login = mqtt", `auth.mongo.login = ${mongo.user}`],
          ["#auth.mongo.password = public", `auth.mongo.password = ${mongo.password}`],
        ],
      };
    },
    right: [U1, ["admin", "public"]],
    wrong: [
      ["u1", "p2"],
      ["admin", "p1"],
    ],
    superUser: BOSS,
    rules: [
      rule(U1, "publish", "t/1", true, "allow publish t/1"),
      rule(U1, "publish", "t/2", true, "allow publish t/2"),
      rule(U1, "publish", "t/3", false, noneOf(4)),
      rule(U1, "subscribe", "t/1", false, noneOf(4)),
      rule(U1, "subscribe", "user/u1", true, "allow subscribe user/%u"),
      rule(U1, "subscribe", "client/dev", true, "allow subscribe client/%c"),
      rule(U1, "subscribe", "user/u0", false, noneOf(4)),
      rule(["admin", "public"], "publish", "a/b", true, "allow pubsub #"),
      rule(["admin", "public"], "subscribe", "#", true, "allow pubsub #"),
    ],
  },
  {
    plugin: "emqx_auth_http",
    prefix: "auth.http",
    peer: null,
    async make() {
      const service = webService();
      return {
        remove: () => service.stop(true),
        changes: [["127.0.0.1:8991", `127.0.0.1:${service.port}`]],
      };
    },
    right: [U1],
    wrong: [
      ["u1", "p2"],
      ["u0", "p1"],
    ],
    superUser: BOSS,
    rules: [
      rule(U1, "publish", "u1/up", true, "http 200 of auth.http.acl_req allows"),
      rule(U1, "subscribe", "u1/up", false, "http 403: only 200 of auth.http.acl_req allows"),
      rule(U1, "publish", "u0/up", false, "http 403: only 200 of auth.http.acl_req allows"),
    ],
  },
  {
    plugin: "emqx_auth_jwt",
    prefix: "auth.jwt",
    peer: null,
    make: async () => ({ remove: async () => {}, changes: [["emqxsecret", "a secret of his own"]] }),
    right: [["u1", token("a secret of his own")]],
    wrong: [
      ["u1", token("emqxsecret")],
      ["u1", token("")],
    ],
    superUser: null,
    rules: [],
  },
];

function md5(text: string): string {
  return createHash("md5").update(text).digest("base64");
}

/** @throws Error where the file has no such text */
function changed(file: string, changes: Made["changes"]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the file has no ${from}`);
    return text.replaceAll(from, to);
  }, file);
}

async function does(kit: AuthKit, { by: [username, password], action, topic }: Rule): Promise<boolean> {
  const c = await RawClient.connected(kit.broker.ports.tcp, "dev", 5, { username, password: Buffer.from(password) });
  try {
    if (action === "publish") {
      c.publish(topic, "x", 1, 9);
      return (await c.next("puback")).reasonCode !== 0x87;
    }
    c.send({ cmd: "subscribe", messageId: 7, subscriptions: [{ topic, qos: 0, nl: false, rap: false, rh: 0 }] } as never);
    return (await c.next("suback")).granted[0] !== 0x87;
  } finally {
    c.drop();
  }
}

/** What the plugin says of it, and why. */
async function explained(kit: AuthKit, { by: [username, password], action, topic }: Rule, ip: string): Promise<string> {
  const body = { client_id: "dev", ip_address: ip, username, password, action, topic };
  const { data } = await kit.api<{ acl: { steps: { step: string; why: string }[] } }>("POST", "../../explain", body);
  return data.acl.steps.find(({ step }) => step === kit.plugin)?.why ?? "";
}

for (const k of KINDS) {
  const grouped = k.peer === null ? describe : needing(k.peer, describe);
  grouped(k.plugin, () => {
    const kit = new AuthKit(k.plugin, k.prefix);
    let made: Made;

    beforeAll(async () => {
      made = await k.make();
      await kit.startFrom(changed(AUTH_FILES[k.plugin] ?? "", made.changes));
      await made.fill?.(kit);
    });
    afterAll(async () => {
      await kit.stop([]);
      await made.remove();
    });

    test("who gets in: right, wrong, unknown", async () => {
      const codes = async (all: readonly Account[]): Promise<number[]> => {
        const found: number[] = [];
        for (const [username, password] of all) found.push(await kit.code(username, password));
        return found;
      };
      const right = k.superUser === null ? k.right : [...k.right, k.superUser];
      const unknown: Account[] = [["stranger", "x"]];
      expect([await codes(right), await codes(k.wrong), await codes(unknown)]).toEqual([right.map(() => 0), k.wrong.map(() => 5), [0]]);
      await kit.withoutAnonymous(async () => {
        expect([await codes(right), await codes(k.wrong), await codes(unknown)]).toEqual([right.map(() => 0), k.wrong.map(() => 5), [5]]);
      });
    });

    const { superUser: boss, rules, fromElsewhere = [] } = k;
    if (boss !== null)
      test("a super user may do what the rules deny others", async () => {
        const denied = rules.filter(({ allowed }) => !allowed);
        expect(denied.length).toBeGreaterThan(0);
        for (const { action, topic } of denied)
          expect([action, topic, await does(kit, rule(boss, action, topic, true, ""))]).toEqual([action, topic, true]);
      });

    for (const r of rules)
      test(`${r.by[0]} may${r.allowed ? "" : " not"} ${r.action} ${r.topic}`, async () => {
        expect([await explained(kit, r, "127.0.0.1"), await does(kit, r)]).toEqual([r.why, r.allowed]);
      });

    if (fromElsewhere.length > 0)
      test("from another address", async () => {
        for (const r of fromElsewhere) expect([r.topic, await explained(kit, r, "10.9.8.7")]).toEqual([r.topic, r.why]);
      });
  });
}
