/**
 * Whoever fails to authenticate too often is not asked any more for a while (zone setting `auth_failure_limit`), so that passwords
 * cannot be tried by the thousand. Looked at before any password is hashed; failed authentications alone count.
 *
 * Three counts, because a lock that others can close is a way to keep somebody out:
 * - an address and a name together (user name, client id): the limit. Only this address is refused this name.
 * - an address, whatever the names: ten times the limit. Who came in from there before still comes in.
 * - a name, whatever the addresses: beyond the limit an attempt waits a little, nobody is refused.
 * Of those under way whose outcome is not known yet, no more are asked about than may fail, so that guesses that come together are not all looked
 * at; the others wait for an outcome. Each that is right lets two go on, each that is wrong makes it as many as in the beginning: many devices
 * with one user name behind one address are soon asked about together.
 * An IPv6 network of 64 bits counts as one address. Counts leak evenly: after a burst of the limit, one more attempt per part of it.
 */
import { networkOf } from "../../lib/cidr.ts";
import { loggedName } from "../../lib/mask.ts";
import { between, type MonoMs } from "../../lib/time.ts";
import type { Clock, Log } from "../ports.ts";
import type { ClientInfo } from "../types.ts";
import type { Metrics } from "../watch/metrics.ts";

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
/** How long an attempt on a name waits that is guessed at from everywhere, ms. */
const NAME_DELAY_MS = 2000;
/** More than this of one address and name are never asked about together for having been right: servers are not asked more at a time. */
const GOOD_MAX = 256;
const WARN_EVERY_MS = 10_000;
const REFUSED = -1;
const FAILED_TOO_OFTEN = "too many failed authentications: not asked for a while";
/** Passwords may all be right: whoever checks them is slow. */
const TOO_MANY_UNDER_WAY = "too many authentications of the same names are under way: not asked";

interface Count {
  /** Failures, as of `at`; leaking since. */
  level: number;
  at: MonoMs;
  /** Checks under way whose outcome is not known yet. */
  pending: number;
  /** Checks that went well since one failed, or none was under way. */
  good: number;
}

/** 0 = at once, `REFUSED`, ms to wait, or the address and name of which an outcome has to be waited for. */
type Wait = number | string;

export class Guesses {
  /** Least recently failed first. */
  readonly #counts = new Map<string, Count>();
  readonly #known = new Set<string>();
  /** Who waits for an outcome, by address and name. */
  readonly #lines = new Map<string, Set<() => void>>();
  /** Those of them whose turn has come, counted as pending, and who are not being checked yet. */
  readonly #admitted = new WeakSet<ClientInfo>();
  #delayed = 0;
  #waitingBytes = 0;
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
   * the packet that waits with it. Behind a yes comes `pending`, or `released`.
   */
  admit(client: ClientInfo, sleep: (ms: number) => Promise<void>, bytes = 0): boolean | Promise<boolean> {
    const wait = this.#wait(client, false);
    if (wait === 0) return true;
    if (wait === REFUSED) return this.#refused(client, FAILED_TOO_OFTEN);
    const isFull = typeof wait === "number" ? this.#delayed >= MAX_DELAYED : this.#waitingBytes + bytes + WAITING_BYTES > MAX_WAITING_BYTES;
    if (isFull) return this.#refused(client, TOO_MANY_UNDER_WAY);
    return this.#later(client, wait, sleep, bytes + WAITING_BYTES);
  }

  /** Would it be refused now? Nothing is counted. */
  refuses(client: ClientInfo): boolean {
    return this.#wait(client, true) === REFUSED;
  }

