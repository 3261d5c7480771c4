/** What the rule engine gives an action, as its queue wants it. */
import { systemRandom } from "../../lib/random.ts";
import { backendHost } from "../_backend/resource_host.ts";
import type { ActionHost } from "../actions.ts";
import { realTimer } from "./timer.ts";
import type { SinkHost } from "./types.ts";

export function sinkHost(host: ActionHost): SinkHost {
  return {
    ...backendHost(host),
    soon: (fn) => void setImmediate(fn),
    timer: realTimer,
    random: () => systemRandom.next(),
    get memoryShort() {
      return host.memoryShort;
    },
    countWaiting: (bytes) => host.countWaiting(bytes),
    done: (rows, ms) => host.done(rows, ms),
    dropped: (rows) => host.dropped(rows),
  };
}
