/**
 * Dead letters on the disk: a file of frames, each that a letter is there or gone. When most of it says nothing any more it is written anew.
 * What has come to be a letter is taken out of the queue on the disk only when it stands here.
 */
import { NO_BYTES } from "../../lib/bytes.ts";
import { wordsOf } from "../../lib/errors.ts";
import { later, type MonoMs, reached } from "../../lib/time.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { encodeFrame, type Frame, FrameTooLong } from "./frames.ts";
import { pieces } from "./scan.ts";

export type StoredLetter = Omit<Extract<Frame, { kind: "letter" }>, "kind">;

const LEAST = 1024 * 1024;
/** Where it could not be written it is tried again so often. */
const AGAIN_MS = 1000;

export interface BookOwner {
  /** All there are, when it is written anew. */
  all(): Iterable<StoredLetter>;
  readonly bytes: number;
  now(): MonoMs;
  /** The disk does not take them, and why; null = it does again. */
  trouble(why: string | null): void;
  /** Some cannot be read, and stay for a later start, and why; null = none of those that are there. */
  unreadable(why: string | null): void;
  torn(file: string, bytes: number): void;
}

export class LetterBook {
  #file: DiskFile | null = null;
  #number = 0;
  /** What is in the file already, or on its way. */
  #line: Promise<void> = Promise.resolve();
  #closed = false;
  #unsynced = false;
  /** It is not on the disk as it should be, and is written anew then; null = it is. */
  #again: MonoMs | null = null;
  /** What is in these is here, or they are our own. Others, which could not be read or listed at the start, stay for a later one. */
  readonly #known = new Set<string>();
  #hasUnread = false;

  constructor(
    private readonly disk: Disk,
    private readonly owner: BookOwner,
  ) {}

  /** What it was given is there, or on its way. */
  get isWhole(): boolean {
    return this.#again === null;
  }

  /** Some could not be read: which numbers their letters have nobody knows. */
  get hasUnread(): boolean {
    return this.#hasUnread;
  }

  static numberIn(name: string): number | null {
    const found = /^letters-(\d{1,12})$/.exec(name);
    return found === null ? null : Number(found[1]);
  }

  /** What a former run has left; of two files the older is whole, and the newer may not be. */
  async open(): Promise<StoredLetter[]> {
    const found = new Map<number, StoredLetter>();
    try {
      const numbers = (await this.disk.list()).flatMap((name) => LetterBook.numberIn(name) ?? []).sort((a, b) => a - b);
      this.#number = numbers.at(-1) ?? 0;
      for (const number of numbers) await this.#look(`letters-${number}`, found);
      if (!this.#hasUnread) this.owner.unreadable(null);
    } catch (err) {
      this.#isUnread(wordsOf(err));
    }
    return [...found.values()].sort((a, b) => a.id - b.id);
  }

  async #look(name: string, found: Map<number, StoredLetter>): Promise<void> {
    try {
      await this.#scan(name, found);
      this.#known.add(name);
    } catch (err) {
      this.#isUnread(`${name}: ${wordsOf(err)}`);
    }
  }

  #isUnread(why: string): void {
    this.#hasUnread = true;
    this.owner.unreadable(why);
  }

  async #scan(name: string, found: Map<number, StoredLetter>): Promise<void> {
    const file = await this.disk.open(name);
    try {
      for await (const piece of pieces(file, 0, file.size, (offset) => this.owner.torn(name, file.size - offset)))
        for (const { frame } of piece) {
          if (frame.kind === "letter") found.set(frame.id, { ...frame, item: new Uint8Array(frame.item) });
          else if (frame.kind === "gone") for (const id of frame.ids) found.delete(id);
        }
    } finally {
      await file.close();
    }
  }

  /** Resolves when it is there, or cannot be for now; never rejects. */
  write(frame: Frame): Promise<void> {
    const bytes = this.#closed ? null : encoded(frame);
    if (bytes === null) return this.#line;
    this.#line = this.#line.then(async () => {
      // All of them are written anew when the time for that has come, not for each that comes.
      if (this.#again !== null && !reached(this.#again, this.owner.now())) return;
      try {
        if (this.#file === null || this.#file.size > LEAST + 2 * this.owner.bytes) await this.#anew();
        // What was written anew has it already, or knows nothing of it: twice does no harm.
        await this.#file?.append(bytes);
        this.#unsynced = true;
        this.#works();
      } catch (err) {
        await this.#failed(err);
      }
    });
    return this.#line;
  }

  /** Nobody knows what a write that failed has left there: nothing more is written to that file. */
  async #failed(err: unknown): Promise<void> {
    this.#again = later(this.owner.now(), AGAIN_MS);
    this.owner.trouble(wordsOf(err));
    const file = this.#file;
    this.#file = null;
    await file?.close().catch(() => {});
  }

  #works(): void {
    if (this.#again === null) return;
    this.#again = null;
    this.owner.trouble(null);
  }

  /** Those that are not needed when all that is known is written elsewhere. None that is there has a larger number than `#number` behind it. */
  async #files(): Promise<string[]> {
    const names = (await this.disk.list()).filter((name) => LetterBook.numberIn(name) !== null);
    this.#number = Math.max(this.#number, ...names.map((name) => LetterBook.numberIn(name) ?? 0));
    return names.filter((name) => this.#known.has(name));
  }

  /** The old file goes when the new one is on the disk. */
  async #anew(): Promise<void> {
    const old = await this.#files();
    await this.#file?.close();
    this.#file = null;
    const name = `letters-${this.#number + 1}`;
    // It holds nobody else's letters, also where it is there and could not be finished.
    this.#known.add(name);
    const file = await this.disk.create(name);
    try {
      for (const letter of [...this.owner.all()]) await file.append(encoded({ kind: "letter", ...letter }) ?? NO_BYTES);
      await file.sync();
    } catch (err) {
      await file.close();
      await this.disk.remove(name);
      throw err;
    }
    this.#file = file;
    for (const other of old) {
      await this.disk.remove(other);
      this.#known.delete(other);
    }
  }

  tick(): void {
    if (this.#again !== null) this.#try();
    else if (this.#unsynced) {
      this.#unsynced = false;
      this.#line = this.#line.then(() => this.#file?.sync()).catch((err: unknown) => this.#failed(err));
    }
  }

  /** All of them again, where the disk did not take them. */
  #try(): void {
    const now = this.owner.now();
    if (this.#closed || this.#again === null || !reached(this.#again, now)) return;
    this.#again = later(now, AGAIN_MS);
    this.#line = this.#line
      .then(async () => {
        await this.#anew();
        this.#works();
      })
      .catch((err: unknown) => this.#failed(err));
  }

  /** Resolves when nothing is under way; what the disk did not take is tried again at once. */
  async lastTry(): Promise<void> {
    await this.#line;
    if (this.#again === null) return;
    this.#again = 0 as MonoMs;
    this.#try();
    await this.#line;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#line;
    try {
      if (this.#unsynced) await this.#file?.sync();
      await this.#file?.close();
    } catch (err) {
      this.owner.trouble(wordsOf(err));
    }
    this.#file = null;
  }

  /** Without its files. */
  async discard(): Promise<void> {
    await this.close();
    try {
      for (const name of await this.#files()) await this.disk.remove(name);
    } catch (err) {
      this.owner.trouble(wordsOf(err));
    }
  }
}

/** null = it is too long for the disk: memory alone has it. */
function encoded(frame: Frame): Uint8Array | null {
  try {
    return encodeFrame(frame);
  } catch (err) {
    if (err instanceof FrameTooLong) return null;
    throw err;
  }
}
