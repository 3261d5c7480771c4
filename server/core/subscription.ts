/** One session's interest in one topic filter. */
import type { QoS } from "../mqtt/types.ts";
import type { Session } from "./session.ts";
import type { ShareGroup } from "./shared.ts";
import { plainTerms, type Terms, termsIndex } from "./terms.ts";
import type { SubscribeOptions } from "./types.ts";

const F_QOS = 3;
const F_NL = 4;
const F_RAP = 8;
/** Some of the overlapping subscriptions that it stands for have No Local, and others have not. */
const F_OWN_COPY = 16;
const RH_SHIFT = 5;

/** What few subscriptions have. */
class Rare {
  terms: (Terms | undefined)[] | null = null;
  ownCopy: Subscription | null = null;
}

/** There may be millions: the options are one number. */
export class Subscription {
  /** Position in the filter's (or group's) list, for removal without a search; -1 = in no list (any more). */
  index = -1;
  share: ShareGroup | null = null;
  /** All subscription identifiers of overlapping subscriptions [MQTT-3.3.4-3]; null = none. */
  subIds: number[] | null = null;
  #flags: number;
  #rare: Rare | null = null;

  constructor(
    readonly session: Session,
    /** With mountpoint, without `$share/<group>/`. */
    readonly filter: string,
    readonly group: string | null,
    options: SubscribeOptions,
  ) {
    this.#flags = flagsOf(options);
    if (options.subId > 0) this.subIds = [options.subId];
  }

  get qos(): QoS {
    return (this.#flags & F_QOS) as QoS;
  }
  /** No Local. */
  get nl(): boolean {
    return (this.#flags & F_NL) !== 0;
  }
  /** Retain As Published. */
  get rap(): boolean {
    return (this.#flags & F_RAP) !== 0;
  }
  /** Retain Handling. */
  get rh(): 0 | 1 | 2 {
    return (this.#flags >> RH_SHIFT) as 0 | 1 | 2;
  }

  /** Who has published the message makes a difference. */
  get mindsOwn(): boolean {
    return (this.#flags & (F_NL | F_OWN_COPY)) !== 0;
  }
  /** Only where overlapping subscriptions were merged and some of them have No Local: what the others make of its own messages. */
  get ownCopy(): Subscription | null {
    return this.#rare === null ? null : this.#rare.ownCopy;
  }
  set ownCopy(s: Subscription) {
    this.#flags |= F_OWN_COPY;
    this.#rare ??= new Rare();
    this.#rare.ownCopy = s;
  }

  get subId(): number {
    return this.subIds?.[0] ?? 0;
  }

  /** As the client (or the API) wrote it. */
  get fullFilter(): string {
    if (this.group === null) return this.filter;
    return this.group === "$queue" ? `$queue/${this.filter}` : `$share/${this.group}/${this.filter}`;
  }

  set(options: SubscribeOptions): void {
    this.#flags = flagsOf(options);
    this.subIds = options.subId > 0 ? [options.subId] : null;
    this.#rare = null;
  }

  /** How its session gets a message at that QoS, with that retain flag. */
  terms(qos: QoS, retain: boolean): Terms {
    if (this.subIds === null && this.share === null) return plainTerms(qos, retain);
    const i = termsIndex(qos, retain);
    this.#rare ??= new Rare();
    this.#rare.terms ??= new Array<Terms | undefined>(6);
    const { terms } = this.#rare;
    let t = terms[i];
    if (t === undefined) {
      t = { qos, retain, subIds: this.subIds, share: this.share };
      terms[i] = t;
    }
    return t;
  }
}

function flagsOf({ qos, nl, rap, rh }: SubscribeOptions): number {
  return qos | (nl ? F_NL : 0) | (rap ? F_RAP : 0) | (rh << RH_SHIFT);
}
