/** Hangs on the hooks that somebody needs, and on no others, and notes what happens: rules look at it later, behind the broker's output. */
import type { HookPoint } from "../../core/hooks.ts";
import type { Lineage, Message } from "../../core/message.ts";
import { SYS } from "../../core/route.ts";
import type { ClientInfo } from "../../core/types.ts";
import type { PresentAlarm } from "../../core/watch/alarms.ts";
import type { HookOptions, PluginBroker, PluginContext } from "../plugin.ts";
import { type EventColumns, type Noted, readsClient, shownFilters, shownOptions } from "./columns.ts";
import { DROPPED_ANYHOW, EVENTS, type EventName, type EventRow, eventOf, PUBLISH, type Sources } from "./events.ts";
import { Matching } from "./matching.ts";
import type { Value } from "./sql/index.ts";

/** Behind all others: what they have made of a message is what rules see. */
const PRIORITY = -1000;
/** Of an event that is no message, bytes, beside its texts; and of each topic filter in it, beside its own. */
const EVENT_BYTES = 400;
const FILTER_BYTES = 150;

/** Without those that another hook took out: their places are empty. */
function leftOf(filters: readonly string[]): Readonly<Record<string, Value>> {
  const left = filters.filter((f) => f !== undefined);
  return { topic_filters: left, topic: left[0] };
}

/** Somebody who looks at events. */
export interface Consumer {
  /** Whose turn comes first; each has its own. */
  readonly order: number;
  readonly sources: Sources;
  /** Columns it reads; null = all. */
  readonly reads: ReadonlySet<string> | null;
  /** True = it has more to do with this event, and is called again for it, maybe in a later turn. Never throws. */
  look(columns: EventColumns): boolean;
}

export interface WatchingPorts {
  readonly broker: PluginBroker;
  readonly clock: PluginContext["clock"];
  readonly hook: PluginContext["hook"];
  /** $SYS messages are nobody's business. */
  ignoresSys(): boolean;
  /** How many rules have published in a row to make what happens, with this message where it is one. null = none has. */
  lineageOf(message: Message | null): Lineage | null;
  add(noted: Noted, consumers: readonly Consumer[]): void;
}

/** Who looks at an event: put in order when somebody asks, not at each of many changes. */
class Lookers {
  readonly #all = new Set<Consumer>();
  #inOrder: readonly Consumer[] | null = null;

  get empty(): boolean {
    return this.#all.size === 0;
  }

  /** What was given out once does not change. */
  get inOrder(): readonly Consumer[] {
    this.#inOrder ??= [...this.#all].sort((a, b) => a.order - b.order);
    return this.#inOrder;
  }

  add(consumer: Consumer): void {
    this.#all.add(consumer);
    this.#inOrder = null;
  }

  remove(consumer: Consumer): void {
    this.#all.delete(consumer);
    this.#inOrder = null;
  }
}

/** Texts of an event, and its topic filters: one packet may have thousands of them. */
function moreBytes(more: Readonly<Record<string, Value>>): number {
  let bytes = 0;
  for (const name in more) {
    const value = more[name];
    if (typeof value === "string") bytes += value.length;
    else if (Array.isArray(value))
      for (const f of value) bytes += FILTER_BYTES + (typeof f === "string" ? f : String((f as { topic?: Value } | null)?.topic)).length;
  }
  return bytes;
}

export class Watching {
  readonly #matching = new Matching<Consumer>();
  /** Who looks at events other than message.publish. */
  readonly #lookers = new Map<EventRow, Lookers>();
  readonly #unhook = new Map<HookPoint, () => void>();
  /** Somebody reads of a published message what only its publisher's connection knows. */
  #readers = 0;
  #publishChanged = false;

  constructor(private readonly ports: WatchingPorts) {}

  /** Call `settle` behind the last of several changes. */
  add(consumer: Consumer): void {
    this.#change(consumer, 1);
  }

  remove(consumer: Consumer): void {
    this.#change(consumer, -1);
  }

