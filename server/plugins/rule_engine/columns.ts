/** The columns of events: nothing is made of an event before a rule reads it. */

import type { SubscribeTopic } from "../../core/hooks.ts";
import type { Lineage, Message } from "../../core/message.ts";
import type { ClientInfo, SubscribeOptions } from "../../core/types.ts";
import type { PublishProperties } from "../../mqtt/types.ts";
import { wellFormedUtf8 } from "../../mqtt/utf8.ts";
import type { EventRow } from "./events.ts";
import { type Columns, Exhausted, parseJson, payCopied, payEntries, Refusal, RuleError, type Value } from "./sql/index.ts";

const { latin1Slice, utf8Slice } = Buffer.prototype;

/** What happened, kept until the rules look at it. */
export interface Noted {
  readonly event: EventRow;
  /** Of message events. Its payload lies in no input buffer. */
  readonly message: Message | null;
  /** Who published, connected, subscribed, or received: whose event it is. null = not known, or not asked for. */
  readonly client: ClientInfo | null;
  readonly clientId: string;
  /** Unix ms. */
  readonly at: number;
  /** How many rules have published in a row to make this event. null = none has; whoever asks fills it in. */
  lineage: Lineage | null;
  /** Columns that only this kind of event has. */
  readonly more: Readonly<Record<string, Value>> | null;
  readonly bytes: number;
}

/** Text where the bytes are UTF-8, else the bytes. */
function payloadOf(m: Message): string | Uint8Array {
  const { buf, payloadStart: start, payloadEnd: end } = m;
  let i = start;
  while (i < end && (buf[i] as number) < 0x80) i++;
  if (i === end) return latin1Slice.call(buf, start, end);
  return wellFormedUtf8(buf, i, end) ? utf8Slice.call(buf, start, end) : m.payload;
}

/** Digits of an id: 64 bits of time in microseconds, 32 of the process, 32 counted, as hexadecimal digits (EMQ X: 128 bits, sorted by time). */
const ids = new WeakMap<Message, string>();
const PROCESS = Math.floor(Math.random() * 0x1_0000_0000)
  .toString(16)
  .padStart(8, "0");
let counted = 0;

/** One message has one id, whichever events tell of it. */
function idOf(m: Message): string {
  const known = ids.get(m);
  if (known !== undefined) return known;
  counted = (counted + 1) >>> 0;
  const id = `${(m.timestamp * 1000).toString(16).padStart(16, "0")}${PROCESS}${counted.toString(16).padStart(8, "0")}`.toUpperCase();
  ids.set(m, id);
  return id;
}

/** How much more a pair of a user property costs to make than the copy of an element, about. */
const PAIR_ELEMENTS = 20;

/** MQTT 5 properties by their names in EMQX 4 and 5; paid for. `user`: the user properties by their names. */
function shownProperties(p: PublishProperties | null, user: Value): { [key: string]: Value } {
  const out: { [key: string]: Value } = {};
  if (p === null) return out;
  if (p.payloadFormat !== undefined) out["Payload-Format-Indicator"] = p.payloadFormat;
  if (p.messageExpiry !== undefined) out["Message-Expiry-Interval"] = p.messageExpiry;
  if (p.contentType !== undefined) out["Content-Type"] = p.contentType;
  if (p.responseTopic !== undefined) out["Response-Topic"] = p.responseTopic;
  if (p.correlationData !== undefined) out["Correlation-Data"] = new Uint8Array(p.correlationData);
  if (p.userProperties !== undefined) {
    payCopied(p.userProperties.length * PAIR_ELEMENTS);
    out["User-Property"] = user;
    out["User-Property-Pairs"] = p.userProperties.map(([key, value]) => ({ key, value }));
  }
  return out;
}

/** By their names, of those with one name the last; paid for: one packet may have a hundred thousand. */
function userProperties({ properties }: Message): Value {
  const pairs = properties?.userProperties;
  if (pairs === undefined) return undefined;
  payEntries(pairs.length);
  return Object.fromEntries(pairs);
}

/** Of anything that happened. One object serves one event after the other: whoever looks at it keeps nothing of it but values. */
export class EventColumns implements Columns {
  now = 0;
  #noted: Noted | null = null;
  #payload: string | Uint8Array | null = null;
  #parsed: Value;
  /** 0 = not tried, 1 = parsed, 2 = it cannot be: why. */
  #state = 0;
  #fault: RuleError | null = null;
  /** Columns that take time to make: whoever reads one first pays for it. */
  #made: Map<string, Value> | null = null;

