/**
 * Outgoing QoS 1/2 messages that wait for an acknowledgement, in the order they were sent [MQTT-4.6.0-1].
 *
 * A ring in parallel arrays: packet identifiers count up from 1, so an identifier is a position and neither sending nor
 * acknowledging allocates. Acknowledged entries in the middle stay as holes until the head has passed them.
 */
import { type MonoMs, NO_MONO } from "../lib/time.ts";
import type { QoS } from "../mqtt/types.ts";
import { Held } from "./held.ts";
import type { Message } from "./message.ts";
import type { ShareGroup } from "./shared.ts";

const IDS = 65535;
const F_QOS = 3;
/** PUBREC received: waits for PUBCOMP; the message itself is not needed any more, only its identifier. */
const F_RELEASED = 4;
const F_RETAIN = 8;

export class Inflight {
  /** Entries in the ring that are not holes. */
  count = 0;
  #head = 0;
  #tail = 0;
  #mask: number;
  #messages: (Message | null)[];
  #flags: Uint8Array;
  #seqs: Float64Array;
  #times: Float64Array;
  #subIds: (number[] | null)[] | null = null;
  #shares: (ShareGroup | null)[] | null = null;

  constructor(
    capacity = 16,
    private readonly held = new Held(),
  ) {
    this.#mask = capacity - 1;
    this.#messages = new Array<Message | null>(capacity).fill(null);
    this.#flags = new Uint8Array(capacity);
    this.#seqs = new Float64Array(capacity);
    this.#times = new Float64Array(capacity);
  }

  /** No identifier is left before the oldest entry is acknowledged. */
  get exhausted(): boolean {
    return this.#tail - this.#head >= IDS;
  }

  /** Append and return the packet identifier. `seq` is the journal's number of the delivery. */
  push(m: Message, qos: QoS, retain: boolean, seq: number, now: MonoMs, subIds: number[] | null, share: ShareGroup | null): number {
    if (this.#tail - this.#head > this.#mask) this.#grow();
    const n = this.#tail++;
    const i = n & this.#mask;
    this.#messages[i] = m;
    this.held.add(m);
    this.#flags[i] = qos | (retain ? F_RETAIN : 0);
    this.#seqs[i] = seq;
    this.#times[i] = now;
    if (subIds !== null) this.#lazySubIds()[i] = subIds;
    if (share !== null) this.#lazyShares()[i] = share;
    this.count++;
    return (n % IDS) + 1;
  }

  /** Put back an entry loaded from the journal; calls must come in order of sending. */
  restore(packetId: number, m: Message, qos: QoS, retain: boolean, seq: number, released: boolean, subIds: number[] | null): void {
    if (this.count === 0) this.#head = this.#tail = packetId - 1;
    else while ((this.#tail % IDS) + 1 !== packetId && this.#tail - this.#head < IDS) this.#hole();
    this.push(m, qos, retain, seq, NO_MONO, subIds, null);
    if (released) this.release(this.#tail - 1, NO_MONO);
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
  retain(n: number): boolean {
    return ((this.#flags[n & this.#mask] as number) & F_RETAIN) !== 0;
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
  sentAt(n: number): MonoMs {
    return this.#times[n & this.#mask] as MonoMs;
  }
  subIds(n: number): number[] | null {
    return this.#subIds === null ? null : (this.#subIds[n & this.#mask] ?? null);
  }
  share(n: number): ShareGroup | null {
    return this.#shares === null ? null : (this.#shares[n & this.#mask] ?? null);
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
    this.#flags[i] = 0;
    this.held.remove(this.#messages[i] as Message);
    this.#messages[i] = null;
    if (this.#subIds !== null) this.#subIds[i] = null;
    if (this.#shares !== null) this.#shares[i] = null;
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

  #hole(): void {
    if (this.#tail - this.#head > this.#mask) this.#grow();
    this.#flags[this.#tail++ & this.#mask] = 0;
  }

  #lazySubIds(): (number[] | null)[] {
    this.#subIds ??= new Array<number[] | null>(this.#mask + 1).fill(null);
    return this.#subIds;
  }
  #lazyShares(): (ShareGroup | null)[] {
    this.#shares ??= new Array<ShareGroup | null>(this.#mask + 1).fill(null);
    return this.#shares;
  }

  #grow(): void {
    const size = (this.#mask + 1) * 2;
    const next = new Inflight(size);
    const mask = size - 1;
    if (this.#subIds !== null) next.#lazySubIds();
    if (this.#shares !== null) next.#lazyShares();
    for (let n = this.#head; n < this.#tail; n++) {
      const from = n & this.#mask;
      const to = n & mask;
      next.#messages[to] = this.#messages[from] as Message | null;
      next.#flags[to] = this.#flags[from] as number;
      next.#seqs[to] = this.#seqs[from] as number;
      next.#times[to] = this.#times[from] as number;
      if (this.#subIds !== null) (next.#subIds as (number[] | null)[])[to] = this.#subIds[from] as number[] | null;
      if (this.#shares !== null) (next.#shares as (ShareGroup | null)[])[to] = this.#shares[from] as ShareGroup | null;
    }
    this.#mask = mask;
    this.#messages = next.#messages;
    this.#flags = next.#flags;
    this.#seqs = next.#seqs;
    this.#times = next.#times;
    this.#subIds = next.#subIds;
    this.#shares = next.#shares;
  }
}
