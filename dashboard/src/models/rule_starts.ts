/** What a first rule may be: each begins the editor with a statement, an example, and the kind of action that it is most likely for. */
import type { TextKey } from "./i18n.ts";

export interface RuleStart {
  id: string;
  title: TextKey;
  text: TextKey;
  /** The rule's name. */
  name: string;
  sql: string;
  /** Columns of the example that differ from the event's. */
  sample: Readonly<Record<string, unknown>>;
  /** The first of these that there is. */
  actions: readonly string[];
  icon: "threshold" | "every" | "offline" | "change";
}

const READING = {
  topic: "sensors/s1/temperature",
  payload: '{\n  "temperature": 31.5,\n  "humidity": 48\n}',
  clientid: "s1",
  client_id: "s1",
};

export const RULE_STARTS: readonly RuleStart[] = [
  {
    id: "threshold",
    title: "rules.start.threshold",
    text: "rules.start.thresholdText",
    name: "temperature above 30",
    sql: `SELECT clientid, topic, payload.temperature AS temperature, timestamp\nFROM "sensors/#"\nWHERE payload.temperature > 30`,
    sample: READING,
    actions: ["data_to_pgsql", "data_to_mysql", "web_hook:publish_action", "built_in:republish_action"],
    icon: "threshold",
  },
  {
    id: "every",
    title: "rules.start.every",
    text: "rules.start.everyText",
    name: "every message",
    sql: `SELECT clientid, topic, qos, payload, timestamp\nFROM "sensors/#"`,
    sample: READING,
    actions: ["web_hook:publish_action", "data_to_pgsql", "built_in:inspect_action"],
    icon: "every",
  },
  {
    id: "offline",
    title: "rules.start.offline",
    text: "rules.start.offlineText",
    name: "device went offline",
    sql: `SELECT clientid, username, reason, timestamp\nFROM "$events/client_disconnected"\nWHERE reason <> 'normal'`,
    sample: { reason: "keepalive_timeout", reason_code: "keepalive_timeout", clientid: "s1", client_id: "s1" },
    actions: ["web_hook:event_action", "built_in:republish_action"],
    icon: "offline",
  },
  {
    id: "rewrite",
    title: "rules.start.rewrite",
    text: "rules.start.rewriteText",
    name: "other form",
    sql: `SELECT payload.temperature AS celsius, round(payload.temperature * 1.8 + 32) AS fahrenheit, clientid\nFROM "sensors/#"`,
    sample: READING,
    actions: ["built_in:republish_action"],
    icon: "change",
  },
];
