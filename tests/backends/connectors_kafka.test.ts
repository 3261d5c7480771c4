/** Kafka (twin, read by librdkafka) and rows among others that it does not take: those alone are given up, and nobody else's are there twice. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of rules
import { afterAll, beforeAll, expect, test } from "bun:test";
import { KAFKA } from "../../server/plugins/_connectors/kafka.ts";
import { kindOf, Wired } from "../support/connector_host.ts";
import { KCAT, needing } from "../support/peers.ts";
import { KafkaTwin } from "../support/sink_servers.ts";
import { until } from "../support/until.ts";

const testing = needing(KCAT, test);
const server = new KafkaTwin(["rows", "sums"]);
beforeAll(() => server.start());
afterAll(() => server.remove());

const wire = (params: Record<string, unknown>): Wired => {
  const config = {
    servers: `127.0.0.1:${server.port}`,
    authentication_mechanism: "PLAIN",
    username: server.user,
    password: server.password,
  };
  return new Wired(kindOf(KAFKA, "data_to_kafka"), config, params);
};

testing("a topic that is not there costs its own rows, and holds up nobody else's", async () => {
  const w = wire({ topic: "${list}", key: "${k}", retries: 0, payload_tmpl: "${n}", batch_wait: 100 });
  w.run({ list: "nobody.made.this", k: "evil", n: -1 }, "evil");
  for (let n = 0; n < 50; n++) w.run({ list: n === 20 ? "nor.this" : "rows", k: "a", n }, "good");
  await until(() => w.settled, "all is over");
  expect(w.host.counts).toEqual({ done: 49, failed: 2, dropped: 0 });
  expect(w.letters.map(({ why }) => why)).toEqual([1, 2].map(() => expect.stringMatching(/there is no such topic.*see topic/)));
  expect(server.read("rows", "%s").map(Number)).toEqual(Array.from({ length: 50 }, (_, n) => n).filter((n) => n !== 20));
  await w.close();
});

testing("a topic that is the same for all rows is waited for", async () => {
  const w = wire({ topic: "later", retries: 0 });
  w.run({ n: 1 });
  await until(() => /there is no such topic/.test(w.resource.status()[0]?.lastError ?? ""), "it is known");
  expect([w.action.waiting?.().rows, w.letters]).toEqual([1, []]);
  await w.close();
});

testing("a message that is too large leaves the others once, in order of their keys", async () => {
  const w = wire({ topic: "sums", key: "${k}", payload_tmpl: "${p}", batch_wait: 100 });
  for (let n = 0; n < 100; n++) w.run({ k: `k${n % 7}`, p: n === 50 ? "x".repeat(1_100_000) : `m${n}` });
  // Together larger than the topic takes.
  for (let n = 100; n < 150; n++) w.run({ k: `k${n % 2}`, p: `m${n}${"y".repeat(50_000)}` });
  await until(() => w.settled, "all is over");
  expect(w.host.counts).toEqual({ done: 149, failed: 1, dropped: 0 });
  expect(w.letters).toMatchObject([{ why: expect.stringMatching(/larger than the topic takes/) }]);
  const found = server.read("sums", "%k %s").map((line) => line.replace(/y+$/, ""));
  const all = Array.from({ length: 150 }, (_, n) => n).filter((n) => n !== 50);
  const given = all.map((n) => `k${n < 100 ? n % 7 : n % 2} m${n}`);
  expect([...found].sort()).toEqual([...given].sort());
  for (const key of new Set(given.map((line) => line.split(" ")[0]))) {
    const ofKey = (lines: string[]) => lines.filter((line) => line.startsWith(`${key} `));
    expect(ofKey(found)).toEqual(ofKey(given));
  }
  await w.close();
});

testing("however many rows in a row name what is not there, they are given up, and what comes behind them arrives", async () => {
  const before = server.read("rows", "%s").length;
  const w = wire({ topic: "${list}", retries: 2, payload_tmpl: "${n}", batch_size: 1 });
  for (let n = 0; n < 6; n++) w.run({ list: "nobody.made.this", n });
  for (let n = 0; n < 5; n++) w.run({ list: "rows", n });
  await until(() => w.settled, "all is over");
  expect([w.host.counts, w.host.alarms.size]).toEqual([{ done: 5, failed: 6, dropped: 0 }, 0]);
  expect(server.read("rows", "%s").length - before).toBe(5);
  await w.close();
});
