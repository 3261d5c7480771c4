/** One session's interest in one topic filter. */
import type { QoS } from "../mqtt/types.ts";
import type { Session } from "./session.ts";
import type { ShareGroup } from "./shared.ts";
import { plainTerms, type Terms, termsIndex } from "./terms.ts";
import type { SubscribeOptions } from "./types.ts";

export class Subscription {
  /** Position in the filter's (or group's) list, for removal without a search; -1 = in no list (any more). */
  index = -1;
  share: ShareGroup | null = null;
  /** All subscription identifiers of overlapping subscriptions [MQTT-3.3.4-3]; null = none. */
  subIds: number[] | null = null;
  /** Only where overlapping subscriptions were merged and some of them have No Local: what the others make of its own messages. */
  ownCopy: Subscription | null = null;
  qos: QoS;
  nl: boolean;
  rap: boolean;
  rh: 0 | 1 | 2;
  /** Made on first use; null = none yet. */
  #terms: (Terms | undefined)[] | null = null;

  constructor(
    readonly session: Session,
    /** With mountpoint, without `$share/<group>/`. */
    readonly filter: string,
    readonly group: string | null,
    options: SubscribeOptions,
  ) {
    this.qos = options.qos;
    this.nl = options.nl;
    this.rap = options.rap;
    this.rh = options.rh;
    if (options.subId > 0) this.subIds = [options.subId];
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
    this.qos = options.qos;
    this.nl = options.nl;
    this.rap = options.rap;
    this.rh = options.rh;
    this.subIds = options.subId > 0 ? [options.subId] : null;
    this.#terms = null;
  }

  /** How its session gets a message at that QoS, with that retain flag. */
  terms(qos: QoS, retain: boolean): Terms {
    if (this.subIds === null && this.share === null) return plainTerms(qos, retain);
    const i = termsIndex(qos, retain);
    this.#terms ??= new Array<Terms | undefined>(6);
    let t = this.#terms[i];
    if (t === undefined) {
      t = { qos, retain, subIds: this.subIds, share: this.share };
      this.#terms[i] = t;
    }
    return t;
  }
}
