/** kafkajs, as a producer. */
import type { ICustomPartitioner, KafkaConfig, Message, Producer, SASLOptions, TopicMessages } from "kafkajs";
import { type ServerAddress, shownAddress } from "../_backend/address.ts";
import { notWanted } from "../_backend/errors.ts";
import type { Missing } from "./connector.ts";
import { KafkaBatch, type KafkaMessage, type Place, type Placed, RequestLimit } from "./kafka_batch.ts";
import { payloadBytes } from "./payload.ts";

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

export interface Sending {
  acks: -1 | 0 | 1;
  gzip: boolean;
}

/** The library finds another leader by itself so often; what takes longer is an outage, which is the queue's. */
const RETRY = { retries: 2, initialRetryTime: 100, maxRetryTime: 500 };

export class KafkaDriver {
  readonly #producer: Producer;
  /** What the library is given -> where it has said that it goes. */
  readonly #places = new WeakMap<Message, Place>();
  readonly #limit = new RequestLimit();
  readonly #admin;
  #connecting: Promise<void> | null = null;

  private constructor(
    private readonly library: typeof import("kafkajs"),
    private readonly o: KafkaServers,
  ) {
    const kafka = new library.Kafka(configOf(o));
    const createPartitioner = (): ReturnType<ICustomPartitioner> => {
      const chosen = library.Partitioners.DefaultPartitioner();
      return (asked) => {
        const partition = chosen(asked);
        const place = this.#places.get(asked.message);
        if (place !== undefined) place.partition = partition;
        return partition;
      };
    };
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

  async send(items: readonly KafkaMessage[], sending: Sending, wanted: () => boolean): Promise<Missing> {
    await this.#ready();
    return new KafkaBatch(items, (some) => this.#request(some, sending, wanted), this.#limit).send();
  }

  /** Rejects: none of it is there, or some of its partitions are, and nobody says which. */
  async #request(items: readonly Placed[], { acks, gzip }: Sending, wanted: () => boolean): Promise<void> {
    if (!wanted()) throw notWanted();
    const topics = new Map<string, TopicMessages>();
    for (const { message, place } of items) {
      const { topic, key, payload, headers, at } = message;
      const of = topics.get(topic) ?? { topic, messages: [] };
      topics.set(topic, of);
      const made = { key, value: payloadBytes(payload), headers: { ...headers }, timestamp: String(at) };
      // Where it was to go it goes again.
      of.messages.push(place.partition === null ? made : { ...made, partition: place.partition });
      this.#places.set(of.messages.at(-1) as Message, place);
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
