/** What the naive broker keeps: messages, sessions, and what each session is owed. */
import type { Conn } from "../conn.ts";
import type { SentProps, Version } from "../encode.ts";

/** One application message. Its number is in its payload, so every copy can be traced back. */
/** When something came, on both hands of the clock. */
export interface Came {
  readonly wall: number;
  readonly mono: number;
}

export interface Msg {
  readonly n: number;
  /** Client id of the publisher; "" = the broker itself. */
  readonly from: string;
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly payload: Buffer;
  readonly props: SentProps;
  readonly kind: "client" | "will" | "api" | "delayed";
  /** When it was published last, on both hands of the clock, and when it expires on them (0 = never). */
  wall: number;
  /** How often it was published (again by a client that got no acknowledgement). */
  times: number;
  /** Event in which that was. */
  ev: number;
  /** Those of the times before. */
  readonly earlier: number[];
  /** Published by a hook in the middle of something else: who is subscribed at that moment cannot be foretold. */
  inHook: boolean;
  mono: number;
  expiresWall: number;
  expiresMono: number;
  /** When it may have expired already: it may have waited for an answer about it. null = never. */
  earliest: Came | null;
}

export interface Sub {
  /** As written, share prefix included. */
  readonly full: string;
  readonly filter: string;
  readonly group: string | null;
  qos: number;
  nl: boolean;
  rap: boolean;
  rh: number;
  id: number;
  /** Event that made or changed it last. */
  ev: number;
}

/** waiting: not seen by the client; seen: PUBLISH read, not acknowledged to the end; done; skipped: a later one came, so it must not come. */
export type DeliveryState = "waiting" | "seen" | "done" | "skipped";

export interface Delivery {
  readonly s: Session;
  readonly m: Msg;
  qos: number;
  retain: boolean;
  ids: number[];
  readonly via: "live" | "share" | "retained";
  /** Has to reach the client in the end; false = may. `why` says what has let it off. */
  must: boolean;
  why: string;
  /** Attributes cannot be foretold (a hook interfered). */
  loose: boolean;
  state: DeliveryState;
  pid: number;
  /** PUBREC was handed to the broker. */
  rec: boolean;
  /** Connection on which it was seen last, and when. */
  seenOn: Conn | null;
  seenAt: number;
  /** Number of the first connection of the session it can have been written to. */
  firstConn: number;
  ev: number;
  doneEv: number;
  /** The broker may have forgotten that this was acknowledged (kill before the commit). */
  again: boolean;
  seenEv: number;
  /** While it is skipped: the later one that came. */
  skippedBy?: Delivery;
  /** It turned out to be the copy of a group. */
  lent?: true;
  /** Its client was away when it was published. */
  away: boolean;
  /** The broker may have forgotten that it was sent (kill before the commit). */
  unsent: boolean;
}

/** One message for one group: exactly one member gets it. */
export interface Share {
  readonly m: Msg;
  readonly key: string;
  /** Which publication of the message it was. */
  readonly times: number;
  /** With the QoS each would get it with. */
  readonly members: Map<Session, Sub & { gets: number }>;
  taken: Delivery | null;
  must: boolean;
  why: string;
  /** Some member's session has ended with it: another one may have been given it. */
  passedOn: boolean;
  /** Attributes cannot be foretold. */
  loose: boolean;
}

export interface PendingWill {
  n: number;
  /** Monotonic ms. */
  due: number;
  /** Seconds, as in CONNECT. */
  delay: number;
  ev: number;
  /** The time cannot be foretold (restart). */
  loose: boolean;
}

export class Session {
  readonly subs = new Map<string, Sub>();
  readonly byN = new Map<number, Delivery[]>();
  /** Deliveries of one publisher, topic and QoS, in order; only the first `from` are settled. */
  readonly order = new Map<string, { list: Delivery[]; from: number }>();
  /** Not seen yet. */
  waiting = new Set<Delivery>();
  conn: Conn | null = null;
  /** Connections so far. */
  connNo = 0;
  expiry = 0;
  /** Monotonic ms at which it ends; Infinity while connected or for ever. */
  endsAt = Number.POSITIVE_INFINITY;
  will: PendingWill | null = null;
  /** Packet identifiers of QoS 2 messages of this client that await PUBREL -> when (monotonic) and in which event. */
  readonly awaitingRel = new Map<number, { at: number; ev: number; m: number; unsure: boolean }>();
  /** What the client has in hand, by packet identifier. */
  readonly inflight = new Map<number, Delivery>();
  /**
   * QoS 2 messages the client got and that were not released: packet identifier -> number. Another session begins with all identifiers free,
   * also if the CONNACK that would have told the client of it was lost.
   */
  readonly incoming = new Map<number, number>();
  /** Packet identifiers this client has sent a PUBREC for. */
  readonly recs = new Set<number>();
  /** A hook or command interfered in this event: what it is given now cannot be foretold. */
  disturbed = false;
  /** Events in which that happened. */
  readonly disturbedIn = new Set<number>();
  createdEv = 0;
  /** Bytes for it in this turn of the event loop. */
  turnBytes = 0;
  /** Event in which it was made, resumed, or its expiry changed. */
  changedEv = 0;
  /** Event in which it last unsubscribed. */
  leftEv = 0;
  /** Event in which its last connection ended. */
  goneEv = 0;
  /** Wall time at which the broker says its client went. */
  awaySince = 0;
  /** The broker's object that stands for it: another one is another session. */
  real: object | null = null;
  ended = false;
  /** It had ended, or was to end with its connection, and a kill before that was committed has brought it back. */
  revived = false;

  constructor(
    readonly id: string,
    public version: Version,
  ) {}

  get persistent(): boolean {
    return this.expiry > 0;
  }
}

export function orderKey(d: Delivery): string {
  return `${d.m.from}|${d.m.topic}|${d.qos}`;
}
