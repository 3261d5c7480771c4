/**
 * Which subscriptions a topic name reaches.
 *
 * All filters sit in a map, those with wildcards in a trie too; either way a filter is one entry with the list of its
 * subscriptions. The result for a topic name is a `Route`, cached: it refers to the entry's own list, or to a merged one where
 * several filters match (merged.ts). Every change moves `generation` on, and a route is looked at again when it is used next: only
 * where a filter that matches its topic has come or gone is it made anew.
 */
import { hasWildcard, topicMatches } from "../mqtt/topic.ts";
import { FilterEntry, type Merged, MergedLists } from "./merged.ts";
import { ShareGroup } from "./shared.ts";
import type { Subscription } from "./subscription.ts";
import { Trie } from "./trie.ts";

/** Cached topics, and characters in them; when full the cache starts again (topics in use come back with their next message). */
const ROUTES_MAX = 100_000;
const ROUTE_CHARS_MAX = 16 * 1024 * 1024;
/** So many wildcard filters that came or went last are kept. A route that is further behind is made anew. */
const RECENT = 1024;

/** Where the broker tells about itself. */
export const SYS = "$SYS/";

const NONE: readonly Subscription[] = [];

export class Route {
  #bytes: Uint8Array | null = null;
  /** Subscriptions that each get a copy. Valid until something changes; walk it between `Router.enter` and `leave`. */
  subs: readonly Subscription[] = NONE;
  /** Groups that each get one copy; null = none. */
  shares: readonly ShareGroup[] | null = null;
  readonly sys: boolean;
  /** A route is valid while its generation is the router's; 0 = it has been dropped. */
  generation = 0;
  /** How many wildcard filters had come and gone when it was made, or looked at last. */
  changes = 0;
  /** Steps it took to find what matches. */
  cost = 0;
  /** Whose list `subs` is: of one filter, of several, or nobody's. */
  source: FilterEntry | Merged | null = null;

  constructor(readonly topic: string) {
    this.sys = topic.startsWith(SYS);
  }

  /** The topic as it stands in a packet. */
  get bytes(): Uint8Array {
    this.#bytes ??= Buffer.from(this.topic);
    return this.#bytes;
  }

  get empty(): boolean {
    return this.subs.length === 0 && this.shares === null;
  }
}

export class Router {
  /** Changes with everything that may change a route. */
  generation = 1;
  subscriptionCount = 0;
  sharedCount = 0;
  /** Filters that begin with "$SYS/": no other matches a topic that does [MQTT-4.7.2-1]. */
  sysFilters = 0;
  /** Work done so far: filters compared, branches looked at, subscriptions merged. For tests: what one packet costs is bounded. */
  steps = 0;
  readonly #wild = new Trie<FilterEntry>();
  /** Every filter, in order of creation. */
  readonly #filters = new Map<string, FilterEntry>();
  readonly #merged = new MergedLists();
  #routes = new Map<string, Route>();
  #routeChars = 0;
  #entryIds = 0;
  /** Wildcard filters that came, went or changed their groups: how many, and the last `RECENT` of them. */
  #changes = 0;
  readonly #recent: string[] = new Array<string>(RECENT).fill("");
  /** Dispatches in progress, one inside another when a hook or a virtual client publishes. */
  #walking = 0;
  #walk = 0;

  /** Characters in the cached topics. */
  get cachedChars(): number {
    return this.#routeChars;
  }

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

