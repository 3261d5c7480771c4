/** A part of an inflight window: its entries' fields, side by side. */
import type { QoS } from "../mqtt/types.ts";
import type { Message } from "./message.ts";
import { plainTerms, type Terms } from "./terms.ts";

/** 1 or 2; 0 in holes. */
export const F_QOS = 3;
/** PUBREC received: waits for PUBCOMP; the message itself is not needed any more, only its identifier. */
export const F_RELEASED = 4;
/** Its PUBLISH went out on this connection: it counts against the client's Receive Maximum (section 4.9). */
export const F_SENT = 8;
/** Its plain terms have the retain flag. */
const F_RETAIN = 16;
/** Its terms are no plain ones. */
const F_OWN = 32;

/** Entries in parallel arrays: the one at position n is at n modulo the size, a power of two. What few sessions need is made for the first that does. */
export class Block {
  /** Entries that are not holes; not counted in a ring. */
  live = 0;
  readonly messages: (Message | null)[];
  /** Where one of them is not plain; null = all are. */
  #terms: (Terms | null)[] | null = null;
  readonly flags: Uint8Array;
  /** Where one of them is journalled; null = none is. */
  #seqs: Float64Array | null = null;
  readonly times: Float64Array;

  constructor(size: number) {
    this.messages = new Array<Message | null>(size).fill(null);
    this.flags = new Uint8Array(size);
    this.times = new Float64Array(size);
  }

  terms(i: number): Terms {
    const flags = this.flags[i] as number;
    return (flags & F_OWN) === 0 ? plainTerms((flags & F_QOS) as QoS, (flags & F_RETAIN) !== 0) : (this.#terms?.[i] as Terms);
  }
  /** A new entry: its flags, its terms and its number in the journal. `sent`: F_SENT or 0. */
  put(i: number, terms: Terms, seq: number, sent: number): void {
    const own = terms.subIds !== null || terms.share !== null;
    this.flags[i] = terms.qos | sent | (own ? F_OWN : terms.retain ? F_RETAIN : 0);
    if (own) this.#setTerms(i, terms);
    this.setSeq(i, seq);
  }

  #setTerms(i: number, terms: Terms): void {
    this.#terms ??= new Array<Terms | null>(this.flags.length).fill(null);
    this.#terms[i] = terms;
  }

  seq(i: number): number {
    return this.#seqs === null ? 0 : (this.#seqs[i] as number);
  }
  setSeq(i: number, seq: number): void {
    if (this.#seqs === null && seq === 0) return;
    this.#seqs ??= new Float64Array(this.flags.length);
    this.#seqs[i] = seq;
  }

  /** Take over the entries at these positions. */
  take(from: Block, start: number, end: number): void {
    for (let n = start; n < end; n++) {
      const i = n & (from.flags.length - 1);
      const to = n & (this.flags.length - 1);
      const flags = from.flags[i] as number;
      this.messages[to] = from.messages[i] as Message | null;
      this.flags[to] = flags;
      if ((flags & F_OWN) !== 0) this.#setTerms(to, from.terms(i));
      this.setSeq(to, from.seq(i));
      this.times[to] = from.times[i] as number;
      if (flags !== 0) this.live++;
      from.messages[i] = null;
    }
  }
}
