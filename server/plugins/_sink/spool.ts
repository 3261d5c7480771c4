/**
 * The queue on the disk: files of frames (frames.ts), written behind one another, read in the same order, deleted when everything in them is done.
 *
 * What one piece of work appends is written together, behind it, before anybody is told that it was taken; one write at a time. A write that
 * fails ends its file, since nobody knows what is there: what it was to hold is written again to the next one. What is done is written down behind
 * the items, so that a file is deleted only after all before it. A start reads everything once; a torn tail is cut off and counted.
 *
 *   opening ── read ──> open ── close ──> closed
 *                        └─ write failed ─> (trouble: tried again each second) ─> open
 */
import { wordsOf } from "../../lib/errors.ts";
import type { MonoMs } from "../../lib/time.ts";
import { type Disk, type DiskFile, isPassing } from "./disk.ts";
import { Early } from "./early.ts";
import { checkItem, encodeFrame, rangesOf } from "./frames.ts";
import { leftoverOn } from "./leftover.ts";
import { Planned } from "./planned.ts";
import { pieces } from "./scan.ts";
import { anyKept, SEGMENT_MOST, Segment, segmentWith } from "./segment.ts";
import { Syncing } from "./syncing.ts";
import { SpoolTrouble } from "./trouble.ts";
import type { SpoolOwner, Stored } from "./types.ts";
import { type Pending, Unwritten } from "./unwritten.ts";

/** Written at a time. */
const CHUNK = 1024 * 1024;
/** Numbers in one frame. */
const DONE_MAX = 50_000;

