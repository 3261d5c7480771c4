/** What the rule engine gives a resource, or an action, as a back end wants it. */
import type { ResourceHost } from "../actions.ts";
import type { BackendHost } from "./host.ts";

export function backendHost(host: ResourceHost): BackendHost {
  return {
    clock: host.clock,
    log: host.log,
    every: (ms, fn) => host.every(ms, fn),
    alarm: (what, desc) => host.alarm(what, desc),
    outages: new Map(),
  };
}
