/** Rules that write to the master that sentinels name: when that is killed they go on with the replica that takes its place. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { afterAll, beforeAll, expect, test } from "bun:test";
import { REDIS as KIND } from "../../server/plugins/_connectors/redis.ts";
import { kindOf, Wired } from "../support/connector_host.ts";
import { needing, REDIS } from "../support/peers.ts";
import { RedisSentinels } from "../support/redis_servers.ts";
import { until } from "../support/until.ts";

const testing = needing(REDIS, test);
const all = new RedisSentinels();
beforeAll(async () => {
  if (REDIS.find() !== null) await all.start();
});
afterAll(() => all.remove());

testing("what comes while the master is away waits, and goes to the next one, in order", async () => {
  await all.settled();
  const { action } = kindOf(KIND, "data_to_redis");
  const resource = KIND.resources.find(({ name }) => name === "redis_sentinel");
  if (resource === undefined) throw new Error("there is no such kind");
  const config = {
    servers: all.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(),
    sentinel: "the-master",
    password: all.master.password,
    timeout: 2,
  };
  const w = new Wired({ action, resource }, config, { cmd: "RPUSH rows ${n}" });
  let n = 0;
  const give = (): void => w.run({ n: n++ });
  for (let i = 0; i < 100; i++) give();
  await until(() => w.settled, "they have arrived");
  await all.settled();
  await all.master.kill();
  const rows = (): number[] => all.replica.run("LRANGE", "rows", "0", "-1").split("\n").filter(Boolean).map(Number);
  for (let i = 0; i < 100; i++) give();
  await until(() => w.state !== "up", "it is noticed");
  await until(() => all.replicaLeads, "the replica takes its place");
  for (let i = 0; i < 100; i++) give();
  await until(() => w.settled, "all have arrived");
  expect([w.host.counts, w.letters]).toEqual([{ done: 300, failed: 0, dropped: 0 }, []]);
  const found = rows();
  expect(found).toEqual(Array.from({ length: 300 }, (_, i) => i));
  await until(() => w.state === "up" && w.server.alarms.size === 0, "it is told");
  await w.close();
});
