/** How the other side is, by what came of what was sent: up, degraded (it takes, with errors), down; the alarm while it is down; the figures. */
import { later, type MonoMs, reached } from "../../lib/time.ts";
import { Figures } from "../_backend/figures.ts";
import type { BackendHost } from "../_backend/host.ts";
import { Outage } from "../_backend/outage.ts";
import { Standing } from "../_backend/standing.ts";
import type { ServerReport } from "../reports.ts";
import type { SendError, SinkOptions } from "./types.ts";

/** So many failures in a row, and it is down. */
const DOWN_FROM = 5;
/** Whoever is under suspicion is for so many tries that did not come. */
const SUSPECT_TRIES = 3;

export class Health {
  readonly figures = new Figures();
  readonly #standing: Standing;
  #outage: Outage;
  #inRow = 0;
  /** What of it may be why nothing is taken, until when, and when the next try counts. */
  #suspect: object | null = null;
  #suspectUntil = 0 as MonoMs;
  #nextCount = 0 as MonoMs;

  constructor(
    private readonly host: BackendHost,
    what: string,
    private readonly told: Pick<SinkOptions<unknown>, "alarm" | "title">,
  ) {
    this.#standing = new Standing(host.clock);
    this.#outage = new Outage(host, what, told.alarm, told.title?.(what));
  }

  get isDown(): boolean {
    return this.#standing.state === "down";
  }

  /** Why nothing is taken now, and when that was said last; null = it is. */
  get behind(): { why: string; at: number } | null {
    const { lastError, lastErrorAt } = this.#standing.shown;
    return this.isDown && lastError !== null ? { why: lastError, at: lastErrorAt ?? 0 } : null;
  }

  /** It is somebody else now, or is called so. */
  rename(what: string): void {
    this.#outage.retire(false);
    this.#outage = new Outage(this.host, what, this.told.alarm, this.told.title?.(what));
    this.#standing.become("connecting");
    this.#inRow = 0;
  }

  began(again: boolean): void {
    this.figures.counts.calls++;
    if (again) this.figures.counts.retries++;
  }

  /** Returns whether it was down until now. */
  taken(ms: number): boolean {
    this.figures.counts.answered++;
    this.figures.latencies.add(ms);
    return this.#answered();
  }

  /**
   * `retries`: less failures than of one item that is sent again until it is given up do not make it down. Returns whether it was down until now:
   * who refuses something is there.
   */
  failed(err: SendError, isTimeout: boolean, retries: number): boolean {
    const { counts } = this.figures;
    this.#standing.note(err.message);
    if (err.kind === "give up") {
      counts.refused++;
      // It has answered.
      const wasDown = this.#answered();
      this.#standing.degrade();
      return wasDown;
    }
    if (isTimeout) counts.timeouts++;
    else counts.failed++;
    this.#inRow++;
    if (this.isDown) return false;
    // What nobody hears is down at once where nothing was ever heard; and what only says no to one item is not away.
    const from = err.kind === "away" ? DOWN_FROM : Math.max(DOWN_FROM, retries + 2);
    const first = this.#standing.state === "connecting";
    if (this.#inRow < from && !(first && err.kind === "away")) {
      if (first) this.#standing.become("degraded");
      this.#standing.degrade();
      return false;
    }
    this.#standing.become("down");
    this.#outage.begins(err.message, first);
    return false;
  }

  /**
   * Whether a failure counts against what was sent, before it is told to `failed`. While nothing gets through it does not: nothing that is sent can
   * help that. Where somebody answers, though, and a lane has nothing that he takes (`isAlone`), it may be what it sends: of one lane at a time a try
   * each `everyMs` counts, so that few are given up while it is the service after all, and none stays for ever where it is not.
   */
  countsAgainst(lane: { readonly isAlone: boolean }, { kind }: SendError, everyMs: number): boolean {
    if (!this.isDown) return true;
    const now = this.host.clock.mono();
    if (kind !== "retry" || !lane.isAlone || !reached(this.#nextCount, now)) return false;
    if (this.#suspect !== lane && !reached(this.#suspectUntil, now)) return false;
    this.#suspect = lane;
    this.#suspectUntil = later(now, SUSPECT_TRIES * everyMs);
    this.#nextCount = later(now, everyMs);
    return true;
  }

  /** Nothing was sent, but somebody has looked whether it is there; null = it is. Returns whether it was down until now. */
  seen(err: string | null): boolean {
    const first = this.#standing.state === "connecting";
    if (err === null) return (first || this.isDown) && this.#answered();
    this.#standing.note(err);
    if (!first) return false;
    this.#standing.become("down");
    this.#outage.begins(err, true);
    return false;
  }

  tick(now: MonoMs): void {
    this.#standing.tick(now);
  }

  shown(what: string): Omit<ServerReport, "running" | "waiting" | "pool" | "queue"> {
    return { what, ...this.#standing.shown, ...this.figures.counts, ...this.figures.latencies.quantiles() };
  }

  end(): void {
    this.#outage.retire(false);
  }

  /** Returns whether it was down until now. */
  #answered(): boolean {
    const wasDown = this.isDown;
    this.#inRow = 0;
    if (wasDown) {
      this.#standing.become("up");
      this.#outage.isOver();
    } else if (this.#standing.state === "connecting") this.#standing.become("up");
    return wasDown;
  }
}
