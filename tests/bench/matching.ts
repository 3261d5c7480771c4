/** What one PUBLISH costs, from bytes in to bytes out, beside 10, 10,000 and 1,000,000 subscriptions that do not match. */
import mqttPacket from "mqtt-packet";
import type { Channel } from "../../server/core/channel.ts";
import type { Transport } from "../../server/core/ports.ts";
import type { SubscribeOptions } from "../../server/core/types.ts";
import { TestKit } from "../support/test_broker.ts";
import { machine, median, toMarkdown } from "./table.ts";

const SIZES = [10, 10_000, 1_000_000];
const BATCH = 100;
/** Sessions that share the unrelated subscriptions. */
const SESSIONS = 1000;

class Sink implements Transport {
  readonly ip = "127.0.0.1";
  readonly port = 1;
  write(_buf: Uint8Array, _offset: number, length: number): number {
    return length;
  }
  end(): void {}
  finish(): void {}
  destroy(): void {}
  pause(): void {}
  resume(): void {}
  probe(): void {}
}

const publishes = (topics: readonly string[]): Buffer =>
  Buffer.concat(
    topics.map((topic) => mqttPacket.generate({ cmd: "publish", topic, payload: Buffer.alloc(64), qos: 0, dup: false, retain: false })),
  );

/** Half of them exact, half with a wildcard in the middle, all of them below the first level that is published to. */
function unrelated(i: number): string {
  return i % 2 === 0 ? `site/${i}/state` : `site/${i}/+/temperature`;
}

interface Case {
  title: string;
  /** Batches of topics; a fresh one each time it is called. */
  next: () => Buffer[];
}

/** Nanoseconds per message, median of `runs`. */
function cost(feed: (chunk: Buffer) => void, c: Case, runs: number): number {
  const samples: number[] = [];
  for (let run = 0; run < runs; run++) {
    const chunks = c.next();
    const t0 = Bun.nanoseconds();
    for (const chunk of chunks) feed(chunk);
    samples.push((Bun.nanoseconds() - t0) / (chunks.length * BATCH));
  }
  return median(samples);
}

export function benchMatching(quick: boolean): string {
  const kit = new TestKit();
  const connect = (clientId: string): Channel => {
    const channel = kit.broker.accept(new Sink(), kit.listener, null);
    channel.onData(mqttPacket.generate({ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true, clientId, keepalive: 0 }));
    kit.settle();
    return channel;
  };
  const options: SubscribeOptions = { qos: 0, nl: false, rap: false, rh: 0, subId: 0 };
  connect("subscriber");
  kit.broker.subscribe("subscriber", "site/#", options);
  const channel = connect("publisher");
  const feed = (chunk: Buffer): void => {
    channel.onData(chunk);
    kit.settle();
  };

  const rounds = quick ? 20 : 100;
  const same = publishes(new Array(BATCH).fill("site/a/b/c"));
  const many = Array.from({ length: 10 }, (_, n) => publishes(Array.from({ length: BATCH }, (_, i) => `site/x${n * BATCH + i}/b/c`)));
  let fresh = 0;
  const cases: Case[] = [
    { title: "one topic again and again", next: () => new Array<Buffer>(10).fill(same) },
    { title: "1,000 topics in turn", next: () => many },
    {
      title: "a topic never seen before",
      next: () => Array.from({ length: 10 }, () => publishes(Array.from({ length: BATCH }, () => `site/y${fresh++}/b/c`))),
    },
  ];
  for (const c of cases) cost(feed, c, rounds);

  for (let i = 0; i < SESSIONS; i++) connect(`other${i}`);
  const columns: number[][] = [];
  let there = 0;
  for (const size of SIZES) {
    for (; there < size; there++) kit.broker.subscribe(`other${there % SESSIONS}`, unrelated(there), options);
    Bun.gc(true);
    columns.push(cases.map((c) => cost(feed, c, rounds)));
  }
  const sent = kit.broker.sessions.get("subscriber")?.deliverCount ?? 0;
  if (sent === 0) throw new Error("nothing was delivered");
  const rows = cases.map((c, i) => [c.title, ...columns.map((column) => (column[i] as number).toFixed(0))]);
  return [
    "Nanoseconds per PUBLISH delivered to one subscriber, beside so many subscriptions that do not match.",
    `${new Date().toISOString().slice(0, 10)}, ${machine()}.`,
    "",
    toMarkdown([["published to", ...SIZES.map((n) => n.toLocaleString("en-US"))], ...rows]),
  ].join("\n");
}