  constructor(
    private readonly node: string,
    /** For whoever reads what nobody had noted. */
    private readonly clientOf: (clientId: string) => ClientInfo | undefined,
  ) {}

  of(noted: Noted | null): this {
    this.#noted = noted;
    this.#payload = null;
    this.#parsed = undefined;
    this.#state = 0;
    this.#made = null;
    return this;
  }

  /** Of the same event, for good. */
  kept(): EventColumns {
    const copy = new EventColumns(this.node, this.clientOf).of(this.noted);
    this.#made ??= new Map();
    copy.#made = this.#made;
    return copy;
  }

  /** The event that is looked at. Only between two `of`. */
  get noted(): Noted {
    return this.#noted as Noted;
  }

  names(): readonly string[] {
    return this.noted.event.columns;
  }

  json(): Value {
    if (this.#state === 2) throw this.#fault;
    if (this.#state === 1) return this.#parsed;
    try {
      this.#parsed = jsonOf(this.get("payload"));
      this.#state = 1;
    } catch (err) {
      // What one rule has left to spend says nothing of the payload: the next one reads it with a share of its own.
      if (err instanceof Exhausted) throw err;
      this.#fault = err as RuleError;
      this.#state = 2;
      throw err;
    }
    return this.#parsed;
  }

  /** Made for the first one who reads it, the same for all that follow: nobody changes it. */
  #once(name: string, make: () => Value): Value {
    this.#made ??= new Map();
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const value = make();
    this.#made.set(name, value);
    return value;
  }

  get(name: string): Value {
    const n = this.noted;
    const value = n.message === null ? undefined : this.#ofMessage(n, n.message, name);
    if (value !== undefined) return value;
    if (n.more !== null && Object.hasOwn(n.more, name)) return n.more[name];
    return this.#ofAny(n, name);
  }

  #ofMessage(n: Noted, m: Message, name: string): Value {
    switch (name) {
      case "payload":
        this.#payload ??= payloadOf(m);
        return this.#payload;
      case "topic":
        return m.topic;
      case "qos":
        return m.qos;
      case "retain":
        return m.retain;
      case "flags":
        return { retain: m.retain, dup: false };
      case "id":
        return idOf(m);
      case "publish_received_at":
        return m.timestamp;
      case "pub_props":
        return this.#once(name, () => shownProperties(m.properties, this.#ofMessage(n, m, "user_properties")));
      case "user_properties":
        return this.#once(name, () => userProperties(m));
      case "headers":
        return this.#once(name, () => ({
          username: m.username,
          peerhost: n.client?.ip,
          properties: this.#ofMessage(n, m, "pub_props"),
        }));
      case "from_clientid":
        return n.clientId === m.from ? undefined : m.from;
      case "from_username":
        return n.clientId === m.from ? undefined : m.username;
      default:
        return undefined;
    }
  }

  #ofAny(n: Noted, name: string): Value {
    switch (name) {
      case "client_id":
      case "clientid":
        return n.clientId;
      case "username":
        return n.client === null || n.message?.from === n.clientId
          ? (n.message?.username ?? n.client?.username ?? null)
          : n.client.username;
      case "event":
        return n.event.hook;
      case "timestamp":
        return n.at;
      case "node":
        return this.node;
      default:
        return this.#ofClient(n, name);
    }
  }

  #ofClient(n: Noted, name: string): Value {
    if (!OF_CLIENTS.has(name)) return undefined;
    const client = n.client ?? this.clientOf(n.clientId);
    return client === undefined ? undefined : ofClient(client, name);
  }
}

function ofClient(c: ClientInfo, name: string): Value {
  switch (name) {
    case "peername":
      return `${c.ip.includes(":") ? `[${c.ip}]` : c.ip}:${c.port}`;
    case "peerhost":
      return c.ip;
    case "clean_start":
      return c.cleanStart;
    case "is_bridge":
      return c.isBridge;
    case "keepalive":
      return c.keepalive;
    case "proto_ver":
      return c.version;
    case "proto_name":
      return c.protocolName;
    case "mountpoint":
      return c.mountpoint;
    case "zone":
      return c.zone.name;
    case "listener":
      return c.listener;
    default:
      return undefined;
  }
}

