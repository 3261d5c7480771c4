/** Where the messages of one topic go. */
import { NO_BYTES } from "../lib/bytes.ts";
import type { FilterEntry, Merged } from "./merged.ts";
import type { ShareGroup } from "./shared.ts";
import type { Subscription } from "./subscription.ts";

const { latin1Slice, utf8Slice } = Buffer.prototype;
const NOBODY: readonly Subscription[] = [];
const DOLLAR = 0x24;
/** Where the broker tells about itself. */
export const SYS = "$SYS/";

/** As found for one message, or kept for those that come after it (kept_routes.ts). */
export class Route {
  /** Subscriptions that each get a copy. Valid until something changes; walk it between `Router.enter` and `leave`. */
  subs: readonly Subscription[] = NOBODY;
  /** Groups that each get one copy; null = none. */
  shares: readonly ShareGroup[] | null = null;
  sys = false;
  /** One that is kept is valid while its generation is the router's; 0 = it has been dropped, or never was kept. */
  generation = 0;
  /** `Router.moves` when it was found; for one that is not kept. */
  moves = 0;
  /** How many wildcard filters had come and gone when it was made, or looked at last. */
  changes = 0;
  /** Steps it took to find what matches. */
  cost = 0;
  hash = 0;
  /** Whether a `message.publish` hook waits for its topic, and `Hooks.generation` when that was found out; 0 = it was not. */
  seen = false;
  seenAt = 0;
  /** Whose list `subs` is: of one filter, of several, or nobody's. */
  source: FilterEntry | Merged | null = null;
  /** It was asked for since somebody looked for one to drop. */
  used = false;
  /** It is, or was, kept. */
  kept = false;
  #buf: Uint8Array = NO_BYTES;
  #start = 0;
  #end = 0;
  #topic: string | null = null;
  /** The topic with one character for each byte of its UTF-8; of one that is kept. */
  #name = "";
  #bytes: Uint8Array | null = null;

  /** The topic is `buf[start, end)`, which must not change while the route is in use, or until it is kept; `topic`: its string, if there is one. */
  of(buf: Uint8Array, start: number, end: number, hash: number, topic: string | null): void {
    this.#buf = buf;
    this.#start = start;
    this.#end = end;
    this.#topic = topic;
    this.#bytes = null;
    this.hash = hash;
    this.seenAt = 0;
    this.sys = buf[start] === DOLLAR && this.topic.startsWith(SYS);
  }

  get topic(): string {
    const topic = this.#topic ?? utf8Slice.call(this.#buf, this.#start, this.#end);
    this.#topic = topic;
    return topic;
  }

  /** The topic as it stands in a packet. */
  get bytes(): Uint8Array {
    this.#bytes ??= Buffer.from(this.topic);
    return this.#bytes;
  }

  get empty(): boolean {
    return this.subs.length === 0 && this.shares === null;
  }

  /** It will be used again: the buffer it was found in is let go. */
  keep(): void {
    const { topic } = this;
    this.#name = topic.length === this.#end - this.#start ? topic : latin1Slice.call(this.#buf, this.#start, this.#end);
    this.#buf = NO_BYTES;
    this.kept = true;
  }

  /** Is that the name of its topic? Of one that is kept. */
  isNamed(buf: Uint8Array, start: number, end: number): boolean {
    const name = this.#name;
    if (name.length !== end - start) return false;
    for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== buf[start + i]) return false;
    return true;
  }
}
