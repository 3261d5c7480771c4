/** Somebody who is sent figures, as it is shown: its state, counts, times, the alarm while nothing arrives. */
import type { Clock, Log } from "../../core/ports.ts";
import type { AlarmDetails } from "../../core/watch/alarms.ts";
import { Figures } from "../_backend/figures.ts";
import { Standing } from "../_backend/standing.ts";
import type { ServerReport } from "../reports.ts";

/** What a destination has of its plugin. */
export interface DestinationHost {
  readonly clock: Clock;
  readonly log: Log;
  alarm(what: string, desc: AlarmDetails | null): void;
}

/** `refused`: the server said no. `failed`: nobody could be asked. */
export type Failure = "refused" | "failed" | "timeouts";

/** So many in a row that came to nothing are an outage. */
const OUTAGE = 3;

export class Destination {
  readonly #figures = new Figures();
  readonly #standing: Standing;
  #inARow = 0;
  /** Sent now. */
  running = 0;
  /** What waits to be sent. */
  waiting: () => number = () => 0;

  constructor(
    private readonly host: DestinationHost,
    /** For people, without secrets: "Push gateway at http://127.0.0.1:9091". */
    readonly what: string,
    /** Name of the alarm while nothing arrives. */
    private readonly alarm: string,
  ) {
    this.#standing = new Standing(host.clock);
  }

  began(): void {
    this.#figures.counts.calls++;
    this.running++;
  }

  /** `ms`: what it took; null = nobody says (UDP). */
  arrived(ms: number | null): void {
    this.running--;
    this.#figures.counts.answered++;
    if (ms !== null) this.#figures.latencies.add(ms);
    if (this.#inARow >= OUTAGE) this.host.alarm(this.alarm, null);
    if (this.#inARow > 0) this.host.log.notice("figures arrive again", { server: this.what, failed: this.#inARow });
    this.#inARow = 0;
    this.#standing.become("up");
  }

  /** `error`: in words, without secrets. */
  failed(kind: Failure, error: string): void {
    this.running--;
    this.#figures.counts[kind]++;
    this.#standing.note(error);
    if (this.#inARow++ === 0) this.host.log.warn("figures do not arrive", { server: this.what, error });
    if (this.#inARow >= OUTAGE || this.#standing.state === "connecting") this.#standing.become("down");
    else this.#standing.degrade();
    if (this.#inARow === OUTAGE) this.host.alarm(this.alarm, { severity: "error", title: `${this.what} is down`, summary: error });
  }

  /** It took what was sent, but not all of it. */
  grumbled(error: string): void {
    this.#standing.note(error);
    this.#standing.degrade();
  }

  /** Dropped because too much waits. */
  dropped(n: number): void {
    this.#figures.counts.busy += n;
  }

  again(): void {
    this.#figures.counts.retries++;
  }

  status(): ServerReport {
    return {
      what: this.what,
      ...this.#standing.shown,
      running: this.running,
      waiting: this.waiting(),
      pool: 1,
      ...this.#figures.counts,
      ...this.#figures.latencies.quantiles(),
    };
  }
}
