/**
 * Which subscriptions a topic name reaches.
 *
 * Filters without wildcards sit in a map, those with wildcards in a trie; either way a filter is one entry with the list of its
 * subscriptions. The result for a topic name is a `Route`, cached: it refers to the entries' own lists, so subscribers coming and
 * going on a known filter change nothing; a new or removed filter drops what it could change.
 */
import { hasWildcard } from "../mqtt/topic.ts";
import type { QoS } from "../mqtt/types.ts";
import type { Session } from "./session.ts";
import { ShareGroup } from "./shared.ts";
import { Subscription } from "./subscription.ts";
import { Trie } from "./trie.ts";

/** Cached topics, and characters in them; when full the cache starts again (topics in use come back with their next message). */
const ROUTES_MAX = 100_000;
const ROUTE_CHARS_MAX = 16 * 1024 * 1024;

class FilterEntry {
  readonly subs: Subscription[] = [];
  groups: Map<string, ShareGroup> | null = null;
  /** Some cached route has merged this entry's list with another: changes here must drop it. */
  merged = false;

  constructor(readonly filter: string) {}

  get empty(): boolean {
    return this.subs.length === 0 && this.groups === null;
  }
}

export class Route {
  readonly bytes: Uint8Array;
  /** Subscriptions that each get a copy: an entry's live list, or a merged one. */
  subs: readonly Subscription[];
  /** Entries whose groups each get one copy; null = none. */
  shares: readonly ShareGroup[] | null;
  readonly sys: boolean;

  constructor(
    readonly topic: string,
    /** A route is valid while its generation is the router's. */
    public generation: number,
  ) {
    this.bytes = Buffer.from(topic);
    this.subs = NONE;
    this.shares = null;
    this.sys = topic.startsWith("$SYS/");
  }

  get empty(): boolean {
    return this.subs.length === 0 && this.shares === null;
  }
}

const NONE: readonly Subscription[] = [];

export class Router {
  /** Changes when any wildcard filter comes or goes, or a merged list changes. */
  generation = 1;
  subscriptionCount = 0;
  sharedCount = 0;
  readonly #exact = new Map<string, FilterEntry>();
  readonly #wild = new Trie<FilterEntry>();
  /** Every filter, in order of creation. */
  readonly #filters = new Map<string, FilterEntry>();
  #routes = new Map<string, Route>();
  #routeChars = 0;

  /** Distinct topic filters (rows of EMQ X's route table). */
  get size(): number {
    return this.#filters.size;
  }

