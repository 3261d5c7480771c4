/** Alarms standing now, and those that have passed. */
import type { Alarm, NodeAlarmHistory, NodeAlarms } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface Alarms {
  present: Live<NodeAlarms[]>;
  history: Live<NodeAlarmHistory[]>;
  clearHistory(): Promise<void>;
  dispose(): void;
}

export type Severity = "warn" | "danger";

export interface AlarmText {
  title: string;
  detail: string;
  severity: Severity;
}

/** Plain alarms carry text, structured ones a severity; "[]" is the empty text of EMQ X. */
export function alarmText(a: Pick<Alarm, "id" | "desc">): AlarmText {
  if (typeof a.desc === "object")
    return { title: a.desc.title, detail: a.desc.summary, severity: /error|critical/.test(a.desc.severity) ? "danger" : "warn" };
  return { title: a.id, detail: a.desc === "[]" ? "" : a.desc, severity: "warn" };
}

export function createAlarms(app: App): Alarms {
  const { api, i18n, link, notices } = app;
  const present = createLive(() => api.alarms(), { link, every: 5000 });
  const history = createLive(() => api.alarmHistory(), { link, every: 15_000 });
  return {
    present,
    history,
    async clearHistory() {
      const { t } = i18n;
      if (!(await notices.ask({ title: t("alarms.clear"), text: t("alarms.clearText"), yes: t("alarms.clear"), danger: true }))) return;
      await app.act(() => api.clearAlarmHistory(), t("alarms.cleared"));
      void history.refresh();
    },
    dispose() {
      present.dispose();
      history.dispose();
    },
  };
}
