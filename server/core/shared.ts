/** Shared subscriptions: one member of a group gets each message (MQTT 5 section 4.8.2; `$queue/` is EMQ X's group without a name). */
import type { SharedStrategy } from "../config/types.ts";
import type { Random } from "./ports.ts";
import type { Subscription } from "./subscription.ts";

/** A group of no more members than that is looked through each time. */
const SMALL = 32;

export class ShareGroup {
  readonly members: Subscription[] = [];
  /** Members that the last `pick` looked at. */
  looked = 0;
  /** Whose turn it is by `round_robin`: the one behind the last that got a message. */
  #next = 0;
  #sticky: Subscription | null = null;
  /** A bit for each member, in words of 32: found away, and not back since; null = nobody was. What is not there yet is 0. */
  #away: number[] | null = null;
  #awayCount = 0;

  constructor(
    readonly name: string,
    readonly filter: string,
  ) {}

  add(s: Subscription): void {
    s.index = this.members.length;
    s.share = this;
    this.members.push(s);
  }

  remove(s: Subscription): void {
    const last = this.members.pop() as Subscription;
    if (this.#away !== null) {
      const lastAway = this.#isAway(last.index);
      this.#mark(last.index, false);
      if (last !== s) this.#mark(s.index, lastAway);
      s.session.foundAway?.delete(s);
    }
    if (last !== s) {
      this.members[s.index] = last;
      last.index = s.index;
    }
    s.index = -1;
    s.share = null;
    if (this.#sticky === s) this.#sticky = null;
  }

  /** The client of a member that was found away has come back. */
  back(s: Subscription): void {
    this.#mark(s.index, false);
  }

  /** The member that gets the next message of `publisher`: a connected one when there is any, else a persistent offline one. */
  pick(strategy: SharedStrategy, publisher: string, random: Random, except: Subscription["session"] | null = null): Subscription | null {
    const n = this.members.length;
    this.looked = 1;
    if (n === 0) return null;
    if (strategy === "sticky" && this.#sticky !== null && usable(this.#sticky, except)) return this.#sticky;
    const start = this.#start(strategy, publisher, random, n);
    const here = this.#usable(start, n, except);
    if (here !== null) {
      if (strategy === "sticky") this.#sticky = here;
      this.#next = here.index + 1;
      return here;
    }
    for (let k = 0; k < n; k++) {
      const s = this.members[(start + k) % n] as Subscription;
      this.looked++;
      if (s.session !== except && !s.session.terminated) {
        this.#next = s.index + 1;
        return s;
      }
    }
    return null;
  }

  /** The first from `start` on that takes a message now. Those found away are not looked at again until they are back. */
  #usable(start: number, n: number, except: Subscription["session"] | null): Subscription | null {
    if (this.#awayCount === n) return null;
    for (let k = 0; k < n; k++) {
      const i = (start + k) % n;
      this.looked++;
      if (this.#away !== null) {
        if ((i & 31) === 0 && this.#away[i >>> 5] === -1) {
          k += 31;
          continue;
        }
        if (this.#isAway(i)) continue;
      }
      const s = this.members[i] as Subscription;
      if (usable(s, except)) return s;
      if (n > SMALL && s.session.channel === null) this.#missed(s);
    }
    return null;
  }

  #missed(s: Subscription): void {
    this.#mark(s.index, true);
    s.session.foundAway ??= new Set();
    s.session.foundAway.add(s);
  }

  #isAway(i: number): boolean {
    return (((this.#away?.[i >>> 5] ?? 0) >>> (i & 31)) & 1) === 1;
  }

  #mark(i: number, away: boolean): void {
    if (this.#isAway(i) === away) return;
    this.#away ??= [];
    const words = this.#away;
    while (words.length <= i >>> 5) words.push(0);
    (words[i >>> 5] as number) ^= 1 << (i & 31);
    this.#awayCount += away ? 1 : -1;
  }

  #start(strategy: SharedStrategy, publisher: string, random: Random, n: number): number {
    switch (strategy) {
      case "round_robin":
        return this.#next % n;
      case "hash":
        return hash(publisher) % n;
      default:
        return Math.floor(random.next() * n);
    }
  }
}

/** A client is back: the groups that found it away may pick it again. */
export function welcome(session: Subscription["session"]): void {
  const subs = session.foundAway;
  if (subs === null) return;
  session.foundAway = null;
  for (const s of subs) s.share?.back(s);
}

/** Connected and able to take a message now. */
function usable(s: Subscription, except: Subscription["session"] | null): boolean {
  return s.session !== except && s.session.reachable;
}

/** FNV-1a over the UTF-16 code units. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  return h >>> 0;
}
