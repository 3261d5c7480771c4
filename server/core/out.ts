/**
 * Outgoing bytes of one connection. While input is processed, bytes gather here; every dirty connection is written once per flush.
 *
 * Two forms: a *run* (consecutive bytes of the input chunk in hand, forwarded without a copy) and *staging* (a pooled buffer for
 * everything else). What the kernel does not take moves to the backlog, which is bounded by the callers through `blocked`.
 */
import { copyBytes } from "../lib/bytes.ts";
import type { Transport } from "./ports.ts";

const SMALL = 4 * 1024;
const LARGE = 64 * 1024;
/** Above this many unwritten bytes a connection is blocked: QoS 0 for it is dropped, QoS 1/2 wait in its session. */
export const HIGH_WATER = 1024 * 1024;
const LOW_WATER = 256 * 1024;

/** Connections with something to write, and the staging buffers they borrow while they are dirty. */
export class OutPool {
  /** `counter.bytesSent`: all bytes the kernel took, of all connections. */
  constructor(readonly counter: { bytesSent: number }) {}

  dirty: Out[] = [];
  /** Bytes that wait in backlogs, of all connections. */
  backlog = 0;
  /** Beyond so many of them a connection is blocked by the first byte that its kernel does not take. */
  budget = Number.POSITIVE_INFINITY;
  readonly #small: Uint8Array[] = [];
  readonly #large: Uint8Array[] = [];

