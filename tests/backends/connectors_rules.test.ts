/** Rules in the executable that write: to PostgreSQL, which is away as the broker is killed, and with the library of every other kind of server. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { Installation, type RunningBroker } from "../support/executable.ts";
import { needing, POSTGRESQL } from "../support/peers.ts";
import { Rest } from "../support/rest.ts";
import { Postgres } from "../support/servers.ts";
import { until } from "../support/until.ts";

let baomq: Installation;
let broker: RunningBroker;

const { api } = new Rest(() => broker);

async function publish(rows: readonly { n: number; t: number }[], topic = "room/1"): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${broker.ports.tcp}`, { clientId: "sensor", protocolVersion: 5 });
  await Promise.all(rows.map((row) => client.publishAsync(topic, JSON.stringify(row), { qos: 1 })));
  await client.endAsync();
}

interface ActionRow {
  metrics: { taken: number; success: number; failed: number; dropped: number; waiting?: number };
}
const resource = (type: string, config: object): Promise<{ id: string }> => api("POST", "resources/", { name: `my ${type}`, type, config });
const rule = (sql: string, action: string, params: object): Promise<{ id: string; actions: ActionRow[] }> =>
  api("POST", "rules/", { name: "a rule", for: "message.publish", rawsql: sql, actions: [{ name: action, params }] });

beforeAll(async () => {
  baomq = new Installation();
  broker = await baomq.start();
});
afterAll(() => baomq?.remove());

needing(POSTGRESQL, describe)("PostgreSQL", () => {
  const db = new Postgres();
  const count = (): number => Number(db.run("select count(distinct n) from readings", "rules"));
  beforeAll(async () => {
    await db.start();
    db.run("create database rules");
    db.run("create table readings (id bigserial, client text, n int, t float8, payload jsonb)", "rules");
  });
  afterAll(() => db.remove());

  test("what a rule lets through arrives, and what waited on the disk when both were killed", async () => {
    const { id } = await resource("pgsql", {
      server: `127.0.0.1:${db.port}`,
      database: "rules",
      user: db.user,
      password: db.password,
      timeout: 1,
    });
    const made = await rule(
      'SELECT clientid, payload, payload.n AS n, payload.t AS t FROM "room/#" WHERE payload.t > 30',
      "data_to_pgsql",
      {
        $resource: id,
        sql: "INSERT INTO readings (client, n, t, payload) VALUES (${clientid}, ${n}, ${t}, ${payload})",
        disk_size: 64,
      },
    );
    await publish(Array.from({ length: 200 }, (_, n) => ({ n, t: n % 2 === 0 ? 20 : 31.5 })));
    await until(() => count() === 100, "the first hundred");
    expect(db.run("select client, n, t, payload ->> 'n' from readings order by id limit 1", "rules").trim()).toBe("sensor|1|31.5|1");
    await db.kill();
    await publish(Array.from({ length: 300 }, (_, n) => ({ n: 1000 + n, t: 40 })));
    const waiting = async (): Promise<number> => {
      const row = await api<{ actions: { metrics: Record<string, unknown> }[] }>("GET", `rules/${encodeURIComponent(made.id)}`);
      return Number(JSON.stringify(row).match(/"waiting":(?:\{"rows":)?(\d+)/)?.[1] ?? -1);
    };
    await until(async () => (await waiting()) === 300, "they wait");
    await broker.crash();
    broker = await broker.restart();
    await db.start();
    await until(() => count() === 400, "they were on the disk");
    const shown = JSON.stringify([await api("GET", "resources/"), await api("GET", "rules/"), broker.log, broker.errors]);
    expect(shown).not.toContain("sec'ret");
  });
});

test("a file of lines, below the directory for it", async () => {
  const { id } = await resource("file", { path: "rooms/log.jsonl" });
  await rule('SELECT payload.n AS n, topic FROM "lines/#"', "data_to_file", { $resource: id });
  await publish(
    [
      { n: 1, t: 0 },
      { n: 2, t: 0 },
    ],
    "lines/1",
  );
  const path = join(broker.dataDir, "files/rooms/log.jsonl");
  const lines = (): string[] => {
    try {
      return readFileSync(path, "utf8").split("\n").filter(Boolean);
    } catch {
      return [];
    }
  };
  await until(() => lines().length === 2, "two lines");
  expect(lines().map((line) => JSON.parse(line))).toEqual([
    { n: 1, topic: "lines/1" },
    { n: 2, topic: "lines/1" },
  ]);
  expect(api("POST", "resources/", { name: "out", type: "file", config: { path: "../acl.conf" } })).rejects.toThrow(/path/);
});

/** Each has its library in the executable: what is said is that nobody listens. */
const NOWHERE: [type: string, config: object][] = [
  ["mysql", { server: "127.0.0.1:1", database: "x" }],
  ["redis_single", { server: "127.0.0.1:1" }],
  ["redis_sentinel", { servers: "127.0.0.1:1", sentinel: "x" }],
  ["redis_cluster", { servers: "127.0.0.1:1" }],
  ["mongo_single", { servers: "127.0.0.1:1", database: "x" }],
  ["mongo_rs", { servers: "127.0.0.1:1", database: "x", rs_set_name: "x" }],
  ["mongo_sharded", { servers: "127.0.0.1:1", database: "x" }],
  ["bridge_mqtt", { address: "127.0.0.1:1" }],
  ["kafka", { servers: "127.0.0.1:1" }],
  ["nats", { servers: "127.0.0.1:1" }],
  ["influxdb", { url: "http://127.0.0.1:1", version: "v1", database: "x" }],
];
for (const [type, config] of NOWHERE) {
  test(`${type}: nobody is there`, async () => {
    const { id } = await resource(type, { timeout: 1, ...config });
    const status = async (): Promise<{ is_alive: boolean; servers: { last_error: string | null; lastError: string | null }[] }> =>
      api("GET", `resource_status/${encodeURIComponent(id)}`);
    const said = async (): Promise<string> => JSON.stringify((await status()).servers);
    await until(async () => /"state":"down"/.test(await said()), "it is known");
    expect([(await status()).is_alive, await said()]).toEqual([
      false,
      expect.stringMatching(/nobody listens|no sentinel answers|ECONNREFUSED|does not answer|closes the connection|no answer within/),
    ]);
  });
}