export class Spool {
  #state: "opening" | "open" | "closed" = "opening";
  #segments: Segment[] = [];
  #active: Segment | null = null;
  #nextSegment = 1;
  /** Number of the last item. */
  #seq = 0;
  /** What is to be read next; behind `#seq` = everything is in memory. */
  #next = 1;
  #offset = 0;
  #reading: Segment | null = null;
  readonly #unwritten = new Unwritten();
  readonly #early = new Early();
  /** Done, and not yet written down. */
  #done: number[] = [];
  #unread = 0;
  /** One call of the system behind another. */
  #line: Promise<void> = Promise.resolve();
  #isWriting = false;
  /** Before anybody else hears that it was taken. */
  readonly #soon = new Planned(() => this.flush());
  readonly #syncing = new Syncing({
    failed: (err) => this.#trouble.failed(err),
    synced: (segments) => void this.#behind(() => this.#release(segments)),
  });
  /** The last bound there was. */
  #lastMost = SEGMENT_MOST;
  readonly #trouble: SpoolTrouble;

  constructor(
    private readonly disk: Disk,
    private readonly owner: SpoolOwner,
  ) {
    this.#trouble = new SpoolTrouble(owner);
  }

  /** Everything that waits is in memory, too. */
  get caughtUp(): boolean {
    return this.#state === "open" && this.#next > this.#seq;
  }
  /** Nothing of it is still to be done. */
  get isEmpty(): boolean {
    return this.#state === "open" && this.#unwritten.items === 0 && this.#early.count === 0 && this.#segments.every((s) => s.isOver);
  }
  get hasUnread(): boolean {
    return this.#segments.some((s) => s.unread > 0);
  }
  /** On the disk, or about to be, and not in memory. */
  get unread(): number {
    return this.#unread + this.#early.count + this.#segments.reduce((n, s) => n + (s.kept ?? 0), 0);
  }
  get bytes(): number {
    return this.#segments.reduce((n, s) => n + s.size, 0);
  }
  get unwritten(): number {
    return this.#unwritten.bytes + this.#early.bytes;
  }

  /** Bytes on the disk. Where nothing new is to be written there what comes still waits behind what is there, within the bound that was. */
  get #most(): number {
    this.#lastMost = this.owner.diskMax() || this.#lastMost;
    return this.#lastMost;
  }

  /** It is on the disk. */
  has(seq: number): boolean {
    return segmentWith(this.#segments, seq) !== undefined;
  }

  /** An item of so many bytes can be written without pushing out another one, also of a file that cannot be read: a later start may read it. */
  hasRoom(bytes: number): boolean {
    if (this.#state === "closed" || (this.unwritten > 0 && this.unwritten + bytes > this.owner.unwrittenMax)) return false;
    return this.bytes + this.unwritten + bytes <= this.#most;
  }

  /** Read what a former run has left. Never rejects: what cannot be read is told and passed over. */
  async open(): Promise<void> {
    const { segments, lastSeq, nextSegment } = await leftoverOn(this.disk, this.owner);
    if (this.#state !== "opening") return;
    this.#state = "open";
    this.#segments = segments;
    this.#seq = lastSeq;
    this.#nextSegment = nextSegment;
    this.#lastMost = Math.max(this.#lastMost, this.bytes);
    this.#unread = this.#segments.reduce((n, s) => n + s.left, 0);
    this.#next = this.#segments.find((s) => s.left > 0)?.first ?? this.#seq + 1;
    this.#removeDone();
    // Also when it was switched off meanwhile: what has come until then is written.
    if (this.owner.diskMax() > 0 || this.#early.count > 0) this.owner.opened();
    // Of a write that failed some may be there.
    for (const { seq, at, key, item } of this.#early.takeAll()) if (!this.has(seq)) this.#take(at, key, item, false);
    this.owner.readable();
    this.flush();
  }

  /**
   * Take an item. `isLoaded`: it is in memory, and nothing before it is not. `was`: it has waited in memory, within other bounds, and had that number,
   * or none (0); null = it is new. Returns its number, 0 = that is not known yet, null = there is no room for it. @throws FrameTooLong
   */
  append(at: number, key: string, item: Uint8Array, isLoaded: boolean, was: number | null): number | null {
    const { unwrittenMax } = this.owner;
    if (this.#state === "closed" || (was === null && this.unwritten > 0 && this.unwritten + item.length > unwrittenMax)) return null;
    if (this.#state === "open") return was !== null && this.has(was) ? was : this.#take(at, key, item, isLoaded);
    checkItem(key, item);
    this.#early.add({ seq: was ?? 0, at, key, item });
    return 0;
  }

  #take(at: number, key: string, item: Uint8Array, isLoaded: boolean): number {
    const bytes = encodeFrame({ kind: "item", seq: this.#seq + 1, at, key, item });
    const seq = ++this.#seq;
    this.#unwritten.add({ seq, bytes, isLoaded, isDone: false });
    this.#soon.plan();
    if (isLoaded) this.#next = seq + 1;
    else this.#unread++;
    return seq;
  }

  /** These need not be sent any more. */
  done(seqs: readonly number[]): void {
    for (const seq of seqs) {
      if (this.#unwritten.done(seq)) continue;
      const segment = segmentWith(this.#segments, seq);
      if (segment === undefined) continue;
      segment.left--;
      segment.loaded--;
      this.#done.push(seq);
    }
    this.#removeDone();
  }

  /** These are not in memory any more. Returns how many are not here either: their file had to make room. */
  unload(seqs: readonly number[]): number {
    let gone = 0;
    for (const seq of seqs) {
      const segment = segmentWith(this.#segments, seq);
      if (segment !== undefined) segment.loaded--;
      else if (!this.#unwritten.unload(seq)) gone++;
    }
    this.#unread += seqs.length - gone;
    return gone;
  }

  /** Write what waits, if nothing is being written. */
  flush(): void {
    if (this.#isWriting || this.#state !== "open" || (!this.#unwritten.any && this.#done.length === 0)) return;
    if (!this.#trouble.mayWrite) return;
    this.#isWriting = true;
    this.#behind(async () => {
      while (this.#unwritten.any || this.#done.length > 0) if (!(await this.#write())) break;
      this.#isWriting = false;
      this.owner.readable();
    });
  }

  /** One call behind another: a file is not closed while somebody reads it. */
  #behind(work: () => Promise<void>): Promise<void> {
    this.#line = this.#line.then(work).catch((err: unknown) => this.#trouble.failed(err));
    return this.#line;
  }

  async #write(): Promise<boolean> {
    while (this.#done.length > 0) {
      const ranges = rangesOf(this.#done.splice(0, DONE_MAX));
      this.#unwritten.add({ seq: 0, bytes: encodeFrame({ kind: "done", ranges }), isLoaded: false, isDone: false });
    }
    const chunk = this.#unwritten.chunk(Math.min(CHUNK, Segment.sizeWithin(this.#most)));
    const length = chunk.reduce((n, p) => n + p.bytes.length, 0);
    if (length === 0) return true;
    try {
      const segment = await this.#room(length);
      const offset = segment.size;
      await segment.append(Buffer.concat(chunk.map((p) => p.bytes)));
      this.#written(segment, offset, chunk);
      return true;
    } catch (err) {
      this.#endActive();
      this.#unwritten.putBack(chunk);
      this.#trouble.writeFailed(err);
      return false;
    }
  }

  async #room(length: number): Promise<Segment> {
    const active = this.#active;
    if (active !== null && (active.size === 0 || active.size + length <= Segment.sizeWithin(this.#most))) return active;
    const segment = await Segment.create(this.#nextSegment++, this.disk, this.#segments.at(-1)?.last ?? 0);
    this.#endActive();
    this.#segments.push(segment);
    this.#active = segment;
    this.#removeDone();
    return segment;
  }

  /** It is closed behind the next sync. A file that has taken nothing does not stay. */
  #endActive(): void {
    const segment = this.#active;
    this.#active = null;
    if (segment === null) return;
    if (segment.size > 0) this.#syncing.written(segment);
    else {
      this.#segments = this.#segments.filter((s) => s !== segment);
      this.#remove(segment);
    }
  }

  /** Files that nobody needs to be open are closed. */
  async #release(segments: readonly Segment[]): Promise<void> {
    for (const s of segments) if (s !== this.#active && s !== this.#reading && !this.#syncing.needs(s)) await s.close();
  }

  #written(segment: Segment, from: number, chunk: readonly Pending[]): void {
    let offset = from;
    for (const p of chunk) {
      this.#unwritten.written(p);
      if (p.seq > 0) {
        segment.take(p.seq, offset);
        if (p.isDone) this.#done.push(p.seq);
        else {
          segment.left++;
          if (p.isLoaded) segment.loaded++;
        }
      }
      offset += p.bytes.length;
    }
    segment.size = offset;
    this.#syncing.written(segment);
    this.#trouble.isOver();
    this.#bound();
  }

  /** The oldest file makes room. What of it is in memory is sent all the same, and is nowhere else. */
  #bound(): void {
    while (this.#segments.length > 1 && this.bytes > this.#most) {
      const segment = this.#segments.shift() as Segment;
      const { unread, last, kept } = segment;
      this.#unread -= unread;
      this.#next = Math.max(this.#next, last + 1);
      this.#remove(segment);
      this.owner.madeRoom(last, unread + (kept ?? 0));
      if (kept !== null) this.owner.unreadableGone(segment.name, !anyKept(this.#segments));
    }
  }

  #removeDone(): void {
    if (this.#state !== "open") return;
    for (let s = this.#segments[0]; s !== undefined && s !== this.#active && s.isOver; s = this.#segments[0]) {
      this.#segments.shift();
      this.#remove(s);
    }
  }

  #remove(segment: Segment): void {
    segment.gone = true;
    this.#syncing.forget(segment);
    void this.#behind(async () => {
      await this.#syncing.running;
      await segment.end(false, false);
    });
  }

  /** What is to be read next, up to so many rows and bytes (and one more). [] = nothing can be read now. */
  async read(rows: number, bytes: number): Promise<Stored[]> {
    const out: Stored[] = [];
    await this.#behind(async () => {
      let size = 0;
      while (out.length < rows && size < bytes && this.#state === "open") {
        const segment = this.#segments.find((s) => s.last >= this.#next && s.unread > 0);
        if (segment === undefined) {
          // Nothing is left but what was never written.
          if (this.#unwritten.items === 0) this.#next = this.#seq + 1;
          return;
        }
        const before = this.#reading;
        const found = await this.#readIn(segment, rows - out.length, bytes - size);
        if (found === null) return;
        out.push(...found);
        size += found.reduce((n, { item }) => n + item.length, 0);
        if (before !== null && before !== this.#reading) await this.#release([before]);
      }
    });
    return out;
  }

  /** null = it cannot be read just now. */
  async #readIn(segment: Segment, rows: number, bytes: number): Promise<Stored[] | null> {
    const file = await this.#opened(segment);
    if (file === null) return null;
    const out: Stored[] = [];
    const from = this.#reading === segment ? this.#offset : segment.offsetOf(this.#next);
    let size = 0;
    let [why, isKept] = ["its file is damaged", false];
    try {
      for await (const piece of pieces(file, from, segment.size, () => {})) {
        if (segment.gone) return out;
        for (const { frame, to } of piece) {
          if (frame.kind !== "item" || frame.seq < this.#next || !segment.has(frame.seq)) continue;
          this.#next = frame.seq + 1;
          this.#reading = segment;
          this.#offset = to;
          if (segment.isDone(frame.seq)) continue;
          out.push(frame);
          size += frame.item.length;
          segment.loaded++;
          this.#unread--;
          if (out.length >= rows || size >= bytes) return out;
        }
      }
    } catch (err) {
      if (isPassing(err)) {
        this.#trouble.failed(err);
        return out.length > 0 ? out : null;
      }
      why = wordsOf(err);
      isKept = true;
    }
    // It cannot be read to its end: the rest is lost, or waits for a later start.
    if (this.#next <= segment.last) this.#passOver(segment, why, isKept);
    this.#removeDone();
    return out;
  }

  /** null = it cannot be read just now, or not at all: then it stays, for a later start, and so do those behind it, which say what of it is done. */
  async #opened(segment: Segment): Promise<DiskFile | null> {
    try {
      return await segment.open();
    } catch (err) {
      if (isPassing(err)) this.#trouble.failed(err);
      else this.#passOver(segment, wordsOf(err), true);
      return null;
    }
  }

  /** Nothing more of it is read. `isKept`: it is there for a later start. */
  #passOver(segment: Segment, why: string, isKept: boolean): void {
    const rows = segment.passOver(isKept);
    this.#unread -= rows;
    this.#next = Math.max(this.#next, segment.last + 1);
    if (rows === 0) return;
    const what = `${segment.name}: ${why}`;
    if (isKept) this.owner.unreadable("queue", what);
    else this.owner.lost(rows, what);
  }

  tick(now: MonoMs): void {
    this.flush();
    this.#syncing.tick(now);
    this.#trouble.tick(now, !this.#unwritten.any && this.#done.length === 0);
  }

  /** What waits is written, and what is done; files that nobody needs are deleted. Returns what is neither written nor in memory, in order. */
  async close(): Promise<Stored[]> {
    this.#trouble.tryAtOnce();
    do {
      this.flush();
      await this.#line;
    } while (this.#state === "open" && !this.#trouble.is && (this.#isWriting || this.#unwritten.any || this.#done.length > 0));
    this.#state = "closed";
    await this.#line;
    await this.#syncing.running;
    const isOver = this.#unwritten.items + this.#early.count === 0 && this.#segments.every((s) => s.isOver);
    for (const segment of this.#segments) {
      try {
        await segment.end(!isOver, this.#syncing.has(segment));
      } catch (err) {
        this.#trouble.failed(err);
      }
    }
    return [...this.#unwritten.wanted, ...this.#early.takeAll()];
  }
}
