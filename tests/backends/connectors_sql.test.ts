/** Rules that write to PostgreSQL and MariaDB, with real servers: values, refused rows among good ones, and every kind of outage. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SQL } from "../../server/plugins/_connectors/sql.ts";
import { kindOf, Wired } from "../support/connector_host.ts";
import { MARIADB, needing, type Peer, POSTGRESQL } from "../support/peers.ts";
import { MariaDb, Postgres, type SqlDatabase } from "../support/servers.ts";
import { until } from "../support/until.ts";

interface Kind {
  name: string;
  action: string;
  peer: Peer;
  make(): SqlDatabase;
  /** Types of columns. */
  serial: string;
  float: string;
  json: string;
  bytes: string;
  flag: string;
  /** How `flag`, `bytes` and `json` are read as text. */
  read: { flag: string; bytes: string; json: string; text: string };
}

const KINDS: Kind[] = [
  {
    name: "PostgreSQL",
    action: "data_to_pgsql",
    peer: POSTGRESQL,
    make: () => new Postgres(),
    serial: "bigserial primary key",
    float: "float8",
    json: "jsonb",
    bytes: "bytea",
    flag: "boolean",
    read: { flag: "flag::text", bytes: "encode(bytes, 'hex')", json: "json::text", text: "encode(convert_to(text, 'UTF8'), 'hex')" },
  },
  {
    name: "MariaDB",
    action: "data_to_mysql",
    peer: MARIADB,
    make() {
      const db = new MariaDb();
      // What it has acknowledged is to be there when it was killed.
      db.tlsOptions = ["--innodb-flush-log-at-trx-commit=1", "--character-set-server=utf8mb4"];
      return db;
    },
    serial: "bigint primary key auto_increment",
    float: "double",
    json: "json",
    bytes: "blob",
    flag: "tinyint(1)",
    read: { flag: "flag", bytes: "lower(hex(bytes))", json: "json", text: "lower(hex(text))" },
  },
];
const INSERT = "insert into t (client, n, temp) values (${clientid}, ${n}, ${payload.temp})";

