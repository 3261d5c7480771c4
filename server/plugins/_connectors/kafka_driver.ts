/** kafkajs, as a producer. */
import type { KafkaConfig, Producer, SASLOptions, TopicMessages } from "kafkajs";
import { type ServerAddress, shownAddress } from "../_backend/address.ts";
import { BackendError } from "../_backend/errors.ts";
import type { Judgement } from "../_backend/options.ts";
import type { Missing } from "./connector.ts";
import { NOTHING } from "./connector.ts";
import { type Payload, payloadBytes } from "./payload.ts";

export interface KafkaServers {
  addresses: readonly ServerAddress[];
  mechanism: "NONE" | "PLAIN" | "SCRAM_SHA_256" | "SCRAM_SHA_512";
  username: string;
  password: string;
  createTopics: boolean;
  timeoutMs: number;
  /** null = no TLS. */
  tls: Bun.TLSOptions | null;
}

export interface KafkaMessage {
  readonly topic: string;
  /** null = none: any partition. */
  readonly key: string | null;
  readonly payload: Payload;
  readonly headers: Readonly<Record<string, string>>;
  /** Unix ms. */
  readonly at: number;
}

export interface Sending {
  acks: -1 | 0 | 1;
  gzip: boolean;
}

/** The library finds another leader by itself so often; what takes longer is an outage, which is the queue's. */
const RETRY = { retries: 2, initialRetryTime: 100, maxRetryTime: 500 };

export class KafkaDriver {
  readonly #producer: Producer;
  readonly #admin;
  #connecting: Promise<void> | null = null;

  private constructor(
    private readonly library: typeof import("kafkajs"),
    private readonly o: KafkaServers,
  ) {
    const kafka = new library.Kafka(configOf(o));
    const createPartitioner = library.Partitioners.DefaultPartitioner;
    this.#producer = kafka.producer({ createPartitioner, allowAutoTopicCreation: o.createTopics, maxInFlightRequests: 1, retry: RETRY });
    this.#admin = kafka.admin({ retry: RETRY });
  }

  static async open(o: KafkaServers): Promise<KafkaDriver> {
    return new KafkaDriver(await import("kafkajs"), o);
  }

  /** By one caller for all who wait. */
  #ready(): Promise<void> {
    this.#connecting ??= this.#producer.connect().catch((err: unknown) => {
      this.#connecting = null;
      throw err;
    });
    return this.#connecting;
  }

  async send(items: readonly KafkaMessage[], sending: Sending): Promise<Missing> {
    await this.#ready();
    try {
      await this.#send(items, sending);
      return NOTHING;
    } catch (err) {
      if (judgeKafka(err) !== "refused" || items.length === 1) {
        if (items.length > 1) throw err;
        return new Map([[0, err]]);
      }
      return this.#sorted(items, sending);
    }
  }

  /** Halves of what was refused, in order, until it is known which messages that were. */
  async #sorted(items: readonly KafkaMessage[], sending: Sending): Promise<Missing> {
    const missing = new Map<number, unknown>();
    const half = Math.ceil(items.length / 2);
    for (const [from, to] of [
      [0, half],
      [half, items.length],
    ] as const) {
      const part = items.slice(from, to);
      const found = await this.send(part, sending).catch((err: unknown) => new Map(part.map((_, i) => [i, err] as const)));
      for (const [i, err] of found) missing.set(from + i, err);
    }
    return missing;
  }

  async #send(items: readonly KafkaMessage[], { acks, gzip }: Sending): Promise<void> {
    const topics = new Map<string, TopicMessages>();
    for (const { topic, key, payload, headers, at } of items) {
      const of = topics.get(topic) ?? { topic, messages: [] };
      topics.set(topic, of);
      of.messages.push({ key, value: payloadBytes(payload), headers: { ...headers }, timestamp: String(at) });
    }
    const { CompressionTypes } = this.library;
    await this.#producer.sendBatch({
      topicMessages: [...topics.values()],
      acks,
      timeout: this.o.timeoutMs,
      compression: gzip ? CompressionTypes.GZIP : CompressionTypes.None,
    });
  }

  async probe(): Promise<void> {
    await this.#admin.connect();
    await this.#admin.describeCluster();
  }

  async close(): Promise<void> {
    await Promise.all([this.#producer.disconnect(), this.#admin.disconnect()]);
  }
}

function configOf(o: KafkaServers): KafkaConfig {
  const { mechanism, username, password } = o;
  const sasl =
    mechanism === "NONE" ? null : ({ mechanism: mechanism.toLowerCase().replaceAll("_", "-"), username, password } as SASLOptions);
  return {
    clientId: "baomq",
    brokers: o.addresses.map(shownAddress),
    connectionTimeout: Math.min(o.timeoutMs, 3000),
    authenticationTimeout: o.timeoutMs,
    requestTimeout: o.timeoutMs,
    retry: RETRY,
    // The state of the resource says it.
    logCreator: () => () => {},
    ...(sasl !== null && {
      sasl: sasl.mechanism === "scram-sha-256" || sasl.mechanism === "scram-sha-512" || sasl.mechanism === "plain" ? sasl : undefined,
    }),
    ...(o.tls !== null && { ssl: o.tls as NonNullable<KafkaConfig["ssl"]> }),
  } as KafkaConfig;
}

/** Kafka's names of errors about the message itself. */
const REFUSED = new Set([
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  "INVALID_TIMESTAMP",
  "CORRUPT_MESSAGE",
  "INVALID_TOPIC_EXCEPTION",
  "UNSUPPORTED_FOR_MESSAGE_FORMAT",
]);
/** What can be mended, and is others' no concern. */
const LATER = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "TOPIC_AUTHORIZATION_FAILED",
  "POLICY_VIOLATION",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
]);

export function judgeKafka(err: unknown): Judgement {
  if (err instanceof BackendError) return err.kind === "refused" ? "refused" : "down";
  const type = typeOf(err);
  if (REFUSED.has(type)) return "refused";
  return LATER.has(type) ? "part" : "down";
}

/** Of several attempts the last one's. */
function typeOf(err: unknown): string {
  let at = err as { type?: unknown; cause?: unknown } | null | undefined;
  for (let depth = 0; depth < 5 && at != null; depth++) {
    if (typeof at.type === "string") return at.type;
    at = at.cause as typeof at;
  }
  return "";
}

/** What was wrong with the last attempt, where the library has made several. */
export function kafkaWords(err: unknown): string {
  const { message, cause } = (err ?? {}) as { message?: unknown; cause?: { message?: unknown } };
  const why = typeof cause?.message === "string" ? cause.message : String(message);
  const type = typeOf(err);
  return type !== "" && !why.includes(type) ? `${why} (${type})` : why;
}