  #change(consumer: Consumer, by: 1 | -1): void {
    const { events, filters } = consumer.sources;
    for (const event of events) {
      if (event === PUBLISH) {
        if (by > 0) this.#matching.add(consumer, filters);
        else this.#matching.remove(consumer, filters);
        if (readsClient(consumer.reads)) this.#readers += by;
        this.#publishChanged = true;
        continue;
      }
      const lookers = this.#lookers.get(event) ?? new Lookers();
      if (by > 0) lookers.add(consumer);
      else lookers.remove(consumer);
      if (lookers.empty) this.#lookers.delete(event);
      else this.#lookers.set(event, lookers);
    }
  }

  /** Hooks as they are needed now. */
  settle(): void {
    // The broker remembers for each topic what the hook has said of it: whoever changes its mind hooks anew.
    if (this.#publishChanged || (this.#matching.empty && this.#unhook.has("message.publish"))) this.#hookPublish();
    this.#publishChanged = false;
    const needed = new Set([...this.#lookers.keys()].map((event) => event.hook));
    for (const { hook } of EVENTS) {
      if (hook === "message.publish") continue;
      if (!needed.has(hook)) this.#unhookPoint(hook);
      else if (!this.#unhook.has(hook)) this.#unhook.set(hook, this.#hookEvent(hook));
    }
  }

  close(): void {
    for (const point of [...this.#unhook.keys()]) this.#unhookPoint(point);
  }

  #unhookPoint(point: HookPoint): void {
    this.#unhook.get(point)?.();
    this.#unhook.delete(point);
  }

  #hookPublish(): void {
    this.#unhookPoint("message.publish");
    if (this.#matching.empty) return;
    const options: HookOptions = {
      priority: PRIORITY,
      topic: (topic) => this.#matching.of(topic).length > 0,
      sys: !this.ports.ignoresSys(),
    };
    const off = this.ports.hook("message.publish", (m) => this.#published(m), options);
    this.#unhook.set("message.publish", off);
  }

  #published(m: Message): Message {
    const consumers = this.#matching.of(m.topic);
    if (consumers.length > 0) {
      const client = this.#readers > 0 ? this.ports.broker.client(m.from) : undefined;
      this.#note(PUBLISH, consumers, m, client ?? null, m.from, null);
    }
    return m;
  }

  #note(
    event: EventRow,
    consumers: readonly Consumer[],
    message: Message | null,
    client: ClientInfo | null,
    clientId: string,
    more: Readonly<Record<string, Value>> | null,
  ): void {
    // A chunk of input is used again.
    if (message !== null && !message.owned) message.detach();
    this.ports.add(
      {
        event,
        message,
        client,
        clientId,
        at: event === PUBLISH ? (message as Message).timestamp : this.ports.clock.now(),
        lineage: this.ports.lineageOf(message),
        more,
        bytes:
          (message === null ? EVENT_BYTES : message.size + (message.username?.length ?? 0)) +
          clientId.length +
          (client?.username?.length ?? 0) +
          (more === null ? 0 : moreBytes(more)),
      },
      consumers,
    );
  }

  /** Of a message in somebody's hands. */
  #handled(what: EventName | EventRow, m: Message, clientId: string, more?: Readonly<Record<string, Value>>): void {
    const event = typeof what === "string" ? (eventOf(what) as EventRow) : what;
    const consumers = this.#lookers.get(event)?.inOrder;
    if (consumers === undefined || (m.topic.startsWith(SYS) && this.ports.ignoresSys())) return;
    this.#note(event, consumers, m, this.ports.broker.client(clientId) ?? null, clientId, more ?? null);
  }

  #happened(name: EventName, who: ClientInfo | string, more?: Readonly<Record<string, Value>>): void {
    const event = eventOf(name) as EventRow;
    const consumers = this.#lookers.get(event)?.inOrder;
    if (consumers === undefined) return;
    const client = typeof who === "string" ? this.ports.broker.client(who) : who;
    const clientId = typeof who === "string" ? who : who.clientId;
    this.#note(event, consumers, null, client ?? null, clientId, more ?? null);
  }

  /** Nobody's: as EMQX 5 shows it. */
  #alarmed(name: EventName, { id, desc, raisedAt }: PresentAlarm, more: Readonly<Record<string, Value>> = {}): void {
    const event = eventOf(name) as EventRow;
    const consumers = this.#lookers.get(event)?.inOrder;
    if (consumers === undefined) return;
    const isText = typeof desc === "string";
    const details = isText ? {} : { severity: desc.severity, title: desc.title, summary: desc.summary };
    const message = isText ? desc : `${desc.title}: ${desc.summary}`;
    this.#note(event, consumers, null, null, "", { name: id, details, message, activated_at: raisedAt, ...more });
  }

  #hookEvent(point: HookPoint): () => void {
    const options: HookOptions = { priority: PRIORITY };
    const { hook, clock } = this.ports;
    switch (point) {
      case "message.delivered":
        return hook(point, (clientId, m) => this.#handled("message.deliver", m, clientId), options);
      case "message.acked":
        return hook(point, (clientId, m) => this.#handled("message.acked", m, clientId), options);
      case "message.dropped":
        // Somebody's queue, or nobody at all. A publisher's id comes with messages to a shared subscription's name, which nobody can have.
        return hook(
          point,
          (m, reason, clientId) => {
            this.#handled(DROPPED_ANYHOW, m, m.from, { reason });
            if (clientId === null || reason === "shared_topic") this.#handled("message.dropped", m, m.from, { reason });
            else this.#handled("delivery.dropped", m, clientId, { reason });
          },
          options,
        );
      case "client.connected":
        return hook(point, (c, connack) => this.#happened(point, c, { connack, connected_at: clock.now() }), options);
      case "client.disconnected":
        return hook(point, (c, reason) => this.#happened(point, c, { reason_code: reason, reason, disconnected_at: clock.now() }), options);
      case "client.subscribe":
        return hook(point, (c, topics) => this.#happened(point, c, shownFilters(topics)), options);
      case "client.unsubscribe":
        return hook(point, (c, filters) => this.#happened(point, c, leftOf(filters)), options);
      case "session.created":
      case "session.resumed":
        return hook(point, (clientId) => this.#happened(point, clientId), options);
      case "session.subscribed":
        return hook(
          point,
          (clientId, topic, o, isNew) => this.#happened(point, clientId, { topic, ...shownOptions(o), is_new: isNew }),
          options,
        );
      case "session.unsubscribed":
        return hook(point, (clientId, topic) => this.#happened(point, clientId, { topic }), options);
      case "session.terminated":
        return hook(point, (clientId, reason) => this.#happened(point, clientId, { reason }), options);
      case "alarm.activated":
        return hook(point, (alarm) => this.#alarmed(point, alarm), options);
      case "alarm.deactivated":
        return hook(point, (alarm) => this.#alarmed(point, alarm, { deactivated_at: alarm.clearedAt }), options);
      default:
        return () => {};
    }
  }
}
