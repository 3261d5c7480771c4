/**
 * Outgoing QoS 1/2 messages that wait for an acknowledgement, in the order they were sent [MQTT-4.6.0-1].
 *
 * Packet identifiers count up from 1, so an identifier is a position. A small window is a ring of parallel arrays: neither sending nor
 * acknowledging allocates. One of more than a block is made of blocks, which come with its end and go with the last entry in them: it never has
 * to be copied as a whole, and takes the memory of what is in it. Acknowledged entries in the middle stay as holes until the head has passed them.
 *
 * An entry outlives its connection. A new connection begins at the head again (`restart`) and is `behind` until it has been sent all.
 */
import { type MonoMs, NO_MONO } from "../lib/time.ts";
import type { QoS } from "../mqtt/types.ts";
import { Held } from "./held.ts";
import { Block, F_QOS, F_RELEASED, F_SENT } from "./inflight_block.ts";
import type { Message } from "./message.ts";
import type { Terms } from "./terms.ts";

const IDS = 65535;
/** Entries of the first ring. */
const SMALL = 16;
const SHIFT = 8;
/** Entries of a block, and of the largest ring. */
const BLOCK = 1 << SHIFT;
/** What a place for an entry takes at most, bytes: two references, two numbers and a byte. Those of the first ring are not counted. */
const PLACE_BYTES = 33;
const BLOCK_BYTES = BLOCK * PLACE_BYTES;

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

