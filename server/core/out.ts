/**
 * Outgoing bytes of one connection. While input is processed, bytes gather here; every connection that has some is written once per flush.
 *
 * | state     | in the pool's list | holds                                   | bytes put in go to                             |
 * | --------- | ------------------ | --------------------------------------- | ---------------------------------------------- |
 * | clean     | no                 | no run, no staging buffer               | make it gathering                              |
 * | gathering | yes                | a run, or a staging buffer, or both     | the run, the staging buffer                    |
 * | waiting   | no: among those    | a staging buffer                        | the staging buffer: a run is copied at once    |
 * |           | that wait          |                                         |                                                |
 * | closed    | perhaps still      | nothing at all                          | nowhere: the staging buffer is the pool's sink |
 *
 * Beside them, in all but `closed`, the backlog: what the kernel did not take, and behind it what is held back for the commit, and while it
 * waits for the disk everything. It is bounded by the callers through `blocked`.
 *
 * Waiting is who promises what is committed, but not on the disk yet (`storage.sync = always`). A sync *covers* what is gathered when it
 * begins. What comes behind that leaves with it when it promises nothing, or else waits for the next sync.
 *
 * A staging buffer has one owner. It is taken from the pool for one connection, and whoever writes it takes it out of the connection first:
 * what happens while the transport writes (it may turn out to be gone) finds no buffer to give back a second time.
 *
 * A *run* is consecutive bytes of the input chunk in hand, forwarded without a copy. Order on the wire: backlog, staging, run.
 */
import { copyBytes } from "../lib/bytes.ts";
import { Backlog } from "./backlog.ts";
import { LARGE, type OutOwner, type OutPool } from "./out_pool.ts";
import type { Transport } from "./ports.ts";

/** Above this many unwritten bytes a connection is blocked: QoS 0 for it is dropped, QoS 1/2 wait in its session. */
export const HIGH_WATER = 1024 * 1024;
const LOW_WATER = 256 * 1024;

type State = 0 | 1 | 2 | 3;
const CLEAN = 0;
const GATHERING = 1;
const CLOSED = 2;
const WAITING = 3;

export class Out {
  /** More than HIGH_WATER bytes wait for the peer, or it is closed: nothing more is to be put in. */
  blocked = false;
  /** Among the unflushed bytes is a promise (acknowledgement of QoS 1/2 …): they may only leave after the journal's commit. */
  holdsAcks = false;
  /** Bytes accepted by the transport, and successful writes. */
  bytes = 0;
  writes = 0;
  #state: State = CLEAN;
  #seg: Uint8Array | null = null;
  #s0 = 0;
  #s1 = 0;
  #st: Uint8Array | null = null;
  #sl = 0;
  #backlog: Backlog | null = null;
  /** Bytes at the backlog's end that are held back for the commit, not refused by the kernel: no drain event will come for them. */
  #held = 0;
  /** While it waits: of what is held, and then of what is staged, the first so many bytes leave after the sync in hand. */
  #covered = 0;

  constructor(
    readonly transport: Transport,
    private readonly pool: OutPool,
    readonly owner: OutOwner,
  ) {}

  get closed(): boolean {
    return this.#state === CLOSED;
  }
  /** The peer is there, and does not read. */
  get unread(): boolean {
    return this.blocked && this.#state !== CLOSED;
  }
  /** For the disk. */
  get waits(): boolean {
    return this.#state === WAITING;
  }

