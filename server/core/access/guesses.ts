/**
 * Whoever fails to authenticate too often is not asked any more for a while (zone setting `auth_failure_limit`), so that passwords
 * cannot be tried by the thousand. Looked at before any password is hashed; failed authentications alone count.
 *
 * Three counts, because a lock that others can close is a way to keep somebody out:
 * - an address and a name together (user name, client id): the limit. Only this address is refused this name.
 * - an address, whatever the names: ten times the limit. Who came in from there before still comes in.
 * - a name, whatever the addresses: beyond the limit an attempt waits a little, nobody is refused.
 * Of those under way whose outcome is not known yet, no more are asked about than may fail, of an address and name and of an address, so that
 * guesses that come together are not all looked at; the others wait for an outcome. Each that is right lets two go on, each that is wrong makes
 * it as many as in the beginning: many devices behind one address are soon asked about together. That others have failed does not count against
 * who came in from there before; those that come together under its names do.
 * An IPv6 network of 64 bits counts as one address. Counts leak evenly, and never are above what is allowed: after a burst of any size, one more
 * attempt per part of it.
 */
import { networkOf } from "../../lib/cidr.ts";
import { loggedName } from "../../lib/mask.ts";
import { between, type MonoMs } from "../../lib/time.ts";
import type { Clock, Log } from "../ports.ts";
import type { ClientInfo } from "../types.ts";
import type { Metrics } from "../watch/metrics.ts";
import { Shares } from "./shares.ts";

/** Counts kept, about 200 bytes each; the one that failed longest ago goes first. */
const MAX_COUNTS = 50_000;
/** Clients remembered that came in; the one that did so longest ago goes first. */
const MAX_KNOWN = 10_000;
/** Attempts on a name that is guessed at from everywhere that wait at a time; further ones are refused. */
const MAX_DELAYED = 1000;
/** Bytes of CONNECT packets that wait for outcomes; further ones are refused. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** What one takes beside its packet. */
const WAITING_BYTES = 1024;
/** Longer names share a count with those that begin alike: they must not make the tables large. */
const NAME_MAX = 128;
const ADDRESS_FACTOR = 10;
/** The key of an address begins with it, and no other. */
const ADDRESS = "@";
/** How long an attempt on a name waits that is guessed at from everywhere, ms. */
const NAME_DELAY_MS = 2000;
/** More than this are never asked about together for having been right: servers are not asked more at a time. */
const GOOD_MAX = 256;
/** Nobody waits for a place that those under way have, when so many times as many have failed: it would be until the count has leaked. */
const FAILED_TO_PENDING = 9;
const WARN_EVERY_MS = 10_000;
const FAILED_TOO_OFTEN = "too many failed authentications: not asked for a while";
/** Passwords may all be right: whoever checks them is slow. */
const TOO_MANY_UNDER_WAY = "too many authentications of the same address or name are under way: not asked";

interface Count {
  /** Failures, as of `at`; leaking since. */
  level: number;
  at: MonoMs;
  /** Checks under way whose outcome is not known yet. */
  pending: number;
  /** Checks that went well since one failed, or none was under way. */
  good: number;
}

type Limit = ClientInfo["zone"]["authFailureLimit"];

/** It waits until somebody's outcome is known, or for the delay of its name. */
interface Waiting {
  readonly client: ClientInfo;
  /** Of its gates it has a place at the first so many, and waits in the line of the next one. */
  held: number;
  /** What it takes while it waits, and of what. */
  readonly room: Shares;
  readonly takes: number;
  done(may: boolean | Promise<boolean>): void;
}