/** Windows of fewer bytes of messages are let alone. */
export const MUCH = 16 * 1024;
const NONE: (Block | null)[] = [];

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
  /** Packet identifiers of the entries at head and tail. */
  #headId = 1;
  #tailId = 1;
  /** This connection has not been sent all: nothing new goes out before the rest has. */
  behind = false;
  /** While it is behind: the first entry that it has not been sent. */
  #next = 0;
  /** Size of the ring less 1, or of a block. */
  #mask = SMALL - 1;
  /** A small window; null = it is made of blocks. */
  #ring: Block | null = new Block(SMALL);
  /** That of position n at n / BLOCK modulo their number, a power of two; null = holes. */
  #blocks: (Block | null)[] = NONE;
  /** Number of blocks less 1. */
  #places = 0;

  constructor(private readonly held = new Held()) {}

  /** It holds so little that only the client's own bound counts. */
  get little(): boolean {
    return this.#ring !== null && this.bytes < MUCH && !this.held.short;
  }

  /** No identifier is left before the oldest entry is acknowledged. */
  get exhausted(): boolean {
    return this.#tail - this.#head >= IDS;
  }

  /** Append what is sent now and return the packet identifier; never while it is `behind`. `seq`: the journal's number of the delivery. */
  push(m: Message, terms: Terms, seq: number, now: MonoMs): number {
    this.sent++;
    const id = this.#tailId;
    this.#append(m, terms, seq, now, F_SENT);
    return id;
  }

  /** Put back an entry loaded from the journal; calls must come in order of sending. */
  restore(packetId: number, m: Message, terms: Terms, seq: number, released: boolean): void {
    if (this.count === 0) this.#beginAt(packetId - 1);
    else while (this.#tailId !== packetId && this.#tail - this.#head < IDS) this.#hole();
    const n = this.#append(m, terms, seq, NO_MONO, 0);
    if (released) this.release(n, NO_MONO);
  }

  /** A new connection: nothing has been sent on it. */
  restart(): void {
    this.rest();
    this.sent = 0;
    this.behind = this.count > 0;
    this.#next = this.#head;
    for (const n of this.positions()) {
      const { flags } = this.#at(n);
      flags[n & this.#mask] = (flags[n & this.#mask] as number) & ~F_SENT;
    }
  }

  /** While it is behind: position of the first entry that this connection has not been sent. -1 = it is not (any more). */
  get unsent(): number {
    if (!this.behind) return -1;
    if (this.#next < this.#head) this.#next = this.#head;
    while (this.#next < this.#tail && this.#isHole(this.#next)) this.#next++;
    if (this.#next < this.#tail) return this.#next;
    this.behind = false;
    return -1;
  }

  /** The entry at `unsent` goes out now: its PUBREL if it is released, else its PUBLISH. */
  resent(n: number, now: MonoMs): void {
    const { flags, times } = this.#at(n);
    const i = n & this.#mask;
    this.#next = n + 1;
    times[i] = now;
    if (((flags[i] as number) & F_RELEASED) !== 0) return;
    flags[i] = (flags[i] as number) | F_SENT;
    this.sent++;
  }

  /** Position of a packet identifier, -1 when it is not in flight. */
  find(packetId: number): number {
    let d = packetId - this.#headId;
    if (d < 0) d += IDS;
    if (d >= this.#tail - this.#head) return -1;
    const n = this.#head + d;
    return this.#isHole(n) ? -1 : n;
  }

  qos(n: number): QoS {
    return (this.#flags(n) & F_QOS) as QoS;
  }
  terms(n: number): Terms {
    return this.#at(n).terms(n & this.#mask);
  }
  released(n: number): boolean {
    return (this.#flags(n) & F_RELEASED) !== 0;
  }
  message(n: number): Message {
    return this.#at(n).messages[n & this.#mask] as Message;
  }
  seq(n: number): number {
    return this.#at(n).seq(n & this.#mask);
  }
  setSeq(n: number, seq: number): void {
    this.#at(n).setSeq(n & this.#mask, seq);
  }
  /** When it was sent last; 0 = before the node started. */
  sentAt(n: number): MonoMs {
    return this.#at(n).times[n & this.#mask] as MonoMs;
  }
  packetId(n: number): number {
    return (n % IDS) + 1;
  }

  /** When the entry at the head was sent last; only while there is one. */
  get oldest(): MonoMs {
    return this.sentAt(this.#head);
  }

  touch(n: number, now: MonoMs): void {
    this.#at(n).times[n & this.#mask] = now;
  }

  release(n: number, now: MonoMs): void {
    const { flags, times } = this.#at(n);
    flags[n & this.#mask] = (flags[n & this.#mask] as number) | F_RELEASED;
    times[n & this.#mask] = now;
  }

  remove(n: number): void {
    const b = this.#at(n);
    const i = n & this.#mask;
    if (((b.flags[i] as number) & F_SENT) !== 0) this.sent--;
    b.flags[i] = 0;
    const m = b.messages[i] as Message;
    this.bytes -= m.heldBytes;
    this.held.remove(m);
    b.messages[i] = null;
    this.count--;
    if (this.#ring === null) this.#left(b, n);
    if (n === this.#head) this.#advance();
  }

  /** Nobody waits for them any more. */
  clear(): void {
    for (const n of this.positions()) this.remove(n);
    this.rest();
  }

  /** Nothing will be sent for a while: an empty window takes little. */
  rest(): void {
    if (this.count === 0 && this.#mask >= SMALL) this.#beginAt(this.#tail);
  }

  /** Positions in order of sending. Entries may be removed while iterating. */
  *positions(): Generator<number> {
    for (let n = this.#head; n < this.#tail; n++) if (n >= this.#head && !this.#isHole(n)) yield n;
  }

  #append(m: Message, terms: Terms, seq: number, now: MonoMs, sent: number): number {
    const n = this.#tail;
    const ring = this.#ring;
    const b = ring !== null && n - this.#head <= this.#mask ? ring : this.#room(n);
    const i = n & this.#mask;
    this.#tail++;
    this.#tailId = nextId(this.#tailId);
    b.messages[i] = m;
    this.held.add(m);
    this.bytes += m.heldBytes;
    b.put(i, terms, seq, sent);
    b.times[i] = now;
    this.count++;
    return n;
  }

  #hole(): void {
    const n = this.#tail;
    if (this.#ring !== null && n - this.#head > this.#mask) this.#growRing(this.#ring);
    if (this.#ring === null) this.#spare(n);
    else this.#ring.flags[n & this.#mask] = 0;
    this.#tail++;
    this.#tailId = nextId(this.#tailId);
  }

  // ---- the arrays

  /** Where the entry at a position between head and tail is; never of a hole. */
  #at(n: number): Block {
    return this.#ring ?? (this.#blocks[(n >> SHIFT) & this.#places] as Block);
  }

  #flags(n: number): number {
    return this.#at(n).flags[n & this.#mask] as number;
  }

  /** Of a position between head and tail. A block of holes is no longer there. */
  #isHole(n: number): boolean {
    const b = this.#at(n) as Block | null;
    return b === null || b.flags[n & this.#mask] === 0;
  }

  /** Where the next entry, at position n, goes: not into the ring as it is. */
  #room(n: number): Block {
    if (this.#ring !== null) this.#growRing(this.#ring);
    if (this.#ring !== null) return this.#ring;
    this.#spare(n);
    const place = (n >> SHIFT) & this.#places;
    const b = this.#blocks[place] ?? this.#newBlock(place);
    b.live++;
    return b;
  }

  #newBlock(place: number): Block {
    const block = new Block(BLOCK);
    this.#blocks[place] = block;
    this.held.took(BLOCK_BYTES);
    return block;
  }

  /** An entry of the block, at position n, is a hole now. */
  #left(b: Block, n: number): void {
    if (--b.live === 0 && startOf(n) !== startOf(this.#tail)) this.#drop(n);
  }

  /** The block of position n, of which holes are all that is left. */
  #drop(n: number): void {
    const place = (n >> SHIFT) & this.#places;
    if (this.#blocks[place] === null) return;
    this.#blocks[place] = null;
    this.held.took(-BLOCK_BYTES);
  }

  /** The ring is full: twice as large, or one block of two. */
  #growRing(ring: Block): void {
    if (this.#mask < BLOCK - 1) {
      const larger = new Block((this.#mask + 1) * 2);
      larger.take(ring, this.#head, this.#tail);
      this.held.took((this.#mask + 1) * PLACE_BYTES);
      this.#ring = larger;
      this.#mask = this.#mask * 2 + 1;
      return;
    }
    // The ring's end is behind its beginning.
    const border = startOf(this.#head) + BLOCK;
    this.#ring = null;
    this.#places = 1;
    this.#blocks = [null, null];
    const block = this.#newBlock((border >> SHIFT) & 1);
    block.take(ring, border, this.#tail);
    ring.live = this.count - block.live;
    this.#blocks[(this.#head >> SHIFT) & 1] = ring;
    this.held.took(SMALL * PLACE_BYTES);
  }

  /** A place for the block of position n. */
  #spare(n: number): void {
    if (n - startOf(this.#head) < (this.#places + 1) * BLOCK) return;
    const places = this.#places * 2 + 1;
    const blocks = new Array<Block | null>(places + 1).fill(null);
    for (let at = startOf(this.#head); at < this.#tail; at += BLOCK) {
      blocks[(at >> SHIFT) & places] = this.#blocks[(at >> SHIFT) & this.#places] as Block | null;
    }
    this.#places = places;
    this.#blocks = blocks;
  }

  /** The head passes holes, and leaves blocks behind. */
  #advance(): void {
    while (this.#head < this.#tail && this.#isHole(this.#head)) {
      this.#head++;
      this.#headId = nextId(this.#headId);
      if (this.#ring === null && (this.#head & this.#mask) === 0) this.#drop(this.#head - 1);
    }
    if (this.#ring === null && this.#head === this.#tail) this.#beginAt(this.#tail);
  }

  /** Empty: a small ring. */
  #beginAt(n: number): void {
    if (this.#ring !== null) this.held.took((SMALL - this.#ring.flags.length) * PLACE_BYTES);
    for (const b of this.#blocks) if (b !== null) this.held.took(-BLOCK_BYTES);
    this.#head = this.#tail = n;
    this.#headId = this.#tailId = (n % IDS) + 1;
    this.#mask = SMALL - 1;
    this.#ring = new Block(SMALL);
    this.#blocks = NONE;
  }
}

function nextId(id: number): number {
  return id === IDS ? 1 : id + 1;
}

/** Position of the first entry of the block that the position is in. */
function startOf(n: number): number {
  return n - (n & (BLOCK - 1));
}
