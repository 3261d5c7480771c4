/** One row that its server does not take: it is given up, and nobody else's rows wait for it. NATS, Redis, PostgreSQL, MongoDB (twin). */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { expect, test } from "bun:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { MongoClient } from "mongodb";
import { connectors } from "../../server/plugins/_connectors/index.ts";
import { kindOf, Wired } from "../support/connector_host.ts";
import { MongoTwin } from "../support/mongo_server.ts";
import { NATS, needing, POSTGRESQL, REDIS } from "../support/peers.ts";
import { RedisServer } from "../support/redis_servers.ts";
import { Postgres } from "../support/servers.ts";
import { NatsServer } from "../support/sink_servers.ts";
import { until } from "../support/until.ts";

const KINDS = connectors({ files: () => "/nowhere" });
type Params = Record<string, unknown>;

needing(NATS, test)("NATS: headers count as the payload does; a subject that no stream keeps is its row's own", async () => {
  const server = new NatsServer();
  await server.start();
  const nc = await connectNats({ servers: `127.0.0.1:${server.port}`, user: "reader", pass: "r" });
  const manager = await jetstreamManager(nc);
  await manager.streams.add({ name: "rows", subjects: ["js.rows.>"], max_msg_size: 10_000 });
  const config = { servers: `127.0.0.1:${server.port}`, username: server.user, password: server.password };
  const wire = (params: Params): Wired =>
    new Wired(kindOf(KINDS, "data_to_nats"), config, { payload_tmpl: "${p}", retries: 0, batch_wait: 50, ...params });
  const most = nc.info?.max_payload as number;
  const stored = async (): Promise<number> => (await manager.streams.info("rows")).state.messages;

  const core = wire({ subject: "ok.x", headers: { h: "${h}" } });
  core.run({ p: "x".repeat(most - 2), h: "v" });
  // To the last byte: "NATS/1.0\r\nh: v\r\n\r\n".
  for (const [bytes, h] of [
    [most - 18, "v"],
    [most - 17, "v"],
    [most - 19, "ä"],
    [most - 18, "ä"],
    [1, "v"],
  ] as const)
    core.run({ p: "x".repeat(bytes), h });
  await until(() => core.settled, "all is over");
  expect(core.host.counts).toEqual({ done: 3, failed: 3, dropped: 0 });
  // Of those that are so large not all letters are kept.
  expect(core.host.reasons.every((why) => why.includes("larger than the"))).toBe(true);
  await core.close();

  const kept = wire({ subject: "js.${list}", jetstream: true });
  kept.run({ p: "x".repeat(most - 20), list: "rows.a" });
  await until(() => kept.settled, "the first one");
  kept.run({ p: "x".repeat(10_001), list: "rows.a" });
  await until(() => kept.settled, "the second one");
  kept.run({ p: "x", list: "nobody" });
  for (let n = 0; n < 20; n++) kept.run({ p: `m${n}`, list: "rows.a" });
  await until(() => kept.settled, "all is over");
  expect([kept.host.counts, await stored()]).toEqual([{ done: 20, failed: 3, dropped: 0 }, 20]);
  for (const why of [/larger than/, /maximum allowed/, /no stream keeps that subject/])
    expect(kept.letters.filter((letter) => why.test(letter.why))).toHaveLength(1);
  await kept.close();

  // The same for all: it is waited for.
  const later = wire({ subject: "js.later", jetstream: true });
  later.run({ p: "x" });
  await until(() => /no stream keeps that subject/.test(later.resource.status()[0]?.lastError ?? ""), "it is known");
  await manager.streams.add({ name: "later", subjects: ["js.later"] });
  await until(() => later.host.counts.done === 1, "it is there");
  expect(later.letters).toEqual([]);
  await later.close();
  await nc.close();
  await server.remove();
});

