/** Dead letters: what was given up, kept to be looked at and sent again. Bounded in number and bytes; the oldest goes first. */
import type { DeadLetter, DeadLetters } from "../actions.ts";
import type { Entry } from "./types.ts";

export interface Letter<T> {
  readonly id: number;
  /** Unix ms. */
  readonly at: number;
  readonly why: string;
  readonly tries: number;
  readonly key: string;
  readonly item: T;
  readonly bytes: number;
}

/** Of a body no more is shown. */
const SHOWN_MAX = 4096;
/** Of a reason no more is kept. */
const WHY_MAX = 500;
/** What one costs beside its item. */
const LETTER_BYTES = 200;

export interface LettersOwner<T> {
  bounds(): { readonly lettersMax: number; readonly letterBytesMax: number };
  shown(item: T): string;
  /** Into the queue, where it has room for it without pushing out anything else. False = it has none. */
  again(letter: Letter<T>): boolean;
  /** One is there, resp. these are no more: for whoever writes them down. */
  added(letter: Letter<T>): void;
  removed(ids: readonly number[]): void;
  /** They are in the queue. */
  resent(ids: readonly number[]): void;
}

export class Letters<T> implements DeadLetters {
  /** In order of their ids. */
  readonly #all = new Map<number, Letter<T>>();
  #bytes = 0;
  #next = 1;

  constructor(private readonly owner: LettersOwner<T>) {}

  get count(): number {
    return this.#all.size;
  }
  get bytes(): number {
    return this.#bytes;
  }

  /** `at`: Unix ms. */
  gaveUp(entries: readonly Entry<T>[], why: string, at: number): void {
    for (const { key, item, bytes, sends: tries } of entries) this.add({ at, why, tries, key, item, bytes });
  }

  add(given: Omit<Letter<T>, "id">): void {
    const letter = { ...given, why: given.why.slice(0, WHY_MAX), id: this.#next };
    this.#keep(letter);
    this.owner.added(letter);
    this.#bound();
  }

  /** Those that were written down before. What was given up meanwhile comes behind them, and is written down too. `from`: the first number for it. */
  restored(before: readonly Letter<T>[], from = 1): void {
    const since = [...this.#all.values()];
    this.#all.clear();
    this.#bytes = 0;
    this.#next = from;
    for (const letter of before) this.#keep(letter);
    this.inherit(since);
  }

  /** Those of somebody who was here before. They keep their numbers where those are free. A disk that failed may have some of them. */
  inherit(letters: readonly Letter<T>[]): void {
    for (const letter of letters) {
      if (isSame(letter, this.#all.get(letter.id))) continue;
      const own = letter.id >= this.#next ? letter : { ...letter, id: this.#next };
      this.#keep(own);
      this.owner.added(own);
    }
    this.#bound();
  }

  all(): Letter<T>[] {
    return [...this.#all.values()];
  }

  list(): DeadLetter[] {
    const shown = (item: T): string => this.owner.shown(item).slice(0, SHOWN_MAX);
    return this.all()
      .reverse()
      .map(({ id, at, why, tries, bytes, item }) => ({ id, at_ms: at, why, tries, bytes, body: shown(item) }));
  }

  resend(ids?: readonly number[]): number {
    const taken: Letter<T>[] = [];
    for (const letter of this.#chosen(ids)) {
      if (!this.owner.again(letter)) break;
      taken.push(letter);
    }
    return this.#take(taken, (ids) => this.owner.resent(ids));
  }

  remove(ids?: readonly number[]): number {
    return this.#take(this.#chosen(ids));
  }

  /** Other bounds hold. */
  bound(): void {
    this.#bound();
  }

  #chosen(ids?: readonly number[]): Letter<T>[] {
    if (ids === undefined) return this.all();
    return [...new Set(ids)].flatMap((id) => this.#all.get(id) ?? []).sort((a, b) => a.id - b.id);
  }

  #take(letters: readonly Letter<T>[], tell = (ids: number[]): void => this.owner.removed(ids)): number {
    for (const letter of letters) {
      this.#all.delete(letter.id);
      this.#bytes -= letter.bytes + LETTER_BYTES;
    }
    if (letters.length > 0) tell(letters.map((l) => l.id));
    return letters.length;
  }

  #keep(letter: Letter<T>): void {
    this.#all.set(letter.id, letter);
    this.#next = Math.max(this.#next, letter.id + 1);
    this.#bytes += letter.bytes + LETTER_BYTES;
  }

  #bound(): void {
    const { lettersMax, letterBytesMax } = this.owner.bounds();
    const over: Letter<T>[] = [];
    let [count, bytes] = [this.#all.size, this.#bytes];
    for (const letter of this.#all.values()) {
      if (count <= lettersMax && bytes <= letterBytesMax) break;
      over.push(letter);
      count--;
      bytes -= letter.bytes + LETTER_BYTES;
    }
    this.#take(over);
  }
}

function isSame<T>(a: Letter<T>, b: Letter<T> | undefined): boolean {
  return b !== undefined && a.id === b.id && a.at === b.at && a.key === b.key && a.why === b.why;
}
