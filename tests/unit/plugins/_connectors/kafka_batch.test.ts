import { expect, test } from "bun:test";
import { KafkaBatch, type KafkaMessage, type Placed, RequestLimit } from "../../../../server/plugins/_connectors/kafka_batch.ts";

/** Three partitions, by key; a request tells the first thing that is wrong, what fits is stored all the same. */
class Topics {
  readonly stored: string[] = [];
  requests = 0;
  /** The request with this number, from 1, finds nobody. */
  gone = 0;

  constructor(private readonly most: number) {}

  request = async (items: readonly Placed[]): Promise<void> => {
    if (++this.requests === this.gone) throw new Error("Connection error");
    for (const { message } of items) if (message.topic.startsWith("no.")) throw typed("UNKNOWN_TOPIC_OR_PARTITION");
    let isRefused = false;
    for (const { message, place } of items) place.partition = Number(message.key) % 3;
    for (const set of Map.groupBy(items, ({ message, place }) => `${message.topic} ${place.partition}`).values()) {
      const bytes = set.reduce((sum, { message }) => sum + (message.payload as string).length, 0);
      if (bytes > this.most) isRefused = true;
      else this.stored.push(...set.map(({ message }) => message.headers.n as string));
    }
    if (isRefused) throw typed("MESSAGE_TOO_LARGE");
  };

  get twice(): number {
    return this.stored.length - new Set(this.stored).size;
  }
}

const typed = (type: string): Error => Object.assign(new Error(type), { type });
const message = (n: number, bytes: number, topic = "t"): KafkaMessage => ({
  topic,
  key: String(n),
  payload: "x".repeat(bytes),
  headers: { n: String(n) },
  at: 0,
});
const send = (topics: Topics, items: KafkaMessage[], limit = new RequestLimit()) => new KafkaBatch(items, topics.request, limit).send();

test("what is larger than a request may be is alone, so that nothing comes twice", async () => {
  const topics = new Topics(1_000_000);
  const missing = await send(
    topics,
    Array.from({ length: 100 }, (_, n) => message(n, n === 50 ? 1_100_000 : 40_000)),
  );
  expect([[...missing.keys()], topics.stored.length, topics.twice]).toEqual([[50], 99, 0]);
});

test("a topic that takes less: other partitions' come twice until that is known, and not again", async () => {
  const topics = new Topics(100_000);
  const limit = new RequestLimit();
  const items = Array.from({ length: 60 }, (_, n) => message(n, n === 7 ? 120_000 : 10_000));
  expect([...(await send(topics, items, limit)).keys()]).toEqual([7]);
  expect(new Set(topics.stored).size).toBe(59);
  topics.stored.length = 0;
  expect([...(await send(topics, items, limit)).keys()]).toEqual([7]);
  expect([topics.stored.length, topics.twice]).toEqual([59, 0]);
});

test("topics that are not there miss their own alone", async () => {
  const topics = new Topics(1_000_000);
  const items = [message(0, 10), message(1, 10, "no.a"), message(2, 10), message(3, 10, "no.b"), message(4, 10, "other")];
  const missing = await send(topics, items);
  expect([...missing.keys()].sort()).toEqual([1, 3]);
  expect([topics.stored, topics.twice]).toEqual([["0", "2", "4"], 0]);
});

test("behind a request that finds nobody none is tried", async () => {
  const topics = new Topics(1_000_000);
  topics.gone = 2;
  const items = Array.from({ length: 50 }, (_, n) => message(n, 90_000));
  const missing = await send(topics, items);
  expect(topics.requests).toBe(2);
  // In one piece, at the end: what came before is there.
  expect([...missing.keys()]).toEqual(Array.from({ length: missing.size }, (_, i) => 50 - missing.size + i));
  expect(topics.stored).toHaveLength(50 - missing.size);
  expect(new Set([...missing.values()].map(String))).toEqual(new Set(["Error: Connection error"]));
});
