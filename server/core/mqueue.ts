/**
 * Messages that wait for a session: offline, inflight window full, or a slow reader. Bounded; the oldest of the lowest priority
 * goes first when it is full (EMQ X 3.1: emqx_mqueue drops the oldest of the full priority).
 */
import { Held } from "./held.ts";
import type { Message } from "./message.ts";
import type { Terms } from "./terms.ts";

export interface QueueItem {
  readonly message: Message;
  readonly terms: Terms;
  /** The journal's number of this delivery; 0 = not journalled (QoS 0 of a transient session). */
  readonly seq: number;
}

/** Places of the first ring. */
const SMALL = 4;
/** Places that stay in use: to make the ring anew for each burst would cost more. */
const USED = 64;
/** Of a place, bytes: two references. Those that stay in use are not counted. */
const PLACE_BYTES = 16;

/** First in, first out: a ring of parallel arrays, so that nothing is made for a message that waits. */
class Fifo {
  length = 0;
  #head = 0;
  /** Size of the ring less 1; a power of two. */
  #mask = SMALL - 1;
  #messages = new Array<Message | null>(SMALL).fill(null);
  #terms = new Array<Terms | null>(SMALL).fill(null);
  /** Where one of them is journalled; null = none is. */
  #seqs: Float64Array | null = null;

  constructor(private readonly held: Held) {}

  // ---- the first one, only while there is one

  get message(): Message {
    return this.#messages[this.#head] as Message;
  }
  get terms(): Terms {
    return this.#terms[this.#head] as Terms;
  }
  get seq(): number {
    return this.#seqs === null ? 0 : (this.#seqs[this.#head] as number);
  }