  /** Its check takes time. `settled` when the outcome is known. */
  pending(client: ClientInfo): void {
    if (client.zone.authFailureLimit === null || this.#admitted.delete(client)) return;
    for (const key of pairs(client)) this.#count(key).pending++;
  }

  settled(client: ClientInfo): void {
    for (const key of pairs(client)) {
      const c = this.#counts.get(key);
      if (c !== undefined && c.pending > 0) c.pending--;
      this.#wake(key, client.zone.authFailureLimit);
      if (c === undefined || c.pending > 0) continue;
      c.good = 0;
      if (c.level === 0) this.#counts.delete(key);
    }
  }

  /** It was admitted, and is not checked, or was at once. */
  released(client: ClientInfo): void {
    if (this.#admitted.delete(client)) this.settled(client);
  }

  /** The credentials were wrong. */
  failed(client: ClientInfo): void {
    const limit = client.zone.authFailureLimit;
    if (limit === null) return;
    this.#known.delete(identity(client));
    const now = this.clock.mono();
    for (const key of [networkOf(client.ip), ...pairs(client), ...names(client)]) {
      const c = this.#count(key);
      c.level = leaked(c, limit.count / limit.intervalMs, now) + 1;
      c.at = now;
      c.good = 0;
      // The last to fail stands last.
      this.#counts.delete(key);
      this.#counts.set(key, c);
    }
    dropOldest(this.#counts, this.maxCounts);
    for (const key of pairs(client)) this.#wake(key, limit);
  }

  /** The credentials were right. */
  passed(client: ClientInfo): void {
    if (client.zone.authFailureLimit === null) return;
    const id = identity(client);
    this.#known.delete(id);
    this.#known.add(id);
    dropOldest(this.#known, MAX_KNOWN);
    for (const key of pairs(client)) {
      const c = this.#counts.get(key);
      if (c === undefined || c.pending === 0) continue;
      c.good = Math.min(c.good + 1, GOOD_MAX);
      this.#wake(key, client.zone.authFailureLimit);
    }
  }

  async #later(client: ClientInfo, first: Wait, sleep: (ms: number) => Promise<void>, bytes: number): Promise<boolean> {
    this.metrics.authDelayed++;
    let wait = first;
    while (wait !== 0 && wait !== REFUSED)
      wait = await (typeof wait === "number" ? this.#delay(client, sleep(wait)) : this.#outcome(client, wait, bytes));
    return wait === 0 || this.#refused(client, FAILED_TOO_OFTEN);
  }

  async #delay(client: ClientInfo, slept: Promise<void>): Promise<Wait> {
    this.#delayed++;
    try {
      await slept;
    } finally {
      this.#delayed--;
    }
    return this.#again(client);
  }

  /** Until one of those under way has an outcome. */
  async #outcome(client: ClientInfo, key: string, bytes: number): Promise<Wait> {
    const line = this.#lines.get(key) ?? new Set();
    this.#lines.set(key, line);
    this.#waitingBytes += bytes;
    const wait = await new Promise<Wait>((done) => line.add(() => done(this.#again(client))));
    this.#waitingBytes -= bytes;
    return wait;
  }

  /** Counted as pending at once where it may go on: until it is being checked some steps of promises go by, in which others must not take its place. */
  #again(client: ClientInfo): Wait {
    const wait = this.#wait(client, true);
    if (wait === 0 && client.zone.authFailureLimit !== null) {
      this.pending(client);
      this.#admitted.add(client);
    }
    return wait;
  }

  /** As many as may be asked about now go on, or all, to be refused. */
  #wake(key: string, limit: ClientInfo["zone"]["authFailureLimit"]): void {
    const line = this.#lines.get(key);
    if (line === undefined) return;
    for (const turn of line) {
      if (!this.#hasNews(key, limit)) break;
      line.delete(turn);
      turn();
    }
    if (line.size === 0) this.#lines.delete(key);
  }

  /** There is a place for somebody who waits, or will be none. */
  #hasNews(key: string, limit: ClientInfo["zone"]["authFailureLimit"]): boolean {
    const c = this.#counts.get(key);
    if (limit === null || c === undefined) return true;
    const failed = leaked(c, limit.count / limit.intervalMs, this.clock.mono());
    return failed + 1 > limit.count || failed + c.pending + 1 <= limit.count + c.good;
  }

  /** `waited`: the name's delay is served. */
  #wait(client: ClientInfo, waited: boolean): Wait {
    const limit = client.zone.authFailureLimit;
    if (limit === null || this.#counts.size === 0 || this.#known.has(identity(client))) return 0;
    const rate = limit.count / limit.intervalMs;
    const now = this.clock.mono();
    const level = (key: string): number => {
      const c = this.#counts.get(key);
      return c === undefined ? 0 : leaked(c, rate, now);
    };
    if (level(networkOf(client.ip)) + 1 > limit.count * ADDRESS_FACTOR) return REFUSED;
    let wait: Wait = 0;
    for (const key of pairs(client)) {
      const failed = level(key);
      if (failed + 1 > limit.count) return REFUSED;
      const { pending, good } = this.#counts.get(key) ?? NONE;
      if (failed + pending + 1 > limit.count + good) wait = key;
    }
    if (wait === 0 && !waited && names(client).some((key) => level(key) + 1 > limit.count)) wait = NAME_DELAY_MS;
    return wait;
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

const NONE: Pick<Count, "pending" | "good"> = { pending: 0, good: 0 };

function leaked(c: Count, rate: number, now: MonoMs): number {
  return Math.max(0, c.level - between(c.at, now) * rate);
}

function names({ username, clientId }: ClientInfo): string[] {
  const id = `c${clientId.slice(0, NAME_MAX)}`;
  return username === null ? [id] : [`u${username.slice(0, NAME_MAX)}`, id];
}

function pairs(client: ClientInfo): string[] {
  const from = networkOf(client.ip);
  return names(client).map((name) => `${from}\0${name}`);
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
