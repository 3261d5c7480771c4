/** What an action of a rule, or a plugin, could not deliver and keeps: looked at, sent again, deleted. */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { DeadLetter, LetterKeeper } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";
import { createPages, type Pages } from "./pages.ts";

export interface DeadLettersModel extends Pages<DeadLetter> {
  list: Live<DeadLetter[]>;
  /** Ids of those that are chosen and still there, whatever page they are on. */
  selected: ReadonlySignal<ReadonlySet<number>>;
  select(id: number, on: boolean): void;
  selectAll(on: boolean): void;
  /** Those that are chosen. */
  resend(): Promise<void>;
  /** Those that are chosen, when whoever is asked agrees. */
  remove(): Promise<void>;
  dispose(): void;
}

const EVERY_MS = 4000;

export function createDeadLetters({ api, link, act, i18n, notices }: App, keeper: LetterKeeper): DeadLettersModel {
  const list = createLive(() => api.deadLetters(keeper), { link, every: EVERY_MS });
  const rows = computed(() => list.data.value ?? []);
  const chosen = signal<ReadonlySet<number>>(new Set());
  const selected = computed(() => new Set(rows.value.map((l) => l.id).filter((id) => chosen.value.has(id))));
  const after = async (done: boolean): Promise<void> => {
    if (done) chosen.value = new Set();
    await list.refresh();
  };
  return {
    ...createPages(rows),
    list,
    selected,
    select(id, on) {
      const next = new Set(selected.peek());
      if (on) next.add(id);
      else next.delete(id);
      chosen.value = next;
    },
    selectAll(on) {
      chosen.value = new Set(on ? rows.peek().map((l) => l.id) : []);
    },
    async resend() {
      const ids = [...selected.peek()];
      let resent = 0;
      const done = await act(async () => {
        ({ resent } = await api.resendLetters(keeper, ids));
      });
      await after(done);
      if (!done) return;
      const { t } = i18n;
      // Others may have sent or deleted some of them meanwhile: the queue has no room for those that are still there.
      const areLeft = list.error.peek() === null && rows.peek().some((l) => ids.includes(l.id));
      if (resent === ids.length || !areLeft) return notices.ok(t("letters.resent", { n: resent }));
      const tell = resent === 0 ? notices.bad : notices.ok;
      tell(t("letters.noRoom", { n: resent, count: ids.length }));
    },
    async remove() {
      const ids = [...selected.peek()];
      const { t } = i18n;
      const title = t("letters.deleteMany", { n: ids.length });
      if (!(await notices.ask({ title, text: t("letters.deleteText"), yes: t("action.delete"), danger: true }))) return;
      await after(await act(() => api.deleteLetters(keeper, ids), t("letters.deleted", { n: ids.length })));
    },
    dispose: () => list.dispose(),
  };
}
