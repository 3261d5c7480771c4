/** What of a sink lies on the disk: the queue, and the dead letters. Both in one directory, opened together, closed together. */
import type { MonoMs } from "../../lib/time.ts";
import type { Disk } from "./disk.ts";
import { LetterBook } from "./letter_book.ts";
import type { Letter, Letters } from "./letters.ts";
import { Spool } from "./spool.ts";
import type { Codec, Entry, SinkHost, SpoolOwner, Stored } from "./types.ts";

type Clock = SinkHost["clock"];

/** Letters are fewer, and the oldest makes room: of what is further back none is there any more. */
const OWED_MAX = 100_000;

export class SinkStore<T> {
  readonly spool: Spool;
  readonly #book: LetterBook;
  /** Resolves when it is known what a former run has left. */
  readonly opened: Promise<void>;
  #isOpen = false;
  #written: Promise<void> = Promise.resolve();
  /** Letters that are in the queue now, which is not written down yet. */
  readonly #resent: number[] = [];
  /** In the queue, of what has come to be letters that could not be written. */
  readonly #owed: number[] = [];

  constructor(
    disk: Disk,
    owner: SpoolOwner,
    private readonly codec: Codec<T>,
    private readonly letters: Letters<T>,
  ) {
    this.spool = new Spool(disk, owner);
    const stored = (letter: Letter<T>) => this.#stored(letter);
    this.#book = new LetterBook(disk, {
      *all() {
        for (const letter of letters.all()) yield stored(letter);
      },
      get bytes() {
        return letters.bytes;
      },
      now: () => owner.now(),
      trouble: (why) => {
        owner.trouble("letters", why);
        if (why === null) this.#settle();
      },
      unreadable: (why) => owner.unreadable("letters", why),
      torn: (file, bytes) => owner.torn(file, bytes),
    });
    this.opened = this.#open(owner);
  }

  async #open(owner: SpoolOwner): Promise<void> {
    const before: Letter<T>[] = [];
    for (const { item, ...letter } of await this.#book.open()) {
      try {
        before.push({ ...letter, item: this.codec.decode(item), bytes: item.length });
      } catch {
        owner.lost(1, "it is no dead letter of this queue");
      }
    }
    this.#isOpen = true;
    // Numbers that none of theirs has: a later start that reads them finds both.
    this.letters.restored(before, this.#book.hasUnread ? owner.wall() : 1);
    await this.spool.open();
  }

  /** As a spool's `append`, with the time of its arrival. @throws FrameTooLong */
  append({ key, item, since, seq }: Entry<T>, clock: Clock, isLoaded: boolean, isOld = false): number | null {
    const at = clock.now() - Math.max(0, Math.round(clock.mono() - since));
    return this.spool.append(at, key, this.codec.encode(item), isLoaded, isOld ? seq : null);
  }

  /**
   * What memory has is written, too, in order. Nothing, where something is on the disk that has to be read before, and none that would come behind
   * what came later.
   */
  writeDown(entries: readonly Entry<T>[], clock: Clock): void {
    if (this.spool.caughtUp) this.writeTail(entries.slice(entries.findLastIndex(({ seq }) => seq > 0) + 1), clock);
  }

  /** These are in memory, and behind all that is on the disk. */
  writeTail(entries: readonly Entry<T>[], clock: Clock): void {
    for (const entry of entries) {
      try {
        entry.seq = this.append(entry, clock, true, true) ?? 0;
      } catch {
        // It is too long for the disk: memory has it.
      }
    }
  }

  addLetter(letter: Letter<T>): void {
    if (this.#isOpen) this.#written = this.#book.write({ kind: "letter", ...this.#stored(letter) });
  }

  removeLetters(ids: readonly number[]): void {
    if (this.#isOpen) void this.#book.write({ kind: "gone", ids });
  }

  /** They are in the queue, and are to stand there before they are written down as gone. */
  resentLetters(ids: readonly number[]): void {
    if (!this.#isOpen) return;
    this.#resent.push(...ids);
    if (this.spool.unwritten === 0) this.writeResent();
  }

  writeResent(): void {
    if (this.#resent.length > 0) this.removeLetters(this.#resent.splice(0));
  }

  /** All letters are on the disk, as far as it is known. */
  get hasLetters(): boolean {
    return this.#book.isWhole;
  }

  /** These have come to be letters: they leave the queue when those stand here. */
  lettered(seqs: readonly number[]): void {
    void this.#written.then(() => {
      this.#owed.push(...seqs);
      this.#settle(this.#book.isWhole ? this.#owed.length : this.#owed.length - OWED_MAX);
    });
  }

  #settle(count = this.#owed.length): void {
    if (count > 0) this.spool.done(this.#owed.splice(0, count));
  }

  #stored({ id, at, tries, why, key, item }: Letter<T>) {
    return { id, at, tries, why, key, item: this.codec.encode(item) };
  }

  tick(now: MonoMs): void {
    this.spool.tick(now);
    this.#book.tick();
  }

  /** Returns what neither the disk nor memory has, in order; `isTaken`: somebody takes it, so that what was a letter is none any more. */
  async close(isTaken: boolean): Promise<Stored[]> {
    await this.opened;
    // Whoever has come to be a letter leaves the queue first, also where another one gets the letter.
    await this.#book.lastTry();
    if (isTaken) this.#settle();
    const unwritten = await this.spool.close();
    if (isTaken || unwritten.length === 0) this.writeResent();
    await this.#book.close();
    return unwritten;
  }

  /** Nothing of it is wanted on the disk any more. */
  async discard(): Promise<void> {
    await this.spool.close();
    await this.#book.discard();
  }
}
