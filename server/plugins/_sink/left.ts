/** What a sink that has closed leaves to one that takes its place, as far as it is not on the disk: what waits, in order, and the dead letters. */
import type { Legacy } from "../actions.ts";
import type { Letter } from "./letters.ts";
import type { Entry } from "./types.ts";

export class Left<T> implements Legacy {
  readonly bytes: number;

  constructor(
    readonly entries: readonly Entry<T>[],
    readonly deadLetters: readonly Letter<T>[],
    /** With those that are on the disk. */
    readonly letters: number,
  ) {
    this.bytes = entries.reduce((n, entry) => n + entry.bytes, 0);
  }

  get rows(): number {
    return this.entries.length;
  }
}
