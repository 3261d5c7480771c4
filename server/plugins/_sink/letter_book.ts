/**
 * Dead letters on the disk: a file of frames, each that a letter is there or gone. When most of it says nothing any more it is written anew.
 * What has come to be a letter is taken out of the queue on the disk only when it stands here.
 */
import { wordsOf } from "../../lib/errors.ts";
import type { Disk, DiskFile } from "./disk.ts";
import { encodeFrame, type Frame } from "./frames.ts";
import { pieces } from "./scan.ts";

export type StoredLetter = Omit<Extract<Frame, { kind: "letter" }>, "kind">;

const LEAST = 1024 * 1024;

export interface BookOwner {
  /** All there are, when it is written anew. */
  all(): Iterable<StoredLetter>;
  readonly bytes: number;
  trouble(why: string): void;
  torn(file: string, bytes: number): void;
}

export class LetterBook {
  #file: DiskFile | null = null;
  #number = 0;
  /** What is in the file already, or on its way. */
  #line: Promise<void> = Promise.resolve();
  #closed = false;
  #unsynced = false;
  #failed = false;

  constructor(
    private readonly disk: Disk,
    private readonly owner: BookOwner,
  ) {}

  /** What it was given is there, or on its way. */
  get isWhole(): boolean {
    return !this.#failed;
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
      for (const number of numbers) await this.#scan(`letters-${number}`, found);
    } catch (err) {
      this.owner.trouble(wordsOf(err));
    }
    return [...found.values()].sort((a, b) => a.id - b.id);
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

  /** Resolves when it is there, or cannot be; never rejects. */
  write(frame: Frame): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const bytes = encodeFrame(frame);
    this.#line = this.#line.then(async () => {
      try {
        if (this.#file === null || this.#file.size > LEAST + 2 * this.owner.bytes) await this.#anew();
        // What was written anew has it already, or knows nothing of it: twice does no harm.
        await this.#file?.append(bytes);
        this.#unsynced = true;
        this.#failed = false;
      } catch (err) {
        // The next one is written anew, with all that is there then.
        this.#file = null;
        this.#failed = true;
        this.owner.trouble(wordsOf(err));
      }
    });
    return this.#line;
  }

  /** The old file goes when the new one is on the disk. */
  async #anew(): Promise<void> {
    const old = (await this.disk.list()).filter((name) => LetterBook.numberIn(name) !== null);
    await this.#file?.close();
    this.#file = null;
    const file = await this.disk.create(`letters-${++this.#number}`);
    for (const letter of [...this.owner.all()]) await file.append(encodeFrame({ kind: "letter", ...letter }));
    await file.sync();
    this.#file = file;
    for (const name of old) await this.disk.remove(name);
  }

  tick(): void {
    if (!this.#unsynced) return;
    this.#unsynced = false;
    this.#line = this.#line.then(() => this.#file?.sync()).catch((err: unknown) => this.owner.trouble(wordsOf(err)));
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
      for (const name of await this.disk.list()) if (LetterBook.numberIn(name) !== null) await this.disk.remove(name);
    } catch (err) {
      this.owner.trouble(wordsOf(err));
    }
  }
}
