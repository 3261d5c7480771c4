/**
 * Outgoing QoS 1/2 messages that wait for an acknowledgement, in the order they were sent [MQTT-4.6.0-1].
 *
 * A ring in parallel arrays: packet identifiers count up from 1, so an identifier is a position and neither sending nor
 * acknowledging allocates. Acknowledged entries in the middle stay as holes until the head has passed them.
 *
 * An entry outlives its connection. A new connection begins at the head again (`restart`) and is `behind` until it has been sent all.
 */
import { type MonoMs, NO_MONO } from "../lib/time.ts";
import type { QoS } from "../mqtt/types.ts";
import { Held } from "./held.ts";
import type { Message } from "./message.ts";
import type { Terms } from "./terms.ts";

const IDS = 65535;
/** 1 or 2; 0 in holes. */
const F_QOS = 3;
/** PUBREC received: waits for PUBCOMP; the message itself is not needed any more, only its identifier. */
const F_RELEASED = 4;
/** Its PUBLISH went out on this connection: it counts against the client's Receive Maximum (section 4.9). */
const F_SENT = 8;

/**
 * Entries of one window in the order they were sent. Queues with priorities send in another order than they were filled: then only the
 * identifiers tell, which count up and begin behind the widest gap. `rows` come in the order in which the session got them.
 */
export function sendingOrder<Row extends { readonly packetId: number }>(rows: Row[], priorities: boolean): Row[] {
  const ids = rows.map((r) => r.packetId);
  if (!priorities && ids.reduce((n, id, i) => n + (i === 0 ? 0 : gap(ids[i - 1] as number, id)), 0) < IDS) return rows;
  const sorted = rows.toSorted((a, b) => a.packetId - b.packetId);
  let first = 0;
  let widest = 0;
  for (const [i, { packetId }] of sorted.entries()) {
    const n = gap((sorted.at(i - 1) as Row).packetId, packetId);
    if (n <= widest) continue;
    widest = n;
    first = i;
  }
  return [...sorted.slice(first), ...sorted.slice(0, first)];
}

/** How far one identifier lies behind another, counting up. */
function gap(from: number, to: number): number {
  return (to - from + IDS) % IDS;
}

export class Inflight {
  /** Entries in the ring that are not holes. */
  count = 0;
  /** Memory of their messages, about. */
  bytes = 0;
  /**
   * PUBLISH packets of this connection that wait for PUBACK or PUBCOMP. A PUBREL sent again after a reconnect is not among them:
   * the send quota of section 4.9 begins anew with each connection and only a PUBLISH takes from it.
   */
  sent = 0;
  #head = 0;
  #tail = 0;
  /** This connection has not been sent all: nothing new goes out before the rest has. */
  behind = false;
  /** While it is behind: the first entry that it has not been sent. */
  #next = 0;
  #mask: number;
  #messages: (Message | null)[];
  #terms: (Terms | null)[];
  #flags: Uint8Array;
  #seqs: Float64Array;
  #times: Float64Array;

  constructor(
    capacity = 16,
    private readonly held = new Held(),
  ) {
    this.#mask = capacity - 1;
    this.#messages = new Array<Message | null>(capacity).fill(null);
    this.#terms = new Array<Terms | null>(capacity).fill(null);
    this.#flags = new Uint8Array(capacity);
    this.#seqs = new Float64Array(capacity);
    this.#times = new Float64Array(capacity);
  }

  /** No identifier is left before the oldest entry is acknowledged. */
  get exhausted(): boolean {
    return this.#tail - this.#head >= IDS;
  }

