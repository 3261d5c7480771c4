/** That the disk fails a spool: told when it begins, and when it is known to be over. */
import { wordsOf } from "../../lib/errors.ts";
import { between, later, type MonoMs, reached } from "../../lib/time.ts";
import type { SpoolOwner } from "./types.ts";

/** A write is tried again behind so many ms. */
const AGAIN_MS = 1000;
/** Nothing has failed for so long, and nothing is there to be written, which would tell. */
const QUIET_MS = 10_000;

export class SpoolTrouble {
  #is = false;
  #last = 0 as MonoMs;
  #again = 0 as MonoMs;

  constructor(private readonly owner: Pick<SpoolOwner, "now" | "trouble">) {}

  get is(): boolean {
    return this.#is;
  }

  /** The last write has not failed, or long enough ago. */
  get mayWrite(): boolean {
    return !this.#is || reached(this.#again, this.owner.now());
  }

  failed(err: unknown): void {
    this.#is = true;
    this.#last = this.owner.now();
    this.owner.trouble("queue", wordsOf(err));
  }

  writeFailed(err: unknown): void {
    this.#again = later(this.owner.now(), AGAIN_MS);
    this.failed(err);
  }

  /** The next write need not wait, however the last one went. */
  tryAtOnce(): void {
    this.#again = 0 as MonoMs;
  }

  isOver(): void {
    if (!this.#is) return;
    this.#is = false;
    this.owner.trouble("queue", null);
  }

  /** `isIdle`: nothing is to be written. */
  tick(now: MonoMs, isIdle: boolean): void {
    if (this.#is && isIdle && between(this.#last, now) >= QUIET_MS) this.isOver();
  }
}
