/**
 * Which subscriptions a topic name reaches.
 *
 * All filters sit in a map, those with wildcards in a trie too; either way a filter is one entry with the list of its
 * subscriptions. The result for a topic name is a `Route`: it refers to the entry's own list, or to a merged one where several filters
 * match (merged.ts). Most are found for one message and forgotten. Kept are those of a topic that a publisher repeats, and those that took
 * many steps. Every change moves `generation` on, and a kept route is looked at again when it is used next: only where a filter that
 * matches its topic has come or gone is it made anew.
 */
import { hasWildcard, topicMatches } from "../mqtt/topic.ts";
import { nameHash, plainNameHash } from "../mqtt/topic_hash.ts";
import { utf8Length, writeUtf8 } from "../mqtt/utf8.ts";
import { KeptRoutes } from "./kept_routes.ts";
import { FilterEntry, Merged, MergedLists } from "./merged.ts";
import { NameCounts } from "./name_counts.ts";
import { Route, SYS } from "./route.ts";
import { ShareGroup } from "./shared.ts";
import type { Subscription } from "./subscription.ts";
import { Trie } from "./trie.ts";

const { latin1Slice } = Buffer.prototype;
/** A route that took no more steps than that is found anew for each message rather than kept: that costs less than to keep many. */
const CHEAP = 16;
/** So many topics that begin otherwise, one after the other, and those that come now are followed. */
const STRAYS = 8;
const ALWAYS = -1;
const NEVER = Number.POSITIVE_INFINITY;
/** So many wildcard filters that came or went last are kept. A route that is further behind is made anew. */
const RECENT = 1024;

