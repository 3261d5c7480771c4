/** What somebody who wants to come in is counted by (`guesses.ts`): addresses with names, addresses, names; apart for each limit. */
import { networkOf } from "../../lib/cidr.ts";
import type { MonoMs } from "../../lib/time.ts";
import type { ClientInfo } from "../types.ts";

/** Of longer names as many characters in front and at the end count: they must not make the tables large, and tokens of one issuer begin alike. */
const NAME_PART = 64;
const ADDRESS_FACTOR = 10;
/** Behind the limit, the key of an address begins with it; those of names, and of an address and a name, do not. */
const ADDRESS = "@";

/** What is known of a key. */
export interface Count {
  readonly key: string;
  /** Failures, as of `at`; leaking since. No more than are allowed. */
  level: number;
  /** The same, with those beyond what is allowed that right ones have let by. */
  all: number;
  at: MonoMs;
  /** Checks under way whose outcome is not known yet. */
  pending: number;
  /** Checks that went well since one failed, or none was under way. */
  good: number;
}

/** A key that failures are counted by. */
export interface Bound {
  readonly key: string;
  /** So many may fail in an interval. */
  readonly max: number;
  /** So many are forgotten, per ms. */
  readonly rate: number;
}

/** For as long as it has or wants a place, the limit is that with which it came. */
export interface Attempt {
  readonly client: ClientInfo;
  /** Its address and its names: who came in before as just this. */
  readonly identity: string;
  /** Where only so many are asked about at a time, and the next ones wait; in the order in which they are passed. */
  readonly gates: readonly Bound[];
  /** Whatever the address. */
  readonly names: readonly Bound[];
  /** What it has: a place at each of its first gates. */
  places: Count[];
}

/** What this client is counted by under the limit that its zone has now, without a place yet; null = there is none. */
export function attemptOf(client: ClientInfo): Attempt | null {
  const limit = client.zone.authFailureLimit;
  if (limit === null) return null;
  // What is much in one zone may be little in another one: each limit has counts of its own.
  const by = `${limit.count}/${limit.intervalMs}\0`;
  const bound = (key: string, max: number): Bound => ({ key: `${by}${key}`, max, rate: max / limit.intervalMs });
  const from = networkOf(client.ip);
  const own = names(client);
  return {
    client,
    // A limit that is changed while somebody guesses must not forget who came in before.
    identity: `${client.zone.name}\0${from}\0${own.join("\0")}`,
    gates: [...own.map((name) => bound(`${from}\0${name}`, limit.count)), bound(`${ADDRESS}${from}`, limit.count * ADDRESS_FACTOR)],
    names: own.map((name) => bound(name, limit.count)),
    places: [],
  };
}

/** The first one at which it has no place. */
export function nextGate({ gates, places }: Attempt): Bound | undefined {
  return gates[places.length];
}

function names({ username, clientId }: ClientInfo): string[] {
  const id = `c${ends(clientId)}`;
  return username === null ? [id] : [`u${ends(username)}`, id];
}

const ends = (name: string): string => (name.length <= 2 * NAME_PART ? name : name.slice(0, NAME_PART) + name.slice(-NAME_PART));