export class Guesses {
  /** Least recently failed first. */
  readonly #counts = new Map<string, Count>();
  readonly #known = new Set<string>();
  /** Who waits for an outcome, by gate. */
  readonly #lines = new Map<string, Set<Waiting>>();
  readonly #waiting = new Map<ClientInfo, Waiting>();
  /** Whose turn has come: they have all places, and are not being checked yet. Some steps of promises go by, in which others must not take them. */
  readonly #admitted = new WeakSet<ClientInfo>();
  readonly #delayed = new Shares(MAX_DELAYED);
  readonly #waitingBytes = new Shares(MAX_WAITING_BYTES);
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly metrics: Metrics,
    private readonly maxCounts = MAX_COUNTS,
  ) {}

  /** Counts kept now. */
  get size(): number {
    return this.#counts.size;
  }

  /**
   * May this client's credentials be looked at? The promise waits (`sleep`, ms, or for others' outcomes) for as long as the attempt has to; `bytes`: of
   * the packet that waits with it. Behind a yes comes `pending`, or `released`; `left` ends the wait.
   */
  admit(client: ClientInfo, sleep: (ms: number) => Promise<void>, bytes = 0): boolean | Promise<boolean> {
    if (client.zone.authFailureLimit === null || this.#counts.size === 0) return true;
    if (this.refuses(client)) return this.#refused(client, FAILED_TOO_OFTEN);
    const wanting = gates(client).filter((key) => !this.#hasRoom(client, key));
    if (wanting.some((key) => this.#isVain(client, key))) return this.#refused(client, FAILED_TOO_OFTEN);
    const hasPlaces = wanting.length === 0;
    if (hasPlaces && !this.#isSlowed(client)) return true;
    const may = hasPlaces ? this.#slowly(client, sleep, bytes) : this.#inTurn(client, bytes);
    if (may instanceof Promise) this.metrics.authDelayed++;
    return may;
  }

  /** Would it be refused now? Nothing is counted. */
  refuses(client: ClientInfo): boolean {
    const limit = client.zone.authFailureLimit;
    if (limit === null || this.#counts.size === 0 || this.#isKnown(client)) return false;
    return gates(client).some((key) => this.#isFull(key, limit));
  }

  /** Its check takes time. `settled` when the outcome is known. */
  pending(client: ClientInfo): void {
    if (client.zone.authFailureLimit === null || this.#admitted.delete(client)) return;
    for (const key of gates(client)) this.#count(key).pending++;
  }

  settled(client: ClientInfo): void {
    this.#release(gates(client));
  }

  /** It was admitted, and is not checked, or was at once. */
  released(client: ClientInfo): void {
    if (this.#admitted.delete(client)) this.settled(client);
  }

  /** It has hung up: nobody waits behind it, nor for want of the room that it took. */
  left(client: ClientInfo): void {
    const w = this.#waiting.get(client);
    if (w === undefined) return;
    const keys = gates(client);
    const key = keys[w.held] as string;
    const line = this.#lines.get(key);
    if (line?.delete(w) && line.size === 0) this.#lines.delete(key);
    this.#endsWaiting(w);
    w.done(false);
    this.#release(keys.slice(0, w.held));
  }

  /** The credentials were wrong. */
  failed(client: ClientInfo): void {
    const limit = client.zone.authFailureLimit;
    if (limit === null) return;
    this.#known.delete(identity(client));
    const now = this.clock.mono();
    for (const key of [...gates(client), ...names(client)]) {
      const c = this.#count(key);
      const max = allowed(key, limit);
      // Those that were under way when it was reached do not make the wait longer.
      c.level = Math.min(leaked(c, max / limit.intervalMs, now) + 1, max);
      c.at = now;
      c.good = 0;
      // The last to fail stands last.
      this.#counts.delete(key);
      this.#counts.set(key, c);
    }
    dropOldest(this.#counts, this.maxCounts);
    for (const key of gates(client)) this.#wake(key);
  }

  /** The credentials were right. */
  passed(client: ClientInfo): void {
    if (client.zone.authFailureLimit === null) return;
    const id = identity(client);
    this.#known.delete(id);
    this.#known.add(id);
    dropOldest(this.#known, MAX_KNOWN);
    for (const key of gates(client)) {
      const c = this.#counts.get(key);
      if (c === undefined || c.pending === 0) continue;
      c.good = Math.min(c.good + 1, GOOD_MAX);
      this.#wake(key);
    }
  }

  /** Guessed at from everywhere: it waits, and is looked at anew. */
  #slowly(client: ClientInfo, sleep: (ms: number) => Promise<void>, bytes: number): boolean | Promise<boolean> {
    return this.#waits(client, { held: 0, room: this.#delayed, takes: 1 }, (w) => {
      void sleep(NAME_DELAY_MS).then(() => {
        if (this.#waiting.get(client) !== w) return;
        this.#endsWaiting(w);
        w.done(this.refuses(client) ? this.#refused(client, FAILED_TOO_OFTEN) : this.#inTurn(client, bytes));
      });
    });
  }

  /** As soon as there is a place at each of its gates: what it has got it keeps, gates are passed in one order, so that none waits for another in a ring. */
  #inTurn(client: ClientInfo, bytes: number): boolean | Promise<boolean> {
    const held = this.#takePlaces(client, 0);
    const key = gates(client)[held];
    if (key === undefined) return true;
    const may = this.#waits(client, { held, room: this.#waitingBytes, takes: bytes + WAITING_BYTES }, (w) => this.#stands(w, key));
    if (may === false) this.#release(gates(client).slice(0, held));
    return may;
  }

  #waits(client: ClientInfo, what: Pick<Waiting, "held" | "room" | "takes">, begin: (w: Waiting) => void): false | Promise<boolean> {
    if (!what.room.take(addressOf(client), what.takes)) return this.#refused(client, TOO_MANY_UNDER_WAY);
    return new Promise((done) => {
      const w = { ...what, client, done };
      this.#waiting.set(client, w);
      begin(w);
    });
  }

  #stands(w: Waiting, key: string): void {
    const line = this.#lines.get(key);
    if (line === undefined) this.#lines.set(key, new Set([w]));
    else line.add(w);
  }

  #endsWaiting(w: Waiting): void {
    this.#waiting.delete(w.client);
    w.room.giveBack(addressOf(w.client), w.takes);
  }

  /** Places from the gate `held` on, as far as there is room -> at how many gates it has one then. */
  #takePlaces(client: ClientInfo, held: number): number {
    const keys = gates(client);
    let has = held;
    for (; has < keys.length; has++) {
      const key = keys[has] as string;
      if (!this.#hasRoom(client, key)) return has;
      this.#count(key).pending++;
    }
    this.#admitted.add(client);
    return has;
  }

  /** Its places are others'. */
  #release(keys: readonly string[]): void {
    for (const key of keys) {
      const c = this.#counts.get(key);
      if (c !== undefined && c.pending > 0) c.pending--;
    }
    for (const key of keys) {
      this.#wake(key);
      const c = this.#counts.get(key);
      if (c === undefined || c.pending > 0) continue;
      c.good = 0;
      if (c.level === 0) this.#counts.delete(key);
    }
  }

  /** As many as there are places for go on, to the next gate or to be asked about; or all, to be refused. While somebody waits, somebody has a place. */
  #wake(key: string): void {
    const line = this.#lines.get(key);
    if (line === undefined) return;
    for (const w of line) {
      const { client } = w;
      const hasRoom = this.#hasRoom(client, key);
      const refused = this.refuses(client) || (!hasRoom && this.#isVain(client, key));
      if (!refused && !hasRoom) break;
      line.delete(w);
      if (refused) {
        this.#endsWaiting(w);
        w.done(this.#refused(client, FAILED_TOO_OFTEN));
        this.#release(gates(client).slice(0, w.held));
      } else this.#goesOn(w);
    }
    if (line.size === 0 && this.#lines.get(key) === line) this.#lines.delete(key);
  }

  #goesOn(w: Waiting): void {
    w.held = this.#takePlaces(w.client, w.held);
    const next = gates(w.client)[w.held];
    if (next === undefined) {
      this.#endsWaiting(w);
      w.done(true);
    } else this.#stands(w, next);
  }

  #hasRoom(client: ClientInfo, key: string): boolean {
    const limit = client.zone.authFailureLimit;
    const c = this.#counts.get(key);
    if (limit === null || c === undefined) return true;
    const failed = this.#isKnown(client) ? 0 : this.#level(key, limit);
    return failed + c.pending + 1 <= allowed(key, limit) + c.good;
  }

  /** There is no place for it at this gate: is it for failures, rather than for those under way, who may be right? */
  #isVain(client: ClientInfo, key: string): boolean {
    const limit = client.zone.authFailureLimit;
    const c = this.#counts.get(key);
    if (limit === null || c === undefined || this.#isKnown(client)) return false;
    return this.#level(key, limit) > c.pending * FAILED_TO_PENDING;
  }

  /** Its name is guessed at from everywhere, and it has not come in from there before. */
  #isSlowed(client: ClientInfo): boolean {
    const limit = client.zone.authFailureLimit;
    return limit !== null && !this.#isKnown(client) && names(client).some((key) => this.#isFull(key, limit));
  }

  #isFull(key: string, limit: NonNullable<Limit>): boolean {
    return this.#level(key, limit) + 1 > allowed(key, limit);
  }

  #level(key: string, limit: NonNullable<Limit>): number {
    const c = this.#counts.get(key);
    return c === undefined || c.level === 0 ? 0 : leaked(c, allowed(key, limit) / limit.intervalMs, this.clock.mono());
  }

  #isKnown(client: ClientInfo): boolean {
    return this.#known.has(identity(client));
  }

  #refused(client: ClientInfo, message: string): false {
    this.metrics.authLimited++;
    const now = this.clock.mono();
    if (now - this.#warnedAt >= WARN_EVERY_MS) {
      this.#warnedAt = now;
      const { clientId, username, ip } = client;
      this.log.warn(message, { clientid: clientId, username: loggedName(username), ip });
    }
    return false;
  }

  #count(key: string): Count {
    let c = this.#counts.get(key);
    if (c === undefined) {
      c = { level: 0, at: this.clock.mono(), pending: 0, good: 0 };
      this.#counts.set(key, c);
    }
    return c;
  }
}