  /** The group of that name as it is now: it is another object after it has been empty. */
  group(filter: string, name: string): ShareGroup | null {
    return this.#filters.get(filter)?.groups?.get(name) ?? null;
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
        this.#changed(entry.filter);
      }
      g.add(s);
      return;
    }
    const subs = this.#writable(entry);
    s.index = subs.length;
    subs.push(s);
    this.#touched(entry);
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
        this.#changed(entry.filter);
      }
    } else {
      const subs = this.#writable(entry);
      const last = subs.pop() as Subscription;
      if (last !== s) {
        subs[s.index] = last;
        last.index = s.index;
      }
      s.index = -1;
      this.#touched(entry);
    }
    if (entry.empty) this.#destroy(entry);
  }

  /** The options of a subscription changed. */
  updated(s: Subscription): void {
    const entry = this.#filters.get(s.filter);
    if (entry !== undefined) this.#touched(entry);
  }

  /** The route of a valid topic name; never null. */
  route(topic: string): Route {
    const known = this.#routes.get(topic);
    if (known !== undefined && known.generation === this.generation) return known;
    if (this.#merged.full || (known === undefined && this.#full)) this.#forget();
    const route = this.#routes.get(topic) ?? this.#remember(topic);
    this.#refresh(route);
    return route;
  }

  /** The route of a topic that nothing is published to again soon, e.g. a client's coming and going: used at once, and not kept. */
  once(topic: string): Route {
    const known = this.#routes.get(topic);
    if (known !== undefined) return this.route(topic);
    if (this.#merged.full) this.#forget();
    const route = new Route(topic);
    this.#refresh(route);
    return route;
  }

  get #full(): boolean {
    return this.#routes.size >= ROUTES_MAX || this.#routeChars > ROUTE_CHARS_MAX;
  }

  #remember(topic: string): Route {
    const route = new Route(topic);
    this.#routes.set(topic, route);
    this.#routeChars += topic.length;
    return route;
  }

  /**
   * A dispatch begins: until `leave`, the lists of routes are not changed in place. One that an exception ends does not leave, since a
   * `finally` costs every message: until the next `settled` lists are copied in vain, no more.
   */
  enter(): void {
    this.#walking++;
    this.#walk++;
  }

  leave(): void {
    this.#walking--;
  }

  /** No dispatch is in progress. */
  settled(): void {
    this.#walking = 0;
  }

  /** The entry's list, to be changed: a copy while somebody may be walking it. */
  #writable(entry: FilterEntry): Subscription[] {
    if (this.#walking > 0 && entry.copiedIn !== this.#walk) {
      entry.subs = entry.subs.slice();
      entry.copiedIn = this.#walk;
      this.generation++;
    }
    return entry.subs;
  }

  #touched(entry: FilterEntry): void {
    if (!entry.merged) return;
    entry.version++;
    this.generation++;
  }

  #forget(): void {
    for (const r of this.#routes.values()) r.generation = 0;
    this.#routes = new Map();
    this.#routeChars = 0;
    this.#merged.clear();
  }

  #refresh(route: Route): void {
    if (route.generation === 0 || this.#concerned(route)) this.#resolve(route);
    const { source } = route;
    if (source !== null && !(source instanceof FilterEntry)) this.steps += source.refresh();
    route.subs = source === null ? NONE : source.subs;
    route.changes = this.#changes;
    route.generation = this.generation;
  }

  /** Has a wildcard filter that matches the route's topic come or gone since it was looked at? Yes too where asking costs more than anew. */
  #concerned(route: Route): boolean {
    const behind = this.#changes - route.changes;
    if (behind > RECENT || behind > route.cost) return true;
    for (let i = 1; i <= behind; i++) {
      this.steps++;
      if (topicMatches(route.topic, this.#recent[(this.#changes - i) % RECENT] as string)) return true;
    }
    return false;
  }

  #resolve(route: Route): void {
    const before = this.#wild.steps;
    const entries = this.#wild.match(route.topic);
    const exact = this.#filters.get(route.topic);
    if (exact !== undefined && !hasWildcard(route.topic)) entries.push(exact);
    route.cost = this.#wild.steps - before + entries.length;
    this.steps += route.cost;
    route.source = entries.length > 1 ? this.#merged.of(entries) : (entries[0] ?? null);
    let shares: ShareGroup[] | null = null;
    for (const e of entries) {
      if (e.groups === null) continue;
      shares ??= [];
      for (const g of e.groups.values()) shares.push(g);
    }
    if (shares !== null) this.steps += shares.length;
    route.shares = shares;
  }

  #create(filter: string): FilterEntry {
    const entry = new FilterEntry(filter, ++this.#entryIds);
    this.#filters.set(filter, entry);
    if (filter.startsWith(SYS)) this.sysFilters++;
    if (hasWildcard(filter)) this.#wild.set(filter, entry);
    this.#changed(filter);
    return entry;
  }

  #destroy(entry: FilterEntry): void {
    const { filter } = entry;
    this.#filters.delete(filter);
    if (filter.startsWith(SYS)) this.sysFilters--;
    if (hasWildcard(filter)) this.#wild.delete(filter);
    this.#changed(filter);
  }

  /** A filter came or went, or one of its groups: routes that it matches are to be made anew. */
  #changed(filter: string): void {
    if (!hasWildcard(filter)) {
      this.#dropRoute(filter);
      return;
    }
    this.#recent[this.#changes % RECENT] = filter;
    this.#changes++;
    this.generation++;
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
