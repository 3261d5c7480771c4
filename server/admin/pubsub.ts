/** Publish, and subscribe or unsubscribe on behalf of a session. */
import { Message } from "../core/message.ts";
import type { VirtualClient } from "../core/virtual_client.ts";
import { wordsOf } from "../lib/errors.ts";
import { RC } from "../mqtt/reason_codes.ts";
import { hasWildcard, parseSharedFilter, validTopicFilter, validTopicName } from "../mqtt/topic.ts";
import type { QoS } from "../mqtt/types.ts";
import { wellFormedUtf8 } from "../mqtt/utf8.ts";
import type { RetainerService } from "../plugins/services.ts";
import { CODE } from "./codes.ts";
import { type AdminDeps, AdminError } from "./deps.ts";
import type { BatchResult, LiveMessage, MessageProperties } from "./extra_rows.ts";
import { createKeeping } from "./keeping.ts";
import { encodePayload, fromBase64, readProperties, showProperties, type WantedEncoding } from "./payload.ts";
import { badTopic, badValue, notOneOf, offline, tooMany } from "./refusals.ts";
import { restBetween, Slices } from "./slices.ts";

/** Longest topic the API takes, in bytes (EMQ X 3.1). */
const TOPIC_MAX = 4096;
/** Longest name of a sender, as `mqtt.max_clientid_len` is shipped. */
const CLIENT_ID_MAX = 1024;
/** Topics one request may name, and elements a batch may have. */
export const TOPICS_MAX = 10_000;

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

const namedBy = (params: PubSubParams): "topic" | "topics" => (params.topic === undefined ? "topics" : "topic");

/** How many topics a list names, without making it: counted no further than just above the limit. */
function countTopics(text: unknown): number {
  if (typeof text !== "string") return 1;
  let n = 1;
  for (let at = text.indexOf(","); at >= 0 && n <= TOPICS_MAX; at = text.indexOf(",", at + 1)) n++;
  return n;
}

/** `topic` (or else `topics`), a comma-separated list. @throws AdminError 108 when it is too long, 115 */
function topicList(params: PubSubParams): string[] {
  const name = namedBy(params);
  const text = params[name];
  if (typeof text !== "string") throw badTopic();
  if (countTopics(text) > TOPICS_MAX) throw tooMany(name, TOPICS_MAX, "topics");
  const topics = text.split(",");
  if (topics.some((t) => t === "" || tooLong(t))) throw badTopic();
  return topics;
}

