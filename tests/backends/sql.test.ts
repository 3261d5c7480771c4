/**
 * emqx_auth_pgsql and emqx_auth_mysql in the executable, each with the real server: EMQ X 3.1's tables and queries, every kind of password, rules,
 * names that try to be more than names, and a server that is away, killed, frozen or refuses.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, pbkdf2Sync } from "node:crypto";
import type { AccessView } from "../../server/admin/extra_rows.ts";
import { SqlDriver } from "../../server/plugins/_sql/driver.ts";
import { AuthKit } from "../support/auth_kit.ts";
import { connectPacket, RawClient, until } from "../support/clients.ts";
import { MARIADB, needing, type Peer, POSTGRESQL } from "../support/peers.ts";
import { MariaDb, Postgres, type SqlDatabase } from "../support/servers.ts";
import { connectionsAt } from "../support/sockets.ts";
import { whenAway, whenSlow } from "./away.ts";
import { findNobody } from "./names.ts";

const hex = (digest: string, text: string): string => createHash(digest).update(text).digest("hex");
const sha256 = (text: string): string => hex("sha256", text);

const BCRYPT = Bun.password.hashSync("public", { algorithm: "bcrypt", cost: 4 });
/** How "public" stands in the table for each `password_hash`. */
const STORED: [kind: string, password: string, salt: string][] = [
  ["plain", "public", ""],
  ...Object.entries({ md5: "md5", sha: "sha1", sha256: "sha256", sha512: "sha512" }).flatMap(
    ([name, digest]): [kind: string, password: string, salt: string][] => [
      [name, hex(digest, "public"), ""],
      [`salt,${name}`, hex(digest, "peppublic"), "pep"],
      [`${name},salt`, hex(digest, "publicpep"), "pep"],
    ],
  ),
  ["pbkdf2,sha256,1000,20", pbkdf2Sync("public", "pep", 1000, 20, "sha256").toString("hex"), "pep"],
  ["bcrypt", BCRYPT, ""],
  // The column of the salt has the beginning of the hash.
  ["salt,bcrypt", BCRYPT, BCRYPT.slice(0, 29)],
  ["bcrypt,salt", BCRYPT, BCRYPT.slice(0, 29)],
];

interface Step {
  step: string;
  why: string;
  asked?: { question: string; values: string[]; answer: string; rows?: { name: string; value: string | null }[][]; ms: number }[];
}

interface Kind {
  plugin: string;
  prefix: string;
  peer: Peer;
  make(): SqlDatabase;
  /** The question for a password that takes as long as the table `nap` says. */
  napping: string;
  /** A function that empties the table of rules. */
  emptying: string;
  /** A condition that holds, after 20 ms. */
  resting: string;
  /** Ends all connections that ask the database. */
  endAll(db: SqlDatabase): void;
  /** Types of columns. */
  serial: string;
  flag: string;
  yes: string;
  no: string;
}

const KINDS: Kind[] = [
  {
    plugin: "emqx_auth_pgsql",
    prefix: "auth.pgsql",
    peer: POSTGRESQL,
    make: () => new Postgres(),
    napping: "select password from mqtt_user, pg_sleep((select s from nap)) where username = '%u' limit 1",
    emptying: "create function emptied() returns text language plpgsql as $$ begin delete from mqtt_acl; return ''; end $$",
    resting: "(select true from pg_sleep(0.02))",
    endAll: (db) =>
      void db.run("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'mqtt' and pid <> pg_backend_pid()", "mqtt"),
    serial: "serial primary key",
    flag: "boolean",
    yes: "true",
    no: "false",
  },
  {
    plugin: "emqx_auth_mysql",
    prefix: "auth.mysql",
    peer: MARIADB,
    make: () => new MariaDb(),
    napping: "select password from mqtt_user where username = '%u' and sleep((select s from nap)) = 0 limit 1",
    emptying: "delimiter //\ncreate function emptied() returns text begin delete from mqtt_acl; return ''; end //",
    resting: "sleep(0.02) = 0",
    endAll(db) {
      // It may be gone by now.
      const ids = db.run("select id from information_schema.processlist where db = 'mqtt' and id <> connection_id()", "mqtt").split("\n");
      // One of them may be gone by now.
      const ended = ids.filter((id) => id !== "").map((id) => `begin declare continue handler for 1094 begin end; kill ${id}; end;`);
      db.run(`delimiter //\nbegin not atomic ${ended.join(" ")} end //`, "mqtt");
    },
    serial: "int primary key auto_increment",
    flag: "tinyint(1)",
    yes: "1",
    no: "0",
  },
];

