/**
 * What rules can look at: each event with its names (`for` of EMQ X 3.1, `$events/…` of EMQX 4 and 5), the hook it comes from, its columns,
 * and an example of it. What is not in this table is no event.
 */
import type { HookPoint } from "../../core/hooks.ts";
import { editDistance, nearest } from "../../lib/nearest.ts";
import { validTopicFilter } from "../../mqtt/topic.ts";

export type EventName =
  | "message.publish"
  | "message.deliver"
  | "message.acked"
  | "message.dropped"
  | "delivery.dropped"
  | "client.connected"
  | "client.disconnected"
  | "client.subscribe"
  | "client.unsubscribe"
  | "session.created"
  | "session.resumed"
  | "session.subscribed"
  | "session.unsubscribed"
  | "session.terminated"
  | "alarm.activated"
  | "alarm.deactivated";

export interface EventRow {
  /** As in `for`. */
  readonly name: EventName;
  /** Other words for it in `for`. */
  readonly also: readonly string[];
  /** In FROM, without "$events/". */
  readonly topic: string;
  /** In the column `event`: "client.connected". */
  readonly hook: HookPoint;
  readonly title: string;
  readonly description: string;
  /** In order of `SELECT *`. */
  readonly columns: readonly string[];
  /** Columns with values as they may come. */
  readonly sample: Readonly<Record<string, unknown>>;
}

const MESSAGE = ["client_id", "clientid", "username", "event", "id", "payload", "peername", "peerhost", "topic", "qos", "flags", "retain"];
const TIMES = ["timestamp", "publish_received_at", "pub_props", "node"];
const RECEIVER = ["from_clientid", "from_username"];
const CLIENT = ["client_id", "clientid", "username", "event", "mountpoint", "peername", "peerhost"];
const SESSION = ["client_id", "clientid", "username", "event", "peerhost"];
const END = ["timestamp", "node"];

const WHO = { client_id: "c_emqx", clientid: "c_emqx", username: "u_emqx", peername: "127.0.0.1:63412", peerhost: "127.0.0.1" };
const SENT = {
  ...WHO,
  topic: "t/a",
  qos: 1,
  payload: '{"msg": "hello", "temp": 31.5}',
  flags: { retain: false, dup: false },
  retain: false,
};
const GOT = { ...SENT, from_clientid: "c_sender", from_username: "u_sender" };
const ALARM = {
  name: "system_memory_high",
  details: { severity: "warning", title: "memory is short", summary: "81 % of it is used" },
  message: "memory is short: 81 % of it is used",
  activated_at: 1_736_512_728_666,
};
const TWO_FILTERS = [
  { topic: "t/a", qos: 0 },
  { topic: "t/b", qos: 1 },
];

