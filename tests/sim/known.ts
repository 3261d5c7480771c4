/** Checks that are switched off until the broker is right. Each goes with its reason; the table is to be empty. */
import type { Step } from "./steps.ts";

export interface Known {
  readonly rule: string;
  /** Only findings whose text matches. */
  readonly only?: RegExp;
  /** Steps that are left out meanwhile, because what they break spreads. */
  readonly without?: (step: Step) => boolean;
  readonly why: string;
}

const breaks =
  (...kinds: string[]) =>
  (s: Step): boolean =>
    s.k === "bad" && kinds.includes(s.what);

export const KNOWN: readonly Known[] = [
  {
    rule: "exception_escapes",
    without: (s) => s.k === "net" && s.mode === "throw",
    why: "a write that throws ends the loop over the connections",
  },
  { rule: "not_closed", only: /malformed filter/, without: breaks("filter", "unfilter"), why: "malformed filters are answered, not closed" },
  { rule: "unexpected_close", only: /topic_name_invalid/, without: breaks("share_pub"), why: "PUBLISH to $share/ closes the connection" },
  { rule: "wrong_ack", without: breaks("wrong_ack"), why: "acknowledgements of the wrong kind are tolerated" },
  { rule: "dup31", without: breaks("dup31"), why: "DUP of MQTT 3.1 on PUBREL, SUBSCRIBE and UNSUBSCRIBE closes the connection" },
  { rule: "work", why: "one message to many overlapping filters takes quadratic work" },
  { rule: "too_large", why: "Maximum Packet Size counts for PUBLISH only" },
  { rule: "ack_before_commit_failing", without: (s) => s.k === "store", why: "acknowledgements leave while the disk fails" },
  { rule: "count_connections", why: "a connection cut because the disk fails stays connected for the core" },
];
