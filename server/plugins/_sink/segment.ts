/** One file of a spool, and what is known of the items in it. */
import type { Disk, DiskFile } from "./disk.ts";

/** A place is remembered for each so many bytes. */
const STRIDE = 64 * 1024;
/** Files that the disk's share is divided into, and how large each is at least and at most. */
const SHARES = 8;
const SEGMENT_LEAST = 64 * 1024;
export const SEGMENT_MOST = 16 * 1024 * 1024;
/** Further apart no two numbers of one segment are: whatever says so is damaged. */
export const SPREAD_MAX = 64 * 1024 * 1024;

export class Segment {
  /** Numbers of its items; none yet: `last` < `first`. */
  first: number;
  last: number;
  /** Items that are not done, and how many of them are in memory. */
  left = 0;
  loaded = 0;
  /** Its bytes that are there for sure, also where nobody can read them. */
  size = 0;
  /** It cannot be read, and stays for a later start: so many items of it wait there, as far as is known. null = it can. */
  kept: number | null = null;
  /** It is deleted, or about to be. */
  gone = false;
  /** Of a former run: which of its items are done. */
  #done: Uint8Array | null = null;
  readonly #places: [seq: number, offset: number][] = [];

  #file: DiskFile | null = null;

  /** `behind`: the last number before it. */
  constructor(
    readonly number: number,
    private readonly disk: Disk,
    behind: number,
  ) {
    this.first = behind + 1;
    this.last = behind;
  }

  /** A new file. @throws Error of the system */
  static async create(number: number, disk: Disk, behind: number): Promise<Segment> {
    const segment = new Segment(number, disk, behind);
    segment.#file = await disk.create(segment.name);
    return segment;
  }

  /** One of which nothing can be read. `size`: what it takes of the disk's share, and gives back when it makes room. */
  static unreadable(number: number, disk: Disk, behind: number, size: number): Segment {
    const segment = new Segment(number, disk, behind);
    segment.kept = 0;
    segment.size = size;
    return segment;
  }

  /** How large one is where all together have so many bytes. */
  static sizeWithin(most: number): number {
    return Math.min(Math.max(Math.floor(most / SHARES), SEGMENT_LEAST), SEGMENT_MOST);
  }

  static nameOf(number: number): string {
    return `segment-${String(number).padStart(10, "0")}`;
  }
  /** null = it is no segment's name. */
  static numberIn(name: string): number | null {
    const found = /^segment-(\d{10,15})$/.exec(name);
    return found === null ? null : Number(found[1]);
  }

  get name(): string {
    return Segment.nameOf(this.number);
  }
  /** For reading, if it is not open. Of many files few are: those that are written, read, or brought to the disk. @throws Error of the system */
  async open(): Promise<DiskFile> {
    this.#file ??= await this.disk.open(this.name);
    return this.#file;
  }

  async append(bytes: Uint8Array): Promise<void> {
    await (await this.open()).append(bytes);
  }

  async sync(): Promise<void> {
    await this.#file?.sync();
  }

  /** Until somebody opens it. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  /** For good: brought to the disk, or deleted. @throws Error of the system */
  async end(isWanted: boolean, isUnsynced: boolean): Promise<void> {
    if (isWanted && isUnsynced) await this.sync();
    await this.close();
    if (!isWanted) await this.disk.remove(this.name);
  }

  get unread(): number {
    return this.left - this.loaded;
  }
  /** Nobody needs it, nor, for its sake, those behind it, which say what of it is done. */
  get isOver(): boolean {
    return this.left === 0 && this.kept === null;
  }

  /** Nothing more of it is read: what is not in memory is lost, or waits for a later start. Returns how many those are. */
  passOver(isKept: boolean): number {
    const { unread } = this;
    if (isKept && unread > 0) {
      this.loaded += unread;
      this.kept = unread;
    } else this.left -= unread;
    return unread;
  }

  has(seq: number): boolean {
    return this.last >= this.first && seq >= this.first && seq <= this.last;
  }

  /** An item stands there. False = it cannot be: the file is damaged. */
  take(seq: number, offset: number): boolean {
    if (this.last < this.first) this.first = seq;
    if (seq - this.first > SPREAD_MAX) return false;
    this.last = seq;
    const place = this.#places.at(-1);
    if (place === undefined || offset - place[1] >= STRIDE) this.#places.push([seq, offset]);
    return true;
  }

  /** Where to begin to look for it. */
  offsetOf(seq: number): number {
    let [low, high] = [0, this.#places.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#places[middle] as [number, number])[0] <= seq) low = middle + 1;
      else high = middle;
    }
    return this.#places[low - 1]?.[1] ?? 0;
  }

  isDone(seq: number): boolean {
    const n = seq - this.first;
    return this.#done !== null && ((this.#done[n >> 3] ?? 0) & (1 << (n & 7))) !== 0;
  }

  /** Of a former run. False = it was done before. */
  markDone(seq: number): boolean {
    const n = seq - this.first;
    if (this.#done === null || this.#done.length <= n >> 3) {
      const wider = new Uint8Array(Math.max(1024, 2 * ((this.last - this.first) >> 3), (n >> 3) + 1));
      wider.set(this.#done ?? []);
      this.#done = wider;
    }
    if (this.isDone(seq)) return false;
    this.#done[n >> 3] = (this.#done[n >> 3] as number) | (1 << (n & 7));
    return true;
  }
}

/** The one that has it, of several in order; undefined = none has. */
export function segmentWith(segments: readonly Segment[], seq: number): Segment | undefined {
  let [low, high] = [0, segments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((segments[middle] as Segment).last < seq) low = middle + 1;
    else high = middle;
  }
  const found = segments[low];
  return found?.has(seq) === true ? found : undefined;
}

/** There is one that cannot be read. */
export const anyKept = (segments: readonly Segment[]): boolean => segments.some((s) => s.kept !== null);
