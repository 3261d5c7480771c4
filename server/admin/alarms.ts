/** What is wrong now, and what was. */
import { formatLocalTime } from "../lib/time_format.ts";
import type { AdminDeps } from "./deps.ts";
import type { Alarm, AlarmHistory, NodeAlarmHistory, NodeAlarms } from "./rows.ts";

/** Rows of the history shown when the caller names no number. */
const HISTORY_ROWS = 1000;

export function createAlarms({ broker }: AdminDeps) {
  const node = broker.node.nodeName;

  const list = (): Alarm[] => broker.alarms.present().map((a) => ({ id: a.id, desc: a.desc, raised_at_ms: a.raisedAt }));

  const history = (limit = HISTORY_ROWS): AlarmHistory[] =>
    broker.alarms.history(limit).map((a) => ({
      id: a.id,
      desc: a.desc,
      clear_at: formatLocalTime(a.clearedAt),
      raised_at_ms: a.raisedAt,
      clear_at_ms: a.clearedAt,
    }));

  return {
    list,
    all: (): NodeAlarms[] => [{ node, alarms: list() }],
    history,
    allHistory: (limit?: number): NodeAlarmHistory[] => [{ node, alarms: history(limit) }],
    clearHistory(): void {
      broker.store.alarms.clear();
      broker.flush();
    },
  };
}