export const EVENTS: readonly EventRow[] = [
  {
    name: "message.publish",
    also: [],
    topic: "message_publish",
    hook: "message.publish",
    title: "message publish",
    description: "A message was published",
    columns: [...MESSAGE, ...TIMES],
    sample: SENT,
  },
  {
    name: "message.deliver",
    also: ["message.delivered"],
    topic: "message_delivered",
    hook: "message.delivered",
    title: "message deliver",
    description: "A message is sent to a client",
    columns: [...MESSAGE, ...RECEIVER, ...TIMES],
    sample: GOT,
  },
  {
    name: "message.acked",
    also: [],
    topic: "message_acked",
    hook: "message.acked",
    title: "message acked",
    description: "A client has acknowledged a message of QoS 1 or 2",
    columns: [...MESSAGE, ...RECEIVER, ...TIMES],
    sample: GOT,
  },
  {
    name: "message.dropped",
    also: [],
    topic: "message_dropped",
    hook: "message.dropped",
    title: "message dropped",
    description: "A message was published that nobody subscribes to",
    columns: [...MESSAGE, "reason", ...TIMES],
    sample: { ...SENT, reason: "no_subscribers" },
  },
  {
    name: "delivery.dropped",
    also: [],
    topic: "delivery_dropped",
    hook: "message.dropped",
    title: "delivery dropped",
    description: "A message found no room in a client's queue, had expired, was too large for it, or was its own (no local)",
    columns: [...MESSAGE, ...RECEIVER, "reason", ...TIMES],
    sample: { ...GOT, reason: "queue_full" },
  },
  {
    name: "client.connected",
    also: [],
    topic: "client_connected",
    hook: "client.connected",
    title: "client connected",
    description: "A client has connected",
    columns: [...CLIENT, "connack", "connected_at", "clean_start", "is_bridge", "keepalive", "proto_name", "proto_ver", ...END],
    sample: { ...WHO, connack: 0, clean_start: true, is_bridge: false, keepalive: 60, proto_name: "MQTT", proto_ver: 4, mountpoint: "" },
  },
  {
    name: "client.disconnected",
    also: [],
    topic: "client_disconnected",
    hook: "client.disconnected",
    title: "client disconnected",
    description: "A client's connection has ended",
    columns: [...CLIENT, "reason_code", "reason", "disconnected_at", "proto_name", "proto_ver", ...END],
    sample: { ...WHO, reason_code: "normal", reason: "normal", proto_name: "MQTT", proto_ver: 4, mountpoint: "" },
  },
  {
    name: "client.subscribe",
    also: [],
    topic: "client_subscribe",
    hook: "client.subscribe",
    title: "client subscribe",
    description: "A client is about to subscribe",
    columns: [...CLIENT, "topic_filters", "topic", "qos", ...END],
    sample: { ...WHO, topic_filters: TWO_FILTERS, topic: "t/a", qos: 0 },
  },
  {
    name: "client.unsubscribe",
    also: [],
    topic: "client_unsubscribe",
    hook: "client.unsubscribe",
    title: "client unsubscribe",
    description: "A client is about to unsubscribe",
    columns: [...CLIENT, "topic_filters", "topic", ...END],
    sample: { ...WHO, topic_filters: ["t/a", "t/b"], topic: "t/a" },
  },
  {
    name: "session.created",
    also: [],
    topic: "session_created",
    hook: "session.created",
    title: "session created",
    description: "A client has a new session",
    columns: [...SESSION, ...END],
    sample: WHO,
  },
  {
    name: "session.resumed",
    also: [],
    topic: "session_resumed",
    hook: "session.resumed",
    title: "session resumed",
    description: "A client has come back to its session",
    columns: [...SESSION, ...END],
    sample: WHO,
  },
  {
    name: "session.subscribed",
    also: [],
    topic: "session_subscribed",
    hook: "session.subscribed",
    title: "session subscribed",
    description: "A client has subscribed",
    columns: [...SESSION, "topic", "qos", "nl", "rap", "rh", "is_new", ...END],
    sample: { ...WHO, topic: "t/a", qos: 1, nl: 0, rap: 0, rh: 0, is_new: true },
  },
  {
    name: "session.unsubscribed",
    // The event page of EMQ X 3.1's dashboard offers it by this word.
    also: ["session.unsubscribe"],
    topic: "session_unsubscribed",
    hook: "session.unsubscribed",
    title: "session unsubscribed",
    description: "A client has unsubscribed",
    columns: [...SESSION, "topic", ...END],
    sample: { ...WHO, topic: "t/a" },
  },
  {
    name: "session.terminated",
    also: [],
    topic: "session_terminated",
    hook: "session.terminated",
    title: "session terminated",
    description: "A client's session has ended",
    columns: [...SESSION, "reason", ...END],
    sample: { ...WHO, reason: "normal" },
  },
  {
    name: "alarm.activated",
    also: [],
    topic: "sys/alarm_activated",
    hook: "alarm.activated",
    title: "alarm activated",
    description: "An alarm was raised",
    columns: ["event", "name", "details", "message", "activated_at", ...END],
    sample: ALARM,
  },
  {
    name: "alarm.deactivated",
    also: [],
    topic: "sys/alarm_deactivated",
    hook: "alarm.deactivated",
    title: "alarm deactivated",
    description: "An alarm was cleared",
    columns: ["event", "name", "details", "message", "activated_at", "deactivated_at", ...END],
    sample: { ...ALARM, deactivated_at: 1_736_512_788_999 },
  },
];