  /** Bytes not yet taken by the kernel. */
  get pending(): number {
    return (this.#backlog === null ? 0 : this.#backlog.bytes) + this.#sl + (this.#s1 - this.#s0);
  }

  // ---- gathering

  /** Forward bytes of the input chunk in hand. They must stay valid until the flush that ends this chunk's processing. */
  run(buf: Uint8Array, start: number, end: number): void {
    if (this.#state !== GATHERING) {
      if (!this.#gather()) return;
      if (this.#state === WAITING) {
        this.#stage(buf, start, end);
        return;
      }
    }
    if (this.#seg === buf && this.#s1 === start) {
      this.#s1 = end;
      return;
    }
    if (this.#seg !== null && !this.#stageRun()) return;
    this.#seg = buf;
    this.#s0 = start;
    this.#s1 = end;
  }

  /** Append a copy of the bytes. */
  copy(buf: Uint8Array, start: number, end: number): void {
    if (this.#state !== GATHERING && !this.#gather()) return;
    if (this.#seg !== null && !this.#stageRun()) return;
    this.#stage(buf, start, end);
  }

  /**
   * Room for `n` bytes (n ≤ 64 KiB) in the staging buffer; write them at the returned offset of `staging` at once.
   * Usage: `const at = out.reserve(4); const b = out.staging; b[at] = …`.
   */
  reserve(n: number): number {
    if (this.#state !== GATHERING && !this.#gather()) return 0;
    if (this.#seg !== null && !this.#stageRun()) return 0;
    if (!this.#room(n)) return 0;
    const at = this.#sl;
    this.#sl += n;
    return at;
  }

  /** Give back the last `n` reserved bytes. */
  unreserve(n: number): void {
    if (this.#gathers) this.#sl -= n;
  }

  get staging(): Uint8Array {
    return this.#st ?? this.pool.sink;
  }

  get #gathers(): boolean {
    return this.#state === GATHERING || this.#state === WAITING;
  }

  /** Into the list, unless it waits. False = closed: there is nothing to gather for. */
  #gather(): boolean {
    if (this.#state !== CLEAN) return this.#state === WAITING;
    this.#state = GATHERING;
    this.pool.dirty.push(this);
    return true;
  }

  /** The run becomes a copy, since something else comes behind it. False = closed meanwhile. */
  #stageRun(): boolean {
    const seg = this.#seg as Uint8Array;
    const s0 = this.#s0;
    const s1 = this.#s1;
    this.#seg = null;
    this.#s0 = this.#s1 = 0;
    return this.#stage(seg, s0, s1);
  }

  /** False = closed meanwhile. */
  #stage(buf: Uint8Array, start: number, end: number): boolean {
    const n = end - start;
    if (n > LARGE) {
      this.#spill();
      this.#leave(buf, start, end);
      return this.#state !== CLOSED;
    }
    if (!this.#room(n)) return false;
    const st = this.#st as Uint8Array;
    if (n < 24) {
      let at = this.#sl;
      for (let i = start; i < end; i++) st[at++] = buf[i] as number;
    } else copyBytes(buf, st, this.#sl, start, end);
    this.#sl += n;
    return true;
  }

  /** Make sure the staging buffer has room for n bytes: grow it, or write it out when it is full. False = closed meanwhile. */
  #room(n: number): boolean {
    const st = this.#st;
    if (st === null) {
      this.#st = this.pool.take(n);
      return true;
    }
    if (this.#sl + n <= st.length) return true;
    if (this.#sl + n <= LARGE) this.#grow(st);
    else {
      this.#spill();
      if (this.#state === CLOSED) return false;
      if (n > (this.#st as Uint8Array).length) this.#grow(this.#st as Uint8Array);
    }
    return true;
  }

  #grow(st: Uint8Array): void {
    const big = this.pool.take(LARGE);
    copyBytes(st, big, 0, 0, this.#sl);
    this.#st = big;
    this.pool.give(st);
  }

  /** The staging buffer is full before the turn is over. */
  #spill(): void {
    const st = this.#st;
    const n = this.#sl;
    if (st === null || n === 0) return;
    this.#st = null;
    this.#sl = 0;
    this.#leave(st, 0, n);
    if (this.#gathers && this.#st === null) this.#st = st;
    else this.pool.give(st);
  }

  /** To the kernel before the flush, unless a promise is among them or before them. */
  #leave(buf: Uint8Array, start: number, end: number): void {
    if (!this.holdsAcks && this.#state !== WAITING) {
      this.#write(buf, start, end);
      return;
    }
    if (this.#state === CLOSED) return;
    this.#keep(buf, start, end);
    this.#held += end - start;
  }

  // ---- writing

  /**
   * Write everything gathered since the last flush; the rest goes to the backlog. Returns true when the connection has just come below
   * the low-water mark.
   */
  flush(): boolean {
    if (this.#seg !== null && this.#sl > 0) this.#stageRun();
    if (this.#state !== GATHERING) return false;
    const st = this.#st;
    const sl = this.#sl;
    const seg = this.#seg;
    const s0 = this.#s0;
    const s1 = this.#s1;
    this.#state = CLEAN;
    this.holdsAcks = false;
    this.#st = this.#seg = null;
    this.#sl = this.#s0 = this.#s1 = 0;
    if (this.#held > 0) {
      this.#held = 0;
      this.#writeBacklog();
    }
    if (seg !== null) this.#write(seg, s0, s1);
    else if (sl > 0) this.#write(st as Uint8Array, 0, sl);
    if (st !== null) this.pool.give(st);
    return this.blocked && this.#lowered();
  }

  // ---- waiting for the disk

  /** Instead of `flush`. False = there is nothing that could wait. */
  wait(): boolean {
    if (this.#state !== GATHERING) return false;
    this.#state = WAITING;
    // The chunk is gone when the turn is over.
    if (this.#seg !== null) this.#stageRun();
    return true;
  }

  cover(): void {
    this.#covered = this.#held + this.#sl;
    this.holdsAcks = false;
  }

  /** False = closed meanwhile. */
  uncover(): boolean {
    this.#covered = 0;
    this.holdsAcks = this.#state === WAITING;
    return this.holdsAcks;
  }

  /** What is covered leaves, and what comes behind it, unless that has a promise of its own: then it waits on. Returns as `flush`. */
  release(): boolean {
    if (this.#state !== WAITING) return false;
    if (!this.holdsAcks) {
      this.#covered = 0;
      this.#state = GATHERING;
      return this.flush();
    }
    const early = Math.min(this.#covered, this.#held);
    const staged = this.#covered - early;
    this.#covered = 0;
    this.#held -= early;
    if (early > 0) this.#writeBacklog();
    if (staged > 0) this.#writeStaged(staged);
    return this.blocked && this.#lowered();
  }

  /** The first `n` bytes of the staging buffer. */
  #writeStaged(n: number): void {
    const st = this.#st;
    const sl = this.#sl;
    // Gone while its backlog was written.
    if (st === null) return;
    const rest = this.pool.take(sl - n);
    copyBytes(st, rest, 0, n, sl);
    this.#st = rest;
    this.#sl = sl - n;
    this.#write(st, 0, n);
    this.pool.give(st);
  }

  /** The transport can take more. Returns true when the connection has just come below the low-water mark. */
  drained(): boolean {
    if (this.#backlog === null) return false;
    this.#writeBacklog();
    return this.blocked && this.#lowered();
  }

  #lowered(): boolean {
    if (this.#state === CLOSED || (this.#backlog !== null && this.#backlog.bytes >= (this.pool.tight ? 1 : LOW_WATER))) return false;
    this.blocked = false;
    return true;
  }

  #write(buf: Uint8Array, start: number, end: number): void {
    if (this.#state === CLOSED) return;
    if (this.#backlog !== null) {
      this.#keep(buf, start, end);
      return;
    }
    const n = this.#send(buf, start, end - start);
    if (n >= 0 && n < end - start) this.#keep(buf, start + n, end);
  }

  /** As much of the backlog as the kernel takes; what is held stays. */
  #writeBacklog(): void {
    const list = this.#backlog;
    if (list === null) return;
    while (list.bytes > this.#held) {
      const n = Math.min(list.run, list.bytes - this.#held);
      const taken = this.#send(list.first, list.start, n);
      if (taken < 0) return;
      list.drop(taken);
      this.pool.backlog -= taken;
      if (taken < n) return;
    }
    if (list.bytes === 0) this.#backlog = null;
  }

  #keep(buf: Uint8Array, start: number, end: number): void {
    this.#backlog ??= new Backlog();
    this.#backlog.push(buf, start, end);
    this.pool.backlog += end - start;
    if (this.#backlog.bytes > (this.pool.tight ? 0 : HIGH_WATER)) this.blocked = true;
  }

  /** Hand bytes to the transport. -1 = it is gone, or was while it wrote: everything is dropped. One that throws counts as gone. */
  #send(buf: Uint8Array, start: number, length: number): number {
    let n: number;
    try {
      n = this.transport.write(buf, start, length);
    } catch (err) {
      this.fail(err);
      return -1;
    }
    if (this.#state === CLOSED) return -1;
    if (n < 0) {
      this.close();
      return -1;
    }
    this.bytes += n;
    this.pool.counter.bytesSent += n;
    if (n > 0) this.writes++;
    return n;
  }

  // ---- the end

  /** Forget what was not written yet, and write no more. */
  close(): void {
    this.#state = CLOSED;
    this.blocked = true;
    const st = this.#st;
    if (this.#backlog !== null) this.pool.backlog -= this.#backlog.bytes;
    this.#seg = this.#st = this.#backlog = null;
    this.#s0 = this.#s1 = this.#sl = this.#held = this.#covered = 0;
    this.holdsAcks = false;
    if (st !== null) this.pool.give(st);
  }

  /** Close because of an exception, and say so. */
  fail(err: unknown): void {
    if (this.#state === CLOSED) return;
    this.close();
    this.pool.failed(this, err);
  }
}
