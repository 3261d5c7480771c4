/** Shared subscriptions: one member of a group gets each message (MQTT 5 section 4.8.2; `$queue/` is EMQ X's group without a name). */
import type { SharedStrategy } from "../config/types.ts";
import type { Random } from "./ports.ts";
import type { Subscription } from "./subscription.ts";

export class ShareGroup {
  readonly members: Subscription[] = [];
  /** Whose turn it is by `round_robin`: the one behind the last that got a message. */
  #next = 0;
  #sticky: Subscription | null = null;

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
    if (last !== s) {
      this.members[s.index] = last;
      last.index = s.index;
    }
    s.index = -1;
    s.share = null;
    if (this.#sticky === s) this.#sticky = null;
  }

  /** The member that gets the next message of `publisher`: a connected one when there is any, else a persistent offline one. */
  pick(strategy: SharedStrategy, publisher: string, random: Random, except: Subscription["session"] | null = null): Subscription | null {
    const n = this.members.length;
    if (n === 0) return null;
    if (strategy === "sticky" && this.#sticky !== null && usable(this.#sticky, except)) return this.#sticky;
    const start = this.#start(strategy, publisher, random, n);
    for (let k = 0; k < n; k++) {
      const s = this.members[(start + k) % n] as Subscription;
      if (usable(s, except)) {
        if (strategy === "sticky") this.#sticky = s;
        this.#next = start + k + 1;
        return s;
      }
    }
    for (let k = 0; k < n; k++) {
      const s = this.members[(start + k) % n] as Subscription;
      if (s.session !== except && !s.session.terminated) {
        this.#next = start + k + 1;
        return s;
      }
    }
    return null;
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