const NOBODY: readonly Subscription[] = [];

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
  readonly #exactNames = new NameCounts();
  readonly #merged = new MergedLists();
  readonly #kept = new KeptRoutes((route) => this.#release(route));
  readonly #found: FilterEntry[] = [];
  /** Of the packet in hand. */
  #passing = new Route();
  /** The topic in hand begins as the trie has it; how many one after the other did not. */
  #begins = false;
  #strays = 0;
  #entryIds = 0;
  /** Filters without wildcards that came, went or changed their groups. */
  #exactChanges = 0;
  /** Bytes of the string in hand. */
  #bytes = new Uint8Array(256);
  /** Wildcard filters that came, went or changed their groups: how many, and the last `RECENT` of them. */
  #changes = 0;
  readonly #recent: string[] = new Array<string>(RECENT).fill("");
  /** Dispatches in progress, one inside another when a hook or a virtual client publishes. */
  #walking = 0;
  #walk = 0;

  /** Distinct topic filters (rows of EMQ X's route table). */
  get size(): number {
    return this.#filters.size;
  }

  /** Topics whose routes are kept, and the characters counted for them: what the bounds look at. */
  get cached(): { topics: string[]; chars: number } {
    return { topics: [...this.#kept].map((r) => r.topic), chars: this.#kept.chars };
  }

  /** Moves on with whatever may change where a topic's messages go. */
  get moves(): number {
    return this.generation + this.#exactChanges;
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
    const known = this.#filters.get(s.filter);
    const entry = known ?? this.#create(s.filter);
    if (s.group !== null) {
      this.sharedCount++;
      entry.groups ??= new Map();
      let g = entry.groups.get(s.group);
      if (!g) {
        g = new ShareGroup(s.group, s.filter);
        entry.groups.set(s.group, g);
        entry.regrouped();
        this.#changed(entry.filter);
      }
      g.add(s);
      return;
    }
    if (known === undefined) {
      entry.begin(s);
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
        entry.regrouped();
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

  /** The route of a valid topic name, kept where there is room; never null. */
  route(topic: string): Route {
    return this.#ofText(topic, ALWAYS);
  }

  /** As `route`; one that is found quickly is not kept. For messages that may be the only ones of their topics. */
  passing(topic: string): Route {
    return this.#ofText(topic, CHEAP);
  }

  /** The route of a topic that nothing is published to again soon, e.g. a client's coming and going: used at once, and not kept. */
  once(topic: string): Route {
    return this.#ofText(topic, NEVER);
  }

  /**
   * As `passing`, of the topic `buf[start, end)` of the packet in hand, which does not begin with `$`. `lastHash`: of the publisher's last
   * message; kept if it is the same. One that is not kept is this packet's only: the next one's is the same object, which saves 10 ns and
   * what the collector has to do. null = the topic is not plain: it has to be checked, and asked for as text.
   */
  named(buf: Uint8Array, start: number, end: number, lastHash: number): Route | null {
    const { prefix } = this.#wild;
    this.#begins = prefix.begins(buf, start, end);
    const hash = plainNameHash(buf, start, end, this.#begins ? prefix : null);
    if (hash === 0) return null;
    if (this.#begins) this.#strays = 0;
    else if (++this.#strays === STRAYS) this.#follow(buf, start, end);
    return this.#of(buf, start, end, hash, null, hash === lastHash ? ALWAYS : CHEAP);
  }

  #follow(buf: Uint8Array, start: number, end: number): void {
    this.#strays = 0;
    this.#wild.follow(buf, start, end);
  }

  /** A kept route as it is now; another one if it has been dropped. */
  again(route: Route): Route {
    if (route.generation === this.generation) return route;
    return this.route(route.topic);
  }

  /** Nothing has changed since the route was found. */
  isFresh(route: Route): boolean {
    return route.generation === 0 ? route.moves === this.moves : route.generation === this.generation;
  }

  #ofText(topic: string, from: number): Route {
    this.#begins = false;
    const n = this.#write(topic);
    return this.#of(this.#bytes, 0, n, nameHash(this.#bytes, 0, n), topic, from);
  }

  /** `from`: the least steps for a route to be kept. `text`: the topic, if it is there as a string; else `buf` outlasts the route. */
  #of(buf: Uint8Array, start: number, end: number, hash: number, text: string | null, from: number): Route {
    if (this.#merged.full) this.#forget();
    const known = this.#kept.size === 0 ? null : this.#kept.find(buf, start, end, hash);
    if (known !== null) {
      known.used = true;
      if (known.generation !== this.generation) this.#refresh(known, buf, start, end);
      return known;
    }
    const route = text === null ? this.#passing : new Route();
    route.of(buf, start, end, hash, text);
    this.#resolve(route, buf, start, end, from);
    if (route.kept && text === null) this.#passing = new Route();
    return route;
  }

  /** The bytes of the string into the buffer for them. Returns how many. */
  #write(text: string): number {
    const n = utf8Length(text);
    if (n > this.#bytes.length) this.#bytes = new Uint8Array(n);
    return writeUtf8(this.#bytes, 0, text);
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
    this.#kept.clear();
    this.#merged.clear();
  }

  /** The route is not kept any more, or gets another list. */
  #release(route: Route): void {
    if (route.source instanceof Merged) this.#merged.release(route.source);
  }

  #refresh(route: Route, buf: Uint8Array, start: number, end: number): void {
    if (this.#concerned(route)) this.#resolve(route, buf, start, end, ALWAYS);
    else this.#stamp(route);
  }

  #stamp(route: Route): void {
    const { source } = route;
    if (source instanceof Merged) this.steps += source.refresh();
    route.subs = source === null ? NOBODY : source.subs;
    route.changes = this.#changes;
    route.moves = this.moves;
    if (route.kept) route.generation = this.generation;
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

  /** Find what matches the topic. A route that is not kept yet is, if it took `from` steps or more and there is room. */
  #resolve(route: Route, buf: Uint8Array, start: number, end: number, from: number): void {
    const found = this.#found;
    route.cost = this.#wild.match(buf, start, end, found, this.#begins);
    // Without a string of the topic where no such filter can be.
    const exact = this.#exactNames.mayHave(route.hash) ? this.#filters.get(route.topic) : undefined;
    if (exact !== undefined) found.push(exact);
    route.cost += found.length;
    this.steps += route.cost;
    if (route.kept) this.#release(route);
    else if (route.cost > from && this.#kept.room(route)) {
      this.#kept.add(route);
    }
    route.source = found.length > 1 ? this.#merged.of(found, route.kept) : (found[0] ?? null);
    route.shares = found.length > 0 ? this.#sharesOf(found) : null;
    found.length = 0;
    this.#stamp(route);
  }

  #sharesOf(entries: readonly FilterEntry[]): readonly ShareGroup[] | null {
    let shares: readonly ShareGroup[] | null = null;
    for (let i = 0; i < entries.length; i++) {
      const more = (entries[i] as FilterEntry).shares;
      if (more !== null) shares = shares === null ? more : shares.concat(more);
    }
    if (shares !== null) this.steps += shares.length;
    return shares;
  }

  #create(filter: string): FilterEntry {
    const entry = new FilterEntry(filter, ++this.#entryIds);
    this.#filters.set(filter, entry);
    if (filter.startsWith(SYS)) this.sysFilters++;
    if (hasWildcard(filter)) this.#wild.set(this.#bytewise(filter), entry);
    else this.#exactNames.add(this.#hashOf(filter));
    this.#changed(filter);
    return entry;
  }

  #destroy(entry: FilterEntry): void {
    const { filter } = entry;
    this.#filters.delete(filter);
    if (filter.startsWith(SYS)) this.sysFilters--;
    if (hasWildcard(filter)) this.#wild.delete(this.#bytewise(filter));
    else this.#exactNames.remove(this.#hashOf(filter));
    this.#changed(filter);
  }

  /** A filter came or went, or one of its groups: routes that it matches are to be made anew. */
  #changed(filter: string): void {
    if (!hasWildcard(filter)) {
      this.#exactChanges++;
      this.#dropRoute(filter);
      return;
    }
    this.#recent[this.#changes % RECENT] = filter;
    this.#changes++;
    this.generation++;
  }

  #dropRoute(topic: string): void {
    if (this.#kept.size === 0) return;
    const hash = this.#hashOf(topic);
    const route = this.#kept.find(this.#bytes, 0, utf8Length(topic), hash);
    if (route !== null) this.#kept.drop(route);
  }

  #hashOf(text: string): number {
    const n = this.#write(text);
    return nameHash(this.#bytes, 0, n);
  }

  /** One character for each byte of its UTF-8. */
  #bytewise(filter: string): string {
    const n = this.#write(filter);
    return n === filter.length ? filter : latin1Slice.call(this.#bytes, 0, n);
  }
}
