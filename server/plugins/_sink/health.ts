/** How the other side is, by what came of what was sent: up, degraded (it takes, with errors), down; the alarm while it is down; the figures. */
import type { MonoMs } from "../../lib/time.ts";
import { Figures } from "../_backend/figures.ts";
import type { BackendHost } from "../_backend/host.ts";
import { Outage } from "../_backend/outage.ts";
import { Standing } from "../_backend/standing.ts";
import type { ServerReport } from "../reports.ts";
import type { SendError } from "./types.ts";

/** So many failures in a row, and it is down. */
const DOWN_FROM = 5;

export class Health {
  readonly figures = new Figures();
  readonly #standing: Standing;
  #outage: Outage;
  #inRow = 0;

  constructor(
    private readonly host: BackendHost,
    what: string,
    private readonly alarm: string,
  ) {
    this.#standing = new Standing(host.clock);
    this.#outage = new Outage(host, what, alarm);
  }

  get isDown(): boolean {
    return this.#standing.state === "down";
  }

  /** It is somebody else now, or is called so. */
  rename(what: string): void {
    this.#outage.retire(false);
    this.#outage = new Outage(this.host, what, this.alarm);
    this.#standing.become("connecting");
    this.#inRow = 0;
  }

  began(again: boolean): void {
    this.figures.counts.calls++;
    if (again) this.figures.counts.retries++;
  }

  /** Returns whether it was away until now. */
  taken(ms: number): boolean {
    this.figures.counts.answered++;
    this.figures.latencies.add(ms);
    return this.#answered();
  }

  /** `retries`: less failures than of one item that is sent again until it is given up do not make it down. */
  failed(err: SendError, isTimeout: boolean, retries: number): void {
    const { counts } = this.figures;
    this.#standing.note(err.message);
    if (err.kind === "give up") {
      counts.refused++;
      // It has answered.
      this.#answered();
      this.#standing.degrade();
      return;
    }
    if (isTimeout) counts.timeouts++;
    else counts.failed++;
    this.#inRow++;
    if (this.isDown) return;
    // What nobody hears is down at once where nothing was ever heard; and what only says no to one item is not away.
    const from = err.kind === "away" ? DOWN_FROM : Math.max(DOWN_FROM, retries + 2);
    const first = this.#standing.state === "connecting";
    if (this.#inRow < from && !(first && err.kind === "away")) {
      if (first) this.#standing.become("degraded");
      this.#standing.degrade();
      return;
    }
    this.#standing.become("down");
    this.#outage.begins(err.message, first);
  }

  /** Nothing was sent, but somebody has looked whether it is there; null = it is. */
  seen(err: string | null): void {
    const first = this.#standing.state === "connecting";
    if (err === null) {
      if (first || this.isDown) this.#answered();
      return;
    }
    this.#standing.note(err);
    if (!first) return;
    this.#standing.become("down");
    this.#outage.begins(err, true);
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

  #answered(): boolean {
    const wasAway = this.#inRow > 0;
    this.#inRow = 0;
    if (this.isDown) {
      this.#standing.become("up");
      this.#outage.isOver();
    } else if (this.#standing.state === "connecting") this.#standing.become("up");
    return wasAway;
  }
}
