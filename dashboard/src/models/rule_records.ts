/** What a rule has left behind: errors, inspected rows, and what actions could not deliver. */
import { type ReadonlySignal, signal } from "@preact/signals";
import type { DeadLetterRow } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface DeadLettersModel {
  list: Live<DeadLetterRow[]>;
  selected: ReadonlySignal<ReadonlySet<number>>;
  select(id: number, on: boolean): void;
  selectAll(on: boolean): void;
  resend(): Promise<void>;
  remove(): Promise<void>;
  dispose(): void;
}

const EVERY_MS = 4000;

export function createDeadLetters({ api, link, act, i18n, notices }: App, rule: string, action: string): DeadLettersModel {
  const list = createLive(() => api.deadLetters(rule, action), { link, every: EVERY_MS });
  const selected = signal<ReadonlySet<number>>(new Set());
  /** Those that are chosen and still there. */
  const ids = (): number[] => (list.data.peek() ?? []).map((l) => l.id).filter((id) => selected.peek().has(id));
  const after = async (done: boolean): Promise<void> => {
    if (done) selected.value = new Set();
    await list.refresh();
  };
  return {
    list,
    selected,
    select(id, on) {
      const next = new Set(selected.peek());
      if (on) next.add(id);
      else next.delete(id);
      selected.value = next;
    },
    selectAll(on) {
      selected.value = new Set(on ? (list.data.peek() ?? []).map((l) => l.id) : []);
    },
    async resend() {
      const chosen = ids();
      await after(await act(() => api.resendLetters(rule, action, chosen), i18n.t("letters.resent", { n: chosen.length })));
    },
    async remove() {
      const chosen = ids();
      const { t } = i18n;
      const title = t("letters.deleteMany", { n: chosen.length });
      if (!(await notices.ask({ title, text: t("letters.deleteText"), yes: t("action.delete"), danger: true }))) return;
      await after(await act(() => api.deleteLetters(rule, action, chosen), t("letters.deleted", { n: chosen.length })));
    },
    dispose: () => list.dispose(),
  };
}

export const createRuleErrors = ({ api, link }: App, rule: string) => createLive(() => api.ruleErrors(rule), { link, every: EVERY_MS });
export const createInspected = ({ api, link }: App, rule: string) => createLive(() => api.ruleInspected(rule), { link, every: EVERY_MS });
