/** What a plugin's queue has given up: looked at, sent again, deleted. */
import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { DeadLetter } from "../api/client.ts";
import type { App } from "./app.ts";
import { createLive, type Live } from "./live.ts";

export interface DeadLettersModel {
  list: Live<DeadLetter[]>;
  /** Those on this page. */
  shown: ReadonlySignal<readonly DeadLetter[]>;
  count: ReadonlySignal<number>;
  /** 1-based. */
  page: ReadonlySignal<number>;
  pages: ReadonlySignal<number>;
  limit: ReadonlySignal<number>;
  setPage(n: number): void;
  setLimit(n: number): void;
  /** One, or all. */
  resend(letter?: DeadLetter): Promise<void>;
  remove(letter?: DeadLetter): Promise<void>;
  dispose(): void;
}

/** Rows of a page at first: it stands among other cards. */
const LIMIT = 10;

/** Which plugins have such a queue. */
export const hasDeadLetters = (plugin: string): boolean => plugin === "emqx_web_hook";

export function createDeadLetters(app: App): DeadLettersModel {
  const { api, i18n, link, notices } = app;
  const list = createLive(() => api.hookLetters(), { link, every: 5000 });
  const wanted = signal(1);
  const limit = signal(LIMIT);
  const all = computed(() => list.data.value ?? []);
  const pages = computed(() => Math.max(1, Math.ceil(all.value.length / limit.value)));
  const page = computed(() => Math.min(wanted.value, pages.value));
  const idsOf = (letter?: DeadLetter): number[] => (letter === undefined ? all.value.map((l) => l.id) : [letter.id]);
  async function act(work: (ids: number[]) => Promise<unknown>, ids: number[], done: string): Promise<void> {
    await app.act(() => work(ids), done);
    void list.refresh();
  }
  return {
    list,
    shown: computed(() => all.value.slice((page.value - 1) * limit.value, page.value * limit.value)),
    count: computed(() => all.value.length),
    page,
    pages,
    limit,
    setPage(n) {
      wanted.value = n;
    },
    setLimit(n) {
      limit.value = n;
      wanted.value = 1;
    },
    async resend(letter) {
      const ids = idsOf(letter);
      await act((chosen) => api.resendHookLetters(chosen), ids, i18n.t("letters.resent", { n: ids.length }));
    },
    async remove(letter) {
      const { t } = i18n;
      const ids = idsOf(letter);
      const title = t(letter === undefined ? "letters.deleteAll" : "letters.deleteOne", { n: ids.length });
      if (!(await notices.ask({ title, text: t("letters.deleteText"), yes: t("action.delete"), danger: true }))) return;
      await act((chosen) => api.deleteHookLetters(chosen), ids, t("letters.deleted", { n: ids.length }));
    },
    dispose: () => list.dispose(),
  };
}
