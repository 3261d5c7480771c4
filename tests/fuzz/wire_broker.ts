/** The broker that the wire fuzzer attacks: the executable, as it is built. */
import type { Installation, RunningBroker } from "../support/executable.ts";
import type { WireTarget } from "./wire.ts";

/** Lines of the log that no client may cause. */
const COMPLAINT = /\[(error|critical|alert|emergency)\]|^error:/;

export async function startTarget(baomq: Installation): Promise<{ broker: RunningBroker; target: WireTarget }> {
  // The fuzzer connects faster than the default of 1000 a second.
  const set = { "listener.tcp.external.max_conn_rate": "0", "listener.ws.external.max_conn_rate": "0" };
  const broker = await baomq.start({ data: "fuzz", set });
  const complaints = (): string[] => {
    if (broker.child.exitCode !== null) return [`the broker ended with code ${broker.child.exitCode}: ${broker.errors}`];
    return `${broker.log}\n${broker.errors}`.split("\n").filter((line) => COMPLAINT.test(line));
  };
  return { broker, target: { ports: broker.ports, rss: () => broker.rss(), complaints } };
}
