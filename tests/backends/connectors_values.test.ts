/** Values that a rule has and a column takes in its own way: lists, whole numbers beyond 2^53, times. With real servers. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SQL } from "../../server/plugins/_connectors/sql.ts";
import { kindOf, Wired } from "../support/connector_host.ts";
import { MARIADB, needing, POSTGRESQL } from "../support/peers.ts";
import { MariaDb, Postgres, type SqlDatabase } from "../support/servers.ts";
import { until } from "../support/until.ts";

const TIME = "2024-02-23T15:56:30.125Z";

/** Rows that an action is given, one after the other, and what has become of them. */
async function given(db: SqlDatabase, action: string, sql: string, rows: readonly Record<string, unknown>[]): Promise<Wired> {
  const where = { server: `127.0.0.1:${db.port}`, user: db.user, password: db.password, database: "rules" };
  const w = new Wired(kindOf(SQL, action), where, { sql });
  for (const row of rows) w.run(row);
  await until(() => w.settled, "they have come to something");
  return w;
}

const lines = (db: SqlDatabase, sql: string): string[] =>
  db
    .run(sql, "rules")
    .split("\n")
    .filter((line) => line !== "");

needing(POSTGRESQL, describe)("PostgreSQL", () => {
  const db = new Postgres();
  beforeAll(async () => {
    await db.start();
    db.run("create database rules");
    db.run(
      "create table v (id bigserial primary key, n int[], words text[], parts jsonb[], doc jsonb, big bigint, exact numeric, at timestamptz, day date)",
      "rules",
    );
  });
  afterAll(() => db.remove());

  test("lists into arrays, lists and maps into JSON, digits and times as they are", async () => {
    const sql =
      "INSERT INTO v (n, words, parts, doc, big, exact, at, day) VALUES (${n}, ${words}, ${parts}, ${doc}, ${big}, ${exact}, ${at}, ${at})";
    const w = await given(db, "data_to_pgsql", sql, [
      {
        n: [1, null, 3],
        words: ['say "x"', "a,b", "back\\slash", "NULL", null, ""],
        parts: [{ a: 9007199254740993n }, "s", [1]],
        doc: [1, { b: "ä" }],
        big: 9007199254740993n,
        exact: 12345678901234567890n,
        at: TIME,
      },
      {
        n: [
          [1, 2],
          [3, 4],
        ],
        words: "{a,b}",
        parts: [],
        doc: { a: 1 },
        big: "7",
        exact: "1.5",
        at: "2024-02-23 15:56:30+00",
      },
      { n: ["none"] },
    ]);
    expect([w.host.counts, w.letters.map(({ why }) => /integer/.test(why))]).toEqual([{ done: 2, failed: 1, dropped: 0 }, [true]]);
    await w.close();
    const found = lines(
      db,
      "select json_build_array(n, words, parts, doc, big::text, exact::text, extract(epoch from at), day)::text from v order by id",
    );
    expect(found.map((line) => JSON.parse(line))).toEqual([
      [
        [1, null, 3],
        ['say "x"', "a,b", "back\\slash", "NULL", null, ""],
        // JSON.parse reads 9007199254740993 so.
        [{ a: 9007199254740992 }, "s", [1]],
        [1, { b: "ä" }],
        "9007199254740993",
        "12345678901234567890",
        Date.parse(TIME) / 1000,
        "2024-02-23",
      ],
      [
        [
          [1, 2],
          [3, 4],
        ],
        ["a", "b"],
        [],
        { a: 1 },
        "7",
        "1.5",
        Date.parse("2024-02-23T15:56:30Z") / 1000,
        "2024-02-23",
      ],
    ]);
  });

  test("lists of bytes, of boxes, and of empty lists alone", async () => {
    db.run("create table l (id bigserial primary key, bytes bytea[], boxes box[], n int[])", "rules");
    const sql = "INSERT INTO l (bytes, boxes, n) VALUES (${bytes}, ${boxes}, ${n})";
    const w = await given(db, "data_to_pgsql", sql, [
      { bytes: ["\\xff00aa", null], boxes: ["(1,1),(0,0)", "(2,2),(1,1)"], n: [[], []] },
      { bytes: [Uint8Array.of(255, 0, 170)] },
    ]);
    expect([w.host.counts, w.letters.map(({ why }) => /a list for bytea\[\] has/.test(why))]).toEqual([
      { done: 1, failed: 1, dropped: 0 },
      [true],
    ]);
    await w.close();
    expect(lines(db, "select encode(bytes[1], 'hex'), boxes[2], n from l").map((line) => line.split(/[|\t]/))).toEqual([
      ["ff00aa", "(2,2),(1,1)", "{}"],
    ]);
  });
});

needing(MARIADB, describe)("MariaDB", () => {
  const db = new MariaDb();
  beforeAll(async () => {
    await db.start();
    db.run("create database rules");
    db.run(
      "create table v (id bigint primary key auto_increment, doc json, big bigint, at datetime(3), made datetime(3), text varchar(40))",
      "rules",
    );
  });
  afterAll(() => db.remove());

  test("lists and maps into JSON, digits; a time without Z, Unix time, and as it is into text", async () => {
    const sql =
      "INSERT INTO v (doc, big, at, made, text) VALUES (${doc}, ${big}, TRIM(TRAILING 'Z' FROM ${at}), FROM_UNIXTIME(${ms} / 1000), ${at})";
    const w = await given(db, "data_to_mysql", sql, [{ doc: [1, { b: "x" }], big: 9007199254740993n, at: TIME, ms: Date.parse(TIME) }]);
    expect([w.host.counts, w.letters]).toEqual([{ done: 1, failed: 0, dropped: 0 }, []]);
    await w.close();
    expect(lines(db, "select concat_ws('|', doc, big, at, unix_timestamp(made), text) from v")).toEqual([
      `[1,{"b":"x"}]|9007199254740993|2024-02-23 15:56:30.125|${Date.parse(TIME) / 1000}|${TIME}`,
    ]);
  });

  test("a time with Z is refused by a column of times, and the dead letter says how to write it", async () => {
    const w = await given(db, "data_to_mysql", "INSERT INTO v (at) VALUES (${at})", [{ at: TIME }]);
    expect(w.letters.map(({ why }) => why)).toEqual([expect.stringContaining("TRIM(TRAILING 'Z' FROM …)")]);
    await w.close();
  });
});
