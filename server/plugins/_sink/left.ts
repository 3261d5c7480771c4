/** What a sink that has closed leaves to one that takes its place, as far as it is not on the disk: what waits, in order, and the dead letters. */
import type { Legacy } from "../actions.ts";
import type { Letter } from "./letters.ts";
import type { Entry } from "./types.ts";

/** Rows that are nowhere but in memory, in order. */
export interface OnlyHere<T> {
  readonly entries: readonly Entry<T>[];
  /** So many of them, the first ones, came before everything on the disk. */
  readonly older: number;
}

/** Of all that waits in memory, in order. Where nothing of it is on the disk what is there has no room in memory yet: it came later. */
export function onlyHere<T>(all: readonly Entry<T>[], isOnDisk: (entry: Entry<T>) => boolean): OnlyHere<T> {
  const first = all.findIndex(isOnDisk);
  return { entries: all.filter((entry) => !isOnDisk(entry)), older: first === -1 ? all.length : first };
}

export class Left<T> implements Legacy {
  readonly bytes: number;

  constructor(
    readonly waiting: OnlyHere<T>,
    readonly deadLetters: readonly Letter<T>[],
    /** With those that are on the disk. */
    readonly letters: number,
  ) {
    this.bytes = waiting.entries.reduce((n, entry) => n + entry.bytes, 0);
  }

  get rows(): number {
    return this.waiting.entries.length;
  }
}
