/** Publish, and subscribe or unsubscribe on behalf of a session. */
import { Message } from "../core/message.ts";
import { hasWildcard, parseSharedFilter, validTopicFilter, validTopicName } from "../mqtt/topic.ts";
import type { QoS } from "../mqtt/types.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import type { BatchResult, LiveMessage, MessageProperties } from "./extra_rows.ts";
import { createKeeping } from "./keeping.ts";
import { encodePayload, fromBase64, readProperties, showProperties, type WantedEncoding } from "./payload.ts";
import { badTopic, badValue, notOneOf, offline } from "./refusals.ts";

/** Longest topic the API takes, in bytes (EMQ X 3.1). */
const TOPIC_MAX = 4096;

/** The parameters of the three commands, as received. */
export interface PubSubParams {
  topic?: unknown;
  topics?: unknown;
  payload?: unknown;
  qos?: unknown;
  retain?: unknown;
  client_id?: unknown;
  encoding?: unknown;
  properties?: MessageProperties;
}

function readQos(value: unknown): QoS {
  if (value === undefined) return 0;
  if (value === 0 || value === 1 || value === 2) return value;
  throw notOneOf("qos", [0, 1, 2]);
}

/** `topic` (or else `topics`), a comma-separated list. @throws AdminError 115 */
function topicList(params: PubSubParams): string[] {
  const text = params.topic === undefined ? params.topics : params.topic;
  if (typeof text !== "string") throw badTopic();
  const topics = text.split(",");
  if (topics.some((t) => t === "" || tooLong(t))) throw badTopic();
  return topics;
}

function tooLong(topic: string): boolean {
  return topic.length > TOPIC_MAX || (topic.length > TOPIC_MAX / 3 && new TextEncoder().encode(topic).length > TOPIC_MAX);
}

/** Names with wildcards are left out silently, as long as one is left (EMQ X 3.1). @throws AdminError 115 */
function publishTopics(params: PubSubParams): string[] {
  const names: string[] = [];
  for (const topic of topicList(params)) {
    if (validTopicName(topic)) names.push(topic);
    else if (!hasWildcard(topic) || !validTopicFilter(topic)) throw badTopic();
  }
  if (names.length === 0) throw badTopic();
  return names;
}

/** Text as it is; numbers, flags, arrays and objects as their JSON. @throws AdminError 108 */
function payloadBytes(value: unknown, encoding: unknown): Uint8Array {
  if (encoding !== undefined && encoding !== "plain" && encoding !== "base64") {
    throw notOneOf("encoding", ["plain", "base64"]);
  }
  if (value === undefined) return new Uint8Array(0);
  if (value === null) throw badValue("payload", "a string");
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return encoding === "base64" ? fromBase64(text, "payload") : new TextEncoder().encode(text);
}

/** Retained messages sent at the begin of an event stream. */
const RETAINED_MAX = 1000;

export function createPubSub({ broker, plugins }: AdminDeps) {
  const keeping = createKeeping(broker);

  function checkFilters(filters: string[]): void {
    if (filters.some((f) => parseSharedFilter(f) === null)) throw badTopic();
  }

  const sessionOf = (params: PubSubParams) => {
    const session = typeof params.client_id === "string" ? broker.sessions.get(params.client_id) : undefined;
    if (!session) throw offline("session_not_found");
    return session;
  };

  /** Returns the number of receivers. @throws AdminError 102, 108, 115 */
  function publish(params: PubSubParams): number {
    const topics = publishTopics(params);
    const qos = readQos(params.qos);
    const payload = payloadBytes(params.payload, params.encoding);
    const properties = readProperties(params.properties);
    const now = broker.clock.now();
    const expiresAt = properties?.messageExpiry === undefined ? 0 : now + properties.messageExpiry * 1000;
    const from = typeof params.client_id === "string" ? params.client_id : "";
    for (const topic of topics) keeping.mayPublish(topic, qos, params.retain === true);
    let receivers = 0;
    for (const topic of topics) {
      receivers += broker.publish(new Message(topic, payload, qos, params.retain === true, from, null, now, expiresAt, properties));
    }
    broker.flush();
    return receivers;
  }

  /** @throws AdminError 108, 112, 115 */
  function subscribe(params: PubSubParams): void {
    const filters = topicList(params);
    checkFilters(filters);
    const qos = readQos(params.qos);
    const { clientId } = sessionOf(params);
    for (const filter of filters) broker.subscribe(clientId, filter, { qos, nl: false, rap: false, rh: 0, subId: 0 });
    broker.flush();
  }

  /** One topic, commas and all; a shared subscription is found by its bare filter too. @throws AdminError 112, 115 */
  function unsubscribe(params: PubSubParams): void {
    const { topic } = params;
    if (typeof topic !== "string" || parseSharedFilter(topic) === null) throw badTopic();
    const session = sessionOf(params);
    if (broker.unsubscribe(session.clientId, topic) === false) {
      const shared = [...session.subscriptions()].filter((s) => s.group !== null && s.filter === session.mountpoint + topic);
      for (const { group } of shared)
        broker.unsubscribe(session.clientId, group === "$queue" ? `$queue/${topic}` : `$share/${group}/${topic}`);
    }
    broker.flush();
  }

  function batch(items: readonly PubSubParams[], command: (params: PubSubParams) => unknown): BatchResult[] {
    return items.map((item) => {
      const about = {
        ...(typeof item.client_id === "string" && { client_id: item.client_id }),
        ...(typeof item.topic === "string" && { topic: item.topic }),
      };
      try {
        command(item);
        return { code: 0, ...about };
      } catch (err) {
        if (err instanceof AdminError) return { code: err.code, message: err.message, ...about };
        throw err;
      }
    });
  }

  return {
    publish,
    subscribe,
    unsubscribe,
    publishBatch: (items: readonly PubSubParams[]) => batch(items, publish),
    subscribeBatch: (items: readonly PubSubParams[]) => batch(items, subscribe),
    unsubscribeBatch: (items: readonly PubSubParams[]) => batch(items, unsubscribe),

    /**
     * Messages as they come, until the returned function is called. `topics` as in subscribe.
     * @throws AdminError 108, 115
     */
    listen(
      params: PubSubParams,
      encoding: WantedEncoding,
      onMessage: (m: LiveMessage) => void,
    ): { topics: string[]; qos: QoS; stop: () => void } {
      const topics = topicList(params);
      checkFilters(topics);
      const qos = readQos(params.qos);
      const show = (m: Message): void => {
        const properties = showProperties(m.properties);
        const { payload, encoding: used } = encodePayload(m.payload, encoding);
        const shown: LiveMessage = { topic: m.topic, payload, encoding: used, qos: m.qos, retain: m.retain, ts: m.timestamp, from: m.from };
        onMessage(properties ? { ...shown, properties } : shown);
      };
      const client = broker.attach(`$api/${broker.random.hex(8)}`, show);
      const retained = plugins.service("emqx_retainer");
      for (const topic of topics) {
        client.subscribe(topic, { qos, nl: false, rap: true, rh: 0, subId: 0 });
        // Shared subscriptions get no retained messages [MQTT-4.8.2-7].
        const stored =
          parseSharedFilter(topic)?.group === null ? retained?.list({ page: 1, limit: RETAINED_MAX, filter: topic }) : undefined;
        for (const m of stored?.rows ?? []) show(m);
      }
      broker.flush();
      return { topics, qos, stop: () => client.close() };
    },
  };
}
