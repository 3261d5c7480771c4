/** A simulated client and its connections. The client keeps what the protocol tells it to keep; a connection, what happens on one socket. */
import type { Channel } from "../../server/core/channel.ts";
import { Decoder } from "./decode.ts";
import type { ConnectFields, Request, Version } from "./encode.ts";
import type { Came, Delivery, Msg, Session } from "./model/types.ts";
import type { SimTransport } from "./transport.ts";

/** A packet of the client, as data for the model. */
export type Sent =
  /** `came`: the event it came with. */
  | { kind: "connect"; fields: ConnectFields; will: Msg | null; refuse: boolean | undefined; came?: number }
  | { kind: "subscribe"; id: number; requests: readonly Request[]; subId: number; denied?: boolean[] }
  | { kind: "unsubscribe"; id: number; filters: readonly string[] }
  /** `delay`: seconds, by the topic `$delayed/…`. `refuse`: to a topic that takes no messages (`$share/…`). */
  | { kind: "publish"; m: Msg; pid: number; dup: boolean; delay?: number | undefined; refuse?: boolean | undefined; came?: Came }
  | { kind: "ack"; type: number; pid: number; code: number; d: Delivery | null }
  | { kind: "ping" }
  | { kind: "disconnect"; code: number; expiry: number | undefined }
  /** Breaks a rule: the connection has to be closed, 5.0 with one of these codes (none = any). */
  | { kind: "bad"; why: string; codes: readonly number[] };

interface Piece {
  bytes: Buffer;
  /** Handed over so far. */
  at: number;
  sent: Sent;
}

export type AckType = "puback" | "pubrec" | "pubrel" | "pubcomp";
/** What the client has yet to say about what it got. */
export interface Todo {
  type: 4 | 5 | 6 | 7;
  pid: number;
  d: Delivery | null;
  /** The client's own message or PUBREL, again after a reconnect. */
  resend?: true;
}

/** An answer that is owed to the client. */
export interface Expected {
  type: string;
  id: number;
  /** Allowed reason codes or return codes; null = any. */
  codes: readonly number[] | null;
  /** Codes of SUBACK, UNSUBACK, one list for each filter. */
  each: readonly (readonly number[])[] | null;
  present: boolean | null;
  /** May stay away (doubtful, or the store fails). */
  may: boolean;
  ev: number;
  /** It promises that something is kept: it may only leave when this event is committed. */
  durable: boolean;
  m: Msg | null;
}

export class Conn {
  readonly decoder = new Decoder();
  phase: "new" | "connecting" | "connected" | "closed" = "new";
  fields: ConnectFields | null = null;
  session: Session | null = null;
  readonly wire: Piece[] = [];
  readonly queue: Sent[] = [];
  /** FIFO by packet type. */
  readonly expected = new Map<string, Expected[]>();
  /** The peer has vanished: what it is written, nobody reads. */
  silent = false;
  /** Why the broker may close it although it broke no rule; "" = it may not. */
  mayClose = "";
  mustClose: { why: string; codes: readonly number[] } | null = null;
  /** What it does in this event cannot be foretold. */
  doubtful = false;
  /** The close event has been delivered to the channel. */
  left = false;
  /** And nothing that came before it is still to be handled. */
  gone = false;
  /** Packet identifiers of QoS 1 and 2 messages got on this connection and not acknowledged to the end. */
  readonly outstanding = new Set<number>();
  readonly aliasesIn = new Map<number, string>();
  readonly aliasesOut = new Map<number, string>();
  will: { m: Msg; delay: number } | null = null;
  /** Of a CONNECT that the broker may have refused. */
  pendingWill: { m: Msg; delay: number } | null = null;
  lastRecv: number;
  keepaliveMs = 0;
  connectedAt = 0;
  /** Which connection of its session it is. */
  sessionNo = 0;
  /** When it was let in, among all connections; 0 = it was not. */
  letIn = 0;
  /** When the broker did not read from it last. */
  deafAt = 0;
  /** All that its first unprocessed packet waited for has been answered. */
  headFree = false;
  /** Whether it was let in could not be foretold. */
  unsure = false;
  connack = -1;
  todo: Todo[] = [];
  fedBytes = 0;
  fedPackets = 0;
  readPackets = 0;
  readBytes = 0;
  /** Chunks that are overwritten when the turn is over. */
  readonly poison: Buffer[] = [];

