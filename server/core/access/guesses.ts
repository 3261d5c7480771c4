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
 * Zones with one limit count together; a zone with another one counts by itself, and so does one whose limit is changed. Who came in before is known
 * by zone, so that a change of the limit forgets nobody.
 * An IPv6 network of 64 bits counts as one address. Counts leak evenly, and never are above what is allowed: after a burst of any size, one more
 * attempt per part of it. What was let by for right ones and was wrong is remembered beyond that, and leaves right ones so much less to let by: who
 * has an account, too, guesses at others' as often as the limit allows, and at `GOOD_MAX` more once, however he goes about it (355 instead of 100
 * in 20 intervals of 5. Without that it is 25,600; and 5,200 where right ones let by the fewer the more have failed: after each interval none has).
 */
import { networkOf } from "../../lib/cidr.ts";
import { loggedName } from "../../lib/mask.ts";
import { between, type MonoMs } from "../../lib/time.ts";
import type { Clock, Log } from "../ports.ts";
import type { ClientInfo } from "../types.ts";
import type { Metrics } from "../watch/metrics.ts";
import { type Attempt, attemptOf, type Bound, type Count, nextGate } from "./attempt.ts";
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

/** It waits until somebody's outcome is known, in the line of the first gate at which it has no place, or for the delay of its name. */
interface Waiting {
  readonly attempt: Attempt;
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
  /** Who has a place at all of its gates: it is checked, or its turn has come. */
  readonly #holders = new WeakMap<ClientInfo, Attempt>();
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
   * the packet that waits with it. Behind a yes comes `pending`, where the check takes time, and always `settled`; `left` ends the wait.
   */
  admit(client: ClientInfo, sleep: (ms: number) => Promise<void>, bytes = 0): boolean | Promise<boolean> {
    const a = this.#counts.size === 0 ? null : attemptOf(client);
    if (a === null) return true;
    if (this.#isRefused(a)) return this.#refused(client, FAILED_TOO_OFTEN);
    const hasPlaces = a.gates.every((gate) => this.#hasRoom(a, gate));
    if (hasPlaces && !this.#isSlowed(a)) return true;
    const may = hasPlaces ? this.#slowly(a, sleep, bytes) : this.#inTurn(a, bytes);
    if (may instanceof Promise) this.metrics.authDelayed++;
    return may;
  }

  /** Would it be refused now for what has failed? Nothing is counted. */
  refuses(client: ClientInfo): boolean {
    const a = this.#counts.size === 0 ? null : attemptOf(client);
    return a !== null && this.#isRefused(a);
  }

  /** Its check takes time: it has its places, from now on where it has waited for none. `settled` when the outcome is known. */
  pending(client: ClientInfo): void {
    const a = this.#holders.has(client) ? null : attemptOf(client);
    if (a === null) return;
    for (const gate of a.gates) this.#takePlace(a, gate);
    this.#holders.set(client, a);
  }

  /** It is checked no more, or never was. Who has no places gives none back. */
  settled(client: ClientInfo): void {
    const a = this.#holders.get(client);
    if (a === undefined) return;
    this.#holders.delete(client);
    this.#release(a);
  }

  /** It has hung up: nobody waits behind it, nor for want of the room that it took. Returns true when it waited, and does not any more. */
  left(client: ClientInfo): boolean {
    const w = this.#waiting.get(client);
    if (w === undefined) return false;
    const { key } = nextGate(w.attempt) as Bound;
    const line = this.#lines.get(key);
    if (line?.delete(w) && line.size === 0) this.#lines.delete(key);
    this.#endsWaiting(w);
    w.done(false);
    this.#release(w.attempt);
    return true;
  }

  /** The credentials were wrong. */
  failed(client: ClientInfo): void {
    const a = this.#holders.get(client) ?? attemptOf(client);
    if (a === null) return;
    this.#known.delete(a.identity);
    const now = this.clock.mono();
    for (const { key, max, rate } of [...a.gates, ...a.names]) {
      const c = this.#count(key);
      // Those that were under way when it was reached do not make the wait longer.
      c.level = Math.min(leaked(c.level, c, rate, now) + 1, max);
      c.all = Math.min(leaked(c.all, c, rate, now) + 1, max + GOOD_MAX);
      c.at = now;
      c.good = 0;
      // The last to fail stands last.
      this.#counts.delete(key);
      this.#counts.set(key, c);
    }
    dropOldest(this.#counts, this.maxCounts);
    for (const { key } of a.gates) this.#wake(key);
  }

  /** The credentials were right. */
  passed(client: ClientInfo): void {
    const a = this.#holders.get(client) ?? attemptOf(client);
    if (a === null) return;
    this.#known.delete(a.identity);
    this.#known.add(a.identity);
    dropOldest(this.#known, MAX_KNOWN);
    for (const { key } of a.gates) {
      const c = this.#counts.get(key);
      if (c === undefined || c.pending === 0) continue;
      c.good = Math.min(c.good + 1, GOOD_MAX);
      this.#wake(key);
    }
  }

  /** Guessed at from everywhere: it waits, and is looked at anew. */
  #slowly(a: Attempt, sleep: (ms: number) => Promise<void>, bytes: number): boolean | Promise<boolean> {
    return this.#waits({ attempt: a, room: this.#delayed, takes: 1 }, (w) => {
      void sleep(NAME_DELAY_MS).then(() => {
        if (this.#waiting.get(a.client) !== w) return;
        this.#endsWaiting(w);
        w.done(this.#isRefused(a) ? this.#refused(a.client, FAILED_TOO_OFTEN) : this.#inTurn(a, bytes));
      });
    });
  }

  /** As soon as there is a place at each of its gates: what it has got it keeps, gates are passed in one order, so that none waits for another in a ring. */
  #inTurn(a: Attempt, bytes: number): boolean | Promise<boolean> {
    const next = this.#takePlaces(a);
    if (next === null) return true;
    const may = this.#waits({ attempt: a, room: this.#waitingBytes, takes: bytes + WAITING_BYTES }, (w) => this.#stands(w, next));
    if (may === false) this.#release(a);
    return may;
  }

  #waits(what: Omit<Waiting, "done">, begin: (w: Waiting) => void): false | Promise<boolean> {
    const { client } = what.attempt;
    if (!what.room.take(networkOf(client.ip), what.takes)) return this.#refused(client, TOO_MANY_UNDER_WAY);
    return new Promise((done) => {
      const w = { ...what, done };
      this.#waiting.set(client, w);
      begin(w);
    });
  }

  #stands(w: Waiting, { key }: Bound): void {
    const line = this.#lines.get(key);
    if (line === undefined) this.#lines.set(key, new Set([w]));
    else line.add(w);
  }

  #endsWaiting({ attempt: { client }, room, takes }: Waiting): void {
    this.#waiting.delete(client);
    room.giveBack(networkOf(client.ip), takes);
  }

