/**
 * WebSockets on Bun.serve that are not connected yet, of all listeners together. Bun.serve gathers a whole message before anybody hears of
 * it, and nobody has shown who he is: each that is read has the room of a whole frame set aside, and those for whom there is none are not read
 * until a place becomes free. That is the time of one message, unless somebody keeps his place: then the oldest loses it. Who has to wait is
 * held to the time for CONNECT (`idle_timeout`) like everybody: so the queue has an end.
 *
 * | state   | is read | until                                                                                        |
 * | ------- | ------- | -------------------------------------------------------------------------------------------- |
 * | waiting | no      | there is room, and it is its network's turn: networks take turns, so that none crowds out the others |
 * | placed  | yes     | it is connected, looked at (AUTH brings it back), gone, or others wait and it had its time: it is cut off |
 * | watched | yes     | its credentials have been looked at, or it is gone. Read on only so that it is seen to leave: without room for that it is not read |
 */

import type { Clock } from "../core/ports.ts";
import { networkOf } from "../lib/cidr.ts";
import { seldomOf } from "../lib/seldom.ts";
import { between, later, type MonoMs, NO_MONO, reached } from "../lib/time.ts";

/** A client sends its CONNECT at once; who has been read for so long without one makes room when others wait. */
const PATIENCE_MS = 1000;
const STEP_MS = 100;
/** The node itself has stood still for so long: what clients have sent meanwhile is still to be read. */
const STALL_MS = 500;
/** Below this a burst of honest clients would have to wait. */
const BUDGET_MIN = 16 * 1024 * 1024;
/** For those that are watched there is so much beside it, of the budget: they have sent their CONNECT, and take nobody's place. */
const WATCHED_SHARE = 0.5;

export interface Opening {
  readonly ip: string;
  /** It has a place now and is to be read. */
  readOn(): void;
  /** It had its time, and others wait: it is to go. */
  makeRoom(): void;
}

interface Place {
  readonly bytes: number;
  readonly since: MonoMs;
}

export class WsOpenings {
  /** Bytes set aside now. */
  bytes = 0;
  /** In the order in which they got their places. */
  readonly #placed = new Map<Opening, Place>();
  /** Being looked at -> the bytes set aside. */
  readonly #watched = new Map<Opening, number>();
  #watchedBytes = 0;
  /** Network -> who waits -> the bytes it needs. The first network is the next. */
  readonly #waiting = new Map<string, Map<Opening, number>>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #tickedAt: MonoMs = NO_MONO;

  constructor(
    private readonly clock: Clock,
    private readonly budget: () => number,
  ) {}

  /** Those that are read. */
  get size(): number {
    return this.#placed.size;
  }

  /** It is to be read, and its frames may have so many bytes. False = it has to wait until it hears `readOn`. */
  enter(opening: Opening, bytes: number): boolean {
    if (this.#placed.has(opening)) return true;
    this.unwatch(opening);
    if (this.#waiting.size === 0 && this.hasRoom(bytes)) {
      this.place(opening, bytes);
      return true;
    }
    const network = networkOf(opening.ip);
    const queue = this.#waiting.get(network);
    if (queue) queue.set(opening, bytes);
    else this.#waiting.set(network, new Map([[opening, bytes]]));
    if (this.#timer === null) {
      this.#tickedAt = this.clock.mono();
      this.#timer = setInterval(() => this.tick(), STEP_MS);
      this.#timer.unref();
    }
    return false;
  }

  /** Its credentials are looked at: its place is another's now. False = there is no room to read it on. */
  watch(opening: Opening): boolean {
    if (this.#watched.has(opening)) return true;
    const bytes = this.#placed.get(opening)?.bytes ?? Number.POSITIVE_INFINITY;
    const fits = this.#watchedBytes + bytes <= Math.max(BUDGET_MIN, this.budget()) * WATCHED_SHARE;
    if (fits) {
      this.#watched.set(opening, bytes);
      this.#watchedBytes += bytes;
    }
    if (!this.free(opening)) this.giveUp(opening);
    this.admit();
    return fits;
  }

  /** It needs no place now. */
  leave(opening: Opening): void {
    this.unwatch(opening);
    if (!this.free(opening)) this.giveUp(opening);
    this.admit();
  }

  private unwatch(opening: Opening): void {
    this.#watchedBytes -= this.#watched.get(opening) ?? 0;
    this.#watched.delete(opening);
  }

  /** While others wait: whoever had its time makes room. */
  tick(): void {
    const now = this.clock.mono();
    const stalled = between(this.#tickedAt, now) > STALL_MS;
    this.#tickedAt = now;
    if (!stalled) this.#cutOverdue(now);
    // The budget may have grown.
    this.admit();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #cutOverdue(now: MonoMs): void {
    for (const [opening, { since }] of this.#placed) {
      if (this.#waiting.size === 0 || !reached(later(since, PATIENCE_MS), now)) break;
      this.free(opening);
      opening.makeRoom();
      this.admit();
    }
  }

  /** A single one always has room, whatever its frames are. */
  private hasRoom(bytes: number): boolean {
    return this.#placed.size === 0 || this.bytes + bytes <= Math.max(BUDGET_MIN, this.budget());
  }

  private place(opening: Opening, bytes: number): void {
    this.#placed.set(opening, { bytes, since: this.clock.mono() });
    this.bytes += bytes;
  }

  /** False = it had no place. */
  private free(opening: Opening): boolean {
    const place = this.#placed.get(opening);
    if (place === undefined) return false;
    this.#placed.delete(opening);
    this.bytes -= place.bytes;
    return true;
  }

  /** It waits no longer. */
  private giveUp(opening: Opening): void {
    const network = networkOf(opening.ip);
    const queue = this.#waiting.get(network);
    if (queue?.delete(opening) && queue.size === 0) this.#waiting.delete(network);
  }

  private admit(): void {
    for (const [network, queue] of this.#waiting) {
      const [opening, bytes] = queue.entries().next().value as [Opening, number];
      if (!this.hasRoom(bytes)) return;
      queue.delete(opening);
      // To the end: the others are next.
      this.#waiting.delete(network);
      if (queue.size > 0) this.#waiting.set(network, queue);
      this.place(opening, bytes);
      opening.readOn();
    }
    if (this.#waiting.size === 0) this.stop();
  }
}

seldomOf(WsOpenings);
