/** Once a second what was written is brought to the disk, off the main thread, so that a power loss costs at most that second. */
import { later, type MonoMs, reached } from "../../lib/time.ts";
import type { Segment } from "./segment.ts";

const EVERY_MS = 1000;

export class Syncing {
  readonly #unsynced = new Set<Segment>();
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;
  #next = 0 as MonoMs;

  constructor(private readonly failed: (err: unknown) => void) {}

  /** Settled when none is under way. */
  get running(): Promise<void> {
    return this.#running;
  }

  written(segment: Segment): void {
    this.#unsynced.add(segment);
  }

  has(segment: Segment): boolean {
    return this.#unsynced.has(segment);
  }

  forget(segment: Segment): void {
    this.#unsynced.delete(segment);
  }

  tick(now: MonoMs): void {
    if (this.#unsynced.size === 0 || this.#isRunning || !reached(this.#next, now)) return;
    this.#next = later(now, EVERY_MS);
    this.#isRunning = true;
    const segments = [...this.#unsynced];
    this.#unsynced.clear();
    this.#running = Promise.all(segments.map((s) => s.file.sync()))
      .then(() => {})
      .catch((err: unknown) => this.failed(err))
      .finally(() => {
        this.#isRunning = false;
      });
  }
}
