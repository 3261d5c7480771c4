/** What can happen in a history. Steps are data that stand for themselves: any of them may be taken out, the rest still makes sense. */
import type { MemoryLevel } from "../../server/core/watch/memory.ts";
import type { Request, Version } from "./encode.ts";

interface ConnectStep {
  k: "connect";
  c: number;
  v: Version;
  clean: boolean;
  /** Seconds. */
  ka: number;
  /** 5.0: session expiry in seconds, Receive Maximum, Maximum Packet Size, Topic Alias Maximum, Request Problem Information. */
  exp?: number;
  rm?: number;
  mps?: number;
  tam?: number;
  pi?: number;
  will?: { t: string; q: number; r: boolean; delay: number; size: number };
  /** Answered late by the authentication hook; or refused by it. */
  auth?: "slow" | "bad";
  how?: "auto" | "lazy" | "never";
  holdsRel?: boolean;
}

export type Step = (
  | ConnectStep
  /** A socket without CONNECT. */
  | { k: "open"; c: number }
  | { k: "sub"; c: number; subs: Request[]; id: number }
  | { k: "unsub"; c: number; fs: string[] }
  | {
      k: "pub";
      c: number;
      t: string;
      q: number;
      r: boolean;
      size: number;
      n: number;
      alias?: number;
      expiry?: number;
      user?: boolean;
      delay?: number;
    }
  /** Say `n` of what is owed, from position `i` on. */
  | { k: "ack"; c: number; i: number; n: number; code?: number }
  | { k: "ping"; c: number }
  | { k: "disc"; c: number; code: number; exp?: number }
  /** The close event of the newest connection, or of an older one of this client. */
  | { k: "close"; c: number; old?: boolean }
  /** Hand over what is on the wire, in pieces of so many bytes; `left` bytes stay. */
  | { k: "send"; c: number; piece: number; left: number }
  | { k: "net"; c: number; mode: "open" | "full" | "gone" | "throw"; room: number }
  | { k: "drain"; c: number; room: number }
  | { k: "bad"; c: number; what: BadKind }
  | { k: "pass"; ms: number; tick: number }
  | { k: "jump"; ms: number }
  | { k: "store"; fails: boolean }
  | { k: "memory"; level: MemoryLevel }
  | { k: "kill" }
  | {
      k: "api";
      op: "pub" | "sub" | "unsub" | "kick" | "drop" | "ban" | "unban" | "sendNow" | "cancel";
      c: number;
      t: string;
      q: number;
      r: boolean;
    }
  | { k: "zone"; field: ZoneField; value: number }
  | { k: "plugin"; name: "emqx_retainer" | "emqx_delayed_publish"; op: "load" | "unload" | "reload" }
  | { k: "hook"; point: ChaosPoint; nth: number; act: "throw" | "kick" | "unsub" | "drop" | "pub" | "sub"; c: number; t: string }
  /** The rules for topics under `x/` change. */
  | { k: "acl"; deny: boolean }
  | { k: "resolve"; i: number }
  /** One client, `n` overlapping filters, and a message that matches them all. */
  | { k: "many"; c: number; n: number }
  /** So many delayed messages, all of them cancelled at once. */
  | { k: "cancelled"; n: number }
  /** What else has to happen in this turn of the event loop. */
  | { k: "turn" }
) & {
  /** The turn of the event loop goes on behind it. */
  more?: true;
  /** The client's bytes stay on its wire for now. */
  hold?: true;
};

export type BadKind =
  | "filter"
  | "unfilter"
  | "share_pub"
  | "wrong_ack"
  | "reserved"
  | "connect_twice"
  | "flags"
  | "topic"
  | "no_topic"
  | "alias_unknown"
  | "nl_shared"
  | "server_packet"
  | "dup31";

export type ZoneField = "maxInflight" | "maxMqueueLen" | "retryIntervalMs" | "upgradeQos" | "mqueueStoreQos0" | "awaitRelTimeoutMs";
export type ChaosPoint =
  | "message.delivered"
  | "message.acked"
  | "message.dropped"
  | "client.connected"
  | "client.disconnected"
  | "session.created"
  | "session.resumed"
  | "session.subscribed"
  | "session.unsubscribed"
  | "session.terminated";
export type StepOf<K extends Step["k"]> = Extract<Step, { k: K }>;

/** One line for a reader. */
export function describe(step: Step): string {
  const { k, more, hold, ...rest } = step as Step & Record<string, unknown>;
  const words = Object.entries(rest).map(([key, value]) => `${key}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`);
  return `${k.padEnd(7)} ${words.join(" ")}${hold ? " (held back)" : ""}${more ? " (the turn goes on)" : ""}`;
}