  /** Topics whose routes are kept, and the characters counted for them: what the cache's bounds look at. */
  get cached(): { topics: string[]; chars: number } {
    return { topics: [...this.#routes.keys()], chars: this.#routeChars };
  }

  topics(): IterableIterator<string> {
    return this.#filters.keys();
  }

  hasFilter(filter: string): boolean {
    return this.#filters.has(filter);
  }

  /** Subscriptions of one exact filter, shared ones included. */
  *subscribersOf(filter: string): Generator<Subscription> {
    const entry = this.#filters.get(filter);
    if (!entry) return;
    yield* entry.subs;
    if (entry.groups !== null) for (const g of entry.groups.values()) yield* g.members;
  }

  add(s: Subscription): void {
    this.subscriptionCount++;
    const entry = this.#filters.get(s.filter) ?? this.#create(s.filter);
    if (s.group !== null) {
      this.sharedCount++;
      entry.groups ??= new Map();
      let g = entry.groups.get(s.group);
      if (!g) {
        g = new ShareGroup(s.group, s.filter);
        entry.groups.set(s.group, g);
        this.#changed(entry);
      }
      g.add(s);
      return;
    }
    s.index = entry.subs.length;
    entry.subs.push(s);
    if (entry.merged) this.generation++;
  }

  remove(s: Subscription): void {
    const entry = this.#filters.get(s.filter);
    if (!entry || s.index < 0) return;
    this.subscriptionCount--;
    if (s.group !== null) {
      this.sharedCount--;
      const g = s.share as ShareGroup;
      g.remove(s);
      if (g.members.length === 0) {
        entry.groups?.delete(s.group);
        if (entry.groups?.size === 0) entry.groups = null;
        this.#changed(entry);
      }
    } else {
      const last = entry.subs.pop() as Subscription;
      if (last !== s) {
        entry.subs[s.index] = last;
        last.index = s.index;
      }
      s.index = -1;
      if (entry.merged) this.generation++;
    }
    if (entry.empty) this.#destroy(entry);
  }

  /** The options of a subscription changed. */
  updated(s: Subscription): void {
    if (this.#filters.get(s.filter)?.merged) this.generation++;
  }

  /** The route of a valid topic name; never null. */
  route(topic: string): Route {
    const known = this.#routes.get(topic);
    if (known !== undefined && known.generation === this.generation) return known;
    const route = known ?? new Route(topic, this.generation);
    route.generation = this.generation;
    this.#resolve(route);
    if (known === undefined) {
      if (this.#routes.size >= ROUTES_MAX || this.#routeChars > ROUTE_CHARS_MAX) this.#forget();
      this.#routes.set(topic, route);
      this.#routeChars += topic.length;
    }
    return route;
  }

  #forget(): void {
    for (const r of this.#routes.values()) r.generation = 0;
    this.#routes = new Map();
    this.#routeChars = 0;
  }

  #resolve(route: Route): void {
    const entries = this.#wild.match(route.topic);
    const exact = this.#exact.get(route.topic);
    if (exact) entries.push(exact);
    const lists = entries.filter((e) => e.subs.length > 0 || entries.length === 1);
    if (entries.length === 0) route.subs = NONE;
    else if (entries.length === 1) route.subs = (entries[0] as FilterEntry).subs;
    else {
      for (const e of entries) e.merged = true;
      route.subs = lists.length === 0 ? NONE : merge(lists.map((e) => e.subs));
    }
    let shares: ShareGroup[] | null = null;
    for (const e of entries) {
      if (e.groups === null) continue;
      shares ??= [];
      shares.push(...e.groups.values());
    }
    route.shares = shares;
  }

  #create(filter: string): FilterEntry {
    const entry = new FilterEntry(filter);
    this.#filters.set(filter, entry);
    if (hasWildcard(filter)) {
      this.#wild.set(filter, entry);
      this.generation++;
    } else {
      this.#exact.set(filter, entry);
      this.#dropRoute(filter);
    }
    return entry;
  }

  #destroy(entry: FilterEntry): void {
    this.#filters.delete(entry.filter);
    if (hasWildcard(entry.filter)) {
      this.#wild.delete(entry.filter);
      this.generation++;
    } else {
      this.#exact.delete(entry.filter);
      this.#dropRoute(entry.filter);
    }
  }

  #changed(entry: FilterEntry): void {
    if (hasWildcard(entry.filter)) this.generation++;
    else this.#dropRoute(entry.filter);
  }

  /** Generation 0 tells whoever keeps the route that it is stale. */
  #dropRoute(topic: string): void {
    const route = this.#routes.get(topic);
    if (route !== undefined) {
      route.generation = 0;
      this.#routes.delete(topic);
      this.#routeChars -= topic.length;
    }
  }
}

/** One list of several, each session once [MQTT-3.3.5-1]: highest QoS, all subscription identifiers. */
function merge(lists: Subscription[][]): Subscription[] {
  const bySession = new Map<Session, Subscription>();
  for (const list of lists) {
    for (const s of list) {
      const seen = bySession.get(s.session);
      if (seen === undefined) bySession.set(s.session, s);
      else bySession.set(s.session, combine(seen, s));
    }
  }
  return [...bySession.values()];
}

function combine(a: Subscription, b: Subscription): Subscription {
  const parts = [...(a.parts ?? [a]), b];
  return combined(parts);
}

/** The stand-in for overlapping subscriptions of one session. */
export function combined(parts: Subscription[]): Subscription {
  const first = parts[0] as Subscription;
  const qos = parts.reduce<QoS>((max, p) => (p.qos > max ? p.qos : max), 0);
  const s = new Subscription(first.session, first.filter, null, {
    qos,
    nl: parts.every((p) => p.nl),
    rap: parts.some((p) => p.rap),
    rh: 0,
    subId: 0,
  });
  const ids = parts.flatMap((p) => p.subIds ?? []);
  s.subIds = ids.length > 0 ? ids : null;
  s.parts = parts;
  return s;
}