  push(m: Message, terms: Terms, seq: number): void {
    if (this.length > this.#mask) this.#grow();
    const i = (this.#head + this.length++) & this.#mask;
    this.#messages[i] = m;
    this.#terms[i] = terms;
    if (seq > 0) this.#seqs ??= new Float64Array(this.#mask + 1);
    if (this.#seqs !== null) this.#seqs[i] = seq;
  }

  /** Without the first one. */
  shift(): void {
    const i = this.#head;
    this.#messages[i] = null;
    this.#terms[i] = null;
    this.#head = (i + 1) & this.#mask;
    const size = this.#mask + 1;
    if (--this.length * 4 < size && size > USED) this.#resize(size / 2);
  }

  /** Nothing will come for a while. */
  rest(): void {
    if (this.length === 0 && this.#mask >= SMALL) this.#resize(SMALL);
  }

  /** None of them is journalled any more. */
  forgetSeqs(): void {
    this.#seqs = null;
  }

  *[Symbol.iterator](): Generator<QueueItem> {
    for (let n = 0; n < this.length; n++) {
      const i = (this.#head + n) & this.#mask;
      yield { message: this.#messages[i] as Message, terms: this.#terms[i] as Terms, seq: this.#seqs?.[i] ?? 0 };
    }
  }

  #grow(): void {
    this.#resize((this.#mask + 1) * 2);
  }

  /** A ring of so many places, enough for all, with the first one at its beginning. */
  #resize(size: number): void {
    const messages = new Array<Message | null>(size).fill(null);
    const terms = new Array<Terms | null>(size).fill(null);
    const seqs = this.#seqs === null || this.length === 0 ? null : new Float64Array(size);
    for (let n = 0; n < this.length; n++) {
      const i = (this.#head + n) & this.#mask;
      messages[n] = this.#messages[i] as Message;
      terms[n] = this.#terms[i] as Terms;
      if (seqs !== null) seqs[n] = (this.#seqs as Float64Array)[i] as number;
    }
    this.held.took((Math.max(size, USED) - Math.max(this.#mask + 1, USED)) * PLACE_BYTES);
    this.#head = 0;
    this.#mask = size - 1;
    this.#messages = messages;
    this.#terms = terms;
    this.#seqs = seqs;
  }
}

export interface MqueueLimits {
  maxMqueueLen: number;
  maxMqueueBytes: number;
  mqueuePriorities: ReadonlyMap<string, number> | null;
  mqueueDefaultPriority: "highest" | "lowest";
}

export class Mqueue {
  length = 0;
  /** Sizes of the messages in it. */
  bytes = 0;
  /** How many of them are of QoS 0. */
  qos0 = 0;
  /** What `bytes` may be after the last `push`. */
  #allowed = 0;
  /** Without priorities: one queue. */
  readonly #plain: Fifo;
  /** Priority -> queue, highest first. */
  #byPriority: Map<number, Fifo> | null = null;

  constructor(
    /** Of the zone its client is in now. */
    public limits: MqueueLimits,
    private readonly held = new Held(),
  ) {
    this.#plain = new Fifo(held);
  }

  /** Append. Then ask `overflow` until nothing has to go. `seq`: the journal's number of the delivery; 0 = it is not journalled. */
  push(m: Message, terms: Terms, seq: number): void {
    const max = this.limits.maxMqueueBytes === 0 ? Number.POSITIVE_INFINITY : this.limits.maxMqueueBytes;
    this.#allowed = this.held.full ? Math.min(max, this.bytes) : max;
    this.#fifoFor(m).push(m, terms, seq);
    this.held.add(m);
    this.length++;
    this.bytes += m.heldBytes;
    if (terms.qos === 0) this.qos0++;
  }

  /** Take out what has to go, the oldest of the lowest priority, one at a time: the queue is too long or too large. null = it is not. */
  overflow(): QueueItem | null {
    const max = this.limits.maxMqueueLen;
    if ((max === 0 || this.length <= max) && this.bytes <= this.#allowed) return null;
    const fifo = this.#lowest();
    if (fifo.length === 0) return null;
    const { message, terms, seq } = fifo;
    this.#shift(fifo);
    return { message, terms, seq };
  }

  /** What goes out next; only while there is something. Valid until the queue changes. */
  peek(): QueueItem {
    return this.#highest();
  }

  /** Without what `peek` shows. */
  shift(): void {
    this.#shift(this.#highest());
  }

  /** Nobody waits for them any more. */
  clear(): void {
    while (this.length > 0) this.shift();
    this.rest();
  }

  /** Nothing will be sent for a while: an empty queue takes little. */
  rest(): void {
    this.#plain.rest();
    for (const fifo of this.#byPriority?.values() ?? []) fifo.rest();
  }

  /** Nothing in it is journalled any more. */
  forgetSeqs(): void {
    this.#plain.forgetSeqs();
    for (const fifo of this.#byPriority?.values() ?? []) fifo.forgetSeqs();
  }

  #shift(fifo: Fifo): void {
    const { message: m, terms } = fifo;
    fifo.shift();
    this.length--;
    this.bytes -= m.heldBytes;
    if (terms.qos === 0) this.qos0--;
    this.held.remove(m);
  }

  *[Symbol.iterator](): Generator<QueueItem> {
    if (this.#byPriority !== null) for (const fifo of this.#byPriority.values()) yield* fifo;
    yield* this.#plain;
  }

  #fifoFor({ topic }: Message): Fifo {
    const table = this.limits.mqueuePriorities;
    if (table === null || table.size === 0) return this.#plain;
    const priority = table.get(topic) ?? (this.limits.mqueueDefaultPriority === "highest" ? Number.POSITIVE_INFINITY : 0);
    this.#byPriority ??= new Map();
    let fifo = this.#byPriority.get(priority);
    if (!fifo) {
      fifo = new Fifo(this.held);
      this.#byPriority.set(priority, fifo);
      this.#byPriority = new Map([...this.#byPriority].sort((a, b) => b[0] - a[0]));
    }
    return fifo;
  }

  #highest(): Fifo {
    if (this.#byPriority !== null) for (const fifo of this.#byPriority.values()) if (fifo.length > 0) return fifo;
    return this.#plain;
  }

  #lowest(): Fifo {
    if (this.#plain.length > 0 || this.#byPriority === null) return this.#plain;
    let found = this.#plain;
    for (const fifo of this.#byPriority.values()) if (fifo.length > 0) found = fifo;
    return found;
  }
}