needing(REDIS, test)("Redis: a key that the account may not write", async () => {
  const server = new RedisServer();
  await server.start();
  server.run("ACL", "SETUSER", "writer", "on", ">w", "~rows*", "+@all", "-flushall");
  const config = { server: `127.0.0.1:${server.port}`, username: "writer", password: "w" };
  const wire = (cmd: string): Wired => new Wired(kindOf(KINDS, "data_to_redis"), config, { cmd, retries: 0, batch_wait: 50 });
  const w = wire("RPUSH ${list} ${n}");
  for (let n = 0; n < 20; n++) w.run({ list: n === 7 ? "secret" : "rows", n });
  await until(() => w.settled, "all is over");
  expect([w.host.counts, server.run("LLEN", "rows")]).toEqual([{ done: 19, failed: 1, dropped: 0 }, "19"]);
  await w.close();
  // What the account may not do at all is given to it.
  const denied = wire("FLUSHALL");
  denied.run({});
  await until(() => /NOPERM/.test(denied.resource.status()[0]?.lastError ?? ""), "it is known");
  server.run("ACL", "SETUSER", "writer", "+flushall");
  await until(() => denied.host.counts.done === 1, "it is done");
  expect(denied.letters).toEqual([]);
  await denied.close();
  await server.remove();
});

needing(POSTGRESQL, test)("PostgreSQL: a row that a policy does not let in, or a constraint that looks at the end", async () => {
  const db = new Postgres();
  await db.start();
  db.run(
    `create table t (id serial, n int, client text); alter table t enable row level security;
     create table d (n int, constraint later unique (n) deferrable initially deferred);
     create role writer login password 'w'; grant all on t, d, t_id_seq to writer; create table none (n int);
     create policy own on t for all to writer using (true) with check (client <> 'evil');`,
  );
  const config = { server: `127.0.0.1:${db.port}`, user: "writer", password: "w", database: "postgres" };
  const wire = (sql: string): Wired => new Wired(kindOf(KINDS, "data_to_pgsql"), config, { sql, retries: 0, batch_wait: 50 });
  const w = wire("insert into t (n, client) values (${n}, ${client})");
  for (let n = 0; n < 20; n++) w.run({ n, client: n === 7 ? "evil" : "good" });
  await until(() => w.settled, "all is over");
  expect([w.host.counts, db.run("select count(*) from t").trim()]).toEqual([{ done: 19, failed: 1, dropped: 0 }, "19"]);
  expect(w.letters).toMatchObject([{ why: expect.stringContaining("row-level security") }]);
  await w.close();

  const deferred = wire("insert into d (n) values (${n})");
  for (const n of [1, 2, 3, 2, 4]) deferred.run({ n });
  await until(() => deferred.settled, "all is over");
  expect([deferred.host.counts, db.run("select n from d order by n").trim().split("\n")]).toEqual([
    { done: 4, failed: 1, dropped: 0 },
    ["1", "2", "3", "4"],
  ]);
  await deferred.close();

  const none = wire("insert into none (n) values (${n})");
  none.run({ n: 1 });
  await until(() => /permission denied/.test(none.resource.status()[0]?.lastError ?? ""), "it is known");
  db.run("grant all on none to writer");
  await until(() => none.host.counts.done === 1, "it is there");
  await none.close();
  await db.remove();
});

test("MongoDB (twin): a collection that is refused as a whole, one that the account may not write, and a document that is none", async () => {
  const server = new MongoTwin({});
  await server.start();
  const { user: login, password } = server;
  const config = { servers: `127.0.0.1:${server.port}`, database: "mqtt", login, password, auth_source: "mqtt" };
  const w = new Wired(kindOf(KINDS, "data_to_mongo"), config, { collection: "${list}", retries: 0, batch_wait: 50 });
  for (let n = 0; n < 20; n++)
    w.run({ list: n === 7 ? "is.refused" : n === 8 ? "is.denied" : "rows", n, ...(n === 9 && { more: { "a\0b": 1 } }) });
  await until(() => w.settled, "all is over");
  expect([w.host.counts, w.letters.length]).toEqual([{ done: 17, failed: 3, dropped: 0 }, 3]);
  const client = new MongoClient(`mongodb://127.0.0.1:${server.port}/`, {
    auth: { username: login, password },
    authSource: "mqtt",
    directConnection: true,
  });
  const { cursor } = await client.db("mqtt").command({ find: "rows", filter: {}, limit: 1000, singleBatch: true });
  expect((cursor.firstBatch as { n: number }[]).map(({ n }) => n)).toEqual(
    Array.from({ length: 20 }, (_, n) => n).filter((n) => n < 7 || n > 9),
  );
  await client.close();
  await w.close();
  await server.remove();
});
