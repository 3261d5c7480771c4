/** The limit of password guesses (5 in 50 s) with a clock that stands still, and clients that guess. */
import { Guesses } from "../../server/core/access/guesses.ts";
import type { ClientInfo } from "../../server/core/types.ts";
import { Metrics } from "../../server/core/watch/metrics.ts";
import { aClient, FakeClock, recordingLog } from "./access.ts";
import { testZone } from "./zone.ts";

/** `from`: a client; `admit`: its attempt, whose delays (`sleeps`, ms) are over at once; `fail`: so many wrong passwords of it. */
export function guessing(maxCounts?: number) {
  const clock = new FakeClock();
  const log = recordingLog();
  const metrics = new Metrics();
  const guesses = new Guesses(clock, log, metrics, maxCounts);
  const zone = testZone({ authFailureLimit: { count: 5, intervalMs: 50_000 } });
  const from = (ip: string, username: string | null, clientId = "c"): ClientInfo => aClient({ zone, ip, username, clientId });
  const sleeps: number[] = [];
  const sleep = (ms: number): Promise<void> => {
    sleeps.push(ms);
    return Promise.resolve();
  };
  const fail = (client: ClientInfo, times: number): void => {
    for (let i = 0; i < times; i++) guesses.failed(client);
  };
  return { clock, log, metrics, guesses, zone, from, sleeps, fail, admit: (c: ClientInfo) => guesses.admit(c, sleep) };
}