for (const k of KINDS) {
  needing(k.peer, describe)(k.name, () => {
    let db: SqlDatabase;
    const wired = new Set<Wired>();
    const rows = (sql: string): string[] =>
      db
        .run(sql, "rules")
        .split("\n")
        .filter((line) => line !== "");
    const count = (table = "t"): number => Number(rows(`select count(*) from ${table}`)[0]);
    const wire = (params: Record<string, unknown>, config: Record<string, unknown> = {}, keptIn: string | null = null): Wired => {
      const where = { server: `127.0.0.1:${db.port}`, user: db.user, password: db.password, database: "rules", timeout: 1, pool_size: 4 };
      const w = new Wired(kindOf(SQL, k.action), { ...where, ...config }, params, keptIn);
      wired.add(w);
      return w;
    };
    const end = async (w: Wired): Promise<void> => {
      wired.delete(w);
      await w.close();
      expect([w.host.left, w.server.left]).toEqual([0, 0]);
    };

    beforeAll(async () => {
      db = k.make();
      await db.start();
      db.run("create database rules");
      db.run(
        `create table t (id ${k.serial}, client varchar(40), n int not null unique, temp ${k.float});
         create table v (id ${k.serial}, n int, temp ${k.float}, flag ${k.flag}, json ${k.json}, bytes ${k.bytes}, text varchar(200));`,
        "rules",
      );
    });
    afterAll(async () => {
      for (const w of wired) await w.close();
      await db?.remove();
    });

    test("values of every type arrive as what they are, whatever is in them", async () => {
      const w = wire({
        sql: "INSERT INTO v (n, temp, flag, json, bytes, text) VALUES (${n}, ${temp}, ${flag}, ${json}, ${bytes}, '${text}');",
      });
      const given = [
        { n: 1, temp: 21.5, flag: true, json: { a: [1, { b: "ä" }] }, bytes: new Uint8Array([0, 1, 255]), text: "x'); drop table v; --" },
        { n: 2, temp: 3, flag: false, json: '{"a": 1}', bytes: new TextEncoder().encode("a\\b"), text: "日本 😀 \\ \" ' ${n}" },
        { n: 3, temp: null, flag: null, json: [1, 2], text: { nested: true } },
        { n: "4", temp: "1e3", flag: true, json: "12", bytes: "plain", text: 12.25 },
        {},
      ];
      for (const row of given) w.run(row);
      await until(() => w.settled, "they have arrived");
      expect([w.host.counts, w.letters]).toEqual([{ done: 5, failed: 0, dropped: 0 }, []]);
      const found = rows(`select concat_ws('|', n, temp, ${k.read.flag}, ${k.read.bytes}, ${k.read.text}) from v order by id`).map((line) =>
        line.replace("|true|", "|1|").replace("|false|", "|0|"),
      );
      const hex = (text: string): string => Buffer.from(text).toString("hex");
      expect(found).toEqual([
        `1|21.5|1|0001ff|${hex("x'); drop table v; --")}`,
        `2|3|0|615c62|${hex("日本 😀 \\ \" ' $" + "{n}")}`,
        `3|${hex('{"nested":true}')}`,
        `4|1000|1|706c61696e|${hex("12.25")}`,
      ]);
      const json = rows(`select ${k.read.json} from v where n is not null order by id`).map((line) => JSON.parse(line));
      expect(json).toEqual([{ a: [1, { b: "ä" }] }, { a: 1 }, [1, 2], 12]);
      await end(w);
    });

    test("rows that the table refuses become dead letters, those around them arrive in order, each once", async () => {
      db.run("delete from t", "rules");
      const w = wire({ sql: INSERT, batch_wait: 50 });
      const bad = new Set([7, 8, 50, 99]);
      for (let n = 0; n < 100; n++) w.run({ clientid: "c1", n: bad.has(n) ? "none" : n, payload: { temp: n } });
      w.run({ clientid: "c1", n: 3, payload: { temp: 0 } });
      await until(() => w.settled, "all is over");
      expect(w.host.counts).toEqual({ done: 96, failed: 5, dropped: 0 });
      expect(rows("select n from t order by id").map(Number)).toEqual(Array.from({ length: 100 }, (_, n) => n).filter((n) => !bad.has(n)));
      expect(w.letters).toHaveLength(5);
      expect(w.letters.every(({ why }) => why.includes("see sql"))).toBe(true);
      expect(w.letters.map(({ body }) => body).filter((body) => body.includes("none"))).toHaveLength(4);
      expect(w.state).not.toBe("down");
      // The table is mended: sent again, they arrive.
      expect(w.action.deadLetters?.remove(w.letters.filter(({ body }) => body.includes("none")).map(({ id }) => id))).toBe(4);
      db.run("delete from t where n = 3", "rules");
      expect(w.action.deadLetters?.resend()).toBe(1);
      await until(() => w.host.counts.done === 97, "it was sent again");
      expect(count()).toBe(96);
      expect(w.letters).toEqual([]);
      await end(w);
    });

    test("a table that is missing is waited for: nothing is lost, nobody else waits", async () => {
      const [w, other] = [wire({ sql: "insert into later (n) values (${n})" }), wire({ sql: INSERT })];
      db.run("delete from t", "rules");
      for (let n = 0; n < 10; n++) w.run({ n });
      for (let n = 0; n < 10; n++) other.run({ clientid: "c", n, payload: {} });
      await until(() => other.settled && (w.server.lines.length > 0 || w.resource.status()[0]?.lastError !== null), "it is known");
      expect(w.resource.status()[0]?.lastError).toMatch(/there is no such table.*see sql/);
      expect(count()).toBe(10);
      db.run("create table later (n int)", "rules");
      await until(() => w.settled, "it is there");
      expect([w.host.counts, count("later")]).toEqual([{ done: 10, failed: 0, dropped: 0 }, 10]);
      for (const one of [w, other]) await end(one);
    });

    test("what is no INSERT is done one by one, in order, all of a batch or nothing", async () => {
      db.run("delete from t; insert into t (n, temp) values (1, 0)", "rules");
      const w = wire({ sql: "update t set temp = temp * 10 + ${x} where n = ${n}", batch_wait: 50 });
      for (const x of [1, 2, 3]) w.run({ x, n: 1 });
      await until(() => w.settled, "they are done");
      expect(rows("select temp from t").map(Number)).toEqual([123]);
      await end(w);
    });

    test("killed and started again under load: everything arrives, in order of each client", async () => {
      db.run("delete from t", "rules");
      const w = wire({ sql: INSERT });
      let n = 0;
      const give = setInterval(() => {
        for (let i = 0; i < 20; i++) w.run({ clientid: `c${n % 7}`, n, payload: { temp: n } }, `c${n++ % 7}`);
      }, 5);
      await until(() => w.host.counts.done > 200, "they flow");
      await db.kill();
      const before = n;
      await until(() => n > before + 200, "more comes while it is away");
      await db.start();
      clearInterval(give);
      await until(() => w.settled, "it is back");
      // What was under way as it died may have been stored without an answer: the second try is refused by the key.
      const twice = w.letters.filter(({ why }) => /duplicate/i.test(why)).length;
      expect([w.host.counts.done + twice, w.letters.length - twice, w.host.counts.dropped]).toEqual([n, 0, 0]);
      expect(count()).toBe(n);
      for (let c = 0; c < 7; c++) {
        const found = rows(`select n from t where client = 'c${c}' order by id`).map(Number);
        expect(found).toEqual([...found].sort((a, b) => a - b));
      }
      await until(() => w.state === "up" && w.server.alarms.size === 0, "it is told");
      await end(w);
    });

    test("frozen: rows wait, and arrive when it goes on", async () => {
      db.run("delete from t", "rules");
      const w = wire({ sql: INSERT });
      w.run({ clientid: "c", n: 0, payload: {} });
      await until(() => w.settled, "the first one");
      await db.freeze();
      try {
        for (let n = 1; n < 500; n++) w.run({ clientid: "c", n, payload: {} });
        await until(() => w.state === "down" || w.state === "degraded", "it is noticed");
      } finally {
        db.thaw();
      }
      await until(() => w.settled, "it goes on");
      const twice = w.letters.filter(({ why }) => /duplicate/i.test(why)).length;
      expect([count(), w.host.counts.done + twice]).toEqual([500, 500]);
      await end(w);
    });

    test("a wrong password, nobody there, no database: told in words, nothing secret; rows wait", async () => {
      for (const [config, words] of [
        [{ password: "wrong" }, /account and password are not taken.*see user, password/],
        [{ server: "127.0.0.1:1" }, /nobody listens there.*see server/],
        [{ database: "nowhere" }, /there is no such database.*see database/],
      ] as const) {
        const w = wire({ sql: INSERT }, config);
        w.run({ clientid: "c", n: 1, payload: {} });
        await until(() => w.state === "down", "it is down");
        const [server] = w.resource.status();
        expect(server?.lastError).toMatch(words);
        expect(JSON.stringify([server, w.server.lines, [...w.server.alarms]])).not.toContain("wrong");
        expect(w.action.waiting?.().rows).toBe(1);
        await end(w);
      }
    });

    test("the test of a configuration tells each step", async () => {
      const { resource } = kindOf(SQL, k.action);
      const w = wire({ sql: INSERT });
      const where = { server: `127.0.0.1:${db.port}`, user: db.user, password: db.password, database: "rules" };
      expect(await resource.test(where, w.server)).toMatchObject([
        { step: "settings", verdict: "ok" },
        { step: "connect", verdict: "ok", why: expect.stringContaining("answers") },
      ]);
      expect(await resource.test({ ...where, password: "no" }, w.server)).toMatchObject([
        { verdict: "ok" },
        { step: "connect", verdict: "error", why: expect.stringContaining("see user, password") },
      ]);
      expect(await resource.test({ ...where, ssl: true, cacertfile: "/nowhere/ca.pem" }, w.server)).toMatchObject([
        { step: "settings", verdict: "error", why: "cacertfile = /nowhere/ca.pem: there is no such file" },
      ]);
      await end(w);
    });
  });
}
