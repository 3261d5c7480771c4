/** What a sink that has closed leaves to one that takes its place, as far as it is not on the disk: what waits, in order, and the dead letters. */
import type { Legacy } from "../actions.ts";
import type { Letter } from "./letters.ts";
import type { Spool } from "./spool.ts";
import type { Codec, Entry } from "./types.ts";

/** Rows that are nowhere but in memory, in order. */
export interface OnlyHere<T> {
  readonly entries: readonly Entry<T>[];
  /** So many of them, the first ones, came before everything on the disk. */
  readonly older: number;
}

/** Of all that waits in memory, in order. A disk that fails has not taken all of it, and one that is full has given some up. null = there is none. */
export function onlyHere<T>(all: readonly Entry<T>[], disk: Pick<Spool, "has" | "hasUnread"> | null): OnlyHere<T> {
  const entries: Entry<T>[] = [];
  let older = -1;
  for (const entry of all) {
    if (disk === null || entry.seq === 0 || !disk.has(entry.seq)) entries.push(entry);
    else if (older === -1) older = entries.length;
  }
  // Nothing of memory is on the disk: what is there has found no room, since it came later.
  if (older === -1) older = disk?.hasUnread === true ? entries.length : 0;
  return { entries, older };
}

export class Left<T> implements Legacy {
  readonly bytes: number;

  constructor(
    readonly waiting: OnlyHere<T>,
    readonly deadLetters: readonly Letter<T>[],
    /** With those that are on the disk. */
    readonly letters: number,
    private readonly codec: Codec<T>,
  ) {
    this.bytes = waiting.entries.reduce((n, entry) => n + entry.bytes, 0);
  }

  get rows(): number {
    return this.waiting.entries.length;
  }

  /** The same for one whose items may mean something else. */
  under(codec: Codec<T>): Pick<Left<T>, "waiting" | "deadLetters"> {
    if (codec.adopt === undefined) return this;
    const adopted = <I extends { readonly item: T }>(one: I): I => {
      const item = codec.adopt?.(one.item, this.codec) ?? one.item;
      return item === one.item ? one : { ...one, item };
    };
    const { entries, older } = this.waiting;
    return { waiting: { entries: entries.map(adopted), older }, deadLetters: this.deadLetters.map(adopted) };
  }
}