/** Failures in an interval. */
function allowed(key: string, { count }: NonNullable<Limit>): number {
  return key.startsWith(ADDRESS) ? count * ADDRESS_FACTOR : count;
}

/** In one moment as many may have failed as are allowed in an interval; as many are forgotten in one. `rate`: per ms. */
function leaked(c: Count, rate: number, now: MonoMs): number {
  return Math.max(0, c.level - between(c.at, now) * rate);
}

function names({ username, clientId }: ClientInfo): string[] {
  const id = `c${clientId.slice(0, NAME_MAX)}`;
  return username === null ? [id] : [`u${username.slice(0, NAME_MAX)}`, id];
}

function addressOf({ ip }: ClientInfo): string {
  return `${ADDRESS}${networkOf(ip)}`;
}

/** Where only so many are asked about at a time, and the next ones wait; in the order in which they are passed. */
function gates(client: ClientInfo): string[] {
  const from = networkOf(client.ip);
  return [...names(client).map((name) => `${from}\0${name}`), `${ADDRESS}${from}`];
}

function identity(client: ClientInfo): string {
  return `${networkOf(client.ip)}\0${names(client).join("\0")}`;
}

/** Part of them that goes at once. */
const BATCH = 16;

/**
 * Too many are kept: the oldest go, a part of all at once, since to find the first one costs as many steps as were taken away before it.
 */
function dropOldest(of: { readonly size: number; keys(): Iterable<string>; delete(key: string): boolean }, max: number): void {
  if (of.size <= max) return;
  const left = max - Math.floor(max / BATCH);
  for (const key of of.keys()) {
    of.delete(key);
    if (of.size <= left) return;
  }
}