  constructor(
    readonly no: number,
    readonly client: Client,
    readonly transport: SimTransport,
    readonly channel: Channel,
    readonly opened: number,
    private readonly shutdowns: ReadonlyMap<string, number>,
  ) {
    this.lastRecv = opened;
  }

  get version(): Version {
    return this.fields?.version ?? 4;
  }
  get name(): string {
    return `${this.client.id}#${this.no}`;
  }
  /** Why the broker says it ended. */
  get reason(): string {
    return [...this.shutdowns.keys()].join(" ");
  }
  get live(): boolean {
    return this.phase !== "closed" && !this.gone && !this.transport.closed;
  }

  expect(type: string, id: number, more: Partial<Expected> = {}): void {
    const e: Expected = { type, id, codes: null, each: null, present: null, may: false, ev: 0, durable: false, m: null, ...more };
    const list = this.expected.get(type);
    if (list === undefined) this.expected.set(type, [e]);
    else list.push(e);
  }

  put(bytes: Buffer, sent: Sent): void {
    this.wire.push({ bytes, at: 0, sent });
  }

  get pendingBytes(): number {
    let n = 0;
    for (const p of this.wire) n += p.bytes.length - p.at;
    return n;
  }

  /** Take the next `n` bytes off the wire; packets that are whole with them go to the queue. */
  take(n: number): Buffer {
    const parts: Buffer[] = [];
    let left = n;
    while (left > 0 && this.wire.length > 0) {
      const p = this.wire[0] as Piece;
      const k = Math.min(left, p.bytes.length - p.at);
      parts.push(p.bytes.subarray(p.at, p.at + k));
      p.at += k;
      left -= k;
      if (p.at === p.bytes.length) {
        this.wire.shift();
        this.queue.push(p.sent);
      }
    }
    // A chunk of its own, as from a socket.
    return Buffer.concat(parts);
  }
}

/** `on`: number of the connection it was sent on last. */
export interface Outgoing {
  m: Msg;
  topic: string;
  delay: number | undefined;
  refuse: boolean;
  released: boolean;
  on: number;
}

export type Answering = "auto" | "lazy" | "never";

export class Client {
  conn: Conn | null = null;
  /** All it has had. */
  readonly conns: Conn[] = [];
  /** Own QoS 1 and 2 messages on their way: packet identifier -> message, and how far. */
  readonly outgoing = new Map<number, Outgoing>();
  /** Identifiers of messages that it could or would not send again: the broker may still wait for their PUBREL. */
  readonly abandoned = new Set<number>();
  /** It has set a Maximum Packet Size: what it got before and does not fit any more is not sent again, and its identifier is free. */
  wasSmall = false;
  nextPid = 1;
  answering: Answering = "auto";
  /** Does not send PUBREL. */
  holdsRel = false;
  lastConnect: ConnectFields | null = null;

  constructor(
    readonly index: number,
    readonly id: string,
    readonly version: Version,
  ) {}

  pid(): number {
    for (;;) {
      const id = this.nextPid;
      this.nextPid = this.nextPid >= 65535 ? 1 : this.nextPid + 1;
      if (!this.outgoing.has(id) && !this.abandoned.has(id)) return id;
    }
  }

  /** The broker knows nothing any more of what was before this connection. */
  forget(on: number): void {
    this.abandoned.clear();
    for (const [pid, o] of this.outgoing) {
      if (o.on >= on) continue;
      this.outgoing.delete(pid);
      // It may be let in yet, and then its messages too.
      if (this.conns.some((c) => c.no === o.on && !c.transport.closed)) this.abandoned.add(pid);
    }
  }
}