const PREFIX = "$events/";
const BY_NAME = new Map(EVENTS.flatMap((e) => [e.name, ...e.also].map((name) => [name, e] as const)));
const BY_TOPIC = new Map(EVENTS.map((e) => [e.topic, e]));

export const PUBLISH = BY_NAME.get("message.publish") as EventRow;
const DROPPED = BY_NAME.get("message.dropped") as EventRow;
/**
 * The hook of EMQ X 3 by its name, in `for` or FROM: also what found no room with somebody, or was his own (no local), as its publisher's. (The
 * engine of 3.1 takes a session with it there; that of 3.2 does not.) `$events/message_dropped` of 4 and 5 is only what nobody subscribes to.
 */
export const DROPPED_ANYHOW: EventRow = { ...DROPPED };

const ofHook = (event: EventRow | undefined): EventRow | undefined => (event === DROPPED ? DROPPED_ANYHOW : event);
const isNamed = (events: readonly EventRow[], { name }: EventRow): boolean => events.some((event) => event.name === name);

/** By a word of `for`. */
export const eventOf = (name: string): EventRow | undefined => BY_NAME.get(name);

/** The classes of hooks that an action may be for (EMQ X 3.1): `?for=$messages` also lists what is for any. */
const CLASSES = ["$any", "$messages", "$events"] as const;
type HookClass = (typeof CLASSES)[number];

const isClass = (word: string): word is HookClass => (CLASSES as readonly string[]).includes(word);

const classOf = (event: EventRow): HookClass => (event === PUBLISH ? "$messages" : "$events");

/** Of an action, to a class or an event that somebody asks for. null = there is no such class or event. */
export function actionIsFor(action: HookClass, wanted: string): boolean | null {
  const event = eventOf(wanted);
  if (event === undefined && !isClass(wanted)) return null;
  if (action === "$any") return true;
  return action === wanted || (event !== undefined && classOf(event) === action);
}

export interface Sources {
  /** What the rule looks at; the first one is shown as `for`. */
  events: EventRow[];
  /** Topic filters, when message.publish is among them. */
  filters: string[];
}

/** What is wrong with FROM and `for`, in words. */
export class SourceError extends Error {
  /** `for` names this, and there is no such event (EMQ X 3.1 says so in words of its own); null = that is not the matter. */
  readonly hook: string | null;
  /** Which of FROM it is about, by position; "none" = that there is none; null = it is `for`. */
  readonly source: number | "none" | null;
  /** What was probably meant. */
  readonly hint: string | null;

  constructor(
    /** Without the hint. */
    readonly reason: string,
    { hook = null, source = null, hint = null }: { hook?: string | null; source?: number | "none" | null; hint?: string | null },
  ) {
    super(`${reason}${hint === null ? "" : ` (did you mean ${hint}?)`}`);
    this.hook = hook;
    this.source = source;
    this.hint = hint;
  }
}

/**
 * FROM and `for` together. 3.1 looks at FROM only for messages; 4 and 5 have `$events/…` there, 3.2 the hook's name, and no `for`. Where both
 * name an event they must agree. Whether a topic filter is one is the caller's to check.
 * @throws SourceError
 */
