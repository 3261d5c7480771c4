/** The host of what is only tried: nobody hears of it, and its timers end with the trial. */
import type { Clock, Log } from "../../core/ports.ts";
import type { BackendHost } from "./host.ts";

const SILENT: Log = { error: () => {}, warn: () => {}, notice: () => {}, info: () => {}, debug: () => {} };

export interface QuietHost {
  readonly host: BackendHost;
  /** No timer of it fires any more. */
  end(): void;
}

export function quietHost(clock: Clock): QuietHost {
  const timers = new Set<Timer>();
  return {
    host: {
      clock,
      log: SILENT,
      alarm: () => {},
      outages: new Map(),
      every(ms, fn) {
        const timer = setInterval(fn, ms);
        timers.add(timer);
        return () => {
          clearInterval(timer);
          timers.delete(timer);
        };
      },
    },
    end() {
      for (const timer of timers) clearInterval(timer);
      timers.clear();
    },
  };
}