  /** Append what is sent now and return the packet identifier; never while it is `behind`. `seq`: the journal's number of the delivery. */
  push(m: Message, terms: Terms, seq: number, now: MonoMs): number {
    this.sent++;
    return (this.#append(m, terms, seq, now, terms.qos | F_SENT) % IDS) + 1;
  }

  /** Put back an entry loaded from the journal; calls must come in order of sending. */
  restore(packetId: number, m: Message, terms: Terms, seq: number, released: boolean): void {
    if (this.count === 0) this.#head = this.#tail = packetId - 1;
    else while ((this.#tail % IDS) + 1 !== packetId && this.#tail - this.#head < IDS) this.#hole();
    const n = this.#append(m, terms, seq, NO_MONO, terms.qos);
    if (released) this.release(n, NO_MONO);
  }

  /** A new connection: nothing has been sent on it. */
  restart(): void {
    this.sent = 0;
    this.behind = this.count > 0;
    this.#next = this.#head;
    for (let n = this.#head; n < this.#tail; n++) this.#flags[n & this.#mask] = (this.#flags[n & this.#mask] as number) & ~F_SENT;
  }

  /** While it is behind: position of the first entry that this connection has not been sent. -1 = it is not (any more). */
  get unsent(): number {
    if (!this.behind) return -1;
    if (this.#next < this.#head) this.#next = this.#head;
    while (this.#next < this.#tail && this.#flags[this.#next & this.#mask] === 0) this.#next++;
    if (this.#next < this.#tail) return this.#next;
    this.behind = false;
    return -1;
  }

  /** The entry at `unsent` goes out now: its PUBREL if it is released, else its PUBLISH. */
  resent(n: number, now: MonoMs): void {
    const i = n & this.#mask;
    this.#next = n + 1;
    this.#times[i] = now;
    if (((this.#flags[i] as number) & F_RELEASED) !== 0) return;
    this.#flags[i] = (this.#flags[i] as number) | F_SENT;
    this.sent++;
  }

  /** Position of a packet identifier, -1 when it is not in flight. */
  find(packetId: number): number {
    const d = (packetId - 1 - (this.#head % IDS) + IDS) % IDS;
    if (d >= this.#tail - this.#head) return -1;
    const n = this.#head + d;
    return this.#flags[n & this.#mask] === 0 ? -1 : n;
  }

  qos(n: number): QoS {
    return ((this.#flags[n & this.#mask] as number) & F_QOS) as QoS;
  }
  terms(n: number): Terms {
    return this.#terms[n & this.#mask] as Terms;
  }
  released(n: number): boolean {
    return ((this.#flags[n & this.#mask] as number) & F_RELEASED) !== 0;
  }
  message(n: number): Message {
    return this.#messages[n & this.#mask] as Message;
  }
  seq(n: number): number {
    return this.#seqs[n & this.#mask] as number;
  }
  setSeq(n: number, seq: number): void {
    this.#seqs[n & this.#mask] = seq;
  }
  /** When it was sent last; 0 = before the node started. */
  sentAt(n: number): MonoMs {
    return this.#times[n & this.#mask] as MonoMs;
  }
  packetId(n: number): number {
    return (n % IDS) + 1;
  }

  /** When the entry at the head was sent last; only while there is one. */
  get oldest(): MonoMs {
    return this.#times[this.#head & this.#mask] as MonoMs;
  }

  touch(n: number, now: MonoMs): void {
    this.#times[n & this.#mask] = now;
  }

  release(n: number, now: MonoMs): void {
    this.#flags[n & this.#mask] = (this.#flags[n & this.#mask] as number) | F_RELEASED;
    this.#times[n & this.#mask] = now;
  }

  remove(n: number): void {
    const i = n & this.#mask;
    if (((this.#flags[i] as number) & F_SENT) !== 0) this.sent--;
    this.#flags[i] = 0;
    const m = this.#messages[i] as Message;
    this.bytes -= m.heldBytes;
    this.held.remove(m);
    this.#messages[i] = null;
    this.count--;
    while (this.#head < this.#tail && this.#flags[this.#head & this.#mask] === 0) this.#head++;
  }

  /** Nobody waits for them any more. */
  clear(): void {
    for (let n = this.#head; n < this.#tail; n++) if (this.#flags[n & this.#mask] !== 0) this.remove(n);
  }

  /** Positions in order of sending. Entries may be removed while iterating. */
  *positions(): Generator<number> {
    for (let n = this.#head; n < this.#tail; n++) if (n >= this.#head && this.#flags[n & this.#mask] !== 0) yield n;
  }

  #append(m: Message, terms: Terms, seq: number, now: MonoMs, flags: number): number {
    if (this.#tail - this.#head > this.#mask) this.#grow();
    const n = this.#tail++;
    const i = n & this.#mask;
    this.#messages[i] = m;
    this.held.add(m);
    this.bytes += m.heldBytes;
    this.#terms[i] = terms;
    this.#flags[i] = flags;
    this.#seqs[i] = seq;
    this.#times[i] = now;
    this.count++;
    return n;
  }

  #hole(): void {
    if (this.#tail - this.#head > this.#mask) this.#grow();
    this.#flags[this.#tail++ & this.#mask] = 0;
  }

  #grow(): void {
    const size = (this.#mask + 1) * 2;
    const next = new Inflight(size);
    const mask = size - 1;
    for (let n = this.#head; n < this.#tail; n++) {
      const from = n & this.#mask;
      const to = n & mask;
      next.#messages[to] = this.#messages[from] as Message | null;
      next.#terms[to] = this.#terms[from] as Terms | null;
      next.#flags[to] = this.#flags[from] as number;
      next.#seqs[to] = this.#seqs[from] as number;
      next.#times[to] = this.#times[from] as number;
    }
    this.#mask = mask;
    this.#messages = next.#messages;
    this.#terms = next.#terms;
    this.#flags = next.#flags;
    this.#seqs = next.#seqs;
    this.#times = next.#times;
  }
}
