/**
 * How one session gets a message: what the subscriptions that matched make of it. Never changed once made, so queue, inflight window
 * and subscription share one object, and a hook that publishes in the middle of a delivery disturbs nothing.
 */
import type { QoS } from "../mqtt/types.ts";
import type { ShareGroup } from "./shared.ts";

export interface Terms {
  readonly qos: QoS;
  readonly retain: boolean;
  /** Subscription identifiers that go with it [MQTT-3.3.4-3]; null = none. */
  readonly subIds: number[] | null;
  /** The group it was given to this session for; null = not a shared subscription. */
  readonly share: ShareGroup | null;
}

/** One of six: three QoS, retain flag or not. */
export function termsIndex(qos: QoS, retain: boolean): number {
  return qos * 2 + (retain ? 1 : 0);
}

const PLAIN: readonly Terms[] = ([0, 1, 2] as const).flatMap((qos) =>
  [false, true].map((retain) => ({ qos, retain, subIds: null, share: null })),
);

/** Without subscription identifiers and group: nearly all deliveries. */
export function plainTerms(qos: QoS, retain: boolean): Terms {
  return PLAIN[termsIndex(qos, retain)] as Terms;
}

export function termsOf(qos: QoS, retain: boolean, subIds: number[] | null, share: ShareGroup | null): Terms {
  return subIds === null && share === null ? plainTerms(qos, retain) : { qos, retain, subIds, share };
}
