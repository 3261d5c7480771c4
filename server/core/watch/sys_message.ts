/** Messages of the broker itself under `$SYS/brokers/<node>/`. */
import type { QoS } from "../../mqtt/types.ts";
import { Message } from "../message.ts";

const encoder = new TextEncoder();

export const SYS_BROKERS = "$SYS/brokers";

/**
 * `$SYS/brokers/<node>/<rest>`. Wildcards in names (a client id may hold them) become "_": a topic with them is no topic,
 * and a client that receives one hangs up.
 */
export function sysTopic(nodeName: string, rest: string): string {
  return `${SYS_BROKERS}/${nodeName}/${rest}`.replace(/[+#\0]/g, "_");
}

/** `now`: Unix ms. */
export function sysMessage(topic: string, payload: string, now: number, qos: QoS = 0, retain = false): Message {
  const m = new Message(topic, encoder.encode(payload), qos, retain, "", null, now, 0, null);
  // Who keeps it asks. Most are not kept, and there are two for each client that comes and goes.
  if (retain) m.sys = true;
  return m;
}