/** Columns that need to know who the client is, beside its id. */
const OF_CLIENTS: ReadonlySet<string> = new Set([
  ...[
    "peername",
    "peerhost",
    "clean_start",
    "is_bridge",
    "keepalive",
    "proto_ver",
    "proto_name",
    "mountpoint",
    "zone",
    "listener",
    "headers",
  ],
]);

/** Columns of messages that `*` leaves out. */
const OF_MESSAGES: ReadonlySet<string> = new Set(["user_properties", "headers"]);

/** Those that the event may have, also those that `*` leaves out. */
export const knownColumns = ({ columns }: EventRow): string[] => [
  ...columns,
  ...(columns.includes("payload") ? OF_MESSAGES : []),
  ...[...OF_CLIENTS].filter((name) => !OF_MESSAGES.has(name)),
];

export const hasColumn = (event: EventRow, name: string): boolean =>
  event.columns.includes(name) || (OF_MESSAGES.has(name) ? event.columns.includes("payload") : OF_CLIENTS.has(name));

/** Does a rule that reads these columns of a published message need its publisher? null = it reads all of them. */
export function readsClient(reads: ReadonlySet<string> | null): boolean {
  if (reads === null) return true;
  for (const name of reads) if (OF_CLIENTS.has(name)) return true;
  return false;
}

/** What subscribes is changed in place by other hooks. */
export function shownFilters(topics: readonly SubscribeTopic[]): Record<string, Value> {
  const rows = topics.map(({ filter, options }) => ({ topic: filter, ...shownOptions(options) }));
  return { topic_filters: rows, topic: rows[0]?.topic, qos: rows[0]?.qos };
}

export function shownOptions({ qos, nl, rap, rh }: SubscribeOptions): { qos: number; nl: number; rap: number; rh: number } {
  return { qos, nl: Number(nl), rap: Number(rap), rh };
}

const notJson = (): RuleError => new RuleError("the payload is no JSON");

/** @throws RuleError, Exhausted */
function jsonOf(payload: Value): Value {
  if (typeof payload !== "string") {
    // A sample may have the value itself.
    if (payload instanceof Uint8Array || payload === undefined || payload === null) throw notJson();
    return payload;
  }
  try {
    return parseJson(payload);
  } catch (err) {
    if (err instanceof Exhausted) throw err;
    throw err instanceof Refusal ? new RuleError(`the payload: ${err.message}`) : notJson();
  }
}

/** Columns that somebody gives, with those of the event's example for what is missing. */
export class SampleColumns implements Columns {
  readonly #values: ReadonlyMap<string, Value>;
  #parsed: { value: Value } | null = null;

  constructor(
    event: EventRow,
    given: Readonly<Record<string, Value>>,
    node: string,
    readonly now: number,
  ) {
    const common = {
      event: event.hook,
      timestamp: now,
      node,
      id: "00058EE4E5B9B1A8F4420000068A0000",
      publish_received_at: now,
      pub_props: {},
    };
    const times = { connected_at: now, disconnected_at: now };
    const all = { ...common, ...times, ...event.sample, ...twins(given) } as Record<string, Value>;
    this.#values = new Map(
      Object.entries(all).filter(([name]) => event.columns.includes(name) || Object.hasOwn(given, name) || name === "headers"),
    );
  }

  get(name: string): Value {
    return this.#values.get(name);
  }

  names(): readonly string[] {
    return [...this.#values.keys()];
  }

  json(): Value {
    this.#parsed ??= { value: jsonOf(this.get("payload")) };
    return this.#parsed.value;
  }
}

/** Who gives one of two names for the same column means both. */
function twins(given: Readonly<Record<string, Value>>): Record<string, Value> {
  const out = { ...given };
  const both = (a: string, b: string): void => {
    if (out[a] === undefined && out[b] !== undefined) out[a] = out[b];
    else if (out[b] === undefined && out[a] !== undefined) out[b] = out[a];
  };
  both("client_id", "clientid");
  if (typeof out.peername === "string" && out.peerhost === undefined) out.peerhost = out.peername.replace(/:\d+$/, "");
  return out;
}
