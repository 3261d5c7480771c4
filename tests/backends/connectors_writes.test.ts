/** What a database does in the middle of a batch, with a real MariaDB: a deadlock while refused rows are looked for. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "../../server/plugins/_connectors/sql.ts";
import { kindOf, Wired } from "../support/connector_host.ts";
import { MARIADB, needing } from "../support/peers.ts";
import { MariaDb } from "../support/servers.ts";
import { until } from "../support/until.ts";

const testing = needing(MARIADB, test);
let db: MariaDb;
const open = new Set<Wired>();

beforeAll(async () => {
  if (MARIADB.find() === null) return;
  db = new MariaDb();
  await db.start();
  db.run("create database rules");
});
afterAll(async () => {
  for (const w of open) await w.close();
  await db?.remove();
});

const where = () => ({
  server: `127.0.0.1:${db.port}`,
  user: db.user,
  password: db.password,
  database: "rules",
  timeout: 10,
  pool_size: 2,
});
const wire = (params: Record<string, unknown>, config: Record<string, unknown> = {}, keptIn: string | null = null): Wired => {
  const w = new Wired(kindOf(SQL, "data_to_mysql"), { ...where(), ...config }, params, keptIn);
  open.add(w);
  return w;
};
const end = async (w: Wired): Promise<void> => {
  open.delete(w);
  await w.close();
};
const rows = (sql: string): string[] =>
  db
    .run(sql, "rules")
    .split("\n")
    .filter((line) => line !== "");

testing("a deadlock while refused rows are looked for: all of the batch is written again", async () => {
  db.run("create table d (id int primary key, v int) engine=innodb; insert into d values (60, 0)", "rules");
  const w = wire({ sql: "insert into d (id, v) values (${id}, ${v})", batch_wait: 300, batch_size: 4 });
  await until(() => w.state === "up", "it answers");
  const { port, user: username, password } = db;
  const other = new Bun.SQL({ adapter: "mysql", hostname: "127.0.0.1", port, username, password, database: "rules", max: 1, tls: false });
  const [locked, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const theirs = other.begin(async (tx) => {
    // What has changed more is not chosen to give way.
    for (let i = 0; i < 10; i++)
      await tx.unsafe(`insert into d (id, v) values ${Array.from({ length: 100 }, (_, k) => `(${1000 + i * 100 + k}, 0)`).join()}`);
    await tx.unsafe("insert into d (id, v) values (50, 99)");
    locked.resolve();
    await goOn.promise;
    await tx.unsafe("select * from d where id = 1 for update");
  });
  await locked.promise;
  // 1 and 2 are good, 60 is there already, 50 waits for the other's lock, and the other then for 1.
  for (const id of [1, 2, 60, 50]) w.run({ id, v: 1 });
  // InnoDB makes this table anew only when nobody has read it for 100 ms.
  const waits = async (): Promise<boolean> => {
    await Bun.sleep(200);
    return db.run("select count(*) from information_schema.innodb_lock_waits").trim() !== "0";
  };
  await until(waits, "it waits");
  goOn.resolve();
  await theirs;
  await until(() => w.settled, "it is over");
  expect(rows("select id from d where id < 1000 and v = 1 order by id")).toEqual(["1", "2"]);
  expect(w.letters.map(({ body }) => body).sort()).toEqual(["[50,1]", "[60,1]"]);
  expect(w.letters.every(({ why }) => /duplicate/i.test(why))).toBe(true);
  expect(w.host.counts).toEqual({ done: 2, failed: 2, dropped: 0 });
  await other.close({ timeout: 0 });
  await end(w);
});

testing("a batch that takes longer than the time limit is written in parts, each row once", async () => {
  db.run("create table s (id int primary key auto_increment, n int, z int)", "rules");
  const sql = "insert into s (n, z) values (${n}, sleep(0.012))";
  const w = wire({ sql, batch_wait: 100, retries: 0 }, { timeout: 1 });
  await until(() => w.state === "up", "it answers");
  for (let n = 0; n < 100; n++) w.run({ n });
  await until(() => w.settled, "all is there");
  expect(w.host.counts).toEqual({ done: 100, failed: 0, dropped: 0 });
  expect(rows("select count(*), count(distinct n) from s")).toEqual(["100\t100"]);
  expect(rows("select n from s order by id").map(Number)).toEqual(Array.from({ length: 100 }, (_, n) => n));
  await end(w);
});

testing("a row that always takes longer than the time limit is not written again and again", async () => {
  db.run("create table l (n int, z int)", "rules");
  const w = wire({ sql: "insert into l (n, z) values (${n}, sleep(1.3))", max_age: 5 }, { timeout: 1 });
  await until(() => w.state === "up", "it answers");
  w.run({ n: 1 });
  await until(() => w.settled, "it is given up");
  expect(w.letters).toMatchObject([{ why: expect.stringMatching(/no answer within 1000 ms.*see .*timeout/) }]);
  await until(() => rows("show processlist").every((line) => !line.includes("sleep")), "the last one is over");
  // The first time it is a statement that is stored as it ends.
  expect(Number(rows("select count(*) from l")[0])).toBeLessThanOrEqual(1);
  await end(w);
});

testing("rows that waited are not put into another statement", async () => {
  db.run("create table u (name varchar(40), secret varchar(40))", "rules");
  const directory = mkdtempSync(join(tmpdir(), "baomq-action-"));
  try {
    const before = wire(
      { sql: "insert into u (name, secret) values (${name}, ${secret})", disk_size: 1 },
      { server: "127.0.0.1:1" },
      directory,
    );
    before.run({ name: "ann", secret: "pw-of-ann" });
    await until(() => before.state === "down", "it is away");
    await end(before);
    const sql = "insert into u (secret, name) values (${secret}, ${name})";
    const edited = wire({ sql, disk_size: 1 }, {}, directory);
    edited.run({ name: "bob", secret: "pw-of-bob" });
    await until(() => edited.host.counts.done + edited.host.counts.failed === 2, "both are over");
    expect(rows("select name, secret from u")).toEqual(["bob\tpw-of-bob"]);
    expect(edited.letters).toMatchObject([
      { why: expect.stringContaining("made for other parameters"), body: expect.stringContaining("pw-of-ann") },
    ]);
    // Sent again it is not for these parameters either.
    expect(edited.action.deadLetters?.resend()).toBe(1);
    await until(() => edited.host.counts.failed === 2, "it is given up again");
    await end(edited);
    // Under its own ones it is what it was.
    const again = wire({ sql: "insert into u (name, secret) values (${name}, ${secret})", disk_size: 1 }, {}, directory);
    await until(() => again.letters.length === 1, "it is there");
    expect(again.letters.map(({ body }) => body)).toEqual(['["ann","pw-of-ann"]']);
    expect(again.action.deadLetters?.resend()).toBe(1);
    await until(() => again.host.counts.done === 1, "it is written");
    expect(rows("select name, secret from u order by name")).toEqual(["ann\tpw-of-ann", "bob\tpw-of-bob"]);
    await end(again);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
