/** Kafka, as a producer. */
import { shownAddresses } from "../_backend/address.ts";
import type { Advice, SettingKeys } from "../_backend/advice.ts";
import { compileRowTemplate } from "../_backend/row_template.ts";
import { actionKind, asWritten, resourceKind, type Writing } from "./connector.ts";
import type { KafkaMessage } from "./kafka_batch.ts";
import { KafkaDriver, type Sending } from "./kafka_driver.ts";
import { blamesTopic, judgeKafka, kafkaWords } from "./kafka_errors.ts";
import * as P from "./params.ts";
import { compileFields, compilePayload, fieldsParam, PAYLOAD, shownPayload } from "./payload.ts";

const KEYS: SettingKeys = {
  server: "servers",
  timeout: "timeout",
  account: "authentication_mechanism, username, password",
  tls: "ssl",
  trust: "cacertfile",
  verify: "verify",
  certificate: "certfile, keyfile",
};

const ADVICE: readonly Advice[] = [
  {
    words: /SASL_AUTHENTICATION_FAILED|ILLEGAL_SASL_STATE|SASL .*authentication failed/i,
    says: "account and password are not taken",
    see: ["account"],
  },
  { words: /UNSUPPORTED_SASL_MECHANISM|mechanism/i, says: "it does not log in that way", see: ["account"] },
  { words: /UNKNOWN_TOPIC_OR_PARTITION/, says: "there is no such topic", see: ["question"] },
  { words: /AUTHORIZATION_FAILED/, says: "the account may not write there", see: ["account", "question"] },
  { words: /MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE/, says: "it is larger than the topic takes", see: ["question"] },
  { words: /NOT_ENOUGH_REPLICAS/, says: "too few servers keep the topic now", see: ["server"] },
  { words: /Connection timeout/, says: "it does not answer", see: ["server", "timeout"] },
];

const RESOURCE = resourceKind({
  name: "kafka",
  title: "Kafka",
  description: "Kafka brokers",
  params: {
    servers: P.text("127.0.0.1:9092", "Servers", "Hosts and ports of some of them, with commas between."),
    authentication_mechanism: P.choice(
      ["NONE", "PLAIN", "SCRAM_SHA_256", "SCRAM_SHA_512"],
      "NONE",
      "Authentication Mechanism",
      "How the account logs in (SASL).",
    ),
    username: P.text("", "User Name", "Account."),
    password: P.secret("Password", "Its password."),
    create_topics: P.flag(false, "Create Topics", "A topic that is not there is made, where the brokers let us."),
    ...P.TIMEOUT,
    ...P.TLS,
  },
  keys: KEYS,
  advice: ADVICE,
  judge: judgeKafka,
  plain: kafkaWords,
  open(c) {
    const addresses = P.serversIn("servers", c.servers, 9092);
    const timeoutMs = 1000 * c.timeout;
    const servers = {
      addresses,
      mechanism: c.authentication_mechanism as "NONE" | "PLAIN" | "SCRAM_SHA_256" | "SCRAM_SHA_512",
      username: c.username,
      password: c.password,
      createTopics: c.create_topics,
      timeoutMs,
      tls: P.tlsIn(c),
    };
    return {
      what: `Kafka at ${shownAddresses(addresses)}`,
      open: () => KafkaDriver.open(servers),
      close: (driver: KafkaDriver) => driver.close(),
      lost: () => false,
      probe: (driver: KafkaDriver) => driver.probe(),
      // To each broker there is one connection, on which batches follow one another.
      pool: 1,
      timeoutMs,
      retries: 1,
    };
  },
});

const TOPIC = /^(?!\.{1,2}$)[\w.-]{1,249}$/;

function kafkaWriting(
  topic: string,
  key: string,
  payload: string,
  headers: Readonly<Record<string, unknown>>,
  sending: Sending,
): Writing<KafkaDriver, KafkaMessage> {
  const [topicOf, keyOf, payloadOf] = [compileRowTemplate(topic), compileRowTemplate(key), compilePayload(payload)];
  const headersOf = compileFields("headers", headers);
  const checked = (name: string | null): string => {
    if (name === null) throw new Error("topic: a variable in it is not there");
    if (!TOPIC.test(name))
      throw new Error(`topic: ${JSON.stringify(name.slice(0, 100))} is none: expected letters, digits, ".", "_" and "-", 249 at most`);
    return name;
  };
  if (topicOf.constant) checked(topic);
  return {
    make: (row, event) => {
      const at = event.column("timestamp");
      return {
        topic: checked(topicOf.strict(row)),
        key: key === "" ? null : keyOf.strict(row),
        payload: payloadOf(row),
        headers: headersOf(row),
        at: typeof at === "number" ? at : Date.now(),
      };
    },
    shown: ({ topic, key, payload }) => `${topic} ${key ?? ""} ${shownPayload(payload)}`,
    write: (driver, items, { wanted }) => asWritten("topic", driver.send(items, sending, wanted)),
    // A topic that is the same for all can be mended, and all wait for that.
    blames: (err) => !topicOf.constant && blamesTopic(err),
  };
}

const ACKS = { all: -1, leader: 1, none: 0 } as const;

const ACTION = actionKind(["kafka"], {
  name: "data_to_kafka",
  title: "Data to Kafka",
  description: "Produce to Kafka",
  params: {
    topic: { ...P.needed("Topic", "Kafka's topic; may have variables."), format: "template" } as const,
    key: P.template(
      "${clientid}",
      "Key",
      "Messages of one key are in one partition (murmur2, as with Kafka's own clients), in order. Empty = in turn.",
    ),
    ...PAYLOAD,
    headers: fieldsParam("Headers", "Name and value of each; values may have variables."),
    acks: P.choice(["all", "leader", "none"], "all", "Acks", "Who has to have it: all replicas in sync, the leader, or nobody is asked."),
    compression: P.choice(["none", "gzip"], "none", "Compression", "Of a batch."),
  },
  open: (p) =>
    kafkaWriting(p.topic, p.key, p.payload_tmpl, p.headers, { acks: ACKS[p.acks as keyof typeof ACKS], gzip: p.compression === "gzip" }),
});

export const KAFKA = { resources: [RESOURCE], actions: [ACTION] };