export function sourcesOf(from: readonly string[], wanted: string | null): Sources {
  const hook = wanted === null ? undefined : ofHook(eventOf(wanted));
  if (wanted !== null && hook === undefined)
    throw new SourceError(`there is no event ${wanted}`, { hook: wanted, hint: nearest(wanted, BY_NAME.keys()) });
  const events: EventRow[] = [];
  const filters: string[] = [];
  for (const [i, source] of from.entries()) {
    const event = inFrom(source, hook, i);
    if (event !== null) {
      if (!isNamed(events, event)) events.push(event);
      // 3.2: all messages.
      if (event === PUBLISH) filters.push("#");
    } else filters.push(source);
  }
  // A hook other than message.publish: 3.1 does not read topics in FROM then.
  if (hook !== undefined && hook !== PUBLISH && events.length === 0) return { events: [hook], filters: [] };
  if (filters.length > 0 && !events.includes(PUBLISH)) events.push(PUBLISH);
  if (events.length === 0) {
    if (hook === undefined)
      throw new SourceError('there is neither FROM "topic" nor `for`: nothing says what the rule looks at', { source: "none" });
    // 3.1: without FROM, every message.
    return { events: [hook], filters: hook === PUBLISH ? ["#"] : [] };
  }
  if (hook !== undefined) {
    if (!isNamed(events, hook)) {
      const names = events.map((e) => e.name).join(" and ");
      throw new SourceError(`\`for\` is ${hook.name}, but FROM names ${names}: leave one out`, { source: 0 });
    }
    events.sort((a, b) => Number(b.name === hook.name) - Number(a.name === hook.name));
  }
  return { events, filters };
}

/** FROM says itself what events it is about: a `for` that was stored for other SQL is none for this. */
export function namesEvent(from: readonly string[], wanted: string): boolean {
  return from.some((source) => source.startsWith(PREFIX) || (eventOf(wanted) !== PUBLISH && BY_NAME.has(source)));
}

/** null = a topic filter. @throws SourceError */
function inFrom(source: string, hook: EventRow | undefined, position: number): EventRow | null {
  if (source.startsWith(PREFIX)) {
    const event = BY_TOPIC.get(source.slice(PREFIX.length));
    if (event !== undefined) return event;
    const near = nearest(source.slice(PREFIX.length), BY_TOPIC.keys());
    throw new SourceError(`there is no ${source.slice(0, SHOWN)}`, { source: position, hint: near && PREFIX + near });
  }
  // With `for` = message.publish it is 3.1's, where FROM has topics and nothing else.
  return hook === PUBLISH ? null : (ofHook(BY_NAME.get(source)) ?? null);
}

/** Of a topic filter, characters. */
const SHOWN = 64;

/** Typing mistakes in a topic that is taken for an event's name. */
const MISTYPED = 2;

/** The event that a topic filter was probably to be, as FROM has it: nearly an event's name, or it begins as no topic of clients does. null = none. */
export function eventMeant(filter: string): string | null {
  if (filter.startsWith("$"))
    return nearest(
      filter,
      [...BY_TOPIC.keys()].map((topic) => PREFIX + topic),
    );
  // Topics of clients have dots as well, and levels, as no name has.
  if (!filter.includes(".") || filter.includes("/")) return null;
  const near = nearest(filter, BY_NAME.keys());
  return near !== null && (wordOf(near) === wordOf(filter) || editDistance(near, filter) <= MISTYPED) ? near : null;
}

const wordOf = (name: string): string => name.slice(0, name.indexOf("."));

/** Why what is none is no topic filter. `position`: in FROM. */
export function filterFault(filter: string, position: number): SourceError {
  const shown = `${JSON.stringify(filter.slice(0, SHOWN))} is no topic filter`;
  const levels = filter.split("/");
  if (levels.some((level) => level.includes("+") && level !== "+"))
    return new SourceError(`${shown}: + stands for a whole level, alone between two /`, { source: position });
  if (filter.includes("#"))
    return new SourceError(`${shown}: # stands for all levels at its end, + for one`, { source: position, hint: withPlus(filter) });
  const why = filter.length > LENGTH_MAX ? `it has more than ${LENGTH_MAX} characters` : "it has a character that no topic has";
  return new SourceError(`${shown}: ${why}`, { source: position });
}

/** Of MQTT, bytes: characters of which one takes more are not counted again. */
const LENGTH_MAX = 65_535;

/** `a/#/b` -> `a/+/b`, `a#` -> `a/#`; null = there is more that is wrong. */
function withPlus(filter: string): string | null {
  const levels = filter.replace(/([^/#])#$/, "$1/#").split("/");
  const meant = levels.map((level, i) => (level === "#" && i < levels.length - 1 ? "+" : level)).join("/");
  return validTopicFilter(meant) && meant.length <= SHOWN ? meant : null;
}
