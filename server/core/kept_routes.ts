/**
 * Routes that are kept, by the bytes of their topics: a packet's topic is found without a string for it. What is there at most is bounded,
 * and no message pays for what another one has put in: a topic belongs to one set of places, and has to do with nobody but those in it.
 *
 * When there is no room, most topics pass without being kept: of many that come once, or one after the other round and round, the first to come
 * are worth as much as the last. But now and then one takes the place of another that nobody has asked for in the meantime, so that
 * those that are in use come in and those that are not go.
 */
import type { Route } from "./route.ts";

/** Places of a set: their hashes are looked through one by one, and lie in one line of the processor's cache. */
const WAYS = 16;
/** Sets at first, and once so many routes are kept, or one of those sets is full: 100,000 places. */
const FEW_SETS = 64;
const FEW = 512;
const SETS = 6250;
/** Characters in the topics of all of them. */
const CHARS_MAX = 16 * 1024 * 1024;
/** Of those that find no room, one in so many takes another's place. */
const TURN = 16;
/** Places looked at for one that wants characters. */
const SWEEP = 64;

export class KeptRoutes {
  size = 0;
  /** Characters in the topics. */
  chars = 0;
  #sets = FEW_SETS;
  /** Of each place the hash of its topic; 0 = it is empty, and so are those behind it in its set. */
  #hashes = new Int32Array(FEW_SETS * WAYS);
  #routes: (Route | null)[] = new Array<Route | null>(FEW_SETS * WAYS).fill(null);
  #refused = 0;
  /** Where to look next for one to drop. */
  #hand = 0;

  /** `dropped` is told of each one that is not kept any more. */
  constructor(private readonly dropped: (route: Route) => void) {}

  *[Symbol.iterator](): Iterator<Route> {
    for (const r of this.#routes) if (r !== null) yield r;
  }

  find(buf: Uint8Array, start: number, end: number, hash: number): Route | null {
    const hashes = this.#hashes;
    const first = this.#setOf(hash);
    for (let i = first; i < first + WAYS; i++) {
      const h = hashes[i];
      if (h === hash) {
        const route = this.#routes[i] as Route;
        if (route.isNamed(buf, start, end)) return route;
      } else if (h === 0) return null;
    }
    return null;
  }

  /** Makes room for a route that is not there yet. False = it has to go without. */
  room(route: Route): boolean {
    if (this.#sets === FEW_SETS && (this.size === FEW || this.#isFull(this.#setOf(route.hash)))) this.#grow();
    const first = this.#setOf(route.hash);
    const full = this.#isFull(first);
    const wants = this.chars + route.topic.length - CHARS_MAX;
    if (!full && wants <= 0) return true;
    if (++this.#refused % TURN !== 0) return false;
    if (full) this.#dropOneOf(first);
    if (wants > 0) this.#sweep(route.topic.length);
    return this.chars + route.topic.length <= CHARS_MAX;
  }

  /** There must be room for it. */
  add(route: Route): void {
    route.keep();
    this.#put(route);
    this.size++;
    this.chars += route.topic.length;
  }

  drop(route: Route): void {
    const first = this.#setOf(route.hash);
    for (let at = first; at < first + WAYS; at++) if (this.#routes[at] === route) this.#dropAt(at);
  }

  clear(): void {
    for (const r of this) this.#gone(r);
    this.#sets = FEW_SETS;
    this.#hashes = new Int32Array(FEW_SETS * WAYS);
    this.#routes = new Array<Route | null>(FEW_SETS * WAYS).fill(null);
    this.size = 0;
    this.chars = 0;
  }

  /** The first place of the set that a hash belongs to. */
  #setOf(hash: number): number {
    return Math.trunc((hash >>> 0) * (this.#sets / 0x1_0000_0000)) * WAYS;
  }

  #isFull(first: number): boolean {
    return this.#hashes[first + WAYS - 1] !== 0;
  }

  #put(route: Route): void {
    let at = this.#setOf(route.hash);
    while (this.#hashes[at] !== 0) at++;
    this.#hashes[at] = route.hash;
    this.#routes[at] = route;
  }

  #grow(): void {
    const routes = [...this];
    this.#sets = SETS;
    this.#hashes = new Int32Array(SETS * WAYS);
    this.#routes = new Array<Route | null>(SETS * WAYS).fill(null);
    for (const r of routes) this.#put(r);
  }

  /** One that nobody has asked for since it was looked at last; when there is none, any. */
  #dropOneOf(first: number): void {
    const from = this.#hand++ % WAYS;
    for (let i = 0; i < WAYS; i++) {
      const at = first + ((from + i) % WAYS);
      const route = this.#routes[at] as Route;
      if (!route.used) {
        this.#dropAt(at);
        return;
      }
      route.used = false;
    }
    this.#dropAt(first + from);
  }

  /** Drops what nobody has asked for until so many characters have room, within bounds. */
  #sweep(chars: number): void {
    for (let i = 0; i < SWEEP && this.chars + chars > CHARS_MAX; i++) {
      const at = this.#hand % this.#routes.length;
      const route = this.#routes[at] as Route | null;
      if (route !== null && !route.used) this.#dropAt(at);
      else this.#hand = at + 1;
      if (route !== null) route.used = false;
    }
  }

  /** The last of the set takes its place. */
  #dropAt(at: number): void {
    const route = this.#routes[at] as Route;
    const end = at - (at % WAYS) + WAYS;
    let last = at;
    while (last + 1 < end && this.#hashes[last + 1] !== 0) last++;
    this.#hashes[at] = this.#hashes[last] as number;
    this.#routes[at] = this.#routes[last] as Route;
    this.#hashes[last] = 0;
    this.#routes[last] = null;
    this.size--;
    this.chars -= route.topic.length;
    this.#gone(route);
  }

  /** Generation 0 tells whoever holds the route that it is stale. */
  #gone(route: Route): void {
    route.generation = 0;
    this.dropped(route);
  }
}
