/** What a database does in the middle of a batch, with a real MariaDB: a deadlock while refused rows are looked for. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { afterAll, beforeAll, expect, test } from "bun:test";
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
  await until(() => db.run("select count(*) from information_schema.innodb_lock_waits").trim() !== "0", "it waits");
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
