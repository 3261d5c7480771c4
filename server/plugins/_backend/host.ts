/** What a back end needs of its plugin: of a running one its context, of one that is only tried something smaller. */
import type { Clock, Log } from "../../core/ports.ts";
import type { AlarmDetails } from "../../core/watch/alarms.ts";
import type { StandingOutage } from "./outage.ts";

export interface BackendHost {
  readonly clock: Clock;
  readonly log: Log;
  /** Coarse timer (100 ms). Returns cancel. */
  every(ms: number, fn: () => void): () => void;
  /** Raise an alarm of the plugin's, or clear it (null). */
  alarm(what: string, desc: AlarmDetails | null): void;
  /** Those that stand, by the alarm's name: when settings change the next back end goes on with them. */
  readonly outages: Map<string, StandingOutage>;
}