/** EMQ X 3.1's tables, and who is in them. */
function seed(db: SqlDatabase, k: Kind): void {
  db.run("create database mqtt");
  const users: [name: string, password: string | null, salt: string, isSuper: boolean][] = [
    ["u0", sha256("p0"), "", true],
    ["u1", sha256("p1"), "", false],
    ["nobody", null, "", false],
    ...STORED.map(([kind, password, salt]): [string, string, string, boolean] => [`of ${kind}`, password, salt, false]),
  ];
  const rules: [allow: number, ip: string | null, user: string | null, id: string | null, access: number, topic: string][] = [
    [1, null, "$all", null, 2, "#"],
    [0, null, "$all", null, 1, "$SYS/#"],
    [0, null, "$all", null, 1, "eq #"],
    [1, "10.1.2.3", null, null, 1, "eq #"],
    [1, null, "u1", null, 3, "own/%u/#"],
    [0, null, "u1", null, 2, "secret/#"],
    [1, null, null, "special", 1, "$SYS/#"],
  ];
  const text = (value: string | number | null): string =>
    value === null ? "null" : typeof value === "number" ? String(value) : `'${value.replaceAll("'", "''")}'`;
  db.run(
    [
      `create table mqtt_user (id ${k.serial}, username varchar(100) unique, password varchar(200), salt varchar(40), is_superuser ${k.flag} default ${k.no});`,
      `create table mqtt_acl (id ${k.serial}, allow int, ipaddr varchar(60), username varchar(100), clientid varchar(100), access int, topic varchar(100));`,
      "create table nap (s double precision);",
      "insert into nap values (0);",
      ...users.map(
        ([name, password, salt, isSuper]) =>
          `insert into mqtt_user (username, password, salt, is_superuser) values (${text(name)}, ${text(password)}, ${text(salt)}, ${isSuper ? k.yes : k.no});`,
      ),
      ...rules.map(
        (row) => `insert into mqtt_acl (allow, ipaddr, username, clientid, access, topic) values (${row.map((v) => text(v)).join(", ")});`,
      ),
    ].join("\n"),
    "mqtt",
  );
}