  /** Places at its gates, as far as there is room -> the first one at which there is none; null = it has them all. */
  #takePlaces(a: Attempt): Bound | null {
    for (let next = nextGate(a); next !== undefined; next = nextGate(a)) {
      if (!this.#hasRoom(a, next)) return next;
      this.#takePlace(a, next);
    }
    this.#holders.set(a.client, a);
    return null;
  }

  #takePlace(a: Attempt, { key }: Bound): void {
    const c = this.#count(key);
    c.pending++;
    a.places.push(c);
  }

  /** Its places are others'. */
  #release(a: Attempt): void {
    const { places } = a;
    a.places = [];
    for (const c of places) c.pending--;
    for (const c of places) {
      this.#wake(c.key);
      if (c.pending > 0) continue;
      c.good = 0;
      // It may have been forgotten, and be another one by now.
      if (c.level === 0 && this.#counts.get(c.key) === c) this.#counts.delete(c.key);
    }
  }

  /** As many as there are places for go on, to the next gate or to be asked about; or all, to be refused. While somebody waits, somebody has a place. */
  #wake(key: string): void {
    const line = this.#lines.get(key);
    if (line === undefined) return;
    for (const w of line) {
      const a = w.attempt;
      const gate = nextGate(a) as Bound;
      const hasRoom = this.#hasRoom(a, gate);
      const refused = this.#isLocked(a) || this.#isVain(a, gate);
      if (!refused && !hasRoom) break;
      line.delete(w);
      if (refused) {
        this.#endsWaiting(w);
        w.done(this.#refused(a.client, FAILED_TOO_OFTEN));
        this.#release(a);
      } else this.#goesOn(w);
    }
    if (line.size === 0 && this.#lines.get(key) === line) this.#lines.delete(key);
  }

  #goesOn(w: Waiting): void {
    const next = this.#takePlaces(w.attempt);
    if (next === null) {
      this.#endsWaiting(w);
      w.done(true);
    } else this.#stands(w, next);
  }

  #hasRoom(a: Attempt, gate: Bound): boolean {
    const c = this.#counts.get(gate.key);
    if (c === undefined) return true;
    if (this.#isKnown(a)) return c.pending + 1 <= gate.max + c.good;
    const now = this.clock.mono();
    const failed = leaked(c.level, c, gate.rate, now);
    const beyond = leaked(c.all, c, gate.rate, now) - failed;
    return failed + c.pending + 1 <= gate.max + Math.max(0, Math.min(c.good, GOOD_MAX - beyond));
  }

  /** It has no place yet, and is not to wait for any. */
  #isRefused(a: Attempt): boolean {
    return this.#isLocked(a) || a.gates.some((gate) => this.#isVain(a, gate));
  }

  /** Is there no place for it at this gate, for failures rather than for those under way, who may be right? */
  #isVain(a: Attempt, gate: Bound): boolean {
    const c = this.#counts.get(gate.key);
    if (c === undefined || this.#isKnown(a) || this.#hasRoom(a, gate)) return false;
    return this.#level(gate) > c.pending * FAILED_TO_PENDING;
  }

  /** As many have failed as may, at one of its gates, and it has not come in from there before. */
  #isLocked(a: Attempt): boolean {
    return !this.#isKnown(a) && a.gates.some((gate) => this.#isFull(gate));
  }

  /** Its name is guessed at from everywhere, and it has not come in from there before. */
  #isSlowed(a: Attempt): boolean {
    return !this.#isKnown(a) && a.names.some((name) => this.#isFull(name));
  }

  #isFull(bound: Bound): boolean {
    return this.#level(bound) + 1 > bound.max;
  }

  #level({ key, rate }: Bound): number {
    const c = this.#counts.get(key);
    return c === undefined || c.level === 0 ? 0 : leaked(c.level, c, rate, this.clock.mono());
  }

  #isKnown(a: Attempt): boolean {
    return this.#known.has(a.identity);
  }

  #refused(client: ClientInfo, message: string): false {
    this.metrics.authLimited++;
    const now = this.clock.mono();
    if (now - this.#warnedAt >= WARN_EVERY_MS) {
      this.#warnedAt = now;
      const { clientId, username, ip } = client;
      this.log.warn(message, { clientid: loggedName(clientId), username: loggedName(username), ip });
    }
    return false;
  }

  #count(key: string): Count {
    let c = this.#counts.get(key);
    if (c === undefined) {
      c = { key, level: 0, all: 0, at: this.clock.mono(), pending: 0, good: 0 };
      this.#counts.set(key, c);
    }
    return c;
  }
}

/** In one moment as many may have failed as are allowed in an interval; as many are forgotten in one. `rate`: per ms. */
function leaked(level: number, { at }: Count, rate: number, now: MonoMs): number {
  return Math.max(0, level - between(at, now) * rate);
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
