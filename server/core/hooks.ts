/**
 * Hook points: where plugins hang on the core. A point with no handler costs one length check.
 * Notifications (`run`) go to every handler; a handler that throws is logged, counted and skipped.
 * Folds (`client.authenticate`, `client.check_acl`, `message.publish`) are run by their owners; there a throw denies.
 */

import { wordsOf } from "../lib/errors.ts";
import type { Message } from "./message.ts";
import type { Log } from "./ports.ts";
import { type Route, SYS } from "./route.ts";
import type { AclStep, AclVerdict, Action, AuthStep, ClientInfo, Credentials, SubscribeOptions } from "./types.ts";
import type { PastAlarm, PresentAlarm } from "./watch/alarms.ts";

export interface SubscribeTopic {
  filter: string;
  options: SubscribeOptions;
}

/** Every hook point with its handler's type. Names are those of EMQ X 3.1. */
export interface HookPoints {
  /** Fold. First non-null answer decides. May be asynchronous: then this connection alone waits. */
  "client.authenticate": (client: ClientInfo, credentials: Credentials) => AuthStep | Promise<AuthStep>;
  /** Fold. First non-null answer decides. `topic` is what the client named, without mountpoint. */
  "client.check_acl": (client: ClientInfo, action: Action, topic: string) => AclStep | Promise<AclStep>;
  "client.connected": (client: ClientInfo, connackCode: number) => void;
  "client.disconnected": (client: ClientInfo, reason: string) => void;
  /** May change filters and options in place, or remove entries, before the subscription is made. */
  "client.subscribe": (client: ClientInfo, topics: SubscribeTopic[]) => void;
  /** May change filters in place, or take one out by `delete`: its place stays, empty, for the answer has a code for each. */
  "client.unsubscribe": (client: ClientInfo, filters: string[]) => void;
  "session.created": (clientId: string) => void;
  "session.resumed": (clientId: string) => void;
  /** `isNew` = false when it replaced a subscription with the same filter (Retain Handling 1). */
  "session.subscribed": (clientId: string, filter: string, options: SubscribeOptions, isNew: boolean) => void;
  "session.unsubscribed": (clientId: string, filter: string) => void;
  "session.terminated": (clientId: string, reason: string) => void;
  /** Fold. Return the message (changed or not), or null to stop it silently. */
  "message.publish": (message: Message) => Message | null;
  "message.delivered": (clientId: string, message: Message) => void;
  "message.acked": (clientId: string, message: Message) => void;
  /** reason: "no_subscribers", "queue_full", "expired", "no_local", … */
  "message.dropped": (message: Message, reason: string, clientId: string | null) => void;
  /** EMQX 5. Not for one that is raised already and gets another description. */
  "alarm.activated": (alarm: PresentAlarm) => void;
  "alarm.deactivated": (alarm: PastAlarm) => void;
}
export type HookPoint = keyof HookPoints;

/**
 * Narrows or widens what a handler is asked. `message.publish`: `retained` = only messages with the retain flag, `prefix` = only
 * topics that begin so; `topic` = only those it says yes to (asked once for a topic that is repeated; who changes its mind hooks anew), none
 * below `$SYS/` without `sys`; all other messages stay on the fast path. `client.authenticate`: `anonymous` = also clients with neither
 * user name nor password (EMQ X 3.1 asked nobody about those); `secretName` = now the handler takes a user name for a secret, so that who shows
 * nothing else may be guessing. `client.check_acl`: `anyTopic` = what the handler says of a client whatever
 * the topic is; who publishes to many topics is then not asked about for each.
 */
export interface HookFilter {
  retained?: true;
  prefix?: string;
  topic?: (topic: string) => boolean;
  sys?: boolean;
  anonymous?: boolean;
  secretName?: () => boolean;
  anyTopic?: (client: ClientInfo, action: Action) => AnyTopic;
}

/** A verdict on every topic; "silent" = it has none on any; "depends" = on the topic. */
export type AnyTopic = AclVerdict | "silent" | "depends";

export interface HookHandler<P extends HookPoint> {
  readonly id: string;
  readonly priority: number;
  /** Among those of one priority the lower one goes first. */
  readonly place: number;
  readonly filter: HookFilter | null;
  readonly fn: HookPoints[P];
  failures: number;
}

const POINTS: readonly HookPoint[] = [
  "client.authenticate",
  "client.check_acl",
  "client.connected",
  "client.disconnected",
  "client.subscribe",
  "client.unsubscribe",
  "session.created",
  "session.resumed",
  "session.subscribed",
  "session.unsubscribed",
  "session.terminated",
  "message.publish",
  "message.delivered",
  "message.acked",
  "message.dropped",
  "alarm.activated",
  "alarm.deactivated",
];

const NARROWING = ["retained", "prefix", "topic", "anonymous", "secretName", "anyTopic"] as const;

export class Hooks {
  /** Handlers by point, highest priority first. The arrays live for ever: callers may keep them. */
  readonly at: { readonly [P in HookPoint]: HookHandler<P>[] };

