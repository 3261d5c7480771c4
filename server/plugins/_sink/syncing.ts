/** Once a second what was written is brought to the disk, off the main thread, so that a power loss costs at most that second. */
import { later, type MonoMs, reached } from "../../lib/time.ts";
import type { Segment } from "./segment.ts";

const EVERY_MS = 1000;

export interface SyncingOwner {
  failed(err: unknown): void;
  /** Nothing of these is to be brought to the disk any more, or it cannot be. */
  synced(segments: readonly Segment[]): void;
}

export class Syncing {
  readonly #unsynced = new Set<Segment>();
  #underWay: ReadonlySet<Segment> = new Set();
  #running: Promise<void> = Promise.resolve();
  #next = 0 as MonoMs;

  constructor(private readonly owner: SyncingOwner) {}

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

  /** Its file has to be open. */
  needs(segment: Segment): boolean {
    return this.#unsynced.has(segment) || this.#underWay.has(segment);
  }

  forget(segment: Segment): void {
    this.#unsynced.delete(segment);
  }

  tick(now: MonoMs): void {
    if (this.#unsynced.size === 0 || this.#underWay.size > 0 || !reached(this.#next, now)) return;
    this.#next = later(now, EVERY_MS);
    const segments = [...this.#unsynced];
    this.#underWay = new Set(segments);
    this.#unsynced.clear();
    this.#running = this.#sync(segments);
  }

  async #sync(segments: readonly Segment[]): Promise<void> {
    const results = await Promise.allSettled(segments.map((s) => s.sync()));
    this.#underWay = new Set();
    for (const result of results) if (result.status === "rejected") this.owner.failed(result.reason);
    this.owner.synced(segments);
  }
}
