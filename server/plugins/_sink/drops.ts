/** What found no room: counted, told in the log once a minute, and an alarm while it happened in the last minute. */
import { later, type MonoMs, reached } from "../../lib/time.ts";
import type { BackendHost } from "../_backend/host.ts";
import type { SinkHost } from "./types.ts";

const MINUTE_MS = 60_000;

export class Drops {
  /** Ever. */
  count = 0;
  #told = 0;
  #since = 0;
  #last: MonoMs | null = null;
  #nextLog = 0 as MonoMs;

  constructor(
    private readonly host: BackendHost & Pick<SinkHost, "dropped">,
    private readonly alarm: string,
  ) {}

  /** `isFull`: there was no room. Else they are counted, no more: the queue ends, say, and nobody can do anything about it. */
  add(rows: number, what: string, isFull = true): void {
    if (rows === 0) return;
    this.host.dropped?.(rows);
    if (!isFull) {
      this.count += rows;
      return;
    }
    const now = this.host.clock.mono();
    if (this.#last === null) {
      this.#since = this.count;
      this.host.alarm(this.alarm, {
        severity: "warning",
        title: `${what}: the queue is full`,
        summary: "More comes than is taken: messages are dropped, the oldest first.",
      });
    }
    this.count += rows;
    this.#last = now;
    if (!reached(this.#nextLog, now)) return;
    this.#tell(what, now);
  }

  /** What could not be sent any more. */
  atEnd(rows: number, what: string): void {
    if (rows > 0) this.host.log.warn("the queue was not empty at the end", { server: what, dropped: rows });
    this.add(rows, what, false);
  }

  /** What the disk does not give back any more. */
  lost(rows: number, what: string, why: string): void {
    if (rows === 0) return;
    this.host.log.error("rows that waited on the disk are lost", { server: what, rows, why });
    this.add(rows, what, false);
  }

  tick(now: MonoMs, what: string): void {
    if (this.#last === null || !reached(later(this.#last, MINUTE_MS), now)) return;
    if (this.count > this.#told) this.#tell(what, now);
    this.host.log.notice("the queue has had room for a minute", { server: what, dropped: this.count - this.#since });
    this.clear();
  }

  clear(): void {
    if (this.#last === null) return;
    this.#last = null;
    this.host.alarm(this.alarm, null);
  }

  #tell(what: string, now: MonoMs): void {
    this.host.log.warn("the queue is full: messages are dropped", { server: what, dropped: this.count - this.#told });
    this.#told = this.count;
    this.#nextLog = later(now, MINUTE_MS);
  }
}