for (const k of KINDS) {
  needing(k.peer, describe)(k.plugin, () => {
    const kit = new AuthKit(k.plugin, k.prefix);
    const { api, put, status, set, settings, tried, explained, client, code, may } = kit;
    let db: SqlDatabase;
    const nap = (seconds: number): void => void db.run(`update nap set s = ${seconds}`, "mqtt");

    beforeAll(async () => {
      db = k.make();
      await db.start();
      seed(db, k);
      await kit.start({ server: `127.0.0.1:${db.port}`, username: db.user, password: db.password, timeout: "1s" });
    });
    afterAll(async () => {
      await kit.stop([db.password, sha256("p1")]);
      await db.remove();
    });

    describe("who gets in", () => {
      test("right, wrong, without a password, unknown, without a name", async () => {
        expect(await code("u1", "p1")).toBe(0);
        expect(await code("u1", "p2")).toBe(5);
        // Half of it: nobody is asked, and nobody lets it in (EMQ X 3.1).
        expect([await code("u1", ""), await code("u1", null), await code("unknown", null)]).toEqual([4, 4, 4]);
        expect(await code("nobody", "x")).toBe(5);
        // Not known there: allow_anonymous decides, which is on by default (EMQ X 3.1).
        expect(await code("unknown", "x")).toBe(0);
        expect(await code(null, null)).toBe(0);
      });

      test("every kind of password, set while it runs", async () => {
        const query = "select password, salt from mqtt_user where username = '%u' limit 1";
        const before = await settings();
        await put(`plugin_configs/${k.plugin}`, { ...before, [`${k.prefix}.auth_query`]: query });
        for (const [kind, stored] of STORED) {
          await set("password_hash", kind);
          const user = `of ${kind}`;
          // What stands in the table is no password, but where it is plain.
          const passwords = ["public", "Public", "", ...(kind === "plain" ? [] : [stored])];
          const codes: number[] = [];
          for (const password of passwords) codes.push(await code(user, password));
          expect([kind, ...codes]).toEqual([kind, 0, 5, 4, ...(kind === "plain" ? [] : [5])]);
        }
        await set("password_hash", "sha256");
        await put(`plugin_configs/${k.plugin}`, before);
        expect(await code("u1", "p1")).toBe(0);
      });

      test("two rows for one name: the first one counts, and the log tells of it", async () => {
        const several = "the query has more than one row for a user; the first one counts";
        expect(kit.broker.log).not.toContain(several);
        for (const [order, first, second] of [
          ["desc", "p1", "p0"],
          ["asc", "p0", "p1"],
        ] as const) {
          const auth_query = `select password from mqtt_user where username = '%u' or username = 'u0' order by username ${order}`;
          await kit.withSettings({ auth_query }, async () => {
            expect([order, await code("u1", first), await code("u1", second)]).toEqual([order, 0, 5]);
          });
        }
        await kit.isUp();
        await until(() => kit.broker.log.includes(several), "it is told");
      });

      const injected = ["' or '1'='1", "u1'; drop table mqtt_user; -- ", "\\' or 1=1 -- ", "u1' --", 'u1" or ""="', "u1\\"];
      findNobody(kit, [...injected, "%u", "$1", "?", "x".repeat(60_000)], ["p0", "p1"]);

      test("and they harm nothing", () => {
        expect(Number(db.run("select count(*) from mqtt_user", "mqtt").trim())).toBe(3 + STORED.length);
      });

      test("a name that the server cannot hold is refused, not let by", async () => {
        const before = await status();
        if (k.plugin === "emqx_auth_mysql") db.run("alter table mqtt_user modify username varchar(100) character set latin1", "mqtt");
        // PostgreSQL's UTF-8 holds whatever MQTT allows in a name.
        expect(await code("😀", "x")).toBe(k.plugin === "emqx_auth_mysql" ? 3 : 0);
        if (k.plugin === "emqx_auth_mysql") {
          db.run("alter table mqtt_user modify username varchar(100) character set utf8mb4", "mqtt");
          expect((await status()).servers[0]?.refused).toBeGreaterThan(before.servers[0]?.refused ?? 0);
        }
        expect(await code("u1", "p1")).toBe(0);
      });
    });

    describe("what it may do", () => {
      test("rows are looked at from the last one on; rules are asked for once a connection", async () => {
        const c = await client("u1", "p1");
        const before = (await status()).servers[0]?.calls ?? 0;
        expect([await may(c, "own/u1/x"), await may(c, "#"), await may(c, "$SYS/#")]).toEqual([true, false, false]);
        // No row speaks of it: the file's rules do, which allow it.
        expect(await may(c, "other")).toBe(true);
        expect((await status()).servers[0]?.calls).toBe(before + 1);
        const other = await client("u1", "p1", "special");
        expect(await may(other, "$SYS/#")).toBe(true);
        // Publishing: the row against secret/# stands behind the one that lets everybody publish.
        await other.subscribe("secret/x");
        await other.subscribe("open/x");
        c.publish("secret/x", "no", 1, 11);
        await c.next("puback");
        c.publish("open/x", "yes", 1, 12);
        await c.next("puback");
        expect((await other.next("publish")).payload.toString()).toBe("yes");
        c.drop();
        other.drop();
      });

      test("rules for everybody hold for clients without a name, too", async () => {
        const c = await client(null, null, "anonymous");
        expect([await may(c, "#"), await may(c, "$SYS/#"), await may(c, "own/x")]).toEqual([false, false, true]);
        c.drop();
      });

      test("where it cannot be asked who is a super user, passwords count all the same", async () => {
        db.run("alter table mqtt_user rename column is_superuser to was_superuser", "mqtt");
        expect([await code("u0", "p0"), await code("u1", "no")]).toEqual([0, 5]);
        const c = await client("u0", "p0");
        expect(await may(c, "#")).toBe(false);
        c.drop();
        await until(() => kit.broker.log.includes("server refuses a question"), "the log tells of it");
        db.run("alter table mqtt_user rename column was_superuser to is_superuser", "mqtt");
      });

      test("a super user may do everything", async () => {
        const c = await client("u0", "p0");
        expect([await may(c, "#"), await may(c, "$SYS/#")]).toEqual([true, true]);
        c.drop();
      });

      test("a row that may be meant to deny and is no rule denies everything", async () => {
        db.run("insert into mqtt_acl (allow, username, access, topic) values (0, 'u1', 9, 'own/#')", "mqtt");
        const c = await client("u1", "p1");
        expect(await may(c, "own/u1/x")).toBe(false);
        db.run("delete from mqtt_acl where access = 9", "mqtt");
        // Rules that cannot be read are a failure: what came of it stands for a second.
        await until(() => may(c, "own/u1/x"), "it is asked again");
        c.drop();
      });

      test("rows of the wrong shape are left out and told, the others count", async () => {
        db.run("insert into mqtt_acl (allow, username, access, topic) values (1, 'u1', 9, '#')", "mqtt");
        const c = await client("u1", "p1");
        expect([await may(c, "own/u1/y"), await may(c, "#")]).toEqual([true, false]);
        await until(() => kit.broker.log.includes("expected 1, 2 or 3"), "the row is told");
        db.run("delete from mqtt_acl where access = 9", "mqtt");
        c.drop();
      });
    });

    describe("why, and with what", () => {
      test("nobody is shown the account's password", async () => {
        const configs = JSON.stringify(await api("GET", "configs"));
        expect(configs).not.toContain(db.password);
        expect(configs).toContain(`"key":"${k.prefix}.server","value":"127.0.0.1:${db.port}"`);
        expect(JSON.stringify(await api("GET", `plugin_configs/${k.plugin}`))).not.toContain(db.password);
      });

      test("and no stranger what the server is called, or says", async () => {
        const c = await RawClient.open(kit.broker.ports.tcp, 5);
        c.send(connectPacket(5, "stranger", { username: "u1", password: Buffer.from("no") }));
        const ack = await c.next("connack");
        expect([ack.reasonCode, ack.properties?.reasonString]).toEqual([0x87, "not authorized"]);
        c.drop();
      });

      test("explain shows the questions, their values and the answers, and no secret", async () => {
        const text = await explained({ client_id: "c", username: "u1", password: "p1", action: "subscribe", topic: "#" });
        expect(text).not.toContain(sha256("p1"));
        expect(text).not.toContain('"p1"');
        const { data } = JSON.parse(text) as {
          data: {
            authentication: { steps: Step[] };
            acl: { allow: boolean; steps: Step[] };
          };
        };
        const step = data.authentication.steps.find((s) => s.step === k.plugin);
        expect(
          step?.asked?.some(
            (a) =>
              a.question.startsWith("select password from mqtt_user where username = ") &&
              a.values[0] === '1 = "u1"' &&
              a.answer === "1 row",
          ),
        ).toBe(true);
        expect(step?.asked?.map(({ rows }) => rows)).toEqual([
          [[{ name: "password", value: "***" }]],
          [[{ name: "is_superuser", value: k.no === "false" ? "false" : "0" }]],
        ]);
        expect(data.acl.allow).toBe(false);
        const rules = data.acl.steps.find((s) => s.step === k.plugin);
        expect(rules?.asked?.[0]?.question).toContain("mqtt_acl");
        const rows = rules?.asked?.[0]?.rows ?? [];
        expect(rows).toHaveLength(5);
        expect(rows[2]?.map(({ name, value }) => `${name}: ${value}`)).toEqual([
          "allow: 0",
          "ipaddr: null",
          "username: $all",
          "clientid: null",
          "access: 1",
          "topic: eq #",
        ]);
        expect(rules?.why).toBe("row 3: deny subscribe eq #, for $all");
      });

      test("explain and a test tell how long the server took to answer", async () => {
        nap(0.3);
        const joe = { username: "u1", password: "p1" };
        await kit.withSettings({ auth_query: k.napping, timeout: "20s" }, async () => {
          await kit.isUp();
          const t0 = performance.now();
          const { data } = await api<{ authentication: { steps: Step[] } }>("POST", "../../explain", { client_id: "c", ...joe });
          const took = performance.now() - t0;
          const asked = data.authentication.steps.find((s) => s.step === k.plugin)?.asked ?? [];
          const all = asked.map(({ ms }) => ms);
          expect([all[0], all.length]).toEqual([expect.any(Number), 2]);
          // The server's clock may be ahead of ours by a little.
          expect(all[0]).toBeGreaterThanOrEqual(299);
          expect(all.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(took);
          const steps = await api<(Step & { ms: number })[]>("POST", `plugins/${k.plugin}/test`, joe);
          expect(steps.data.find((s) => s.step === "authenticate")?.ms).toBeGreaterThanOrEqual(299);
        });
        nap(0);
        await kit.isUp();
      });

      test("a password, hash or salt is not shown where it was not looked for, either", async () => {
        const slips = {
          auth_query: "select password, salt, username from mqtt_user where username = '%u'",
          super_query: "select password from mqtt_user where username = '%u'",
          acl_query: "select 1, null, '$all', null, 3, password from mqtt_user where username = '%u'",
        };
        const settings = Object.fromEntries(Object.entries(slips).map(([key, query]) => [`${k.prefix}.${key}`, query]));
        db.run("update mqtt_user set salt = 'only pepper' where username = 'u1'", "mqtt");
        const joe = { username: "u1", password: "p1", action: "publish", topic: "x" };
        const { data } = await api<Step[]>("POST", `plugins/${k.plugin}/test`, { ...joe, settings });
        const fields = data
          .flatMap((s) => s.asked ?? [])
          .map((a) => a.rows?.map((row) => row.map(({ name, value }) => `${name}: ${value}`)));
        expect(fields[0]).toEqual([["password: ***", "salt: ***", "username: ***"]]);
        expect(fields[1]).toEqual([["password: ***"]]);
        expect(fields[2]?.[0]?.at(-1)).toBe("password: ***");
        const wrongShape = { ...settings, [`${k.prefix}.acl_query`]: "select password from mqtt_user where username = '%u'" };
        const text = JSON.stringify([data, (await api("POST", `plugins/${k.plugin}/test`, { ...joe, settings: wrongShape })).data]);
        expect(text).toContain("allow is ***, expected 0 or 1");
        for (const secret of [sha256("p1"), "only pepper", '"p1"']) expect(text).not.toContain(secret);
        // Whoever may try settings, and not save them, is shown no value that another question brings, whatever it looks like.
        db.run("update mqtt_user set salt = 'hunter2' where username = 'u1'", "mqtt");
        const brought = k.prefix === "auth.mysql" ? "extractvalue(1, concat('~', salt))" : "salt::regclass::text";
        for (const columns of [
          "1, null, '$all', null, 3, salt",
          "1, null, '$all', null, 3, concat('+/', salt) as topic",
          "salt, null, '$all', null, 3, '#'",
          "1, null, '$all', null, 3, concat('#', salt)",
          "1, salt, 'u1', null, 3, '#'",
          `1, null, '$all', null, 3, ${brought}`,
        ]) {
          const question = { [`${k.prefix}.acl_query`]: `select ${columns} from mqtt_user where username = '%u'` };
          const tried = await api<Step[]>("POST", `plugins/${k.plugin}/test`, { ...joe, topic: "x/hunter2", settings: question });
          expect([columns, tried.data.at(-1)?.step]).toEqual([columns, "acl"]);
          expect(JSON.stringify(tried.data).replaceAll("x/hunter2", "")).not.toContain("hunter2");
        }
        const odd = { [`${k.prefix}.acl_query`]: "select nothing from mqtt_user where username = '%u'" };
        expect(await kit.why(joe, odd)).toContain("nothing");
        // In force it is refused, and the log says why; what it may not hold is looked for at its end.
        const told = kit.broker.log.length;
        await kit.withSettings({ acl_query: "select password from mqtt_user where username = '%u'" }, async () => {
          const c = await client("u1", "p1");
          expect(await may(c, "own/u1/x")).toBe(false);
          await until(() => kit.broker.log.slice(told).includes("allow is ***, expected 0 or 1"), "it is told");
          c.drop();
        });
        await kit.isUp();
        db.run("update mqtt_user set salt = '' where username = 'u1'", "mqtt");
      });

      test("explain says in words why: unknown, wrong, no such hash, no rule, which rule", async () => {
        const hash = `${k.prefix}.password_hash = sha256`;
        expect(await kit.reasons({ username: "unknown", password: "x" })).toEqual([
          `unknown user: ${k.prefix}.auth_query finds nobody${k.prefix === "auth.mysql" ? " who is spelt so (auth.mysql.match_case)" : ""}`,
        ]);
        expect(await kit.reasons({ username: "u1", password: "x" })).toEqual([`wrong password, with ${hash}`]);
        expect(await kit.reasons({ username: "nobody", password: "x" })).toEqual([
          `${k.prefix}.auth_query finds the user, but no password`,
        ]);
        expect(await kit.reasons({ username: "of bcrypt", password: "public" })).toEqual([
          `no password fits, with ${hash}: what is stored is not 64 hexadecimal digits`,
        ]);
        expect((await kit.reasons({ username: "u1" }))[0]).toContain("not both a user name and a password: nobody is asked");
        const fits = `the password fits, with ${hash}; `;
        expect(await kit.reasons({ username: "u0", password: "p0" })).toEqual([`${fits}a super user, by ${k.prefix}.super_query`]);
        const u1 = { username: "u1", password: "p1", action: "publish" };
        expect(await kit.reasons({ ...u1, topic: "own/u1/x" })).toEqual([
          `${fits}no super user, by ${k.prefix}.super_query`,
          "row 4: allow pubsub own/%u/#, for username u1",
        ]);
        expect((await kit.reasons({ ...u1, action: "subscribe", topic: "else" }))[1]).toBe(
          "none of the 5 rules that there are speaks of this",
        );
        const tried = await kit.why({ username: "u1", password: "x" }, {});
        expect(tried).toContain(`wrong password, with ${hash}`);
      });

      test("what is not set is not asked, and that is said", async () => {
        const why = `no ${k.prefix}.acl_query is set: nothing is asked`;
        const joe = { username: "u1", password: "p1", action: "publish", topic: "own/u1/x" };
        const asks = async (): Promise<boolean[]> => {
          const { data } = await api<AccessView>("GET", "access");
          return [...data.authentication, ...data.acl].filter((s) => s.plugin === k.plugin).map((s) => s.asks_topics);
        };
        expect(await asks()).toEqual([true, true]);
        expect(await kit.why(joe, { [`${k.prefix}.acl_query`]: "" })).toContain(why);
        await kit.withSettings({ acl_query: "", super_query: "" }, async () => {
          expect([await kit.reasons(joe), await asks()]).toEqual([
            [expect.stringContaining(`; no super user: ${k.prefix}.super_query is not set`), why],
            [false, false],
          ]);
        });
        await kit.isUp();
        expect((await kit.reasons({ ...joe, username: "$u1" }))[1]).toBe(
          "user names that begin with $ have no rules here: nothing is asked",
        );
      });

      test("an error of the server's names the setting to look at", async () => {
        const joe = { username: "u1", password: "p1", action: "publish", topic: "own/u1/x" };
        const see = (...keys: string[]): string => `; see ${keys.map((key) => `${k.prefix}.${key}`).join(", ")}`;
        const nobody =
          k.plugin === "emqx_auth_pgsql"
            ? "create role blind login password 'b'"
            : "create user 'blind'@'%' identified by 'b'; grant select on mqtt.nap to 'blind'@'%'";
        db.run(nobody, "mqtt");
        const from = (table: string, column = "password"): string => `select ${column} from ${table} where username = '%u'`;
        const cases: [given: Record<string, string>, says: string, see: string][] = [
          [{ password: "wrong" }, "account and password are not taken", see("username", "password")],
          [{ username: "nix" }, "account and password are not taken", see("username", "password")],
          [{ database: "nix" }, "there is no such database", see("database")],
          [{ server: "127.0.0.1:1", password: db.password }, "nobody listens there, or there is no such host", see("server")],
          [{ server: "nix.invalid", password: db.password }, "nobody listens there, or there is no such host", see("server")],
          [{ auth_query: from("nix") }, "there is no such table", see("auth_query", "database")],
          [{ auth_query: from("mqtt_user", "nix") }, "there is no such column", see("auth_query")],
          [{ acl_query: from("nix") }, "there is no such table", see("acl_query", "database")],
          [
            { super_query: from("mqtt_user", "nix") },
            `for ${k.prefix}.super_query has no answer: there is no such column`,
            see("super_query"),
          ],
          [{ auth_query: `${from("mqtt_user")} limit limit` }, "the query cannot be read", see("auth_query")],
          [{ username: "blind", password: "b" }, "the account may not read that", see("auth_query", "username", "password")],
        ];
        for (const [given, says, where] of cases) {
          const settings = Object.fromEntries(Object.entries(given).map(([key, value]) => [`${k.prefix}.${key}`, value]));
          const why = await kit.why(joe, settings);
          expect([given, why.includes(says), why.includes(where)]).toEqual([given, true, true]);
        }
        const cast = k.plugin === "emqx_auth_pgsql" ? { [`${k.prefix}.auth_query`]: from("mqtt_user", "password::int") } : {};
        expect(await kit.why(joe, cast)).not.toContain(sha256("p1"));
      });

      test("so do state, alarm, log and explain", async () => {
        const said = `account and password are not taken: ${k.plugin === "emqx_auth_pgsql" ? "password authentication failed" : "Access denied"}`;
        const see = `; see ${k.prefix}.username, ${k.prefix}.password`;
        await kit.withSettings({ password: "wrong" }, async () => {
          await until(async () => (await status()).servers[0]?.state === "down", "it is told as down");
          const { data } = await api<{ id: string; desc: { summary?: string } }[]>("GET", "../../alarms/present/");
          const told = [
            (await status()).servers[0]?.last_error ?? "",
            JSON.stringify(data),
            (await kit.reasons({ username: "u1", password: "p1" }))[0] ?? "",
          ];
          for (const text of told) expect([text, text.includes(said), text.includes(see)]).toEqual([text, true, true]);
          await until(() => kit.broker.log.split("\n").some((line) => line.includes(said) && line.includes(see)), "the log tells of it");
        });
        await kit.isUp();
      });

      test("neither explain nor a test leaves a trace in figures, verdicts, state or log", async () => {
        db.run("insert into mqtt_acl (allow, username, access, topic) values (1, 'u9', 9, '#')", "mqtt");
        await kit.isUp();
        const [before, lines] = [await status(), kit.broker.log.length];
        for (const [username, password] of [
          ["u1", "p1"],
          ["u1", "no"],
          ["u9", "x"],
          ["a\0b", "x"],
        ]) {
          const asked = { username, password, action: "subscribe", topic: "#" };
          await explained({ client_id: "c", ...asked });
          await tried(asked);
        }
        expect(await status()).toEqual(before);
        expect(kit.broker.log.slice(lines)).not.toContain(k.plugin);
        db.run("delete from mqtt_acl where access = 9", "mqtt");
      });

      test("settings that are not saved can be tried", async () => {
        const joe = { username: "u1", password: "p1", action: "subscribe", topic: "own/u1/x" };
        expect(await tried(joe)).toEqual(["settings ok", "connect ok", "authenticate allow", "acl allow"]);
        expect(await tried({ username: "u1", password: "no" })).toEqual(["settings ok", "connect ok", "authenticate deny"]);
        expect(await tried({ username: "unknown", password: "no" })).toEqual(["settings ok", "connect ok", "authenticate ignore"]);
        expect(await tried({ ...joe, settings: { [`${k.prefix}.password`]: "wrong" } })).toEqual(["settings ok", "connect error"]);
        expect(await tried({ ...joe, settings: { [`${k.prefix}.auth_query`]: "select nothing from nowhere" } })).toEqual([
          "settings ok",
          "connect ok",
          "authenticate error",
          "acl allow",
        ]);
        expect(
          await tried({ ...joe, settings: { [`${k.prefix}.auth_query`]: "select password from mqtt_user where username = %u" } }),
        ).toEqual(["settings error"]);
        expect(await api("POST", `plugins/${k.plugin}/test`, { settings: { [`${k.prefix}.pool`]: "none" } })).toMatchObject({ code: 108 });
        expect(await code("u1", "p1")).toBe(0);
      });
    });

    test("what would change something is no setting, and a function that does changes nothing in a test", async () => {
      const refused = { code: 108, message: expect.stringContaining("expected one select, which only reads") };
      const settings = { [`${k.prefix}.auth_query`]: "delete from mqtt_acl" };
      expect(await api("POST", `plugins/${k.plugin}/test`, { username: "u1", password: "p1", settings })).toMatchObject(refused);
      expect(await api("PUT", `plugin_configs/${k.plugin}`, settings)).toMatchObject({ ...refused, code: 102 });
      db.run(k.emptying, "mqtt");
      const calling = { [`${k.prefix}.auth_query`]: "select emptied() from mqtt_user where username = '%u'" };
      expect(await kit.why({ username: "u1", password: "p1" }, calling)).toMatch(/read.only transaction/i);
      const dialect = k.peer === MARIADB ? "mysql" : "postgres";
      const server = {
        dialect,
        address: { host: "127.0.0.1", port: db.port },
        username: db.user,
        password: db.password,
        database: "mqtt",
      } as const;
      for (const readOnly of [true, false]) {
        const driver = new SqlDriver({ ...server, pool: 1, timeoutMs: 3000, prepare: true, tls: null, readOnly });
        expect(await driver.rows("select 1, 2 as a, 3 as a", [])).toEqual([[1, 2, 3]]);
        await expect(driver.rows("select 1; commit; delete from mqtt_acl", [])).rejects.toThrow();
        await driver.close();
      }
      expect(Number(db.run("select count(*) from mqtt_acl", "mqtt").trim())).toBe(7);
    });

    test("connections that an administrator ends under questions cost nobody a log-in", async () => {
      const query = `select password from mqtt_user where username = '%u' and ${k.resting} limit 1`;
      await kit.withSettings({ auth_query: query, timeout: "20s" }, async () => {
        await kit.isUp();
        const { retries } = (await status()).servers[0] as { retries: number };
        let over = false;
        const codes = new Set<number>();
        const counts = new Array<number>(20).fill(0);
        const one = async (i: number): Promise<void> => {
          while (!over) {
            codes.add(await code("u1", "p1", `ended${i}`));
            (counts[i] as number)++;
          }
        };
        const all = Promise.all(counts.map((_, i) => one(i)));
        try {
          await until(async () => {
            k.endAll(db);
            // A question is put again so often and no more: those that were ended have their answer before the next ones are.
            const before = [...counts];
            await until(() => counts.every((n, i) => n > (before[i] as number) + 1), "everybody is answered");
            return ((await status()).servers[0] as { retries: number }).retries > retries + 20;
          }, "questions are put again");
        } finally {
          over = true;
          await all;
        }
        expect([...codes]).toEqual([0]);
      });
    });

    whenSlow(kit, { username: "u1", password: "p1" }, { auth_query: k.napping, timeout: "20s" }, () => nap(0.3));

    test("more log-ins than the pool answers: an alarm of its own and one line, until it keeps up", async () => {
      nap(0.3);
      const before = kit.broker.log.length;
      const said = (what: string): number => kit.broker.log.slice(before).split(what).length - 1;
      const stands = async (): Promise<boolean> => JSON.stringify((await api("GET", "../../alarms/present/")).data).includes("_overloaded");
      await kit.withSettings({ auth_query: k.napping, pool: "1", timeout: "1s" }, async () => {
        await kit.isUp();
        expect(await stands()).toBe(false);
        let asking = true;
        const herd = Array.from({ length: 20 }, async (_, i) => {
          while (asking) await code("u1", i % 2 === 0 ? "p1" : "no");
        });
        await until(stands, "it is told");
        nap(0);
        asking = false;
        await Promise.all(herd);
        await until(async () => !(await stands()), "it keeps up again");
        await until(() => said("keeps up again") > 0, "that is told");
        const all = ["server is asked more than it answers", "keeps up again", "too many failed authentications"];
        expect(all.map(said)).toEqual([1, 1, 0]);
      });
      await kit.isUp();
    });

    test("questions that take longer than the limit: told as down once, until one is answered in time, with a pool that stays what it is", async () => {
      nap(3);
      const said = (what: string): number => kit.broker.log.split(what).length - 1;
      const before = [said("server is down"), said("server is back")] as const;
      await kit.withSettings({ auth_query: k.napping, pool: "4" }, async () => {
        await kit.isUp();
        await until(() => connectionsAt(db.port) <= 4, "those of the former settings are gone");
        let most = 0;
        const states = new Set<string>();
        const { timeouts = 0 } = (await status()).servers[0] ?? {};
        // Behind the pool's share of them each one more is the call behind a probe that was answered.
        for (let seen = timeouts; seen < timeouts + 5 + 5; seen = (await status()).servers[0]?.timeouts ?? 0) {
          expect(new Set(await Promise.all([code("u1", "p1"), code("u1", "p1"), code("u1", "no"), code("u1", "no")]))).toEqual(
            new Set([3]),
          );
          most = Math.max(most, connectionsAt(db.port));
          if (said("server is down") > before[0]) states.add((await status()).servers[0]?.state ?? "");
        }
        expect([...states]).toEqual(["down"]);
        expect([said("server is down"), said("server is back"), await kit.alarmed()]).toEqual([before[0] + 1, before[1], true]);
        // Two drivers at most, and on a busy machine those of a third one that are still being closed.
        expect(most).toBeLessThanOrEqual(3 * 4);
        nap(0);
        await until(async () => (await code("u1", "p1")) === 0, "it is back");
        expect(await code("u1", "no")).toBe(5);
        await until(() => said("server is back") === before[1] + 1, "that is told");
      });
    });

    whenAway(kit, () => db, { username: "u1", password: "p1" }, { many: 10_000 });
  });
}