  /** `message.publish` handlers without a filter: while there is one, every message takes the slow path. */
  unfilteredPublish = 0;
  /** Some `message.publish` handler waits for certain topics. */
  selective = false;
  /** Some of those may be under `$SYS/`. */
  selectsSys = false;
  /** What they wait for has changed so often. Never 0. */
  generation = 1;
  #places = 0;
  #prefixes: readonly string[] = [];
  #topics: readonly HookFilter[] = [];

  constructor(private readonly log: Log) {
    this.at = Object.fromEntries(POINTS.map((p) => [p, []])) as unknown as { [P in HookPoint]: HookHandler<P>[] };
  }

  /** A place behind all that were given: who keeps it comes back to it, on any point and however often it registers anew. */
  place(): number {
    return ++this.#places;
  }

  /** Register under an id (a plugin's name); the same id on the same point replaces. Returns the function that takes it back. */
  add<P extends HookPoint>(
    point: P,
    id: string,
    fn: HookPoints[P],
    priority = 0,
    filter: HookFilter | null = null,
    place = this.place(),
  ): () => void {
    const list = this.at[point] as HookHandler<P>[] | undefined;
    if (!list) throw new Error(`unknown hook point ${point}`);
    this.remove(point, id);
    // Plugins from files are not held to the types: `retained: false` narrows nothing.
    const narrows = filter !== null && NARROWING.some((name) => filter[name] !== undefined && filter[name] !== false);
    const handler: HookHandler<P> = { id, priority, place, filter: narrows ? filter : null, fn, failures: 0 };
    const i = list.findIndex((h) => h.priority < priority || (h.priority === priority && h.place > place));
    list.splice(i < 0 ? list.length : i, 0, handler);
    this.#summarize();
    return () => {
      const k = list.indexOf(handler);
      if (k >= 0) list.splice(k, 1);
      this.#summarize();
    };
  }

  remove(point: HookPoint, id: string): void {
    const list = this.at[point] as { id: string }[];
    const k = list.findIndex((h) => h.id === id);
    if (k >= 0) list.splice(k, 1);
    this.#summarize();
  }

  #summarize(): void {
    const list = this.at["message.publish"];
    this.unfilteredPublish = list.filter((h) => h.filter === null).length;
    this.#prefixes = list.flatMap((h) => (h.filter?.prefix === undefined ? [] : [h.filter.prefix]));
    this.#topics = list.flatMap((h) => (h.filter?.topic === undefined ? [] : [h.filter]));
    this.selective = this.#prefixes.length + this.#topics.length > 0;
    this.selectsSys = this.#prefixes.some((p) => p.startsWith(SYS) || SYS.startsWith(p)) || this.#topics.some((f) => f.sys === true);
    this.generation++;
  }

  /** Does a `message.publish` handler look at messages of that topic without retain? */
  seesPublish(topic: string): boolean {
    if (this.unfilteredPublish > 0) return true;
    return this.selective && (this.ownsTopic(topic) || this.#topics.some((f) => isFor(f, topic)));
  }

  /** It begins as some handler's `prefix` says: such handlers take messages to keep them ($delayed). */
  ownsTopic(topic: string): boolean {
    return this.#prefixes.some((p) => topic.startsWith(p));
  }

  /** As `seesPublish`, remembered with the route. */
  seesRoute(route: Route): boolean {
    if (route.seenAt !== this.generation) {
      route.seenAt = this.generation;
      route.seen = this.seesPublish(route.topic);
    }
    return route.seen;
  }

  /** Run the `message.publish` fold. null = stopped. A handler that throws stops the message (logged): nothing unchecked passes. */
  publish(message: Message): Message | null {
    let m: Message | null = message;
    for (const h of this.at["message.publish"].slice()) {
      if (h.filter !== null) {
        if (h.filter.retained === true && !m.retain) continue;
        if (h.filter.prefix !== undefined && !m.topic.startsWith(h.filter.prefix)) continue;
        if (h.filter.topic !== undefined && !isFor(h.filter, m.topic)) continue;
      }
      try {
        m = h.fn(m);
      } catch (err) {
        this.failed("message.publish", h, err);
        return null;
      }
      if (m === null) return null;
    }
    return m;
  }

  /** Notify every handler of a point; errors stay here. Check `at[point].length` first on hot paths. */
  run<P extends HookPoint>(point: P, ...args: Parameters<HookPoints[P]>): void {
    const handlers = this.at[point];
    if (handlers.length === 0) return;
    for (const h of handlers.slice()) {
      try {
        (h.fn as (...a: unknown[]) => unknown)(...args);
      } catch (err) {
        this.failed(point, h, err);
      }
    }
  }

  failed<P extends HookPoint>(point: P, handler: HookHandler<P>, err: unknown): void {
    handler.failures++;
    this.log.error("hook handler failed", { point, handler: handler.id, failures: handler.failures, error: wordsOf(err) });
  }
}

function isFor(filter: HookFilter, topic: string): boolean {
  return (filter.sys === true || !topic.startsWith(SYS)) && filter.topic?.(topic) === true;
}