/** Each once, however often it is named. @throws AdminError 108, 115 */
function filterList(params: PubSubParams): string[] {
  const filters = [...new Set(topicList(params))];
  if (filters.some((f) => parseSharedFilter(f) === null)) throw badTopic();
  return filters;
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

/** Of `n` messages with so many topics: delivered, but the retainer had no memory for them. */
const notRetained = (some: number, n: number): string =>
  `memory: ${n === 1 ? "delivered, but" : `delivered, but ${some} of ${n} were`} not retained: the node has no memory to spare`;

/** Of `n` messages with so many topics: not taken, by the plugin for delayed messages. */
const notDelayed = (some: number, n: number): string =>
  `delayed: ${n === 1 ? "" : `${some} of ${n} were `}not taken: no more delayed messages can be kept now`;

/** As it says of a topic that is none of its own. */
const misnamed = (some: number, n: number): string =>
  `delayed: ${n === 1 ? "" : `${some} of ${n} were `}not taken: expected $delayed/<seconds>/<topic>, at most 49 days ahead`;

/** A batch goes on after a refusal. @throws whatever else it is */
function refuse(result: BatchResult, err: unknown): void {
  if (!(err instanceof AdminError)) throw err;
  const { code, message } = err;
  Object.assign(result, { code, message });
}

export interface StreamEvents {
  /** To all of `topics`. */
  subscribed(topics: readonly string[], qos: QoS): void;
  message(m: LiveMessage): void;
}

/** Somebody who hears of messages. */
interface Hearing {
  isOver: boolean;
  readonly subscribed: StreamEvents["subscribed"];
  readonly show: (m: Message) => void;
}

/** Retained messages sent at the begin of an event stream, those of all its filters together. */
const RETAINED_MAX = 1000;

export function createPubSub({ broker, plugins, log }: AdminDeps) {
  const keeping = createKeeping(broker);

  const sessionOf = (params: PubSubParams) => {
    const session = typeof params.client_id === "string" ? broker.sessions.get(params.client_id) : undefined;
    if (!session) throw offline("session_not_found");
    return session;
  };

  const working = (): Slices => new Slices(() => broker.clock.mono());

  /** Returns the number of receivers, and whether somebody had to keep it. @throws AdminError 102, 108, 115 */
  async function send(params: PubSubParams, slices: Slices): Promise<{ receivers: number; kept: boolean }> {
    const topics = publishTopics(params);
    const qos = readQos(params.qos);
    const payload = payloadBytes(params.payload, params.encoding);
    const properties = readProperties(params.properties);
    if (properties?.payloadFormat === 1 && !wellFormedUtf8(payload, 0, payload.length))
      throw badValue("properties.payload_format", "0, as the payload is not UTF-8");
    const now = broker.clock.now();
    const expiresAt = properties?.messageExpiry === undefined ? 0 : now + properties.messageExpiry * 1000;
    const from = typeof params.client_id === "string" ? params.client_id : "";
    // It is kept with each message.
    if (from.length > CLIENT_ID_MAX) throw badValue("client_id", `of ${CLIENT_ID_MAX} characters at most`);
    const retain = params.retain === true;
    let kept = false;
    for (const topic of topics) {
      if (keeping.mayPublish(topic, qos, retain)) kept = true;
      if (slices.over()) await restBetween(broker, slices);
    }
    let receivers = 0;
    let forgotten = 0;
    let untaken = 0;
    let odd = 0;
    for (const topic of topics) {
      const message = new Message(topic, payload, qos, retain, from, null, now, expiresAt, properties);
      receivers += broker.publish(message);
      if (message.refusedWith > 0) {
        if (message.refusedWith === RC.TOPIC_NAME_INVALID) odd++;
        else if (topic.startsWith("$delayed/")) untaken++;
        else forgotten++;
      }
      if (slices.over()) await restBetween(broker, slices);
    }
    broker.flush();
    if (odd > 0) throw new AdminError(CODE.BAD_TOPIC, misnamed(odd, topics.length));
    if (untaken > 0) throw new AdminError(CODE.UNKNOWN, notDelayed(untaken, topics.length));
    if (forgotten > 0) throw new AdminError(CODE.UNKNOWN, notRetained(forgotten, topics.length));
    return { receivers, kept };
  }

  /** Returns whether it has to be kept. @throws AdminError 102, 108, 112, 115 */
  async function subscribeTo(params: PubSubParams, slices: Slices): Promise<boolean> {
    const filters = filterList(params);
    const qos = readQos(params.qos);
    const session = sessionOf(params);
    const kept = session.storeKey !== 0;
    if (kept) keeping.mayChange();
    for (const filter of filters) {
      broker.subscribe(session.clientId, filter, { qos, nl: false, rap: false, rh: 0, subId: 0 });
      if (slices.over()) await restBetween(broker, slices);
    }
    broker.flush();
    return kept;
  }

  /** One topic, commas and all; a shared subscription is found by its bare filter too. As `subscribeTo`. @throws AdminError 112, 115 */
  function unsubscribeFrom(params: PubSubParams): boolean {
    const { topic } = params;
    if (typeof topic !== "string" || parseSharedFilter(topic) === null) throw badTopic();
    const session = sessionOf(params);
    if (broker.unsubscribe(session.clientId, topic) === false) {
      const filter = session.mountpoint + topic;
      const groups: string[] = [];
      for (const s of session.subscriptions()) if (s.group !== null && s.filter === filter) groups.push(s.group);
      for (const group of groups) broker.unsubscribe(session.clientId, group === "$queue" ? `$queue/${topic}` : `$share/${group}/${topic}`);
    }
    broker.flush();
    return session.storeKey !== 0;
  }

  /** Each element has its own answer; what has to be kept is committed once behind all of them. @throws AdminError 108 */
  async function batch(
    items: readonly PubSubParams[],
    command: (params: PubSubParams, slices: Slices) => boolean | Promise<boolean>,
    commit: () => void,
  ): Promise<BatchResult[]> {
    if (items.length > TOPICS_MAX) throw new AdminError(CODE.BAD_PARAMETER, `a batch has no more than ${TOPICS_MAX} elements`);
    const slices = working();
    const results: BatchResult[] = [];
    const kept: BatchResult[] = [];
    for (const item of items) {
      const result: BatchResult = {
        code: 0,
        ...(typeof item.client_id === "string" && { client_id: item.client_id }),
        ...(typeof item.topic === "string" && { topic: item.topic }),
      };
      results.push(result);
      try {
        if (await command(item, slices)) kept.push(result);
      } catch (err) {
        refuse(result, err);
      }
      if (slices.over()) await restBetween(broker, slices);
    }
    if (kept.length === 0) return results;
    try {
      commit();
    } catch (err) {
      for (const result of kept) refuse(result, err);
    }
    return results;
  }

  /** @throws AdminError 108 when the elements name too many topics together */
  function listed(items: readonly PubSubParams[]): readonly PubSubParams[] {
    let topics = 0;
    for (const item of items) topics += countTopics(item[namedBy(item)]);
    if (items.length <= TOPICS_MAX && topics > TOPICS_MAX)
      throw new AdminError(CODE.BAD_PARAMETER, `a batch names no more than ${TOPICS_MAX} topics in all its elements`);
    return items;
  }

  /** Subscribes to all of them, tells `to` when that is done, and shows what was retained before. */
  async function hear(to: Hearing, client: VirtualClient, filters: readonly string[], qos: QoS): Promise<void> {
    const retained = plugins.service("emqx_retainer");
    const slices = working();
    const last: number[] = [];
    for (const filter of filters) {
      client.subscribe(filter, { qos, nl: false, rap: true, rh: 0, subId: 0 });
      // What is stored from now on comes to it live.
      last.push(retained?.seq ?? 0);
      if (slices.over()) await restBetween(broker, slices);
      if (to.isOver) return;
    }
    broker.flush();
    to.subscribed(filters, qos);
    if (retained) await showRetained(to, retained, filters, last, slices);
  }

  /** `last`: `seq` of the retained message that is shown last of each filter. */
  async function showRetained(
    to: Hearing,
    retained: RetainerService,
    filters: readonly string[],
    last: readonly number[],
    slices: Slices,
  ): Promise<void> {
    let left = RETAINED_MAX;
    for (const [i, filter] of filters.entries()) {
      // Shared subscriptions get no retained messages [MQTT-4.8.2-7].
      const selected = parseSharedFilter(filter)?.group === null ? retained.messages(filter, last[i] as number) : [];
      for (const m of selected) {
        if (m !== null) {
          to.show(m);
          if (--left === 0) return;
        }
        if (slices.over()) await slices.rest();
        if (to.isOver) return;
      }
      // Looking it up takes its time, though nothing is found.
      if (slices.over()) await slices.rest();
      if (to.isOver) return;
    }
  }

  return {
    /** Returns the number of receivers. @throws AdminError 102, 108, 115 */
    async publish(params: PubSubParams): Promise<number> {
      const { receivers, kept } = await send(params, working());
      if (kept) keeping.published();
      return receivers;
    },
    /** @throws AdminError 102, 108, 112, 115 */
    async subscribe(params: PubSubParams): Promise<void> {
      if (await subscribeTo(params, working())) keeping.changed();
    },
    /** @throws AdminError 102, 112, 115 */
    unsubscribe(params: PubSubParams): void {
      if (unsubscribeFrom(params)) keeping.changed();
    },
    publishBatch: async (items: readonly PubSubParams[]): Promise<BatchResult[]> =>
      batch(listed(items), async (item, slices) => (await send(item, slices)).kept, keeping.published),
    subscribeBatch: async (items: readonly PubSubParams[]): Promise<BatchResult[]> => batch(listed(items), subscribeTo, keeping.changed),
    unsubscribeBatch: (items: readonly PubSubParams[]): Promise<BatchResult[]> => batch(items, unsubscribeFrom, keeping.changed),

    /**
     * Messages as they come, until the returned function is called; those retained before are sent a part at a time, which may go on for a
     * while. `topics` as in subscribe, each once; of many some may be heard before `subscribed` tells that all are.
     * @throws AdminError 108, 115
     */
    listen(params: PubSubParams, encoding: WantedEncoding, events: StreamEvents): () => void {
      const topics = filterList(params);
      const qos = readQos(params.qos);
      const to: Hearing = {
        isOver: false,
        subscribed: events.subscribed,
        show(m) {
          const properties = showProperties(m.properties);
          const { payload, encoding: used } = encodePayload(m.payload, encoding);
          const shown: LiveMessage = {
            topic: m.topic,
            payload,
            encoding: used,
            qos: m.qos,
            retain: m.retain,
            ts: m.timestamp,
            from: m.from,
          };
          events.message(properties ? { ...shown, properties } : shown);
        },
      };
      const client = broker.attach(`$api/${broker.random.hex(8)}`, to.show);
      hear(to, client, topics, qos).catch((err: unknown) => {
        log.error("the beginning of an event stream failed", { error: wordsOf(err) });
      });
      return () => {
        to.isOver = true;
        client.close();
      };
    },
  };
}
