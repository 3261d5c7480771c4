/**
 * Where events wait for their rules: behind the broker's output, in the order in which they came. What waits is bounded; where more comes than
 * rules can look at, the oldest are given up and counted: publishers do not wait for rules.
 */
import type { Noted } from "./columns.ts";

/** Evaluations between two looks at the clock: so many at most, and only one where the last ones took longer than so, ms. */
const STRIDE_MAX = 16;
const LONG_MS = 0.5;
/** So many bytes of an event count as another evaluation: its payload may be read as JSON. */
const WEIGHT_BYTES = 4096;
/** So much of a turn of the event loop at a time, ms; and while much waits. */
const SLICE_MS = 4;
const FULL_SLICE_MS = 10;
/** Places that are kept when nothing waits. */
const PLACES = 1024;

export interface LinePorts<T> {
  /** In a later turn of the event loop. */
  soon(fn: () => void): void;
  /** Ms, monotonic. */
  mono(): number;
  /** Before a piece of work. */
  begin(): void;
  /** It is the turn of this event. */
  next(noted: Noted): void;
  /** One that looks at it. True = it has more to do with it, and is called again. Never throws. */
  evaluate(consumer: T, noted: Noted): boolean;
  /** Nobody will look at it: too much waited. */
  dropped(consumers: readonly T[]): void;
  /** Most bytes that may wait. */
  limit(): number;
}

export class Line<T> {
  readonly #nobody: readonly T[] = [];
  /** A ring; its length is a power of two. */
  #events: (Noted | null)[] = new Array<Noted | null>(PLACES).fill(null);
  #consumers: (readonly T[])[] = new Array<readonly T[]>(PLACES).fill(this.#nobody);
  #head = 0;
  #size = 0;
  #bytes = 0;
  /** The event that is looked at, taken out of the ring: what it makes rules do may fill that. */
  #current: Noted | null = null;
  #lookers: readonly T[] = this.#nobody;
  /** So many of them have. */
  #looked = 0;
  #stride = 1;
  #planned = false;
  #closed = false;

  constructor(private readonly ports: LinePorts<T>) {}

  /** Events that wait. */
  get size(): number {
    return this.#size + (this.#current === null ? 0 : 1);
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(noted: Noted, consumers: readonly T[]): void {
    if (this.#closed) return;
    const limit = this.ports.limit();
    if (noted.bytes > limit) {
      this.ports.dropped(consumers);
      return;
    }
    while (this.#size > 0 && this.#bytes + noted.bytes > limit) this.#giveUp();
    if (this.#size === this.#events.length) this.#grow();
    const at = (this.#head + this.#size) & (this.#events.length - 1);
    this.#events[at] = noted;
    this.#consumers[at] = consumers;
    this.#size++;
    this.#bytes += noted.bytes;
    if (!this.#planned) this.#plan();
  }

  #plan(): void {
    this.#planned = true;
    this.ports.soon(this.#run);
  }

  readonly #run = (): void => {
    this.#planned = false;
    this.work(this.#bytes > this.ports.limit() / 4 ? FULL_SLICE_MS : SLICE_MS);
    if (this.size > 0 && !this.#closed && !this.#planned) this.#plan();
  };

  /** Evaluate for so long, ms. What rules add meanwhile waits behind what is there. */
  work(ms: number): void {
    const { ports } = this;
    ports.begin();
    let last = ports.mono();
    const end = last + ms;
    let done = 0;
    while (this.#current !== null || this.#size > 0) {
      const noted = this.#current ?? this.#take();
      const lookers = this.#lookers;
      while (this.#looked < lookers.length) {
        // Who makes many rows of an event may act upon each of them.
        if (ports.evaluate(lookers[this.#looked] as T, noted)) this.#stride = 1;
        else this.#looked++;
        done += 1 + Math.floor(noted.bytes / WEIGHT_BYTES);
        if (done < this.#stride) continue;
        const now = ports.mono();
        this.#stride = now - last > LONG_MS ? 1 : Math.min(2 * this.#stride, STRIDE_MAX);
        if (now >= end) {
          if (this.#looked === lookers.length) this.#current = null;
          return;
        }
        last = now;
        done = 0;
      }
      this.#current = null;
    }
    // After a burst the room is not kept.
    if (this.#events.length > PLACES) this.#places(PLACES);
  }

  /** Nothing is added any more; what waits can still be worked off. */
  close(): void {
    this.#closed = true;
  }

  #take(): Noted {
    this.#lookers = this.#consumers[this.#head] as readonly T[];
    this.#looked = 0;
    const noted = this.#shift();
    this.#current = noted;
    this.ports.next(noted);
    return noted;
  }

  #shift(): Noted {
    const noted = this.#events[this.#head] as Noted;
    this.#events[this.#head] = null;
    this.#consumers[this.#head] = this.#nobody;
    this.#head = (this.#head + 1) & (this.#events.length - 1);
    this.#size--;
    this.#bytes -= noted.bytes;
    return noted;
  }

  #giveUp(): void {
    const consumers = this.#consumers[this.#head] as readonly T[];
    this.#shift();
    this.ports.dropped(consumers);
  }

  #grow(): void {
    this.#places(this.#events.length * 2);
  }

  #places(length: number): void {
    const events = new Array<Noted | null>(length).fill(null);
    const consumers = new Array<readonly T[]>(length).fill(this.#nobody);
    const mask = this.#events.length - 1;
    for (let i = 0; i < this.#size; i++) {
      events[i] = this.#events[(this.#head + i) & mask] as Noted;
      consumers[i] = this.#consumers[(this.#head + i) & mask] as readonly T[];
    }
    this.#events = events;
    this.#consumers = consumers;
    this.#head = 0;
  }
}
