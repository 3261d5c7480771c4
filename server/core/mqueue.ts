/**
 * Messages that wait for a session: offline, inflight window full, or a slow reader. Bounded; the oldest of the lowest priority
 * goes first when it is full (EMQ X 3.1: emqx_mqueue drops the oldest of the full priority).
 */
import { Held } from "./held.ts";
import type { Message } from "./message.ts";
import type { Terms } from "./terms.ts";

export interface QueueItem {
  message: Message;
  terms: Terms;
  /** The journal's number of this delivery; 0 = not journalled (QoS 0 of a transient session). */
  seq: number;
}

/** First in, first out, without shifting the array on every take. */
class Fifo {
  #items: (QueueItem | null)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }
  push(item: QueueItem): void {
    this.#items.push(item);
  }
  shift(): QueueItem | null {
    if (this.#head >= this.#items.length) return null;
    const item = this.#items[this.#head] as QueueItem;
    this.#items[this.#head++] = null;
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
  peek(): QueueItem | null {
    return this.#items[this.#head] ?? null;
  }
  *[Symbol.iterator](): Generator<QueueItem> {
    for (let i = this.#head; i < this.#items.length; i++) yield this.#items[i] as QueueItem;
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
  readonly #plain = new Fifo();
  /** Priority -> queue, highest first. */
  #byPriority: Map<number, Fifo> | null = null;

  constructor(
    /** Of the zone its client is in now. */
    public limits: MqueueLimits,
    private readonly held = new Held(),
  ) {}

  /** Append. Then ask `overflow` until nothing has to go. */
  push(item: QueueItem): void {
    const max = this.limits.maxMqueueBytes === 0 ? Number.POSITIVE_INFINITY : this.limits.maxMqueueBytes;
    this.#allowed = this.held.full ? Math.min(max, this.bytes) : max;
    this.#fifoFor(item.message.topic).push(item);
    this.held.add(item.message);
    this.length++;
    this.bytes += item.message.heldBytes;
    if (item.terms.qos === 0) this.qos0++;
  }

  /** Take out what has to go, the oldest of the lowest priority, one at a time: the queue is too long or too large. null = it is not. */
  overflow(): QueueItem | null {
    const max = this.limits.maxMqueueLen;
    if ((max === 0 || this.length <= max) && this.bytes <= this.#allowed) return null;
    return this.#take(this.#lowest());
  }

  shift(): QueueItem | null {
    return this.#take(this.#highest());
  }

  /** Nobody waits for them any more. */
  clear(): void {
    while (this.length > 0) this.shift();
  }

  #take(fifo: Fifo): QueueItem | null {
    const item = fifo.shift();
    if (item === null) return null;
    this.length--;
    this.bytes -= item.message.heldBytes;
    if (item.terms.qos === 0) this.qos0--;
    this.held.remove(item.message);
    return item;
  }

  peek(): QueueItem | null {
    return this.#highest().peek();
  }

  *[Symbol.iterator](): Generator<QueueItem> {
    if (this.#byPriority !== null) for (const fifo of this.#byPriority.values()) yield* fifo;
    yield* this.#plain;
  }

  #fifoFor(topic: string): Fifo {
    const table = this.limits.mqueuePriorities;
    if (table === null || table.size === 0) return this.#plain;
    const priority = table.get(topic) ?? (this.limits.mqueueDefaultPriority === "highest" ? Number.POSITIVE_INFINITY : 0);
    this.#byPriority ??= new Map();
    let fifo = this.#byPriority.get(priority);
    if (!fifo) {
      fifo = new Fifo();
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
