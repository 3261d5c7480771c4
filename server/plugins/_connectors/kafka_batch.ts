/**
 * A batch for Kafka, whose answer to a request is the first thing that was wrong with any of its partitions: the others have taken theirs. So that those
 * are not sent again and again, a request has no more bytes than a record set may have, as far as that is known, and what was refused is sent again
 * by partitions, then by halves, in order. Behind something that is to be sent again in another try nothing of its topic is sent in this one: it would
 * be overtaken.
 */
import { type Missing, NOTHING } from "./connector.ts";
import { blamesTopic, isTooLarge, judgeKafka } from "./kafka_errors.ts";
import type { Payload } from "./payload.ts";

export interface KafkaMessage {
  readonly topic: string;
  /** null = none: any partition. */
  readonly key: string | null;
  readonly payload: Payload;
  readonly headers: Readonly<Record<string, string>>;
  /** Unix ms. */
  readonly at: number;
}

/** Where a message goes, once the library has said so. */
export interface Place {
  partition: number | null;
}

export interface Placed {
  readonly message: KafkaMessage;
  readonly place: Place;
  /** In the batch. */
  readonly at: number;
}

/** Below `max.message.bytes`, which is 1,048,588 where nobody has set it. */
const REQUEST_BYTES = 900 * 1024;
const REQUEST_BYTES_MIN = 64 * 1024;
/** Of a message in a record set, beside what is in it. */
const RECORD_BYTES = 64;

/** Bytes that a request has at most, more only where one message is larger: less since some were refused that had less. */
export class RequestLimit {
  #bytes = REQUEST_BYTES;

  get bytes(): number {
    return this.#bytes;
  }

  /** Of a request, or of one of its partitions. */
  tooLarge(bytes: number, messages: number): void {
    this.#bytes = Math.max(REQUEST_BYTES_MIN, Math.min(this.#bytes, messages > 1 ? bytes >> 1 : bytes - 1));
  }
}

export class KafkaBatch {
  readonly #missing = new Map<number, unknown>();
  /** Topics of which something is to be sent again, and why. */
  readonly #behind = new Map<string, unknown>();
  readonly #items: readonly Placed[];

  constructor(
    items: readonly KafkaMessage[],
    private readonly request: (items: readonly Placed[]) => Promise<void>,
    private readonly limit: RequestLimit,
  ) {
    this.#items = items.map((message, at) => ({ message, place: { partition: null }, at }));
  }

  /** In the order of the batch. Never rejects. */
  async send(): Promise<Missing> {
    await this.#inOrder(runs(this.#items, this.limit.bytes));
    return this.#missing.size === 0 ? NOTHING : new Map([...this.#missing].sort(([a], [b]) => a - b));
  }

  /** Returns why nothing more is to be tried, which is what came of the rest then; null = all was tried. */
  async #inOrder(parts: readonly (readonly Placed[])[]): Promise<unknown> {
    let why: unknown = null;
    for (const part of parts) {
      if (why === null) why = await this.#sent(this.#free(part));
      else this.#fail(part, why);
    }
    return why;
  }

  /** Those that nothing of their topic is sent again before. */
  #free(items: readonly Placed[]): readonly Placed[] {
    return items.filter(({ message: { topic }, at }) => {
      if (this.#behind.has(topic)) this.#missing.set(at, this.#behind.get(topic));
      return !this.#behind.has(topic);
    });
  }

  async #sent(items: readonly Placed[]): Promise<unknown> {
    if (items.length === 0) return null;
    try {
      await this.request(items);
      return null;
    } catch (err) {
      if (isTooLarge(err)) this.limit.tooLarge(sumOf(items), items.length);
      // Topics have no order among them, and the library takes its time with each that is not there.
      const topics = blamesTopic(err) ? grouped(items, ({ message }) => message.topic) : [];
      if (topics.length > 1) return (await Promise.all(topics.map((part) => this.#sent(part)))).find((why) => why !== null) ?? null;
      const judged = judgeKafka(err);
      const parts = judged === "refused" ? apart(items) : [];
      if (parts.length > 1) return this.#inOrder(parts);
      this.#fail(items, err);
      if (judged !== "refused") for (const { message } of items) this.#behind.set(message.topic, err);
      return judged === "down" ? err : null;
    }
  }

  #fail(items: readonly Placed[], err: unknown): void {
    for (const { at } of items) this.#missing.set(at, err);
  }
}

/** Partitions of what was refused; of one its halves; one message cannot be told apart. */
function apart(items: readonly Placed[]): (readonly Placed[])[] {
  const partitions = grouped(items, ({ message, place }) => `${message.topic} ${place.partition}`);
  if (partitions.length > 1 || items.length === 1) return partitions;
  const half = Math.ceil(items.length / 2);
  return [items.slice(0, half), items.slice(half)];
}

function bytesOf({ key, payload, headers }: KafkaMessage): number {
  let bytes = RECORD_BYTES + (typeof payload === "string" ? Buffer.byteLength(payload) : payload.length) + Buffer.byteLength(key ?? "");
  for (const [name, value] of Object.entries(headers)) bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + 4;
  return bytes;
}

const sumOf = (items: readonly Placed[]): number => items.reduce((sum, { message }) => sum + bytesOf(message), 0);

/** In order, each of so many bytes at most; what is larger is alone. */
function runs(items: readonly Placed[], most: number): Placed[][] {
  const all: Placed[][] = [];
  let sum = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const bytes = bytesOf(item.message);
    sum += bytes;
    if (sum > most) {
      all.push([]);
      sum = bytes;
    }
    all.at(-1)?.push(item);
  }
  return all;
}

function grouped(items: readonly Placed[], by: (item: Placed) => string): Placed[][] {
  return [...Map.groupBy(items, by).values()];
}