  take(size: number): Uint8Array {
    if (size <= SMALL) return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL);
    return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE);
  }

  give(buf: Uint8Array): void {
    if (buf.length === SMALL) {
      if (this.#small.length < 2048) this.#small.push(buf);
    } else if (this.#large.length < 64) this.#large.push(buf);
  }

  flushAll(): void {
    const list = this.dirty;
    if (list.length === 0) return;
    this.dirty = [];
    for (let i = 0; i < list.length; i++) (list[i] as Out).flush();
    if (this.dirty.length === 0 && list.length < 4096) {
      list.length = 0;
      this.dirty = list;
    }
  }
}

export class Out {
  /** More than HIGH_WATER bytes wait for the peer. */
  blocked = false;
  closed = false;
  /** Acknowledgements of QoS 1/2 are among the unflushed bytes: they may only leave after the journal's commit. */
  holdsAcks = false;
  /** Bytes accepted by the transport, and successful writes. */
  bytes = 0;
  writes = 0;
  #isDirty = false;
  #seg: Uint8Array | null = null;
  #s0 = 0;
  #s1 = 0;
  #st: Uint8Array | null = null;
  #sl = 0;
  #backlog: Uint8Array[] | null = null;
  /** The backlog holds bytes that were kept back for the commit, not refused by the kernel: no drain event will come for them. */
  #held = false;
  #backlogBytes = 0;

  constructor(
    readonly transport: Transport,
    private readonly pool: OutPool,
  ) {}

  /** Bytes not yet taken by the kernel. */
  get pending(): number {
    return this.#backlogBytes + this.#sl + (this.#s1 - this.#s0);
  }

  /** Forward bytes of the input chunk in hand. They must stay valid until the flush that ends this chunk's processing. */
  run(buf: Uint8Array, start: number, end: number): void {
    if (!this.#isDirty) this.#mark();
    if (this.#seg === buf && this.#s1 === start) {
      this.#s1 = end;
      return;
    }
    if (this.#seg !== null) this.#stageRun();
    this.#seg = buf;
    this.#s0 = start;
    this.#s1 = end;
  }

  /** Append a copy of the bytes. */
  copy(buf: Uint8Array, start: number, end: number): void {
    if (!this.#isDirty) this.#mark();
    if (this.#seg !== null) this.#stageRun();
    this.#stage(buf, start, end);
  }

  /**
   * Room for `n` bytes (n ≤ 64 KiB) in the staging buffer; write them at the returned offset of `staging` at once.
   * Usage: `const at = out.reserve(4); const b = out.staging; b[at] = …`.
   */
  reserve(n: number): number {
    if (!this.#isDirty) this.#mark();
    if (this.#seg !== null) this.#stageRun();
    this.#room(n);
    const at = this.#sl;
    this.#sl += n;
    return at;
  }

  /** Give back the last `n` reserved bytes. */
  unreserve(n: number): void {
    this.#sl -= n;
  }

  get staging(): Uint8Array {
    return this.#st as Uint8Array;
  }

  /** Write everything gathered since the last flush; the rest goes to the backlog. */
  flush(): void {
    this.#isDirty = false;
    this.holdsAcks = false;
    if (this.closed) {
      this.#drop();
      return;
    }
    if (this.#seg !== null) {
      if (this.#sl === 0) {
        this.#write(this.#seg, this.#s0, this.#s1);
        this.#seg = null;
        this.#s0 = this.#s1 = 0;
        return;
      }
      this.#stageRun();
    }
    if (this.#held) {
      this.#held = false;
      this.drained();
    }
    this.#writeStaging();
    if (this.#st !== null) {
      this.pool.give(this.#st);
      this.#st = null;
    }
  }

  /** The transport can take more. Returns true when the connection has just come below the low-water mark. */
  drained(): boolean {
    const list = this.#backlog;
    if (list === null || this.closed) return false;
    let i = 0;
    for (; i < list.length; i++) {
      const b = list[i] as Uint8Array;
      const n = this.transport.write(b, 0, b.length);
      if (n < 0) {
        this.close();
        return false;
      }
      this.#backlogBytes -= n;
      this.pool.backlog -= n;
      this.bytes += n;
      this.pool.counter.bytesSent += n;
      if (n > 0) this.writes++;
      if (n < b.length) {
        list[i] = b.subarray(n);
        break;
      }
    }
    if (i === list.length) this.#backlog = null;
    else if (i > 0) list.splice(0, i);
    if (this.blocked && this.#backlogBytes < LOW_WATER) {
      this.blocked = false;
      return true;
    }
    return false;
  }

  /** Forget what was not written yet (unacknowledged batch after a failed commit) and stop writing. */
  close(): void {
    this.closed = true;
    if (!this.#isDirty) this.#drop();
  }

  #mark(): void {
    this.#isDirty = true;
    this.pool.dirty.push(this);
  }

  #drop(): void {
    this.#seg = null;
    this.#s0 = this.#s1 = this.#sl = 0;
    if (this.#st !== null) {
      this.pool.give(this.#st);
      this.#st = null;
    }
    this.#backlog = null;
    this.pool.backlog -= this.#backlogBytes;
    this.#backlogBytes = 0;
  }

  #stageRun(): void {
    const seg = this.#seg as Uint8Array;
    const s0 = this.#s0;
    const s1 = this.#s1;
    this.#seg = null;
    this.#s0 = this.#s1 = 0;
    this.#stage(seg, s0, s1);
  }

  #stage(buf: Uint8Array, start: number, end: number): void {
    const n = end - start;
    if (n > LARGE) {
      this.#writeStaging();
      if (this.#held) this.#keep(buf, start, end);
      else this.#write(buf, start, end);
      return;
    }
    this.#room(n);
    const st = this.#st as Uint8Array;
    if (n < 24) {
      let at = this.#sl;
      for (let i = start; i < end; i++) st[at++] = buf[i] as number;
    } else copyBytes(buf, st, this.#sl, start, end);
    this.#sl += n;
  }

  /** Make sure the staging buffer has room for n bytes: grow it, or write it out when it is full. */
  #room(n: number): void {
    const st = this.#st;
    if (st === null) {
      this.#st = this.pool.take(n);
      return;
    }
    if (this.#sl + n <= st.length) return;
    if (st.length === SMALL && this.#sl + n <= LARGE) {
      const big = this.pool.take(LARGE);
      copyBytes(st, big, 0, 0, this.#sl);
      this.pool.give(st);
      this.#st = big;
      return;
    }
    this.#writeStaging();
    if (n > st.length) {
      this.pool.give(st);
      this.#st = this.pool.take(n);
    }
  }

  #writeStaging(): void {
    if (this.#sl === 0) return;
    const st = this.#st as Uint8Array;
    const n = this.#sl;
    this.#sl = 0;
    if (this.holdsAcks) {
      this.#held = true;
      this.#keep(st, 0, n);
    } else this.#write(st, 0, n);
  }

  #write(buf: Uint8Array, start: number, end: number): void {
    if (this.closed) return;
    if (this.#backlog !== null) {
      this.#keep(buf, start, end);
      return;
    }
    const n = this.transport.write(buf, start, end - start);
    if (n < 0) {
      this.close();
      return;
    }
    this.bytes += n;
    this.pool.counter.bytesSent += n;
    this.writes++;
    if (n < end - start) this.#keep(buf, start + n, end);
  }

  #keep(buf: Uint8Array, start: number, end: number): void {
    const copy = Buffer.allocUnsafeSlow(end - start);
    copyBytes(buf, copy, 0, start, end);
    if (this.#backlog === null) this.#backlog = [copy];
    else this.#backlog.push(copy);
    this.#backlogBytes += copy.length;
    this.pool.backlog += copy.length;
    if (this.#backlogBytes > (this.pool.backlog > this.pool.budget ? 0 : HIGH_WATER)) this.blocked = true;
  }
}
