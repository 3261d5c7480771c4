import { describe, expect, test } from "bun:test";
import { KafkaBatch, type KafkaMessage, type Placed, RequestLimit } from "../../../../server/plugins/_connectors/kafka_batch.ts";

/** Three partitions, by key; a request tells the first thing that is wrong, what fits is stored all the same. */
class Topics {
  readonly stored: string[] = [];
  requests = 0;
  /** Of the request with this number, from 1: nothing of it is stored. */
  readonly failing = new Map<number, Error>();

  constructor(private readonly most: number) {}

  request = async (items: readonly Placed[]): Promise<void> => {
    for (const { message, place } of items) place.partition = Number(message.key) % 3;
    const failure = this.failing.get(++this.requests);
    if (failure !== undefined) throw failure;
    for (const { message } of items) if (message.topic.startsWith("no.")) throw typed("UNKNOWN_TOPIC_OR_PARTITION");
    let isRefused = false;
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

test("of a topic that is not there the rest is not tried", async () => {
  const topics = new Topics(1_000_000);
  const items = Array.from({ length: 4 }, (_, n) => message(n, 400_000, n % 2 === 0 ? "t" : "no.a"));
  const missing = await send(topics, items);
  expect([[...missing.keys()], topics.stored]).toEqual([
    [1, 3],
    ["0", "2"],
  ]);
  // Both topics, each of them, the rest of the one that is there.
  expect(topics.requests).toBe(4);
});

test("behind a request that finds nobody none is tried", async () => {
  const topics = new Topics(1_000_000);
  topics.failing.set(2, new Error("Connection error"));
  const items = Array.from({ length: 50 }, (_, n) => message(n, 90_000));
  const missing = await send(topics, items);
  expect(topics.requests).toBe(2);
  // In one piece, at the end: what came before is there.
  expect([...missing.keys()]).toEqual(Array.from({ length: missing.size }, (_, i) => 50 - missing.size + i));
  expect(topics.stored).toHaveLength(50 - missing.size);
  expect(new Set([...missing.values()].map(String))).toEqual(new Set(["Error: Connection error"]));
});

describe.each(["NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS_AFTER_APPEND", "UNKNOWN_TOPIC_OR_PARTITION"])("%s, which passes", (type) => {
  /** Two of them are a request. */
  const large = (n: number, topic = "t") => ({ ...message(n, 400_000, topic), key: "0" });

  test("what comes later in a topic waits for what is to be sent again, so that nothing is overtaken", async () => {
    const topics = new Topics(1_000_000);
    topics.failing.set(1, typed(type));
    const missing = await send(
      topics,
      [0, 1, 2, 3, 4, 5].map((n) => large(n)),
    );
    expect([[...missing.keys()], topics.stored]).toEqual([[0, 1, 2, 3, 4, 5], []]);
    expect(new Set([...missing.values()].map(String))).toEqual(new Set([`Error: ${type}`]));
  });

  test("other topics do not wait", async () => {
    const topics = new Topics(1_000_000);
    topics.failing.set(1, typed(type));
    const missing = await send(topics, [large(0), large(1), large(2), large(3, "other"), large(4), large(5, "other")]);
    expect([[...missing.keys()], topics.stored]).toEqual([
      [0, 1, 2, 4],
      ["3", "5"],
    ]);
  });

  test("nor does anything wait in front of it, or for what is given up", async () => {
    const topics = new Topics(1_000_000);
    topics.failing.set(2, typed("MESSAGE_TOO_LARGE"));
    topics.failing.set(4, typed("MESSAGE_TOO_LARGE"));
    topics.failing.set(6, typed(type));
    // Requests: 0 and 1; 2 and 3, which are too large together; 2; 3, which is for itself; 4 and 5; 6.
    const missing = await send(
      topics,
      [0, 1, 2, 3, 4, 5, 6].map((n) => large(n)),
    );
    expect([[...missing].map(([at, why]) => [at, (why as { type: string }).type]), topics.stored]).toEqual([
      [
        [3, "MESSAGE_TOO_LARGE"],
        [6, type],
      ],
      ["0", "1", "2", "4", "5"],
    ]);
  });

  test("what has failed comes in the order in which it came, however it was taken apart", async () => {
    const topics = new Topics(1_000_000);
    topics.failing.set(1, typed("RECORD_LIST_TOO_LARGE"));
    topics.failing.set(2, typed(type));
    // Two partitions, which are sent one after the other.
    const items = [0, 1, 3, 4].map((n) => message(n, 10));
    expect([...(await send(topics, items)).keys()]).toEqual([0, 1, 2, 3]);
    expect(topics.requests).toBe(2);
  });
});
